//! `kit/review`: the agent's changes that wait for the user, whole per file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentId, HunkId, LineSpan, SessionId, ToolCallId, TurnId};

/// The whole review state. Files without hunks are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewState {
    /// Grows with every change of the state.
    pub revision: u64,
    /// Totals.
    pub summary: ReviewSummary,
    /// Files with hunks, ordered by URI.
    pub files: Vec<ReviewedFile>,
}

/// Totals of a review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewSummary {
    /// Files with hunks.
    pub files: u32,
    /// Hunks.
    pub hunks: u32,
    /// Lines added.
    pub additions: u32,
    /// Lines deleted.
    pub deletions: u32,
}

/// What happened to a file since it was last reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileStatus {
    /// Its text changed.
    Modified,
    /// The agent created it.
    Created,
    /// The agent deleted it.
    Deleted,
    /// The agent renamed it.
    Renamed,
}

/// One file under review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewedFile {
    /// The file.
    pub uri: String,
    /// What happened to it.
    pub status: FileStatus,
    /// The document version that the hunks were computed on, for open files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// Whether the file is too large or not text, and so has one hunk for all of it, without texts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_file: bool,
    /// Lines added.
    pub additions: u32,
    /// Lines deleted.
    pub deletions: u32,
    /// Hunks in the order of the text.
    pub hunks: Vec<ReviewHunk>,
}

/// What a hunk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HunkKind {
    /// Lines were added.
    Add,
    /// Lines were deleted.
    Delete,
    /// Lines were replaced.
    Change,
}

/// One hunk under review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewHunk {
    /// Stable until the hunk's content changes.
    pub id: HunkId,
    /// What it does.
    pub kind: HunkKind,
    /// Its lines in the baseline.
    pub base_lines: LineSpan,
    /// Its lines in the live text.
    pub lines: LineSpan,
    /// The baseline's text.
    pub old_text: String,
    /// The live text.
    pub new_text: String,
    /// Whether the user typed inside it.
    pub mixed: bool,
    /// The last turn that wrote it.
    pub turn: TurnId,
    /// The agent that wrote it.
    pub agent: AgentId,
    /// The tool call that wrote it.
    pub tool_call_id: ToolCallId,
    /// One line for people: what the tool call did.
    pub title: String,
}

/// Why a hunk could not be kept or undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewConflict {
    /// The hunk.
    pub id: HunkId,
    /// One sentence.
    pub why: String,
}

/// Whose work a change of the agent is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The agent.
    pub agent: AgentId,
    /// The tool call.
    pub tool_call_id: ToolCallId,
    /// One line for people: what the tool call did.
    pub title: String,
}
