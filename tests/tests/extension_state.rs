//! The state that extensions keep beside a session: it goes where its session goes, and nowhere else.

use std::path::PathBuf;

use e2e::{run_call, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Reply};
use serde_json::{Value, json};

use crate::extension_scene::{listed, live, project};

const KEEP: &str = r#"
export default function (kit) {
  kit.onSessionStart((event, ctx) => ctx.print(`start ${event.reason} ${ctx.getState("count") ?? "nothing"}`));
  kit.registerCommand({ name: "get", description: "get", execute: (_, ctx) => ctx.getState("count") ?? "nothing" });
  kit.registerCommand({ name: "set", description: "set", execute: (args, ctx) => ctx.setState("count", args) });
  kit.registerTool({ name: "keep", description: "keep", execute: async (_, ctx) => { await ctx.setState("count", String(Number(ctx.getState("count") ?? 0) + 1)); return ctx.getState("count"); } });
}
"#;

async fn started() -> (Project, ModelServer, LanguageClient) {
    let project = project(&[("keep.js", KEEP)]);
    let (model, client) = live(&project).await;
    (project, model, client)
}

async fn get(client: &LanguageClient, session: &Value) -> Value {
    let argument = json!({ "name": "get", "session": session });
    client.command("kit.command.run", argument).await.expect("the command runs")["output"].clone()
}

async fn set(client: &LanguageClient, session: &Value, value: &str) {
    let argument = json!({ "name": "set", "args": value, "session": session });
    client.command("kit.command.run", argument).await.expect("the command runs");
}

/// What is on disk beside a session's file.
fn stored(path: &Value) -> Value {
    let file = PathBuf::from(path.as_str().expect("a path")).with_extension("ext-state.json");
    let text = std::fs::read_to_string(file).expect("the state's file");
    serde_json::from_str(&text).expect("JSON")
}

/// Statement 31.
#[tokio::test]
async fn a_fork_begins_with_the_state_of_its_original_and_goes_its_own_way() {
    let (_project, model, client) = started().await;
    let report = run_call(&client, &model, Reply::new().call("keep", json!({}))).await;
    let original = report.end()["session"].clone();
    let fork = client.command("kit.session.fork", json!({ "session": original })).await.expect("a fork");
    assert_eq!(get(&client, &fork["session"]).await, "1");
    set(&client, &fork["session"], "7").await;
    assert_eq!(
        (get(&client, &original).await, get(&client, &fork["session"]).await),
        (json!("1"), json!("7"))
    );
    assert_eq!(stored(&fork["path"]), json!({ "keep:count": "7" }));
    let fresh = client.command("kit.session.new", json!({})).await.expect("a session");
    assert_eq!(get(&client, &fresh["session"]).await, "nothing");
    client.command("kit.session.open", json!({ "session": original })).await.expect("it opens");
    assert_eq!(get(&client, &original).await, "1");
    client.close().await;
}

/// Statement 32: what was set is on disk when the extension goes on.
#[tokio::test]
async fn a_value_that_was_set_survives_a_kill_and_a_reload() {
    let (project, model, client) = started().await;
    let report = run_call(&client, &model, Reply::new().call("keep", json!({}))).await;
    let session = report.end()["session"].clone();
    for value in 0..20 {
        set(&client, &session, &value.to_string()).await;
    }
    client.command("kit.extension.reload", json!({})).await.expect("a reload");
    assert_eq!(get(&client, &session).await, "19");
    set(&client, &session, "last").await;
    let before = model.requests().len();
    model.reply(Reply::new().text("well"));
    client.run("how are you?").await;
    let sent = model.request(before).await.body.to_string();
    assert!(!sent.contains("keep:count") && !sent.contains("\"last\""), "no model reads state: {sent}");
    client.kill().await;
    let client = start(&project, &model).await;
    listed(&client, |list| list.len() == 1).await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("it opens");
    client.notification("kit/ui", |update| update["text"] == "start start last").await;
    assert_eq!(get(&client, &session).await, "last");
    client.close().await;
}

#[tokio::test]
async fn exports_and_imports_bring_the_state_and_a_delete_leaves_nothing() {
    let (project, model, client) = started().await;
    let report = run_call(&client, &model, Reply::new().call("keep", json!({}))).await;
    let session = report.end()["session"].clone();
    let exported = project.path("shared/one.jsonl");
    let argument = json!({ "session": session, "path": exported });
    client.command("kit.session.export", argument).await.expect("an export");
    assert_eq!(stored(&json!(exported)), json!({ "keep:count": "1" }));
    let imported =
        client.command("kit.session.import", json!({ "path": exported })).await.expect("an import");
    assert_eq!(get(&client, &imported["session"]).await, "1");
    let file = PathBuf::from(imported["path"].as_str().expect("a path"));
    set(&client, &imported["session"], "2").await;
    client.command("kit.session.delete", json!({ "session": imported["session"] })).await.expect("a delete");
    let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
    let folder = file.parent().expect("a folder");
    let left: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&stem))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    client.close().await;
}

/// Statement 32: a damaged file is told, kept, and replaced by the next value that is set.
#[tokio::test]
async fn a_damaged_state_is_told_and_stays_until_something_is_set() {
    let (project, model, client) = started().await;
    let report = run_call(&client, &model, Reply::new().call("keep", json!({}))).await;
    let session = report.end()["session"].clone();
    client.close().await;
    let state = project.session_files()[0].with_extension("ext-state.json");
    std::fs::write(&state, "{ torn").expect("it is written");
    let client = start(&project, &model).await;
    listed(&client, |list| list.len() == 1).await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("it opens");
    let uri = kit_testkit::file_uri(&state);
    client
        .latest("textDocument/publishDiagnostics", |params| {
            params["uri"] == uri.as_str() && params["diagnostics"].to_string().contains("cannot be read")
        })
        .await;
    assert_eq!(get(&client, &session).await, "nothing");
    assert_eq!(std::fs::read_to_string(&state).expect("the file"), "{ torn");
    set(&client, &session, "5").await;
    assert_eq!(
        serde_json::from_str::<Value>(&std::fs::read_to_string(&state).expect("the file")).expect("JSON"),
        json!({ "keep:count": "5" })
    );
    client.close().await;
}
