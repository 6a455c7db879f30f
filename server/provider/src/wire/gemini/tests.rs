use std::sync::Arc;

use kit_protocol::{Message, Part as Piece, ReasoningPart, Role, ThinkingLevel};
use serde_json::json;

use super::*;
use crate::model::{Parameters, Request, ToolDefinition};
use crate::wire::fixtures::{
    assistant, call, image, read, request, results, target, text, tool, truncated, user,
};

const MODEL: &str = "gemini-3.8-flash";

fn reader() -> Reader {
    Reader::new(CallIds::default(), MODEL)
}

fn stream(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

fn chunk(parts: Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}], "modelVersion": MODEL})
}

fn last(parts: Value, reason: &str) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason}],
        "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 1,
            "candidatesTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 110}})
}

fn answer(chunks: &[Value]) -> Answer {
    read(&mut reader(), &stream(chunks)).1.unwrap().unwrap()
}

fn seal(signature: &str, alone: bool) -> Piece {
    let seal = Seal::Gemini { model: MODEL.into(), signature: signature.into(), alone };
    Piece::Reasoning(ReasoningPart { encrypted: Some(seal.text()), ..ReasoningPart::default() })
}

fn thought(text: &str) -> Piece {
    Piece::Reasoning(ReasoningPart { thinking: text.into(), ..ReasoningPart::default() })
}

/// Thoughts, text and two calls, of which the first is signed.
fn whole() -> Vec<Value> {
    vec![
        json!({"candidates": [{"content": {"parts": [{"text": "h", "thought": true}]}}],
            "usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100}}),
        chunk(json!([{"text": "m", "thought": true}, {"text": "I "}])),
        chunk(json!([{"text": "look."}])),
        chunk(
            json!([{"functionCall": {"name": "read", "args": {"path": "a"}, "id": "own"}, "thoughtSignature": "c2ln"}]),
        ),
        last(json!([{"functionCall": {"name": "ls", "args": {}}}]), "STOP"),
    ]
}

#[test]
fn reads_thoughts_text_calls_and_usage() {
    let (events, answer) = read(&mut reader(), &stream(&whole()));
    let tokens = TokenCounts {
        input: 41,
        output: 9,
        cache_read: 60,
        cache_write: 0,
        cache_write_hour: 0,
        reasoning: Some(4),
    };
    let expected = [
        ModelEvent::Usage(TokenCounts { input: 100, ..TokenCounts::default() }),
        ModelEvent::ReasoningDelta("h".into()),
        ModelEvent::ReasoningDelta("m".into()),
        ModelEvent::TextDelta("I ".into()),
        ModelEvent::TextDelta("look.".into()),
        ModelEvent::ToolCallStart { id: "own".into(), name: "read".into() },
        ModelEvent::ToolCallDelta { id: "own".into(), delta: "{\"path\":\"a\"}".into() },
        ModelEvent::ToolCallEnd { id: "own".into() },
        ModelEvent::Usage(tokens),
        ModelEvent::ToolCallStart { id: "call_0_1".into(), name: "ls".into() },
        ModelEvent::ToolCallDelta { id: "call_0_1".into(), delta: "{}".into() },
        ModelEvent::ToolCallEnd { id: "call_0_1".into() },
    ];
    assert_eq!(events, expected);
    let expected = Answer {
        parts: vec![
            thought("hm"),
            text("I look."),
            seal("c2ln", false),
            call("own", "read", "{\"path\":\"a\"}"),
            call("call_0_1", "ls", "{}"),
        ],
        stop: StopReason::ToolUse,
        finish_reason: Some("STOP".into()),
        tokens,
        model: Some(MODEL.into()),
        cost_micros: None,
    };
    assert_eq!(answer, Ok(Some(expected)));
}

#[test]
fn chunks_in_one_array_are_the_same_answer() {
    let array = format!("data: {}\n\n", Value::Array(whole()));
    let (_, at_once) = read(&mut reader(), &array);
    assert_eq!(at_once, Ok(Some(answer(&whole()))));
}

#[test]
fn signatures_return_on_their_part() {
    let chunks = [
        chunk(json!([{"text": "a"}])),
        chunk(json!([{"text": "b", "thoughtSignature": "on-b"}])),
        chunk(json!([{"text": "c"}])),
        chunk(json!([{"functionCall": {"name": "ls", "args": {}}, "thoughtSignature": "on-call"}])),
        chunk(json!([{"functionCall": {"name": "read", "args": {}}}])),
        last(json!([{"text": "", "thoughtSignature": "alone"}]), "STOP"),
    ];
    let message = Message { role: Role::Assistant, parts: answer(&chunks).parts };
    let messages = vec![user("go"), message];
    let parts =
        |name| body(&request(messages.clone()), target("google", name))["contents"][1]["parts"].clone();
    let expected = json!([
        {"text": "a"},
        {"text": "b", "thoughtSignature": "on-b"},
        {"text": "c"},
        {"functionCall": {"name": "ls", "args": {}, "id": "call_0_1"}, "thoughtSignature": "on-call"},
        {"functionCall": {"name": "read", "args": {}, "id": "call_0_2"}},
        {"text": "", "thoughtSignature": "alone"},
    ]);
    assert_eq!(parts(MODEL), expected);
    let foreign = json!([
        {"text": "a"},
        {"text": "b"},
        {"text": "c"},
        {"functionCall": {"name": "ls", "args": {}, "id": "call_0_1"}, "thoughtSignature": "skip_thought_signature_validator"},
        {"functionCall": {"name": "read", "args": {}, "id": "call_0_2"}},
    ]);
    assert_eq!(parts("gemini-4-argon"), foreign);
    let older = json!([
        {"text": "a"},
        {"text": "b"},
        {"text": "c"},
        {"functionCall": {"name": "ls", "args": {}}},
        {"functionCall": {"name": "read", "args": {}}},
    ]);
    assert_eq!(parts("gemini-2.5-flash"), older);
}

#[test]
fn the_finish_reason_decides_what_an_answer_is() {
    let check = |reason: &str| {
        let answer = answer(&[last(json!([{"functionCall": {"name": "ls", "args": {}}}]), reason)]);
        (answer.parts, answer.stop)
    };
    let runs = vec![call("call_0_1", "ls", "{}")];
    let stays = vec![truncated("call_0_1", "ls", "{}")];
    assert_eq!(check("STOP"), (runs.clone(), StopReason::ToolUse));
    assert_eq!(check("FUNCTION_CALL"), (runs.clone(), StopReason::ToolUse));
    assert_eq!(check("MAX_TOKENS"), (runs, StopReason::MaxTokens));
    assert_eq!(check("SAFETY"), (stays.clone(), StopReason::Refusal));
    assert_eq!(check("OTHER"), (stays, StopReason::Error));
    let blocked = answer(&[json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})]);
    assert_eq!((blocked.parts, blocked.stop), (vec![], StopReason::Refusal));
    assert_eq!(read(&mut reader(), &stream(&[chunk(json!([{"text": "a"}]))])).1, Ok(None));
}

#[test]
fn errors_and_garbled_answers_end_the_stream() {
    let check = |chunk: Value| read(&mut reader(), &stream(&[chunk])).1;
    let error = json!({"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow"});
    assert_eq!(check(json!({"error": error})), Err(Failure::Reported(error.clone())));
    assert_eq!(check(json!([{"error": error}])), Err(Failure::Reported(error)));
    let garbled =
        json!({"code": 502, "message": "the provider ended the answer with `MALFORMED_FUNCTION_CALL`"});
    assert_eq!(check(last(json!([]), "MALFORMED_FUNCTION_CALL")), Err(Failure::Reported(garbled)));
}

#[test]
fn builds_the_whole_body() {
    let mut with_image = results(&[("c", "none", true)]);
    with_image.parts.push(image());
    let messages =
        vec![user("one"), assistant(vec![text("two"), call("c", "read", "{\"path\":\"a\"}")]), with_image];
    let parameters = Parameters {
        max_output_tokens: Some(500),
        temperature: Some(0.5),
        top_p: Some(0.9),
        stop_sequences: vec!["END".into()],
        thinking: ThinkingLevel::Medium,
    };
    let without = ToolDefinition { input_schema: json!({"type": "object"}), ..tool("now") };
    let request = Request { tools: Arc::new([tool("read"), without]), parameters, ..request(messages) };
    let expected = json!({
        "contents": [
            {"role": "user", "parts": [{"text": "one"}]},
            {"role": "model", "parts": [
                {"text": "two"},
                {"functionCall": {"name": "read", "args": {"path": "a"}, "id": "c"},
                    "thoughtSignature": "skip_thought_signature_validator"},
            ]},
            {"role": "user", "parts": [{"functionResponse": {"name": "read", "response": {"error": "none"}, "id": "c",
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [
            {"name": "read", "description": "Runs read.",
                "parametersJsonSchema": {"type": "object", "properties": {"path": {"type": "string"}}}},
            {"name": "now", "description": "Runs now."},
        ]}],
        "generationConfig": {
            "maxOutputTokens": 500, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"],
            "thinkingConfig": {"thinkingLevel": "medium", "includeThoughts": true},
        },
    });
    assert_eq!(body(&request, target("google", MODEL)), expected);
}

#[test]
fn levels_become_what_a_generation_understands() {
    let check = |name: &str, level| {
        let parameters = Parameters { thinking: level, ..Parameters::default() };
        let body = body(&Request { parameters, ..request(vec![user("a")]) }, target("google", name));
        body["generationConfig"]["thinkingConfig"].clone()
    };
    let budget = |tokens: u64, shown: bool| json!({"thinkingBudget": tokens, "includeThoughts": shown});
    let level = |level: &str, shown: bool| json!({"thinkingLevel": level, "includeThoughts": shown});
    assert_eq!(check("gemini-2.5-flash", ThinkingLevel::Off), budget(0, false));
    assert_eq!(check("gemini-2.5-pro", ThinkingLevel::Off), budget(128, false));
    assert_eq!(check("gemini-2.5-pro", ThinkingLevel::High), budget(20_480, true));
    assert_eq!(check("gemini-3.6-flash", ThinkingLevel::Off), level("minimal", false));
    assert_eq!(check("gemini-3.1-pro-preview", ThinkingLevel::Minimal), level("low", true));
    assert_eq!(check("gemini-3-pro-preview", ThinkingLevel::Medium), level("high", true));
    assert_eq!(check("gemini-99", ThinkingLevel::Off), Value::Null);
}
