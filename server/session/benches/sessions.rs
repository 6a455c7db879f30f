//! Resuming, listing, compacting and forking large sessions.
#![allow(clippy::expect_used, reason = "a bench stops at what it cannot set up")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kit_protocol::{
    CompactionSettings, Event, EventBody, ListScope, ReviewState, SessionArguments, SessionListArguments,
    Settings, Status,
};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_session::{CurrentSetup, Dependencies, Feed, Sessions, Setup, Sink};
use kit_tools::ToolSettings;
use kit_workspace::Paths;

struct Nobody;

impl Sink for Nobody {
    fn event(&self, _event: Event) {}
    fn status(&self, _status: Status) {}
    fn review(&self, _state: ReviewState) {}
}

fn sessions(home: &Path) -> Arc<Sessions> {
    let settings = Settings { model: Some("scripted/demo".to_owned()), ..Settings::default() };
    Sessions::new(Dependencies::local(home, Paths::below(home), settings, Arc::new(Nobody)))
}

/// A session file as turns of a prompt, an answer with a call, its result, its usage and a last answer write it.
fn session(id: &str, entries: usize) -> String {
    let mut text = format!(
        r#"{{"type":"session","version":3,"id":"{id}","timestamp":"2026-01-01T00:00:00.000Z","cwd":"/w"}}"#
    );
    text.push('\n');
    for entry in 0..entries {
        let parent =
            entry.checked_sub(1).map(|parent| format!(r#""parent_id":"{parent:016x}","#)).unwrap_or_default();
        let head = format!(r#"{{"id":"{entry:016x}",{parent}"timestamp":"2026-01-01T00:00:00.000Z","#);
        let words = "some words that an answer may have, and a little code: let x = 1;\\n".repeat(4);
        let body = match entry % 5 {
            0 => format!(
                r#""type":"message","role":"user","parts":[{{"type":"text","data":{{"text":"{words}"}}}}]}}"#
            ),
            1 => format!(
                r#""type":"message","role":"assistant","parts":[{{"type":"text","data":{{"text":"{words}"}}}},{{"type":"tool_call","data":{{"id":"c{entry}","name":"read","input":"{{\"path\":\"src/lib.rs\"}}","finished":true}}}}],"model":"demo","provider":"scripted"}}"#
            ),
            2 => format!(
                r#""type":"message","role":"tool","parts":[{{"type":"tool_result","data":{{"tool_call_id":"c{}","name":"read","content":"{words}{words}","is_error":false}}}}]}}"#,
                entry - 1
            ),
            3 => format!(
                r#""type":"extension_data","ext_type":"kit-ls/usage","data":"{{\"turn\":\"t\",\"usage\":{{\"call\":{entry},\"step\":0,\"provider\":\"scripted\",\"model\":\"demo\",\"inputTokens\":10,\"outputTokens\":5,\"cacheReadTokens\":0,\"cacheWriteTokens\":0,\"costMicros\":30,\"costKind\":\"priced\"}}}}"}}"#
            ),
            _ => format!(
                r#""type":"message","role":"assistant","parts":[{{"type":"text","data":{{"text":"{words}"}}}}],"model":"demo","provider":"scripted"}}"#
            ),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{head}{body}");
    }
    text
}

fn resume(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("large.jsonl");
    std::fs::write(&path, session("0123456789abcdef0123456789abcdef", 100_000)).expect("a session");
    let open = SessionArguments { path: path.to_str().map(str::to_owned), ..SessionArguments::default() };
    criterion.bench_function("resume of a session of 100,000 entries", |bencher| {
        bencher.to_async(&runtime).iter_custom(async |times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let sessions = sessions(home.path());
                let began = Instant::now();
                black_box(sessions.open(open.clone()).await.expect("the session opens"));
                spent += began.elapsed();
                sessions.shutdown().await;
            }
            spent
        });
    });
}

fn list(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("sessions/w");
    std::fs::create_dir_all(&folder).expect("a folder of sessions");
    for number in 0..1000 {
        let id = format!("{number:032x}");
        std::fs::write(folder.join(format!("{number}.jsonl")), session(&id, 100)).expect("a session");
    }
    let sessions = {
        let _context = runtime.enter();
        sessions(home.path())
    };
    let all = SessionListArguments { scope: ListScope::All };
    let list = || {
        let (sessions, all) = (Arc::clone(&sessions), all.clone());
        async move { black_box(sessions.list(all).await.expect("the sessions are listed")) }
    };
    criterion.bench_function("list of 1,000 sessions", |bencher| bencher.to_async(&runtime).iter(list));
    criterion.bench_function("list of 1,000 sessions without its index", |bencher| {
        bencher.to_async(&runtime).iter_batched(
            || {
                let index = home.path().join("cache/sessions.json");
                // There is none before the first list.
                let _absent = std::fs::remove_file(index);
            },
            |()| list(),
            BatchSize::PerIteration,
        );
    });
    runtime.block_on(sessions.shutdown());
}

/// A session whose messages are about 200,000 tokens, with a model for its summary that answers at once.
fn compact(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("large.jsonl");
    // A turn of five entries is about 350 tokens.
    std::fs::write(&path, session("0123456789abcdef0123456789abcdef", 2_900)).expect("a session");
    std::fs::write(home.path().join("summary.jsonl"), "[{\"text\":\"What was said.\"}]\n").expect("a script");
    let scripts = home.path().to_str().expect("a plain path");
    let compaction =
        CompactionSettings { model: Some("scripted/summary".to_owned()), ..CompactionSettings::default() };
    let settings = Settings { compaction: Some(compaction), ..Settings::default() };
    let environment = Environment::from_iter([("KIT_SCRIPTS", scripts)]);
    criterion.bench_function("compaction of a history of 200,000 tokens", |bencher| {
        bencher.to_async(&runtime).iter_custom(async |times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let copy = home.path().join("copy.jsonl");
                std::fs::copy(&path, &copy).expect("a copy");
                let (feed, paths) = (Feed::new(), Paths::below(home.path()));
                let setup = Setup {
                    models: Arc::new(Models::new(&ProviderSettings::from(&settings), environment.clone())),
                    tool_settings: Arc::new(ToolSettings::default()),
                    settings: settings.clone(),
                };
                let mut events = feed.events();
                let sessions = Sessions::new(Dependencies {
                    setup: CurrentSetup::from(setup),
                    ..Dependencies::local(home.path(), paths, settings.clone(), feed.clone())
                });
                let open = SessionArguments {
                    path: copy.to_str().map(str::to_owned),
                    ..SessionArguments::default()
                };
                let opened = sessions.open(open).await.expect("the session opens");
                let compact =
                    SessionArguments { session: Some(opened.session), ..SessionArguments::default() };
                let began = Instant::now();
                sessions.compact(compact).await.expect("the compaction begins");
                loop {
                    let event = events.next().await.expect("no event is lost").expect("an event");
                    if matches!(event.body, EventBody::Compaction { .. }) {
                        break;
                    }
                }
                spent += began.elapsed();
                sessions.shutdown().await;
            }
            spent
        });
    });
}

fn fork(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("large.jsonl");
    std::fs::write(&path, session("0123456789abcdef0123456789abcdef", 10_000)).expect("a session");
    let sessions = {
        let _context = runtime.enter();
        sessions(home.path())
    };
    let open = SessionArguments { path: path.to_str().map(str::to_owned), ..SessionArguments::default() };
    let opened = runtime.block_on(sessions.open(open)).expect("the session opens").session;
    let source = SessionArguments { session: Some(opened), ..SessionArguments::default() };
    criterion.bench_function("fork of a session of 10,000 entries", |bencher| {
        bencher.to_async(&runtime).iter_custom(async |times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let began = Instant::now();
                let forked = sessions.fork(source.clone()).await.expect("the session is forked");
                spent += began.elapsed();
                let copy = SessionArguments { session: Some(forked.session), ..SessionArguments::default() };
                black_box(sessions.delete(copy).await.expect("the copy is deleted"));
            }
            spent
        });
    });
    runtime.block_on(sessions.shutdown());
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = resume, list, compact, fork
}
criterion_main!(benches);
