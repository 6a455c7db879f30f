//! Arguments and answers of `kit.extension.list`, `.reload`, `.grant` and `.shortcut`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SessionId;

/// Argument of `kit.extension.list` and `kit.extension.reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtensionArguments {
    /// The extension; all of them otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Argument of `kit.extension.grant`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtensionGrantArguments {
    /// The extension.
    pub name: String,
    /// What is granted: `true` for all that it asks for, `false` for nothing, or the permissions themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Value>,
}

/// Argument of `kit.extension.shortcut`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtensionShortcutArguments {
    /// The key as `kit.extension.list` names it.
    pub key: String,
    /// The session that it is pressed in; the current one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.extension.shortcut`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionShortcutAnswer {
    /// What the handler says to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A key that an extension wants to be bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionShortcut {
    /// The key: modifiers in the order `ctrl`, `alt`, `shift`, `meta`, then the key, in small letters and joined by `+`.
    pub key: String,
    /// One sentence about it.
    pub description: String,
}

/// Answer of the commands of extensions, in load order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionListAnswer {
    /// The extensions.
    pub extensions: Vec<ExtensionInfo>,
}

/// What an extension does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExtensionState {
    /// It runs.
    Running,
    /// It crashed too often and waits for another content.
    Disabled,
    /// It could not be loaded.
    Broken,
}

/// One extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionInfo {
    /// Its name.
    pub name: String,
    /// Its version, where it tells one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One sentence about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its main file.
    pub path: String,
    /// What it does.
    pub state: ExtensionState,
    /// The events that it handles.
    pub events: Vec<String>,
    /// Its tools.
    pub tools: Vec<String>,
    /// Its commands, without a slash.
    pub commands: Vec<String>,
    /// Its keys. Of several extensions with the same key the last has it.
    #[serde(default)]
    pub shortcuts: Vec<ExtensionShortcut>,
    /// What it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Value>,
    /// What the user granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Value>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
