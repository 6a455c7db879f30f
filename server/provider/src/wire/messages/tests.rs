use std::sync::Arc;

use kit_protocol::{Message, Part, ReasoningPart, Role};

use super::*;
use crate::model::Parameters;
use crate::wire::fixtures::{
    self, assistant, call, image, read, request, results, signed, text, tool, truncated, user,
};

fn target(name: &str) -> Target<'_> {
    fixtures::target("anthropic", name)
}

/// A stream of frames with these data, one `event:` line each as Anthropic sends them.
fn stream(frames: &[Value]) -> String {
    let frame = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or("x"));
    frames.iter().map(frame).collect()
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-4-5-20250929", "usage":
        {"input_tokens": 12, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7, "output_tokens": 1}}})
}

fn block(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str, output: u64) -> [Value; 2] {
    let usage = json!({"output_tokens": output, "output_tokens_details": {"thinking_tokens": 4}});
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}),
        json!({"type": "message_stop"}),
    ]
}

fn answer(frames: &[Value]) -> Answer {
    let (_, answer) = read(&mut Reader::new(CallIds::default()), &stream(frames));
    answer.unwrap().unwrap()
}

#[test]
fn reads_reasoning_text_and_parallel_calls() {
    let frames = [
        vec![
            start(),
            json!({"type": "ping"}),
            block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(0, json!({"type": "signature_delta", "signature": "early"})),
            delta(0, json!({"type": "signature_delta", "signature": "sig"})),
            stop(0),
            block(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "text_delta", "text": "I "})),
            delta(1, json!({"type": "text_delta", "text": "look."})),
            stop(1),
            block(2, json!({"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}})),
            delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "{\"path\":"})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "\"a\"}"})),
            stop(2),
            block(3, json!({"type": "tool_use", "id": "toolu_2", "name": "ls"})),
            stop(3),
        ],
        end("tool_use", 30).to_vec(),
    ]
    .concat();
    let (events, answer) = read(&mut Reader::new(CallIds::default()), &stream(&frames));
    let tokens = |output, reasoning| TokenCounts {
        input: 12,
        output,
        cache_read: 100,
        cache_write: 7,
        cache_write_hour: 0,
        reasoning,
    };
    let expected = [
        ModelEvent::Usage(tokens(1, None)),
        ModelEvent::ReasoningDelta("hm".into()),
        ModelEvent::TextDelta("I ".into()),
        ModelEvent::TextDelta("look.".into()),
        ModelEvent::ToolCallStart { id: "toolu_1".into(), name: "read".into() },
        ModelEvent::ToolCallDelta { id: "toolu_1".into(), delta: "{\"path\":".into() },
        ModelEvent::ToolCallDelta { id: "toolu_1".into(), delta: "\"a\"}".into() },
        ModelEvent::ToolCallEnd { id: "toolu_1".into() },
        ModelEvent::ToolCallStart { id: "toolu_2".into(), name: "ls".into() },
        ModelEvent::Usage(tokens(30, Some(4))),
        ModelEvent::ToolCallEnd { id: "toolu_2".into() },
    ];
    assert_eq!(events, expected);
    let answer = answer.unwrap().unwrap();
    let expected = Answer {
        parts: vec![
            signed("hm", "sig"),
            text("I look."),
            call("toolu_1", "read", "{\"path\":\"a\"}"),
            call("toolu_2", "ls", ""),
        ],
        stop: StopReason::ToolUse,
        finish_reason: Some("tool_use".into()),
        tokens: tokens(30, Some(4)),
        model: Some("claude-sonnet-4-5-20250929".into()),
        cost_micros: None,
    };
    assert_eq!(answer, expected);
}

#[test]
fn blocks_may_be_open_together_and_stop_at_the_end() {
    let frames = [
        vec![
            start(),
            block(0, json!({"type": "text", "text": ""})),
            block(1, json!({"type": "tool_use", "id": "t", "name": "ls"})),
            delta(1, json!({"type": "input_json_delta", "partial_json": "{}"})),
            delta(0, json!({"type": "text_delta", "text": "a"})),
            delta(1, json!({"type": "input_json_delta", "partial_json": " "})),
            stop(0),
            stop(1),
        ],
        end("end_turn", 3).to_vec(),
    ]
    .concat();
    let answer = answer(&frames);
    assert_eq!((answer.parts, answer.stop), (vec![text("a"), call("t", "ls", "{} ")], StopReason::ToolUse));
}

#[test]
fn unknown_events_and_blocks_are_ignored() {
    let frames = [
        vec![
            start(),
            json!({"type": "weather"}),
            block(0, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
            delta(0, json!({"type": "input_json_delta", "partial_json": "{\"q\":1}"})),
            stop(0),
            block(1, json!({"type": "text", "text": "whole"})),
            delta(1, json!({"type": "citations_delta", "citation": {}})),
            stop(1),
        ],
        end("end_turn", 3).to_vec(),
    ]
    .concat();
    assert_eq!(answer(&frames).parts, [text("whole")]);
}

#[test]
fn true_numbers_may_come_at_the_end_only() {
    let frames = [
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 25, "output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ];
    assert_eq!(answer(&frames).tokens, TokenCounts { input: 25, output: 2, ..TokenCounts::default() });
}

#[test]
fn an_answer_without_its_last_event_is_not_complete() {
    let [last, _] = end("end_turn", 3);
    let frames = [start(), block(0, json!({"type": "text", "text": "a"})), stop(0), last];
    let (_, answer) = read(&mut Reader::new(CallIds::default()), &stream(&frames));
    assert_eq!(answer, Ok(None));
}

#[test]
fn a_last_event_without_blank_line_and_without_names_counts() {
    let [last, stop] = end("end_turn", 3);
    let stream = format!("data: {}\n\ndata: {last}\n\ndata: {stop}", start());
    let (_, answer) = read(&mut Reader::new(CallIds::default()), &stream);
    assert_eq!(answer.unwrap().map(|answer| answer.stop), Some(StopReason::EndTurn));
}

#[test]
fn an_error_inside_the_stream_ends_it() {
    let error = json!({"type": "overloaded_error", "message": "Overloaded"});
    let frames = [start(), json!({"type": "error", "error": error})];
    let (_, answer) = read(&mut Reader::new(CallIds::default()), &stream(&frames));
    assert_eq!(answer, Err(Failure::Reported(error.clone())));
    let (_, answer) =
        read(&mut Reader::new(CallIds::default()), &format!("data: {{\"error\": {error}}}\n\n"));
    assert_eq!(answer, Err(Failure::Reported(error)));
}

#[test]
fn a_cut_off_call_is_not_finished() {
    let check = |reason: &str, partial: &str| {
        let frames = [
            vec![
                start(),
                block(0, json!({"type": "tool_use", "id": "t", "name": "edit", "input": {}})),
                delta(0, json!({"type": "input_json_delta", "partial_json": partial})),
                stop(0),
            ],
            end(reason, 3).to_vec(),
        ]
        .concat();
        let answer = answer(&frames);
        (answer.parts, answer.stop)
    };
    assert_eq!(check("max_tokens", "{\"pa"), (vec![truncated("t", "edit", "{\"pa")], StopReason::MaxTokens));
    assert_eq!(check("max_tokens", ""), (vec![truncated("t", "edit", "")], StopReason::MaxTokens));
    assert_eq!(check("refusal", "{}"), (vec![truncated("t", "edit", "{}")], StopReason::Refusal));
    assert_eq!(check("new_reason", "{}"), (vec![truncated("t", "edit", "{}")], StopReason::Error));
}

#[test]
fn reasoning_returns_exactly_as_it_came() {
    let frames = [
        vec![
            start(),
            block(0, json!({"type": "thinking", "thinking": "", "signature": "only"})),
            stop(0),
            block(1, json!({"type": "redacted_thinking", "data": "c2VjcmV0"})),
            stop(1),
            block(2, json!({"type": "tool_use", "id": "t", "name": "ls", "input": {"path": "."}})),
            stop(2),
        ],
        end("tool_use", 3).to_vec(),
    ]
    .concat();
    let message = Message { role: Role::Assistant, parts: answer(&frames).parts };
    let body =
        body(&request(vec![user("go"), message, results(&[("t", "x", false)])]), target("claude-sonnet-4-5"));
    let expected = json!([
        {"type": "thinking", "thinking": "", "signature": "only"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "tool_use", "id": "t", "name": "ls", "input": {"path": "."}},
    ]);
    assert_eq!(body["messages"][1]["content"], expected);
}

#[test]
fn builds_the_whole_body_with_four_breakpoints() {
    let unsigned = Part::Reasoning(ReasoningPart { thinking: "lost".into(), ..ReasoningPart::default() });
    let mut answered = results(&[("t.1", "", true)]);
    answered.parts.push(image());
    let messages = vec![
        user("one"),
        assistant(vec![text("two")]),
        user("three"),
        assistant(vec![unsigned, call("t.1", "read", "{\"path\":\"a\"}"), truncated("t2", "read", "{\"p")]),
        answered,
    ];
    let request = Request { tools: Arc::new([tool("read"), tool("ls")]), ..request(messages) };
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let ephemeral = json!({"type": "ephemeral"});
    let id = "t_1_5623811943af8912";
    let expected = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_768,
        "stream": true,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": ephemeral}],
        "tools": [
            {"name": "read", "description": "Runs read.", "input_schema": schema},
            {"name": "ls", "description": "Runs ls.", "input_schema": schema, "cache_control": ephemeral},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "one"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": [{"type": "text", "text": "three", "cache_control": ephemeral}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": id, "name": "read", "input": {"path": "a"}},
                {"type": "tool_use", "id": "t2", "name": "read", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "is_error": true},
                {"type": "tool_result", "tool_use_id": "t2", "is_error": true,
                 "content": "This call was not run because its arguments were cut off."},
                {"type": "text", "text": "(Attached by result 1 of the tool read:)"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                 "cache_control": ephemeral},
            ]},
        ],
    });
    assert_eq!(body(&request, target("claude-sonnet-4-5")), expected);
}

#[test]
fn system_and_tools_keep_their_bytes_through_a_conversation() {
    let bodies =
        [vec![user("one")], vec![user("one"), assistant(vec![text("two")]), user("three")]].map(|messages| {
            let request = Request { tools: Arc::new([tool("b"), tool("a")]), ..request(messages) };
            let body = body(&request, target("claude-sonnet-4-5"));
            (body["system"].to_string(), body["tools"].to_string())
        });
    assert_eq!(bodies[0], bodies[1]);
}

fn thinking_of(name: &str, level: ThinkingLevel, max_output_tokens: Option<u64>) -> Value {
    let parameters =
        Parameters { thinking: level, max_output_tokens, temperature: Some(0.5), ..Parameters::default() };
    let body = body(&Request { parameters, ..request(vec![user("a")]) }, target(name));
    let fields = ["max_tokens", "thinking", "output_config", "temperature"];
    fields.iter().filter_map(|field| Some(((*field).to_owned(), body.get(field)?.clone()))).collect()
}

#[test]
fn budgets_make_room_for_the_answer() {
    let check = |level, wanted, expected: Value| {
        assert_eq!(thinking_of("claude-sonnet-4-5", level, wanted), expected);
    };
    check(ThinkingLevel::Off, Some(100), json!({"max_tokens": 100, "temperature": 0.5}));
    let low = json!({"type": "enabled", "budget_tokens": 4096});
    check(ThinkingLevel::Low, Some(100), json!({"max_tokens": 8192, "thinking": low}));
    let high = json!({"type": "enabled", "budget_tokens": 20_480});
    check(ThinkingLevel::High, None, json!({"max_tokens": 32_768, "thinking": high}));
}

#[test]
fn adaptive_models_take_an_effort() {
    let check =
        |name, level, expected: Value| assert_eq!(thinking_of(name, level, Some(100)), expected, "{name}");
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let medium = json!({"max_tokens": 100, "thinking": adaptive, "output_config": {"effort": "medium"}});
    check("claude-sonnet-4-6", ThinkingLevel::Medium, medium);
    let off = json!({"max_tokens": 100, "thinking": {"type": "disabled"}, "temperature": 0.5});
    check("claude-sonnet-4-6", ThinkingLevel::Off, off);
    check(
        "claude-sonnet-5",
        ThinkingLevel::Off,
        json!({"max_tokens": 100, "thinking": {"type": "disabled"}}),
    );
    check(
        "claude-sonnet-5-5",
        ThinkingLevel::Off,
        json!({"max_tokens": 100, "output_config": {"effort": "low"}}),
    );
    check("mock", ThinkingLevel::Off, json!({"max_tokens": 100, "temperature": 0.5}));
}

#[test]
fn temperature_wins_over_nucleus_sampling_and_stop_texts_are_sent() {
    let body = |temperature, top_p| {
        let stop_sequences = vec!["END".to_owned()];
        let parameters = Parameters { temperature, top_p, stop_sequences, ..Parameters::default() };
        let body = body(&Request { parameters, ..request(vec![user("a")]) }, target("claude-sonnet-4-5"));
        (body.get("temperature").cloned(), body.get("top_p").cloned(), body["stop_sequences"].clone())
    };
    assert_eq!(body(Some(0.2), Some(0.9)), (Some(json!(0.2)), None, json!(["END"])));
    assert_eq!(body(None, Some(0.9)), (None, Some(json!(0.9)), json!(["END"])));
}

#[test]
fn answers_are_limited_by_what_is_known() {
    assert_eq!(
        [output_limit(None, 0), output_limit(None, 64_000), output_limit(None, 4096)],
        [8192, 32_768, 4096]
    );
    assert_eq!([output_limit(Some(50_000), 0), output_limit(Some(50_000), 32_000)], [50_000, 32_000]);
}
