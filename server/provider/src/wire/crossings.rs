//! Histories that cross from wire to wire: whatever the parts of a conversation came from, every wire gets a body that
//! its provider accepts. The rules checked here are the providers' own.

use std::collections::BTreeSet;

use kit_protocol::{Message, ReasoningPart, Role};
use proptest::prelude::*;

use super::chat::Quirks;
use super::fixtures::{assistant, call, image, request, results, signed, target, text, truncated, user};
use super::seal::Seal;
use super::*;

/// The wires, each with a model that speaks it.
const WIRES: [(Wire, &str, &str); 7] = [
    (Wire::Messages, "anthropic", "claude-sonnet-4-5"),
    (Wire::ChatCompletions(Quirks::COMMON), "nobody", "m"),
    (Wire::Responses, "openai", "gpt-5.4"),
    (Wire::Gemini, "google", "gemini-3.8-flash"),
    (Wire::Ollama, "ollama", "m"),
    (Wire::Converse, "nobody", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (Wire::VertexMessages, "google-vertex", "claude-sonnet-4-5@20250929"),
];

fn sealed(encrypted: String) -> Part {
    Part::Reasoning(ReasoningPart { encrypted: Some(encrypted), ..ReasoningPart::default() })
}

fn part() -> impl Strategy<Value = Part> {
    let responses = Seal::Responses {
        model: "gpt-5.4".into(),
        encrypted_content: Some("e".into()),
        summary: Value::Null,
        phase: Some("commentary".into()),
    };
    let gemini = |alone| Seal::Gemini { model: "gemini-3.8-flash".into(), signature: "s".into(), alone };
    prop_oneof![
        "[a ]{0,2}".prop_map(|content| text(&content)),
        "[abc.]".prop_map(|id| call(&id, "read", "{}")),
        "[abc.]".prop_map(|id| truncated(&id, "read", "{")),
        "[abc.]".prop_map(|id| results(&[(&id, "x", false)]).parts.remove(0)),
        Just(image()),
        Just(signed("hm", "sig")),
        Just(sealed("c2VjcmV0".into())),
        Just(sealed("[{\"type\":\"reasoning.text\"}]".into())),
        Just(sealed(responses.text())),
        Just(sealed(gemini(false).text())),
        Just(sealed(gemini(true).text())),
    ]
}

fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant), Just(Role::Tool), Just(Role::System)];
    let message =
        (role, prop::collection::vec(part(), 0..5)).prop_map(|(role, parts)| Message { role, parts });
    prop::collection::vec(message, 0..8)
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn strings(values: &[Value], kind: &str, id: &str) -> Vec<String> {
    let of_kind = values.iter().filter(|value| value["type"] == kind);
    of_kind.filter_map(|value| value[id].as_str().map(str::to_owned)).collect()
}

/// What is wrong with the body, if anything.
fn check(wire: Wire, body: &Value) -> Result<(), String> {
    match wire {
        Wire::Messages | Wire::VertexMessages => check_messages(list(body, "messages")),
        Wire::ChatCompletions(_) => check_chat(list(body, "messages")),
        Wire::Responses => check_responses(list(body, "input")),
        Wire::Gemini => check_gemini(list(body, "contents")),
        Wire::Ollama => check_ollama(list(body, "messages")),
        Wire::Converse => check_converse(list(body, "messages")),
    }
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn check_messages(messages: &[Value]) -> Result<(), String> {
    let mut open = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let blocks = list(message, "content");
        ensure(!blocks.is_empty(), "an empty message")?;
        ensure(message["role"] == ["user", "assistant"][index % 2], "roles do not alternate")?;
        let results = strings(blocks, "tool_result", "tool_use_id");
        ensure(results == open, "results are not those of the calls before")?;
        let first = blocks.iter().take(results.len());
        ensure(first.clone().all(|block| block["type"] == "tool_result"), "results do not come first")?;
        let mut texts = blocks.iter().filter(|block| block["type"] == "text");
        ensure(
            texts.all(|text| text["text"].as_str().is_some_and(|text| !text.is_empty())),
            "an empty text",
        )?;
        let mut redacted = blocks.iter().filter(|block| block["type"] == "redacted_thinking");
        ensure(redacted.all(|block| block["data"] == "c2VjcmV0"), "data of another wire")?;
        open = strings(blocks, "tool_use", "id");
        // A conversation of more than one call with one id is answered in the same order.
        let unique: BTreeSet<&String> = open.iter().collect();
        ensure(unique.iter().all(|id| !id.contains('.')), "an id that is refused")?;
    }
    ensure(open.is_empty(), "a call without result")
}

fn check_chat(messages: &[Value]) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    for message in messages {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            ensure(open.first().is_some_and(|first| first == id), "a result without call")?;
            open.remove(0);
        } else {
            ensure(open.is_empty(), "a call without result")?;
            let calls = list(message, "tool_calls").iter();
            open = calls.filter_map(|call| call["id"].as_str().map(str::to_owned)).collect();
            let has_content = message["content"].is_string() || message["content"].is_array();
            ensure(has_content || !open.is_empty(), "an empty message")?;
        }
    }
    ensure(open.is_empty(), "a call without result")
}

fn check_responses(items: &[Value]) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    for item in items {
        let id = item["call_id"].as_str().unwrap_or_default().to_owned();
        match item["type"].as_str().unwrap_or_default() {
            "function_call" => open.push(id),
            "function_call_output" => {
                ensure(open.first() == Some(&id), "a result without call")?;
                open.remove(0);
            }
            "message" => {
                ensure(!list(item, "content").is_empty(), "an empty message")?;
                ensure(open.is_empty() || item["role"] == "assistant", "a call without result")?;
            }
            "reasoning" => {
                ensure(item["encrypted_content"] == "e" && item["summary"].is_array(), "foreign reasoning")?
            }
            other => return Err(format!("an item of type {other}")),
        }
        ensure(item.get("id").is_none(), "an id that the provider does not know")?;
    }
    ensure(open.is_empty(), "a call without result")
}

fn check_gemini(contents: &[Value]) -> Result<(), String> {
    let mut open = 0;
    for content in contents {
        let parts = list(content, "parts");
        ensure(!parts.is_empty(), "an empty content")?;
        let responses = parts.iter().filter(|part| part.get("functionResponse").is_some()).count();
        ensure(responses == open, "not as many responses as calls")?;
        ensure(responses == 0 || responses == parts.len(), "responses between other parts")?;
        let calls: Vec<&Value> = parts.iter().filter(|part| part.get("functionCall").is_some()).collect();
        let signed = calls.first().is_none_or(|call| call.get("thoughtSignature").is_some());
        ensure(signed, "the first call of a step without signature")?;
        open = calls.len();
    }
    ensure(open == 0, "a call without response")
}

fn check_ollama(messages: &[Value]) -> Result<(), String> {
    let mut open = 0;
    for message in messages {
        if message["role"] == "tool" {
            ensure(open > 0, "a result without call")?;
            open -= 1;
        } else {
            ensure(open == 0, "a call without result")?;
            open = list(message, "tool_calls").len();
        }
        ensure(message["content"].is_string(), "a message without text")?;
    }
    ensure(open == 0, "a call without result")
}

fn check_converse(messages: &[Value]) -> Result<(), String> {
    let ids = |blocks: &[Value], kind: &str| -> Vec<String> {
        let of_kind = blocks.iter().filter_map(|block| block[kind]["toolUseId"].as_str());
        of_kind.map(str::to_owned).collect()
    };
    let mut open = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let blocks = list(message, "content");
        let said = blocks.iter().filter(|block| block.get("cachePoint").is_none());
        ensure(said.count() > 0, "an empty message")?;
        ensure(message["role"] == ["user", "assistant"][index % 2], "roles do not alternate")?;
        ensure(ids(blocks, "toolResult") == open, "results are not those of the calls before")?;
        let mut texts = blocks.iter().filter_map(|block| block["text"].as_str());
        ensure(texts.all(|text| !text.is_empty()), "an empty text")?;
        open = ids(blocks, "toolUse");
    }
    ensure(open.is_empty(), "a call without result")
}

proptest! {
    #[test]
    fn every_wire_accepts_every_history(messages in conversation()) {
        let request = request(messages);
        for (wire, provider, name) in WIRES {
            let body = wire.body(&request, target(provider, name));
            let checked = check(wire, &body);
            prop_assert!(checked.is_ok(), "{wire:?}: {checked:?} in {body}");
        }
    }
}

#[test]
fn the_rules_are_broken_by_a_broken_body() {
    let broken =
        serde_json::json!([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]);
    assert!(check_messages(list(&serde_json::json!({ "m": broken }), "m")).is_err());
    let request =
        request(vec![user("go"), assistant(vec![call("a", "ls", "{}")]), results(&[("a", "x", false)])]);
    for (wire, provider, name) in WIRES {
        let mut body = wire.body(&request, target(provider, name));
        for field in ["messages", "input", "contents"] {
            if let Some(items) = body.get_mut(field).and_then(Value::as_array_mut) {
                items.pop();
            }
        }
        assert!(check(wire, &body).is_err(), "{wire:?}");
    }
}
