//! Histories that cross from wire to wire: whatever the parts of a conversation came from, every wire gets a body that
//! its provider accepts. The rules checked here are the providers' own.

use std::collections::BTreeSet;

use kit_protocol::{Message, ReasoningPart, Role};
use proptest::prelude::*;
use serde_json::json;

use super::chat::Quirks;
use super::fixtures::{
    assistant, call, image, medium, request, results, shown, signed, target, text, truncated, user,
};
use super::history::{Carriage, Turn, UserContent, turns};
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
        ("[abc.]", any::<bool>()).prop_map(|(id, failed)| results(&[(&id, "x", failed)]).parts.remove(0)),
        Just(image()),
        Just(medium("application/pdf")),
        Just(medium("audio/wav")),
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
        let mut failed = first.clone().filter(|block| block["is_error"] == true);
        ensure(failed.all(|block| !block["content"].is_array()), "a failed result with more than text")?;
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
            ensure(message["content"].is_string(), "a result with more than text")?;
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
            ensure(message.get("images").is_none(), "a result with more than text")?;
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
        let mut failed = blocks.iter().filter(|block| block["toolResult"]["status"] == "error");
        let text_alone = |block: &Value| list(&block["toolResult"], "content").len() == 1;
        ensure(failed.all(text_alone), "a failed result with more than text")?;
        let mut texts = blocks.iter().filter_map(|block| block["text"].as_str());
        ensure(texts.all(|text| !text.is_empty()), "an empty text")?;
        open = ids(blocks, "toolUse");
    }
    ensure(open.is_empty(), "a call without result")
}

/// How many media a body sends, and how many it names.
fn told(body: &Value) -> (usize, usize) {
    let body = body.to_string();
    (body.matches("AAAA").count(), body.matches(" was attached here, but ").count())
}

/// The media of a conversation that a model is to know of: the user's, and those of results that answer a call.
fn media(messages: &[Message]) -> usize {
    let of_turn = |turn: &Turn<'_>| match turn {
        Turn::User { results, content } => {
            let own = content.iter().filter(|part| matches!(part, UserContent::Image(_))).count();
            own + results.iter().map(|result| result.media.len()).sum::<usize>()
        }
        Turn::Assistant(_) => 0,
    };
    turns(messages, |_, _| Carriage::InPlace).iter().map(of_turn).sum()
}

proptest! {
    #[test]
    fn every_wire_accepts_every_history(messages in conversation()) {
        let media = media(&messages);
        let request = request(messages);
        for (wire, provider, name) in WIRES {
            let target = target(provider, name);
            let body = wire.body(&request, target);
            let checked = check(wire, &body);
            prop_assert!(checked.is_ok(), "{wire:?}: {checked:?} in {body}");
            let (sent, named) = told(&body);
            prop_assert_eq!(sent + named, media, "{:?}: {}", wire, body);
            let blind = Target { plain: Plain { images: true, ..Plain::default() }, ..target };
            let body = wire.body(&request, blind);
            prop_assert!(check(wire, &body).is_ok(), "{wire:?}: {body}");
            prop_assert_eq!(told(&body), (0, media), "{:?}: {}", wire, body);
        }
    }
}

/// Where each wire has the image, the PDF and the sound of a result.
#[test]
fn media_of_results_stand_where_each_wire_takes_them() {
    let kinds = ["image/png", "application/pdf", "audio/wav"];
    let request =
        request(vec![user("go"), assistant(vec![call("a", "read", "{}")]), shown("a", "x", false, &kinds)]);
    let at = |number: usize, pointer: &str| {
        let (wire, provider, name) = WIRES[number];
        wire.body(&request, target(provider, name)).pointer(pointer).cloned().unwrap_or_default()
    };
    let deaf = "(A sound was attached here, but this model does not take sounds.)";
    let text = format!("x\n{deaf}");
    let intro = "(Attached by result of the tool read:)";
    let source = |media_type: &str| json!({"type": "base64", "media_type": media_type, "data": "AAAA"});
    let url = |media_type: &str| format!("data:{media_type};base64,AAAA");

    let blocks = json!([
        {"type": "text", "text": text},
        {"type": "image", "source": source("image/png")},
        {"type": "document", "source": source("application/pdf")},
    ]);
    assert_eq!(at(0, "/messages/2/content/0/content"), blocks);
    assert_eq!(at(6, "/messages/2/content/0/content"), blocks);

    assert_eq!(at(1, "/messages/3/content"), json!(text));
    let parts = json!([
        {"type": "text", "text": intro},
        {"type": "image_url", "image_url": {"url": url("image/png")}},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": url("application/pdf")}},
    ]);
    assert_eq!(at(1, "/messages/4/content"), parts);

    let output = json!([
        {"type": "input_text", "text": text},
        {"type": "input_image", "image_url": url("image/png"), "detail": "auto"},
        {"type": "input_file", "filename": "document.pdf", "file_data": url("application/pdf")},
    ]);
    assert_eq!(at(2, "/input/2/output"), output);

    let inline = |media_type: &str| json!({"inlineData": {"mimeType": media_type, "data": "AAAA"}});
    assert_eq!(at(3, "/contents/2/parts/0/functionResponse/response/output"), json!("x"));
    assert_eq!(at(3, "/contents/2/parts/0/functionResponse/parts"), Value::from_iter(kinds.map(inline)));
    let older = Wire::Gemini.body(&request, target("google", "gemini-2.5-flash"));
    let behind: Value = std::iter::once(json!({"text": intro})).chain(kinds.map(inline)).collect();
    assert_eq!(older["contents"][3]["parts"], behind);

    let no_pdf = format!("x\n(A PDF was attached here, but this model does not read PDFs.)\n{deaf}");
    assert_eq!(at(4, "/messages/3/content"), json!(no_pdf));
    assert_eq!(at(4, "/messages/4"), json!({"role": "user", "content": intro, "images": ["AAAA"]}));

    let content = json!([
        {"text": text},
        {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
        {"document": {"format": "pdf", "name": "document-1", "source": {"bytes": "AAAA"}}},
    ]);
    assert_eq!(at(5, "/messages/2/content/0/toolResult/content"), content);
    let llama = Wire::Converse.body(&request, target("nobody", "meta.llama4-scout-17b-instruct-v1:0"));
    let content = &llama["messages"][2]["content"];
    assert_eq!(content[0]["toolResult"]["content"], json!([{"text": text}]));
    assert_eq!((&content[1]["text"], &content[2]["image"]["format"]), (&json!(intro), &json!("png")));

    let inside = Quirks { result_media: super::chat::ResultMedia::Inside, ..Quirks::COMMON };
    let body = Wire::ChatCompletions(inside).body(&request, target("nobody", "m"));
    assert_eq!(body["messages"][3]["content"][1]["image_url"]["url"], url("image/png"));
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(4));
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
