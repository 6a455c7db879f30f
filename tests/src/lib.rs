//! What the black-box tests share: starting a server for a project and a model, and looking at a review.

use std::path::PathBuf;

use kit_testkit::cache::{Installed, install};
use kit_testkit::{Answer, LanguageClient, Launch, ModelServer, Project, Reply, Wire};
use serde_json::{Value, json};

/// A server in `edit` mode, on the messages wire, with every client capability.
pub async fn start(project: &Project, model: &ModelServer) -> LanguageClient {
    launch(project, model).start().await
}

/// The same, not yet started.
pub fn launch(project: &Project, model: &ModelServer) -> Launch {
    Launch::new(project).model(model, Wire::Messages).setting("mode", json!("edit"))
}

/// Answers every permission with the first option of this kind.
pub fn permit(client: &LanguageClient, kind: &'static str) {
    client.behave(|behavior| {
        behavior.permission = Box::new(move |params| Answer::option_of_kind(params, kind))
    });
}

/// Scripts a turn of one tool call and the answer "done", and runs it.
pub async fn run_call(client: &LanguageClient, model: &ModelServer, call: Reply) -> kit_testkit::TurnReport {
    model.reply(call);
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    assert_eq!(report.stop_reason(), "end_turn", "{:?}", report.end());
    report
}

/// The hunks of one file in a `kit/review` shape.
pub fn hunks(review: &Value, uri: &str) -> Vec<Value> {
    let files = review["files"].as_array().cloned().unwrap_or_default();
    let file = files.into_iter().find(|file| file["uri"] == uri);
    file.and_then(|file| file["hunks"].as_array().cloned()).unwrap_or_default()
}

/// `(kind, old text, new text)` of each hunk of one file, as the server lists them now.
pub async fn changes(client: &LanguageClient, uri: &str) -> Vec<(String, String, String)> {
    let review = review(client).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let change = |hunk: &Value| (text(&hunk["kind"]), text(&hunk["oldText"]), text(&hunk["newText"]));
    hunks(&review, uri).iter().map(change).collect()
}

/// The whole review as the server lists it now.
pub async fn review(client: &LanguageClient) -> Value {
    client.command("kit.review.list", json!({})).await.expect("the review can be listed")
}

/// The ids of the hunks of one file.
pub async fn hunk_ids(client: &LanguageClient, uri: &str) -> Vec<String> {
    let review = review(client).await;
    hunks(&review, uri).iter().map(|hunk| hunk["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Keeps or undoes and expects that nothing is in the way.
pub async fn decide(client: &LanguageClient, command: &str, argument: Value) -> Vec<Value> {
    let answer = client.command(command, argument).await.expect("the review step is accepted");
    assert_eq!(answer["conflicts"].as_array().map_or(0, Vec::len), 0, "no conflicts: {answer}");
    answer["applied"].as_array().cloned().unwrap_or_default()
}

/// The program that an installer of `tests/scripts` brings, or `None` with a loud word where it supports no such system.
pub fn editor_or_skip(script: &str) -> Option<PathBuf> {
    match install(script) {
        Installed::At(path) => Some(path),
        Installed::Unsupported(why) => {
            eprintln!("SKIPPED: {script}: {why}");
            None
        }
    }
}
