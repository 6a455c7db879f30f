//! `kit/ui`: what extensions show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether something appears or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UiOp {
    /// It appears, or replaces what has its id.
    Set,
    /// It goes.
    Remove,
}

/// Where something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UiSlot {
    /// A widget beside the prompt, until it is removed.
    Widget,
    /// The header, until it is removed.
    Header,
    /// The footer, until it is removed.
    Footer,
    /// An entry of the status line, until it is removed.
    Status,
    /// A line of text, once.
    Print,
    /// A framed block, once.
    Block,
    /// The text of the prompt, once.
    Prompt,
}

/// Something that an extension shows or takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UiUpdate {
    /// Whether it appears or goes.
    pub op: UiOp,
    /// Where.
    pub slot: UiSlot,
    /// Its id within the extension and slot.
    pub id: String,
    /// The extension.
    pub extension: String,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the text is Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<bool>,
    /// Lower ones come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// How it looks: `kind` (`info`, `error`), `borderColor`, `background`, `border`, `placement`, `subtitle`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub style: BTreeMap<String, String>,
}
