//! Chat Completions, as OpenAI made them and as many servers took them up, each with its own habits.
//!
//! Habits of requests are data (`Quirks`, one set per provider); habits of answers are all understood at once, because
//! gateways mix them. An answer is complete when a finish reason was seen; `[DONE]` alone is no proof.

mod calls;
mod request;
mod think;

use kit_protocol::StopReason;
use serde::Deserialize;
use serde_json::Value;

use self::calls::{CallDelta, Calls};
use self::think::{Piece, ThinkTag};
use super::draft::Draft;
use super::{Adapter, Answer, CallIds, Failure, Flow};
use crate::model::ModelEvent;
use crate::usage::{TokenCounts, micros};

pub(super) use request::body;

/// What a provider expects of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quirks {
    /// The field of the largest answer.
    pub(crate) output_limit: &'static str,
    /// The field that routes requests of one conversation to one cache.
    pub(crate) cache_key: Option<&'static str>,
    /// How an effort is asked for.
    pub(crate) effort: Effort,
    /// The answer's cost is reported when the request asks for it.
    pub(crate) reports_cost: bool,
    /// `reasoning_details` return as they came.
    pub(crate) returns_details: bool,
    /// `reasoning_content` of earlier answers is expected back.
    pub(crate) returns_reasoning: bool,
    /// Ids of calls must be nine letters and digits.
    pub(crate) short_ids: bool,
    /// Usage comes at the end of a stream when the request asks for it; otherwise it comes by itself.
    pub(crate) asks_usage: bool,
    /// Prefixes of model names that take cache breakpoints in content parts.
    pub(crate) cache_breakpoints: &'static [&'static str],
    /// Where images and documents of tool results stand.
    pub(crate) result_media: ResultMedia,
}

impl Quirks {
    /// What most servers take.
    pub(crate) const COMMON: Self = Self {
        output_limit: "max_tokens",
        cache_key: None,
        effort: Effort::Field,
        reports_cost: false,
        returns_details: false,
        returns_reasoning: false,
        short_ids: false,
        asks_usage: true,
        cache_breakpoints: &[],
        result_media: ResultMedia::Behind,
    };
}

/// Where images and documents of tool results stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultMedia {
    /// In a message of the user behind the results: most servers take nothing but text in a result.
    Behind,
    /// In parts of the result.
    Inside,
}

/// How an effort is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// `reasoning_effort: "low"`.
    Field,
    /// `reasoning: {effort: "low"}`.
    Object,
    /// `thinking: {type: "enabled"}`, without levels.
    Thinking,
    /// `enable_thinking: true`, without levels.
    EnableThinking,
    /// `reasoning: {enabled: true}`, without levels.
    Enabled,
    /// Not at all.
    None,
}

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    draft: Draft,
    calls: Calls,
    think: ThinkTag,
    details: Vec<Value>,
    tokens: TokenCounts,
    cost_micros: Option<u64>,
    finish_reason: Option<String>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Content>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    reasoning_text: Option<String>,
    reasoning_details: Option<Vec<Value>>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Deserialize)]
struct ContentPart {
    #[serde(default)]
    text: String,
}

/// Totals; the prompt includes what a cache served.
#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    prompt_cache_hit_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    /// USD.
    cost: Option<f64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl Usage {
    fn tokens(&self) -> TokenCounts {
        let details = self.prompt_tokens_details.as_ref();
        let cached = details.and_then(|details| details.cached_tokens).filter(|cached| *cached > 0);
        let cache_read = cached.or(self.prompt_cache_hit_tokens).or(self.cached_tokens).unwrap_or_default();
        let cache_write = details.and_then(|details| details.cache_write_tokens).unwrap_or_default();
        TokenCounts {
            input: self
                .prompt_tokens
                .unwrap_or_default()
                .saturating_sub(cache_read.saturating_add(cache_write)),
            output: self.completion_tokens.unwrap_or_default(),
            cache_read,
            cache_write,
            cache_write_hour: 0,
            reasoning: self.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens),
        }
    }
}

impl Reader {
    pub(super) fn new(ids: CallIds) -> Self {
        Self {
            draft: Draft::new(ids),
            calls: Calls::default(),
            think: ThinkTag::default(),
            details: Vec::new(),
            tokens: TokenCounts::default(),
            cost_micros: None,
            finish_reason: None,
            model: None,
        }
    }

    fn count(&mut self, usage: Option<Usage>, events: &mut Vec<ModelEvent>) {
        let Some(usage) = usage else { return };
        self.cost_micros = usage.cost.and_then(micros).or(self.cost_micros);
        let tokens = usage.tokens();
        if tokens != self.tokens {
            self.tokens = tokens;
            events.push(ModelEvent::Usage(tokens));
        }
    }

    fn delta(&mut self, delta: Delta, events: &mut Vec<ModelEvent>) {
        let reasoning = [delta.reasoning_content, delta.reasoning, delta.reasoning_text];
        if let Some(reasoning) = reasoning.into_iter().flatten().find(|text| !text.is_empty()) {
            self.think.disable();
            let at = self.draft.current_reasoning();
            self.draft.append(at, &reasoning, events);
        }
        if let Some(details) = delta.reasoning_details {
            details.into_iter().for_each(|detail| self.detail(detail));
        }
        let text = delta.content.map(Content::into_text).unwrap_or_default();
        for text in [text, delta.refusal.unwrap_or_default()] {
            for piece in self.think.push(&text) {
                self.piece(&piece, events);
            }
        }
        for call in delta.tool_calls.unwrap_or_default() {
            self.calls.push(call, &mut self.draft, events);
        }
    }

    fn piece(&mut self, piece: &Piece, events: &mut Vec<ModelEvent>) {
        match piece {
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => {
                let at = self.draft.current_text();
                self.draft.append(at, text, events);
            }
            Piece::Reasoning(text) => {
                let at = self.draft.current_reasoning();
                self.draft.append(at, text, events);
            }
        }
    }

    /// Keeps a detail; text that continues the one before is joined to it.
    fn detail(&mut self, detail: Value) {
        let same = |before: &Value, field: &str| before.get(field) == detail.get(field);
        let continued =
            self.details.last_mut().filter(|before| same(before, "type") && same(before, "index"));
        let Some((before, fields)) = continued.and_then(Value::as_object_mut).zip(detail.as_object()) else {
            self.details.push(detail);
            return;
        };
        for (field, value) in fields {
            match (field.as_str(), before.get_mut(field), value) {
                ("text" | "summary" | "data", Some(Value::String(text)), Value::String(more)) => {
                    text.push_str(more)
                }
                (_, Some(known), value) if !value.is_null() => *known = value.clone(),
                (_, Some(_), _) => {}
                (_, None, value) => {
                    before.insert(field.clone(), value.clone());
                }
            }
        }
    }
}

impl Content {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().map(|part| part.text).collect(),
        }
    }
}

impl Adapter for Reader {
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        if data.trim() == "[DONE]" {
            return Ok(Flow::Done);
        }
        let chunk: Chunk =
            serde_json::from_str(data).map_err(|error| Failure::Malformed(error.to_string()))?;
        let choice = chunk.choices.unwrap_or_default().into_iter().next();
        let (error, choice) = match choice {
            Some(mut choice) => (chunk.error.or(choice.error.take()), Some(choice)),
            None => (chunk.error, None),
        };
        if let Some(error) = error.filter(|error| !error.is_null()) {
            return Err(Failure::Reported(error));
        }
        self.model = chunk.model.filter(|model| !model.is_empty()).or(self.model.take());
        self.count(chunk.usage, events);
        let Some(choice) = choice else { return Ok(Flow::More) };
        self.count(choice.usage, events);
        if let Some(delta) = choice.delta {
            self.delta(delta, events);
        }
        self.finish_reason =
            choice.finish_reason.filter(|reason| !reason.is_empty()).or(self.finish_reason.take());
        match self.finish_reason.as_deref() {
            Some(reason @ ("error" | "network_error")) => {
                let message = format!("the provider ended the answer with `{reason}`");
                Err(Failure::Reported(serde_json::json!({"code": 502, "message": message})))
            }
            Some(_) | None => Ok(Flow::More),
        }
    }

    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer> {
        let stop = match self.finish_reason.as_deref()? {
            "stop" | "end" | "eos" | "end_turn" | "stop_sequence" => StopReason::EndTurn,
            "tool_calls" | "function_call" | "tool_use" => StopReason::ToolUse,
            "length" | "max_tokens" => StopReason::MaxTokens,
            "content_filter" | "refusal" => StopReason::Refusal,
            _ => StopReason::Error,
        };
        for piece in self.think.finish() {
            self.piece(&piece, events);
        }
        self.calls.finish(&mut self.draft, events);
        if !self.details.is_empty() {
            let at = self.draft.first_reasoning();
            self.draft.seal(at, Value::Array(std::mem::take(&mut self.details)).to_string());
        }
        let (parts, stop) = self.draft.finish(stop, events);
        Some(Answer {
            parts,
            stop,
            finish_reason: self.finish_reason.take(),
            tokens: self.tokens,
            model: self.model.take(),
            cost_micros: self.cost_micros,
        })
    }

    fn is_complete(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn has_started(&self) -> bool {
        self.draft.has_started()
    }
}

#[cfg(test)]
mod tests;
