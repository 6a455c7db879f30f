//! MCP servers that do everything wrong: each fails its own calls with a sentence, and the turn goes on.

use std::path::Path;

use e2e::{launch, permit, run_call};
use kit_testkit::{
    Gate, LanguageClient, ModelServer, Project, Reply, eventually, nasty_mcp, processes_below,
};
use serde_json::{Value, json};

use crate::mcp::{in_state, tool_names};

/// A client whose only MCP server has this fault, and the file in which the server notes what it is told.
async fn start(project: &Project, model: &ModelServer, fault: &str, more: Value) -> LanguageClient {
    let mut server = nasty_mcp(fault, Some(&project.path("note")));
    for (key, value) in more.as_object().into_iter().flatten() {
        server[key] = value.clone();
    }
    let client = launch(project, model).setting("mcpServers", json!({ "bad": server })).start().await;
    permit(&client, "allowOnce");
    client
}

fn starts(note: &Path) -> usize {
    std::fs::read_to_string(note).unwrap_or_default().matches("started").count()
}

/// The result of one call to its tool; the turn ends well whatever the result is.
async fn called(client: &LanguageClient, model: &ModelServer) -> (String, bool) {
    let call = Reply::new().call("mcp__bad__echo", json!({ "text": "hello" }));
    let report = run_call(client, model, call).await;
    let (result, failed) = report.tool_result();
    (result.to_owned(), failed)
}

#[tokio::test]
async fn a_server_that_crashes_in_a_call_fails_it_and_comes_back() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "crashes", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let (result, failed) = called(&client, &model).await;
    assert!(failed && result.contains("the MCP server bad ended while it was called"), "{result}");
    assert!(result.contains("segmentation fault of sorts"), "{result}");
    let note = project.path("note");
    eventually("it is started again", || starts(&note) == 2).await;
    in_state(&client, "bad", "ready").await;
    client.close().await;
}

#[tokio::test]
async fn a_server_that_hangs_fails_the_call_in_time_and_is_started_again() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "hangs", json!({ "timeout": 1 })).await;
    in_state(&client, "bad", "ready").await;
    let (result, failed) = called(&client, &model).await;
    assert!(failed && result.contains("was silent for 1 s"), "{result}");
    let note = project.path("note");
    eventually("it is told", || std::fs::read_to_string(&note).unwrap_or_default().contains("cancelled"))
        .await;
    eventually("it is started again", || starts(&note) == 2).await;
    client.close().await;
}

#[tokio::test]
async fn a_server_that_is_only_slow_is_told_of_the_cancel_and_stays() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "slow", json!({})).await;
    in_state(&client, "bad", "ready").await;
    model.reply(Reply::new().call("mcp__bad__echo", json!({ "text": "hello" })));
    let turn = client.prompt("go").await;
    let note = project.path("note");
    let said = |what: &str| std::fs::read_to_string(&note).unwrap_or_default().contains(what);
    eventually("it is called", || said("called {\"text\": \"hello\"}")).await;
    client.command("kit.session.cancel", json!({})).await.expect("a cancel");
    assert_eq!(client.finish(&turn).await.stop_reason(), "cancelled");
    eventually("it is told", || said("cancelled")).await;
    assert_eq!(starts(&note), 1);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_floods_is_cut_off() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "floods", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let (result, failed) = called(&client, &model).await;
    assert!(failed && result.contains("it sends more messages than anybody can need"), "{result}");
    client.close().await;
}

#[tokio::test]
async fn answers_that_are_none_or_too_large_or_errors_are_results_of_their_call() {
    let project = Project::new();
    let model = ModelServer::start().await;
    for (fault, said) in [
        ("garbles", "answered with something that is no result of a tool"),
        ("refuses", "the MCP server bad refused the call: no such thing"),
    ] {
        let client = start(&project, &model, fault, json!({})).await;
        in_state(&client, "bad", "ready").await;
        let (result, failed) = called(&client, &model).await;
        assert!(failed && result.contains(said), "{result}");
        client.close().await;
    }
    let client = start(&project, &model, "large", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let (result, failed) = called(&client, &model).await;
    assert!(!failed && result.len() < 110_000 && result.contains("left out …]"), "{}", result.len());
    client.close().await;
}

#[tokio::test]
async fn tools_that_are_none_are_left_out_and_the_others_stay() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "lies", json!({})).await;
    let info = in_state(&client, "bad", "ready").await;
    assert_eq!(tool_names(&info), ["mcp__bad__echo"]);
    let error = info["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("left out: the tool `text`, whose schema is no object; a tool without a name"),
        "{error}"
    );
    assert_eq!(called(&client, &model).await, ("hello".to_owned(), false));
    client.close().await;

    let client = start(&project, &model, "floods-tools", json!({})).await;
    let info = in_state(&client, "bad", "ready").await;
    assert_eq!(tool_names(&info).len(), 200);
    assert!(info["error"].as_str().unwrap_or_default().contains("`allowedTools`"), "{}", info["error"]);
    client.close().await;

    let client = start(&project, &model, "endless", json!({})).await;
    let info = in_state(&client, "bad", "ready").await;
    assert_eq!(tool_names(&info), ["mcp__bad__echo"]);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_never_answers_holds_up_no_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "mute", json!({ "startTimeout": 1 })).await;
    model.reply(Reply::new().text("done"));
    assert_eq!(client.run("go").await.stop_reason(), "end_turn");
    let info = in_state(&client, "bad", "failed").await;
    let error = info["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("it did not answer within 1 s; `startTimeout` in its settings allows more"),
        "{error}"
    );
    client.close().await;
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why_and_can_be_tried_again() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "dies", json!({})).await;
    let info = in_state(&client, "bad", "failed").await;
    let error = info["error"].as_str().unwrap_or_default();
    assert_eq!(error, "it ended before it answered: no configuration found");
    let note = project.path("note");
    model.reply(Reply::new().text("without it"));
    let report = client.run("go").await;
    let told = "the MCP server bad cannot be used: it ended before it answered: no configuration found";
    assert_eq!(report.only("notice")["message"], told);
    model.reply(Reply::new().text("without it"));
    assert_eq!(client.run("again").await.all("notice"), Vec::<&Value>::new(), "it is said once");
    assert_eq!(starts(&note), 1, "it is not started again by itself");
    client.command("kit.mcp.reconnect", json!({ "name": "bad" })).await.expect("it is tried");
    eventually("it is started again", || starts(&note) == 2).await;
    let doctor = client.command("kit.doctor", json!({})).await.expect("the doctor");
    let checks = doctor["checks"].as_array().cloned().unwrap_or_default();
    assert!(checks.iter().any(|check| check["name"] == "MCP servers"), "{checks:?}");
    let unknown = client.command("kit.mcp.reconnect", json!({ "name": "bed" })).await.expect_err("no server");
    assert_eq!((unknown.kind(), unknown.message.contains("there are bad")), ("not_found", true));
    client.close().await;
}

#[tokio::test]
async fn a_list_that_changes_is_read_again() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "grows", json!({})).await;
    in_state(&client, "bad", "ready").await;
    assert_eq!(called(&client, &model).await, ("hello".to_owned(), false));
    let looking = async {
        while tool_names(&crate::mcp::info(&client, "bad").await).len() != 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(kit_testkit::deadline(), looking).await.expect("a second tool");
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    let requests = model.requests();
    let last = requests.last().expect("a request");
    assert!(last.tools().contains(&"mcp__bad__second"), "{:?}", last.tools());
    client.close().await;
}

#[tokio::test]
async fn a_server_ends_with_everything_that_it_started() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "child", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let folder = project.root();
    assert_eq!(processes_below(&folder).len(), 2, "the server and its child");
    client.close().await;
    eventually("no process is left", || processes_below(&folder).is_empty()).await;
}

#[tokio::test]
async fn values_that_may_be_secrets_are_shown_nowhere() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let script = "import os,sys; sys.stderr.write('bad token ' + os.environ['TOKEN'] + '\\n')";
    let server = json!({
        "command": ["python3", "-c", script],
        "env": { "TOKEN": "cmd: printf planted-token-7" },
    });
    let client = launch(&project, &model).setting("mcpServers", json!({ "bad": server })).start().await;
    let info = in_state(&client, "bad", "failed").await;
    assert_eq!(info["error"], "it ended before it answered: bad token [secret]");
    client.close().await;
    let logs = Project::tree(&project.kit_home());
    let has = |content: &[u8]| String::from_utf8_lossy(content).contains("planted-token-7");
    assert!(logs.iter().all(|(_, content)| !has(content)), "no log has it");
}

#[tokio::test]
async fn a_mention_of_a_stalled_server_holds_up_its_turn_and_not_the_answer() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "stalls", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let asked = std::time::Instant::now();
    let turn = client.prompt("Sum up @mcp:bad:nasty://one").await;
    // The server would be waited for as long as ten seconds.
    assert!(asked.elapsed() < std::time::Duration::from_secs(2), "{:?}", asked.elapsed());
    let note = project.path("note");
    let noted = || std::fs::read_to_string(&note).unwrap_or_default();
    eventually("the resource is read", || noted().contains("read nasty://one")).await;
    client.latest("kit/status", |status| status["label"] == "reading what the prompt mentions").await;
    let text = std::fs::read_to_string(&project.session_files()[0]).expect("the session file");
    assert!(
        text.contains("Sum up @mcp:bad:nasty://one"),
        "the prompt is saved before it is answered: {text}"
    );
    client.command("kit.session.cancel", json!({ "turn": turn.turn })).await.expect("a cancel");
    let report = client.finish(&turn).await;
    assert_eq!(report.stop_reason(), "cancelled");
    assert_eq!(model.requests().len(), 0, "no model is called before the resource is there");
    client.close().await;
}

#[tokio::test]
async fn a_resource_that_cannot_be_had_is_named_and_the_turn_goes_on() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "well", json!({})).await;
    in_state(&client, "bad", "ready").await;
    model.reply(Reply::new().text("done"));
    assert_eq!(client.run("Sum up @mcp:bad:nasty://one").await.stop_reason(), "end_turn");
    let texts = model.request(0).await.user_texts().join("\n");
    assert!(
        texts.contains("<document path=\"mcp:bad:nasty://one\" error=\"the MCP server bad did not give"),
        "{texts}"
    );
    model.reply(Reply::new().text("again"));
    let turn = client.command("kit.session.retry", json!({})).await.expect("a retry");
    client.event(|event| event["type"] == "turn_end" && event["turn"] == turn["turn"]).await;
    let texts = model.request(1).await.user_texts().join("\n");
    assert_eq!(
        texts.matches("did not give the resource").count(),
        1,
        "a repeated prompt reads it again: {texts}"
    );
    let note = std::fs::read_to_string(project.path("note")).expect("the notes");
    assert_eq!(note.matches("read nasty://one").count(), 2, "{note}");
    client.close().await;
}

#[tokio::test]
async fn a_prompt_of_a_stalled_server_holds_up_its_turn_and_not_the_answer() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "stalls", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let note = project.path("note");
    let noted = |what: &str| std::fs::read_to_string(&note).unwrap_or_default().contains(what);
    let asked = std::time::Instant::now();
    let run = json!({ "name": "mcp:bad:shown", "args": "a pixel" });
    let run = client.command("kit.command.run", run).await.expect("a turn");
    // The server would be waited for as long as a minute.
    assert!(asked.elapsed() < std::time::Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(run["queued"], false);
    eventually("the prompt is asked for", || noted("prompt {")).await;
    client.latest("kit/status", |status| status["label"] == "fetching the prompt of an MCP server").await;
    let text = std::fs::read_to_string(&project.session_files()[0]).expect("the session file");
    assert!(text.contains("/mcp:bad:shown a pixel"), "the prompt is saved before it is answered: {text}");
    client.command("kit.session.cancel", json!({ "turn": run["turn"] })).await.expect("a cancel");
    let end = client.event(|event| event["type"] == "turn_end" && event["turn"] == run["turn"]).await;
    assert_eq!(end["stopReason"], "cancelled");
    eventually("the server is told", || noted("cancelled ")).await;
    assert_eq!(model.requests().len(), 0, "no model is called without the prompt");
    client.close().await;
}

#[tokio::test]
async fn a_prompt_that_cannot_be_had_is_the_error_of_its_turn_and_can_be_repeated() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "refuses", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let report = client.run("/mcp:bad:shown a pixel").await;
    let error = report.only("error");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("the MCP server bad did not give the prompt") && message.contains("no such prompt"),
        "{message}"
    );
    assert_eq!(json!([error["kind"], report.stop_reason()]), json!(["unavailable", "error"]));
    assert_eq!(model.requests().len(), 0, "a model could only guess");
    let turn = client.command("kit.session.retry", json!({})).await.expect("a retry");
    client.event(|event| event["type"] == "turn_end" && event["turn"] == turn["turn"]).await;
    let note = std::fs::read_to_string(project.path("note")).expect("the notes");
    assert_eq!(note.matches("prompt {").count(), 2, "a repeated prompt is fetched again: {note}");
    model.reply(Reply::new().text("done"));
    assert_eq!(client.run("go on").await.stop_reason(), "end_turn");
    client.close().await;
}

#[tokio::test]
async fn a_prompt_of_a_server_that_is_not_there_says_so_at_once_or_in_its_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "mute", json!({ "startTimeout": 1 })).await;
    let report = client.run("/mcp:bad:shown a pixel").await;
    let message = report.only("error")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("the MCP server bad cannot be used: it did not answer within 1 s"), "{message}");
    client.close().await;

    let client = start(&project, &model, "well", json!({})).await;
    in_state(&client, "bad", "ready").await;
    for (prompt, kind, said) in [
        ("/mcp:bad:shwn", "not_found", "the MCP server bad has no prompt mcp:bad:shwn; it has mcp:bad:shown"),
        ("/mcp:bad:shown", "invalid_request", "mcp:bad:shown needs the argument `what`"),
    ] {
        let refused = client.command("kit.session.prompt", json!({ "text": prompt })).await;
        let refused = refused.expect_err("it is refused at once");
        assert_eq!((refused.kind(), refused.message.contains(said)), (kind, true), "{}", refused.message);
    }
    let unknown = client.command("kit.command.run", json!({ "name": "mcp:bed:shown" })).await;
    let unknown = unknown.expect_err("no server");
    assert!(unknown.message.contains("you may mean `mcp:bad:shown`"), "{}", unknown.message);
    client.close().await;
}

#[tokio::test]
async fn a_prompt_that_joins_a_turn_is_fetched_in_it_and_ends_no_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "well", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let gate = Gate::new();
    model.reply(Reply::new().text("first").gate(&gate));
    let turn = client.prompt("go").await;
    model.request(0).await;
    let steer = json!({ "text": "/mcp:bad:shown a pixel", "delivery": "steer", "session": turn.session });
    client.command("kit.session.prompt", steer).await.expect("it joins");
    model.reply(Reply::new().text("second"));
    gate.open();
    assert_eq!(client.finish(&turn).await.stop_reason(), "end_turn");
    let texts = model.request(1).await.user_texts().join("\n");
    assert!(texts.contains("The command /mcp:bad:shown stands for this prompt:"), "{texts}");
    client.close().await;
}

/// The texts of the last request's user messages that are about the resource.
fn resource_texts(model: &ModelServer) -> Vec<String> {
    let request = model.requests().pop().expect("a request");
    let texts = request.user_texts().into_iter().filter(|text| text.contains("<resource "));
    texts.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_mentioned_resource_that_changes_is_read_again_once_in_a_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "updates", json!({})).await;
    in_state(&client, "bad", "ready").await;
    model.reply(Reply::new().text("read"));
    client.run("Sum up @mcp:bad:nasty://one").await;
    let note = project.path("note");
    let noted = |what: &str| std::fs::read_to_string(&note).unwrap_or_default().matches(what).count();
    eventually("it is watched", || noted("resources/subscribe nasty://one") == 1).await;
    let first = "<resource name=\"mcp:bad:nasty://one\">\n[resource nasty://one]\nversion 1\n";
    let texts = resource_texts(&model);
    assert!(texts.len() == 1 && texts[0].contains(first), "{texts:?}");

    // Two changes in one turn: the model gets the first of them at its next call, and the last one with the next turn.
    let call = |said: &str| Reply::new().call("mcp__bad__echo", json!({ "text": said }));
    model.reply(call("changed"));
    model.reply(call("changed"));
    model.reply(Reply::new().text("changed"));
    let report = client.run("change it").await;
    let notice = report.only("notice")["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(notice, "@mcp:bad:nasty://one has changed since it was read, so the model got it anew");
    let texts = resource_texts(&model);
    assert!(texts.len() == 2 && texts[1].contains(&changed_resource(2)), "{texts:?}");
    model.reply(Reply::new().text("still there"));
    client.run("and now?").await;
    let texts = resource_texts(&model);
    assert!(texts.len() == 3 && texts[2].contains(&changed_resource(3)), "{texts:?}");

    // It says that it changed and did not, and then no more about it.
    model.reply(call("same"));
    model.reply(Reply::new().text("the same"));
    assert_eq!(client.run("touch it").await.all("notice"), Vec::<&Value>::new());
    assert_eq!(resource_texts(&model).len(), 3);
    assert_eq!(noted("resources/subscribe"), 1, "it is subscribed to once");
    client.command("kit.session.branch", json!({})).await.expect("it goes on from the beginning");
    eventually("nobody watches it any more", || noted("resources/unsubscribe nasty://one") == 1).await;
    client.close().await;
}

/// What the model gets of the resource when it is another than before.
fn changed_resource(version: u32) -> String {
    format!(
        "<resource name=\"mcp:bad:nasty://one\" changed=\"true\">\n[resource nasty://one]\nversion {version}\n"
    )
}

#[tokio::test]
async fn a_resumed_session_hears_of_changes_of_what_it_mentioned() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "updates", json!({})).await;
    in_state(&client, "bad", "ready").await;
    model.reply(Reply::new().text("read"));
    let turn = client.prompt("Sum up @mcp:bad:nasty://one").await;
    client.finish(&turn).await;
    client.close().await;

    let reads = || {
        std::fs::read_to_string(project.path("note")).unwrap_or_default().matches("read nasty://one").count()
    };
    let client = start(&project, &model, "updates", json!({})).await;
    in_state(&client, "bad", "ready").await;
    client.command("kit.session.open", json!({ "session": turn.session })).await.expect("it opens");
    model.reply(Reply::new().text("the same"));
    assert_eq!(client.run("and now?").await.all("notice"), Vec::<&Value>::new());
    assert_eq!((reads(), resource_texts(&model).len()), (2, 1), "it is read again and is as it was");
    model.reply(Reply::new().call("mcp__bad__echo", json!({ "text": "changed" })));
    model.reply(Reply::new().text("noticed"));
    client.run("change it").await;
    model.reply(Reply::new().text("noticed"));
    client.run("and now?").await;
    let texts = resource_texts(&model);
    assert!(texts.len() == 2 && texts[1].contains(&changed_resource(2)), "{texts:?}");
    client.close().await;

    // It changed while nobody was there to hear of it; what the model has by now is what it is compared with.
    let newer = json!({ "env": { "NASTY_VERSION": "3" } });
    let client = start(&project, &model, "updates", newer).await;
    in_state(&client, "bad", "ready").await;
    client.command("kit.session.open", json!({ "session": turn.session })).await.expect("it opens");
    model.reply(Reply::new().text("noticed"));
    assert_eq!(client.run("and now?").await.all("notice").len(), 1);
    let texts = resource_texts(&model);
    assert!(texts.len() == 3 && texts[2].contains(&changed_resource(3)), "{texts:?}");
    client.close().await;
}

#[tokio::test]
async fn a_server_of_the_newest_revision_is_listened_to() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "streams", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let note = project.path("note");
    let noted = |what: &str| std::fs::read_to_string(&note).unwrap_or_default().matches(what).count();
    let lists = "\"resourcesListChanged\": true, \"toolsListChanged\": true}";
    eventually("its lists are listened to", || noted(&format!("listened to for {{{lists}")) == 1).await;
    model.reply(Reply::new().text("read"));
    client.run("Sum up @mcp:bad:nasty://one").await;
    let with_resource = "listened to for {\"resourceSubscriptions\": [\"nasty://one\"], ";
    eventually("the resource is listened to", || noted(with_resource) == 1).await;
    eventually("the stream before has ended", || noted("cancelled ") == 1).await;

    model.reply(Reply::new().call("mcp__bad__echo", json!({ "text": "changed" })));
    model.reply(Reply::new().text("changed"));
    client.run("change it").await;
    model.reply(Reply::new().text("noticed"));
    client.run("and now?").await;
    let texts = resource_texts(&model);
    assert!(texts.len() == 2 && texts[1].contains(&changed_resource(2)), "{texts:?}");

    run_call(&client, &model, Reply::new().call("mcp__bad__echo", json!({ "text": "new" }))).await;
    let typed = json!({ "text": "see @mcp:bad:nasty://t" });
    let looking = async {
        loop {
            let completed = client.command("kit.prompt.complete", typed.clone()).await.expect("completions");
            if completed["items"][0]["label"] == "@mcp:bad:nasty://two" {
                return;
            }
        }
    };
    tokio::time::timeout(kit_testkit::deadline(), looking).await.expect("the second resource");
    client.command("kit.session.branch", json!({})).await.expect("it goes on from the beginning");
    eventually("nobody listens to it any more", || noted(&format!("listened to for {{{lists}")) == 2).await;
    client.close().await;
}

#[tokio::test]
async fn resources_that_come_later_are_completed() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "updates", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let call = Reply::new().call("mcp__bad__echo", json!({ "text": "new" }));
    run_call(&client, &model, call).await;
    let typed = json!({ "text": "see @mcp:bad:nasty://t" });
    let looking = async {
        loop {
            let completed = client.command("kit.prompt.complete", typed.clone()).await.expect("completions");
            if completed["items"][0]["label"] == "@mcp:bad:nasty://two" {
                return;
            }
        }
    };
    tokio::time::timeout(kit_testkit::deadline(), looking).await.expect("the second resource");
    client.close().await;
}

#[tokio::test]
async fn a_server_is_told_when_the_roots_change() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model, "well", json!({})).await;
    in_state(&client, "bad", "ready").await;
    let added = project.outside().join("added");
    std::fs::create_dir_all(&added).expect("a folder");
    let folder = json!({ "uri": kit_testkit::file_uri(&added), "name": "added" });
    let change = json!({ "event": { "added": [folder], "removed": [] } });
    client.notify("workspace/didChangeWorkspaceFolders", change);
    let note = project.path("note");
    let expected =
        format!("roots {} {}", kit_testkit::file_uri(&project.root()), kit_testkit::file_uri(&added));
    eventually("it is told and asks for the roots", || {
        std::fs::read_to_string(&note).unwrap_or_default().contains(&expected)
    })
    .await;
    client.close().await;
}
