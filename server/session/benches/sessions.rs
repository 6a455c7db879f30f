//! Resuming a session of 100,000 entries, and listing 1,000 sessions.
#![allow(clippy::expect_used, reason = "a bench stops at what it cannot set up")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kit_protocol::{Event, ListScope, ReviewState, SessionArguments, SessionListArguments, Settings, Status};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_session::{
    Attention, Contributions, CurrentSetup, Dependencies, NoHooks, Projects, ReviewDesk, Sessions, Setup,
    Sink,
};
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{DiskEditor, Documents, Paths, Root, Workspace};

struct Nobody;

impl Sink for Nobody {
    fn event(&self, _event: Event) {}
    fn status(&self, _status: Status) {}
    fn review(&self, _state: ReviewState) {}
}

fn sessions(home: &Path) -> Arc<Sessions> {
    let settings = Settings { model: Some("scripted/demo".to_owned()), ..Settings::default() };
    let (documents, desk, attention) = (Arc::new(Documents::new()), ReviewDesk::new(), Attention::new());
    let paths = Paths::below(home);
    let editor = attention.watch(Arc::new(DiskEditor));
    let workspace =
        Arc::new(Workspace::new(vec![Root::new(home)], Arc::clone(&documents), editor, desk.clone()));
    Sessions::new(Dependencies {
        workspace,
        documents,
        tools: Arc::new(Registry::builtin(&settings)),
        projects: Projects::new(&paths, &settings),
        policy: Arc::new(Policy::new(&paths, &[])),
        paths,
        setup: CurrentSetup::from(Setup {
            models: Arc::new(Models::new(&ProviderSettings::from(&settings), Environment::default())),
            tool_settings: Arc::new(ToolSettings::default()),
            settings,
        }),
        sink: Arc::new(Nobody),
        desk,
        attention,
        contributions: Contributions::new(),
        hooks: Arc::new(NoHooks),
    })
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
        bencher.to_async(&runtime).iter_batched(
            || {
                let _context = runtime.enter();
                sessions(home.path())
            },
            |sessions| {
                let open = open.clone();
                async move {
                    black_box(sessions.open(open).await.expect("the session opens"));
                    sessions.shutdown().await;
                }
            },
            BatchSize::PerIteration,
        );
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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = resume, list
}
criterion_main!(benches);
