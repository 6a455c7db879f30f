use kit_protocol::{
    ErrorKind, Mode, ModeSetArguments, ModelListArguments, ModelSetArguments, SessionId, Settings,
    ThinkingLevel, ThinkingSetArguments, UsageArguments,
};
use kit_session::ChangedBy;
use serde_json::json;

use crate::harness::{Kit, call, priced, prompt};

#[tokio::test]
async fn a_model_is_chosen_told_saved_and_used() {
    let kit = Kit::new(&[json!([{"text": "test"}])]);
    kit.script("other", &[json!([{"text": "first"}]), json!([{"text": "other"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let other: kit_protocol::ModelId = "scripted/other".parse().unwrap();
    let set = ModelSetArguments { model: other.clone(), session: Some(first.session.clone()) };
    kit.sessions.model_set(set, ChangedBy::User).await.unwrap();
    let change = kit.event("model_change").await;
    assert_eq!((&change["model"], &change["previous"]), (&json!("scripted/other"), &json!("scripted/test")));
    assert_eq!(kit.turn("two").await.response(), "other");
    kit.sessions.shutdown().await;
    let again = kit.restarted();
    again.file(&first.session).await;
    assert_eq!(again.sessions.status().model.as_deref(), Some("scripted/other"));
    let unknown = ModelSetArguments { model: "scripted/nobody".parse().unwrap(), session: None };
    assert_eq!(
        again.sessions.model_set(unknown, ChangedBy::User).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn plan_mode_offers_nothing_that_changes_files() {
    let script = [
        json!([{"text": "ok"}]),
        json!({"needs": ["tool:write"], "do": [{"text": "can write"}], "else": [{"text": "cannot"}]}),
    ];
    let kit = Kit::new(&script);
    kit.turn("one").await;
    kit.sessions.mode_set(ModeSetArguments { mode: Mode::Plan, session: None }).await.unwrap();
    assert_eq!(kit.turn("two").await.response(), "cannot");
    assert_eq!(kit.sessions.status().mode, Mode::Plan);
    let new = kit.sessions.new_session(Default::default()).await.unwrap();
    assert_eq!((kit.sessions.status().session, kit.sessions.status().mode), (Some(new.session), Mode::Plan));
}

#[tokio::test]
async fn a_call_of_a_tool_that_the_mode_forbids_is_refused() {
    let kit =
        Kit::new(&[json!([call("write", json!({"path": "a", "content": "x"}))]), json!([{"text": "ok"}])]);
    let mut arguments = prompt("Go");
    arguments.mode = Some(Mode::Plan);
    let answer = kit.ask(arguments).await.unwrap();
    let turn = kit.end_of(&answer.turn).await;
    assert!(turn.results()[0].1, "{:?}", turn.results());
    assert!(!kit.path("a").exists());
}

#[tokio::test]
async fn mode_and_thinking_level_return_with_the_session() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    let answer = kit.say("one").await;
    kit.end_of(&answer.turn).await;
    let session = Some(answer.session.clone());
    kit.sessions.mode_set(ModeSetArguments { mode: Mode::Ask, session: session.clone() }).await.unwrap();
    let level = ThinkingLevel::High;
    let set =
        kit.sessions.thinking_set(ThinkingSetArguments { level, session }, ChangedBy::User).await.unwrap();
    assert_eq!(set.level, level);
    kit.sessions.shutdown().await;
    let again = kit.restarted();
    again.file(&answer.session).await;
    assert_eq!(again.sessions.status().mode, Mode::Ask);
}

#[tokio::test]
async fn usage_is_counted_per_call_turn_session_and_day() {
    let usage = json!({"usage": {"input": 10, "output": 5, "cacheRead": 100}});
    let kit = Kit::new(&[
        priced(),
        json!([call("ls", json!({})), usage]),
        json!([{"text": "a"}, usage]),
        json!([{"text": "b"}, usage]),
    ]);
    let first = kit.turn("one").await;
    let steps = first.values("step_usage");
    assert_eq!(steps.iter().map(|step| step["call"].clone()).collect::<Vec<_>>(), [1, 2]);
    let answer = kit.say("two").await;
    kit.end_of(&answer.turn).await;
    // Without a price of its own, what the cache served costs as input does.
    let check = async |kit: &Kit, turn: Option<u64>| {
        let arguments = UsageArguments { session: Some(answer.session.clone()) };
        let usage = kit.sessions.usage(arguments).await.unwrap();
        assert_eq!(usage.turn.and_then(|turn| turn.cost_micros), turn);
        assert_eq!(usage.session.and_then(|session| session.cost_micros), Some(360));
        assert_eq!((usage.today.cost_micros, usage.today.output_tokens), (Some(360), 15));
        assert_eq!((usage.calls.len(), usage.context.map(|context| context.used)), (3, Some(115)));
    };
    check(&kit, Some(120)).await;
    kit.sessions.shutdown().await;
    check(&kit.restarted(), Some(120)).await;
}

#[tokio::test]
async fn models_are_listed() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    let arguments = ModelListArguments { provider: Some("scripted".into()) };
    let models = kit.sessions.model_list(arguments).await.unwrap().models;
    assert!(models.iter().any(|model| model.id.to_string() == "scripted/test"), "{models:?}");
}

#[tokio::test]
async fn a_model_setting_that_cannot_be_read_is_an_error() {
    let settings = Settings { model: Some("without-a-provider".into()), ..Settings::default() };
    let kit = Kit::with_settings(&[json!([{"text": "ok"}])], settings);
    let refused = kit.ask(prompt("Hi")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidRequest);
    assert!(refused.message.contains("without-a-provider"), "{refused}");
    let mut arguments = prompt("Hi");
    arguments.model = Some("scripted/test".parse().unwrap());
    let answer = kit.ask(arguments).await.unwrap();
    assert_eq!(kit.end_of(&answer.turn).await.response(), "ok");
}

#[tokio::test]
async fn other_settings_hold_from_now_on_but_for_what_was_chosen() {
    let kit = Kit::new(&[json!([{"text": "one"}])]);
    kit.script("other", &[json!([{"text": "other"}])]);
    let settings = |model: &str, mode| Settings {
        model: Some(format!("scripted/{model}")),
        mode: Some(mode),
        ..Settings::default()
    };
    let first = kit.say("hi").await;
    kit.end_of(&first.turn).await;
    let chosen = kit.sessions.new_session(Default::default()).await.unwrap();
    let set = ModeSetArguments { mode: Mode::Edit, session: Some(chosen.session.clone()) };
    kit.sessions.mode_set(set).await.unwrap();
    let fresh = kit.sessions.new_session(Default::default()).await.unwrap();
    let check = async |session: &SessionId, model: &str, mode: Mode| {
        let view = kit.sessions.view(session).await.unwrap();
        assert_eq!((view.model, view.mode), (Some(format!("scripted/{model}").parse().unwrap()), mode));
    };
    kit.apply(settings("other", Mode::Plan));
    check(&fresh.session, "other", Mode::Plan).await;
    check(&first.session, "other", Mode::Plan).await;
    check(&chosen.session, "other", Mode::Edit).await;
    // What did not change is no reason to touch a session.
    let set =
        ModelSetArguments { model: "scripted/test".parse().unwrap(), session: Some(first.session.clone()) };
    kit.sessions.model_set(set, ChangedBy::Extension).await.unwrap();
    kit.apply(settings("other", Mode::Ask));
    check(&first.session, "test", Mode::Ask).await;
    assert_eq!(kit.turn("hi").await.response(), "other");
}
