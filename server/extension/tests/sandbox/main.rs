//! Guests that loop, overflow, exhaust, throw, flood and wait: what becomes of the call, and of everybody else.
#![cfg(test)]

mod harness;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use harness::{Script, start, tool};
use kit_extension::sandbox::{FailureCode, Fault, Limits, LoadError};
use serde_json::json;

const FAULTS: &str = r#"
export default function (kit) {
  kit.on("tool_call", (event, ctx) => { if (event.input.includes("rm -rf")) return { block: true, reason: "destructive" }; });
  const tool = (name, execute) => kit.registerTool({ name, description: name, execute });
  let count = 0;
  tool("count", () => String(++count));
  tool("spin", () => { for (;;) {} });
  tool("spin_calls", (_, ctx) => { for (;;) { try { ctx.getState("x"); } catch {} } });
  tool("bomb", () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); });
  tool("deep", () => { const f = (n) => 1 + f(n + 1); return String(f(0)); });
  tool("throw", () => { undefined.x; });
  tool("flood", (_, ctx) => { for (let i = 0; i < 5000; i++) console.log("line " + i); return "done"; });
  tool("ask", async (_, ctx) => { const answer = await ctx.promptSelect({ message: "Which?", options: ["a", "b"] }); return answer.value; });
  tool("wait", async (_, ctx) => { await ctx.getMessages(); return "never"; });
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_answers_and_a_tool_runs() {
    let guest = start(FAULTS, Script::default(), Limits::default()).await;
    let blocked = guest.event("tool_call", json!({ "input": "rm -rf /" })).await;
    assert_eq!(blocked.unwrap(), r#"{"block":true,"reason":"destructive"}"#);
    assert_eq!(guest.event("tool_call", json!({ "input": "ls" })).await.unwrap(), "");
    assert_eq!(guest.tool("count").await.unwrap(), tool("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_guest_does_wrong_ends_that_call_and_nothing_else() {
    let guest = start(FAULTS, Script::default(), Limits::default()).await;
    let other = start(FAULTS, Script::default(), Limits::default()).await;
    for name in ["spin", "spin_calls", "bomb", "deep", "throw"] {
        let (outcome, beside) = tokio::join!(guest.tool(name), other.tool("count"));
        assert!(outcome.is_err(), "{name} fails: {outcome:?}");
        assert!(beside.is_ok(), "the other extension works beside {name}: {beside:?}");
        assert!(guest.tool("count").await.is_ok(), "the extension works after {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_names_its_line() {
    let guest = start(FAULTS, Script::default(), Limits::default()).await;
    let Err(Fault::Failed(failure)) = guest.tool("throw").await else { panic!("an error of the file") };
    assert_eq!(failure.place(), Some(("probe.js".to_owned(), 10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_loaded_is_an_error_with_its_line() {
    let error =
        harness::fails("export default function (kit) {\n  kit.on(\"tool_call\", );\n  let let = 1;\n}\n")
            .await;
    let place = match &error {
        LoadError::Init(Fault::Failed(failure)) => failure.place(),
        LoadError::Init(other) => panic!("an error of the file: {other}"),
        LoadError::Component(other) => panic!("an error of init: {other}"),
    };
    assert_eq!(place, Some(("probe.js".to_owned(), 2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_served_while_a_person_is_asked_and_that_time_does_not_count() {
    let script = Script::default();
    let guest = Arc::new(start(FAULTS, script.clone(), Limits::default()).await);
    let asking = tokio::spawn({
        let guest = Arc::clone(&guest);
        async move { guest.tool_within("ask", Duration::from_millis(1)).await }
    });
    script.asked().await;
    let events = (0..500).map(|_| guest.event("tool_call", json!({ "input": "ls" })));
    assert!(join_all(events).await.into_iter().all(|answer| answer.is_ok()));
    script.answer(r#"{"value":"b","index":1,"cancelled":false}"#);
    assert_eq!(asking.await.unwrap().unwrap(), tool("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_too_long_ends_and_the_extension_goes_on() {
    let guest = start(FAULTS, Script::default(), Limits::default()).await;
    let limit = Duration::from_millis(20);
    assert_eq!(guest.tool_within("wait", limit).await, Err(Fault::TimedOut(limit)));
    assert_eq!(guest.tool("count").await.unwrap(), tool("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_lines_is_cut_and_told_once() {
    let script = Script::default();
    let guest = start(FAULTS, script.clone(), Limits::default()).await;
    assert_eq!(guest.tool("flood").await.unwrap(), tool("done"));
    let lines = script.lines();
    let warnings = lines.iter().filter(|line| line.contains("more than 200 lines")).count();
    assert!(lines.len() < 1000, "{} lines", lines.len());
    assert!(warnings >= 1 && lines.iter().any(|line| line == "line 0"), "{warnings}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_of_the_host_than_allowed_are_refused() {
    let source = r#"export default function (kit) {
      kit.registerTool({ name: "calls", description: "calls", execute: (_, ctx) => {
        for (let i = 0; i < 100; i++) { try { ctx.setStatus("k", "v"); } catch (error) { return error.code; } }
        return "all";
      } });
    }"#;
    let limits = Limits { host_calls: 10, ..Limits::default() };
    let guest = start(source, Script::default(), limits).await;
    assert_eq!(guest.tool("calls").await.unwrap(), tool("rate-limited"));
    let _code = FailureCode::RateLimited;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_crashes_in_a_minute_end_a_guest() {
    let script = Script::default();
    let guest = start_component(&script).await;
    for _ in 0..3 {
        let answer = guest.tool("trap").await;
        assert!(matches!(answer, Err(Fault::Crashed(_))), "{answer:?}");
    }
    assert_eq!(guest.tool("trap").await, Err(Fault::Gone));
    assert_eq!(script.crashes(), [false, false, true]);
}

async fn start_component(script: &Script) -> harness::Probe {
    // The engine itself has no way to trap on purpose; a limit below what it needs for a call is one.
    let source = r#"export default function (kit) {
      kit.registerTool({ name: "trap", description: "trap", execute: () => { for (;;) {} } });
    }"#;
    let limits = Limits { heavy_computing: Duration::from_millis(50), ..Limits::default() };
    start(source, script.clone(), limits).await
}
