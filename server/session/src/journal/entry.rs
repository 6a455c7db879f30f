//! The lines of a session file: upstream Kit's JSONL version 3.
//!
//! The first line is the header, every other line an entry with `type`, `id`, `parent_id` and `timestamp`. What
//! upstream has no entry for is a `Note`: an `extension_data` entry whose `ext_type` starts with `kit-ls/` and whose
//! `data` is JSON text, which upstream carries along and never sends to a model. Whatever this version does not know
//! is `Body::Unknown`, and its line stays as it is.

use std::collections::BTreeSet;

use kit_protocol::{
    AgentRef, EntryId, ErrorKind, EventBody, Mode, Part, PlanEntry, Role, SessionId, StopReason,
    ThinkingLevel, ToolCallId, ToolDisplay, ToolKind, ToolMetadata, TurnId, Usage, UsageTotals,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Millis;
use crate::reference::{Fingerprint, Reference};

/// The format version that is written.
const VERSION: u32 = 3;

/// What our own `ext_type`s start with.
pub(crate) const NOTE_PREFIX: &str = "kit-ls/";
/// The `ext_type` of [`Note::MediaLeftOut`] as its line has it. Within another text its quotes would be escaped.
pub(crate) const MEDIA_LEFT_OUT: &str = "\"kit-ls/media-left-out\"";

/// The first line of a session file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    r#type: HeaderTag,
    #[serde(default)]
    version: u32,
    /// The session.
    pub(crate) id: SessionId,
    /// When it was made, RFC 3339.
    #[serde(default)]
    pub(crate) timestamp: String,
    /// The directory it works in.
    #[serde(default)]
    pub(crate) cwd: String,
    /// The file that it was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent_session: Option<String>,
    /// The session that it was forked or spawned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent_session_id: Option<SessionId>,
    /// The task, for a subagent's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subagent_task: Option<String>,
    /// Whether nothing of the session is to stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) temporary: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HeaderTag {
    Session,
}

impl Header {
    /// The header of a new session.
    pub(crate) fn new(id: SessionId, at: Millis, cwd: impl Into<String>) -> Self {
        Self {
            r#type: HeaderTag::Session,
            version: VERSION,
            id,
            timestamp: at.to_rfc3339(),
            cwd: cwd.into(),
            parent_session: None,
            parent_session_id: None,
            subagent_task: None,
            temporary: false,
        }
    }

    /// The header's line without its line end.
    pub(crate) fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Body {
    /// A message of the conversation.
    Message {
        role: Role,
        parts: Vec<Part>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// The session uses another model from here on.
    ModelChange { provider: String, model_id: String },
    /// What happened on a branch that was left.
    BranchSummary {
        #[serde(default)]
        from_id: String,
        #[serde(default)]
        summary: String,
    },
    /// A bookmark of an entry.
    Label { target_id: EntryId, label: String },
    /// The session's name.
    SessionInfo { name: String },
    /// Data of an extension, or a note of ours.
    ExtensionData {
        ext_type: String,
        #[serde(default)]
        data: String,
    },
    /// Everything before `first_kept_entry_id` is replaced by the summary.
    Compaction {
        #[serde(default)]
        summary: String,
        #[serde(default)]
        first_kept_entry_id: String,
        #[serde(default)]
        tokens_before: u64,
        #[serde(default)]
        tokens_after: u64,
        #[serde(default)]
        messages_removed: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        read_files: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        modified_files: Vec<String>,
    },
    /// An entry of another type or shape; its line stays as it is.
    #[serde(other)]
    Unknown,
}

impl Body {
    /// A message of the conversation.
    pub(crate) fn message(role: Role, parts: Vec<Part>) -> Self {
        Self::Message { role, parts, model: None, provider: None }
    }

    /// Reads the body of a line that the index accepted.
    pub(crate) fn parse(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or(Self::Unknown)
    }

    /// The note that the body carries, if it is one of ours that this version knows.
    pub(crate) fn note(&self) -> Option<Note> {
        match self {
            Self::ExtensionData { ext_type, data } => Note::parse(ext_type, data),
            Self::Message { .. }
            | Self::ModelChange { .. }
            | Self::BranchSummary { .. }
            | Self::Label { .. }
            | Self::SessionInfo { .. }
            | Self::Compaction { .. }
            | Self::Unknown => None,
        }
    }
}

impl From<&Note> for Body {
    fn from(note: &Note) -> Self {
        let Ok(tagged) = serde_json::to_value(note) else { return Self::Unknown };
        let name = tagged.get("note").and_then(serde_json::Value::as_str).unwrap_or_default();
        let data = tagged.get("data").map(ToString::to_string).unwrap_or_default();
        Self::ExtensionData { ext_type: format!("{NOTE_PREFIX}{name}"), data }
    }
}

/// An entry that is about to be written. The field order is upstream's.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a EntryId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a EntryId>,
    timestamp: String,
    #[serde(flatten)]
    body: &'a Body,
}

/// An entry's line without its line end.
pub(crate) fn to_line(
    id: &EntryId,
    parent: Option<&EntryId>,
    at: Millis,
    body: &Body,
) -> serde_json::Result<String> {
    serde_json::to_string(&Line { id, parent_id: parent, timestamp: at.to_rfc3339(), body })
}

/// The time of an entry, read from its line.
pub(crate) fn time_of(line: &str) -> Option<Millis> {
    #[derive(Deserialize)]
    struct Timed<'a> {
        #[serde(borrow)]
        timestamp: &'a RawValue,
    }
    let timed: Timed<'_> = serde_json::from_str(line).ok()?;
    Millis::parse(timed.timestamp.get().trim_matches('"'))
}

/// What we keep beside upstream's entries. A note is one line, so it is read whole or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", content = "data", rename_all = "kebab-case")]
pub(crate) enum Note {
    /// A prompt was accepted but waits; its turn starts later.
    Prompt(PromptNote),
    /// A turn began; its user message follows.
    TurnStart(TurnStartNote),
    /// Waiting prompts joined the running turn; their user messages follow.
    Join(JoinNote),
    /// A model call was paid for.
    Usage(UsageNote),
    /// Facts about a tool result that upstream's message has no place for.
    Tool(ToolNote),
    /// A turn ended.
    TurnEnd(TurnEndNote),
    /// Mode or thinking level changed.
    Settings(SettingsNote),
    /// A prompt that waited to join its turn was taken back.
    TakenBack(TakenBackNote),
    /// Images and documents before this entry are no longer sent, because the context overflowed.
    MediaLeftOut(MediaLeftOutNote),
    /// The session works for another one from here on.
    Subagent(SubagentNote),
    /// How an extension shows a tool call.
    Display(DisplayNote),
    /// The agent's plan from here on.
    Plan(PlanNote),
    /// A subagent of the session began or ended a task.
    Agent(AgentNote),
    /// The model has these resources as they are now.
    Resources(ResourcesNote),
}

impl Note {
    /// The turn that ends here.
    pub(crate) fn ended(&self) -> Option<TurnId> {
        match self {
            Self::TurnEnd(end) => Some(end.turn.clone()),
            Self::Prompt(_)
            | Self::Join(_)
            | Self::Usage(_)
            | Self::Tool(_)
            | Self::TurnStart(_)
            | Self::Settings(_)
            | Self::TakenBack(_)
            | Self::MediaLeftOut(_)
            | Self::Subagent(_)
            | Self::Display(_)
            | Self::Plan(_)
            | Self::Agent(_)
            | Self::Resources(_) => None,
        }
    }

    /// The turn that begins here.
    pub(crate) fn begun(&self) -> Option<TurnId> {
        match self {
            Self::TurnStart(start) => Some(start.turn.clone()),
            Self::Prompt(_)
            | Self::Join(_)
            | Self::Usage(_)
            | Self::Tool(_)
            | Self::TurnEnd(_)
            | Self::Settings(_)
            | Self::TakenBack(_)
            | Self::MediaLeftOut(_)
            | Self::Subagent(_)
            | Self::Display(_)
            | Self::Plan(_)
            | Self::Agent(_)
            | Self::Resources(_) => None,
        }
    }

    /// Reads a note from an `extension_data` entry.
    pub(crate) fn parse(ext_type: &str, data: &str) -> Option<Self> {
        match ext_type.strip_prefix(NOTE_PREFIX)? {
            "prompt" => serde_json::from_str(data).map(Self::Prompt).ok(),
            "join" => serde_json::from_str(data).map(Self::Join).ok(),
            "turn-start" => serde_json::from_str(data).map(Self::TurnStart).ok(),
            "usage" => serde_json::from_str(data).map(Self::Usage).ok(),
            "tool" => serde_json::from_str(data).map(Self::Tool).ok(),
            "turn-end" => serde_json::from_str(data).map(Self::TurnEnd).ok(),
            "settings" => serde_json::from_str(data).map(Self::Settings).ok(),
            "taken-back" => serde_json::from_str(data).map(Self::TakenBack).ok(),
            "media-left-out" => serde_json::from_str(data).map(Self::MediaLeftOut).ok(),
            "subagent" => serde_json::from_str(data).map(Self::Subagent).ok(),
            "display" => serde_json::from_str(data).map(Self::Display).ok(),
            "plan" => serde_json::from_str(data).map(Self::Plan).ok(),
            "agent" => serde_json::from_str(data).map(Self::Agent).ok(),
            "resources" => serde_json::from_str(data).map(Self::Resources).ok(),
            _ => None,
        }
    }
}

/// `kit-ls/prompt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromptNote {
    /// The turn that it was promised: its own, or the running one that it joins.
    pub(crate) turn: TurnId,
    /// The user message as it was composed when the prompt was accepted.
    pub(crate) parts: Vec<Part>,
    /// What it refers to, which is fetched within its turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<Reference>,
    /// Whether it joins the running turn.
    #[serde(default)]
    pub(crate) steer: bool,
    /// The id by which a prompt that joins is taken back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
}

/// `kit-ls/taken-back`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TakenBackNote {
    /// The id of the prompt's note.
    pub(crate) id: String,
}

/// `kit-ls/media-left-out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MediaLeftOutNote {}

/// `kit-ls/turn-start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnStartNote {
    /// The turn.
    pub(crate) turn: TurnId,
    /// The prompt as the user wrote it.
    pub(crate) prompt: String,
    /// How many messages of extensions come before the user's.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) injected: usize,
    /// What the prompt refers to; what that was follows the user's message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<Reference>,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// `kit-ls/join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinNote {
    /// The turn.
    pub(crate) turn: TurnId,
    /// How many of the prompts that wait to join it did.
    pub(crate) prompts: usize,
}

/// `kit-ls/usage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageNote {
    /// The turn; absent for a call beside the conversation, which says nothing about its context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turn: Option<TurnId>,
    /// The subagent that made the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<AgentRef>,
    /// The call's usage.
    pub(crate) usage: Usage,
}

/// `kit-ls/subagent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubagentNote {
    /// The named agent that it runs as.
    pub(crate) agent: String,
    /// What is added to its instructions.
    pub(crate) instructions: String,
    /// All tools that it may use.
    pub(crate) tools: BTreeSet<String>,
    /// Its sampling temperature, where it is another than that of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f64>,
}

/// `kit-ls/tool`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolNote {
    /// The turn.
    pub(crate) turn: TurnId,
    /// The call.
    pub(crate) tool_call_id: ToolCallId,
    /// What the tool does.
    pub(crate) tool_kind: ToolKind,
    /// One line for people.
    pub(crate) title: String,
    /// Facts that are not for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<ToolMetadata>,
}

/// `kit-ls/display`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DisplayNote {
    /// The turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turn: Option<TurnId>,
    /// What is shown.
    pub(crate) display: ToolDisplay,
}

/// `kit-ls/plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanNote {
    /// The turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turn: Option<TurnId>,
    /// All steps.
    pub(crate) entries: Vec<PlanEntry>,
}

/// `kit-ls/agent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgentNote {
    /// The subagent, whose id is that of its session.
    pub(crate) agent: AgentRef,
    /// The subagent's own turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turn: Option<TurnId>,
    /// `turn_start` or `turn_end`, as the parent's stream has it.
    pub(crate) event: EventBody,
}

/// `kit-ls/resources`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourcesNote {
    /// The resources that the message before holds.
    pub(crate) read: Vec<ReadResource>,
}

/// A resource that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadResource {
    /// Its scheme and name.
    pub(crate) name: String,
    /// What it held.
    pub(crate) fingerprint: Fingerprint,
}

/// `kit-ls/turn-end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnEndNote {
    /// The turn.
    pub(crate) turn: TurnId,
    /// The final answer.
    pub(crate) response: String,
    /// Why it ended.
    pub(crate) stop_reason: StopReason,
    /// The error's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error_kind: Option<ErrorKind>,
    /// The error's sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The tools of all results in order.
    #[serde(default)]
    pub(crate) tool_names: Vec<String>,
    /// The number of model calls.
    #[serde(default)]
    pub(crate) llm_call_count: u64,
    /// The sum over the turn's model calls.
    #[serde(default)]
    pub(crate) usage: UsageTotals,
    /// Wall-clock time.
    #[serde(default)]
    pub(crate) duration_ms: u64,
}

/// `kit-ls/settings`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsNote {
    /// The mode from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<Mode>,
    /// The thinking level from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thinking: Option<ThinkingLevel>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_tools::mcp::McpContent;

    use crate::reference::CommandReference;
    use serde_json::json;

    #[test]
    fn an_entry_is_one_line_in_the_shape_of_upstream() {
        let body =
            Body::message(Role::User, vec![Part::Text(kit_protocol::TextPart { text: "a\nb".into() })]);
        let line = to_line(&"e2".into(), Some(&"e1".into()), Millis(0), &body).unwrap();
        let expected = json!({
            "id": "e2", "parent_id": "e1", "timestamp": "1970-01-01T00:00:00.000Z",
            "type": "message", "role": "user", "parts": [{"type": "text", "data": {"text": "a\nb"}}],
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), expected);
        assert!(!line.contains('\n'));
        assert_eq!((Body::parse(&line), time_of(&line)), (body, Some(Millis(0))));
    }

    #[test]
    fn a_note_is_extension_data_with_json_text() {
        let note = Note::TurnStart(TurnStartNote {
            turn: "t1".into(),
            prompt: "go".into(),
            injected: 0,
            references: vec![],
        });
        let body = Body::from(&note);
        let expected = Body::ExtensionData {
            ext_type: "kit-ls/turn-start".into(),
            data: r#"{"turn":"t1","prompt":"go"}"#.into(),
        };
        assert_eq!((&body, body.note()), (&expected, Some(note)));
    }

    #[test]
    fn every_note_returns_from_its_entry() {
        let notes = [
            Note::Prompt(PromptNote {
                turn: "t".into(),
                parts: vec![Part::Text(kit_protocol::TextPart { text: "x".into() })],
                references: vec![
                    Reference::Resource("mcp:a:b".into()),
                    Reference::Command(CommandReference {
                        name: "mcp:a:c".into(),
                        words: vec!["x".into()],
                        line: "x".into(),
                    }),
                ],
                steer: true,
                id: "p".into(),
            }),
            Note::TakenBack(TakenBackNote { id: "p".into() }),
            Note::MediaLeftOut(MediaLeftOutNote {}),
            Note::Resources(ResourcesNote {
                read: vec![ReadResource {
                    name: "mcp:a:b".into(),
                    fingerprint: Fingerprint::of(&McpContent::default()),
                }],
            }),
            Note::Settings(SettingsNote { mode: Some(Mode::Plan), thinking: None }),
            Note::Tool(ToolNote {
                turn: "t".into(),
                tool_call_id: "c".into(),
                tool_kind: ToolKind::Edit,
                title: "edit a".into(),
                metadata: Some(ToolMetadata::default()),
            }),
            Note::Display(DisplayNote {
                turn: Some("t".into()),
                display: ToolDisplay::new("c".into(), "bash".into()),
            }),
            Note::Agent(AgentNote {
                agent: AgentRef { tool_call_id: Some("c".into()), ..AgentRef::main() },
                turn: Some("u".into()),
                event: EventBody::TurnStart { prompt: "look".into() },
            }),
            Note::Plan(PlanNote {
                turn: None,
                entries: vec![PlanEntry {
                    content: "look".into(),
                    status: kit_protocol::PlanStatus::InProgress,
                    priority: Some(kit_protocol::PlanPriority::Low),
                }],
            }),
            Note::TurnEnd(TurnEndNote {
                turn: "t".into(),
                response: String::new(),
                stop_reason: StopReason::Cancelled,
                error_kind: None,
                error: None,
                tool_names: vec!["read".into()],
                llm_call_count: 2,
                usage: UsageTotals::default(),
                duration_ms: 5,
            }),
        ];
        for note in notes {
            assert_eq!(Body::from(&note).note(), Some(note));
        }
        let left_out = Body::from(&Note::MediaLeftOut(MediaLeftOutNote {}));
        let line = |body| to_line(&"e".into(), None, Millis(0), body).unwrap();
        assert!(line(&left_out).contains(MEDIA_LEFT_OUT));
        let quoted = Body::ExtensionData { ext_type: "x".into(), data: line(&left_out) };
        assert!(!line(&quoted).contains(MEDIA_LEFT_OUT));
    }

    #[test]
    fn foreign_types_and_shapes_are_unknown() {
        for line in
            [r#"{"type":"hologram","id":"a"}"#, r#"{"type":"message","id":"a","role":"ghost","parts":[]}"#]
        {
            assert_eq!(Body::parse(line), Body::Unknown, "{line}");
        }
        assert_eq!(Note::parse("kit-ls/future", "{}"), None);
        assert_eq!(Note::parse("plan-mode:state", "{}"), None);
    }
}
