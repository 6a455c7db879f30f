use std::sync::Arc;

use kit_protocol::{Message, Part, ReasoningPart, Role, ThinkingLevel};
use serde_json::json;

use super::*;
use crate::model::{Parameters, Request};
use crate::wire::fixtures::{
    assistant, call, image, read, request, results, signed, target, text, tool, truncated, user,
};
use crate::wire::{Plain, Target};

const MODEL: &str = "gpt-5.4";

fn reader() -> Reader {
    Reader::new(CallIds::default(), MODEL)
}

fn stream(events: &[Value]) -> String {
    let frame = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or("x"));
    events.iter().map(frame).collect()
}

fn answer(events: &[Value]) -> Answer {
    read(&mut reader(), &stream(events)).1.unwrap().unwrap()
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"model": "gpt-5.4-2026-03-05", "status": "completed", "error": null,
        "incomplete_details": null, "output": output,
        "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}}}})
}

fn ended(status: &str, reason: &str) -> Value {
    json!({"type": format!("response.{status}"), "response": {"status": status, "incomplete_details": {"reason": reason}}})
}

fn sealed(thinking: &str, encrypted: &str, summary: Value) -> Part {
    let seal = Seal::Responses {
        model: MODEL.into(),
        encrypted_content: Some(encrypted.into()),
        summary,
        phase: None,
    };
    Part::Reasoning(ReasoningPart {
        thinking: thinking.into(),
        signature: None,
        encrypted: Some(seal.text()),
    })
}

fn phase(name: &str) -> Part {
    let seal = Seal::Responses {
        model: MODEL.into(),
        encrypted_content: None,
        summary: Value::Null,
        phase: Some(name.into()),
    };
    Part::Reasoning(ReasoningPart { encrypted: Some(seal.text()), ..ReasoningPart::default() })
}

/// A whole answer as OpenAI streams it: reasoning, a comment and two calls.
fn whole() -> Vec<Value> {
    let summary = json!([{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]);
    let reasoning =
        json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA"});
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary",
        "content": [{"type": "output_text", "text": "I look."}]});
    let first = json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "read", "arguments": "{\"path\":\"a\"}"});
    let second =
        json!({"type": "function_call", "id": "fc_2", "call_id": "call_b", "name": "ls", "arguments": "{}"});
    vec![
        json!({"type": "response.created", "response": {"model": MODEL, "status": "in_progress"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "summary_index": 0, "part": {}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "summary_index": 0, "delta": "a"}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "summary_index": 1, "part": {}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "summary_index": 1, "delta": "b"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": reasoning}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "msg_1", "content": []}}),
        json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 1, "part": {"type": "output_text"}}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "delta": "I ", "obfuscation": "x"}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "delta": "look."}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": message}),
        json!({"type": "response.output_item.added", "output_index": 2,
            "item": {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "read", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "{\"path\":"}),
        json!({"type": "response.output_item.added", "output_index": 3,
            "item": {"type": "function_call", "id": "fc_2", "call_id": "call_b", "name": "ls", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "\"a\"}"}),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "arguments": "{\"path\":\"a\"}"}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": first}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": second}),
        completed(json!([reasoning, message, first, second])),
    ]
}

#[test]
fn reads_reasoning_text_calls_and_usage() {
    let (events, answer) = read(&mut reader(), &stream(&whole()));
    let tokens = TokenCounts {
        input: 30,
        output: 9,
        cache_read: 60,
        cache_write: 10,
        cache_write_hour: 0,
        reasoning: Some(4),
    };
    let expected = [
        ModelEvent::ReasoningDelta("a".into()),
        ModelEvent::ReasoningDelta("\n\n".into()),
        ModelEvent::ReasoningDelta("b".into()),
        ModelEvent::TextDelta("I ".into()),
        ModelEvent::TextDelta("look.".into()),
        ModelEvent::ToolCallStart { id: "call_a".into(), name: "read".into() },
        ModelEvent::ToolCallDelta { id: "call_a".into(), delta: "{\"path\":".into() },
        ModelEvent::ToolCallStart { id: "call_b".into(), name: "ls".into() },
        ModelEvent::ToolCallDelta { id: "call_a".into(), delta: "\"a\"}".into() },
        ModelEvent::ToolCallEnd { id: "call_a".into() },
        ModelEvent::ToolCallDelta { id: "call_b".into(), delta: "{}".into() },
        ModelEvent::ToolCallEnd { id: "call_b".into() },
        ModelEvent::Usage(tokens),
    ];
    assert_eq!(events, expected);
    let summary = json!([{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]);
    let expected = Answer {
        parts: vec![
            sealed("a\n\nb", "gAAA", summary),
            phase("commentary"),
            text("I look."),
            call("call_a", "read", "{\"path\":\"a\"}"),
            call("call_b", "ls", "{}"),
        ],
        stop: StopReason::ToolUse,
        finish_reason: Some("completed".into()),
        tokens,
        model: Some("gpt-5.4-2026-03-05".into()),
        cost_micros: None,
    };
    assert_eq!(answer, Ok(Some(expected)));
}

#[test]
fn the_habits_of_servers_lead_to_the_same_answer() {
    let expected = answer(&whole()).parts;
    let without = |field: &str| {
        let mut events = whole();
        for event in &mut events {
            event.as_object_mut().unwrap().remove(field);
        }
        events
    };
    // A server in front of others may send no places, no names of items, or other names with each event.
    assert_eq!(answer(&without("output_index")).parts, expected);
    let mut renamed = whole();
    for (number, event) in renamed.iter_mut().enumerate() {
        if event["output_index"].is_u64() {
            for pointer in ["/item_id", "/item/id"] {
                if let Some(id) = event.pointer_mut(pointer) {
                    *id = json!(format!("other_{number}"));
                }
            }
        }
    }
    let renamed: Vec<Value> = renamed
        .into_iter()
        .filter(|event| event["output_index"].is_u64() || event["item_id"].is_null())
        .collect();
    let parts = answer(&renamed).parts;
    assert_eq!(&parts[1..], &expected[1..]);
    // Nothing but the end.
    assert_eq!(answer(&[whole().pop().unwrap()]).parts, expected);
    let body = whole().pop().unwrap()["response"].clone();
    let mut body = body.as_object().unwrap().clone();
    body.insert("object".into(), "response".into());
    assert_eq!(answer(&[Value::Object(body)]).parts, expected);
}

#[test]
fn text_that_no_item_announced_is_read() {
    let events = [
        json!({"type": "response.reasoning_text.delta", "item_id": "r", "delta": "hm"}),
        json!({"type": "response.output_text.delta", "item_id": "m", "delta": "yes"}),
        json!({"type": "response.web_search_call.searching", "item_id": "w"}),
        json!({"type": "response.output_item.added", "item": {"type": "web_search_call", "id": "w"}}),
        completed(json!([])),
    ];
    let thought = Part::Reasoning(ReasoningPart { thinking: "hm".into(), ..ReasoningPart::default() });
    assert_eq!(answer(&events).parts, [thought, text("yes")]);
}

#[test]
fn a_cut_off_call_is_not_finished() {
    let item = |arguments: &str| json!({"type": "function_call", "id": "f", "call_id": "c", "name": "edit", "arguments": arguments});
    let check = |end: Value, arguments: &str| {
        let events = [json!({"type": "response.output_item.done", "item": item(arguments)}), end];
        let answer = answer(&events);
        (answer.parts, answer.stop)
    };
    let cut = |input: &str| vec![truncated("c", "edit", input)];
    assert_eq!(
        check(ended("incomplete", "max_output_tokens"), "{\"pa"),
        (cut("{\"pa"), StopReason::MaxTokens)
    );
    assert_eq!(check(ended("incomplete", "content_filter"), "{}"), (cut("{}"), StopReason::Refusal));
    assert_eq!(check(ended("incomplete", "steered"), "{}"), (cut("{}"), StopReason::Error));
    assert_eq!(check(completed(json!([])), "{"), (cut("{"), StopReason::EndTurn));
}

#[test]
fn only_the_last_event_completes_an_answer() {
    let mut events = whole();
    events.pop();
    assert_eq!(read(&mut reader(), &stream(&events)).1, Ok(None));
    assert_eq!(read(&mut reader(), "data: [DONE]\n\n").1, Ok(None));
}

#[test]
fn an_error_inside_the_stream_ends_it() {
    let check = |event: Value| read(&mut reader(), &stream(&[event])).1;
    let error = json!({"code": "server_error", "message": "sorry"});
    assert_eq!(
        check(json!({"type": "response.failed", "response": {"status": "failed", "error": error}})),
        Err(Failure::Reported(error.clone()))
    );
    assert_eq!(
        check(json!({"type": "error", "code": "server_error", "message": "sorry", "param": null})),
        Err(Failure::Reported(error.clone()))
    );
    assert_eq!(check(json!({"type": "error", "error": error})), Err(Failure::Reported(error)));
}

#[test]
fn an_answer_returns_as_it_came_but_without_ids() {
    let message = Message { role: Role::Assistant, parts: answer(&whole()).parts };
    let messages = vec![user("go"), message, results(&[("call_a", "x", true), ("call_b", "", false)])];
    let body = body(&request(messages.clone()), target("openai", MODEL));
    let mut expected = json!([
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
            "content": null, "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "phase": "commentary",
            "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
        {"type": "function_call", "call_id": "call_a", "name": "read", "arguments": "{\"path\":\"a\"}"},
        {"type": "function_call", "call_id": "call_b", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_a", "output": "Error: x"},
        {"type": "function_call_output", "call_id": "call_b", "output": "(no output)"},
    ]);
    assert_eq!(body["input"], expected);
    let kinds = |target: Target<'_>| {
        let body = super::body(&request(messages.clone()), target);
        body["input"].as_array().unwrap().iter().map(|item| item["type"].clone()).collect::<Vec<_>>()
    };
    expected.as_array_mut().unwrap().remove(1);
    let shown: Vec<Value> = expected.as_array().unwrap().iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds(target("openai", "gpt-5.5")), shown);
    let plain = Plain { reasoning: true, ..Plain::default() };
    assert_eq!(kinds(Target { plain, ..target("openai", MODEL) }), shown);
}

#[test]
fn builds_the_whole_body() {
    let mut with_image = user("look");
    with_image.parts.push(image());
    let parameters = Parameters {
        max_output_tokens: Some(500),
        temperature: Some(0.5),
        thinking: ThinkingLevel::Low,
        ..Parameters::default()
    };
    let messages = vec![user("one"), assistant(vec![signed("foreign", "sig"), text("two")]), with_image];
    let cache_key = Some("session".into());
    let request = Request { tools: Arc::new([tool("read")]), parameters, cache_key, ..request(messages) };
    let expected = json!({
        "model": MODEL,
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one"}]},
            {"type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": "two", "annotations": []}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            ]},
        ],
        "tools": [{"type": "function", "name": "read", "description": "Runs read.", "strict": false,
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": false,
        "stream": true,
        "max_output_tokens": 500,
        "prompt_cache_key": "session",
    });
    assert_eq!(body(&request, target("openai", MODEL)), expected);
    let plain = body(&Request { tools: Arc::new([]), ..request }, target("openai", "gpt-4.1"));
    assert_eq!(
        (plain.get("reasoning"), plain.get("include"), &plain["temperature"]),
        (None, None, &json!(0.5))
    );
}
