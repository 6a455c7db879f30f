//! What a model call used, before the session numbers it.

use kit_protocol::{ModelId, Usage};
use kit_provider::{Cost, TokenCounts};

/// What a model call cost.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spent {
    pub(crate) model: ModelId,
    pub(crate) tokens: TokenCounts,
    pub(crate) cost: Cost,
    pub(crate) finish_reason: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Spent {
    /// The usage of a call of a step. The session numbers its calls, also those that no turn made.
    pub(crate) fn into_usage(self, step: u32) -> Usage {
        Usage {
            call: 0,
            step,
            provider: self.model.provider().to_owned(),
            model: self.model.name().to_owned(),
            input_tokens: self.tokens.input,
            output_tokens: self.tokens.output,
            cache_read_tokens: self.tokens.cache_read,
            cache_write_tokens: self.tokens.cache_write,
            reasoning_tokens: self.tokens.reasoning,
            cost_micros: self.cost.micros,
            cost_kind: self.cost.kind,
            finish_reason: self.finish_reason,
            request_id: self.request_id,
        }
    }
}
