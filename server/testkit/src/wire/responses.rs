//! OpenAI's responses: items with ids, each opened, filled and closed.

use serde_json::{Value, json};

use super::{Chunk, Item, halves, plain};
use crate::script::{Ending, Part, Reply};

pub(super) fn chunks(reply: &Reply, model: &str, first_call: usize) -> Vec<Chunk> {
    let id = format!("resp_{first_call}");
    let mut chunks = vec![Chunk::data(
        &json!({ "type": "response.created", "response": { "id": id, "model": model, "status": "in_progress" } }),
    )];
    let mut output = Vec::new();
    let mut calls = 0;
    // The item that is open: its kind and its text so far.
    let mut open: Option<(&str, String)> = None;
    let close = |chunks: &mut Vec<Chunk>, output: &mut Vec<Value>, open: &mut Option<(&str, String)>| {
        let Some((kind, text)) = open.take() else { return };
        let (index, id) = (output.len(), format!("item_{}", output.len()));
        let item = match kind {
            "message" => {
                json!({ "type": "message", "id": id, "role": "assistant", "status": "completed", "content": [{ "type": "output_text", "text": text, "annotations": [] }] })
            }
            _ => {
                json!({ "type": "reasoning", "id": id, "summary": [{ "type": "summary_text", "text": text }], "encrypted_content": "c2VhbGVk" })
            }
        };
        chunks.push(Chunk::data(
            &json!({ "type": "response.output_item.done", "output_index": index, "item": item }),
        ));
        output.push(item);
    };
    for part in &reply.parts {
        let (kind, text) = match part {
            Part::Text(text) => ("message", text),
            Part::Reasoning(text) => ("reasoning", text),
            Part::Call { name, arguments } => {
                close(&mut chunks, &mut output, &mut open);
                let index = output.len();
                let item = |arguments: &str| json!({ "type": "function_call", "id": format!("item_{index}"), "call_id": format!("call_{}", first_call + calls), "name": name, "arguments": arguments });
                chunks.push(Chunk::data(
                    &json!({ "type": "response.output_item.added", "output_index": index, "item": item("") }),
                ));
                for piece in halves(arguments) {
                    chunks.push(Chunk::data(&json!({ "type": "response.function_call_arguments.delta", "output_index": index, "item_id": format!("item_{index}"), "delta": piece })));
                }
                let whole = item(arguments);
                chunks.push(Chunk::data(
                    &json!({ "type": "response.output_item.done", "output_index": index, "item": whole }),
                ));
                output.push(whole);
                calls += 1;
                continue;
            }
            Part::Gate(gate) => {
                chunks.push(Chunk::Gate(gate.clone()));
                continue;
            }
            Part::Error { kind, message } => {
                chunks.push(Chunk::data(&json!({ "type": "error", "code": kind, "message": message })));
                return chunks;
            }
        };
        if open.as_ref().is_none_or(|(of, _)| *of != kind) {
            close(&mut chunks, &mut output, &mut open);
            let (index, id) = (output.len(), format!("item_{}", output.len()));
            let item = if kind == "message" {
                json!({ "type": kind, "id": id, "role": "assistant", "content": [] })
            } else {
                json!({ "type": kind, "id": id, "summary": [] })
            };
            chunks.push(Chunk::data(
                &json!({ "type": "response.output_item.added", "output_index": index, "item": item }),
            ));
            open = Some((kind, String::new()));
        }
        let event = if kind == "message" {
            "response.output_text.delta"
        } else {
            "response.reasoning_summary_text.delta"
        };
        let index = output.len();
        chunks.push(Chunk::data(&json!({ "type": event, "output_index": index, "item_id": format!("item_{index}"), "content_index": 0, "summary_index": 0, "delta": text })));
        if let Some((_, so_far)) = &mut open {
            so_far.push_str(text);
        }
    }
    if reply.ending == Ending::Whole {
        close(&mut chunks, &mut output, &mut open);
        let prompt = reply.tokens.input + reply.tokens.cache_read + reply.tokens.cache_write;
        let usage = json!({
            "input_tokens": prompt,
            "input_tokens_details": { "cached_tokens": reply.tokens.cache_read, "cache_write_tokens": reply.tokens.cache_write },
            "output_tokens": reply.tokens.output, "total_tokens": prompt + reply.tokens.output,
        });
        let status = if reply.length_stop { "incomplete" } else { "completed" };
        let why = reply.length_stop.then(|| json!({ "reason": "max_output_tokens" }));
        chunks.push(Chunk::data(&json!({ "type": format!("response.{status}"), "response": {
            "id": id, "model": model, "status": status, "incomplete_details": why, "output": output, "usage": usage,
        } })));
    }
    chunks
}

pub(super) fn items(body: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(text) = body["instructions"].as_str() {
        items.push(Item::System(text.to_owned()));
    }
    for item in body["input"].as_array().into_iter().flatten() {
        let field = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        match (item["type"].as_str(), item["role"].as_str()) {
            (Some("function_call"), _) => items.push(Item::Call {
                id: field("call_id"),
                name: field("name"),
                arguments: serde_json::from_str(&field("arguments")).unwrap_or_default(),
            }),
            (Some("function_call_output"), _) => {
                let text = plain(&item["output"]);
                items.push(Item::Result { id: field("call_id"), text, is_error: false });
            }
            (_, Some("user")) => items.push(Item::User(plain(&item["content"]))),
            (_, Some("assistant")) => items.push(Item::Assistant(plain(&item["content"]))),
            (_, Some(_)) => items.push(Item::System(plain(&item["content"]))),
            (_, None) => {}
        }
    }
    items
}
