//! Commands that a user runs by name (`kit.command.list`, `kit.command.run`), and what completes a prompt while it is
//! written (`kit.prompt.complete`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ContextItem, Delivery, Mode, ModelId, SessionId, ThinkingLevel, TurnId, WirePosition, WireRange,
};

/// Where a named command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CommandKind {
    /// A file of prompts.
    Template,
    /// A skill, named `skill:NAME`.
    Skill,
    /// An extension.
    Extension,
    /// A prompt of an MCP server.
    Mcp,
}

/// Argument of `kit.command.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandListArguments {
    /// The session whose folder counts; the current one otherwise, or the first root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.command.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandListAnswer {
    /// The commands, sorted by name.
    pub commands: Vec<NamedCommand>,
    /// Files that were left out, and why.
    #[serde(default)]
    pub problems: Vec<FileProblem>,
    /// What of the project is not loaded because its root is not trusted.
    #[serde(default)]
    pub withheld: Vec<String>,
}

/// One command that can be run by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedCommand {
    /// Its name, without a slash.
    pub name: String,
    /// Where it comes from.
    pub kind: CommandKind,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What to write behind the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// How many arguments it needs.
    #[serde(default, skip_serializing_if = "is_none_needed")]
    pub required: u32,
    /// Its file, or the extension or server that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

fn is_none_needed(required: &u32) -> bool {
    *required == 0
}

/// Something wrong with one file of the project or the user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileProblem {
    /// The file.
    pub path: String,
    /// The line, from 0.
    pub line: u32,
    /// One sentence.
    pub message: String,
}

/// What stands behind the name of a command: the line as typed, its words, or values by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CommandInput {
    /// As typed; quotes and backslashes are understood.
    Line(String),
    /// Word by word.
    Words(Vec<String>),
    /// Values for `{{name}}`.
    Named(BTreeMap<String, String>),
}

/// Argument of `kit.command.run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandRunArguments {
    /// The command.
    pub name: String,
    /// What stands behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<CommandInput>,
    /// Documents and selections that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<ContextItem>,
    /// Files to attach, as URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    /// The session; the current one otherwise, or a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
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

/// Answer of `kit.command.run`: that of a prompt, or what the command says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandRunAnswer {
    /// The session of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The turn of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// Whether the prompt waits for a running turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<bool>,
    /// What a command says that is no prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// Argument of `kit.prompt.complete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompleteArguments {
    /// The prompt as it is now.
    pub text: String,
    /// Where the cursor stands in it; its end otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<WirePosition>,
    /// The session whose folder counts; the current one otherwise, or the first root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.prompt.complete`, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompleteAnswer {
    /// What fits.
    pub items: Vec<PromptCompletion>,
    /// Whether typing on may bring others.
    pub is_incomplete: bool,
}

/// What a completion stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CompletionKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// `@selection`, `@diagnostics`, `@diff` or `@open`.
    Context,
    /// A command, skill or template.
    Command,
    /// An argument of a command.
    Argument,
    /// A resource of an MCP server.
    Resource,
}

/// One completion of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptCompletion {
    /// What is shown.
    pub label: String,
    /// What it stands for.
    pub kind: CompletionKind,
    /// A word beside the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The text that replaces `range`.
    pub insert_text: String,
    /// The part of the prompt that is replaced.
    pub range: WireRange,
}
