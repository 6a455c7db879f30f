//! Stopping: every way to cancel ends the turn, what it started, and nothing else.

use e2e::{permit, start};
use kit_testkit::{Answer, Gate, ModelServer, Project, Reply, processes_below};
use serde_json::{Value, json};

/// Statement 6: the command.
#[tokio::test]
async fn cancelling_by_command_drops_the_model_call_and_leaves_the_session_usable() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("once upon").gate(&gate));
    let turn = client.prompt("tell a story").await;
    gate.reached().await;
    client.turn_event(&turn, "message_update").await;
    let answer =
        client.command("kit.session.cancel", json!({ "session": turn.session })).await.expect("cancelled");
    assert_eq!(answer, json!({ "cancelled": [turn.turn] }));
    let report = client.finish(&turn).await;
    assert_eq!(report.stop_reason(), "cancelled");
    model.dropped(0).await;

    model.reply(Reply::new().text("gladly"));
    assert_eq!(client.run("another one").await.response(), "gladly");
    let request = model.request(1).await;
    assert!(request.user_texts().iter().any(|text| text.contains("another one")), "{:?}", request.items);
    client.close().await;
}

/// Statement 6: work-done progress.
#[tokio::test]
async fn cancelling_the_progress_cancels_its_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("once upon").stall());
    let turn = client.prompt("go").await;
    let begin = client.notification("$/progress", |params| params["value"]["kind"] == "begin").await;
    assert_eq!(begin["value"]["cancellable"], true, "{begin}");
    client.notify("window/workDoneProgress/cancel", json!({ "token": begin["token"] }));
    assert_eq!(client.finish(&turn).await.stop_reason(), "cancelled");
    client
        .notification("$/progress", |params| {
            params["value"]["kind"] == "end" && params["token"] == begin["token"]
        })
        .await;
    client.close().await;
}

#[tokio::test]
async fn cancelling_nothing_cancels_nothing() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    assert_eq!(client.command("kit.session.cancel", json!({})).await, Ok(json!({ "cancelled": [] })));
    client.notify("window/workDoneProgress/cancel", json!({ "token": "nobody" }));
    model.reply(Reply::new().text("still here"));
    assert_eq!(client.run("go").await.response(), "still here");
    client.close().await;
}

#[tokio::test]
async fn cancelling_without_a_session_cancels_every_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let mut turns = Vec::new();
    for prompt in ["first prompt", "second prompt"] {
        let session =
            client.command("kit.session.new", json!({})).await.expect("a session")["session"].clone();
        model.reply_to(prompt, Reply::new().text("...").stall());
        turns.push(client.prompt_in(session.as_str().expect("an id"), prompt).await);
    }
    for turn in &turns {
        client.turn_event(turn, "message_update").await;
    }
    let answer = client.command("kit.session.cancel", json!({})).await.expect("cancelled");
    let mut cancelled: Vec<Value> = answer["cancelled"].as_array().expect("a list").clone();
    cancelled.sort_by_key(Value::to_string);
    let mut expected: Vec<Value> = turns.iter().map(|turn| json!(turn.turn)).collect();
    expected.sort_by_key(Value::to_string);
    assert_eq!(cancelled, expected);
    for turn in &turns {
        assert_eq!(client.finish(turn).await.stop_reason(), "cancelled");
    }
    client.close().await;
}

/// Statement 6: children and grandchildren, and the pairing of calls and results afterwards.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn cancelling_kills_the_shell_with_its_grandchildren() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    let command = "sh -c 'sh -c \"echo ready; exec sleep 1000\" & wait' & sleep 1000";
    model.reply(Reply::new().call("bash", json!({ "command": command })));
    let turn = client.prompt("go").await;
    client
        .event(|event| {
            turn.owns(event)
                && event["type"] == "tool_output"
                && event["chunk"].as_str().is_some_and(|chunk| chunk.contains("ready"))
        })
        .await;
    assert!(!processes_below(&project.root()).is_empty(), "the shell runs in the project");
    client.command("kit.session.cancel", json!({ "turn": turn.turn })).await.expect("cancelled");
    let report = client.finish(&turn).await;
    assert_eq!(report.stop_reason(), "cancelled");
    kit_testkit::eventually("no process of the shell is left", || {
        processes_below(&project.root()).is_empty()
    })
    .await;

    model.reply(Reply::new().text("fine"));
    assert_eq!(client.run("and now?").await.response(), "fine");
    client.close().await;
}

/// I25: what runs when the editor goes away goes with it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_end_of_the_server_leaves_no_child() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    model.reply(Reply::new().call("bash", json!({ "command": "echo ready; sleep 1000 & sleep 1000" })));
    let turn = client.prompt("go").await;
    client.turn_event(&turn, "tool_output").await;
    client.close().await;
    kit_testkit::eventually("no process of the shell is left", || {
        processes_below(&project.root()).is_empty()
    })
    .await;
}

#[tokio::test]
async fn cancelling_withdraws_an_open_question() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| behavior.permission = Box::new(|_| Answer::Hold));
    model.reply(Reply::new().call("bash", json!({ "command": "touch made-by-the-agent" })));
    let turn = client.prompt("go").await;
    let (id, _) = client.server_request("kit/permission", 0).await;
    client.latest("kit/status", |status| status["pending"]["permissions"] == 1).await;
    client.command("kit.session.cancel", json!({ "session": turn.session })).await.expect("cancelled");
    assert_eq!(client.finish(&turn).await.stop_reason(), "cancelled");
    client.latest("kit/status", |status| status["pending"]["permissions"] == 0).await;
    // An answer that crosses the withdrawal changes nothing.
    client.answer(&id, json!({ "option": "allowOnce" }));

    model.reply(Reply::new().text("fine"));
    assert_eq!(client.run("and now?").await.response(), "fine");
    assert!(!project.exists("made-by-the-agent"));
    client.close().await;
}
