//! Subagents: what they inherit, what their parent tells of them, and how they end.

use std::time::Duration;

use kit_protocol::{
    CancelArguments, ErrorKind, Event, EventBody, ListScope, RunState, SessionId, SessionListArguments,
    Settings, StopReason, UsageArguments,
};
use kit_session::{SpawnRequest, SubagentOutcome};
use serde_json::{Value, json};

use crate::harness::{Kit, Turn, call, messages_in, priced, session_arguments};

/// A call for a subagent whose model plays the script `child`.
fn subagent(task: &str, more: Value) -> Value {
    let mut input = json!({"task": task, "model": "child"});
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    call("subagent", input)
}

/// A parent that gives one task and says that it is done, and the script of its subagent.
fn family(more: Value, child: &[Value]) -> Kit {
    let kit = Kit::new(&[priced(), json!([subagent("Look", more)]), json!([{"text": "Done."}])]);
    kit.script("child", child);
    kit
}

/// The session of the subagent that a turn's only call names.
fn child_of(turn: &Turn) -> SessionId {
    let results = turn.values("tool_result");
    let id = results.iter().find_map(|result| result["metadata"]["subagentSession"].as_str());
    SessionId::from(id.unwrap_or_else(|| panic!("no subagent in {results:?}")))
}

fn of_agent(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.agent.is_some()).collect()
}

fn kind(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_subagent_does_is_told_in_the_stream_of_its_parent() {
    let child = [
        json!([{"reasoning": "Hm"}, call("read", json!({"path": "a.txt"}))]),
        json!([{"text": "It says one."}]),
    ];
    let kit = family(json!({}), &child);
    kit.write("a.txt", "one\n");
    let turn = kit.turn("Go").await;
    let (content, is_error) = &turn.own_results()[0];
    let session = child_of(&turn);
    assert!(!is_error && content.starts_with("Subagent completed successfully in "), "{content}");
    assert!(
        content.contains(&format!("Session ID: {session}")) && content.ends_with("Result:\nIt says one.")
    );
    assert_eq!(turn.response(), "Done.");

    let events = kit.events();
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=u64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    let parent = &turn.events[0].session;
    assert!(
        events.iter().all(|event| event.session == *parent),
        "a subagent has no stream of its own while it works"
    );
    let told = of_agent(&events);
    let kinds: Vec<String> = told.iter().map(|event| kind(event)).collect();
    let expected = [
        "turn_start",
        "message_start",
        "reasoning_delta",
        "message_end",
        "step_usage",
        "tool_call",
        "tool_execution_start",
        "tool_execution_end",
        "tool_result",
        "message_start",
        "message_update",
        "message_end",
        "step_usage",
        "response",
        "turn_end",
    ];
    assert_eq!(kinds, expected);
    for event in &told {
        let agent = event.agent.as_ref().unwrap();
        assert_eq!((agent.id.as_str(), agent.name.as_deref()), (session.as_str(), Some("general")));
        assert_eq!(agent.path, ["general"]);
        assert_eq!(agent.tool_call_id.as_ref().map(|call| call.as_str()), Some("call_1_1"));
        let own = matches!(event.body, EventBody::TurnStart { .. } | EventBody::TurnEnd { .. });
        assert_eq!(event.turn == turn.events[0].turn, !own, "{event:?}");
    }
    let result = turn.events.iter().position(|event| event.agent.is_none() && kind(event) == "tool_result");
    let last = turn.events.iter().rposition(|event| event.agent.is_some());
    assert!(last < result, "everything that it did comes before the result of the call");
}

#[tokio::test]
async fn the_file_of_a_subagent_names_its_parent_and_its_task() {
    let kit = family(json!({}), &[json!([{"text": "Found."}])]);
    let turn = kit.turn("Go").await;
    let (parent, child) = (turn.events[0].session.clone(), child_of(&turn));
    let file = kit.file(&parent).await;
    let header: Value = {
        let text = std::fs::read_to_string(kit.file(&child).await).unwrap();
        serde_json::from_str(text.lines().next().unwrap()).unwrap()
    };
    assert_eq!(header["parent_session"], file.to_string_lossy().as_ref());
    assert_eq!(
        (&header["parent_session_id"], &header["subagent_task"]),
        (&json!(parent.as_str()), &json!("Look"))
    );
    let listed = kit.sessions.list(SessionListArguments { scope: ListScope::Root }).await.unwrap();
    let one = listed.sessions.into_iter().find(|one| one.id == child).unwrap();
    assert_eq!((one.parent_session, one.subagent_task.as_deref()), (Some(parent), Some("Look")));
    assert_eq!(kit.messages(&child).await, ["user: Look", "assistant: Found."]);
}

#[tokio::test]
async fn what_subagents_spend_is_part_of_their_parent_and_counted_once() {
    let usage = |input: u64| json!({"usage": {"input": input, "output": 1}});
    let kit = Kit::new(&[
        priced(),
        json!([subagent("Look", json!({})), usage(10)]),
        json!([{"text": "Done."}, usage(20)]),
    ]);
    kit.script("child", &[priced(), json!([{"text": "Found."}, usage(100)])]);
    let turn = kit.turn("Go").await;
    let session = turn.events[0].session.clone();
    let end = turn.values("turn_end").pop().unwrap();
    let steps = turn.values("step_usage");
    let sum = |name: &str| steps.iter().map(|step| step[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("inputTokens"), sum("costMicros")), (130, 136));
    assert_eq!((&end["usage"]["inputTokens"], &end["usage"]["costMicros"]), (&json!(130), &json!(136)));
    let numbers: Vec<u64> = steps.iter().map(|step| step["call"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3], "every call of the session has a number of its own");

    let usage = |session: SessionId| UsageArguments { session: Some(session) };
    let told = kit.sessions.usage(usage(session.clone())).await.unwrap();
    let total = |totals: Option<kit_protocol::UsageTotals>| totals.map(|totals| totals.input_tokens);
    assert_eq!((total(told.turn), total(told.session), told.today.input_tokens), (Some(130), Some(130), 130));
    assert_eq!(told.context.map(|context| context.used), Some(21), "its context is not the parent's");
    let child = kit.sessions.usage(usage(child_of(&turn))).await.unwrap();
    assert_eq!(total(child.session), Some(100));
    kit.sessions.shutdown().await;

    let again = kit.restarted();
    let told = again.sessions.usage(usage(session)).await.unwrap();
    assert_eq!((total(told.turn), total(told.session), told.today.input_tokens), (Some(130), Some(130), 130));
}

#[tokio::test]
async fn a_subagent_has_the_tools_of_its_parent_without_the_one_that_starts_subagents() {
    let has = |tool: &str, otherwise: Value| json!({"needs": [format!("tool:{tool}")], "do": [{"text": format!("has {tool}")}], "else": otherwise});
    let child = [
        has("subagent", json!([call("subagent", json!({"task": "More"}))])),
        json!([{"text": "{{result}}"}]),
    ];
    let turn = family(json!({}), &child).turn("Go").await;
    let (content, _) = &turn.own_results().pop().unwrap();
    assert!(content.contains("there is no tool `subagent`"), "{content}");
    let names: Vec<&str> = content.split("The tools are: ").nth(1).unwrap_or_default().split(", ").collect();
    let missing = ["bash", "edit", "find", "grep", "ls", "read", "write"].map(|name| !names.contains(&name));
    assert!(!names.contains(&"subagent") && missing == [false; 7], "{content}");

    let child =
        [json!([call("write", json!({"path": "a", "content": "x"}))]), json!([{"text": "{{result}}"}])];
    let kit = family(json!({"agent": "explore"}), &child);
    let (content, _) = &kit.turn("Go").await.own_results().pop().unwrap();
    assert!(content.contains("there is no tool `write`") && !kit.path("a").exists(), "{content}");
    assert!(content.contains("The tools are: find, grep, ls, read"), "{content}");
}

#[tokio::test]
async fn a_subagent_is_in_the_mode_of_its_parent() {
    let child =
        [json!([call("write", json!({"path": "a", "content": "x"}))]), json!([{"text": "{{result}}"}])];
    let script = [json!([subagent("Look", json!({}))]), json!([{"text": "Done."}])];
    let settings = Settings { mode: Some(kit_protocol::Mode::Plan), ..Settings::default() };
    let kit = Kit::with_settings(&script, settings);
    kit.script("child", &child);
    let (content, _) = &kit.turn("Go").await.own_results().pop().unwrap();
    assert!(content.contains("plan mode") && !kit.path("a").exists(), "{content}");
}

#[tokio::test]
async fn an_edit_of_a_subagent_is_one_of_the_turn_that_waits_for_it() {
    let child =
        [json!([call("write", json!({"path": "a.txt", "content": "x\n"}))]), json!([{"text": "Written."}])];
    let kit = family(json!({}), &child);
    let turn = kit.turn("Go").await;
    let review = kit.sessions.review_list(Default::default()).await.unwrap();
    let hunk = &review.files[0].hunks[0];
    assert_eq!(
        (Some(&hunk.turn), hunk.agent.as_str()),
        (turn.events[0].turn.as_ref(), child_of(&turn).as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn a_subagent_that_takes_too_long_is_stopped_and_its_words_are_kept() {
    let kit = family(json!({"timeout_seconds": 2}), &[json!([{"text": "Half"}, {"gate": "never"}])]);
    let turn = kit.turn("Go").await;
    let (content, is_error) = &turn.own_results()[0];
    let session = child_of(&turn);
    assert!(*is_error && content.starts_with("Subagent failed after 2s.\n"), "{content}");
    assert!(
        content.contains("it was stopped after its 2s") && content.ends_with("Partial output:\nHalf"),
        "{content}"
    );
    assert_eq!((turn.stop(), kit.sessions.status().agents.len()), (StopReason::EndTurn, 0));
    assert_eq!(kit.messages(&session).await, ["user: Look", "assistant: Half"]);
}

#[tokio::test(start_paused = true)]
async fn a_subagent_has_five_minutes_unless_a_call_says_otherwise_and_never_more_than_thirty() {
    for (arguments, seconds) in [
        (json!({}), 300),
        (json!({"timeout_seconds": 299.0}), 299),
        (json!({"timeout_seconds": 1800}), 1800),
        (json!({"timeout_seconds": 999_999}), 1800),
    ] {
        let kit = family(arguments.clone(), &[json!([{"text": "Half"}, {"delayMs": 10_000_000}])]);
        let turn = kit.turn("Go").await;
        let (content, is_error) = &turn.own_results()[0];
        let told = format!("it was stopped after its {seconds}s");
        assert!(*is_error && content.contains(&told), "{arguments}: {content}");
    }
}

#[tokio::test]
async fn cancelling_the_parent_ends_its_subagents_first() {
    let kit = family(json!({}), &[json!([{"text": "Half"}, {"gate": "never"}])]);
    let answer = kit.say("Go").await;
    kit.until(|told| {
        told.events().iter().any(|event| event.agent.is_some() && kind(event) == "message_update")
    })
    .await;
    let status = kit.sessions.status();
    let agent = &status.agents[0];
    assert_eq!(
        (agent.name.as_str(), agent.state, agent.task.as_str()),
        ("general", RunState::Running, "Look")
    );
    assert_eq!((&agent.session, status.session.as_ref()), (&answer.session, Some(&answer.session)));
    let child = SessionId::from(agent.id.as_str());
    let cancelled =
        kit.sessions.cancel(CancelArguments { session: Some(answer.session.clone()), turn: None });
    assert_eq!(cancelled.cancelled, std::slice::from_ref(&answer.turn));
    let turn = kit.end_of(&answer.turn).await;
    assert_eq!(turn.stop(), StopReason::Cancelled);
    assert_eq!(turn.own_results(), [("cancelled by the user".to_owned(), true)]);
    let events = kit.events();
    let ends: Vec<(bool, Value)> = events
        .iter()
        .filter(|event| kind(event) == "turn_end")
        .map(|event| (event.agent.is_some(), serde_json::to_value(event).unwrap()["stopReason"].clone()))
        .collect();
    assert_eq!(ends, [(true, json!("cancelled")), (false, json!("cancelled"))]);
    kit.until(|_| kit.sessions.status().agents.is_empty()).await;
    assert_eq!(kit.messages(&child).await, ["user: Look", "assistant: Half"]);
}

#[tokio::test]
async fn as_many_run_at_once_as_the_settings_allow() {
    let calls: Vec<Value> = (0..30).map(|number| subagent(&format!("Task {number}"), json!({}))).collect();
    for (allowed, running) in [(None, 5), (Some(30), 30)] {
        let settings = Settings { max_subagents: allowed, ..Settings::default() };
        let kit = Kit::with_settings(&[json!(calls), json!([{"text": "Done."}])], settings);
        kit.script(
            "child",
            &[json!([{"text": "Working. "}, {"gate": "go"}, {"text": "{{prompt}} is done."}])],
        );
        let answer = kit.say("Go").await;
        let at_work = |told: &crate::harness::Told| {
            let events = told.events();
            let texts =
                events.iter().filter(|event| event.agent.is_some() && kind(event) == "message_update");
            texts.count()
        };
        kit.until(|told| at_work(told) == running).await;
        let agents = kit.sessions.status().agents;
        let runs = agents.iter().filter(|agent| agent.state == RunState::Running).count();
        assert_eq!((agents.len(), runs), (30, running));
        kit.open_gate("go");
        let turn = kit.end_of(&answer.turn).await;
        assert_eq!((turn.stop(), turn.response().as_str()), (StopReason::EndTurn, "Done."));
        let results: Vec<(String, bool)> = turn.own_results();
        assert!(results.iter().all(|(_, is_error)| !is_error), "{results:?}");
        for number in 0..30 {
            let end = format!("Task {number} is done.");
            assert!(results.iter().any(|(content, _)| content.ends_with(&end)), "{end} {results:?}");
        }
        kit.until(|_| kit.sessions.status().agents.is_empty()).await;
        kit.sessions.shutdown().await;
    }
}

#[tokio::test]
async fn a_subagent_goes_on_where_it_was_and_only_where_it_belongs() {
    let kit = family(json!({}), &[json!([{"text": "First."}]), json!([{"text": "Second."}])]);
    let turn = kit.turn("Go").await;
    let (parent, child) = (turn.events[0].session.clone(), child_of(&turn));
    kit.until(|_| kit.sessions.status().agents.is_empty()).await;
    let again = |session: SessionId| SpawnRequest {
        session: Some(session),
        model: Some("child".to_owned()),
        ..SpawnRequest::new(parent.clone(), "And more")
    };
    let report = kit.sessions.spawn(again(child.clone())).await.unwrap().wait().await;
    assert_eq!(
        (report.outcome.clone(), report.response.as_str()),
        (SubagentOutcome::Completed(StopReason::EndTurn), "Second.")
    );
    let expected = ["user: Look", "assistant: First.", "user: And more", "assistant: Second."];
    assert_eq!(kit.messages(&child).await, expected);

    for session in [parent.clone(), SessionId::from("nobody")] {
        let refused =
            kit.sessions.spawn(again(session)).await.map(|subagent| subagent.id().clone()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotFound);
        assert!(refused.message.contains(&format!("known are: {child} (Look)")), "{}", refused.message);
    }
    let own = SpawnRequest { parent: child.clone(), ..SpawnRequest::new(child, "Deeper") };
    let refused = kit.sessions.spawn(own).await.map(|subagent| subagent.id().clone()).unwrap_err();
    assert_eq!(refused.message, "a subagent cannot have subagents of its own");
}

#[tokio::test]
async fn what_cannot_be_started_says_what_may_have_been_meant() {
    let kit = Kit::new(&[json!([{"text": "Hi."}])]);
    let parent = kit.turn("Go").await.events[0].session.clone();
    let refused = async |change: fn(&mut SpawnRequest)| {
        let mut request = SpawnRequest::new(parent.clone(), "Look");
        change(&mut request);
        kit.sessions.spawn(request).await.map(|subagent| subagent.id().clone()).unwrap_err().message
    };
    let unknown = refused(|request| request.agent = Some("explorer".into())).await;
    assert!(unknown.starts_with("there is no agent `explorer`") && unknown.contains("explore"), "{unknown}");
    let unknown = refused(|request| request.model = Some("anthropic/claude-sonet-4-5".into())).await;
    assert!(unknown.contains("there is no model `anthropic/claude-sonet-4-5`; you may mean"), "{unknown}");
    let unknown = refused(|request| request.model = Some("nobody".into())).await;
    assert!(unknown.contains("there is no script for scripted/nobody"), "{unknown}");
    assert_eq!(refused(|request| request.task = " ".into()).await, "the task of the subagent is empty");
}

#[tokio::test]
async fn a_subagent_in_the_background_is_waited_for_killed_and_told_of() {
    let kit =
        family(json!({"background": true}), &[json!([{"text": "Found "}, {"gate": "go"}, {"text": "it."}])]);
    let turn = kit.turn("Go").await;
    let (parent, child) = (turn.events[0].session.clone(), child_of(&turn));
    let (content, is_error) = &turn.own_results()[0];
    assert!(!is_error && content.starts_with("Subagent started in the background."), "{content}");
    let running = kit.sessions.subagent(&parent, &child).await.unwrap();
    assert_eq!((running.report(), kit.sessions.status().agents.len()), (None, 1));
    kit.open_gate("go");
    assert_eq!(running.wait().await.response, "Found it.");
    // Its calls belong to no turn, so they come on top.
    let usage = kit.sessions.usage(UsageArguments { session: Some(parent.clone()) }).await.unwrap();
    assert!(usage.session.unwrap().input_tokens > usage.turn.unwrap().input_tokens);
    kit.turn("And now?").await;
    let news =
        kit.messages(&parent).await.into_iter().find(|message| message.contains("<subagent id=")).unwrap();
    assert!(
        news.contains(&format!("<subagent id=\"{child}\" name=\"general\">")) && news.contains("Found it."),
        "{news}"
    );

    let endless = SpawnRequest { model: Some("endless".into()), ..SpawnRequest::new(parent.clone(), "Wait") };
    kit.script("endless", &[json!([{"gate": "never"}])]);
    let endless = kit.sessions.spawn(endless).await.unwrap();
    kit.sessions.cancel(CancelArguments { session: Some(parent), turn: None });
    assert_eq!(endless.wait().await.outcome, SubagentOutcome::Killed);
    endless.kill();
}

#[tokio::test]
async fn a_subagent_that_is_done_lets_go_of_its_file_and_can_still_be_read() {
    let kit = family(json!({}), &[json!([{"text": "Found."}])]);
    let turn = kit.turn("Go").await;
    let child = child_of(&turn);
    kit.until(|_| kit.sessions.status().agents.is_empty()).await;
    let other = kit.restarted();
    // Another process can take the session over, and then it is this one that only reads.
    let opened = tokio::time::timeout(Duration::from_secs(20), async {
        while other.sessions.open(session_arguments(&child)).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    opened.await.unwrap();
    let document = kit.sessions.content(&format!("kit-session:{child}.md")).await.unwrap();
    assert!(document.contains("## Prompt\n\nLook\n") && document.contains("\nFound.\n"), "{document}");
}

#[tokio::test]
async fn the_transcript_of_a_subagent_is_there_while_it_works() {
    let kit = family(json!({}), &[json!([{"text": "Half"}]), json!([{"text": "x"}])]);
    kit.script(
        "child",
        &[
            json!([call("ls", json!({"path": "."}))]),
            json!([{"text": "More "}, {"gate": "go"}, {"text": "text"}]),
        ],
    );
    let answer = kit.say("Go").await;
    kit.until(|told| {
        told.events().iter().any(|event| event.agent.is_some() && kind(event) == "message_update")
    })
    .await;
    let child = SessionId::from(kit.sessions.status().agents[0].id.as_str());
    let document = kit.sessions.content(&format!("kit-session:{child}")).await.unwrap();
    assert!(document.contains("## Prompt\n\nLook\n") && document.contains("<code>ls</code>"), "{document}");
    let transcript = kit
        .sessions
        .transcript(kit_protocol::TranscriptArguments { session: child.clone(), from: None })
        .await
        .unwrap();
    assert!(transcript.events.iter().all(|event| event.session == child && event.agent.is_none()));
    assert_eq!(transcript.events.last().map(kind).as_deref(), Some("message_update"));
    kit.open_gate("go");
    kit.end_of(&answer.turn).await;
}

#[tokio::test]
async fn deleting_a_session_deletes_its_subagents_and_says_so() {
    let kit = family(json!({}), &[json!([{"text": "Found."}])]);
    let turn = kit.turn("Go").await;
    let (parent, child) = (turn.events[0].session.clone(), child_of(&turn));
    let files = [kit.file(&parent).await, kit.file(&child).await];
    let answer = kit.sessions.delete(session_arguments(&parent)).await.unwrap();
    assert_eq!(answer.deleted, [parent, child]);
    assert_eq!(files.map(|file| file.exists()), [false, false]);
}

#[tokio::test]
async fn the_messages_of_a_subagent_stay_out_of_its_parent() {
    let kit = family(json!({}), &[json!([{"text": "A long way to go."}])]);
    let turn = kit.turn("Go").await;
    let file = kit.file(&turn.events[0].session).await;
    let messages = messages_in(&file);
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert_eq!(
        (messages[0].as_str(), messages[1].as_str(), messages[3].as_str()),
        ("user: Go", "assistant: <subagent>", "assistant: Done.")
    );
}
