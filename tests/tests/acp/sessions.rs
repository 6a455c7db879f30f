//! Sessions come and go, survive a kill, and are told again as they were.

use std::time::{Duration, Instant};

use kit_testkit::{AcpClient, Gate, Reply, eventually, processes_below, text_block};
use serde_json::{Value, json};

use super::Bench;

#[tokio::test]
async fn the_handshake_tells_what_there_is() {
    let Some(bench) = Bench::new().await else { return };
    let client = AcpClient::spawn(&bench.program, &bench.launch());
    let early = client.request("session/list", json!({})).await.unwrap_err();
    assert_eq!(early["data"]["kind"], "invalid_request", "{early}");
    let told = client.initialize(json!({ "auth": { "terminal": true } })).await;
    assert_eq!(told["protocolVersion"], 1);
    let capabilities = &told["agentCapabilities"];
    assert_eq!(capabilities["loadSession"], true);
    assert_eq!(capabilities["promptCapabilities"]["image"], true);
    assert_eq!(capabilities["promptCapabilities"]["embeddedContext"], true);
    let sessions = ["list", "resume", "close", "delete", "fork", "additionalDirectories"];
    for name in sessions {
        assert!(capabilities["sessionCapabilities"][name].is_object(), "{name}: {capabilities}");
    }
    let made = client.request("session/new", json!({ "cwd": bench.project.root() })).await;
    assert!(made.is_ok(), "a client that has no MCP servers need not say so: {made:?}");
    let terminal = &told["authMethods"][1];
    assert_eq!((&terminal["type"], &terminal["args"]), (&json!("terminal"), &json!(["auth", "login"])));
    client.assert_understood();
}

/// Statement 4, in two folders of which one is the other's neighbor.
#[tokio::test]
async fn two_sessions_at_once_keep_to_themselves_and_to_their_folders() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("one/name.txt", "one\n");
    bench.project.write("two/name.txt", "two\n");
    let client = bench.plain().await;
    let first = client.session(&bench.project.path("one")).await;
    let second = client.session(&bench.project.path("two")).await;
    let gate = Gate::new();
    bench
        .model
        .reply_to("first", Reply::new().text("1").gate(&gate).call("read", json!({ "path": "name.txt" })));
    bench.model.reply_to("second", Reply::new().text("2").call("read", json!({ "path": "name.txt" })));
    let slow = client.send_prompt(&first, json!([text_block("first")])).await;
    gate.reached().await;
    bench.model.reply_to("second", Reply::new().text("done"));
    assert_eq!(client.prompt(&second, "second").await, "end_turn");
    bench.model.reply_to("first", Reply::new().text("done"));
    gate.open();
    assert_eq!(client.answer(slow).await.unwrap()["stopReason"], "end_turn");
    assert_eq!(client.text(&first, "agent_message_chunk"), "1done");
    assert_eq!(client.text(&second, "agent_message_chunk"), "2done");
    for (session, folder) in [(&first, "one"), (&second, "two")] {
        let call = super::about(&client, session, "name.txt");
        let path = bench.project.path(&format!("{folder}/name.txt"));
        assert_eq!(call[0]["locations"][0]["path"], json!(path), "{call:#?}");
        let shown = call.last().unwrap()["content"][0]["content"]["text"].as_str().unwrap().to_owned();
        assert!(shown.contains(folder), "the file of its own folder: {shown}");
    }
    client.assert_understood();
}

/// W40: a session that is loaded is told again, also after a kill.
#[tokio::test]
async fn a_session_is_told_again_after_a_kill_and_goes_on() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("notes.txt", "42\n");
    let (client, session) = bench.begin().await;
    bench
        .model
        .reply(Reply::new().reasoning("hm").text("I look. ").call("read", json!({ "path": "notes.txt" })));
    bench.model.reply(Reply::new().text("It is 42."));
    assert_eq!(client.prompt(&session, "what do the notes say?").await, "end_turn");
    let texts = |client: &AcpClient| {
        ["agent_thought_chunk", "agent_message_chunk"].map(|kind| client.text(&session, kind))
    };
    let before = texts(&client);
    assert_eq!(before[1], "I look. It is 42.");
    let call = super::about(&client, &session, "notes.txt");
    client.kill().await;
    drop(client);

    let client = bench.plain().await;
    let listed = client.request("session/list", json!({ "cwd": bench.project.root() })).await.unwrap();
    assert_eq!(listed["sessions"][0]["sessionId"], json!(session));
    assert_eq!(listed["sessions"][0]["title"], "what do the notes say?");
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1));
    let elsewhere = client.request("session/list", json!({ "cwd": bench.project.home() })).await.unwrap();
    assert_eq!(elsewhere["sessions"], json!([]));

    let params = json!({ "sessionId": session, "cwd": bench.project.root(), "mcpServers": [] });
    let loaded = client.request("session/load", params).await.expect("it can be loaded");
    assert_eq!(loaded["modes"]["currentModeId"], "edit");
    assert_eq!(texts(&client), before);
    assert_eq!(client.text(&session, "user_message_chunk"), "what do the notes say?");
    let again = super::about(&client, &session, "notes.txt");
    assert_eq!((&again[0], again.last()), (&call[0], call.last()), "the call is told as it was");
    assert_eq!(super::final_statuses(&again), ["completed"]);

    client.clear_updates();
    bench.model.reply(Reply::new().text("Yes."));
    assert_eq!(client.prompt(&session, "sure?").await, "end_turn");
    assert_eq!(client.text(&session, "agent_message_chunk"), "Yes.");
    assert_eq!(client.text(&session, "user_message_chunk"), "", "the client knows its own prompt");
    let request = bench.model.request(2).await;
    assert!(request.user_texts().iter().any(|text| text.contains("what do the notes say?")));
    client.assert_understood();
}

#[tokio::test]
async fn sessions_are_resumed_forked_closed_and_deleted() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    bench.model.reply(Reply::new().text("hello"));
    client.prompt(&session, "hi").await;
    let of = |session: &str| json!({ "sessionId": session, "cwd": bench.project.root(), "mcpServers": [] });

    let forked = client.request("session/fork", of(&session)).await.expect("it can be forked");
    let fork = forked["sessionId"].as_str().unwrap().to_owned();
    assert_ne!(fork, session);
    client.request("session/close", json!({ "sessionId": session })).await.expect("it can be closed");
    let closed =
        client.request("session/prompt", json!({ "sessionId": session, "prompt": [text_block("x")] })).await;
    let closed = closed.unwrap_err();
    assert_eq!((&closed["code"], &closed["data"]["kind"]), (&json!(-32002), &json!("not_found")), "{closed}");
    client.clear_updates();
    client.request("session/resume", of(&session)).await.expect("it can be resumed");
    assert_eq!(client.text(&session, "agent_message_chunk"), "", "nothing is told again");
    bench.model.reply(Reply::new().text("again"));
    client.prompt(&session, "more").await;
    assert_eq!(client.text(&session, "agent_message_chunk"), "again");

    client.request("session/delete", json!({ "sessionId": session })).await.expect("it can be deleted");
    let listed = client.request("session/list", json!({})).await.unwrap();
    let ids: Vec<&Value> =
        listed["sessions"].as_array().unwrap().iter().map(|one| &one["sessionId"]).collect();
    assert_eq!(ids, [&json!(fork)]);
    let gone = client.request("session/load", of(&session)).await.unwrap_err();
    assert_eq!(gone["data"]["kind"], "not_found");
    client.assert_understood();
}

#[tokio::test]
async fn a_session_belongs_to_its_folder_and_to_one_process() {
    let Some(bench) = Bench::new().await else { return };
    std::fs::create_dir_all(bench.project.path("below")).unwrap();
    let (client, session) = bench.begin().await;
    bench.model.reply(Reply::new().text("hello"));
    client.prompt(&session, "hi").await;
    let other = bench.plain().await;
    let load = |cwd: std::path::PathBuf| json!({ "sessionId": session, "cwd": cwd, "mcpServers": [] });
    let held = other.request("session/load", load(bench.project.root())).await.unwrap_err();
    assert_eq!(held["data"]["kind"], "busy", "{held}");
    client.kill().await;
    let wrong = other.request("session/load", load(bench.project.path("below"))).await.unwrap_err();
    let root = bench.project.root().display().to_string();
    assert!(wrong["message"].as_str().unwrap().contains(&root), "it names the folder: {wrong}");
    other.request("session/load", load(bench.project.root())).await.expect("its own folder will do");
    for cwd in ["relative", "/nowhere/at/all"] {
        let refused =
            other.request("session/new", json!({ "cwd": cwd, "mcpServers": [] })).await.unwrap_err();
        assert!(refused["message"].as_str().unwrap().contains(cwd), "{refused}");
    }
}

/// I25, and nothing that a tool started is left behind.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_end_of_the_input_ends_the_agent_with_all_it_started() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    client.permit("allow_once");
    bench.model.reply(Reply::new().call("bash", json!({ "command": "sleep 1000 & sleep 1000" })));
    let _running = client.send_prompt(&session, json!([text_block("wait")])).await;
    eventually("the command runs", || {
        processes_below(&bench.project.root()).iter().any(|command| command.starts_with("sleep"))
    })
    .await;
    let closed = Instant::now();
    client.close_input().await;
    assert_eq!(client.exit().await["code"], 0);
    assert!(closed.elapsed() < Duration::from_secs(30), "it does not wait for the tool");
    eventually("nothing is left", || processes_below(&bench.project.root()).is_empty()).await;
}
