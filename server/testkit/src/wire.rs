//! The wires of the model server: a reply as stream chunks, a request as a conversation.
//!
//! The conversation form is what tests look at, so one test serves every wire. It is also where the pairing of calls
//! and results is checked: a provider refuses a request in which either stands alone, and so does the model server. The
//! two wires that most tests speak are here, the others in their own modules.

mod bedrock;
mod gemini;
mod ollama;
mod responses;

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::launch::PLANTED;
use crate::script::{Ending, Gate, Part, Reply};

/// An API that the model server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Anthropic's messages.
    Messages,
    /// OpenAI's chat completions.
    ChatCompletions,
    /// OpenAI's responses.
    Responses,
    /// Google's Gemini.
    Gemini,
    /// Ollama's own.
    Ollama,
    /// Amazon Bedrock's Converse.
    Bedrock,
}

/// One item of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Instructions.
    System(String),
    /// Text of the user.
    User(String),
    /// Text of the model.
    Assistant(String),
    /// A call by the model.
    Call {
        /// The call's id.
        id: String,
        /// The tool.
        name: String,
        /// The arguments.
        arguments: Value,
    },
    /// The result of a call.
    Result {
        /// The call's id.
        id: String,
        /// The text.
        text: String,
        /// Whether it is marked as an error; the chat-completions wire has no such mark.
        is_error: bool,
    },
}

/// A piece of a response as it is written.
pub(crate) enum Chunk {
    Bytes(Vec<u8>),
    Gate(Gate),
}

impl Chunk {
    /// An event of a stream without a name.
    fn data(value: &Value) -> Chunk {
        Chunk::Bytes(format!("data: {value}\n\n").into_bytes())
    }
}

impl Wire {
    /// The model that tests use on this wire, as the settings name it.
    pub fn model(self) -> &'static str {
        match self {
            Wire::Messages => "anthropic/claude-sonnet-4-5",
            Wire::ChatCompletions => "openai/gpt-4o",
            Wire::Responses => "openai/gpt-5.4",
            Wire::Gemini => "google/gemini-3.8-flash",
            Wire::Ollama => "ollama/qwen3:8b",
            Wire::Bedrock => "amazon-bedrock/us.amazon.nova-pro-v1:0",
        }
    }

    /// The variables that send the provider of this wire to a server: a planted key, and the base URL as its SDK has it.
    pub fn environment(self, address: &str) -> Vec<(String, String)> {
        let [(anthropic, first), (openai, second), _] = PLANTED;
        let pairs = match self {
            Wire::Messages => [(anthropic, first.to_owned()), ("ANTHROPIC_BASE_URL", address.to_owned())],
            Wire::ChatCompletions | Wire::Responses => {
                [(openai, second.to_owned()), ("OPENAI_BASE_URL", format!("{address}/v1"))]
            }
            Wire::Gemini => [
                ("GEMINI_API_KEY", second.to_owned()),
                ("GOOGLE_GEMINI_BASE_URL", format!("{address}/v1beta")),
            ],
            Wire::Ollama => [("OLLAMA_API_KEY", second.to_owned()), ("OLLAMA_BASE_URL", address.to_owned())],
            Wire::Bedrock => [
                ("AWS_BEARER_TOKEN_BEDROCK", second.to_owned()),
                ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", address.to_owned()),
            ],
        };
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The two wires that every server speaks.
    pub fn all() -> [Wire; 2] {
        [Wire::Messages, Wire::ChatCompletions]
    }

    pub(crate) fn of_path(path: &str) -> Option<Wire> {
        match path {
            "/v1/messages" => Some(Wire::Messages),
            "/v1/chat/completions" => Some(Wire::ChatCompletions),
            _ => None,
        }
    }

    /// The wire of a path of any provider.
    pub(crate) fn of_any_path(path: &str) -> Option<Wire> {
        let ends = [
            ("/messages", Wire::Messages),
            (":streamRawPredict", Wire::Messages),
            ("/chat/completions", Wire::ChatCompletions),
            ("/responses", Wire::Responses),
            (":streamGenerateContent", Wire::Gemini),
            ("/api/chat", Wire::Ollama),
            ("/converse-stream", Wire::Bedrock),
        ];
        ends.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, wire)| wire)
    }

    /// The type of a streamed answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Wire::Messages | Wire::ChatCompletions | Wire::Responses | Wire::Gemini => "text/event-stream",
            Wire::Ollama => "application/x-ndjson",
            Wire::Bedrock => "application/vnd.amazon.eventstream",
        }
    }

    /// The body of an HTTP error.
    pub(crate) fn error_body(self, status: u16, message: &str) -> String {
        let kind = match status {
            401 => "authentication_error",
            429 => "rate_limit_error",
            400 => "invalid_request_error",
            _ => "api_error",
        };
        match self {
            Wire::Messages => json!({ "type": "error", "error": { "type": kind, "message": message } }),
            Wire::Gemini => json!({ "error": { "code": status, "message": message, "status": kind } }),
            Wire::Ollama => json!({ "error": message }),
            Wire::Bedrock => json!({ "message": message }),
            Wire::ChatCompletions | Wire::Responses => {
                let code = message.starts_with("prompt is too long").then_some("context_length_exceeded");
                json!({ "error": { "message": message, "type": kind, "code": code } })
            }
        }
        .to_string()
    }

    /// The stream of a reply. `first_call` makes the ids of its calls unique.
    pub(crate) fn chunks(self, reply: &Reply, model: &str, first_call: usize) -> Vec<Chunk> {
        match self {
            Wire::Messages => messages_chunks(reply, model, first_call),
            Wire::ChatCompletions => chat_chunks(reply, model, first_call),
            Wire::Responses => responses::chunks(reply, model, first_call),
            Wire::Gemini => gemini::chunks(reply, model),
            Wire::Ollama => ollama::chunks(reply, model),
            Wire::Bedrock => bedrock::chunks(reply, first_call),
        }
    }

    /// The conversation in a request.
    pub(crate) fn items(self, body: &Value) -> Vec<Item> {
        match self {
            Wire::Messages => messages_items(body),
            Wire::ChatCompletions => chat_items(body),
            Wire::Responses => responses::items(body),
            Wire::Gemini => gemini::items(body),
            Wire::Ollama => ollama::items(body),
            Wire::Bedrock => bedrock::items(body),
        }
    }
}

/// What is wrong with the pairing of calls and results, if anything.
pub(crate) fn orphans(items: &[Item]) -> Option<String> {
    let mut open: HashSet<&str> = HashSet::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for item in items {
        match item {
            Item::Call { id, .. } => {
                if !seen.insert(id) {
                    return Some(format!("call {id} appears twice"));
                }
                open.insert(id);
            }
            Item::Result { id, .. } => {
                if !open.remove(id.as_str()) {
                    return Some(format!("result {id} has no open call"));
                }
            }
            Item::User(_) | Item::Assistant(_) | Item::System(_) => {
                // A provider wants all results directly after the message with the calls; text of the same
                // assistant message may stand among its calls.
                if !open.is_empty() && !matches!(item, Item::Assistant(_)) {
                    return Some(format!("calls {open:?} have no result before the next message"));
                }
            }
        }
    }
    (!open.is_empty()).then(|| format!("calls {open:?} have no result"))
}

fn halves(text: &str) -> [&str; 2] {
    let middle =
        (text.len() / 2..=text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len());
    let (first, second) = text.split_at(middle);
    [first, second]
}

fn messages_chunks(reply: &Reply, model: &str, first_call: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let event = |chunks: &mut Vec<Chunk>, value: Value| {
        let name = value["type"].as_str().unwrap_or_default();
        chunks.push(Chunk::Bytes(format!("event: {name}\ndata: {value}\n\n").into_bytes()));
    };
    let usage = json!({
        "input_tokens": reply.tokens.input,
        "cache_creation_input_tokens": reply.tokens.cache_write,
        "cache_read_input_tokens": reply.tokens.cache_read,
        "output_tokens": 1,
    });
    event(
        &mut chunks,
        json!({ "type": "message_start", "message": {
        "id": format!("msg_{first_call}"), "type": "message", "role": "assistant", "model": model,
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
    } }),
    );
    event(&mut chunks, json!({ "type": "ping" }));
    let mut index = 0;
    let mut open: Option<&str> = None;
    let mut calls = 0;
    let close = |chunks: &mut Vec<Chunk>, open: &mut Option<&str>, index: &mut usize| {
        if open.take().is_some() {
            event(chunks, json!({ "type": "content_block_stop", "index": *index }));
            *index += 1;
        }
    };
    for part in &reply.parts {
        match part {
            Part::Text(text) => {
                if open != Some("text") {
                    close(&mut chunks, &mut open, &mut index);
                    open = Some("text");
                    event(
                        &mut chunks,
                        json!({ "type": "content_block_start", "index": index, "content_block": { "type": "text", "text": "" } }),
                    );
                }
                event(
                    &mut chunks,
                    json!({ "type": "content_block_delta", "index": index, "delta": { "type": "text_delta", "text": text } }),
                );
            }
            Part::Reasoning(text) => {
                if open != Some("thinking") {
                    close(&mut chunks, &mut open, &mut index);
                    open = Some("thinking");
                    event(
                        &mut chunks,
                        json!({ "type": "content_block_start", "index": index, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
                    );
                }
                event(
                    &mut chunks,
                    json!({ "type": "content_block_delta", "index": index, "delta": { "type": "thinking_delta", "thinking": text } }),
                );
                event(
                    &mut chunks,
                    json!({ "type": "content_block_delta", "index": index, "delta": { "type": "signature_delta", "signature": "c2lnbmVk" } }),
                );
            }
            Part::Call { name, arguments } => {
                close(&mut chunks, &mut open, &mut index);
                let id = format!("toolu_{}", first_call + calls);
                calls += 1;
                event(
                    &mut chunks,
                    json!({ "type": "content_block_start", "index": index, "content_block": { "type": "tool_use", "id": id, "name": name, "input": {} } }),
                );
                for piece in halves(arguments) {
                    event(
                        &mut chunks,
                        json!({ "type": "content_block_delta", "index": index, "delta": { "type": "input_json_delta", "partial_json": piece } }),
                    );
                }
                open = Some("tool_use");
                close(&mut chunks, &mut open, &mut index);
            }
            Part::Gate(gate) => chunks.push(Chunk::Gate(gate.clone())),
            Part::Error { kind, message } => {
                event(&mut chunks, json!({ "type": "error", "error": { "type": kind, "message": message } }));
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
        event(
            &mut chunks,
            json!({ "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null }, "usage": { "output_tokens": reply.tokens.output } }),
        );
        event(&mut chunks, json!({ "type": "message_stop" }));
    }
    chunks
}

fn chat_chunks(reply: &Reply, model: &str, first_call: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let id = format!("chatcmpl-{first_call}");
    let chunk = |choices: Value, usage: Value| {
        let value = json!({ "id": id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model, "choices": choices, "usage": usage });
        Chunk::data(&value)
    };
    let delta =
        |delta: Value| chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), Value::Null);
    chunks.push(delta(json!({ "role": "assistant", "content": "" })));
    let mut calls = 0;
    for part in &reply.parts {
        match part {
            Part::Text(text) => chunks.push(delta(json!({ "content": text }))),
            Part::Reasoning(text) => chunks.push(delta(json!({ "reasoning_content": text }))),
            Part::Call { name, arguments } => {
                let id = format!("call_{}", first_call + calls);
                chunks.push(delta(json!({ "tool_calls": [{ "index": calls, "id": id, "type": "function", "function": { "name": name, "arguments": "" } }] })));
                for piece in halves(arguments) {
                    chunks.push(delta(
                        json!({ "tool_calls": [{ "index": calls, "function": { "arguments": piece } }] }),
                    ));
                }
                calls += 1;
            }
            Part::Gate(gate) => chunks.push(Chunk::Gate(gate.clone())),
            Part::Error { kind, message } => {
                chunks.push(Chunk::data(&json!({ "error": { "type": kind, "message": message } })));
                return chunks;
            }
        }
    }
    if reply.ending == Ending::Whole {
        let finish = match (reply.length_stop, calls) {
            (true, _) => "length",
            (false, 0) => "stop",
            (false, _) => "tool_calls",
        };
        chunks.push(chunk(json!([{ "index": 0, "delta": {}, "finish_reason": finish }]), Value::Null));
        let prompt = reply.tokens.input + reply.tokens.cache_read + reply.tokens.cache_write;
        chunks.push(chunk(
            json!([]),
            json!({
                "prompt_tokens": prompt,
                "completion_tokens": reply.tokens.output,
                "total_tokens": prompt + reply.tokens.output,
                "prompt_tokens_details": { "cached_tokens": reply.tokens.cache_read },
            }),
        ));
        chunks.push(Chunk::Bytes("data: [DONE]\n\n".into()));
    }
    chunks
}

/// The text of a string or of an array of text parts.
fn plain(value: &Value) -> String {
    match value.as_array() {
        Some(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        None => value.as_str().unwrap_or_default().to_owned(),
    }
}

fn messages_items(body: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    if !body["system"].is_null() {
        items.push(Item::System(plain(&body["system"])));
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        let user = message["role"] == "user";
        let text = |text: String| if user { Item::User(text) } else { Item::Assistant(text) };
        let Some(blocks) = message["content"].as_array() else {
            items.push(text(plain(&message["content"])));
            continue;
        };
        for block in blocks {
            let field = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
            match block["type"].as_str() {
                Some("text") => items.push(text(field("text"))),
                Some("tool_use") => {
                    items.push(Item::Call {
                        id: field("id"),
                        name: field("name"),
                        arguments: block["input"].clone(),
                    });
                }
                Some("tool_result") => items.push(Item::Result {
                    id: field("tool_use_id"),
                    text: plain(&block["content"]),
                    is_error: block["is_error"] == true,
                }),
                Some(_) | None => {}
            }
        }
    }
    items
}

fn chat_items(body: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let text = plain(&message["content"]);
        match message["role"].as_str() {
            Some("system" | "developer") => items.push(Item::System(text)),
            Some("user") => items.push(Item::User(text)),
            Some("tool") => items.push(Item::Result {
                id: message["tool_call_id"].as_str().unwrap_or_default().to_owned(),
                text,
                is_error: false,
            }),
            Some(_) | None => {
                if !text.is_empty() {
                    items.push(Item::Assistant(text));
                }
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
                    items.push(Item::Call {
                        id: call["id"].as_str().unwrap_or_default().to_owned(),
                        name: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
                        arguments: serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments)),
                    });
                }
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> Item {
        Item::Call { id: id.into(), name: "read".into(), arguments: json!({}) }
    }

    fn result(id: &str) -> Item {
        Item::Result { id: id.into(), text: String::new(), is_error: false }
    }

    #[test]
    fn calls_and_results_must_pair() {
        let user = || Item::User("go".into());
        assert_eq!(orphans(&[user(), call("a"), call("b"), result("b"), result("a"), user()]), None);
        assert_eq!(orphans(&[user(), result("a")]), Some("result a has no open call".into()));
        assert_eq!(orphans(&[call("a")]), Some(r#"calls {"a"} have no result"#.into()));
        assert_eq!(
            orphans(&[call("a"), user(), result("a")]),
            Some(r#"calls {"a"} have no result before the next message"#.into())
        );
        assert_eq!(orphans(&[call("a"), result("a"), result("a")]), Some("result a has no open call".into()));
    }

    #[test]
    fn both_wires_give_the_same_conversation() {
        let messages = json!({ "system": [{ "type": "text", "text": "be brief" }], "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "go" }] },
            { "role": "assistant", "content": [{ "type": "text", "text": "ok" }, { "type": "tool_use", "id": "1", "name": "ls", "input": { "path": "." } }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "1", "content": "a.rs" }] },
        ] });
        let chat = json!({ "messages": [
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": "go" },
            { "role": "assistant", "content": "ok", "tool_calls": [{ "id": "1", "function": { "name": "ls", "arguments": "{\"path\":\".\"}" } }] },
            { "role": "tool", "tool_call_id": "1", "content": "a.rs" },
        ] });
        assert_eq!(Wire::Messages.items(&messages), Wire::ChatCompletions.items(&chat));
    }
}
