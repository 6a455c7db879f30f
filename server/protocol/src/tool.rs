//! What clients learn about tools: kinds, diffs and metadata of results.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ImagePart, SessionId};

/// What a tool does, for icons and permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolKind {
    /// Reads files or directories.
    Read,
    /// Changes files.
    Edit,
    /// Searches.
    Search,
    /// Runs processes.
    Execute,
    /// Runs another agent.
    Agent,
    /// Anything else.
    Other,
}

/// A half-open, zero-based range of lines, `[start, end)` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
#[schemars(with = "(u32, u32)")]
pub struct LineSpan {
    /// First line.
    pub start: u32,
    /// The line after the last.
    pub end: u32,
}

impl From<(u32, u32)> for LineSpan {
    fn from((start, end): (u32, u32)) -> Self {
        Self { start, end }
    }
}

impl From<LineSpan> for (u32, u32) {
    fn from(span: LineSpan) -> Self {
        (span.start, span.end)
    }
}

/// One changed region of a file: `oldText` is the text that was really there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffBlock {
    /// The text before.
    pub old_text: String,
    /// The text after.
    pub new_text: String,
    /// Its lines before.
    pub old_range: LineSpan,
    /// Its lines after.
    pub new_range: LineSpan,
}

/// What a tool call did to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileDiff {
    /// The file as a URI.
    pub uri: String,
    /// The file as a path, relative to its root where it lies in one.
    pub path: String,
    /// Lines added.
    pub additions: u32,
    /// Lines deleted.
    pub deletions: u32,
    /// Whether the call created the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_new: bool,
    /// Whether the text was found by loose matching.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fuzzy: bool,
    /// The changed regions.
    pub diff_blocks: Vec<DiffBlock>,
}

/// Facts about a tool result that are not for the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolMetadata {
    /// Files that the call changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_diffs: Vec<FileDiff>,
    /// The session of the subagent that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent_session: Option<SessionId>,
    /// Images, documents and sounds of the result, which the model gets beside its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<MediaFacts>,
    /// Why the call was not allowed to run; absent when it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Denial>,
}

/// What a medium of a result is. Its bytes are in the session file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaFacts {
    /// Its media type, such as `image/png`.
    pub media_type: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl From<&ImagePart> for MediaFacts {
    fn from(medium: &ImagePart) -> Self {
        Self { media_type: medium.media_type.clone(), bytes: medium.byte_count() }
    }
}

/// Who or what kept a tool call from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// A rule or the mode forbids it.
    DeniedByRules,
    /// An extension stopped it.
    DeniedByExtension,
    /// The user was asked and refused.
    DeniedInteractivelyByUser,
    /// It needs an answer, and nobody could be asked or the question was withdrawn.
    DeniedNoApprovalRuleAndCouldNotRequestFromUser,
}
