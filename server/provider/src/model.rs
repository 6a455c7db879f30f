//! The port that the rest of the program sees: a request goes in, a stream of events comes out.
//!
//! A stream is ONE attempt. It yields events until it yields either `ModelEvent::Finished` or an error, and then ends;
//! there is no third way out, because an answer that stops without its terminal event is an error. Retries belong
//! to the caller, which announces them (`retry::Schedule` says when).

use std::sync::Arc;

use futures::stream::BoxStream;
use kit_protocol::{Message, ModelId, ModelInfo, StopReason, ThinkingLevel, ToolCallId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::error::ModelError;
use crate::usage::{Cost, TokenCounts};

/// The events of one attempt, in order.
pub type ModelStream = BoxStream<'static, Result<ModelEvent, ModelError>>;

/// A model that answers requests.
pub trait Model: Send + Sync {
    /// What is known about the model.
    fn info(&self) -> &ModelInfo;

    /// The level at which the model reasons when this one is asked for: a level that it lacks falls to the nearest.
    fn thinking(&self, level: ThinkingLevel) -> ThinkingLevel {
        level
    }

    /// What these tokens cost in a call that did not end well; one that did says it itself.
    fn cost(&self, tokens: TokenCounts) -> Cost {
        self.info().price.map_or(Cost::UNKNOWN, |price| Cost::of(tokens, price))
    }

    /// Starts one attempt. Nothing happens until the stream is polled; dropping it drops the connection.
    /// A cancelled token ends the stream with an error of kind `Cancelled`.
    fn stream(&self, request: Request, cancel: CancellationToken) -> ModelStream;
}

/// One request to a model. Cheap to clone: the large parts are shared.
#[derive(Clone, Debug)]
pub struct Request {
    /// The system text. It and the tools should stay the same bytes for a whole session, or no cache can work.
    pub system: Arc<str>,
    /// The conversation, oldest first.
    pub messages: Arc<[Message]>,
    /// The tools on offer, in the order in which the model sees them.
    pub tools: Arc<[ToolDefinition]>,
    /// Limits and sampling.
    pub parameters: Parameters,
    /// What requests of one conversation have in common, so that a provider can route them to the same cache.
    pub cache_key: Option<String>,
}

/// A tool as the model sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// The name that calls use.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// The JSON schema of its arguments; the root is an object.
    pub input_schema: Value,
}

/// Limits and sampling. What is `None` or empty is not sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The largest answer in tokens.
    pub max_output_tokens: Option<u64>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Texts at which the model stops.
    pub stop_sequences: Vec<String>,
    /// How much the model reasons before it answers.
    pub thinking: ThinkingLevel,
}

/// One event of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// The provider accepted the request.
    Connected {
        /// The provider's id of the request.
        request_id: Option<String>,
    },
    /// More of the answer's text.
    TextDelta(String),
    /// More of the visible reasoning.
    ReasoningDelta(String),
    /// The model begins a tool call.
    ToolCallStart {
        /// The call.
        id: ToolCallId,
        /// The tool's name.
        name: String,
    },
    /// More of a call's arguments, as JSON text.
    ToolCallDelta {
        /// The call.
        id: ToolCallId,
        /// The text to append.
        delta: String,
    },
    /// The arguments of a call arrived completely. A truncated call gets no such event.
    ToolCallEnd {
        /// The call.
        id: ToolCallId,
    },
    /// Tokens so far in this attempt: a later report replaces an earlier one.
    Usage(TokenCounts),
    /// The answer is complete. Always the last event.
    Finished(Completion),
}

impl ModelEvent {
    /// Bytes of the answer that it brings.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::TextDelta(text) | Self::ReasoningDelta(text) | Self::ToolCallDelta { delta: text, .. } => {
                text.len()
            }
            Self::Connected { .. }
            | Self::ToolCallStart { .. }
            | Self::ToolCallEnd { .. }
            | Self::Usage(_)
            | Self::Finished(_) => 0,
        }
    }
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The assistant's parts exactly as they must be replayed. A tool call with `finished: false` was truncated or is
    /// not a JSON object: it must be answered with an error and never be run.
    pub message: Message,
    /// Why the model stopped; `ToolUse` whenever a call is there to be run.
    pub stop: StopReason,
    /// The provider's own word for it.
    pub finish_reason: Option<String>,
    /// Tokens of the whole call.
    pub tokens: TokenCounts,
    /// What they cost.
    pub cost: Cost,
    /// The model that answered.
    pub model: ModelId,
    /// The provider's id of the request.
    pub request_id: Option<String>,
}
