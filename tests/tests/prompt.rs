//! A turn as a client sees it: order of events, streamed text, progress, context, and two sessions side by side.

use e2e::start;
use kit_testkit::{Gate, Launch, ModelServer, Project, Reply, Wire};
use serde_json::{Value, json};

/// Statements 2 and 3 on both wires.
#[tokio::test]
async fn a_turn_tells_its_events_in_order_and_streams_its_answer_once() {
    for wire in Wire::all() {
        let project = Project::new().file("a.txt", "alpha\n");
        let model = ModelServer::start().await;
        let client = Launch::new(&project).model(&model, wire).start().await;
        model.reply(Reply::new().text("Let me ").text("look.").call("read", json!({ "path": "a.txt" })));
        model.reply(Reply::new().text("It says ").text("alpha."));
        let report = client.run("what does a.txt say?").await;

        assert_eq!(report.stop_reason(), "end_turn", "{wire:?}");
        assert_eq!(report.response(), "It says alpha.", "{wire:?}");
        assert_eq!(report.streamed_text(), "It says alpha.", "{wire:?}");
        assert_eq!(report.all_streamed_text(), "Let me look.It says alpha.", "{wire:?}: nothing is doubled");
        assert_eq!(report.only("response")["content"], "It says alpha.");
        assert_eq!(report.only("turn_start")["prompt"], "what does a.txt say?");
        assert_eq!(report.end()["toolCallCount"], 1);
        assert_eq!(report.end()["toolNames"], json!(["read"]));
        assert_eq!(report.end()["llmCallCount"], 2);

        let mut order = report.types();
        order.dedup();
        let expected = [
            &[
                "turn_start",
                "message_start",
                "message_update",
                "message_end",
                "tool_call_content",
                "step_usage",
            ][..],
            &["tool_call", "tool_execution_start", "tool_execution_end", "tool_result"],
            &["message_start", "message_update", "message_end", "step_usage", "response", "turn_end"],
        ];
        assert_eq!(order, expected.concat(), "{wire:?}");
        let (result, failed) = report.tool_result();
        assert!(result.contains("alpha") && !failed, "{result}");
        client.close().await;
        model.assert_used();
    }
}

/// Statement 2.
#[tokio::test]
async fn progress_begins_once_reports_the_tool_and_ends_once() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
    let progress = client.notifications("$/progress");
    let kinds: Vec<&str> = progress.iter().filter_map(|params| params["value"]["kind"].as_str()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"begin"), Some(&"end")), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "begin").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "end").count(), 1, "{kinds:?}");
    let names_tool = |params: &Value| {
        params["value"]["kind"] == "report"
            && params["value"]["message"]
                .as_str()
                .is_some_and(|message| message.contains("a.txt") || message.contains("read"))
    };
    assert!(progress.iter().any(names_tool), "a report names the tool: {progress:?}");
    client.close().await;
}

#[tokio::test]
async fn reasoning_is_streamed_apart_from_the_answer() {
    for wire in Wire::all() {
        let project = Project::new();
        let model = ModelServer::start().await;
        let client = Launch::new(&project).model(&model, wire).start().await;
        model.reply(Reply::new().reasoning("hm, ").reasoning("well").text("yes"));
        let report = client.run("is it?").await;
        let thought: String =
            report.all("reasoning_delta").iter().filter_map(|event| event["delta"].as_str()).collect();
        assert_eq!(thought, "hm, well", "{wire:?}");
        assert_eq!(report.response(), "yes", "{wire:?}");
        client.close().await;
    }
}

#[tokio::test]
async fn the_answer_is_shown_while_the_model_still_writes() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("first").gate(&gate).text(" second"));
    let turn = client.prompt("go").await;
    gate.reached().await;
    let early = client.turn_event(&turn, "message_update").await;
    assert_eq!(early["chunk"], "first");
    let status = client.latest("kit/status", |status| status["state"] == "running").await;
    assert_eq!((&status["session"], &status["turn"]), (&json!(turn.session), &json!(turn.turn)));
    gate.open();
    assert_eq!(client.finish(&turn).await.response(), "first second");
    client.latest("kit/status", |status| status["state"] == "idle").await;
    client.close().await;
}

/// Statement 4.
#[tokio::test]
async fn two_sessions_run_side_by_side_without_mixing() {
    let project = Project::new().file("left.txt", "L\n").file("right.txt", "R\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let sides = [("left", "L"), ("right", "R")];
    let mut gates = Vec::new();
    let mut turns = Vec::new();
    for (index, (side, old)) in sides.iter().enumerate() {
        let answer = client.command("kit.session.new", json!({})).await.expect("a new session");
        let session = answer["session"].as_str().expect("an id").to_owned();
        let gate = Gate::new();
        let tokens = kit_testkit::TokenCount { input: 100 + index as u64, output: 7, ..Default::default() };
        let prompt = format!("work on the {side} side");
        model.reply_to(
            &prompt,
            Reply::new().text(side).gate(&gate).edit(&format!("{side}.txt"), old, side).tokens(tokens),
        );
        model.reply_to(&prompt, Reply::new().text("done ").text(side).tokens(tokens));
        turns.push(client.prompt_in(&session, &prompt).await);
        gates.push(gate);
    }
    assert_ne!(turns[0].session, turns[1].session);
    // Both stand in the middle of their stream at the same time.
    for gate in &gates {
        gate.reached().await;
    }
    gates.iter().rev().for_each(Gate::open);
    for (index, (side, _)) in sides.iter().enumerate() {
        let report = client.finish(&turns[index]).await;
        assert_eq!(report.response(), format!("done {side}"));
        assert_eq!(report.all_streamed_text(), format!("{side}done {side}"));
        assert_eq!(report.end()["usage"]["inputTokens"], 2 * (100 + index as u64));
        let diffs = &report.only("tool_result")["metadata"]["fileDiffs"];
        assert_eq!(diffs.as_array().map(Vec::len), Some(1));
        assert_eq!(diffs[0]["uri"], json!(project.uri(&format!("{side}.txt"))));
        assert_eq!(project.text(&format!("{side}.txt")), format!("{side}\n"));
    }
    let review = e2e::review(&client).await;
    for (index, (side, _)) in sides.iter().enumerate() {
        let hunks = e2e::hunks(&review, &project.uri(&format!("{side}.txt")));
        assert_eq!(hunks.len(), 1);
        assert_eq!(hunks[0]["turn"], json!(turns[index].turn));
    }
    client.close().await;
}

#[tokio::test]
async fn the_context_of_a_prompt_is_the_unsaved_text() {
    let project = Project::new().file("a.rs", "fn saved() {}\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    client.type_over("a.rs", "saved", "typed_but_not_saved");
    model.reply(Reply::new().text("ok"));
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 27 } });
    let turn = client
        .prompt_with(
            json!({ "text": "explain", "context": [{ "uri": project.uri("a.rs"), "range": range }] }),
        )
        .await;
    client.finish(&turn).await;
    let request = model.request(0).await;
    let said = request.user_texts().join("\n");
    assert!(
        said.contains("explain") && said.contains("typed_but_not_saved") && said.contains("a.rs"),
        "{said}"
    );
    client.close().await;
}

#[tokio::test]
async fn tools_read_the_unsaved_text() {
    let project = Project::new().file("a.rs", "fn saved() {}\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    client.type_over("a.rs", "saved", "typed");
    model.reply(
        Reply::new().call("read", json!({ "path": "a.rs" })).call("grep", json!({ "pattern": "typed" })),
    );
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    let request = model.request(1).await;
    let results = request.results();
    assert_eq!(results.len(), 2, "{results:?}");
    assert!(results[0].0.contains("fn typed()"), "{results:?}");
    assert!(results[1].0.contains("a.rs") && results[1].0.contains("fn typed()"), "{results:?}");
    client.close().await;
}

#[tokio::test]
async fn calls_of_one_step_are_answered_in_their_order() {
    let project = Project::new().file("a.txt", "alpha\n").file("b.txt", "beta\n").file("c.txt", "gamma\n");
    for wire in Wire::all() {
        let model = ModelServer::start().await;
        let client = Launch::new(&project).model(&model, wire).start().await;
        let read = |path: &str| json!({ "path": path });
        model.reply(
            Reply::new().call("read", read("c.txt")).call("read", read("a.txt")).call("read", read("b.txt")),
        );
        model.reply(Reply::new().text("done"));
        client.run("go").await;
        let request = model.request(1).await;
        let words: Vec<&str> = request
            .results()
            .into_iter()
            .map(|(text, _)| {
                ["alpha", "beta", "gamma"].into_iter().find(|word| text.contains(word)).unwrap_or("none")
            })
            .collect();
        assert_eq!(words, ["gamma", "alpha", "beta"], "{wire:?}");
        client.close().await;
    }
}

#[tokio::test]
async fn arguments_that_are_not_json_are_an_error_to_the_model_and_the_turn_goes_on() {
    let project = Project::new();
    for wire in Wire::all() {
        let model = ModelServer::start().await;
        let client = Launch::new(&project).model(&model, wire).start().await;
        model.reply(Reply::new().call_with_text("read", "{\"path\": "));
        model.reply(Reply::new().call("no_such_tool", json!({})));
        model.reply(Reply::new().call("read", json!({ "path": 7 })));
        model.reply(Reply::new().text("sorry"));
        let report = client.run("go").await;
        assert_eq!(report.response(), "sorry", "{wire:?}");
        let failed: Vec<bool> = report.tool_results().iter().map(|(.., failed)| *failed).collect();
        assert_eq!(failed, [true, true, true], "{wire:?}: {:?}", report.tool_results());
        client.close().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_by_its_length_says_so() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("half a sen").stopped_by_length());
    let report = client.run("go").await;
    assert_eq!((report.stop_reason(), report.response()), ("max_tokens", "half a sen"));
    client.close().await;
}

/// The events that a client missed can be asked for.
#[tokio::test]
async fn a_transcript_holds_the_turn_and_continues_where_it_is_asked_to() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("hello"));
    let report = client.run("greet").await;
    let session = report.end()["session"].clone();
    let whole =
        client.command("kit.session.transcript", json!({ "session": session })).await.expect("a transcript");
    let types: Vec<&str> = whole["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    for needed in ["turn_start", "message_end", "turn_end"] {
        assert!(types.contains(&needed), "{needed} is in {types:?}");
    }
    let next = whole["nextSeq"].as_u64().expect("a number");
    assert_eq!(next, report.end()["seq"].as_u64().expect("a number") + 1);
    let rest = client
        .command("kit.session.transcript", json!({ "session": session, "from": next }))
        .await
        .expect("a transcript");
    assert_eq!(rest, json!({ "events": [], "nextSeq": next }));
    client.close().await;
}
