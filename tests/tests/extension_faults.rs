//! Compiled extensions that run away, crash and flood: what they did ends, is told once, and nobody else notices.

use e2e::run_call;
use kit_testkit::{LanguageClient, ModelServer, Project, Reply, eventually};
use serde_json::{Value, json};

use crate::extension_scene::{component, listed, live, project};

const OTHER: &str = r#"
export default function (kit) {
  let calls = 0;
  kit.onToolCall(() => { calls += 1; });
  kit.registerTool({ name: "calls", description: "calls", execute: () => String(calls) });
}
"#;

/// A project with the component of faults under a name, and another extension.
fn faulty(name: &str) -> Option<Project> {
    let project = project(&[("other.js", OTHER)]).file("a.txt", "alpha\n");
    let component = std::fs::read(component("faults")?).expect("the component");
    project.write(&format!(".kit/extensions/{name}.wasm"), component);
    Some(project)
}

/// What is wrong with a file of extensions, as editors are told.
fn marks(client: &LanguageClient, uri: &str) -> Vec<String> {
    let told = client.notifications("textDocument/publishDiagnostics");
    let marks = told.iter().filter(|told| told["uri"] == uri).flat_map(|told| told["diagnostics"].as_array());
    marks.flatten().map(|mark| mark["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// In one turn a tool of the component does wrong, and then the other extension is asked. What is said is one of these.
async fn ends_alone(fault: &str, says: &[&str]) {
    let says = |text: &str| says.iter().any(|said| text.contains(said));
    let Some(project) = faulty("faults") else { return };
    let (model, client) = live(&project).await;
    model.reply(Reply::new().call(fault, json!({})));
    model.reply(Reply::new().call("calls", json!({})));
    model.reply(Reply::new().call("say", json!({})));
    model.reply(Reply::new().text("That went on."));
    let report = client.run("go").await;
    assert_eq!((report.stop_reason(), report.response()), ("end_turn", "That went on."));
    let results = report.tool_results();
    assert!(results[0].2 && says(results[0].1), "{:?}", results[0]);
    assert_eq!((results[1].1, results[1].2), ("2", false), "the other extension saw both calls");
    assert_eq!((results[2].1, results[2].2), ("still here", false), "the extension itself goes on");
    let uri = project.uri(".kit/extensions/faults.wasm");
    eventually("it is told", || marks(&client, &uri).iter().any(|mark| says(mark))).await;
    let marks = marks(&client, &uri);
    assert_eq!(marks.iter().filter(|mark| says(mark)).count(), 1, "once: {marks:?}");
    client.close().await;
}

/// Statement 26.
#[tokio::test]
async fn an_endless_loop_in_a_component_ends_its_call_alone() {
    ends_alone("spin", &["it computed for 2000 ms without waiting for anything"]).await;
}

#[tokio::test]
async fn an_endless_loop_of_calls_of_the_host_ends_its_call_alone() {
    ends_alone("spin_calls", &["it computed for 2000 ms without waiting for anything"]).await;
}

#[tokio::test]
async fn memory_without_bound_in_a_component_ends_its_call_alone() {
    ends_alone("bomb", &["it aborted, after a panic or for want of memory"]).await;
}

#[tokio::test]
async fn recursion_without_end_in_a_component_ends_its_call_alone() {
    ends_alone(
        "deep",
        &["its stack overflowed", "it reached outside of its memory, as a stack without bound does"],
    )
    .await;
}

#[tokio::test]
async fn a_panic_in_a_component_ends_its_call_alone() {
    ends_alone("trap", &["it aborted, after a panic or for want of memory"]).await;
}

#[tokio::test]
async fn a_flood_of_calls_of_the_host_is_refused_and_ends_its_call_alone() {
    // A slow machine ends it for its computing first.
    let limits = [
        "more than 10000 calls of the host in a second",
        "it computed for 2000 ms without waiting for anything",
    ];
    ends_alone("flood_calls", &limits).await;
}

#[tokio::test]
async fn a_flood_of_output_is_refused_and_ends_its_call_alone() {
    ends_alone("flood_output", &["more than 200 things to show in a second"]).await;
}

async fn read(client: &LanguageClient, model: &ModelServer, path: &str) -> (String, bool) {
    let report = run_call(client, model, Reply::new().call("read", json!({ "path": path }))).await;
    let (result, failed) = report.tool_result();
    (result.to_owned(), failed)
}

#[tokio::test]
async fn a_handler_in_a_component_that_runs_away_or_crashes_is_passed_over() {
    let Some(project) = faulty("faults") else { return };
    let project = project.file("spin.fault", "the text of spin\n").file("trap.fault", "the text of trap\n");
    let (model, client) = live(&project).await;
    for fault in ["spin", "trap"] {
        let (result, failed) = read(&client, &model, &format!("{fault}.fault")).await;
        assert!(!failed && result.contains(&format!("the text of {fault}")), "{result}");
    }
    client.close().await;
}

#[tokio::test]
async fn a_gate_in_a_component_that_runs_away_or_crashes_blocks() {
    let Some(project) = faulty("gate") else { return };
    let project = project.file("spin.fault", "secret\n").file("trap.fault", "secret\n");
    let (model, client) = live(&project).await;
    for fault in ["spin", "trap"] {
        let (result, failed) = read(&client, &model, &format!("{fault}.fault")).await;
        assert!(failed && result.contains("the extension gate could not decide"), "{result}");
        assert!(!result.contains("secret"));
    }
    assert!(!read(&client, &model, "a.txt").await.1, "it decides again about the next call");
    client.close().await;
}

/// A component with another content that does the same: a section of its own that nobody reads is at its end.
fn changed(component: &[u8]) -> Vec<u8> {
    let mut changed = component.to_vec();
    changed.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    changed
}

#[tokio::test]
async fn three_crashes_in_a_minute_disable_an_extension_until_its_file_changes() {
    let Some(project) = faulty("faults") else { return };
    let (model, client) = live(&project).await;
    for _ in 0..3 {
        let report = run_call(&client, &model, Reply::new().call("trap", json!({}))).await;
        assert!(report.tool_result().1);
    }
    let disabled =
        |list: &[Value]| list.iter().any(|one| one["name"] == "faults" && one["state"] == "disabled");
    let list = listed(&client, disabled).await;
    let faults = list.iter().find(|one| one["name"] == "faults").expect("it is listed");
    let error = faults["error"].as_str().unwrap_or_default();
    assert!(error.contains("it is disabled until its file changes"), "{error}");
    client.notification("kit/ui", |update| update["text"] == "faults is disabled").await;
    let uri = project.uri(".kit/extensions/faults.wasm");
    eventually("the file says so", || {
        marks(&client, &uri).last().is_some_and(|mark| mark.contains("it is disabled until its file changes"))
    })
    .await;
    model.reply(Reply::new().text("Without it."));
    let report = client.run("go").await;
    assert_eq!(report.response(), "Without it.");
    let request = model.requests().pop().expect("a request");
    assert!(
        !request.tools().contains(&"trap") && request.tools().contains(&"calls"),
        "{:?}",
        request.tools()
    );

    project.write(".kit/extensions/faults.wasm", changed(&project.bytes(".kit/extensions/faults.wasm")));
    listed(&client, |list| list.iter().any(|one| one["name"] == "faults" && one["state"] == "running")).await;
    let report = run_call(&client, &model, Reply::new().call("say", json!({}))).await;
    assert_eq!(report.tool_result(), ("still here", false));
    client.notification("kit/ui", |update| update["id"] == "disabled" && update["op"] == "remove").await;
    client.close().await;
}

/// Statement 27.
#[tokio::test]
async fn a_component_reaches_nothing_that_was_not_granted() {
    let Some(project) = faulty("faults") else { return };
    let project = project.file("secret.txt", "secret\n");
    let (model, client) = live(&project).await;
    for tool in ["read_file", "send", "variable", "start"] {
        let report = run_call(&client, &model, Reply::new().call(tool, json!({}))).await;
        let (result, failed) = report.tool_result();
        assert!(failed && result.contains("was not granted"), "{tool}: {result}");
    }
    assert!(!project.exists("made"));
    client.close().await;
}
