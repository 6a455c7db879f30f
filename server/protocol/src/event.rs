//! The typed event stream of a session: `kit/event`, JSON lines and transcripts carry the same shape.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AgentId, ErrorKind, ImagePart, PlanEntry, SessionId, StatusPlan, StopReason, ThinkingLevel, ToolCallId,
    ToolKind, ToolMetadata, TurnId, Usage, UsageTotals,
};

/// One event. `seq` starts at 1 and has no gaps within a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The session whose stream this belongs to.
    pub session: SessionId,
    /// The turn, for everything that belongs to one. What a subagent does belongs to the turn that waits for it; its
    /// `turn_start` and `turn_end`, and everything of one that no turn waits for, name the subagent's own turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// Position in the session's stream.
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The subagent that it comes from; absent for the session's own agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRef>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// A subagent as events name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentRef {
    /// The agent's id, which is also the id of its session.
    pub id: AgentId,
    /// The named agent that it runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The names from the session's own agent down to this one.
    pub path: Vec<String>,
    /// The tool call that started it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<ToolCallId>,
}

impl AgentRef {
    /// The session's own agent.
    pub fn main() -> Self {
        Self { id: AgentId::main(), name: None, path: Vec::new(), tool_call_id: None }
    }
}

/// How an extension shows a tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolDisplay {
    /// The call.
    pub tool_call_id: ToolCallId,
    /// The tool.
    pub tool_name: String,
    /// The tool's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One line in the place of the call's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What is shown in the place of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether the body is Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<bool>,
    /// Color of the border, where a client draws one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub border_color: Option<String>,
    /// Color of the background, where a client draws one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
}

impl ToolDisplay {
    /// A call that is shown as usual.
    pub fn new(tool_call_id: ToolCallId, tool_name: String) -> Self {
        Self {
            tool_call_id,
            tool_name,
            name: None,
            header: None,
            body: None,
            markdown: None,
            border_color: None,
            background: None,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum EventBody {
    /// A turn began.
    TurnStart {
        /// The prompt as the user wrote it.
        prompt: String,
    },
    /// What the user said while the turn runs is in the conversation: the next call of the model has it.
    SteerConsumed {
        /// What was said, as the user wrote it.
        prompt: String,
    },
    /// The model began an answer.
    MessageStart {},
    /// More text of the answer.
    MessageUpdate {
        /// The text to append.
        chunk: String,
    },
    /// The answer's text is complete.
    MessageEnd {
        /// The whole text of this answer.
        content: String,
    },
    /// More reasoning.
    ReasoningDelta {
        /// The text to append.
        delta: String,
    },
    /// The model called a tool; its arguments are complete.
    ToolCall {
        /// The call.
        tool_call_id: ToolCallId,
        /// The tool.
        tool_name: String,
        /// What it does.
        tool_kind: ToolKind,
        /// The arguments as JSON text.
        tool_args: String,
        /// The arguments parsed, where they parse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parsed_args: Option<Value>,
        /// One line for people.
        title: String,
    },
    /// The tool starts to run.
    ToolExecutionStart {
        /// The call.
        tool_call_id: ToolCallId,
        /// The tool.
        tool_name: String,
        /// What it does.
        tool_kind: ToolKind,
    },
    /// Output of a running tool.
    ToolOutput {
        /// The call.
        tool_call_id: ToolCallId,
        /// The tool.
        tool_name: String,
        /// The text to append.
        chunk: String,
        /// Whether it came from standard error.
        is_stderr: bool,
    },
    /// The tool no longer runs.
    ToolExecutionEnd {
        /// The call.
        tool_call_id: ToolCallId,
        /// The tool.
        tool_name: String,
        /// What it does.
        tool_kind: ToolKind,
    },
    /// The tool call's only outcome.
    ToolResult {
        /// The call.
        tool_call_id: ToolCallId,
        /// The tool.
        tool_name: String,
        /// What it does.
        tool_kind: ToolKind,
        /// The arguments as JSON text.
        tool_args: String,
        /// The arguments parsed, where they parse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parsed_args: Option<Value>,
        /// What the model reads.
        result: String,
        /// Whether the call failed.
        is_error: bool,
        /// Facts that are not for the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<ToolMetadata>,
        /// What the model gets beside the text. It stays within the process: clients read in the metadata what there is.
        #[serde(skip)]
        media: Arc<[ImagePart]>,
    },
    /// How an extension shows a tool call: its header after `tool_call`, its body after `tool_result`. A part that is
    /// absent stays as it was.
    ToolDisplay(ToolDisplay),
    /// The plan of the agent's work from here on; it takes the place of the one before, and one without entries of none.
    Plan {
        /// The steps in order.
        entries: Vec<PlanEntry>,
    },
    /// The text that accompanied tool calls.
    ToolCallContent {
        /// The whole text.
        content: String,
    },
    /// Usage of one model call.
    StepUsage(Usage),
    /// The turn's final answer.
    Response {
        /// The whole text.
        content: String,
    },
    /// Older messages were replaced by a summary.
    Compaction {
        /// The summary.
        summary: String,
        /// Tokens before.
        original_tokens: u64,
        /// Tokens after.
        compacted_tokens: u64,
        /// How many messages were replaced.
        messages_removed: u64,
        /// Files that the replaced messages read.
        read_files: Vec<String>,
        /// Files that the replaced messages changed.
        modified_files: Vec<String>,
    },
    /// A model call failed and will be repeated.
    Retry {
        /// The coming attempt, counted from 1 for the first repetition.
        attempt: u32,
        /// How long until then.
        after_ms: u64,
        /// One sentence.
        reason: String,
    },
    /// Text and tool calls shown since the last `message_start` are void; the answer starts again.
    StreamReset {},
    /// How many prompts wait.
    Queue {
        /// The number of waiting prompts.
        length: usize,
    },
    /// Something that the user should know and that is no failure.
    Notice {
        /// One sentence for the user.
        message: String,
    },
    /// Something failed.
    Error {
        /// The kind.
        kind: ErrorKind,
        /// One sentence that names the mend.
        message: String,
    },
    /// The session uses another model from now on.
    ModelChange {
        /// The new model.
        model: String,
        /// The one before.
        previous: String,
        /// Who changed it: `user`, `extension`, `settings` or `fallback`.
        source: String,
    },
    /// The model reasons more or less than before, or than was asked for.
    ThinkingChange {
        /// The level from now on.
        level: ThinkingLevel,
        /// The one before, or the one that was asked for.
        previous: ThinkingLevel,
        /// Who changed it: `user`, `extension`, `settings` or `model_fallback`, when the model lacks the level that was asked for.
        source: String,
    },
    /// The turn is over.
    TurnEnd {
        /// The final answer, empty after an error.
        response: String,
        /// Why it ended.
        stop_reason: StopReason,
        /// The error's sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// Number of tool calls that got a result.
        tool_call_count: u64,
        /// Their tools in order, repetitions kept.
        tool_names: Vec<String>,
        /// Number of model calls.
        llm_call_count: u64,
        /// Sum over the turn's model calls.
        usage: UsageTotals,
        /// Wall-clock time from start to end.
        duration_ms: u64,
    },
}

/// What a delta is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaOf<'a> {
    /// The answer.
    Text,
    /// The reasoning.
    Reasoning,
    /// What a tool call writes, to stderr or else to stdout.
    Output(&'a ToolCallId, bool),
}

/// What an event says to people in a sentence, beside the texts of prompts, answers and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark<'a> {
    /// Something failed.
    Failure(&'a str),
    /// Something takes longer.
    Delay(String),
    /// Something to know.
    Note(Cow<'a, str>),
}

impl EventBody {
    /// The sentence that this says by itself.
    pub fn remark(&self) -> Option<Remark<'_>> {
        match self {
            Self::Error { message, .. } => Some(Remark::Failure(message)),
            Self::Retry { attempt, after_ms, reason } => {
                let seconds = after_ms.div_ceil(1000);
                Some(Remark::Delay(format!("{reason}; attempt {attempt} follows in {seconds} s")))
            }
            Self::Notice { message } => Some(Remark::Note(Cow::Borrowed(message))),
            Self::Compaction { original_tokens, compacted_tokens, .. } => {
                let text = format!("compacted from {original_tokens} to {compacted_tokens} tokens");
                Some(Remark::Note(Cow::Owned(text)))
            }
            Self::Plan { entries } => {
                let StatusPlan { completed, total, current } = StatusPlan::of(entries)?;
                let current = current.map(|step| format!(": {step}")).unwrap_or_default();
                Some(Remark::Note(Cow::Owned(format!("plan {completed}/{total}{current}"))))
            }
            Self::TurnStart { .. }
            | Self::SteerConsumed { .. }
            | Self::MessageStart {}
            | Self::MessageUpdate { .. }
            | Self::MessageEnd { .. }
            | Self::ReasoningDelta { .. }
            | Self::ToolCall { .. }
            | Self::ToolExecutionStart { .. }
            | Self::ToolOutput { .. }
            | Self::ToolExecutionEnd { .. }
            | Self::ToolResult { .. }
            | Self::ToolDisplay(_)
            | Self::ToolCallContent { .. }
            | Self::StepUsage(_)
            | Self::Response { .. }
            | Self::StreamReset {}
            | Self::Queue { .. }
            | Self::ModelChange { .. }
            | Self::ThinkingChange { .. }
            | Self::TurnEnd { .. } => None,
        }
    }

    /// What this is a piece of, if it is a piece of a text that a later event tells as a whole. Pieces of the same text
    /// may be joined, and left out where too much waits.
    pub fn delta(&self) -> Option<DeltaOf<'_>> {
        match self {
            Self::MessageUpdate { .. } => Some(DeltaOf::Text),
            Self::ReasoningDelta { .. } => Some(DeltaOf::Reasoning),
            Self::ToolOutput { tool_call_id, is_stderr, .. } => {
                Some(DeltaOf::Output(tool_call_id, *is_stderr))
            }
            Self::TurnStart { .. }
            | Self::SteerConsumed { .. }
            | Self::MessageStart {}
            | Self::MessageEnd { .. }
            | Self::ToolCall { .. }
            | Self::ToolExecutionStart { .. }
            | Self::ToolExecutionEnd { .. }
            | Self::ToolResult { .. }
            | Self::ToolDisplay(_)
            | Self::Plan { .. }
            | Self::ToolCallContent { .. }
            | Self::StepUsage(_)
            | Self::Response { .. }
            | Self::Compaction { .. }
            | Self::Retry { .. }
            | Self::StreamReset {}
            | Self::Queue { .. }
            | Self::Notice { .. }
            | Self::Error { .. }
            | Self::ModelChange { .. }
            | Self::ThinkingChange { .. }
            | Self::TurnEnd { .. } => None,
        }
    }

    /// The text of a delta.
    pub fn delta_text(&mut self) -> Option<&mut String> {
        if let Self::MessageUpdate { chunk } | Self::ToolOutput { chunk, .. } = self {
            return Some(chunk);
        }
        if let Self::ReasoningDelta { delta } = self { Some(delta) } else { None }
    }
}
