//! Requests from the server to the client: `kit/permission`, `kit/ask`, `kit/save`, `kit/diagnostics`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AgentRef, DiffBlock, QuestionId, SessionId, ToolCallId, ToolKind};

/// `kit/permission`: may this tool call run?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionRequest {
    /// The question.
    pub id: QuestionId,
    /// The session that asks.
    pub session: SessionId,
    /// The agent that asks.
    pub agent: AgentRef,
    /// The tool call that waits for the answer, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<ToolCallId>,
    /// One line for people.
    pub title: String,
    /// What the tool does.
    pub tool_kind: ToolKind,
    /// What it is about.
    pub subject: PermissionSubject,
    /// The possible answers.
    pub options: Vec<PermissionOption>,
    /// Why it asks: the rule or the risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a permission request is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionSubject {
    /// A shell command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The directory that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// A file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The change to the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff_blocks: Vec<DiffBlock>,
    /// The tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The tool's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
}

/// How an option decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PermissionOptionKind {
    /// This call may run.
    AllowOnce,
    /// This and calls like it may run.
    AllowAlways,
    /// This call must not run.
    RejectOnce,
    /// This and calls like it must not run.
    RejectAlways,
}

/// How far a remembered answer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PermissionScope {
    /// Until the session ends.
    Session,
    /// This workspace, for good.
    Project,
    /// All workspaces of the user, for good.
    User,
}

/// One possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionOption {
    /// Its id, to be answered.
    pub id: String,
    /// Its words; an always-option names the rule and the file that it is written to.
    pub label: String,
    /// How it decides.
    pub kind: PermissionOptionKind,
    /// How far it reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<PermissionScope>,
    /// The rule that it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// The answer to a permission request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionAnswer {
    /// The chosen option's id.
    pub option: String,
    /// What the user tells the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
}

/// What `kit/ask` wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AskKind {
    /// One of the options.
    Select,
    /// Any of the options.
    MultiSelect,
    /// Yes or no.
    Confirm,
    /// A line of text.
    Input,
    /// A text to read, with options as actions.
    Overlay,
}

/// `kit/ask`: a question to the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskRequest {
    /// The question.
    pub id: QuestionId,
    /// What is wanted.
    pub kind: AskKind,
    /// The words, Markdown.
    pub message: String,
    /// The options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The answer that is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// A hint inside an empty input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// Whether the input is hidden while it is typed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// A text of the message that the user needs elsewhere, such as the code of a login; clients offer to copy it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
}

/// `kit/withdraw`: a question or permission request that needs no answer any more. Its request is still to be answered,
/// with anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawal {
    /// The question.
    pub id: QuestionId,
}

/// The answer to `kit/ask`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskAnswer {
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// The option's index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Whether the user declined to answer.
    pub cancelled: bool,
}

/// `kit/save` and `kit/diagnostics`: the files that are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilesRequest {
    /// The files.
    pub uris: Vec<String>,
}

/// The answer to `kit/save`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaveAnswer {
    /// The files that were saved.
    pub saved: Vec<String>,
}

/// The answer to `kit/diagnostics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticsAnswer {
    /// Diagnostics per file.
    pub items: Vec<FileDiagnostics>,
}

/// Diagnostics of one file; each diagnostic has the shape of LSP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileDiagnostics {
    /// The file.
    pub uri: String,
    /// Its diagnostics as LSP has them.
    pub diagnostics: Vec<Value>,
}
