//! `init`: what the host tells an extension, and what the extension registers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Permissions;

/// The argument of `init`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// The version of the contract; [`API_VERSION`](crate::API_VERSION).
    pub api: u32,
    /// The extension's name as the host knows it.
    pub name: String,
    /// Its file.
    pub path: String,
    /// The host methods that there are.
    pub methods: Vec<String>,
    /// The events that there are.
    pub events: Vec<String>,
    /// Values of options that were set, by name.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Where it runs.
    pub context: SessionContext,
    /// The JavaScript text, for the engine that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The name of the source in messages and stack traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// JavaScript modules that the source may import, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, String>,
    /// The module whose default export is called instead of the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
}

/// Where an extension is called from; every event payload and invocation carries one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// The session; empty where there is none yet.
    pub session_id: String,
    /// The session's folder.
    pub cwd: String,
    /// The session's model, `provider/name`.
    pub model: String,
    /// Whether a person can be asked.
    pub interactive: bool,
    /// What a command is about: the document that it was run in, with what is selected there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<ContextDocument>,
}

/// A document that a command is about, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextDocument {
    /// Its path, relative to the session's folder where it lies in there.
    pub path: String,
    /// The selected lines, from 0 and without the last; absent where nothing is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<[u32; 2]>,
    /// The selected text, the beginning of it where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The answer of `init`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// Its name; otherwise that of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One sentence about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it asks for; the manifest of a compiled extension comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// The events that it handles; others are never sent.
    #[serde(default)]
    pub events: Vec<Subscription>,
    /// Tools that models may call.
    #[serde(default)]
    pub tools: Vec<ToolDefinition>,
    /// Commands that people may run.
    #[serde(default)]
    pub commands: Vec<CommandDefinition>,
    /// Keys, where an editor can bind them.
    #[serde(default)]
    pub shortcuts: Vec<ShortcutDefinition>,
    /// Options that people may set.
    #[serde(default)]
    pub options: Vec<OptionDefinition>,
    /// Tools whose calls it shows in its own way.
    #[serde(default)]
    pub tool_renderers: Vec<ToolRenderer>,
    /// Renderers of messages, used by `renderMessage`.
    #[serde(default)]
    pub message_renderers: Vec<MessageRenderer>,
}

/// An event that an extension handles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The event's name; `custom:<name>` for events of extensions.
    pub name: String,
    /// What follows from a failure of the handler.
    #[serde(default)]
    pub on_error: OnError,
}

/// What follows from a failure of a handler, which includes a crash and a used-up limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The event goes on as if the handler had no opinion.
    #[default]
    Pass,
    /// What the event is about does not happen: for gates.
    Block,
}

/// A tool that models may call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolDefinition {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What the model reads about it.
    pub description: String,
    /// JSON schema of its arguments; a plain map of properties is taken as one.
    #[serde(default)]
    pub parameters: Value,
    /// What it does, for permissions: `read`, `search`, `edit`, `execute`, `agent` or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether calls may run beside other calls.
    #[serde(default)]
    pub parallel: bool,
}

/// A command that people may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandDefinition {
    /// Its name, with or without a leading slash.
    pub name: String,
    /// One sentence about it.
    pub description: String,
    /// Whether it completes its argument.
    #[serde(default)]
    pub completes: bool,
    /// Shows it as a code action as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_action: Option<CodeAction>,
}

/// A command as a code action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeAction {
    /// What the editor shows.
    pub title: String,
    /// The kind of code action, for example `refactor.rewrite`; `source` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A key, where an editor can bind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShortcutDefinition {
    /// The key, for example `ctrl+alt+p`.
    pub key: String,
    /// One sentence about it.
    pub description: String,
}

/// An option that people may set. A value set at run time comes first, then the environment variable
/// `KIT_OPT_<NAME>`, then the settings' `options.<name>`, then the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OptionDefinition {
    /// Its name.
    pub name: String,
    /// One sentence about it.
    #[serde(default)]
    pub description: String,
    /// Its value where none is set.
    #[serde(default)]
    pub default: String,
}

/// A tool whose calls the extension shows in its own way; the last that registers a tool wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolRenderer {
    /// The tool.
    pub tool_name: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Color of the border, where a client draws one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub border_color: Option<String>,
    /// Color of the background, where a client draws one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// Whether the body is Markdown.
    #[serde(default)]
    pub body_markdown: bool,
    /// Whether it renders the header.
    #[serde(default)]
    pub header: bool,
    /// Whether it renders the body.
    #[serde(default)]
    pub body: bool,
}

/// A named way to show a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageRenderer {
    /// Its name.
    pub name: String,
}
