//! Ollama's own wire: lines of JSON, calls without ids whose arguments are objects.

use serde_json::{Value, json};

use super::{Chunk, Item, plain};
use crate::script::{Ending, Part, Reply};

pub(super) fn chunks(reply: &Reply, model: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let line = |value: Value| Chunk::Bytes(format!("{value}\n").into_bytes());
    let said = |mut message: Value| {
        message["role"] = json!("assistant");
        line(json!({ "model": model, "message": message, "done": false }))
    };
    for part in &reply.parts {
        match part {
            Part::Text(text) => chunks.push(said(json!({ "content": text }))),
            Part::Reasoning(text) => chunks.push(said(json!({ "content": "", "thinking": text }))),
            Part::Call { name, arguments } => {
                let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
                let call = json!({ "function": { "name": name, "arguments": arguments } });
                chunks.push(said(json!({ "content": "", "tool_calls": [call] })));
            }
            Part::Gate(gate) => chunks.push(Chunk::Gate(gate.clone())),
            Part::Error { message, .. } => {
                chunks.push(line(json!({ "error": message })));
                return chunks;
            }
        }
    }
    if reply.ending == Ending::Whole {
        let done = if reply.length_stop { "length" } else { "stop" };
        let read = reply.tokens.input + reply.tokens.cache_read + reply.tokens.cache_write;
        chunks.push(line(json!({
            "model": model, "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": done,
            "prompt_eval_count": read, "eval_count": reply.tokens.output,
        })));
    }
    chunks
}

/// A result belongs to the first open call of its tool.
pub(super) fn items(body: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    let mut open: Vec<(String, String)> = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let text = plain(&message["content"]);
        match message["role"].as_str() {
            Some("system") => items.push(Item::System(text)),
            Some("user") => items.push(Item::User(text)),
            Some("tool") => {
                let name = message["tool_name"].as_str().unwrap_or_default();
                let place = open.iter().position(|(of, _)| of == name);
                let id = place.map_or_else(|| format!("result of {name}"), |place| open.remove(place).1);
                items.push(Item::Result { id, text, is_error: false });
            }
            Some(_) | None => {
                if !text.is_empty() {
                    items.push(Item::Assistant(text));
                }
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let name = call["function"]["name"].as_str().unwrap_or_default().to_owned();
                    let id = format!("call_{}", items.len());
                    open.push((name.clone(), id.clone()));
                    items.push(Item::Call { id, name, arguments: call["function"]["arguments"].clone() });
                }
            }
        }
    }
    items
}
