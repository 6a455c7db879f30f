//! Names and levels of models.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `provider/name`, split at the first slash; both parts are non-empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ModelId {
    provider: String,
    name: String,
}

impl ModelId {
    /// The provider part.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The part after the first slash; it may contain slashes itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The built-in script, which needs neither key nor network.
    pub fn demo() -> Self {
        Self { provider: "scripted".to_owned(), name: "demo".to_owned() }
    }
}

/// The text is not `provider/name`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{0}` must be written as provider/name, for example anthropic/claude-sonnet-4-6")]
pub struct InvalidModelId(pub String);

impl FromStr for ModelId {
    type Err = InvalidModelId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().split_once('/') {
            Some((provider, name)) if !provider.is_empty() && !name.is_empty() => {
                Ok(Self { provider: provider.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(InvalidModelId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for ModelId {
    type Error = InvalidModelId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ModelId> for String {
    fn from(id: ModelId) -> Self {
        id.to_string()
    }
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.provider, self.name)
    }
}

/// How much a model reasons before it answers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingLevel {
    /// No reasoning.
    #[default]
    Off,
    /// Reasoning switched off explicitly where the model allows it.
    None,
    /// As little as the model can.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// A lot.
    High,
}

impl ThinkingLevel {
    /// The level as settings have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Why a turn or a model call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model finished.
    EndTurn,
    /// The output limit was reached.
    MaxTokens,
    /// The model waits for tool results.
    ToolUse,
    /// The model or the provider refused.
    Refusal,
    /// The user cancelled.
    Cancelled,
    /// A budget ran out.
    Budget,
    /// The step limit was reached.
    MaxSteps,
    /// An error ended it.
    Error,
}

/// One line of `kit.model.list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// `provider/name`.
    pub id: ModelId,
    /// The provider's id.
    pub provider: String,
    /// The name for people.
    pub name: String,
    /// Context window in tokens; 0 when unknown.
    pub context_window: u64,
    /// Largest answer in tokens; 0 when unknown.
    pub max_output: u64,
    /// Whether the model can reason.
    pub reasoning: bool,
    /// Prices, where they are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// What people should know about using it, such as how it counts in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Prices in micro-USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Fresh input.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Input written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
}

/// What the agent may do without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads only; tools that change anything are not offered.
    Plan,
    /// Every change asks.
    Ask,
    /// Edits inside the workspace go ahead and are reviewable; shell and everything else ask.
    #[default]
    Edit,
    /// Everything inside the sandbox goes ahead.
    Auto,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_id_splits_at_the_first_slash_and_refuses_empty_parts() {
        let id: ModelId = "openrouter/google/gemma".parse().unwrap();
        assert_eq!((id.provider(), id.name()), ("openrouter", "google/gemma"));
        for wrong in ["", "gpt", "/gpt", "openai/"] {
            assert_eq!(wrong.parse::<ModelId>(), Err(InvalidModelId(wrong.to_owned())));
        }
    }
}
