use std::sync::Arc;

use kit_protocol::{Message, Part, ReasoningPart, Role, ThinkingLevel};
use serde_json::json;

use super::*;
use crate::catalogue::Abilities;
use crate::model::{Parameters, Request};
use crate::wire::Target;
use crate::wire::fixtures::{
    self, assistant, call, image, read, request, results, text, tool, truncated, user,
};

const OPENROUTER: Quirks = Quirks {
    effort: Effort::Object,
    reports_cost: true,
    returns_details: true,
    cache_breakpoints: &["anthropic/"],
    ..Quirks::COMMON
};

fn target(name: &str) -> Target<'_> {
    fixtures::target("nobody", name)
}

/// A stream of chunks with these deltas, then the finish reason.
fn stream(deltas: &[Value], reason: &str) -> String {
    let chunk = |delta: &Value| json!({"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    let mut chunks: Vec<Value> = deltas.iter().map(chunk).collect();
    chunks.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}));
    let frames: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    frames + "data: [DONE]\n\n"
}

fn answer(deltas: &[Value], reason: &str) -> Answer {
    read(&mut Reader::new(CallIds::default()), &stream(deltas, reason)).1.unwrap().unwrap()
}

fn parts(deltas: &[Value], reason: &str) -> (Vec<Part>, StopReason) {
    let answer = answer(deltas, reason);
    (answer.parts, answer.stop)
}

fn thought(text: &str) -> Part {
    Part::Reasoning(ReasoningPart { thinking: text.into(), ..ReasoningPart::default() })
}

fn calls(deltas: Value) -> Value {
    json!({"tool_calls": deltas})
}

#[test]
fn reads_text_reasoning_calls_and_usage() {
    let deltas = [
        json!({"role": "assistant", "content": null}),
        json!({"reasoning_content": "hm"}),
        json!({"role": null, "content": "I "}),
        json!({"content": "look."}),
        calls(
            json!([{"index": 0, "id": "c1", "type": "function", "function": {"name": "read", "arguments": ""}}]),
        ),
        calls(json!([{"index": 0, "function": {"arguments": "{\"path\":"}}])),
        calls(json!([{"index": 0, "function": {"arguments": "\"a\"}"}}])),
        calls(json!([{"index": 1, "id": "c2", "function": {"name": "ls", "arguments": "{}"}}])),
    ];
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 4}, "cost": 0.001_234_5}});
    let text_of =
        stream(&deltas, "tool_calls").replace("data: [DONE]", &format!("data: {usage}\n\ndata: [DONE]"));
    let (events, answer) = read(&mut Reader::new(CallIds::default()), &text_of);
    let tokens = TokenCounts {
        input: 30,
        output: 9,
        cache_read: 60,
        cache_write: 10,
        cache_write_hour: 0,
        reasoning: Some(4),
    };
    let expected = [
        ModelEvent::ReasoningDelta("hm".into()),
        ModelEvent::TextDelta("I ".into()),
        ModelEvent::TextDelta("look.".into()),
        ModelEvent::ToolCallStart { id: "c1".into(), name: "read".into() },
        ModelEvent::ToolCallDelta { id: "c1".into(), delta: "{\"path\":".into() },
        ModelEvent::ToolCallDelta { id: "c1".into(), delta: "\"a\"}".into() },
        ModelEvent::ToolCallEnd { id: "c1".into() },
        ModelEvent::ToolCallStart { id: "c2".into(), name: "ls".into() },
        ModelEvent::ToolCallDelta { id: "c2".into(), delta: "{}".into() },
        ModelEvent::Usage(tokens),
        ModelEvent::ToolCallEnd { id: "c2".into() },
    ];
    assert_eq!(events, expected);
    let expected = Answer {
        parts: vec![
            thought("hm"),
            text("I look."),
            call("c1", "read", "{\"path\":\"a\"}"),
            call("c2", "ls", "{}"),
        ],
        stop: StopReason::ToolUse,
        finish_reason: Some("tool_calls".into()),
        tokens,
        model: Some("m-1".into()),
        cost_micros: Some(1235),
    };
    assert_eq!(answer, Ok(Some(expected)));
}

#[test]
fn the_habits_of_servers_lead_to_the_same_calls() {
    let function = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    let both = vec![call("a", "read", "{\"n\":1}"), call("b", "read", "{\"n\":2}")];
    let check = |habit: &str, deltas: &[Value], expected: Vec<Part>| {
        assert_eq!(parts(deltas, "stop"), (expected, StopReason::ToolUse), "{habit}");
    };
    check(
        "all calls have index 0",
        &[
            calls(json!([{"index": 0, "id": "a", "function": function("read", json!("{\"n\":1}"))}])),
            calls(json!([{"index": 0, "id": "b", "function": function("read", json!("{\"n\":2}"))}])),
        ],
        both.clone(),
    );
    check(
        "no index",
        &[
            calls(json!([{"id": "a", "function": function("read", json!("{\"n\":1}"))}])),
            calls(json!([{"id": "b", "function": function("read", json!("{\"n\":2}"))}])),
        ],
        both.clone(),
    );
    check(
        "id and name on every delta",
        &[
            calls(json!([{"index": 0, "id": "a", "function": function("read", json!("{\"n\""))}])),
            calls(json!([{"index": 0, "id": "a", "function": function("read", json!(":1}"))}])),
            calls(json!([{"index": 1, "id": "b", "function": function("read", json!("{\"n\""))}])),
            calls(json!([{"index": 1, "id": "b", "function": function("read", json!(":2}"))}])),
        ],
        both,
    );
    check(
        "no id, no index, arguments as objects",
        &[calls(json!([
            {"function": function("read", json!({"n": 1}))},
            {"function": function("read", json!({"n": 2}))},
        ]))],
        vec![call("call_0_1", "read", "{\"n\":1}"), call("call_0_2", "read", "{\"n\":2}")],
    );
    check(
        "name and arguments in two entries of one chunk, arguments first",
        &[calls(json!([
            {"index": 0, "id": "a", "function": {"arguments": "{\"n\""}},
            {"index": 0, "function": {"name": "read"}},
            {"index": 0, "function": {"arguments": ":1}"}},
        ]))],
        vec![call("a", "read", "{\"n\":1}")],
    );
    check(
        "an empty id later",
        &[
            calls(json!([{"index": 0, "id": "a", "function": function("read", json!("{\"n\""))}])),
            calls(json!([{"index": 0, "id": "", "function": {"name": null, "arguments": ":1}"}}])),
        ],
        vec![call("a", "read", "{\"n\":1}")],
    );
}

#[test]
fn a_cut_off_call_is_not_finished() {
    let delta = |arguments: &str| {
        calls(json!([{"index": 0, "id": "a", "function": {"name": "read", "arguments": arguments}}]))
    };
    assert_eq!(
        parts(&[delta("{\"n")], "length"),
        (vec![truncated("a", "read", "{\"n")], StopReason::MaxTokens)
    );
    assert_eq!(parts(&[delta("")], "length"), (vec![truncated("a", "read", "")], StopReason::MaxTokens));
    assert_eq!(parts(&[delta("{")], "tool_calls"), (vec![truncated("a", "read", "{")], StopReason::EndTurn));
    assert_eq!(
        parts(&[delta("{}")], "content_filter"),
        (vec![truncated("a", "read", "{}")], StopReason::Refusal)
    );
}

#[test]
fn reasoning_is_found_wherever_it_is() {
    let check = |deltas: &[Value]| {
        assert_eq!(parts(deltas, "stop"), (vec![thought("hm"), text("yes")], StopReason::EndTurn));
    };
    check(&[json!({"reasoning": "hm", "reasoning_content": ""}), json!({"content": "yes"})]);
    check(&[json!({"reasoning_text": "hm"}), json!({"content": "yes"})]);
    check(&[json!({"content": "<thi"}), json!({"content": "nk>hm</think>"}), json!({"content": "\nyes"})]);
    check(&[json!({"content": "<think>hm</think>"}), json!({"content": [{"type": "text", "text": "yes"}]})]);
}

#[test]
fn details_of_reasoning_return_joined_and_otherwise_unchanged() {
    let deltas = [
        json!({"reasoning": "h", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "h", "signature": null}]}),
        json!({"reasoning": "m", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "m", "signature": "s"}]}),
        json!({"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}]}),
        calls(json!([{"index": 0, "id": "a", "function": {"name": "ls", "arguments": "{}"}}])),
    ];
    let message = Message { role: Role::Assistant, parts: answer(&deltas, "tool_calls").parts };
    let request = request(vec![user("go"), message, results(&[("a", "x", false)])]);
    let expected = json!([
        {"type": "reasoning.text", "index": 0, "text": "hm", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 1, "data": "x"},
    ]);
    assert_eq!(body(&request, target("z/glm"), &OPENROUTER)["messages"][2]["reasoning_details"], expected);
    assert_eq!(
        body(&request, target("z/glm"), &Quirks::COMMON)["messages"][2].get("reasoning_details"),
        None
    );
}

#[test]
fn the_finish_reason_and_nothing_else_completes_an_answer() {
    let whole = stream(&[json!({"content": "a"})], "stop");
    let check = |stream: &str| {
        read(&mut Reader::new(CallIds::default()), stream).1.map(|answer| answer.map(|answer| answer.stop))
    };
    assert_eq!(check(&whole), Ok(Some(StopReason::EndTurn)));
    assert_eq!(check(whole.trim_end().trim_end_matches("data: [DONE]")), Ok(Some(StopReason::EndTurn)));
    assert_eq!(check("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"), Ok(None));
    assert_eq!(check(""), Ok(None));
    assert_eq!(check(&stream(&[], "surprise")), Ok(Some(StopReason::Error)));
}

#[test]
fn an_error_inside_the_stream_ends_it() {
    let check = |frame: Value| {
        read(&mut Reader::new(CallIds::default()), &format!("data: {frame}\n\ndata: [DONE]\n\n")).1
    };
    let error = json!({"code": 502, "message": "upstream"});
    assert_eq!(
        check(json!({"error": error, "choices": [{"finish_reason": "error"}]})),
        Err(Failure::Reported(error.clone()))
    );
    assert_eq!(check(json!({"choices": [{"delta": {}, "error": error}]})), Err(Failure::Reported(error)));
    assert!(matches!(
        check(json!({"choices": [{"finish_reason": "network_error"}]})),
        Err(Failure::Reported(_))
    ));
    assert_eq!(
        check(json!({"error": null, "choices": [{"finish_reason": "stop"}]})).map(|answer| answer.is_some()),
        Ok(true)
    );
}

#[test]
fn an_answer_that_is_not_streamed_is_read_as_one_frame() {
    let whole = json!({"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "cached_tokens": 2}});
    let answer =
        read(&mut Reader::new(CallIds::default()), &format!("data: {whole}\n\n")).1.unwrap().unwrap();
    assert_eq!(answer.parts, [text("a")]);
    assert_eq!(answer.tokens, TokenCounts { input: 3, output: 1, cache_read: 2, ..TokenCounts::default() });
}

#[test]
fn builds_the_whole_body() {
    let mut with_image = user("three");
    with_image.parts.push(image());
    let messages = vec![
        user("one"),
        assistant(vec![thought("lost"), text("two"), call("c.1", "read", "{\"path\":\"a\"}")]),
        results(&[("c.1", "no such file", true)]),
        with_image,
    ];
    let parameters = Parameters {
        max_output_tokens: Some(500),
        temperature: Some(0.5),
        top_p: Some(0.9),
        stop_sequences: vec!["END".into()],
        thinking: ThinkingLevel::Low,
    };
    let cache_key = Some("session".into());
    let request = Request { tools: Arc::new([tool("read")]), parameters, cache_key, ..request(messages) };
    let quirks = Quirks {
        output_limit: "max_completion_tokens",
        cache_key: Some("prompt_cache_key"),
        ..Quirks::COMMON
    };
    let id = "c_1_f6db3a190db79b1f";
    let expected = json!({
        "model": "gpt",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two", "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"a\"}"}},
            ]},
            {"role": "tool", "tool_call_id": id, "content": "Error: no such file"},
            {"role": "user", "content": [
                {"type": "text", "text": "three"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
        ],
        "tools": [{"type": "function", "function": {"name": "read", "description": "Runs read.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}}],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": 500,
        "reasoning_effort": "low",
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "prompt_cache_key": "session",
    });
    assert_eq!(body(&request, target("gpt"), &quirks), expected);
}

#[test]
fn a_plain_request_holds_nothing_that_a_plain_server_could_refuse() {
    let expected = json!({
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}],
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(body(&request(vec![user("a")]), target("m"), &Quirks::COMMON), expected);
}

#[test]
fn reasoning_models_get_no_sampling_and_text_models_no_images() {
    let abilities =
        Abilities { fixed_sampling: true, images: false, effort_none: true, ..Abilities::UNKNOWN };
    let parameters = Parameters { temperature: Some(0.5), top_p: Some(0.9), ..Parameters::default() };
    let mut with_image = user("look");
    with_image.parts.push(image());
    let request = Request { parameters, ..request(vec![with_image]) };
    let body = body(&request, Target { abilities, max_output: 100_000, ..target("m") }, &Quirks::COMMON);
    assert_eq!((body.get("temperature"), body.get("top_p")), (None, None));
    assert_eq!((&body["max_tokens"], &body["reasoning_effort"]), (&json!(32_768), &json!("none")));
    let said = "look\n\n(An image was attached here, but this model does not read images.)";
    assert_eq!(body["messages"][1]["content"], said);
}

#[test]
fn gateways_get_their_fields_and_cache_breakpoints() {
    let messages = vec![user("one"), assistant(vec![call("a", "ls", "{}")]), results(&[("a", "x", false)])];
    let parameters = Parameters { thinking: ThinkingLevel::High, ..Parameters::default() };
    let request = Request { parameters, ..request(messages) };
    let marked = |text: &str| json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
    let claude = body(&request, target("anthropic/claude"), &OPENROUTER);
    assert_eq!(
        (&claude["reasoning"], &claude["usage"]),
        (&json!({"effort": "high"}), &json!({"include": true}))
    );
    let contents = |body: &Value| [0, 1, 3].map(|index| body["messages"][index]["content"].clone());
    assert_eq!(contents(&claude), [marked("Be brief."), marked("one"), marked("x")]);
    let other = body(&request, target("z/glm"), &OPENROUTER);
    assert_eq!(contents(&other), [json!("Be brief."), json!("one"), json!("x")]);
}
