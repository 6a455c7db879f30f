//! Arguments and answers of the commands of `workspace/executeCommand`.
//!
//! Every argument type denies unknown fields, so that a typing error is an error and not a default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    CommandInfo, EntryId, Event, HunkId, Mode, ModelId, ModelInfo, ReviewConflict, Role, SessionId,
    ThinkingLevel, TurnId, Usage, UsageTotals,
};

/// How a prompt joins a running turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// It waits until the turn is over.
    #[default]
    Queue,
    /// It joins the turn before the next model call.
    Steer,
}

/// A position as LSP has it, in the negotiated encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WirePosition {
    /// Zero-based line.
    pub line: u32,
    /// Zero-based offset in the line.
    pub character: u32,
}

/// A range as LSP has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WireRange {
    /// Inclusive start.
    pub start: WirePosition,
    /// Exclusive end.
    pub end: WirePosition,
}

/// A piece of the user's context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContextItem {
    /// The document.
    pub uri: String,
    /// The selected part; the whole document otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<WireRange>,
    /// The version that the range is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
}

/// Argument of `kit.session.prompt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromptArguments {
    /// What the user says.
    pub text: String,
    /// The session; the current one otherwise, or a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Documents and selections that the prompt is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<ContextItem>,
    /// Files to attach, as URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    /// The mode for the session from this prompt on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The model for the session from this prompt on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// The thinking level for the session from this prompt on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingLevel>,
    /// What happens when a turn runs already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
}

impl PromptArguments {
    /// A prompt of a text alone, for the current session.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            session: None,
            context: Vec::new(),
            attachments: Vec::new(),
            mode: None,
            model: None,
            thinking: None,
            delivery: None,
        }
    }
}

/// Answer of `kit.session.prompt`, `kit.session.retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptAnswer {
    /// The session.
    pub session: SessionId,
    /// The turn that the prompt belongs to.
    pub turn: TurnId,
    /// Whether it waits for a running turn.
    pub queued: bool,
}

/// Argument of `kit.session.cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelArguments {
    /// Only this session's turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Only this turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
}

/// Answer of `kit.session.cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelAnswer {
    /// The turns that end now.
    pub cancelled: Vec<TurnId>,
}

/// Argument of the other session commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionArguments {
    /// The session; the current one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The entry, for fork and branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryId>,
    /// The name, for new and rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The file, for open and export; for new a file or folder, in whose root the session works, otherwise the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What a compaction or the summary of a branch should keep in mind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<String>,
    /// For `branch`: whether the entries that are left are summarized for the model on the new branch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub summarize: bool,
}

/// Answer of the other session commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionAnswer {
    /// The session that the command made, opened or changed.
    pub session: SessionId,
    /// Its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Answer of `kit.session.delete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionDeleteAnswer {
    /// The session.
    pub session: SessionId,
    /// All sessions that are gone: this one and its subagents.
    pub deleted: Vec<SessionId>,
}

/// Which sessions are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListScope {
    /// Those of this workspace root.
    #[default]
    Root,
    /// All of the user's.
    All,
}

/// Argument of `kit.session.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionListArguments {
    /// Which sessions.
    #[serde(default)]
    pub scope: ListScope,
}

/// Answer of `kit.session.list`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionListAnswer {
    /// The sessions.
    pub sessions: Vec<SessionSummary>,
}

/// One stored session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its file.
    pub path: String,
    /// The directory it works in.
    pub cwd: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it last changed, RFC 3339.
    pub modified: String,
    /// How many messages it holds.
    pub message_count: u64,
    /// The beginning of the first prompt.
    pub first_message: String,
    /// The session that it was forked or spawned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_session: Option<SessionId>,
    /// The task, for a subagent's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent_task: Option<String>,
    /// Whether a turn runs in it in this process.
    pub running: bool,
}

/// Argument of commands that name one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionOnly {
    /// The session.
    pub session: SessionId,
}

/// Answer of `kit.session.tree`, parents before children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionTreeAnswer {
    /// The entries.
    pub nodes: Vec<SessionNode>,
}

/// One entry of a session's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionNode {
    /// The entry.
    pub id: EntryId,
    /// The entry before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<EntryId>,
    /// The entry's type as the file has it.
    pub r#type: String,
    /// Who speaks, for messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its beginning.
    pub text: String,
    /// When, RFC 3339.
    pub at: String,
    /// Whether it lies on the current branch.
    pub current: bool,
    /// The label that it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The turn that it belongs to, for `kit.review.rewind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
}

/// Argument of `kit.session.transcript`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TranscriptArguments {
    /// The session.
    pub session: SessionId,
    /// The first `seq` that is wanted; all otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// Answer of `kit.session.transcript`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptAnswer {
    /// The events in order.
    pub events: Vec<Event>,
    /// The `seq` that the next event will have.
    pub next_seq: u64,
}

/// Argument of `kit.review.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReviewListArguments {
    /// Only this session's changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Only this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// Argument of `kit.review.keep` and `kit.review.undo`: exactly one way to choose hunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReviewArguments {
    /// These hunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<Vec<HunkId>>,
    /// All hunks of this file, or those that touch `lines`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Live lines of `uri`, `[start, end)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<(u32, u32)>,
    /// All hunks of this turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// All hunks of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// All hunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// The document version that the client drew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// What the user tells the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Answer of `kit.review.keep`, `kit.review.undo` and `kit.review.revert`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewAnswer {
    /// The hunks that were kept or undone.
    pub applied: Vec<HunkId>,
    /// The hunks that were not, and why.
    #[serde(default)]
    pub conflicts: Vec<ReviewConflict>,
    /// Of a step that was taken back: the files that changed for it, also where none of their hunks came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// What a rewind restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RewindMode {
    /// Files only.
    Files,
    /// The conversation only.
    Conversation,
    /// Both.
    Both,
}

/// Argument of `kit.review.rewind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RewindArguments {
    /// The session.
    pub session: SessionId,
    /// The turn to go back before.
    pub turn: TurnId,
    /// What is restored.
    pub mode: RewindMode,
    /// Whether only to tell what would happen.
    #[serde(default)]
    pub preview: bool,
}

/// Answer of `kit.review.rewind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RewindAnswer {
    /// Files that are, or would be, restored.
    pub restore: Vec<String>,
    /// Files that are not, and why.
    pub skip: Vec<RewindSkip>,
}

/// A file that a rewind leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RewindSkip {
    /// The file.
    pub uri: String,
    /// One sentence.
    pub why: String,
}

/// Argument of `kit.model.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelListArguments {
    /// Only this provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Answer of `kit.model.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelListAnswer {
    /// The models.
    pub models: Vec<ModelInfo>,
}

/// Argument of `kit.model.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelSetArguments {
    /// The model.
    pub model: ModelId,
    /// The session; the current one and new ones otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.model.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSetAnswer {
    /// The model in use.
    pub model: ModelId,
}

/// Argument of `kit.thinking.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThinkingSetArguments {
    /// The level.
    pub level: ThinkingLevel,
    /// The session; the current one and new ones otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.thinking.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThinkingSetAnswer {
    /// The level in use.
    pub level: ThinkingLevel,
}

/// Argument of `kit.mode.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModeSetArguments {
    /// The mode.
    pub mode: Mode,
    /// The session; the current one and new ones otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.mode.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModeSetAnswer {
    /// The mode in use.
    pub mode: Mode,
}

/// Argument of `kit.usage.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageArguments {
    /// The session; the current one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// How full the context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextUsage {
    /// Tokens in the context after the last call.
    pub used: u64,
    /// The context window; 0 when unknown.
    pub window: u64,
    /// Whether `used` is an estimate, because the provider did not count or the context changed since it did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// Answer of `kit.usage.get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageAnswer {
    /// The running or last turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<UsageTotals>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<UsageTotals>,
    /// Today, over all sessions of the user.
    pub today: UsageTotals,
    /// How full the context is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextUsage>,
    /// The session's model calls.
    pub calls: Vec<Usage>,
}

/// Argument and answer of `kit.trust.set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trust {
    /// The workspace root as a URI or path.
    pub root: String,
    /// Whether it is trusted.
    pub trusted: bool,
}

/// Answer of `kit.doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoctorAnswer {
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Argument of commands without any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// `capabilities.experimental.kit` of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCapabilities {
    /// The protocol's major version that the client speaks.
    pub version: u32,
    /// Understands `kit/event`.
    #[serde(default)]
    pub events: bool,
    /// Understands `kit/status`.
    #[serde(default)]
    pub status: bool,
    /// Understands `kit/review`.
    #[serde(default)]
    pub review: bool,
    /// Answers `kit/permission`.
    #[serde(default)]
    pub permission: bool,
    /// Answers `kit/ask`.
    #[serde(default)]
    pub ask: bool,
    /// Answers `kit/save`.
    #[serde(default)]
    pub save: bool,
    /// Answers `kit/diagnostics`.
    #[serde(default)]
    pub diagnostics: bool,
    /// Understands `kit/ui`.
    #[serde(default)]
    pub ui: bool,
}

/// `capabilities.experimental.kit` of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerCapabilities {
    /// The protocol's major version.
    pub version: u32,
    /// The server's own version.
    pub server_version: String,
    /// Its commands.
    pub commands: Vec<CommandInfo>,
}
