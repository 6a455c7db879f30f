use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use kit_protocol::{CostKind, Price};
use proptest::prelude::*;

use super::*;
use crate::usage::TokenCounts;
use crate::wire::Wire;
use crate::wire::chat::Quirks;
use crate::wire::fixtures::{request, target, user};

const CHAT: &str = "data: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"reasoning\":\"h\u{e4}\"}}]}\r\n\r\n\
: PROCESSING\n\n\
data: {\"choices\":[{\"delta\":{\"content\":\"so \u{1f600}\"}}]}\n\n\
data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"ls\",\"arguments\":\"{}\"}}]}}]}\n\n\
data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4}}\n\n\
data: [DONE]\n\n";

const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m-1\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n\
event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"so \u{1f600}\"}}\n\n\
event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n\
event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const ERROR: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
data: {\"error\":{\"code\":503,\"message\":\"overloaded\"}}\n\n";

const RESPONSES: &str = "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\",\"id\":\"f\",\"call_id\":\"c\",\"name\":\"ls\"}}\n\n\
event: x\ndata: {\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"f\",\"delta\":\"{}\"}\n\n\
data: {\"type\":\"response.output_text.delta\",\"item_id\":\"m\",\"delta\":\"so \u{1f600}\"}\r\n\r\n\
data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":10,\"output_tokens\":4}}}\n\n";

const GEMINI: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\u{e4}\",\"thought\":true},{\"text\":\"so \u{1f600}\"}]}}]}\r\n\r\n\
data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"ls\",\"args\":{}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":10}}\r\n\r\n";

const OLLAMA: &str = "{\"model\":\"m\",\"message\":{\"content\":\"so \u{1f600}\"},\"done\":false}\n\
{\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"ls\",\"arguments\":{}}}]},\"done\":false}\r\n\
{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":10,\"eval_count\":4}";

const LIMITS: Limits = Limits {
    first_byte: Duration::from_secs(9),
    idle: Duration::from_secs(30),
    grace: Duration::from_secs(5),
    event: Duration::from_secs(200),
    largest: [32 << 20, 1 << 20],
};

fn model_call() -> Call {
    Call {
        is_subscription: false,
        info: ModelInfo {
            id: "mine/m".parse().unwrap(),
            provider: "mine".into(),
            name: "M".into(),
            context_window: 1000,
            max_output: 0,
            reasoning: true,
            price: None,
            note: None,
        },
        remote_name: "m".into(),
        provider_name: "Mine".into(),
        key_source: "MINE_KEY".into(),
        prices: Some(Prices {
            base: Price { input: 1_000_000, output: 2_000_000, cache_read: None, cache_write: None },
            tiers: Vec::new(),
        }),
        limits: LIMITS,
        catalogue: Catalogue::default(),
    }
}

fn pump(wire: Wire, body: Body) -> Pump {
    let opened = Opened { request_id: Some("req-1".into()), body };
    let adapter = wire.adapter(&request(vec![user("go")]), target("mine", "m"));
    Pump::new(model_call(), opened, wire.framing(), adapter)
}

fn whole(chunks: Vec<Bytes>) -> Body {
    stream::iter(chunks.into_iter().map(Ok)).boxed()
}

/// The chunks, and then silence.
fn stalled(text: &'static str) -> Body {
    stream::iter([Ok(Bytes::from_static(text.as_bytes()))]).chain(stream::pending()).boxed()
}

async fn events(mut pump: Pump) -> Vec<Result<ModelEvent, ModelError>> {
    let mut events = Vec::new();
    while let Some(event) = pump.next().await {
        events.push(event);
    }
    events
}

fn chat() -> Wire {
    Wire::ChatCompletions(Quirks::COMMON)
}

async fn failure(wire: Wire, body: Body) -> ModelError {
    events(pump(wire, body)).await.pop().unwrap().unwrap_err()
}

fn unavailable(message: &str, started: bool) -> ModelError {
    ModelError { started, request_id: Some("req-1".into()), ..ModelError::unavailable(message) }
}

#[tokio::test]
async fn the_last_event_is_the_whole_answer_with_its_cost() {
    let mut events = events(pump(chat(), whole(vec![CHAT.into()]))).await;
    assert_eq!(events.first(), Some(&Ok(ModelEvent::Connected { request_id: Some("req-1".into()) })));
    let Some(Ok(ModelEvent::Finished(completion))) = events.pop() else { panic!("{events:?}") };
    assert_eq!(completion.tokens, TokenCounts { input: 10, output: 4, ..TokenCounts::default() });
    assert_eq!(completion.cost, Cost { micros: Some(18), kind: CostKind::Priced });
    assert_eq!(completion.model.to_string(), "mine/m-1");
    assert_eq!((completion.stop, completion.request_id), (StopReason::ToolUse, Some("req-1".into())));
    assert_eq!(completion.message.joined_text(), "so \u{1f600}");
}

#[tokio::test]
async fn a_cut_answer_is_a_failure_that_a_retry_may_mend() {
    let cut = &CHAT[..CHAT.find("data: {\"choices\":[{\"delta\":{},").unwrap()];
    let error = failure(chat(), whole(vec![Bytes::from_static(cut.as_bytes())])).await;
    assert_eq!(error, unavailable("the answer of Mine ended before it was complete", true));
    let cut = &MESSAGES[..MESSAGES.find("event: message_stop").unwrap()];
    let error = failure(Wire::Messages, whole(vec![Bytes::from_static(cut.as_bytes())])).await;
    assert_eq!(error, unavailable("the answer of Mine ended before it was complete", true));
}

#[tokio::test]
async fn an_empty_answer_and_a_strange_one_are_failures() {
    assert_eq!(failure(chat(), whole(vec![])).await, unavailable("Mine sent an empty answer", false));
    let strange = "Mine sent something that is not an event stream; check the base URL";
    assert_eq!(
        failure(chat(), whole(vec!["\x1f\u{fffd}garbage\n".into()])).await,
        unavailable(strange, false)
    );
    let broken = failure(chat(), whole(vec!["data: {oops\n\n".into()])).await;
    assert!(broken.message.starts_with("Mine sent an event that cannot be read: "), "{broken}");
    assert_eq!(broken.retry, Retry::Backoff);
}

#[tokio::test]
async fn an_error_comes_after_the_events_before_it() {
    let events = events(pump(chat(), whole(vec![ERROR.into()]))).await;
    let [Ok(ModelEvent::Connected { .. }), Ok(ModelEvent::TextDelta(text)), Err(error)] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(text, "a");
    let expected = ModelError {
        status: Some(503),
        ..unavailable("Mine is unavailable with status 503: overloaded", true)
    };
    assert_eq!(*error, expected);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_too_long_is_a_failure() {
    let started = tokio::time::Instant::now();
    let error = failure(chat(), stalled("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n")).await;
    assert_eq!(error, unavailable("Mine sent nothing for 30 s in the middle of its answer", true));
    assert_eq!(started.elapsed(), LIMITS.idle);
}

#[tokio::test(start_paused = true)]
async fn many_short_pauses_are_no_failure() {
    let slow = stream::iter(CHAT.as_bytes().chunks(40)).then(|chunk| async move {
        tokio::time::sleep(Duration::from_secs(29)).await;
        Ok(Bytes::from_static(chunk))
    });
    let last = events(pump(chat(), slow.boxed())).await.pop();
    assert!(matches!(last, Some(Ok(ModelEvent::Finished(_)))), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_complete_answer_is_not_lost_when_the_connection_is_never_closed_or_breaks() {
    let finished = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
    let started = tokio::time::Instant::now();
    let last = events(pump(chat(), stalled(finished))).await.pop();
    assert!(matches!(last, Some(Ok(ModelEvent::Finished(_)))), "{last:?}");
    assert_eq!(started.elapsed(), LIMITS.grace);
    let broken = [Ok(Bytes::from_static(finished.as_bytes())), Err(ModelError::unavailable("reset"))];
    let last = events(pump(chat(), stream::iter(broken).boxed())).await.pop();
    assert!(matches!(last, Some(Ok(ModelEvent::Finished(_)))), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_without_an_event_is_a_failure() {
    let dripping = stream::repeat_with(|| Bytes::from_static(b"x")).then(async |byte| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(byte)
    });
    let started = tokio::time::Instant::now();
    let error = failure(chat(), dripping.boxed()).await;
    assert_eq!(error, unavailable("Mine sent bytes for 200 s, but no whole event", false));
    assert_eq!(started.elapsed().as_secs(), 201);
}

#[tokio::test]
async fn an_answer_without_end_is_a_failure() {
    let comment = format!(": {}\n\n", "x".repeat(1 << 16));
    let word =
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(1 << 10));
    for (piece, size) in [(comment, 32), (word, 1)] {
        let piece = Bytes::from(piece);
        let endless = stream::repeat_with(move || Ok(piece.clone()));
        let error = failure(chat(), endless.boxed()).await;
        let told =
            format!("Mine sent more than {size} MiB in one answer; set max-tokens, or choose another model");
        assert_eq!((error.message, error.retry), (told, Retry::Never));
    }
}

#[tokio::test]
async fn an_endless_line_ends_in_bounded_memory() {
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 64 * 1024])));
    let error = failure(chat(), endless.boxed()).await;
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Never));
    assert_eq!(
        error.message,
        "the answer of Mine cannot be read: the server sent an event of more than 16 MiB; check the base URL, or choose another model"
    );
}

#[tokio::test]
async fn a_full_window_without_any_output_is_an_overflow() {
    let full = "data: {\"choices\":[{\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":995,\"completion_tokens\":0}}\n\n";
    assert_eq!(failure(chat(), whole(vec![full.into()])).await.kind, ErrorKind::ContextOverflow);
    let short = full.replace("995", "900");
    let last = events(pump(chat(), whole(vec![short.into()]))).await.pop();
    assert!(matches!(last, Some(Ok(ModelEvent::Finished(_)))), "{last:?}");
}

fn split(text: &str, cuts: &[usize]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| Bytes::copy_from_slice(&text.as_bytes()[pair[0]..pair[1]])).collect()
}

proptest! {
    #[test]
    fn splits_of_the_bytes_do_not_change_the_events(cuts in prop::collection::vec(0usize..2000, 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let streams = [
            (chat(), CHAT),
            (Wire::Messages, MESSAGES),
            (Wire::Responses, RESPONSES),
            (Wire::Gemini, GEMINI),
            (Wire::Ollama, OLLAMA),
            (chat(), ERROR),
        ];
        for (wire, text) in streams {
            let at_once = runtime.block_on(events(pump(wire, whole(vec![Bytes::from_static(text.as_bytes())]))));
            let in_pieces = runtime.block_on(events(pump(wire, whole(split(text, &cuts)))));
            let ended = matches!(at_once.last(), Some(Ok(ModelEvent::Finished(_)))) || text == ERROR;
            prop_assert!(ended, "{:?}", at_once);
            prop_assert_eq!(at_once, in_pieces);
        }
    }
}
