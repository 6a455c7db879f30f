//! MCP servers that the client passes with a session.

use std::path::Path;

use e2e::editor_or_skip;
use kit_testkit::{AcpClient, Reply, nasty_mcp};
use serde_json::{Value, json};

use super::{Bench, about};

/// A session with one MCP server of the test machine.
async fn session(client: &AcpClient, cwd: &Path, server: Value) -> String {
    let made = client.request("session/new", json!({ "cwd": cwd, "mcpServers": [server] })).await;
    made.expect("a session can be made")["sessionId"].as_str().expect("it has an id").to_owned()
}

/// The text of a result as the model was sent it.
async fn called(bench: &Bench, client: &AcpClient, session: &str, tool: &str, arguments: Value) -> String {
    let nth = bench.model.requests().len();
    bench.model.reply(Reply::new().call(tool, arguments));
    bench.model.reply(Reply::new().text("done"));
    assert_eq!(client.prompt(session, "go").await, "end_turn");
    bench.model.request(nth + 1).await.last_result().to_owned()
}

#[tokio::test]
async fn a_server_of_the_client_is_used_and_its_images_are_shown() {
    let (Some(bench), Some(bin)) = (Bench::new().await, editor_or_skip("mcp")) else { return };
    let client = bench.plain().await;
    client.permit("allow_once");
    let server = json!({ "name": "everything", "command": bin.join("everything"), "args": [], "env": [] });
    let session = session(&client, &bench.project.root(), server).await;
    let echo =
        called(&bench, &client, &session, "mcp__everything__echo", json!({ "message": "hello" })).await;
    assert_eq!(echo, "Echo: hello");
    let image = called(&bench, &client, &session, "mcp__everything__get-tiny-image", json!({})).await;
    assert!(image.contains("[image, attached 1: image/png, "), "{image}");
    let updates = about(&client, &session, "Tiny Image");
    let content = updates.iter().rev().find_map(|update| update["content"].as_array()).expect("content");
    let shown = content.iter().find(|piece| piece["content"]["type"] == "image").expect("the image");
    assert_eq!(shown["content"]["mimeType"], "image/png");
    let sent = bench.model.request(3).await.body.to_string();
    assert!(
        sent.contains(shown["content"]["data"].as_str().expect("data")),
        "the model and the client see the same"
    );
    client.assert_understood();
}

#[tokio::test]
async fn a_server_that_cannot_be_started_is_told_and_the_prompt_is_answered() {
    let Some(bench) = Bench::new().await else { return };
    let client = bench.plain().await;
    let server = json!({ "name": "gone", "command": "no-such-program", "args": [], "env": [] });
    let session = session(&client, &bench.project.root(), server).await;
    bench.model.reply(Reply::new().text("without it"));
    assert_eq!(client.prompt(&session, "go").await, "end_turn");
    let told = json!(client.updates(&session)).to_string();
    assert!(
        told.contains("the MCP server gone cannot be used: there is no program `no-such-program`"),
        "{told}"
    );
    client.assert_understood();
}

#[tokio::test]
async fn values_that_the_client_passes_are_taken_literally() {
    let Some(bench) = Bench::new().await else { return };
    let client = bench.plain().await;
    client.permit("allow_once");
    let (note, marker) = (bench.project.path("note"), bench.project.path("ran"));
    let described = nasty_mcp("well", Some(&note));
    let words = described["command"].as_array().expect("words");
    let (command, args) = words.split_first().expect("a program");
    let value = format!("cmd:touch {}", marker.display());
    let env = json!([{ "name": "NASTY_A", "value": "${HOME}" }, { "name": "NASTY_B", "value": value }]);
    let server = json!({ "name": "plain", "command": command, "args": args, "env": env });
    let session = session(&client, &bench.project.root(), server).await;
    assert_eq!(called(&bench, &client, &session, "mcp__plain__echo", json!({ "text": "hi" })).await, "hi");
    let noted = std::fs::read_to_string(&note).expect("the notes");
    let lines: Vec<&str> = noted.lines().collect();
    assert_eq!(lines[1..3], ["NASTY_A=${HOME}".to_owned(), format!("NASTY_B={value}")]);
    assert!(!marker.exists(), "no command runs");
    client.assert_understood();
}
