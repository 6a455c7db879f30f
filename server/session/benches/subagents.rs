//! Thirty subagents at once: from the prompt to the end of the turn that waited for them, files and all.
#![allow(clippy::expect_used, reason = "a bench stops at what it cannot set up")]

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use kit_protocol::{Event, EventBody, Mode, PromptArguments, ReviewState, Settings, Status, TurnId};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_session::{
    Attention, Contributions, CurrentSetup, Dependencies, NoHooks, Projects, ReviewDesk, Sessions, Setup,
    Sink,
};
use kit_text::Encoding;
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{DiskEditor, Documents, Paths, Root, Workspace};
use tokio::sync::Notify;

const SUBAGENTS: u32 = 30;

/// Tells when a turn is over that is no subagent's.
#[derive(Default)]
struct Ends(Notify);

impl Sink for Ends {
    fn event(&self, event: Event) {
        if event.agent.is_none() && matches!(event.body, EventBody::TurnEnd { .. }) {
            self.0.notify_one();
        }
    }

    fn status(&self, _status: Status) {}
    fn review(&self, _state: ReviewState) {}
}

fn sessions(home: &Path, ends: Arc<Ends>) -> Arc<Sessions> {
    let settings = Settings {
        model: Some("scripted/parent".to_owned()),
        mode: Some(Mode::Auto),
        max_subagents: Some(SUBAGENTS),
        ..Settings::default()
    };
    let (documents, desk, attention) = (Arc::new(Documents::new()), ReviewDesk::new(), Attention::new());
    let paths = Paths::below(home);
    let editor = attention.watch(Arc::new(DiskEditor));
    let workspace =
        Arc::new(Workspace::new(vec![Root::new(home)], Arc::clone(&documents), editor, desk.clone()));
    let scripts = home.to_str().expect("a plain path");
    let environment = Environment::from_iter([("KIT_SCRIPTS", scripts)]);
    Sessions::new(Dependencies {
        workspace,
        documents,
        tools: Arc::new(Registry::builtin()),
        projects: Projects::new(&paths, &settings),
        contributions: Contributions::new(),
        policy: Arc::new(Policy::new(&paths, &[])),
        paths,
        setup: CurrentSetup::from(Setup {
            models: Arc::new(Models::new(&ProviderSettings::from(&settings), environment)),
            tool_settings: Arc::new(ToolSettings::default()),
            settings,
        }),
        sink: ends,
        desk,
        attention,
        hooks: Arc::new(NoHooks),
    })
}

/// Each subagent looks at a folder, reads a file and answers.
fn scripts(home: &Path) {
    let call = r#"{"tool":{"name":"subagent","input":{"task":"Look at it","model":"child"}}}"#;
    let calls = vec![call; usize::try_from(SUBAGENTS).unwrap_or_default()].join(",");
    let parent = format!("{{\"script\":{{\"count\":\"prompt\"}}}}\n[{calls}]\n[{{\"text\":\"Done.\"}}]\n");
    std::fs::write(home.join("parent.jsonl"), parent).expect("a script");
    let child = [
        r#"[{"text":"I look."},{"tool":{"name":"ls","input":{"path":"."}}}]"#,
        r#"[{"tool":{"name":"read","input":{"path":"child.jsonl"}}}]"#,
        r#"[{"text":["It is ","what it ","seems to be."]}]"#,
    ];
    std::fs::write(home.join("child.jsonl"), child.join("\n")).expect("a script");
}

fn thirty_at_once(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    scripts(home.path());
    let ends = Arc::new(Ends::default());
    let sessions = {
        let _entered = runtime.enter();
        sessions(home.path(), Arc::clone(&ends))
    };
    let turn = || {
        let (sessions, ends) = (Arc::clone(&sessions), Arc::clone(&ends));
        let prompt = PromptArguments {
            text: "Go".to_owned(),
            session: None,
            context: Vec::new(),
            attachments: Vec::new(),
            mode: None,
            model: None,
            thinking: None,
            delivery: None,
        };
        async move {
            sessions.prompt(prompt, Encoding::Utf8, TurnId::random()).await.expect("a turn");
            ends.0.notified().await;
        }
    };
    criterion.bench_function("thirty subagents at once", |bencher| bencher.to_async(&runtime).iter(turn));
    runtime.block_on(sessions.shutdown());
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = thirty_at_once
}
criterion_main!(benches);
