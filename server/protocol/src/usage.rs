//! Tokens and money. Money is integer micro-USD everywhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a cost comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CostKind {
    /// Tokens times published prices.
    Priced,
    /// Paid by a subscription; no money per call.
    Subscription,
    /// No published price; not free.
    Unknown,
}

/// Usage of one model call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The call, unique within the session, counted from 1.
    pub call: u64,
    /// The step within the turn, counted from 0.
    pub step: u32,
    /// The provider that answered.
    pub provider: String,
    /// The model that answered.
    pub model: String,
    /// Fresh input tokens, without those read from or written to a cache.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Reasoning tokens among the output, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Cost in micro-USD; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// Where the cost comes from.
    pub cost_kind: CostKind,
    /// The provider's own word for why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// The provider's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Sums of usage: of a turn, a session or a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageTotals {
    /// Fresh input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the cache.
    pub cache_write_tokens: u64,
    /// Cost in micro-USD of the priced calls; absent when no call had a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// `unknown` as soon as one call had no price, else `subscription` if one call was, else `priced`.
    pub cost_kind: CostKind,
}

impl Default for UsageTotals {
    fn default() -> Self {
        Self {
            input_tokens: 0,
            output_tokens: 0,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            cost_micros: None,
            cost_kind: CostKind::Priced,
        }
    }
}

impl UsageTotals {
    /// Adds one call.
    pub fn add(&mut self, usage: &Usage) {
        self.input_tokens += usage.input_tokens;
        self.output_tokens += usage.output_tokens;
        self.cache_read_tokens += usage.cache_read_tokens;
        self.cache_write_tokens += usage.cache_write_tokens;
        if let Some(micros) = usage.cost_micros {
            self.cost_micros = Some(self.cost_micros.unwrap_or(0) + micros);
        }
        self.cost_kind = match (self.cost_kind, usage.cost_kind) {
            (CostKind::Unknown, _) | (_, CostKind::Unknown) => CostKind::Unknown,
            (CostKind::Subscription, _) | (_, CostKind::Subscription) => CostKind::Subscription,
            (CostKind::Priced, CostKind::Priced) => CostKind::Priced,
        };
    }
}
