//! Input and output of `invoke`: the tools, commands and renderers of an extension.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FilePart, SessionContext};

/// Input of kind `tool`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolInvocation {
    /// The call, for `tool.progress` and `tool.cancelled`.
    pub tool_call_id: String,
    /// The arguments.
    pub arguments: Value,
    /// The arguments as the model wrote them.
    pub input: String,
    /// Where it runs.
    pub context: SessionContext,
}

/// Output of kind `tool`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolAnswer {
    /// What the model reads.
    pub content: String,
    /// Images, PDFs and sounds that models see as well, as far as they take them. The text behind `content` names each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FilePart>,
    /// Whether the call failed.
    #[serde(default)]
    pub is_error: bool,
}

impl From<String> for ToolAnswer {
    fn from(content: String) -> Self {
        Self { content, ..Self::default() }
    }
}

/// Input of kind `command`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandInvocation {
    /// What the user wrote after the name.
    pub args: String,
    /// Where it runs.
    pub context: SessionContext,
}

/// Output of kinds `command` and `shortcut`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandAnswer {
    /// What is shown to the user; nothing where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// Input of kind `complete`; the output is a list of candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompleteInvocation {
    /// The beginning of the argument.
    pub prefix: String,
    /// Where it runs.
    pub context: SessionContext,
}

/// Input of kind `shortcut`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShortcutInvocation {
    /// Where it runs.
    pub context: SessionContext,
}

/// Input of kind `render_tool`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderToolInvocation {
    /// The arguments as JSON text.
    pub tool_args: String,
    /// The result; absent while the tool runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Whether the call failed.
    #[serde(default)]
    pub is_error: bool,
    /// Columns to fill; 0 where they are not known.
    pub width: u32,
    /// Where it runs.
    pub context: SessionContext,
}

/// Output of kind `render_tool`; empty parts are shown as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderToolAnswer {
    /// The header.
    #[serde(default)]
    pub header: String,
    /// The body.
    #[serde(default)]
    pub body: String,
}

/// Input of kind `render_message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderMessageInvocation {
    /// What is to be shown.
    pub content: String,
    /// Columns to fill; 0 where they are not known.
    pub width: u32,
    /// Where it runs.
    pub context: SessionContext,
}

/// Input of kind `render_widget`; the name is the widget's id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderWidgetInvocation {
    /// Columns to fill; 0 where they are not known.
    pub width: u32,
    /// Where it runs.
    pub context: SessionContext,
}

/// Output of kinds `render_message` and `render_widget`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderAnswer {
    /// What is shown; empty hides a widget.
    pub text: String,
}
