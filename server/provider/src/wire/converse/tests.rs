use serde_json::json;

use super::*;
use crate::framing::Framing;
use crate::framing::eventstream::fixtures::{event, message};
use crate::model::{Parameters, Request};
use crate::wire::fixtures::{
    assistant, call, image, read_bytes, request, results, signed, target, text, tool, user,
};
use crate::wire::{Plain, Target};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn read(messages: &[Vec<u8>]) -> (Vec<ModelEvent>, Result<Option<Answer>, Failure>) {
    read_bytes(&mut Reader::new(CallIds::default()), Framing::Messages, &messages.concat())
}

fn delta(index: u64, delta: Value) -> Vec<u8> {
    event("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}).to_string())
}

fn close(index: u64) -> Vec<u8> {
    event("contentBlockStop", &json!({"contentBlockIndex": index}).to_string())
}

fn stop(reason: &str) -> Vec<u8> {
    event("messageStop", &json!({"stopReason": reason}).to_string())
}

fn usage() -> Vec<u8> {
    let usage = json!({"inputTokens": 10, "outputTokens": 20, "totalTokens": 135, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 5});
    event("metadata", &json!({"usage": usage, "metrics": {"latencyMs": 1}}).to_string())
}

#[test]
fn reads_reasoning_text_and_parallel_calls() {
    let start = |index: u64, id: &str, name: &str| {
        let start =
            json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": name}}});
        event("contentBlockStart", &start.to_string())
    };
    let (events, answer) = read(&[
        event("messageStart", r#"{"role":"assistant"}"#),
        delta(0, json!({"reasoningContent": {"text": "hm"}})),
        delta(0, json!({"reasoningContent": {"signature": "sig"}})),
        close(0),
        delta(1, json!({"text": "I "})),
        delta(1, json!({"text": "look."})),
        close(1),
        start(2, "t1", "read"),
        delta(2, json!({"toolUse": {"input": "{\"path\":"}})),
        start(3, "t2", "ls"),
        delta(2, json!({"toolUse": {"input": "\"a\"}"}})),
        close(2),
        close(3),
        stop("tool_use"),
        usage(),
    ]);
    let tokens =
        TokenCounts { input: 10, output: 20, cache_read: 100, cache_write: 5, ..TokenCounts::default() };
    let expected = [
        ModelEvent::ReasoningDelta("hm".into()),
        ModelEvent::TextDelta("I ".into()),
        ModelEvent::TextDelta("look.".into()),
        ModelEvent::ToolCallStart { id: "t1".into(), name: "read".into() },
        ModelEvent::ToolCallDelta { id: "t1".into(), delta: "{\"path\":".into() },
        ModelEvent::ToolCallStart { id: "t2".into(), name: "ls".into() },
        ModelEvent::ToolCallDelta { id: "t1".into(), delta: "\"a\"}".into() },
        ModelEvent::ToolCallEnd { id: "t1".into() },
        ModelEvent::Usage(tokens),
        ModelEvent::ToolCallEnd { id: "t2".into() },
    ];
    assert_eq!(events, expected);
    let expected = Answer {
        parts: vec![
            signed("hm", "sig"),
            text("I look."),
            call("t1", "read", "{\"path\":\"a\"}"),
            call("t2", "ls", ""),
        ],
        stop: StopReason::ToolUse,
        finish_reason: Some("tool_use".into()),
        tokens,
        model: None,
        cost_micros: None,
    };
    assert_eq!(answer, Ok(Some(expected)));
}

#[test]
fn the_answer_is_complete_at_its_stop_and_not_before() {
    let parts = |messages: &[Vec<u8>]| read(messages).1.unwrap().map(|answer| (answer.parts, answer.stop));
    let said = delta(0, json!({"text": "a"}));
    assert_eq!(parts(std::slice::from_ref(&said)), None);
    assert_eq!(parts(&[said.clone(), usage()]), None);
    let done = Some((vec![text("a")], StopReason::EndTurn));
    assert_eq!(parts(&[said.clone(), stop("end_turn")]), done);
    assert_eq!(parts(&[said.clone(), stop("end_turn"), usage(), delta(1, json!({"text": "late"}))]), done);
    let stops = |reason: &str| parts(&[said.clone(), stop(reason), usage()]).unwrap().1;
    assert_eq!(
        ["max_tokens", "guardrail_intervened", "malformed_model_output"].map(stops),
        [StopReason::MaxTokens, StopReason::Refusal, StopReason::Error]
    );
}

#[test]
fn an_exception_inside_the_stream_is_a_failure() {
    let exception = [(":message-type", "exception"), (":exception-type", "throttlingException")];
    let (_, answer) = read(&[delta(0, json!({"text": "a"})), message(&exception, r#"{"message":"slow"}"#)]);
    let reported = json!({"type": "throttlingException", "message": "slow"});
    assert_eq!(answer, Err(Failure::Reported(reported)));
}

fn conversation() -> Request {
    let mut request = request(vec![
        kit_protocol::Message { role: kit_protocol::Role::User, parts: vec![text("look"), image()] },
        assistant(vec![signed("hm", "sig"), call("t1", "read", "{\"path\":\"a\"}")]),
        results(&[("t1", "no such file", true)]),
        user("go on"),
    ]);
    request.tools = [tool("read")].into();
    request.parameters = Parameters { temperature: Some(0.5), ..Parameters::default() };
    request
}

#[test]
fn the_body_of_a_model_of_anthropic_has_its_cache_marks_and_reasoning() {
    let cached = json!({"cachePoint": {"type": "default"}});
    let mut request = conversation();
    request.parameters.thinking = kit_protocol::ThinkingLevel::Low;
    let abilities = crate::catalogue::Abilities { reasoning: true, ..target("nobody", CLAUDE).abilities };
    let body = body(&request, Target { abilities, ..target("nobody", CLAUDE) });
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let expected = json!({
        "system": [{"text": "Be brief."}, cached],
        "messages": [
            {"role": "user", "content": [
                {"text": "look"}, {"image": {"format": "png", "source": {"bytes": "AAAA"}}}, cached,
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
                {"toolUse": {"toolUseId": "t1", "name": "read", "input": {"path": "a"}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "no such file"}], "status": "error"}},
                {"text": "go on"}, cached,
            ]},
        ],
        "inferenceConfig": {"maxTokens": 8192},
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "read", "description": "Runs read.", "inputSchema": {"json": schema}}}, cached,
        ]},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 4096}},
    });
    assert_eq!(body, expected);
}

#[test]
fn other_makers_get_what_all_models_take() {
    let body = body(&conversation(), target("nobody", "meta.llama4-maverick-17b-instruct-v1:0"));
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 8192, "temperature": 0.5}));
    assert_eq!(body.get("additionalModelRequestFields"), None);
    let text = body.to_string();
    assert!(!text.contains("cachePoint") && !text.contains("reasoningContent"), "{text}");
    let plain = Target { plain: Plain { reasoning: true, ..Plain::default() }, ..target("nobody", CLAUDE) };
    assert!(!super::body(&conversation(), plain).to_string().contains("reasoningContent"));
}
