//! Arguments and answers of the commands about prompts that wait, and of labels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Delivery, EntryId, SessionId, TurnId};

/// Argument of `kit.queue.list` and `kit.queue.clear`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueArguments {
    /// The session; the current one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Argument of `kit.queue.remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueRemoveArguments {
    /// The session; the current one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The prompt's id in the list.
    pub id: String,
}

/// A prompt that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// Its id, to remove it.
    pub id: String,
    /// The turn that it will begin, or the running one that it joins.
    pub turn: TurnId,
    /// Whether it begins a turn of its own or joins the running one.
    pub delivery: Delivery,
    /// What the user wrote.
    pub text: String,
}

/// Answer of the commands about the queue: what waits now, in the order in which the model will read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueAnswer {
    /// The prompts.
    pub items: Vec<QueueItem>,
}

/// Argument of `kit.session.label`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelArguments {
    /// The session; the current one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The entry that gets the label.
    pub entry: EntryId,
    /// The label; an empty one takes it away.
    pub label: String,
}
