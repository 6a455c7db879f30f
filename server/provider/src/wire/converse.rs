//! Amazon Bedrock's Converse.
//!
//! One wire for the models of many makers. Blocks are keyed by their index. The answer is complete at `messageStop`; the
//! usage comes after it in `metadata`, which is worth a short wait. What only the models of one maker understand, such as
//! reasoning, travels beside the common fields.

mod request;

use std::collections::BTreeMap;

use kit_protocol::StopReason;
use serde::Deserialize;
use serde_json::Value;

pub(super) use request::body;

use super::draft::{BlockIndex, Draft};
use super::{Adapter, Answer, CallIds, Failure, Flow};
use crate::model::ModelEvent;
use crate::usage::TokenCounts;

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    draft: Draft,
    blocks: BTreeMap<u64, BlockIndex>,
    tokens: TokenCounts,
    stop: Option<String>,
    counted: bool,
}

/// A message: its only field is the name of the event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    content_block_start: Option<BlockStart>,
    content_block_delta: Option<BlockDelta>,
    content_block_stop: Option<BlockStop>,
    message_stop: Option<MessageStop>,
    metadata: Option<Metadata>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart {
    #[serde(default)]
    content_block_index: u64,
    start: Option<Start>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    tool_use: Option<ToolUse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    tool_use_id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta {
    #[serde(default)]
    content_block_index: u64,
    delta: Option<Delta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta {
    text: Option<String>,
    tool_use: Option<ToolInput>,
    reasoning_content: Option<Reasoning>,
}

#[derive(Deserialize)]
struct ToolInput {
    input: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    #[serde(default)]
    content_block_index: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}

impl Reader {
    pub(super) fn new(ids: CallIds) -> Self {
        Self {
            draft: Draft::new(ids),
            blocks: BTreeMap::new(),
            tokens: TokenCounts::default(),
            stop: None,
            counted: false,
        }
    }

    /// Text and reasoning begin with their first delta; only calls have a start of their own.
    fn delta(&mut self, index: u64, delta: Delta, events: &mut Vec<ModelEvent>) {
        let known = self.blocks.get(&index).copied();
        if let Some(text) = delta.text {
            let at = known.unwrap_or_else(|| self.draft.open_text());
            self.blocks.insert(index, at);
            self.draft.append(at, &text, events);
        }
        if let Some(reasoning) = delta.reasoning_content {
            let at = known.unwrap_or_else(|| self.draft.open_reasoning());
            self.blocks.insert(index, at);
            self.draft.append(at, reasoning.text.as_deref().unwrap_or_default(), events);
            self.draft.sign(at, reasoning.signature.as_deref().unwrap_or_default());
            if let Some(data) = reasoning.redacted_content {
                self.draft.seal(at, data);
            }
        }
        let input = delta.tool_use.and_then(|call| call.input);
        if let Some((at, input)) = known.zip(input) {
            self.draft.append(at, &input, events);
        }
    }

    fn count(&mut self, usage: &Usage, events: &mut Vec<ModelEvent>) {
        self.counted = true;
        self.tokens = TokenCounts {
            input: usage.input_tokens,
            output: usage.output_tokens,
            cache_read: usage.cache_read_input_tokens.unwrap_or_default(),
            cache_write: usage.cache_write_input_tokens.unwrap_or_default(),
            ..TokenCounts::default()
        };
        events.push(ModelEvent::Usage(self.tokens));
    }
}

impl Adapter for Reader {
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        let event: Event =
            serde_json::from_str(data).map_err(|error| Failure::Malformed(error.to_string()))?;
        if let Some(error) = event.error {
            return Err(Failure::Reported(error));
        }
        if let Some(BlockStart { content_block_index, start }) = event.content_block_start
            && let Some(call) = start.and_then(|start| start.tool_use)
        {
            let name = call.name.unwrap_or_default();
            let at = self.draft.open_call(call.tool_use_id.as_deref(), &name, events);
            self.blocks.insert(content_block_index, at);
        }
        if let Some(BlockDelta { content_block_index, delta: Some(delta) }) = event.content_block_delta {
            self.delta(content_block_index, delta, events);
        }
        if let Some(stop) = event.content_block_stop
            && let Some(at) = self.blocks.remove(&stop.content_block_index)
        {
            self.draft.close(at, events);
        }
        if let Some(stop) = event.message_stop {
            self.stop = Some(stop.stop_reason.unwrap_or_default());
        }
        if let Some(usage) = event.metadata.and_then(|metadata| metadata.usage) {
            self.count(&usage, events);
        }
        Ok(if self.stop.is_some() && self.counted { Flow::Done } else { Flow::More })
    }

    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer> {
        let reason = self.stop.take()?;
        let stop = match reason.as_str() {
            "end_turn" | "stop_sequence" | "" => StopReason::EndTurn,
            "tool_use" => StopReason::ToolUse,
            "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
            "guardrail_intervened" | "content_filtered" => StopReason::Refusal,
            _ => StopReason::Error,
        };
        let (parts, stop) = self.draft.finish(stop, events);
        let finish_reason = Some(reason).filter(|reason| !reason.is_empty());
        Some(Answer { parts, stop, finish_reason, tokens: self.tokens, model: None, cost_micros: None })
    }

    fn is_complete(&self) -> bool {
        self.stop.is_some()
    }

    fn has_started(&self) -> bool {
        self.draft.has_started()
    }
}

#[cfg(test)]
mod tests;
