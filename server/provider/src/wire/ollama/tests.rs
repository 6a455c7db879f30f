use std::sync::Arc;

use kit_protocol::{Message, Part, ReasoningPart, ThinkingLevel};
use serde_json::json;

use super::*;
use crate::catalogue::Abilities;
use crate::framing::Framing;
use crate::model::{Parameters, Request};
use crate::wire::Target;
use crate::wire::fixtures::{
    assistant, call, image, read_framed, request, results, signed, target, text, tool, truncated, user,
};

const SIZE: Size = Size { prompt: 100, context: 32_768 };

fn lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn message(message: Value) -> Value {
    json!({"model": "qwen3:8b", "created_at": "2026-11-21T10:00:00Z", "message": message, "done": false})
}

fn done(reason: &str) -> Value {
    json!({"model": "qwen3:8b", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason,
        "prompt_eval_count": 26, "eval_count": 9})
}

fn check(size: Size, stream: &[Value]) -> (Vec<ModelEvent>, Result<Option<Answer>, Failure>) {
    read_framed(&mut Reader::new(CallIds::default(), size), Framing::Lines, &lines(stream))
}

#[test]
fn reads_thoughts_text_calls_and_usage() {
    let stream = [
        message(json!({"role": "assistant", "content": "", "thinking": "hm"})),
        message(json!({"role": "assistant", "content": "I "})),
        message(json!({"role": "assistant", "content": "look."})),
        message(json!({"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "read", "arguments": {"path": "a"}}}, {"function": {"name": "ls", "arguments": {}}}]})),
        done("stop"),
    ];
    let (events, answer) = check(SIZE, &stream);
    let tokens = TokenCounts { input: 26, output: 9, ..TokenCounts::default() };
    let expected = [
        ModelEvent::ReasoningDelta("hm".into()),
        ModelEvent::TextDelta("I ".into()),
        ModelEvent::TextDelta("look.".into()),
        ModelEvent::ToolCallStart { id: "call_0_1".into(), name: "read".into() },
        ModelEvent::ToolCallDelta { id: "call_0_1".into(), delta: "{\"path\":\"a\"}".into() },
        ModelEvent::ToolCallEnd { id: "call_0_1".into() },
        ModelEvent::ToolCallStart { id: "call_0_2".into(), name: "ls".into() },
        ModelEvent::ToolCallDelta { id: "call_0_2".into(), delta: "{}".into() },
        ModelEvent::ToolCallEnd { id: "call_0_2".into() },
        ModelEvent::Usage(tokens),
    ];
    assert_eq!(events, expected);
    let thought = Part::Reasoning(ReasoningPart { thinking: "hm".into(), ..ReasoningPart::default() });
    let expected = Answer {
        parts: vec![
            thought,
            text("I look."),
            call("call_0_1", "read", "{\"path\":\"a\"}"),
            call("call_0_2", "ls", "{}"),
        ],
        stop: StopReason::ToolUse,
        finish_reason: Some("stop".into()),
        tokens,
        model: Some("qwen3:8b".into()),
        cost_micros: None,
    };
    assert_eq!(answer, Ok(Some(expected)));
}

#[test]
fn only_the_last_line_completes_an_answer() {
    let begun = message(json!({"content": "a"}));
    assert_eq!(check(SIZE, std::slice::from_ref(&begun)).1, Ok(None));
    let stop = |reason| check(SIZE, &[begun.clone(), done(reason)]).1.unwrap().unwrap().stop;
    assert_eq!(
        [stop("stop"), stop("length"), stop("surprise")],
        [StopReason::EndTurn, StopReason::MaxTokens, StopReason::Error]
    );
    assert_eq!(
        check(SIZE, &[json!({"error": "no such model"})]).1,
        Err(Failure::Reported(json!("no such model")))
    );
    let cut = message(json!({"tool_calls": [{"id": "c", "function": {"name": "ls", "arguments": "{\"p"}}]}));
    assert_eq!(check(SIZE, &[cut, done("stop")]).1.unwrap().unwrap().parts, [truncated("c", "ls", "{\"p")]);
}

#[test]
fn a_prompt_that_the_server_cut_is_an_overflow() {
    let report = |size| match check(size, &[done("stop")]).1 {
        Err(Failure::Reported(report)) => report["code"].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(report(Size { prompt: 8000, context: 8192 }), "context_length_exceeded");
    for size in [Size { prompt: 8000, context: 32_768 }, Size { prompt: 50, context: 60 }] {
        assert!(check(size, &[done("stop")]).1.is_ok(), "{size:?}");
    }
}

#[test]
fn the_context_grows_in_doublings_up_to_the_limit_of_the_model() {
    let context = |bytes: usize, context_window| {
        let request = request(vec![user(&"x".repeat(bytes))]);
        Size::of(&request, Target { context_window, ..target("ollama", "m") }).context
    };
    assert_eq!([context(10, 0), context(70_000, 0), context(100_000, 0)], [32_768, 32_768, 65_536]);
    assert_eq!([context(10, 8192), context(1_000_000, 131_072)], [8192, 131_072]);
    assert_eq!(context(4_000_000, 0), 2_097_152);
    let shown = request(vec![Message { role: kit_protocol::Role::User, parts: vec![image(); 20] }]);
    let of = |abilities| Size::of(&shown, Target { abilities, ..target("ollama", "m") });
    assert_eq!(of(Abilities::UNKNOWN).context, 65_536);
    assert_eq!(of(Abilities { images: false, ..Abilities::UNKNOWN }).context, 32_768);
}

#[test]
fn builds_the_whole_body() {
    let mut with_image = user("look");
    with_image.parts.push(image());
    let messages = vec![
        user("one"),
        assistant(vec![signed("hm", "sig"), text("two"), call("c", "read", "{\"path\":\"a\"}")]),
        results(&[("c", "gone", true)]),
        with_image,
    ];
    let parameters = Parameters {
        max_output_tokens: Some(500),
        temperature: Some(0.5),
        top_p: Some(0.9),
        stop_sequences: vec!["END".into()],
        thinking: ThinkingLevel::High,
    };
    let request = Request { tools: Arc::new([tool("read")]), parameters, ..request(messages) };
    let expected = json!({
        "model": "qwen3:8b",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two", "thinking": "hm",
                "tool_calls": [{"function": {"name": "read", "arguments": {"path": "a"}}}]},
            {"role": "tool", "tool_name": "read", "content": "Error: gone"},
            {"role": "user", "content": "look", "images": ["AAAA"]},
        ],
        "stream": true,
        "truncate": false,
        "shift": false,
        "tools": [{"type": "function", "function": {"name": "read", "description": "Runs read.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}}],
        "options": {"num_ctx": 32_768, "num_predict": 500, "temperature": 0.5, "top_p": 0.9, "stop": ["END"]},
    });
    assert_eq!(body(&request, target("ollama", "qwen3:8b")), expected);
    let think = |name| {
        let abilities = Abilities { known: true, ..Abilities::UNKNOWN };
        body(&request, Target { abilities, ..target("ollama", name) })["think"].clone()
    };
    assert_eq!((think("qwen3:8b"), think("gpt-oss:20b")), (json!(true), json!("high")));
}
