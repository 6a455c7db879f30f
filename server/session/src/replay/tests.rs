use std::path::Path;

use serde_json::json;

use super::*;
use crate::journal::read;

/// The events that a file of these entries tells, one word with its turn each.
fn told(entries: &[Value]) -> Vec<String> {
    let mut lines = vec![json!({"type": "session", "version": 3, "id": "s"}).to_string()];
    let mut parent = String::new();
    for (number, entry) in entries.iter().enumerate() {
        let mut entry = entry.clone();
        let id = format!("e{number}");
        entry["id"] = json!(id);
        entry["parent_id"] = json!(parent);
        entry["timestamp"] = json!(Millis(i64::try_from(number).unwrap()).to_rfc3339());
        parent = id;
        lines.push(entry.to_string());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.jsonl");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let loaded = read::index(std::fs::read(&path).unwrap().as_slice(), Path::new("s")).unwrap();
    let lines = Lines::read(&path, loaded.history.records().iter().map(|record| record.span)).unwrap();
    events(&loaded.history, &lines, &Turns::default())
        .into_iter()
        .map(|one| {
            let value = serde_json::to_value(&one.body).unwrap();
            let detail = ["prompt", "chunk", "content", "delta", "stopReason", "result", "title", "model"]
                .iter()
                .find_map(|name| value[name].as_str());
            let turn = one.turn.map(|turn| turn.to_string()).unwrap_or_default();
            format!("{turn} {} {}", value["type"].as_str().unwrap(), detail.unwrap_or_default())
                .trim()
                .to_owned()
        })
        .collect()
}

fn text(role: &str, text: &str) -> Value {
    json!({"type": "message", "role": role, "parts": [{"type": "text", "data": {"text": text}}]})
}

fn note(name: &str, data: &Value) -> Value {
    json!({"type": "extension_data", "ext_type": format!("kit-ls/{name}"), "data": data.to_string()})
}

fn call(id: &str) -> Value {
    json!({"type": "message", "role": "assistant", "parts": [
        {"type": "reasoning", "data": {"thinking": "hm"}},
        {"type": "text", "data": {"text": "Look."}},
        {"type": "tool_call", "data": {"id": id, "name": "read", "input": "{}", "finished": true}},
    ]})
}

fn result(id: &str) -> Value {
    json!({"type": "message", "role": "tool", "parts": [
        {"type": "tool_result", "data": {"tool_call_id": id, "name": "read", "content": "text", "is_error": false}},
    ]})
}

#[test]
fn a_session_of_ours_is_told_turn_by_turn() {
    let entries = [
        json!({"type": "model_change", "provider": "p", "model_id": "first"}),
        note("turn-start", &json!({"turn": "t1", "prompt": "go"})),
        text("user", "go\n<context>"),
        call("c"),
        result("c"),
        note("tool", &json!({"turn": "t1", "toolCallId": "c", "toolKind": "read", "title": "read a.rs"})),
        text("assistant", "Done."),
        note("turn-end", &json!({"turn": "t1", "response": "Done.", "stopReason": "end_turn"})),
        json!({"type": "model_change", "provider": "p", "model_id": "m"}),
    ];
    let expected = [
        "t1 turn_start go",
        "t1 message_start",
        "t1 reasoning_delta hm",
        "t1 message_update Look.",
        "t1 message_end Look.",
        "t1 tool_call_content Look.",
        "t1 tool_call read a.rs",
        "t1 tool_execution_start",
        "t1 tool_execution_end",
        "t1 tool_result text",
        "t1 message_start",
        "t1 message_update Done.",
        "t1 message_end Done.",
        "t1 response Done.",
        "t1 turn_end end_turn",
        "model_change p/m",
    ];
    assert_eq!(told(&entries), expected);
}

#[test]
fn a_session_of_another_writer_gets_its_turns_from_its_prompts() {
    let entries = [text("user", "one"), text("assistant", "1"), text("user", "two"), text("assistant", "2")];
    let turn = |id: &str, prompt: &str, answer: &str| {
        [
            format!("{id} turn_start {prompt}"),
            format!("{id} message_start"),
            format!("{id} message_update {answer}"),
            format!("{id} message_end {answer}"),
            format!("{id} response {answer}"),
            format!("{id} turn_end end_turn"),
        ]
    };
    assert_eq!(told(&entries), [turn("e0", "one", "1"), turn("e2", "two", "2")].concat());
}

#[test]
fn a_turn_that_a_crash_cut_off_ends_and_answers_its_calls() {
    let entries = [note("turn-start", &json!({"turn": "t1", "prompt": "go"})), text("user", "go"), call("c")];
    let told = told(&entries);
    assert_eq!(
        told[told.len() - 3..],
        ["t1 tool_result interrupted".to_owned(), "t1 error".to_owned(), "t1 turn_end error".to_owned()]
    );
}

#[test]
fn a_prompt_that_was_accepted_and_never_started_is_told_as_such() {
    let prompt = json!({"turn": "t2", "parts": [{"type": "text", "data": {"text": "later"}}]});
    let expected = ["t2 turn_start later", "t2 turn_end cancelled"];
    assert_eq!(told(&[note("prompt", &prompt)]), expected);
    let end = json!({"turn": "t2", "response": "", "stopReason": "cancelled"});
    assert_eq!(told(&[note("prompt", &prompt), note("turn-end", &end)]), expected);
    let start = json!({"turn": "t2", "prompt": "later"});
    let started = told(&[note("prompt", &prompt), note("turn-start", &start), note("turn-end", &end)]);
    assert_eq!(started, expected);
}
