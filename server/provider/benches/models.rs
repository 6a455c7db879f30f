//! Speed of what is between the bytes of a model server and the events of its answer, and of the catalogue.
//!
//! The look-up without anything read before needs a fresh process, so the bench starts itself again for each sample.
#![allow(clippy::expect_used, reason = "a bench that cannot run stops at once")]

use std::hint::black_box;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use futures::StreamExt as _;
use kit_protocol::{Message, Role};
use kit_provider::{Environment, Models, Parameters, ProviderSettings, Request};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Set in the process that looks one model up and prints how long that took.
const COLD: &str = "KIT_BENCH_COLD";
/// How long first look-ups are measured.
const ROUNDS: Duration = Duration::from_millis(200);
/// Text events of an answer.
const EVENTS: usize = 1000;

/// An answer of a wire with that many pieces of text: as events of a stream, or as lines.
fn answer(wire: &str, pieces: usize) -> String {
    let frame = |data: Value| match wire {
        "ollama" => format!("{data}\n"),
        _ => format!("data: {data}\n\n"),
    };
    let piece = match wire {
        "messages" => {
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some words"}})
        }
        "responses" => {
            json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "some words"})
        }
        "gemini" => json!({"candidates": [{"content": {"parts": [{"text": "some words"}]}}]}),
        "ollama" => {
            json!({"model": "m", "message": {"role": "assistant", "content": "some words"}, "done": false})
        }
        _ => json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "some words"}}]}),
    };
    let start = match wire {
        "messages" => {
            frame(json!({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 1}}}))
                + &frame(
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                )
        }
        _ => String::new(),
    };
    let end = match wire {
        "messages" => {
            frame(json!({"type": "content_block_stop", "index": 0}))
                + &frame(
                    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
                )
                + &frame(json!({"type": "message_stop"}))
        }
        "responses" => {
            frame(json!({"type": "response.completed", "response": {"status": "completed", "usage": {}}}))
        }
        "gemini" => frame(json!({"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]})),
        "ollama" => frame(json!({"message": {"content": ""}, "done": true, "done_reason": "stop"})),
        _ => {
            frame(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
                + "data: [DONE]\n\n"
        }
    };
    start + &frame(piece).repeat(pieces) + &end
}

/// The same of Bedrock: binary messages, each with its headers and two checksums.
fn binary_answer(pieces: usize) -> Vec<u8> {
    let message = |name: &str, payload: Value| {
        let mut head = Vec::new();
        for (header, value) in [(":message-type", "event"), (":event-type", name)] {
            head.extend([u8::try_from(header.len()).expect("a short name")]);
            head.extend(header.as_bytes());
            head.extend([7, 0, u8::try_from(value.len()).expect("a short value")]);
            head.extend(value.as_bytes());
        }
        let payload = payload.to_string();
        let length = |length: usize| u32::try_from(length).expect("a small message").to_be_bytes();
        let mut message = [length(16 + head.len() + payload.len()), length(head.len())].concat();
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message.extend(head);
        message.extend(payload.as_bytes());
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message
    };
    let piece =
        message("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "some words"}}));
    let end = [
        message("contentBlockStop", json!({"contentBlockIndex": 0})),
        message("messageStop", json!({"stopReason": "end_turn"})),
        message("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 1}})),
    ];
    piece.repeat(pieces).into_iter().chain(end.concat()).collect()
}

/// A recording of one such answer in one piece.
fn recording(wire: &str, pieces: usize) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    let lines = [
        json!({"type": "call", "wire": wire, "provider": "nobody", "model": "m", "requestId": null, "answered": true}),
        match wire {
            "bedrock" => json!({"type": "bytes", "at": 0, "bytes": binary_answer(pieces)}),
            _ => json!({"type": "text", "at": 0, "text": answer(wire, pieces)}),
        },
        json!({"type": "end", "at": 0}),
    ];
    for line in lines {
        writeln!(file, "{line}").expect("the recording can be written");
    }
    file
}

fn request() -> Request {
    Request {
        system: "Be brief.".into(),
        messages: [Message::text(Role::User, "go")].into(),
        tools: [].into(),
        parameters: Parameters::default(),
        cache_key: None,
    }
}

fn streams(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("model stream");
    for wire in ["messages", "chat-completions", "responses", "gemini", "ollama", "bedrock"] {
        for (name, pieces) in [("1,000 events", EVENTS), ("one event", 1)] {
            let file = recording(wire, pieces);
            let id = format!("recorded/{}", file.path().display());
            group.throughput(Throughput::Elements(pieces as u64));
            group.bench_function(format!("{name} of {wire}"), |bencher| {
                let resolve = || {
                    let models = Models::new(&ProviderSettings::default(), Environment::default());
                    models.resolve(&id.parse().expect("an id")).expect("the recording")
                };
                bencher.iter_batched(
                    resolve,
                    |model| {
                        runtime.block_on(async {
                            let events = model.stream(request(), CancellationToken::new());
                            events.fold(0, async |count, event| count + usize::from(event.is_ok())).await
                        })
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn look_up() -> Duration {
    let models = Models::new(&ProviderSettings::default(), Environment::default());
    let id = "anthropic/claude-sonnet-4-5".parse().expect("an id");
    let started = Instant::now();
    black_box(models.suggestions(&id));
    started.elapsed()
}

fn catalogue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("catalogue");
    // Each round is a process of its own, of which criterion sees the look-up alone.
    group.sample_size(10).warm_up_time(ROUNDS).measurement_time(ROUNDS);
    group.bench_function("first look-up", |bencher| {
        bencher.iter_custom(|count| {
            let own = std::env::current_exe().expect("the bench has a path");
            let sample = || {
                let output = Command::new(&own).env(COLD, "1").output().expect("the bench runs");
                let text = String::from_utf8(output.stdout).expect("a number");
                Duration::from_nanos(text.trim().parse().expect("a number"))
            };
            (0..count).map(|_| sample()).sum()
        });
    });
    group.bench_function("look-up", |bencher| bencher.iter(look_up));
    group.finish();
}

fn main() {
    if std::env::var_os(COLD).is_some() {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", look_up().as_nanos()).expect("stdout is open");
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    streams(&mut criterion);
    catalogue(&mut criterion);
    criterion.final_summary();
}
