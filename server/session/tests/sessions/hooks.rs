//! What extensions do in sessions: one fake that does what each test tells it.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{CancelArguments, ErrorKind, Message, Part, Role, SessionArguments, StopReason, TextPart};
use kit_session::{
    HookCall, HookPoint, HookResult, HookScope, Hooks, Injection, InputSource, InputVerdict, Observation,
    SwitchReason, Verdict,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::{Kit, call, prompt, session_arguments};

/// Does what the words of prompts and calls say.
#[derive(Default)]
struct Extension {
    points: Vec<HookPoint>,
    heard: Mutex<Vec<String>>,
    /// Lets a prompt that says `wait` go on.
    go: Notify,
}

impl Extension {
    fn at(points: &[HookPoint]) -> Arc<Self> {
        Arc::new(Self { points: points.to_vec(), ..Self::default() })
    }

    fn hear(&self, word: String) {
        self.heard.lock().unwrap().push(word);
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Hooks for Extension {
    fn wants(&self, point: HookPoint) -> bool {
        self.points.contains(&point)
    }

    fn input(&self, _scope: HookScope, text: String, source: InputSource) -> BoxFuture<'_, InputVerdict> {
        async move {
            self.hear(format!("input {text} {source:?}"));
            if text.starts_with("wait") {
                self.go.notified().await;
            }
            match text.split_once(' ') {
                Some(("handle", rest)) => InputVerdict::Handled(Some(format!("handled {rest}"))),
                Some(("rewrite", rest)) => InputVerdict::Rewrite(format!("rewritten {rest}")),
                _ => InputVerdict::Continue,
            }
        }
        .boxed()
    }

    fn before_agent_start(&self, _scope: HookScope, prompt: String) -> BoxFuture<'_, Injection> {
        let injection =
            Injection { system: Some("Be brief.".to_owned()), user: Some(format!("Before {prompt}.")) };
        std::future::ready(injection).boxed()
    }

    fn context_prepare(&self, _scope: HookScope, messages: Vec<Message>) -> BoxFuture<'_, Vec<Message>> {
        self.hear(format!("context {}", messages.len()));
        std::future::ready(vec![Message::text(Role::User, "only this")]).boxed()
    }

    fn prepare_step(&self, _: HookScope, step: u32, messages: Vec<Message>) -> BoxFuture<'_, Vec<Message>> {
        let roles: Vec<String> =
            messages.iter().map(|message| format!("{:?}", message.role).to_lowercase()).collect();
        self.hear(format!("step {step}: {}", roles.join(" ")));
        std::future::ready(messages).boxed()
    }

    fn tool_call(&self, _scope: HookScope, call: HookCall) -> BoxFuture<'_, Verdict> {
        self.hear(format!("call {} {}", call.name, call.parsed.unwrap_or_default()));
        let verdict =
            if call.name == "bash" { Verdict::Veto("no shell today".to_owned()) } else { Verdict::Continue };
        std::future::ready(verdict).boxed()
    }

    fn tool_result(&self, _: HookScope, call: HookCall, result: HookResult) -> BoxFuture<'_, HookResult> {
        self.hear(format!("result {}", call.name));
        let content = format!("{}, checked", result.content);
        std::future::ready(HookResult { content, ..result }).boxed()
    }

    fn before_fork(&self, _: HookScope, _target: String, text: Option<String>) -> BoxFuture<'_, Verdict> {
        let text = text.unwrap_or_else(|| "-".to_owned());
        self.hear(format!("fork {text}"));
        let verdict = match text.as_str() {
            "free" => Verdict::Continue,
            _ => Verdict::Veto("Fork cancelled by extension.".to_owned()),
        };
        std::future::ready(verdict).boxed()
    }

    fn before_session_switch(
        &self,
        _scope: HookScope,
        reason: SwitchReason,
        _prompt: Option<String>,
    ) -> BoxFuture<'_, Verdict> {
        self.hear(format!("switch {reason:?}"));
        std::future::ready(Verdict::Veto("stay".to_owned())).boxed()
    }

    fn observe(&self, _scope: HookScope, observation: Observation) {
        let word = format!("{observation:?}");
        self.hear(word.split([' ', '{']).next().unwrap_or_default().to_owned());
    }
}

/// A model that repeats what it reads last.
fn echo() -> Vec<Value> {
    vec![json!({"script": {"atEnd": "last"}}), json!([{"text": "{{prompt}}"}])]
}

#[tokio::test]
async fn a_handled_prompt_ends_its_turn_before_any_model_call() {
    let extension = Extension::at(&[HookPoint::Input]);
    let kit = Kit::with_hooks(&echo(), extension.clone());
    let answer = kit.say("handle me").await;
    let turn = kit.end_of(&answer.turn).await;
    let types = ["turn_start", "message_start", "message_update", "message_end", "response", "turn_end"];
    assert_eq!(turn.types(), types);
    assert_eq!((turn.response().as_str(), turn.stop()), ("handled me", StopReason::EndTurn));
    assert_eq!(kit.messages(&answer.session).await, [""; 0]);
    // The turn is told again after a restart, and cannot be repeated.
    let nothing = kit.sessions.retry(session_arguments(&answer.session)).await.unwrap_err();
    assert_eq!(nothing.kind, ErrorKind::NotFound);
    kit.sessions.shutdown().await;
    let again = kit.restarted();
    let markdown = again.sessions.content(&format!("kit-session:{}", answer.session)).await.unwrap();
    assert!(markdown.contains("handle me") && markdown.contains("handled me"), "{markdown}");
    assert_eq!(extension.heard()[1], "input handle me Interactive");
}

#[tokio::test]
async fn a_rewritten_prompt_goes_to_the_model_with_what_is_put_before_it() {
    let kit = Kit::with_hooks(&echo(), Extension::at(&[HookPoint::Input, HookPoint::BeforeAgentStart]));
    let answer = kit.say("rewrite me").await;
    let turn = kit.end_of(&answer.turn).await;
    assert_eq!(turn.response(), "rewritten me");
    assert_eq!(turn.values("turn_start")[0]["prompt"], "rewrite me");
    let first =
        ["system: Be brief.", "user: Before rewritten me.", "user: rewritten me", "assistant: rewritten me"];
    assert_eq!(kit.messages(&answer.session).await, first);
    // A retry repeats the prompt and not what was put before it.
    let retried = kit.sessions.retry(session_arguments(&answer.session)).await.unwrap();
    assert_eq!(kit.end_of(&retried.turn).await.response(), "rewritten me");
    let messages = kit.messages(&answer.session).await;
    assert_eq!(messages[4..7], first[..3]);
}

#[tokio::test]
async fn a_session_answers_while_an_interceptor_waits_and_a_cancel_drops_it() {
    let extension = Extension::at(&[HookPoint::Input]);
    let kit = Kit::with_hooks(&echo(), extension.clone());
    let first = kit.say("wait for me").await;
    kit.event("turn_start").await;
    let second = kit.say("next").await;
    assert!(second.queued);
    let named = SessionArguments { name: Some("Named".into()), ..session_arguments(&first.session) };
    kit.sessions.rename(named).await.unwrap();
    kit.sessions.cancel(CancelArguments { session: None, turn: Some(first.turn.clone()) });
    assert_eq!(kit.end_of(&first.turn).await.stop(), StopReason::Cancelled);
    assert_eq!(kit.end_of(&second.turn).await.response(), "next");
    let expected = ["user: wait for me", "user: next", "assistant: next"];
    assert_eq!(kit.messages(&first.session).await, expected);
    assert!(extension.heard().contains(&"input next Queue".to_owned()), "{:?}", extension.heard());
}

#[tokio::test]
async fn a_prompt_is_safe_while_an_interceptor_looks_at_it() {
    let kit = Kit::with_hooks(&echo(), Extension::at(&[HookPoint::Input]));
    let first = kit.say("wait for me").await;
    kit.event("turn_start").await;
    let text = std::fs::read_to_string(kit.file(&first.session).await).unwrap();
    assert!(text.contains("wait for me"), "{text}");
    kit.sessions.shutdown().await;
    assert_eq!(kit.end_of(&first.turn).await.stop(), StopReason::Cancelled);
}

#[tokio::test]
async fn what_replaces_the_context_holds_for_the_turn_and_is_not_saved() {
    let extension = Extension::at(&[HookPoint::ContextPrepare, HookPoint::PrepareStep]);
    let script = [json!([call("ls", json!({}))]), json!([{"text": "{{prompt}}"}])];
    let kit = Kit::with_hooks(&script, extension.clone());
    let answer = kit.say("one").await;
    let turn = kit.end_of(&answer.turn).await;
    assert_eq!(turn.response(), "only this");
    let heard = extension.heard();
    let prepared: Vec<&str> = heard
        .iter()
        .map(String::as_str)
        .filter(|word| word.starts_with("context") || word.starts_with("step"))
        .collect();
    assert_eq!(prepared, ["context 1", "step 0: user", "step 1: user assistant tool"]);
    let expected = ["user: one", "assistant: <ls>", "tool: (empty directory)", "assistant: only this"];
    assert_eq!(kit.messages(&answer.session).await, expected);
}

#[tokio::test]
async fn a_veto_stops_a_call_and_a_result_is_changed_before_the_model_reads_it() {
    let extension = Extension::at(&[HookPoint::ToolCall, HookPoint::ToolResult]);
    let script = [
        json!([call("bash", json!({"command": "touch made"})), call("ls", json!({}))]),
        json!([{"text": "Done."}]),
    ];
    let kit = Kit::with_hooks(&script, extension.clone());
    let answer = kit.say("one").await;
    let turn = kit.end_of(&answer.turn).await;
    let expected = [("Error: no shell today", true), ("(empty directory), checked", false)];
    assert_eq!(turn.results(), expected.map(|(content, error)| (content.to_owned(), error)));
    assert_eq!(turn.values("tool_execution_start").len(), 1);
    assert!(!kit.path("made").exists());
    let heard = extension.heard();
    let calls: Vec<&str> = heard
        .iter()
        .map(String::as_str)
        .filter(|word| word.starts_with("call") || word.starts_with("result"))
        .collect();
    assert_eq!(calls, ["call bash {\"command\":\"touch made\"}", "call ls {}", "result ls"]);
}

#[tokio::test]
async fn forks_branches_and_switches_can_be_vetoed() {
    let points = [HookPoint::BeforeFork, HookPoint::BeforeSessionSwitch];
    let extension = Extension::at(&points);
    let kit = Kit::with_hooks(&echo(), extension.clone());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let entries = kit.sessions.messages(&first.session).await.unwrap();
    let at = |number: usize| SessionArguments {
        entry: Some(entries[number].id.clone()),
        ..session_arguments(&first.session)
    };
    let refused = [
        kit.sessions.fork(at(0)).await,
        kit.sessions.branch(at(1)).await,
        kit.sessions.branch(session_arguments(&first.session)).await,
        kit.sessions.new_session(SessionArguments::default()).await,
    ];
    let why: Vec<(ErrorKind, String)> = refused
        .into_iter()
        .map(|refused| refused.unwrap_err())
        .map(|error| (error.kind, error.message))
        .collect();
    let fork = (ErrorKind::Permission, "Fork cancelled by extension.".to_owned());
    let stay = (ErrorKind::Permission, "stay".to_owned());
    assert_eq!(why, [fork.clone(), fork, stay.clone(), stay]);
    // To open the session that is open already is no switch.
    kit.sessions.open(session_arguments(&first.session)).await.unwrap();
    let asked: Vec<String> = extension
        .heard()
        .into_iter()
        .filter(|word| word.starts_with("fork") || word.starts_with("switch"))
        .collect();
    assert_eq!(asked, ["fork one", "fork -", "switch Clear", "switch New"]);
}

#[tokio::test]
async fn a_copy_of_a_session_that_another_process_has_is_asked_about_too() {
    let kit = Kit::new(&echo());
    let first = kit.say("free").await;
    kit.end_of(&first.turn).await;
    let entries = kit.sessions.messages(&first.session).await.unwrap();
    let extension = Extension::at(&[HookPoint::BeforeFork]);
    let other = kit.restarted_with(extension.clone());
    let at =
        |entry: &str| SessionArguments { entry: Some(entry.into()), ..session_arguments(&first.session) };
    let refused = [
        other.sessions.fork(at(entries[1].id.as_str())).await,
        other.sessions.fork(session_arguments(&first.session)).await,
        other.sessions.fork(at("nothing")).await,
    ];
    let kinds: Vec<ErrorKind> = refused.into_iter().map(|refused| refused.unwrap_err().kind).collect();
    assert_eq!(kinds, [ErrorKind::Permission, ErrorKind::Permission, ErrorKind::NotFound]);
    let copy = other.sessions.fork(at(entries[0].id.as_str())).await.unwrap();
    assert_ne!(copy.session, first.session);
    let asked: Vec<String> = extension.heard().into_iter().filter(|word| word.starts_with("fork")).collect();
    assert_eq!(asked, ["fork -", "fork -", "fork free"]);
}

#[tokio::test]
async fn sessions_steps_and_arriving_calls_are_observed() {
    let extension = Extension::at(&[]);
    let script = [json!([call("ls", json!({}))]), json!([{"text": "Done."}])];
    let kit = Kit::with_hooks(&script, extension.clone());
    let mut arguments = prompt("one");
    arguments.thinking = Some(kit_protocol::ThinkingLevel::High);
    let answer = kit.ask(arguments).await.unwrap();
    kit.end_of(&answer.turn).await;
    kit.sessions.shutdown().await;
    let mut heard = extension.heard();
    heard.dedup();
    let expected = [
        "SessionStart",
        "ThinkingLevelChange",
        "StepStart",
        "ToolInputStart",
        "ToolInputDelta",
        "ToolInputEnd",
        "StepFinish",
        "StepStart",
        "StepFinish",
        "SessionShutdown",
    ];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_handler_that_fails_counts_as_one_that_said_nothing() {
    struct Broken;
    impl Hooks for Broken {
        fn wants(&self, point: HookPoint) -> bool {
            point == HookPoint::Input
        }
        fn input(&self, _: HookScope, _: String, _: InputSource) -> BoxFuture<'_, InputVerdict> {
            async { panic!("planted") }.boxed()
        }
    }
    let kit = Kit::with_hooks(&echo(), Arc::new(Broken));
    assert_eq!(kit.turn("one").await.response(), "one");
}

#[tokio::test]
async fn a_window_without_its_results_still_pairs_calls() {
    struct Cutter;
    impl Hooks for Cutter {
        fn wants(&self, point: HookPoint) -> bool {
            point == HookPoint::PrepareStep
        }
        fn prepare_step(
            &self,
            _: HookScope,
            step: u32,
            mut messages: Vec<Message>,
        ) -> BoxFuture<'_, Vec<Message>> {
            if step == 1 {
                messages.retain(|message| message.role != Role::Tool);
                messages.push(Message {
                    role: Role::User,
                    parts: vec![Part::Text(TextPart { text: "cut".into() })],
                });
            }
            std::future::ready(messages).boxed()
        }
    }
    let script = [json!([call("ls", json!({}))]), json!([{"text": "{{prompt}}"}])];
    let kit = Kit::with_hooks(&script, Arc::new(Cutter));
    assert_eq!(kit.turn("one").await.response(), "cut");
}
