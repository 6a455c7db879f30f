//! Any other editor: plain LSP without one of our capabilities leads from a code action to an edit with keep and undo.

use e2e::{changes, decide};
use kit_testkit::{Answer, Encoding, LanguageClient, Launch, ModelServer, Profile, Project, Reply, Wire};
use serde_json::{Value, json};

async fn bare(project: &Project, model: &ModelServer) -> LanguageClient {
    Launch::new(project).model(model, Wire::Messages).profile(Profile::Bare).start().await
}

async fn actions(client: &LanguageClient, uri: &str, diagnostics: Value) -> Vec<Value> {
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 2 } });
    let params =
        json!({ "textDocument": { "uri": uri }, "range": range, "context": { "diagnostics": diagnostics } });
    let answer = client.request("textDocument/codeAction", params).await.expect("code actions");
    answer.as_array().expect("a list").clone()
}

/// g.9.
#[tokio::test]
async fn a_code_action_leads_to_an_edit_with_progress_and_lenses() {
    let project = Project::new().file("a.rs", "fn wrong() {}\n");
    let model = ModelServer::start().await;
    let client = bare(&project, &model).await;
    client.open("a.rs");
    let uri = project.uri("a.rs");
    let range = json!({ "start": { "line": 0, "character": 3 }, "end": { "line": 0, "character": 8 } });
    let diagnostic =
        json!({ "range": range, "severity": 1, "message": "this name is wrong", "source": "lint" });
    let offered = actions(&client, &uri, json!([diagnostic])).await;
    let fix = offered
        .iter()
        .find(|action| action["kind"] == "quickfix")
        .unwrap_or_else(|| panic!("a fix in {offered:?}"));
    assert!(
        fix["title"]
            .as_str()
            .is_some_and(|title| title.starts_with("Kit:") && title.contains("this name is wrong")),
        "{fix}"
    );
    assert_eq!(fix["command"]["command"], "kit.session.prompt");
    assert!(model.requests().is_empty(), "offering an action calls no model");

    model.reply(Reply::new().edit("a.rs", "wrong", "right"));
    model.reply(Reply::new().text("fixed"));
    client
        .request(
            "workspace/executeCommand",
            json!({ "command": fix["command"]["command"], "arguments": fix["command"]["arguments"] }),
        )
        .await
        .expect("it starts");
    client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
    assert_eq!(client.text("a.rs"), "fn right() {}\n");
    let request = model.request(0).await;
    let said = request.user_texts().join("\n");
    assert!(said.contains("this name is wrong") && said.contains("a.rs"), "{said}");

    let lenses = client
        .request("textDocument/codeLens", json!({ "textDocument": { "uri": uri } }))
        .await
        .expect("lenses");
    let undo = lenses
        .as_array()
        .expect("a list")
        .iter()
        .find(|lens| lens["command"]["command"] == "kit.review.undo")
        .expect("an undo")
        .clone();
    client
        .request(
            "workspace/executeCommand",
            json!({ "command": "kit.review.undo", "arguments": undo["command"]["arguments"] }),
        )
        .await
        .expect("undone");
    client.text_becomes("a.rs", "fn wrong() {}\n").await;
    assert!(
        !client.server_requests("workspace/codeLens/refresh").is_empty(),
        "the editor is asked to draw lenses anew"
    );
    client.close().await;
}

#[tokio::test]
async fn a_turn_is_cancelled_by_its_progress() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = bare(&project, &model).await;
    model.reply(Reply::new().text("thinking").stall());
    client.prompt("go").await;
    model.request(0).await;
    let begin = client.notification("$/progress", |params| params["value"]["kind"] == "begin").await;
    client.notify("window/workDoneProgress/cancel", json!({ "token": begin["token"] }));
    client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
    model.dropped(0).await;
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_permission_is_asked_by_message_request() {
    for (word, runs) in [("allow", true), ("reject", false), ("", false)] {
        let project = Project::new();
        let model = ModelServer::start().await;
        let client = bare(&project, &model).await;
        client.behave(|behavior| {
            behavior.message = Box::new(move |params| match word {
                // The user closes the message.
                "" => Answer::Result(Value::Null),
                "reject" => match Answer::action_with(params, "reject") {
                    Answer::Error(_) => Answer::action_with(params, "deny"),
                    found => found,
                },
                word => Answer::action_with(params, word),
            });
        });
        model.reply(Reply::new().call("bash", json!({ "command": "touch made" })));
        model.reply(Reply::new().text("done"));
        client.prompt("go").await;
        client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
        let asked = client.server_requests("window/showMessageRequest");
        assert_eq!(asked.len(), 1, "{word:?}");
        assert!(
            asked[0]["message"].as_str().is_some_and(|message| message.contains("touch made")),
            "{}",
            asked[0]
        );
        assert!(
            asked[0]["actions"].as_array().is_some_and(|actions| (2..=4).contains(&actions.len())),
            "{}",
            asked[0]
        );
        assert_eq!(project.exists("made"), runs, "{word:?}");
        let request = model.request(1).await;
        assert_eq!(request.results()[0].1, !runs, "{word:?}: {:?}", request.results());
        client.close().await;
    }
}

#[tokio::test]
async fn a_client_without_progress_still_gets_its_edit() {
    let project = Project::new().file("a.txt", "é one\n");
    let model = ModelServer::start().await;
    let capabilities =
        json!({ "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true } } });
    let client = Launch::new(&project)
        .model(&model, Wire::ChatCompletions)
        .profile(Profile::Custom(capabilities))
        .encodings(&[Encoding::Utf16])
        .start()
        .await;
    client.open("a.txt");
    model.reply(Reply::new().edit("a.txt", "one", "two"));
    model.reply(Reply::new().text("done"));
    client.prompt("go").await;
    client.text_becomes("a.txt", "é two\n").await;
    model.request(1).await;
    assert_eq!(client.notifications("$/progress"), Vec::<Value>::new());
    assert_eq!(changes(&client, &project.uri("a.txt")).await.len(), 1);
    client.close().await;
}

/// Neovim does not declare `documentChanges`, although it handles them: edits stay versioned.
#[tokio::test]
async fn edits_are_versioned_for_a_client_that_handles_resource_operations() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let capabilities = json!({ "workspace": { "applyEdit": true, "workspaceEdit": {
        "resourceOperations": ["rename", "create", "delete"], "changeAnnotationSupport": { "groupsOnLabel": true } } } });
    let client = Launch::new(&project)
        .model(&model, Wire::Messages)
        .profile(Profile::Custom(capabilities))
        .start()
        .await;
    client.open("a.txt");
    model.reply(Reply::new().edit("a.txt", "one", "two"));
    model.reply(Reply::new().text("done"));
    client.prompt("go").await;
    client.text_becomes("a.txt", "two\n").await;
    assert_eq!(client.applied()[0].version, Some(1));
    model.request(1).await;
    client.close().await;
}

/// Code lenses are for editors that draw no hunks themselves.
#[tokio::test]
async fn every_hunk_has_code_lenses_to_keep_and_undo_it() {
    let project = Project::new().file("a.txt", "one\n😀 two\nthree\nfour\n");
    let model = ModelServer::start().await;
    let client = bare(&project, &model).await;
    client.open("a.txt");
    let edits = json!([{ "old_text": "two", "new_text": "TWO" }, { "old_text": "four", "new_text": "FOUR" }]);
    model.reply(Reply::new().call("edit", json!({ "path": "a.txt", "edits": edits })));
    model.reply(Reply::new().text("done"));
    client.prompt("go").await;
    client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
    let params = json!({ "textDocument": { "uri": project.uri("a.txt") } });
    let lenses = client.request("textDocument/codeLens", params).await.expect("lenses");
    let lenses = lenses.as_array().expect("a list").clone();
    let of = |command: &str| {
        lenses.iter().filter(|lens| lens["command"]["command"] == command).cloned().collect::<Vec<_>>()
    };
    assert_eq!((of("kit.review.keep").len(), of("kit.review.undo").len()), (2, 2), "{lenses:?}");
    let undo = of("kit.review.undo").remove(1);
    assert_eq!(undo["range"]["start"], json!({ "line": 3, "character": 0 }));
    decide(&client, "kit.review.undo", undo["command"]["arguments"][0].clone()).await;
    client.text_becomes("a.txt", "one\n😀 TWO\nthree\nfour\n").await;
    client.close().await;
}
