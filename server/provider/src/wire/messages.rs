//! Anthropic Messages.
//!
//! Blocks are keyed by their index, because some servers keep several open and stop them all at the end. Usage values
//! are totals that replace earlier ones. The answer is complete at `message_stop` and at nothing else; frames are told
//! apart by the `type` of their data, because not every server names its events.

use std::collections::BTreeMap;

use kit_protocol::{ImagePart, MediaKind, StopReason, ThinkingLevel, ToolResultPart};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::draft::{BlockIndex, Draft};
use super::history::{AssistantContent, Carriage, ToolResult, Turn, UserContent, clean, turns};
use super::seal::is_foreign;
use super::{Adapter, Answer, CallIds, Failure, Flow, Plain, Target, thinking};
use crate::model::{ModelEvent, Request};
use crate::usage::TokenCounts;

/// The largest answer to ask for when neither the request nor the catalogue has a limit.
const DEFAULT_OUTPUT: u64 = 8192;
/// The largest answer to ask for unless the request wants more.
const USUAL_OUTPUT: u64 = 32_768;

/// The body of a request.
///
/// Four cache breakpoints are set: after the tools, after the system text, after the last turn of the user and after
/// the one before it, so that a round with many blocks still finds the previous one.
pub(super) fn body(request: &Request, target: Target<'_>) -> Value {
    let Target { name, abilities, max_output, .. } = target;
    let parameters = &request.parameters;
    let mut body = Map::new();
    let mut limit = output_limit(parameters.max_output_tokens, max_output);
    let mut reasons = false;
    let mut reasoning = Map::new();
    if abilities.reasoning && abilities.adaptive {
        if parameters.thinking != ThinkingLevel::Off {
            reasons = true;
            reasoning.insert("thinking".into(), json!({"type": "adaptive", "display": "summarized"}));
        } else if abilities.known && !abilities.always_reasons {
            reasoning.insert("thinking".into(), json!({"type": "disabled"}));
        }
        let least = abilities.always_reasons.then_some("low");
        if let Some(effort) = thinking::effort(parameters.thinking, abilities).or(least) {
            reasoning.insert("output_config".into(), json!({"effort": effort}));
        }
    } else if let Some(budget) = thinking::budget(parameters.thinking).filter(|_| abilities.reasoning) {
        reasons = true;
        limit = limit.max(budget + thinking::ANSWER_ROOM);
        reasoning.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": budget}));
    }
    body.insert("model".into(), name.into());
    body.insert("max_tokens".into(), limit.into());
    body.insert("stream".into(), true.into());
    let system = clean(&request.system);
    if !system.trim().is_empty() {
        body.insert("system".into(), json!([marked(json!({"type": "text", "text": system}))]));
    }
    if !request.tools.is_empty() {
        body.insert("tools".into(), tools(request, target).into());
    }
    body.insert("messages".into(), messages(request, target).into());
    body.extend(reasoning);
    let samples = !reasons && !abilities.fixed_sampling && !abilities.always_reasons;
    match (parameters.temperature, parameters.top_p) {
        (Some(temperature), _) if samples => body.insert("temperature".into(), temperature.into()),
        (None, Some(top_p)) if samples => body.insert("top_p".into(), top_p.into()),
        (Some(_) | None, Some(_) | None) => None,
    };
    if !parameters.stop_sequences.is_empty() {
        body.insert("stop_sequences".into(), json!(parameters.stop_sequences));
    }
    Value::Object(body)
}

/// The body for Vertex AI, where the path names the model and the body the version.
pub(super) fn vertex_body(request: &Request, target: Target<'_>) -> Value {
    let mut body = body(request, target);
    if let Some(body) = body.as_object_mut() {
        body.shift_remove("model");
        body.insert("anthropic_version".into(), "vertex-2023-10-16".into());
    }
    body
}

/// The wanted size of an answer within the limit of the model; 0 stands for a limit that is not known.
pub(in crate::wire) fn output_limit(wanted: Option<u64>, limit: u64) -> u64 {
    match (wanted, limit) {
        (Some(wanted), 0) => wanted,
        (Some(wanted), limit) => wanted.min(limit),
        (None, 0) => DEFAULT_OUTPUT,
        (None, limit) => limit.min(USUAL_OUTPUT),
    }
}

fn marked(mut block: Value) -> Value {
    if let Some(block) = block.as_object_mut() {
        block.insert("cache_control".into(), json!({"type": "ephemeral"}));
    }
    block
}

fn mark_last(blocks: &mut Vec<Value>) {
    if let Some(last) = blocks.pop() {
        blocks.push(marked(last));
    }
}

fn tools(request: &Request, target: Target<'_>) -> Vec<Value> {
    let tool = |tool: &crate::model::ToolDefinition| {
        let schema = target.schema(&tool.input_schema);
        json!({"name": tool.name, "description": tool.description, "input_schema": schema})
    };
    let mut tools: Vec<Value> = request.tools.iter().map(tool).collect();
    mark_last(&mut tools);
    tools
}

fn messages(request: &Request, target: Target<'_>) -> Vec<Value> {
    let turns = turns(&request.messages, |medium, result| carriage(target, medium, result));
    let users = turns.iter().filter(|turn| matches!(turn, Turn::User { .. })).count();
    let mut user = 0;
    let mut messages = Vec::new();
    for turn in &turns {
        match turn {
            Turn::User { results, content } => {
                user += 1;
                let mut blocks: Vec<Value> = results.iter().map(result_block).collect();
                blocks.extend(content.iter().map(user_block));
                if user + 1 >= users {
                    mark_last(&mut blocks);
                }
                messages.push(json!({"role": "user", "content": blocks}));
            }
            Turn::Assistant(content) => {
                let blocks: Vec<Value> =
                    content.iter().filter_map(|content| assistant_block(content, target.plain)).collect();
                // Reasoning alone is no message; it is only kept for the calls that it led to.
                let text = json!({"type": "text", "text": "(no answer)"});
                let blocks = if blocks.is_empty() { vec![text] } else { blocks };
                messages.push(json!({"role": "assistant", "content": blocks}));
            }
        }
    }
    messages
}

/// A result that failed may hold nothing but text.
fn carriage(target: Target<'_>, medium: &ImagePart, result: Option<&ToolResultPart>) -> Carriage {
    match target.reads(medium) {
        false => Carriage::Named,
        true if result.is_some_and(|result| result.is_error) => Carriage::BehindResults,
        true => Carriage::InPlace,
    }
}

fn result_block(result: &ToolResult<'_>) -> Value {
    let mut block = json!({"type": "tool_result", "tool_use_id": result.id});
    if let Some(block) = block.as_object_mut() {
        if !result.media.is_empty() {
            let text = Some(result.content.as_ref()).filter(|text| !text.trim().is_empty());
            let text = text.map(|text| json!({"type": "text", "text": text}));
            let media = result.media.iter().map(|medium| media_block(medium));
            block.insert("content".into(), text.into_iter().chain(media).collect::<Vec<Value>>().into());
        } else if !result.content.is_empty() {
            block.insert("content".into(), result.content.as_ref().into());
        }
        if result.is_error {
            block.insert("is_error".into(), true.into());
        }
    }
    block
}

fn user_block(content: &UserContent<'_>) -> Value {
    match content {
        UserContent::Text(text) => json!({"type": "text", "text": text}),
        UserContent::Image(medium) => media_block(medium),
    }
}

fn media_block(medium: &ImagePart) -> Value {
    let kind = if medium.kind() == MediaKind::Document { "document" } else { "image" };
    let source = json!({"type": "base64", "media_type": medium.media_type, "data": medium.data});
    json!({"type": kind, "source": source})
}

fn assistant_block(content: &AssistantContent<'_>, plain: Plain) -> Option<Value> {
    match content {
        AssistantContent::Text(text) => Some(json!({"type": "text", "text": text})),
        AssistantContent::Call { id, name, input } => {
            Some(json!({"type": "tool_use", "id": id, "name": name, "input": input}))
        }
        AssistantContent::Reasoning(_) if plain.reasoning => None,
        AssistantContent::Reasoning(part) => match (&part.signature, &part.encrypted) {
            (Some(signature), None) => {
                Some(json!({"type": "thinking", "thinking": part.thinking, "signature": signature}))
            }
            (_, Some(data)) if !is_foreign(data) => Some(json!({"type": "redacted_thinking", "data": data})),
            (Some(_) | None, Some(_)) | (None, None) => None,
        },
    }
}

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    draft: Draft,
    blocks: BTreeMap<u64, BlockIndex>,
    usage: Usage,
    reported: TokenCounts,
    stop: Option<String>,
    model: Option<String>,
    complete: bool,
}

#[derive(Deserialize)]
struct Event {
    r#type: Option<String>,
    #[serde(default)]
    index: u64,
    message: Option<MessageStart>,
    content_block: Option<BlockStart>,
    delta: Option<Delta>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct MessageStart {
    model: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct BlockStart {
    r#type: String,
    id: Option<String>,
    name: Option<String>,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    input: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
    partial_json: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    stop_reason: Option<String>,
}

/// Totals so far; what a report leaves out keeps its value.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

impl Usage {
    fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    fn tokens(&self) -> TokenCounts {
        TokenCounts {
            input: self.input_tokens.unwrap_or_default(),
            output: self.output_tokens.unwrap_or_default(),
            cache_read: self.cache_read_input_tokens.unwrap_or_default(),
            cache_write: self.cache_creation_input_tokens.unwrap_or_default(),
            cache_write_hour: self
                .cache_creation
                .and_then(|created| created.ephemeral_1h_input_tokens)
                .unwrap_or_default(),
            reasoning: self.output_tokens_details.and_then(|details| details.thinking_tokens),
        }
    }
}

impl Reader {
    pub(super) fn new(ids: CallIds) -> Self {
        Self {
            draft: Draft::new(ids),
            blocks: BTreeMap::new(),
            usage: Usage::default(),
            reported: TokenCounts::default(),
            stop: None,
            model: None,
            complete: false,
        }
    }

    fn count(&mut self, usage: Option<Usage>, events: &mut Vec<ModelEvent>) {
        let Some(usage) = usage else { return };
        self.usage.update(usage);
        let tokens = self.usage.tokens();
        if tokens != self.reported {
            self.reported = tokens;
            events.push(ModelEvent::Usage(tokens));
        }
    }

    /// Block types that nothing is known about are ignored, with all their deltas.
    fn start(&mut self, index: u64, block: BlockStart, events: &mut Vec<ModelEvent>) {
        let at = match block.r#type.as_str() {
            "text" => {
                let at = self.draft.open_text();
                self.draft.append(at, block.text.as_deref().unwrap_or_default(), events);
                at
            }
            "thinking" => {
                let at = self.draft.open_reasoning();
                self.draft.append(at, block.thinking.as_deref().unwrap_or_default(), events);
                self.draft.sign(at, block.signature.as_deref().unwrap_or_default());
                at
            }
            "redacted_thinking" => {
                let at = self.draft.open_reasoning();
                self.draft.seal(at, block.data.unwrap_or_default());
                at
            }
            "tool_use" => {
                let name = block.name.unwrap_or_default();
                let at = self.draft.open_call(block.id.as_deref(), &name, events);
                let whole =
                    block.input.filter(|input| input.as_object().is_some_and(|fields| !fields.is_empty()));
                if let Some(input) = whole {
                    self.draft.append(at, &input.to_string(), events);
                }
                at
            }
            _ => return,
        };
        self.blocks.insert(index, at);
    }

    fn delta(&mut self, index: u64, delta: &Delta, events: &mut Vec<ModelEvent>) {
        let Some(at) = self.blocks.get(&index).copied() else { return };
        for text in [&delta.text, &delta.thinking, &delta.partial_json].into_iter().flatten() {
            self.draft.append(at, text, events);
        }
        if let Some(signature) = &delta.signature {
            self.draft.sign(at, signature);
        }
    }
}

impl Adapter for Reader {
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        // A gateway in front of another wire may close with that wire's marker.
        if data.trim() == "[DONE]" {
            return Ok(Flow::More);
        }
        let event: Event =
            serde_json::from_str(data).map_err(|error| Failure::Malformed(error.to_string()))?;
        if let Some(error) = event.error.filter(|error| !error.is_null()) {
            return Err(Failure::Reported(error));
        }
        match event.r#type.as_deref().unwrap_or_default() {
            "message_start" => {
                if let Some(message) = event.message {
                    self.model = message.model;
                    self.count(message.usage, events);
                }
            }
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.start(event.index, block, events);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(event.index, &delta, events);
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.blocks.remove(&event.index) {
                    self.draft.close(at, events);
                }
            }
            "message_delta" => {
                self.stop = event.delta.and_then(|delta| delta.stop_reason).or(self.stop.take());
                self.count(event.usage, events);
            }
            "message_stop" => {
                self.complete = true;
                return Ok(Flow::Done);
            }
            _ => {}
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer> {
        if !self.complete {
            return None;
        }
        let stop = match self.stop.as_deref() {
            None | Some("end_turn" | "stop_sequence" | "pause_turn") => StopReason::EndTurn,
            Some("tool_use") => StopReason::ToolUse,
            Some("max_tokens" | "model_context_window_exceeded") => StopReason::MaxTokens,
            Some("refusal") => StopReason::Refusal,
            Some(_) => StopReason::Error,
        };
        let (parts, stop) = self.draft.finish(stop, events);
        Some(Answer {
            parts,
            stop,
            finish_reason: self.stop.take(),
            tokens: self.usage.tokens(),
            model: self.model.take(),
            cost_micros: None,
        })
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn has_started(&self) -> bool {
        self.draft.has_started()
    }
}

#[cfg(test)]
mod tests;
