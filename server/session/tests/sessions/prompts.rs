use kit_protocol::{CancelArguments, ContextItem, Delivery, ErrorKind, StopReason};
use serde_json::json;

use crate::harness::{Kit, call, prompt};

/// A model that repeats the last prompt, once the gate is open.
fn echo() -> Vec<serde_json::Value> {
    vec![
        json!({"script": {"atEnd": "last"}}),
        json!([{"gate": "go"}, {"text": "{{prompt}}"}]),
        json!([{"text": "{{prompt}}"}]),
    ]
}

#[tokio::test]
async fn a_prompt_during_a_turn_waits_for_its_own() {
    let kit = Kit::new(&echo());
    let first = kit.say("one").await;
    let second = kit.say("two").await;
    let third = kit.say("three").await;
    assert_eq!((first.queued, second.queued, third.queued), (false, true, true));
    assert_eq!(kit.events().iter().filter(|event| crate::harness::kind(&event.body) == "queue").count(), 2);
    kit.open_gate("go");
    assert_eq!(kit.end_of(&first.turn).await.response(), "one");
    assert_eq!(kit.end_of(&second.turn).await.response(), "two");
    assert_eq!(kit.end_of(&third.turn).await.response(), "three");
}

#[tokio::test]
async fn no_prompt_is_lost_when_it_comes_as_a_turn_ends() {
    let kit = Kit::new(&[json!({"script": {"atEnd": "last"}}), json!([{"text": "{{prompt}}"}])]);
    for round in 0..200 {
        let first = kit.say(&format!("first {round}")).await;
        // Some of them come before the end, some at it, some after it.
        for _ in 0..round % 40 {
            tokio::task::yield_now().await;
        }
        let second = kit.say(&format!("second {round}")).await;
        assert_eq!(kit.end_of(&first.turn).await.response(), format!("first {round}"));
        assert_eq!(kit.end_of(&second.turn).await.response(), format!("second {round}"));
    }
}

#[tokio::test]
async fn a_steering_prompt_joins_before_the_next_call_and_stays() {
    let kit = Kit::new(&[
        json!([{"gate": "go"}, call("ls", json!({}))]),
        json!([{"text": "{{prompt}}"}, call("ls", json!({}))]),
        json!([{"text": "Done."}]),
        json!([{"text": "After."}]),
    ]);
    let first = kit.say("one").await;
    let mut steer = prompt("faster");
    steer.delivery = Some(Delivery::Steer);
    let joined = kit.ask(steer).await.unwrap();
    assert_eq!((&joined.turn, joined.queued), (&first.turn, false));
    kit.open_gate("go");
    let turn = kit.end_of(&first.turn).await;
    assert_eq!(turn.values("message_end")[1]["content"], "faster");
    let messages = kit.messages(&first.session).await;
    let expected =
        ["user: one", "assistant: <ls>", "tool: (empty directory)", "user: faster", "assistant: faster<ls>"];
    assert_eq!(messages[..5], expected);
    kit.sessions.shutdown().await;
    let resumed = kit.restarted();
    assert_eq!(resumed.messages(&first.session).await, messages);
    assert_eq!(resumed.turn("again").await.response(), "After.");
}

#[tokio::test]
async fn a_steering_prompt_that_comes_while_the_answer_ends_is_answered_in_the_same_turn() {
    let kit = Kit::new(&[json!([{"gate": "go"}, {"text": "one"}]), json!([{"text": "{{prompt}}"}])]);
    let first = kit.say("one").await;
    let mut steer = prompt("two");
    steer.delivery = Some(Delivery::Steer);
    kit.ask(steer).await.unwrap();
    kit.open_gate("go");
    assert_eq!(kit.end_of(&first.turn).await.response(), "two");
}

#[tokio::test]
async fn steering_of_a_cancelled_turn_is_kept_for_the_next_one() {
    let kit = Kit::new(&[json!([{"text": "Half"}, {"gate": "never"}]), json!([{"text": "ok"}])]);
    let first = kit.say("one").await;
    kit.event("message_update").await;
    let mut steer = prompt("two");
    steer.delivery = Some(Delivery::Steer);
    kit.ask(steer).await.unwrap();
    kit.sessions.cancel(CancelArguments::default());
    assert_eq!(kit.end_of(&first.turn).await.stop(), StopReason::Cancelled);
    kit.turn("three").await;
    let expected = ["user: one", "assistant: Half", "user: two", "user: three", "assistant: ok"];
    assert_eq!(kit.messages(&first.session).await, expected);
}

#[tokio::test]
async fn a_waiting_prompt_can_be_cancelled_alone() {
    let kit = Kit::new(&echo());
    let first = kit.say("one").await;
    let second = kit.say("two").await;
    let arguments = CancelArguments { session: None, turn: Some(second.turn.clone()) };
    assert_eq!(kit.sessions.cancel(arguments).cancelled, std::slice::from_ref(&second.turn));
    assert_eq!(kit.end_of(&second.turn).await.stop(), StopReason::Cancelled);
    kit.open_gate("go");
    assert_eq!(kit.end_of(&first.turn).await.response(), "one");
}

#[tokio::test]
async fn what_the_user_selected_follows_the_prompt() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    kit.write("a.txt", "one\n");
    let uri = format!("file://{}", kit.path("a.txt").display());
    let mut arguments = prompt("Look");
    arguments.context = vec![ContextItem { uri, range: None, version: None }];
    let answer = kit.ask(arguments).await.unwrap();
    kit.end_of(&answer.turn).await;
    let expected = "user: Look\n\n<context>\n<document path=\"a.txt\">\n1: one\n</document>\n</context>";
    assert_eq!(kit.messages(&answer.session).await[0], expected);
    assert_eq!(kit.event("turn_start").await["prompt"], "Look");
}

#[tokio::test]
async fn an_empty_prompt_and_an_unknown_session_are_refused() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    assert_eq!(kit.ask(prompt("  ")).await.unwrap_err().kind, ErrorKind::InvalidRequest);
    let mut arguments = prompt("Hi");
    arguments.session = Some("ffffffffffffffffffffffffffffffff".into());
    assert_eq!(kit.ask(arguments).await.unwrap_err().kind, ErrorKind::NotFound);
}
