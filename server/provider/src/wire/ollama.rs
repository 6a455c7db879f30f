//! Ollama's own protocol: lines of JSON, calls with their arguments as objects and without ids.
//!
//! It is the only way to set the size of the context, and without that Ollama silently drops the beginning of a long
//! conversation. The size grows in doublings, because each change loads the model anew, and the answer's own count of the
//! prompt shows whether something was dropped all the same.

mod request;

use kit_protocol::StopReason;
use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::{Adapter, Answer, CallIds, Failure, Flow};
use crate::model::ModelEvent;
use crate::usage::TokenCounts;

pub(super) use request::{Size, body};

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    draft: Draft,
    size: Size,
    tokens: TokenCounts,
    model: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    model: Option<String>,
    message: Option<Message>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Value>,
}

impl Reader {
    pub(super) fn new(ids: CallIds, size: Size) -> Self {
        Self {
            draft: Draft::new(ids),
            size,
            tokens: TokenCounts::default(),
            model: None,
            finish_reason: None,
        }
    }

    fn message(&mut self, message: Message, events: &mut Vec<ModelEvent>) {
        if let Some(thinking) = message.thinking.filter(|text| !text.is_empty()) {
            let at = self.draft.current_reasoning();
            self.draft.append(at, &thinking, events);
        }
        if let Some(text) = message.content.filter(|text| !text.is_empty()) {
            let at = self.draft.current_text();
            self.draft.append(at, &text, events);
        }
        for call in message.tool_calls.unwrap_or_default() {
            let Some(function) = call.function else { continue };
            let at = self.draft.open_call(call.id.as_deref(), &function.name.unwrap_or_default(), events);
            let arguments = match function.arguments {
                Some(Value::String(text)) => text,
                Some(Value::Null) | None => "{}".to_owned(),
                Some(value) => value.to_string(),
            };
            self.draft.append(at, &arguments, events);
            self.draft.close(at, events);
        }
    }
}

impl Adapter for Reader {
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        let line: Line = serde_json::from_str(data).map_err(|error| Failure::Malformed(error.to_string()))?;
        if let Some(error) = line.error.filter(|error| !error.is_null()) {
            return Err(Failure::Reported(error));
        }
        self.model = line.model.filter(|model| !model.is_empty()).or(self.model.take());
        if let Some(message) = line.message {
            self.message(message, events);
        }
        if !line.done {
            return Ok(Flow::More);
        }
        self.tokens = TokenCounts {
            input: line.prompt_eval_count.unwrap_or_default(),
            output: line.eval_count.unwrap_or_default(),
            ..TokenCounts::default()
        };
        events.push(ModelEvent::Usage(self.tokens));
        if self.size.was_cut(self.tokens.input) {
            let message = format!(
                "the server read {} tokens only, because its context holds {}",
                self.tokens.input, self.size.context
            );
            let report = serde_json::json!({"code": "context_length_exceeded", "message": message});
            return Err(Failure::Reported(report));
        }
        self.finish_reason = Some(line.done_reason.unwrap_or_else(|| "stop".to_owned()));
        Ok(Flow::Done)
    }

    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer> {
        let stop = match self.finish_reason.as_deref()? {
            "stop" | "load" | "unload" => StopReason::EndTurn,
            "length" => StopReason::MaxTokens,
            _ => StopReason::Error,
        };
        let (parts, stop) = self.draft.finish(stop, events);
        Some(Answer {
            parts,
            stop,
            finish_reason: self.finish_reason.take(),
            tokens: self.tokens,
            model: self.model.take(),
            cost_micros: None,
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
