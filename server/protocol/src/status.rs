//! `kit/status`: the whole state for a status line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentId, Mode, SessionId, StatusPlan, TurnId, UsageTotals};

/// What the agent does, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Nothing runs.
    #[default]
    Idle,
    /// A turn runs.
    Running,
    /// A turn waits for the user.
    Waiting,
    /// The last turn failed.
    Error,
    /// No usable login.
    SignedOut,
}

/// The whole state, sent at most five times a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What the agent does.
    pub state: RunState,
    /// One short phrase, such as `edit parser.rs`.
    pub label: String,
    /// The session that the label is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The running turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The model in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The permission mode.
    pub mode: Mode,
    /// Tokens and money.
    pub usage: StatusUsage,
    /// The review in numbers.
    pub review: StatusReview,
    /// What waits for the user.
    pub pending: StatusPending,
    /// The session's plan, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<StatusPlan>,
    /// Subagents that run or wait.
    pub agents: Vec<StatusAgent>,
}

/// Tokens and money of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusUsage {
    /// Tokens in the model's context after the last call.
    pub context_used: u64,
    /// Whether that is an estimate, because the provider did not count or the context changed since it did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub context_estimated: bool,
    /// The model's context window; 0 when unknown.
    pub context_window: u64,
    /// The running or last turn.
    pub turn: UsageTotals,
    /// The session.
    pub session: UsageTotals,
    /// Today, over all sessions of the user.
    pub today: UsageTotals,
    /// The budget that applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<StatusBudget>,
}

/// A budget and how much of it is used, in money or in tokens. Of several, the one that is used up most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusBudget {
    /// The limit in micro-USD, where it is one in money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_micros: Option<u64>,
    /// Used so far, in micro-USD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_micros: Option<u64>,
    /// The limit in tokens, where it is one in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_tokens: Option<u64>,
    /// Used so far, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_tokens: Option<u64>,
    /// What it covers: `turn`, `session` or `day`.
    pub scope: String,
}

/// The review in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReview {
    /// Files with hunks.
    pub files: u32,
    /// Hunks.
    pub hunks: u32,
}

/// What waits for the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusPending {
    /// Permission requests.
    pub permissions: u32,
    /// Questions.
    pub questions: u32,
}

/// A subagent in the status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusAgent {
    /// Its id, which is also the id of its session.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: RunState,
    /// One short phrase about what it does right now.
    pub label: String,
    /// The beginning of its task.
    pub task: String,
    /// The session that it works for.
    pub session: SessionId,
}
