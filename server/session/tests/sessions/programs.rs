//! What extensions and embedding programs do with sessions.

use kit_protocol::{
    CancelArguments, ErrorKind, ImagePart, Message, Role, SessionArguments, StopReason, ThinkingLevel,
    ThinkingSetArguments,
};
use kit_session::{ChangedBy, Chunk, Inquiry, Script};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Kit, call, priced, session_arguments};

fn script(text: &str) -> Script {
    Script { text: text.to_owned(), ..Script::default() }
}

fn echo() -> Vec<Value> {
    vec![json!({"script": {"atEnd": "last"}}), json!([{"text": "{{prompt}}"}])]
}

#[tokio::test]
async fn a_program_sends_prompts_with_images() {
    let kit = Kit::new(&echo());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let image = ImagePart { data: "iVBORw0K".into(), media_type: "image/png".into() };
    let sent = Script { media: vec![image], ..script("look") };
    let answer = kit.sessions.send(&first.session, sent).await.unwrap();
    assert_eq!(kit.end_of(&answer.turn).await.response(), "look");
    let text = std::fs::read_to_string(kit.file(&first.session).await).unwrap();
    assert!(
        text.contains(r#"{"type":"image","data":{"data":"iVBORw0K","media_type":"image/png"}}"#),
        "{text}"
    );
}

#[tokio::test]
async fn an_interruption_cancels_what_runs_and_waits_and_runs_next() {
    let kit = Kit::new(&[json!([{"text": "Half"}, {"gate": "never"}]), json!([{"text": "{{prompt}}"}])]);
    let first = kit.say("one").await;
    kit.event("message_update").await;
    let second = kit.say("two").await;
    let urgent = kit.sessions.interrupt(&first.session, script("now")).await.unwrap();
    assert_eq!(kit.end_of(&first.turn).await.stop(), StopReason::Cancelled);
    assert_eq!(kit.end_of(&second.turn).await.stop(), StopReason::Cancelled);
    assert_eq!(kit.end_of(&urgent.turn).await.response(), "now");
}

#[tokio::test]
async fn an_abort_leaves_the_session_idle() {
    let kit = Kit::new(&[json!([{"gate": "never"}]), json!([{"text": "ok"}])]);
    let first = kit.say("one").await;
    let second = kit.say("two").await;
    let ended = kit.sessions.abort(&first.session).await.unwrap();
    assert_eq!(ended, [first.turn.clone(), second.turn]);
    kit.end_of(&first.turn).await;
    assert!(kit.sessions.view(&first.session).await.unwrap().is_idle());
    assert_eq!(kit.sessions.abort(&first.session).await.unwrap(), []);
}

#[tokio::test]
async fn data_of_extensions_stays_on_its_branch_and_comes_along_with_forks() {
    let kit = Kit::new(&[json!([{"text": "1"}]), json!([{"text": "2"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let session = &first.session;
    let before = kit.sessions.messages(session).await.unwrap().pop().unwrap().id;
    let id = kit.sessions.append_entry(session, "bookmark", "{\"at\":1}").await.unwrap();
    kit.sessions.append_entry(session, "audit", "x").await.unwrap();
    let of = async |kit: &Kit, kind| {
        let entries = kit.sessions.entries(session, kind).await.unwrap();
        entries.into_iter().map(|entry| (entry.kind, entry.data)).collect::<Vec<_>>()
    };
    let bookmark = ("bookmark".to_owned(), "{\"at\":1}".to_owned());
    assert_eq!(of(&kit, Some("bookmark")).await, std::slice::from_ref(&bookmark));
    assert_eq!(of(&kit, None).await.len(), 2);
    assert_eq!(kit.sessions.entry(session, &id).await.unwrap().kind, "extension_data");
    let refused = kit.sessions.append_entry(session, "kit-ls/usage", "{}").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidRequest);
    let forked = kit.sessions.fork(session_arguments(session)).await.unwrap();
    assert_eq!(kit.sessions.entries(&forked.session, None).await.unwrap().len(), 2);
    let back = SessionArguments { entry: Some(before), ..session_arguments(session) };
    kit.sessions.branch(back).await.unwrap();
    assert_eq!(of(&kit, None).await, []);
    kit.sessions.shutdown().await;
    // The file's last entry is the leaf again.
    assert_eq!(of(&kit.restarted(), Some("bookmark")).await, [bookmark]);
}

#[tokio::test]
async fn a_tool_that_is_switched_off_is_neither_offered_nor_run() {
    let kit = Kit::new(&[
        json!([{"gate": "go"}, call("bash", json!({"command": "touch made"})), call("ls", json!({}))]),
        json!([{"text": "Done."}]),
    ]);
    let first = kit.say("one").await;
    let only = vec!["ls".to_owned(), "of-an-extension-to-come".to_owned()];
    kit.sessions.set_active_tools(&first.session, only).await.unwrap();
    kit.open_gate("go");
    let turn = kit.end_of(&first.turn).await;
    let expected = [("Error: tool \"bash\" is currently disabled", true), ("(empty directory)", false)];
    assert_eq!(turn.results(), expected.map(|(content, error)| (content.to_owned(), error)));
    assert!(!kit.path("made").exists());
    let enabled = async |kit: &Kit| {
        let tools = kit.sessions.tools(&first.session).await.unwrap();
        tools.into_iter().filter(|tool| tool.enabled).map(|tool| tool.name).collect::<Vec<_>>()
    };
    assert_eq!(enabled(&kit).await, ["ls"]);
    kit.sessions.set_active_tools(&first.session, Vec::new()).await.unwrap();
    assert!(enabled(&kit).await.contains(&"bash".to_owned()));
}

#[tokio::test]
async fn a_call_beside_the_conversation_is_paid_and_leaves_nothing_else() {
    let kit = Kit::new(&[priced(), json!([{"text": "one"}])]);
    kit.script("other", &[priced(), json!([{"text": "Sum"}, {"text": "mary"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let before = kit.sessions.usage(Default::default()).await.unwrap();
    let inquiry = Inquiry {
        session: Some(first.session.clone()),
        model: Some("scripted/other".parse().unwrap()),
        system: Some("Summarize.".to_owned()),
        messages: vec![Message::text(Role::User, "a text")],
        ..Inquiry::default()
    };
    let mut heard = String::new();
    let mut hear = |chunk: Chunk<'_>| match chunk {
        Chunk::Text(text) => heard.push_str(text),
        Chunk::Reset => heard.clear(),
    };
    let answer = kit.sessions.ask_model(inquiry, &mut hear, CancellationToken::new()).await.unwrap();
    assert_eq!((answer.text.as_str(), heard.as_str()), ("Summary", "Summary"));
    assert_eq!((answer.usage.call, answer.usage.cost_micros.is_some()), (2, true));
    let after = kit.sessions.usage(Default::default()).await.unwrap();
    let spent = |usage: &kit_protocol::UsageAnswer| usage.session.clone().unwrap().output_tokens;
    assert_eq!(spent(&after) - spent(&before), answer.usage.output_tokens);
    assert_eq!(after.today.output_tokens, spent(&after));
    assert_eq!((after.turn, after.context), (before.turn, before.context));
    assert_eq!(kit.messages(&first.session).await, ["user: one", "assistant: one"]);
    kit.sessions.shutdown().await;
    let again = kit.restarted();
    again.sessions.open(session_arguments(&first.session)).await.unwrap();
    assert_eq!(again.sessions.usage(Default::default()).await.unwrap().calls, after.calls);
}

#[tokio::test]
async fn a_call_beside_the_conversation_can_be_cancelled() {
    let kit = Kit::new(&[json!([{"gate": "never"}])]);
    let cancel = CancellationToken::new();
    let inquiry = Inquiry { messages: vec![Message::text(Role::User, "x")], ..Inquiry::default() };
    let mut unheard = |_: Chunk<'_>| {};
    let asked = kit.sessions.ask_model(inquiry, &mut unheard, cancel.clone());
    let mut asked = std::pin::pin!(asked);
    assert!(futures::poll!(&mut asked).is_pending());
    cancel.cancel();
    assert_eq!(asked.await.unwrap_err().kind, ErrorKind::Cancelled);
    let mut unheard = |_: Chunk<'_>| {};
    let empty = kit.sessions.ask_model(Inquiry::default(), &mut unheard, CancellationToken::new()).await;
    assert_eq!(empty.unwrap_err().kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_part_of_a_branch_is_summarized_and_collapsed() {
    let kit = Kit::new(&[json!([{"text": "1"}]), json!([{"text": "2"}]), json!([{"text": "3"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.turn("two").await;
    kit.turn("three").await;
    let session = &first.session;
    let messages = kit.sessions.messages(session).await.unwrap();
    let (from, to) = (&messages[2].id, &messages[3].id);
    let cancel = CancellationToken::new();
    let summary = kit.sessions.summarize_branch(session, from, to, cancel).await.unwrap();
    // The model reads a conversation of its own, in which it said nothing yet.
    assert_eq!(summary, "1");
    kit.sessions.collapse_branch(session, from, to, "They tried two.").await.unwrap();
    let shown = kit.sessions.branch_entries(session).await.unwrap();
    let shown: Vec<(&str, &str)> =
        shown.iter().skip(1).map(|entry| (entry.kind.as_str(), entry.text.as_str())).collect();
    let expected = [
        ("message", "one"),
        ("message", "1"),
        ("branch_summary", "They tried two."),
        ("message", "three"),
        ("message", "3"),
    ];
    assert_eq!(shown, expected);
    // What was collapsed stays in the tree, and the last turn can still be repeated.
    assert_eq!(kit.sessions.entry(session, to).await.unwrap().text, "2");
    let retried = kit.sessions.retry(session_arguments(session)).await.unwrap();
    assert_eq!(kit.end_of(&retried.turn).await.values("turn_start")[0]["prompt"], "three");
    let unknown = kit.sessions.collapse_branch(session, from, to, "x").await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn who_changed_a_setting_is_told() {
    let kit = Kit::new(&echo());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let arguments = ThinkingSetArguments { level: ThinkingLevel::High, session: Some(first.session.clone()) };
    kit.sessions.thinking_set(arguments, ChangedBy::Extension).await.unwrap();
    let told = kit.event("thinking_change").await;
    assert_eq!((&told["level"], &told["source"]), (&json!("high"), &json!("extension")));
}

#[tokio::test]
async fn a_program_can_ask_to_end() {
    let kit = Kit::new(&echo());
    let mut asked = std::pin::pin!(kit.sessions.exit_requested());
    assert!(futures::poll!(&mut asked).is_pending());
    kit.sessions.request_exit();
    asked.await;
    // Nothing ends by itself.
    assert_eq!(kit.turn("still here").await.response(), "still here");
    kit.sessions.cancel(CancelArguments::default());
}
