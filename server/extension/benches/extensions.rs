//! Loading an extension, its events through its actor, computing in it, and stopping one that loops. What a host of many
//! takes, the bench `host` tells.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a bench stops at what it cannot set up, and builds what it measures"
)]

#[path = "host/built.rs"]
mod built;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_extension::javascript::ENGINE;
use kit_extension::sandbox::{
    Body, Engine, Failure, FailureCode, Fault, Guest, Host, HostAnswer, Limits, LogLevel, Program, Recipe,
    Weight,
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const SOURCE: &str = r#"
export default function (kit) {
  kit.on("message_start", () => {});
  kit.on("error", () => { for (;;) {} });
  kit.on("tool_call", (event) => { if (event.input.includes("rm -rf")) return { block: true, reason: "no" }; });
  const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
  kit.registerTool({ name: "fib", description: "fib", execute: ({ n }) => String(fib(n)) });
}
"#;

/// A host that knows nothing.
struct Nobody;

impl Host for Nobody {
    fn log(&self, _level: LogLevel, _text: &str) {}
    fn notify(&self, _method: &str, _parameters: &str) -> Result<(), Failure> {
        Ok(())
    }
    fn get(&self, _method: &str, _parameters: &str) -> Result<String, Failure> {
        Ok("null".to_owned())
    }
    fn call(&self, _method: String, _parameters: String, _body: Body) -> BoxFuture<'static, HostAnswer> {
        std::future::ready(Err(Failure::new(FailureCode::Unavailable, "nobody is there"))).boxed()
    }
    fn waits_for_people(&self, _method: &str) -> bool {
        false
    }
    fn failed(&self, _event: &str, _fault: &Fault) {}
    fn crashed(&self, _why: &str, _disabled: bool) {}
}

fn recipe(program: &Program) -> Recipe {
    let configuration = json!({
        "api": 1, "name": "bench", "path": "/bench.js", "methods": [], "events": ["message_start", "tool_call", "error"],
        "options": {}, "context": { "sessionId": "s", "cwd": "/", "model": "a/b", "interactive": true },
        "source": SOURCE, "fileName": "bench.js",
    });
    Recipe {
        program: program.clone(),
        configuration: configuration.to_string().into(),
        host: Arc::new(Nobody),
        limits: Limits { heavy_computing: Duration::from_mins(1), crashes: usize::MAX, ..Limits::default() },
    }
}

async fn start(program: &Program) -> Guest {
    Guest::start(recipe(program)).await.expect("it loads").0
}

fn extensions(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::new(folder.path());
    let program = engine.compile(ENGINE).expect("the engine compiles");
    let component = built::component().map(|bytes| engine.compile(&bytes).expect("it compiles"));
    let runtime = Runtime::new().expect("a runtime");
    let limit = Duration::from_secs(60);
    criterion.bench_function("extension/JavaScript file to live", |bench| {
        bench.iter(|| runtime.block_on(async { black_box(start(&program).await) }));
    });
    // Events are measured on one thread: waking another one takes longer than an event.
    let alone = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let guest = alone.block_on(start(&program));
    let context = json!({ "sessionId": "s", "cwd": "/", "model": "a/b", "interactive": true });
    let input = "cargo test --workspace -- --nocapture 2>&1 | tail -n 40; ".repeat(72);
    let tool_call = json!({
        "toolName": "bash", "toolCallId": "c", "toolKind": "execute", "input": input, "source": "llm", "context": context,
    });
    let events = [
        ("extension/empty event", "message_start", json!({ "context": context })),
        ("extension/event of 4 KB", "tool_call", tool_call),
    ];
    for (name, event, payload) in &events {
        let (event, payload): (Arc<str>, Arc<str>) = ((*event).into(), payload.to_string().into());
        criterion.bench_function(name, |bench| {
            bench.iter(|| alone.block_on(guest.event(&event, &payload, limit)).expect("an answer"));
        });
    }
    let compiled = component.map(|component| {
        criterion.bench_function("extension/Rust component to live", |bench| {
            bench.iter(|| runtime.block_on(async { black_box(start(&component).await) }));
        });
        let compiled = alone.block_on(start(&component));
        for (name, event, payload) in &events {
            let (event, payload): (Arc<str>, Arc<str>) = ((*event).into(), payload.to_string().into());
            criterion.bench_function(&format!("{name} in Rust"), |bench| {
                bench.iter(|| alone.block_on(compiled.event(&event, &payload, limit)).expect("an answer"));
            });
        }
        drop(compiled);
        runtime.block_on(start(&component))
    });
    drop(guest);
    let guest = Arc::new(runtime.block_on(start(&program)));
    let (error, nothing): (Arc<str>, Arc<str>) =
        ("error".into(), json!({ "context": context }).to_string().into());
    let message: Arc<str> = "message_start".into();
    let mut slow = criterion.benchmark_group("extension");
    slow.sample_size(10);
    slow.bench_function("a loop is stopped", |bench| {
        bench.iter(|| runtime.block_on(guest.event(&error, &nothing, limit)).expect_err("it is stopped"));
    });
    slow.finish();
    let (looping, again, payload) = (runtime.block_on(start(&program)), error, Arc::clone(&nothing));
    let loops = runtime.spawn(async move {
        loop {
            let _stopped = looping.event(&again, &payload, limit).await;
        }
    });
    criterion.bench_function("extension/empty event beside a loop", |bench| {
        bench.iter(|| runtime.block_on(guest.event(&message, &nothing, limit)).expect("an answer"));
    });
    loops.abort();
    let call =
        json!({ "toolCallId": "c", "arguments": { "n": 25 }, "input": "{}", "context": context }).to_string();
    let further = compiled.map(|compiled| ("extension/fib(25) in Rust", Arc::new(compiled)));
    for (name, guest) in [("extension/fib(25)", guest)].into_iter().chain(further) {
        criterion.bench_function(name, |bench| {
            bench.iter(|| {
                let call = guest.invoke("tool", "fib", call.clone(), Weight::Heavy, limit);
                runtime.block_on(call).expect("an answer")
            });
        });
    }
}

criterion_group!(benches, extensions);
criterion_main!(benches);
