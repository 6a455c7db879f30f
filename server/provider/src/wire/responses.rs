//! OpenAI Responses, used without state on the server: the whole conversation goes out each time, encrypted reasoning
//! included.
//!
//! Items are found by their id and, because some servers send none or another one with each event, by their place in the
//! output. Deltas show the answer early; an item that is done, and the response that is complete, fill in what no delta
//! brought. The answer is complete at `response.completed` or `response.incomplete` and at nothing else.

mod request;

use kit_protocol::StopReason;
use serde::Deserialize;
use serde_json::Value;

use super::draft::{BlockIndex, Draft};
use super::seal::Seal;
use super::{Adapter, Answer, CallIds, Failure, Flow};
use crate::model::ModelEvent;
use crate::usage::TokenCounts;

pub(super) use request::body;

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    draft: Draft,
    /// The model that was asked.
    asked: String,
    items: Vec<Item>,
    tokens: TokenCounts,
    model: Option<String>,
    stop: Option<(StopReason, String)>,
}

/// An output item that has begun.
#[derive(Debug)]
struct Item {
    ids: Vec<String>,
    index: Option<u64>,
    block: BlockIndex,
    /// A block that marks the phase of this one.
    mark: Option<BlockIndex>,
}

/// What names an item in an event.
#[derive(Clone, Copy, Debug)]
struct Key<'a> {
    id: Option<&'a str>,
    index: Option<u64>,
}

#[derive(Deserialize)]
struct Event {
    r#type: Option<String>,
    object: Option<String>,
    item_id: Option<String>,
    output_index: Option<u64>,
    summary_index: Option<u64>,
    delta: Option<Value>,
    item: Option<Output>,
    response: Option<Response>,
    error: Option<Value>,
    code: Option<Value>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    model: Option<String>,
    status: Option<String>,
    usage: Option<Usage>,
    error: Option<Value>,
    incomplete_details: Option<Incomplete>,
    output: Option<Vec<Output>>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

/// An item of the output, as it begins or as it ends.
#[derive(Deserialize)]
struct Output {
    r#type: Option<String>,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<Value>,
    content: Option<Vec<Content>>,
    summary: Option<Value>,
    encrypted_content: Option<String>,
    phase: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    text: Option<String>,
    refusal: Option<String>,
}

/// Totals; the input includes what a cache served or stored.
#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Usage {
    fn tokens(&self) -> TokenCounts {
        let details = self.input_tokens_details.as_ref();
        let cache_read = details.and_then(|details| details.cached_tokens).unwrap_or_default();
        let cache_write = details.and_then(|details| details.cache_write_tokens).unwrap_or_default();
        let cached = cache_read.saturating_add(cache_write);
        TokenCounts {
            input: self.input_tokens.unwrap_or_default().saturating_sub(cached),
            output: self.output_tokens.unwrap_or_default(),
            cache_read,
            cache_write,
            cache_write_hour: 0,
            reasoning: self.output_tokens_details.as_ref().and_then(|details| details.reasoning_tokens),
        }
    }
}

impl Output {
    /// The text of a message.
    fn text(&self) -> String {
        let contents = self.content.iter().flatten();
        contents.filter_map(|content| content.text.as_deref().or(content.refusal.as_deref())).collect()
    }

    fn summary_text(&self) -> String {
        let parts = self.summary.as_ref().and_then(Value::as_array).into_iter().flatten();
        let texts: Vec<&str> = parts.filter_map(|part| part.get("text")?.as_str()).collect();
        texts.join("\n\n")
    }

    fn arguments(&self) -> String {
        match &self.arguments {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(value) => value.to_string(),
        }
    }
}

impl Reader {
    pub(super) fn new(ids: CallIds, asked: &str) -> Self {
        Self {
            draft: Draft::new(ids),
            asked: asked.to_owned(),
            items: Vec::new(),
            tokens: TokenCounts::default(),
            model: None,
            stop: None,
        }
    }

    /// The item that an event is about; one that has no key is about the last item.
    fn find(&mut self, key: Key<'_>) -> Option<&mut Item> {
        let by_id =
            key.id.and_then(|id| self.items.iter().position(|item| item.ids.iter().any(|own| own == id)));
        let by_index = || key.index.and_then(|at| self.items.iter().position(|item| item.index == Some(at)));
        let nameless = key.id.is_none() && key.index.is_none();
        let at = by_id.or_else(by_index).or_else(|| self.items.len().checked_sub(1).filter(|_| nameless))?;
        let item = self.items.get_mut(at)?;
        if let Some(id) = key.id.filter(|id| item.ids.iter().all(|own| own != id)) {
            item.ids.push(id.to_owned());
        }
        Some(item)
    }

    fn begin(&mut self, key: Key<'_>, block: BlockIndex, mark: Option<BlockIndex>) -> BlockIndex {
        let ids = key.id.map(str::to_owned).into_iter().collect();
        self.items.push(Item { ids, index: key.index, block, mark });
        block
    }

    /// The block of an item; begins it if it is new. Items that nothing is known about have none.
    fn open(&mut self, key: Key<'_>, output: &Output, events: &mut Vec<ModelEvent>) -> Option<BlockIndex> {
        let kind = output.r#type.as_deref().unwrap_or_default();
        // An item without any key is a new one: only deltas may do without.
        if (key.id.is_some() || key.index.is_some())
            && let Some(item) = self.find(key)
        {
            return Some(item.block);
        }
        match kind {
            "message" => {
                let mark = self.draft.open_reasoning();
                let block = self.draft.open_text();
                Some(self.begin(key, block, Some(mark)))
            }
            "reasoning" => {
                let block = self.draft.open_reasoning();
                Some(self.begin(key, block, None))
            }
            "function_call" => {
                let name = output.name.as_deref().unwrap_or_default();
                let block = self.draft.open_call(output.call_id.as_deref(), name, events);
                Some(self.begin(key, block, None))
            }
            _ => None,
        }
    }

    /// Takes an item as it is at its end.
    fn complete(&mut self, key: Key<'_>, output: &Output, events: &mut Vec<ModelEvent>) {
        let Some(block) = self.open(key, output, events) else { return };
        match output.r#type.as_deref().unwrap_or_default() {
            "message" => {
                self.draft.complete(block, &output.text(), events);
                let mark = self.find(key).and_then(|item| item.mark);
                if let Some((mark, phase)) = mark.zip(output.phase.clone()) {
                    let seal = Seal::Responses {
                        model: self.asked.clone(),
                        encrypted_content: None,
                        summary: Value::Null,
                        phase: Some(phase),
                    };
                    self.draft.seal(mark, seal.text());
                }
            }
            "reasoning" => {
                let summary = output.summary_text();
                let shown = if summary.is_empty() { output.text() } else { summary };
                self.draft.complete(block, &shown, events);
                if let Some(encrypted) = output.encrypted_content.clone().filter(|text| !text.is_empty()) {
                    let seal = Seal::Responses {
                        model: self.asked.clone(),
                        encrypted_content: Some(encrypted),
                        summary: output.summary.clone().unwrap_or_default(),
                        phase: None,
                    };
                    self.draft.seal(block, seal.text());
                }
            }
            "function_call" => {
                self.draft.complete(block, &output.arguments(), events);
                self.draft.close(block, events);
            }
            _ => {}
        }
    }

    /// Appends to an item; a text that belongs to none begins one.
    fn delta(&mut self, key: Key<'_>, kind: Delta, text: &str, events: &mut Vec<ModelEvent>) {
        let found = self.find(key).map(|item| item.block);
        let block = match (found.filter(|block| self.draft.is(*block, kind.block())), kind) {
            (Some(block), _) => block,
            (None, Delta::Text) => {
                let block = self.draft.open_text();
                self.begin(key, block, None)
            }
            (None, Delta::Reasoning) => {
                let block = self.draft.open_reasoning();
                self.begin(key, block, None)
            }
            (None, Delta::Arguments) => return,
        };
        self.draft.append(block, text, events);
    }

    fn end(&mut self, response: Response, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(Failure::Reported(error));
        }
        for (index, output) in (0..).zip(response.output.iter().flatten()) {
            let key = Key { id: output.id.as_deref(), index: Some(index) };
            self.complete(key, output, events);
        }
        self.model = response.model.filter(|model| !model.is_empty()).or(self.model.take());
        if let Some(usage) = response.usage {
            self.tokens = usage.tokens();
            events.push(ModelEvent::Usage(self.tokens));
        }
        let status = response.status.unwrap_or_else(|| "completed".to_owned());
        let reason = response.incomplete_details.and_then(|details| details.reason);
        let stop = match (status.as_str(), reason.as_deref()) {
            ("completed", _) => StopReason::EndTurn,
            (_, Some("max_output_tokens" | "max_messages")) => StopReason::MaxTokens,
            (_, Some("content_filter")) => StopReason::Refusal,
            ("cancelled", _) => {
                let message = "the provider cancelled the answer";
                return Err(Failure::Reported(serde_json::json!({"code": 502, "message": message})));
            }
            _ => StopReason::Error,
        };
        self.stop = Some((stop, reason.unwrap_or(status)));
        Ok(Flow::Done)
    }
}

/// What a delta appends to.
#[derive(Clone, Copy, Debug)]
enum Delta {
    Text,
    Reasoning,
    Arguments,
}

impl Delta {
    fn block(self) -> super::draft::Kind {
        match self {
            Self::Text => super::draft::Kind::Text,
            Self::Reasoning => super::draft::Kind::Reasoning,
            Self::Arguments => super::draft::Kind::Call,
        }
    }
}

impl Adapter for Reader {
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        if data.trim() == "[DONE]" {
            return Ok(Flow::More);
        }
        let malformed = |error: serde_json::Error| Failure::Malformed(error.to_string());
        let event: Event = serde_json::from_str(data).map_err(malformed)?;
        let kind = event.r#type.as_deref().unwrap_or_default();
        if event.object.as_deref() == Some("response") && kind.is_empty() {
            return self.end(serde_json::from_str(data).map_err(malformed)?, events);
        }
        if let Some(error) = event.error.filter(|error| !error.is_null()) {
            return Err(Failure::Reported(error));
        }
        let key = Key {
            id: event.item_id.as_deref().or(event.item.as_ref().and_then(|item| item.id.as_deref())),
            index: event.output_index,
        };
        let text = event.delta.as_ref().and_then(Value::as_str).unwrap_or_default();
        match kind {
            "response.created" | "response.in_progress" => {
                self.model = event.response.and_then(|response| response.model).or(self.model.take());
            }
            "response.output_item.added" => {
                if let Some(item) = &event.item {
                    self.open(key, item, events);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = &event.item {
                    self.complete(key, item, events);
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                self.delta(key, Delta::Text, text, events);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.delta(key, Delta::Reasoning, text, events);
            }
            "response.reasoning_summary_part.added" if event.summary_index.unwrap_or_default() > 0 => {
                self.delta(key, Delta::Reasoning, "\n\n", events);
            }
            "response.function_call_arguments.delta" => self.delta(key, Delta::Arguments, text, events),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                return match event.response {
                    Some(response) => self.end(response, events),
                    None => Err(Failure::Malformed(format!("{kind} without a response"))),
                };
            }
            "error" => {
                let code = event.code.unwrap_or_default();
                let message = event.message.unwrap_or_default();
                return Err(Failure::Reported(serde_json::json!({"code": code, "message": message})));
            }
            _ => {}
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer> {
        let (stop, reason) = self.stop.take()?;
        let (parts, stop) = self.draft.finish(stop, events);
        Some(Answer {
            parts,
            stop,
            finish_reason: Some(reason),
            tokens: self.tokens,
            model: self.model.take(),
            cost_micros: None,
        })
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
