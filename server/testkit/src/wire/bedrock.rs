//! Amazon Bedrock's Converse: binary messages with headers and two checksums, which are made here without the code that
//! is under test.

use serde_json::{Value, json};

use super::{Chunk, Item, halves, plain};
use crate::script::{Ending, Part, Reply};

pub(super) fn chunks(reply: &Reply, first_call: usize) -> Vec<Chunk> {
    let mut chunks = vec![event("messageStart", &json!({ "role": "assistant" }))];
    let mut index = 0;
    let mut calls = 0;
    let mut open: Option<&str> = None;
    let close = |chunks: &mut Vec<Chunk>, open: &mut Option<&str>, index: &mut usize| {
        if open.take().is_some() {
            chunks.push(event("contentBlockStop", &json!({ "contentBlockIndex": *index })));
            *index += 1;
        }
    };
    for part in &reply.parts {
        let delta = |index: usize, delta: Value| {
            event("contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta }))
        };
        match part {
            Part::Text(text) => {
                if open != Some("text") {
                    close(&mut chunks, &mut open, &mut index);
                    open = Some("text");
                }
                chunks.push(delta(index, json!({ "text": text })));
            }
            Part::Reasoning(text) => {
                if open != Some("reasoning") {
                    close(&mut chunks, &mut open, &mut index);
                    open = Some("reasoning");
                }
                chunks.push(delta(index, json!({ "reasoningContent": { "text": text } })));
                chunks.push(delta(index, json!({ "reasoningContent": { "signature": "c2lnbmVk" } })));
            }
            Part::Call { name, arguments } => {
                close(&mut chunks, &mut open, &mut index);
                let start = json!({ "toolUse": { "toolUseId": format!("tooluse_{}", first_call + calls), "name": name } });
                chunks
                    .push(event("contentBlockStart", &json!({ "contentBlockIndex": index, "start": start })));
                for piece in halves(arguments) {
                    chunks.push(delta(index, json!({ "toolUse": { "input": piece } })));
                }
                open = Some("call");
                close(&mut chunks, &mut open, &mut index);
                calls += 1;
            }
            Part::Gate(gate) => chunks.push(Chunk::Gate(gate.clone())),
            Part::Error { kind, message } => {
                let headers = [(":message-type", "exception"), (":exception-type", kind)];
                chunks.push(message_of(&headers, &json!({ "message": message })));
                return chunks;
            }
        }
    }
    if reply.ending == Ending::Whole {
        close(&mut chunks, &mut open, &mut index);
        let stop = match (reply.length_stop, calls) {
            (true, _) => "max_tokens",
            (false, 0) => "end_turn",
            (false, _) => "tool_use",
        };
        chunks.push(event("messageStop", &json!({ "stopReason": stop })));
        let tokens = reply.tokens;
        chunks.push(event(
            "metadata",
            &json!({ "usage": {
                "inputTokens": tokens.input, "outputTokens": tokens.output,
                "cacheReadInputTokens": tokens.cache_read, "cacheWriteInputTokens": tokens.cache_write,
            } }),
        ));
    }
    chunks
}

fn event(name: &str, payload: &Value) -> Chunk {
    message_of(
        &[(":message-type", "event"), (":event-type", name), (":content-type", "application/json")],
        payload,
    )
}

fn message_of(headers: &[(&str, &str)], payload: &Value) -> Chunk {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).expect("a short name"));
        head.extend(name.as_bytes());
        // A text with its length.
        head.push(7);
        head.extend(u16::try_from(value.len()).expect("a short value").to_be_bytes());
        head.extend(value.as_bytes());
    }
    let payload = payload.to_string();
    let length = |length: usize| u32::try_from(length).expect("a small message").to_be_bytes();
    let mut message = Vec::new();
    message.extend(length(16 + head.len() + payload.len()));
    message.extend(length(head.len()));
    message.extend(checksum(&message).to_be_bytes());
    message.extend(head);
    message.extend(payload.as_bytes());
    message.extend(checksum(&message).to_be_bytes());
    Chunk::Bytes(message)
}

/// CRC-32 as in zip files, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let rest = bytes.iter().fold(u32::MAX, |rest, byte| {
        (0..8).fold(
            rest ^ u32::from(*byte),
            |rest, _| if rest & 1 == 1 { rest >> 1 ^ 0xEDB8_8320 } else { rest >> 1 },
        )
    });
    !rest
}

pub(super) fn items(body: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    if !body["system"].is_null() {
        items.push(Item::System(plain(&body["system"])));
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        let user = message["role"] == "user";
        for block in message["content"].as_array().into_iter().flatten() {
            let field = |of: &str, name: &str| block[of][name].as_str().unwrap_or_default().to_owned();
            if let Some(text) = block["text"].as_str() {
                items.push(if user { Item::User(text.to_owned()) } else { Item::Assistant(text.to_owned()) });
            } else if block["toolUse"].is_object() {
                items.push(Item::Call {
                    id: field("toolUse", "toolUseId"),
                    name: field("toolUse", "name"),
                    arguments: block["toolUse"]["input"].clone(),
                });
            } else if block["toolResult"].is_object() {
                items.push(Item::Result {
                    id: field("toolResult", "toolUseId"),
                    text: plain(&block["toolResult"]["content"]),
                    is_error: block["toolResult"]["status"] == "error",
                });
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }
}
