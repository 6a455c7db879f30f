//! Compaction: on overflow, on command and by itself; what the model gets afterwards, and what stays in the session.

use e2e::{launch, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Recorded, Reply, TokenCount};
use serde_json::{Value, json};

const SUMMARY: &str = "## Goal\nFind the blue door.";

fn said(request: &Recorded) -> String {
    format!("{:?}", request.items)
}

/// Runs turns whose prompts and answers are `prompt N` and `answer N`, and returns the session.
async fn turns(client: &LanguageClient, model: &ModelServer, numbers: std::ops::Range<u32>) -> String {
    let mut session = String::new();
    for number in numbers {
        model.reply(Reply::new().text(&format!("answer {number}")));
        let report = client.run(&format!("prompt {number}")).await;
        assert_eq!(report.response(), format!("answer {number}"));
        session = report.end()["session"].as_str().unwrap_or_default().to_owned();
    }
    session
}

/// What a request says of the numbered turns, and whether it has the summary.
fn seen(request: &Recorded) -> (Vec<String>, bool) {
    let said = said(request);
    let all = (1..=9).flat_map(|number| [format!("prompt {number}"), format!("answer {number}")]);
    (all.filter(|text| said.contains(text.as_str())).collect(), said.contains("Find the blue door"))
}

fn texts(wanted: &[&str]) -> Vec<String> {
    wanted.iter().map(|text| (*text).to_owned()).collect()
}

async fn tree(client: &LanguageClient, session: &str) -> Vec<Value> {
    let tree = client.command("kit.session.tree", json!({ "session": session })).await.expect("a tree");
    tree["nodes"].as_array().cloned().unwrap_or_default()
}

/// The entry of the message with this text.
async fn entry(client: &LanguageClient, session: &str, text: &str) -> String {
    let nodes = tree(client, session).await;
    let node = nodes.iter().find(|node| node["type"] == "message" && node["text"] == text);
    let node = node.unwrap_or_else(|| panic!("no {text} in {nodes:#?}"));
    node["id"].as_str().unwrap_or_default().to_owned()
}

/// Statement 9.
#[tokio::test]
async fn an_overflow_leads_to_one_compaction_and_one_replay() {
    let project = Project::new().file("a.txt", "the key is under the mat\n".repeat(300));
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    turns(&client, &model, 1..2).await;
    let large = TokenCount { input: 9_000, output: 10, ..TokenCount::default() };
    model.reply(Reply::new().text("answer 2").tokens(large));
    client.run("prompt 2").await;
    model.reply(Reply::context_overflow());
    model.reply(Reply::new().text(SUMMARY));
    model.reply(Reply::new().text("answer 3"));
    let report = client.run("prompt 3").await;
    assert_eq!((report.stop_reason(), report.response()), ("end_turn", "answer 3"));
    let compaction = report.only("compaction");
    assert_eq!(compaction["readFiles"], json!(["a.txt"]));
    assert!(compaction["originalTokens"].as_u64() > compaction["compactedTokens"].as_u64(), "{compaction}");
    assert!(compaction["summary"].as_str().is_some_and(|text| text.starts_with(SUMMARY)), "{compaction}");
    // The summary was paid for, so it counts.
    assert_eq!(report.end()["llmCallCount"], 2);
    assert_eq!(report.all("step_usage").len(), 2);

    let summary = model.request(4).await;
    assert!(said(&summary).contains("the key is under the mat"), "results of tools reach the summary");
    assert_eq!(summary.tools(), Vec::<&str>::new());
    let replay = model.request(5).await;
    assert_eq!(seen(&replay), (texts(&["prompt 3"]), true));
    client.close().await;
}

/// Statement 9: the second overflow is an error that names the cause, and the session goes on.
#[tokio::test]
async fn a_second_overflow_is_an_error_and_the_session_stays_usable() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    turns(&client, &model, 1..3).await;
    model.reply(Reply::context_overflow());
    model.reply(Reply::new().text(SUMMARY));
    model.reply(Reply::context_overflow());
    let report = client.run("prompt 3").await;
    assert_eq!(report.stop_reason(), "error");
    let error = report.only("error");
    assert_eq!(error["kind"], "context_overflow");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("compacting it did not help") && message.contains("start a new session"),
        "{message}"
    );
    model.reply(Reply::new().text("answer 4"));
    assert_eq!(client.run("prompt 4").await.response(), "answer 4");
    assert_eq!(seen(&model.request(5).await), (texts(&["prompt 3", "prompt 4"]), true));
    client.close().await;
}

#[tokio::test]
async fn a_first_prompt_that_overflows_has_nothing_to_compact() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::context_overflow());
    let report = client.run("prompt 1").await;
    assert_eq!(report.only("error")["kind"], "context_overflow");
    assert_eq!(model.requests().len(), 1);
    client.close().await;
}

/// Statement 35.
#[tokio::test]
async fn kept_turns_survive_a_restart_and_a_fork_and_abandoned_branches_are_not_sent() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let setting = json!({ "keepTokens": 5 });
    let client = launch(&project, &model).setting("compaction", setting.clone()).start().await;
    let session = turns(&client, &model, 1..3).await;
    let back = entry(&client, &session, "answer 1").await;
    client
        .command("kit.session.branch", json!({ "session": session, "entry": back }))
        .await
        .expect("branched");
    turns(&client, &model, 3..6).await;
    model.reply(Reply::new().text(SUMMARY));
    let argument = json!({ "session": session, "focus": "doors" });
    client.command("kit.session.compact", argument).await.expect("a compaction begins");
    let done = client.event(|event| event["type"] == "compaction").await;
    assert_eq!(done["turn"], Value::Null);
    let request = model.request(5).await;
    assert_eq!(seen(&request).0, texts(&["prompt 1", "answer 1", "prompt 3", "answer 3", "prompt 4"]));
    assert!(said(&request).contains("above all: doors"));
    let kept = ["answer 4", "prompt 5", "answer 5"];
    turns(&client, &model, 6..7).await;
    assert_eq!(seen(&model.request(6).await), (texts(&[&kept[..], &["prompt 6"]].concat()), true));
    // The tree stays in one piece: everything is still there.
    let nodes = tree(&client, &session).await;
    let roots = nodes.iter().filter(|node| node["parent"] == Value::Null).count();
    assert_eq!((roots, nodes.iter().filter(|node| node["role"] == "user").count()), (1, 6));
    client.close().await;

    let client = launch(&project, &model).setting("compaction", setting).start().await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("opened");
    turns(&client, &model, 7..8).await;
    let after = [&kept[..], &["prompt 6", "answer 6", "prompt 7"]].concat();
    assert_eq!(seen(&model.request(7).await), (texts(&after), true));
    client.command("kit.session.fork", json!({ "session": session })).await.expect("forked");
    turns(&client, &model, 8..9).await;
    let after = [&after[..], &["answer 7", "prompt 8"]].concat();
    assert_eq!(seen(&model.request(8).await), (texts(&after), true));
    client.close().await;
}

#[tokio::test]
async fn a_context_that_is_nearly_full_is_compacted_before_the_next_call() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).setting("compaction", json!({ "keepTokens": 2 })).start().await;
    turns(&client, &model, 1..2).await;
    let full = TokenCount { input: 190_000, output: 10, ..TokenCount::default() };
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })).tokens(full));
    model.reply(Reply::new().text(SUMMARY));
    model.reply(Reply::new().text("answer 2"));
    let report = client.run("prompt 2").await;
    assert_eq!(report.response(), "answer 2");
    assert_eq!(report.all("compaction").len(), 1);
    let request = model.request(3).await;
    assert_eq!(seen(&request), (Vec::new(), true));
    assert_eq!(request.results().len(), 1, "the call keeps its result");
    let summary = model.request(2).await;
    assert!(said(&summary).contains("<current-turn>"), "the cut goes through the turn: {}", said(&summary));
    client.close().await;
}

#[tokio::test]
async fn a_full_context_is_left_alone_when_that_is_switched_off() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let settings = launch(&project, &model).setting("compaction", json!({ "keepTokens": 2 }));
    let client = settings.setting("auto-compact", json!(false)).start().await;
    let full = TokenCount { input: 190_000, output: 10, ..TokenCount::default() };
    turns(&client, &model, 1..2).await;
    model.reply(Reply::new().text("answer 2").tokens(full));
    client.run("prompt 2").await;
    turns(&client, &model, 3..4).await;
    assert_eq!(model.requests().len(), 3);
    client.close().await;
}

#[tokio::test]
async fn a_failing_summary_leaves_the_session_as_it_was_and_prompts_wait_for_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let session = turns(&client, &model, 1..3).await;
    model.reply(Reply::status(401).body("invalid key"));
    client.command("kit.session.compact", json!({ "session": session })).await.expect("it begins");
    model.reply(Reply::new().text("answer 3"));
    let waiting = client.prompt_in(&session, "prompt 3").await;
    let error = client.event(|event| event["type"] == "error").await;
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the conversation was not compacted: "), "{message}");
    assert_eq!(client.finish(&waiting).await.response(), "answer 3");
    let all = texts(&["prompt 1", "answer 1", "prompt 2", "answer 2", "prompt 3"]);
    assert_eq!(seen(&model.request(3).await), (all, false));
    let again = client.command("kit.session.compact", json!({ "session": "unknown" })).await.unwrap_err();
    assert_eq!(again.kind(), "not_found");
    client.close().await;
}

#[tokio::test]
async fn a_compaction_can_be_cancelled() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let session = turns(&client, &model, 1..3).await;
    model.reply(Reply::new().text("half a summary").stall());
    client.command("kit.session.compact", json!({ "session": session })).await.expect("it begins");
    model.request(2).await;
    let refused = client.command("kit.session.compact", json!({ "session": session })).await.unwrap_err();
    assert_eq!(refused.kind(), "busy");
    client.latest("kit/status", |status| status["label"] == "compacting the conversation").await;
    client.command("kit.session.cancel", json!({ "session": session })).await.expect("cancelled");
    client.event(|event| event["type"] == "notice").await;
    turns(&client, &model, 3..4).await;
    let all = texts(&["prompt 1", "answer 1", "prompt 2", "answer 2", "prompt 3"]);
    assert_eq!(seen(&model.request(3).await), (all, false));
    client.close().await;
}

#[tokio::test]
async fn an_image_is_replaced_by_a_note_after_an_overflow() {
    let project = Project::new().file("a.png", b"\x89PNG\r\n\x1a\n0000");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    turns(&client, &model, 1..2).await;
    model.reply(Reply::context_overflow());
    model.reply(Reply::new().text(SUMMARY));
    model.reply(Reply::new().text("answer 2"));
    let argument = json!({ "text": "prompt 2", "attachments": [project.uri("a.png")] });
    let turn = client.prompt_with(argument).await;
    assert_eq!(client.finish(&turn).await.response(), "answer 2");
    let note = "[attachment \\\"image/png\\\" removed after context overflow]";
    let request = model.request(3).await;
    assert!(request.body.to_string().contains(note), "{}", request.body);
    turns(&client, &model, 3..4).await;
    assert!(model.request(4).await.body.to_string().contains(note), "the note stays");
    client.close().await;
}

#[tokio::test]
async fn a_branch_that_is_left_is_summarized_for_the_next_one() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let session = turns(&client, &model, 1..3).await;
    let back = entry(&client, &session, "answer 1").await;
    model.reply(Reply::new().text("The second door was locked."));
    let argument = json!({ "session": session, "entry": back, "summarize": true });
    client.command("kit.session.branch", argument).await.expect("branched");
    turns(&client, &model, 3..4).await;
    let summary = model.request(2).await;
    assert_eq!(seen(&summary).0, texts(&["prompt 2", "answer 2"]));
    let request = model.request(3).await;
    assert_eq!(seen(&request).0, texts(&["prompt 1", "answer 1", "prompt 3"]));
    assert!(said(&request).contains("[Branch context: The second door was locked.]"), "{}", said(&request));
    let nodes = tree(&client, &session).await;
    assert!(
        nodes.iter().any(|node| node["type"] == "branch_summary" && node["current"] == true),
        "{nodes:#?}"
    );
    client.close().await;
}
