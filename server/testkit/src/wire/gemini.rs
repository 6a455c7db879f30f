//! Google's Gemini: every event is a whole answer of its own, and a call comes in one piece.

use serde_json::{Value, json};

use super::{Chunk, Item, plain};
use crate::script::{Ending, Part, Reply};

pub(super) fn chunks(reply: &Reply, model: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let part = |part: Value| {
        Chunk::data(
            &json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": [part] } }], "modelVersion": model }),
        )
    };
    for piece in &reply.parts {
        match piece {
            Part::Text(text) => chunks.push(part(json!({ "text": text }))),
            Part::Reasoning(text) => chunks.push(part(json!({ "text": text, "thought": true }))),
            Part::Call { name, arguments } => {
                let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
                chunks.push(part(
                    json!({ "functionCall": { "name": name, "args": arguments }, "thoughtSignature": "c2lnbmVk" }),
                ));
            }
            Part::Gate(gate) => chunks.push(Chunk::Gate(gate.clone())),
            Part::Error { kind, message } => {
                chunks.push(Chunk::data(
                    &json!({ "error": { "code": 503, "status": kind, "message": message } }),
                ));
                return chunks;
            }
        }
    }
    if reply.ending == Ending::Whole {
        let finish = if reply.length_stop { "MAX_TOKENS" } else { "STOP" };
        let prompt = reply.tokens.input + reply.tokens.cache_read + reply.tokens.cache_write;
        chunks.push(Chunk::data(&json!({
            "candidates": [{ "index": 0, "content": { "role": "model", "parts": [] }, "finishReason": finish }],
            "modelVersion": model,
            "usageMetadata": {
                "promptTokenCount": prompt, "cachedContentTokenCount": reply.tokens.cache_read,
                "candidatesTokenCount": reply.tokens.output, "totalTokenCount": prompt + reply.tokens.output,
            },
        })));
    }
    chunks
}

/// Calls have no ids on this wire, so a result belongs to the first open call of its name.
pub(super) fn items(body: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    if !body["systemInstruction"].is_null() {
        items.push(Item::System(plain(&body["systemInstruction"]["parts"])));
    }
    let mut open: Vec<(String, String)> = Vec::new();
    let parts = body["contents"].as_array().into_iter().flatten();
    let parts = parts.flat_map(|content| {
        let user = content["role"] == "user";
        content["parts"].as_array().into_iter().flatten().map(move |part| (user, part))
    });
    for (user, part) in parts {
        let name = |of: &str| part[of]["name"].as_str().unwrap_or_default().to_owned();
        if part["functionCall"].is_object() {
            let (id, name) = (format!("call_{}", items.len()), name("functionCall"));
            open.push((name.clone(), id.clone()));
            items.push(Item::Call { id, name, arguments: part["functionCall"]["args"].clone() });
        } else if part["functionResponse"].is_object() {
            let name = name("functionResponse");
            let place = open.iter().position(|(of, _)| *of == name);
            let id = place.map_or_else(|| format!("result of {name}"), |place| open.remove(place).1);
            let response = &part["functionResponse"]["response"];
            let is_error = response.get("error").is_some();
            let text = plain(response.get("error").unwrap_or(&response["output"]));
            items.push(Item::Result { id, text, is_error });
        } else if let Some(text) = part["text"].as_str() {
            items.push(if user { Item::User(text.to_owned()) } else { Item::Assistant(text.to_owned()) });
        }
    }
    items
}
