//! Extensions and compaction: they may refuse it or bring the summary.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{Event, EventBody, PromptArguments, SessionArguments, Settings, TurnId};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_session::{
    CompactionPlan, CompactionVerdict, CurrentSetup, Dependencies, Events, Feed, HookPoint, HookScope, Hooks,
    Sessions, Setup,
};
use kit_text::Encoding;
use kit_tools::ToolSettings;
use kit_workspace::Paths;

struct Decides {
    verdict: CompactionVerdict,
    asked: Mutex<Vec<CompactionPlan>>,
}

impl Hooks for Decides {
    fn wants(&self, point: HookPoint) -> bool {
        point == HookPoint::BeforeCompact
    }

    fn before_compact(&self, _: HookScope, plan: CompactionPlan) -> BoxFuture<'_, CompactionVerdict> {
        self.asked.lock().unwrap().push(plan);
        std::future::ready(self.verdict.clone()).boxed()
    }
}

/// Two turns and a compaction that an extension decides about: what it was asked, and the event that came of it.
async fn compacted(verdict: CompactionVerdict) -> (Vec<CompactionPlan>, Event) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.jsonl"), "[{\"text\":\"one\"}]\n[{\"text\":\"two\"}]\n").unwrap();
    let settings = Settings { model: Some("scripted/test".to_owned()), ..Settings::default() };
    let environment = Environment::from_iter([("KIT_SCRIPTS", folder.path().to_str().unwrap())]);
    let (feed, hooks) = (Feed::new(), Arc::new(Decides { verdict, asked: Mutex::default() }));
    let paths = Paths::below(&folder.path().join("home"));
    let sessions = Sessions::new(Dependencies {
        hooks: hooks.clone(),
        setup: CurrentSetup::from(Setup {
            models: Arc::new(Models::new(&ProviderSettings::from(&settings), environment)),
            tool_settings: Arc::new(ToolSettings::default()),
            settings: settings.clone(),
        }),
        ..Dependencies::local(folder.path(), paths, settings, feed.clone())
    });
    let mut events = feed.events();
    for text in ["first", "second"] {
        let turn = TurnId::random();
        sessions.prompt(PromptArguments::new(text), Encoding::Utf8, turn.clone()).await.unwrap();
        events.response(&turn).await.unwrap();
    }
    sessions.compact(SessionArguments::default()).await.unwrap();
    let event = after_turns(&mut events).await;
    sessions.shutdown().await;
    (hooks.asked.lock().unwrap().clone(), event)
}

/// The first event that belongs to no turn.
async fn after_turns(events: &mut Events) -> Event {
    loop {
        let event = events.next().await.unwrap().unwrap();
        if event.turn.is_none() && !matches!(event.body, EventBody::Queue { .. }) {
            return event;
        }
    }
}

#[tokio::test]
async fn an_extension_brings_the_summary_and_no_model_is_asked() {
    let (asked, event) = compacted(CompactionVerdict::Summary("All about doors.".into())).await;
    let EventBody::Compaction { summary, messages_removed, .. } = event.body else { panic!("{event:?}") };
    assert_eq!((summary.as_str(), messages_removed), ("All about doors.", 3));
    let [plan] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((plan.message_count, plan.automatic, plan.context_limit), (4, false, 200_000));
    assert!(plan.estimated_tokens > 0);
}

#[tokio::test]
async fn an_extension_refuses_and_the_user_reads_why() {
    let (_, event) = compacted(CompactionVerdict::Veto("not now".into())).await;
    let EventBody::Error { message, .. } = event.body else { panic!("{event:?}") };
    assert_eq!(message, "the conversation was not compacted: an extension refused it: not now");
}
