//! Arguments and answers of `kit.agent.list`: what subagents can run as.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FileProblem, SessionId};

/// Argument of `kit.agent.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentListArguments {
    /// The session whose folder counts; the current one otherwise, or the first root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Answer of `kit.agent.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentListAnswer {
    /// The agents by name.
    pub agents: Vec<AgentInfo>,
    /// Files that were left out, and why.
    #[serde(default)]
    pub problems: Vec<FileProblem>,
}

/// An agent that a subagent can run as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentInfo {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// Its file, or `built-in`.
    pub source: String,
    /// Its model, where it is not that of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The only tools that it keeps of its parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// How long it may work, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Whether it works without being offered to models.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}
