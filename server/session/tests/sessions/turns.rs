use kit_protocol::{CancelArguments, RunState, Settings, StopReason};
use kit_workspace::DocumentUri;
use serde_json::json;

use crate::harness::{Kit, call, kind, priced, prompt};

#[tokio::test]
async fn an_answer_is_streamed_and_the_turn_ends_with_it() {
    let kit = Kit::new(&[priced(), json!([{"text": ["Hel", "lo"]}, {"usage": {"input": 10, "output": 5}}])]);
    let turn = kit.turn("Hi").await;
    let mut types = turn.types();
    types.retain(|kind| kind != "message_update");
    let expected = ["turn_start", "message_start", "message_end", "step_usage", "response", "turn_end"];
    assert_eq!(types, expected);
    let streamed: String = turn
        .values("message_update")
        .iter()
        .map(|event| event["chunk"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (streamed.as_str(), turn.response().as_str(), turn.stop()),
        ("Hello", "Hello", StopReason::EndTurn)
    );
    let usage = &turn.values("turn_end")[0]["usage"];
    assert_eq!(
        (&usage["inputTokens"], &usage["outputTokens"], &usage["costMicros"]),
        (&json!(10), &json!(5), &json!(20))
    );
    let status = kit.sessions.status();
    assert_eq!(
        (status.state, status.usage.context_used, status.usage.context_window),
        (RunState::Idle, 15, 1000)
    );
    assert_eq!(status.usage.today.cost_micros, Some(20));
}

#[tokio::test]
async fn an_edit_is_under_review_before_its_result_is_told() {
    let edit = json!({"path": "a.txt", "edits": [{"old_text": "two", "new_text": "2"}]});
    let kit = Kit::new(&[
        json!([{"text": "I look."}, call("read", json!({"path": "a.txt"}))]),
        json!([call("edit", edit)]),
        json!([{"text": "Done."}]),
    ]);
    kit.write("a.txt", "one\ntwo\n");
    let turn = kit.turn("Change it").await;
    assert_eq!((kit.read("a.txt").as_str(), turn.response().as_str()), ("one\n2\n", "Done."));
    let results = turn.values("tool_result");
    assert_eq!(results.len(), 2, "{:?}", turn.types());
    assert_eq!(results[1]["metadata"]["fileDiffs"][0]["diffBlocks"][0]["oldText"], "two");
    let end = &turn.values("turn_end")[0];
    assert_eq!((&end["toolNames"], &end["llmCallCount"]), (&json!(["read", "edit"]), &json!(3)));
    let review = kit.sessions.review_list(Default::default()).await.unwrap();
    let hunk = &review.files[0].hunks[0];
    assert_eq!((review.summary.hunks, Some(&hunk.turn)), (1, turn.events[0].turn.as_ref()));
    assert_eq!(kit.sessions.status().review.hunks, 1);
}

#[tokio::test]
async fn reads_of_one_answer_run_together_and_their_results_keep_the_order_of_the_calls() {
    let reads: Vec<_> = (0..8).map(|number| call("read", json!({"path": format!("{number}.txt")}))).collect();
    let kit = Kit::new(&[json!(reads), json!([{"text": "Done."}])]);
    for number in 0..8 {
        kit.write(&format!("{number}.txt"), &format!("file {number}\n"));
    }
    let turn = kit.turn("Read").await;
    assert_eq!(turn.results().len(), 8);
    assert!(turn.results().iter().all(|(_, is_error)| !is_error), "{:?}", turn.results());
    assert_eq!(turn.response(), "Done.");
}

#[tokio::test]
async fn a_call_that_cannot_run_is_answered_and_the_turn_goes_on() {
    let kit = Kit::new(&[
        json!([call("reed", json!({}))]),
        json!([{"tool": {"name": "write", "input": {"path": "a", "content": "x"}, "truncated": true}}]),
        json!([{"text": "Sorry."}]),
    ]);
    let turn = kit.turn("Go").await;
    let results = turn.results();
    assert!(results[0].0.starts_with("there is no tool `reed`; you may mean `read`."), "{results:?}");
    assert!(results[1].0.starts_with("the arguments of this call were cut off"), "{results:?}");
    assert!(results.iter().all(|(_, is_error)| *is_error));
    assert_eq!((turn.values("tool_execution_start").len(), turn.response().as_str()), (0, "Sorry."));
    assert!(!kit.path("a").exists());
}

#[tokio::test(start_paused = true)]
async fn retries_are_announced_and_the_text_comes_once() {
    let error = json!({"kind": "rate_limit", "status": 429, "message": "slow down", "retryAfterMs": 7000, "times": 2});
    let kit = Kit::new(&[json!([{"text": "Half"}, {"error": error}, {"text": " and whole"}])]);
    let turn = kit.turn("Hi").await;
    let retries = turn.values("retry");
    let announced: Vec<_> =
        retries.iter().map(|retry| (retry["attempt"].clone(), retry["afterMs"].clone())).collect();
    assert_eq!(announced, [(json!(1), json!(7000)), (json!(2), json!(7000))]);
    let mut shown = String::new();
    for event in &turn.events {
        match kind(&event.body).as_str() {
            "stream_reset" => shown.clear(),
            "message_update" => {
                shown.push_str(serde_json::to_value(event).unwrap()["chunk"].as_str().unwrap())
            }
            _ => {}
        }
    }
    assert_eq!((shown.as_str(), turn.response().as_str()), ("Half and whole", "Half and whole"));
    assert_eq!((turn.values("message_start").len(), turn.values("stream_reset").len()), (1, 2));
    assert!(kit.statuses().iter().any(|status| status.label == "retry in 7 s"), "{:?}", kit.statuses());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_is_tried_again() {
    let kit = Kit::new(&[json!([{"text": "Half"}, {"cut": {"times": 1}}, {"text": " and whole"}])]);
    let turn = kit.turn("Hi").await;
    assert_eq!((turn.values("retry").len(), turn.response().as_str()), (1, "Half and whole"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_stays_ends_the_turn_and_the_session_goes_on() {
    let error = json!({"kind": "auth", "status": 401, "message": "no key: set X_API_KEY"});
    let kit = Kit::new(&[json!([{"text": "Half"}, {"error": error}]), json!([{"text": "Well again."}])]);
    let turn = kit.turn("Hi").await;
    assert_eq!((turn.stop(), turn.response().as_str()), (StopReason::Error, ""));
    let errors = turn.values("error");
    assert_eq!(
        (&errors[0]["kind"], &errors[0]["message"]),
        (&json!("auth"), &json!("no key: set X_API_KEY"))
    );
    assert_eq!(kit.sessions.status().state, RunState::SignedOut);
    // The half answer was shown, so it is part of the conversation, and the script counts it as one.
    assert_eq!(kit.turn("Again").await.response(), "Well again.");
    assert_eq!(kit.sessions.status().state, RunState::Idle);
}

#[tokio::test]
async fn an_overflow_of_the_context_is_a_typed_error() {
    let error = json!({"kind": "context_overflow", "status": 400, "message": "too long"});
    let kit = Kit::new(&[json!([{"error": error}])]);
    let turn = kit.turn("Hi").await;
    assert_eq!(
        (turn.stop(), &turn.values("error")[0]["kind"]),
        (StopReason::Error, &json!("context_overflow"))
    );
}

#[tokio::test]
async fn cancel_while_the_model_answers_keeps_what_was_shown() {
    let kit = Kit::new(&[json!([{"text": "Half"}, {"gate": "never"}]), json!([{"text": "Next."}])]);
    let answer = kit.say("Hi").await;
    kit.event("message_update").await;
    let cancelled = kit.sessions.cancel(CancelArguments::default()).cancelled;
    assert_eq!(cancelled, std::slice::from_ref(&answer.turn));
    let turn = kit.end_of(&answer.turn).await;
    assert_eq!(turn.stop(), StopReason::Cancelled);
    assert_eq!(kit.turn("Go on").await.response(), "Next.");
    assert_eq!(
        kit.messages(&answer.session).await,
        ["user: Hi", "assistant: Half", "user: Go on", "assistant: Next."]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn cancel_while_a_command_runs_answers_every_call() {
    let kit = Kit::with_settings(
        &[
            json!([
                call("bash", json!({"command": "echo began; sleep 600"})),
                call("write", json!({"path": "a", "content": "x"}))
            ]),
            json!([{"text": "Next."}]),
        ],
        Settings {
            permissions: Some(kit_protocol::PermissionRules {
                allow: vec!["Bash(*)".into()],
                ..Default::default()
            }),
            ..Settings::default()
        },
    );
    let answer = kit.say("Run").await;
    kit.event("tool_output").await;
    kit.sessions.cancel_turn(&answer.turn);
    let turn = kit.end_of(&answer.turn).await;
    assert_eq!(turn.stop(), StopReason::Cancelled, "{:?}", turn.results());
    assert_eq!(turn.results().len(), 2);
    assert_eq!(turn.results()[0], ("cancelled by the user".to_owned(), true));
    assert!(!kit.path("a").exists());
    assert_eq!(kit.turn("Go on").await.response(), "Next.");
}

#[tokio::test]
async fn the_step_limit_ends_a_turn() {
    let kit = Kit::with_settings(
        &[json!([call("ls", json!({}))]), json!([call("ls", json!({}))])],
        Settings { max_steps: Some(2), ..Settings::default() },
    );
    let turn = kit.turn("Loop").await;
    assert_eq!((turn.stop(), turn.results().len()), (StopReason::MaxSteps, 2));
}

#[tokio::test]
async fn two_sessions_run_at_once_and_never_mix() {
    let kit = Kit::new(&[json!([{"text": "{{prompt}}"}, {"gate": "go"}])]);
    let first = kit.say("one").await;
    let second = kit.sessions.new_session(Default::default()).await.unwrap().session;
    let mut arguments = prompt("two");
    arguments.session = Some(second.clone());
    let other = kit.ask(arguments).await.unwrap();
    assert_ne!(first.session, other.session);
    assert_eq!(kit.sessions.running_turns().len(), 2);
    kit.open_gate("go");
    let (one, two) = (kit.end_of(&first.turn).await, kit.end_of(&other.turn).await);
    assert_eq!((one.response().as_str(), two.response().as_str()), ("one", "two"));
    assert!(two.events.iter().all(|event| event.session == second));
}

#[tokio::test]
async fn numbers_of_a_session_have_no_gaps() {
    let kit = Kit::new(&[
        json!([{"text": "a"}, call("ls", json!({}))]),
        json!([{"text": "b"}]),
        json!([{"text": "c"}]),
    ]);
    kit.turn("one").await;
    kit.turn("two").await;
    let numbers: Vec<u64> = kit.events().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=u64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_edit_that_the_editor_refuses_fails_the_call_and_writes_nothing() {
    let edit = json!({"path": "a.txt", "edits": [{"old_text": "typed", "new_text": "2"}]});
    let kit = Kit::new(&[
        json!([call("read", json!({"path": "a.txt"}))]),
        json!([call("edit", edit)]),
        json!([{"text": "I could not."}]),
    ]);
    kit.write("a.txt", "saved\n");
    kit.documents.open(DocumentUri::from_path(&kit.path("a.txt")), "text", 1, "typed\n");
    let turn = kit.turn("Change it").await;
    let results = turn.results();
    assert!(results[0].0.contains("typed") && results[1].1, "{results:?}");
    assert_eq!((turn.response().as_str(), kit.read("a.txt").as_str()), ("I could not.", "saved\n"));
    assert_eq!(kit.sessions.status().review.hunks, 0);
}
