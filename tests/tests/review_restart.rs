//! The review outlives the process: it is restored without writing any file, also by the other editor.

use std::time::SystemTime;

use e2e::{changes, decide, launch, run_call, start};
use kit_testkit::{Encoding, Gate, Launch, ModelServer, Profile, Project, Reply, Wire};
use serde_json::json;

/// Every file of the project with its bytes and the time of its last change.
fn state(project: &Project) -> Vec<(std::path::PathBuf, Vec<u8>, SystemTime)> {
    let tree = Project::tree(&project.root());
    let time =
        |path: &std::path::Path| std::fs::metadata(path).and_then(|data| data.modified()).expect("a time");
    tree.into_iter().map(|(path, bytes)| (path.clone(), bytes, time(&path))).collect()
}

#[tokio::test]
async fn a_restart_restores_the_review_and_writes_no_file() {
    let project = Project::new().file("open.txt", "one\ntwo\n").file("closed.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("open.txt");
    run_call(&client, &model, Reply::new().edit("open.txt", "one", "1").edit("closed.txt", "two", "2")).await;
    let before = e2e::review(&client).await;
    client.close().await;

    let files = state(&project);
    let client = start(&project, &model).await;
    let after = client.review(|review| review["summary"]["hunks"] == 2).await;
    let shape = |review: &serde_json::Value| {
        let files = review["files"].as_array().cloned().unwrap_or_default();
        let hunk = |hunk: &serde_json::Value| {
            (hunk["id"].clone(), hunk["oldText"].clone(), hunk["newText"].clone(), hunk["turn"].clone())
        };
        files
            .iter()
            .map(|file| {
                (
                    file["uri"].clone(),
                    file["hunks"].as_array().expect("hunks").iter().map(hunk).collect::<Vec<_>>(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&after), shape(&before));
    client.open("open.txt");
    assert_eq!(changes(&client, &project.uri("open.txt")).await.len(), 1);
    assert_eq!(state(&project), files, "nothing was written");
    assert_eq!(client.applied(), []);
    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    client.text_becomes("open.txt", "one\ntwo\n").await;
    assert_eq!(project.text("closed.txt"), "one\ntwo\n");
    client.close().await;
}

#[tokio::test]
async fn a_restart_restores_the_hunks_of_an_unsaved_document() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    client.type_over("a.txt", "two", "typed");
    run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
    let unsaved = client.text("a.txt");
    assert_eq!((unsaved.as_str(), project.text("a.txt").as_str()), ("1\ntyped\n", "one\ntwo\n"));
    client.close().await;

    // The editor keeps the text, and opens the document when the server has already looked at the file.
    let client = start(&project, &model).await;
    client.command("kit.review.list", json!({})).await.expect("the review");
    client.open_text("a.txt", &unsaved, true);
    client.review(|review| review["summary"]["hunks"] == 1).await;
    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    client.text_becomes("a.txt", "one\ntyped\n").await;
    assert_eq!(project.text("a.txt"), "one\ntwo\n");
    client.close().await;
}

#[tokio::test]
async fn a_review_step_can_be_taken_back_after_a_restart() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    assert_eq!(project.text("a.txt"), "one\ntwo\n");
    client.close().await;
    let client = start(&project, &model).await;
    client.command("kit.review.revert", json!({})).await.expect("the undo is taken back");
    assert_eq!(project.text("a.txt"), "1\ntwo\n");
    assert_eq!(changes(&client, &project.uri("a.txt")).await.len(), 1);
    client.close().await;
}

/// b.8: the editor is killed in the middle of a turn.
#[tokio::test]
async fn a_kill_in_the_middle_of_a_turn_loses_no_hunk() {
    let project = Project::new().file("a.txt", "one\ntwo\n").file("b.txt", "b\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    let gate = Gate::new();
    model.reply(Reply::new().edit("a.txt", "one", "1").edit("b.txt", "b", "B"));
    model.reply(Reply::new().text("now ").gate(&gate));
    let turn = client.prompt("go").await;
    gate.reached().await;
    client.kill().await;

    let files = state(&project);
    let client = start(&project, &model).await;
    client.review(|review| review["summary"]["hunks"] == 2).await;
    assert_eq!(state(&project), files, "nothing was written");
    client.command("kit.session.open", json!({ "session": turn.session })).await.expect("the session opens");
    model.reply(Reply::new().text("done"));
    let next = client.prompt_in(&turn.session, "go on").await;
    assert_eq!(client.finish(&next).await.response(), "done");
    let request = model.request(2).await;
    assert_eq!(request.results().len(), 2, "both calls kept their results: {:?}", request.items);
    client.close().await;
}

/// b.8 and g.4: the other editor, with another encoding and other capabilities.
#[tokio::test]
async fn the_other_editor_finds_the_same_hunks() {
    let project = Project::new().file("a.txt", "one 😀\ntwo 😀\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    run_call(&client, &model, Reply::new().edit("a.txt", "two 😀", "2 😀")).await;
    client.close().await;

    let other = Launch::new(&project)
        .model(&model, Wire::ChatCompletions)
        .profile(Profile::Bare)
        .encodings(&[Encoding::Utf8])
        .start()
        .await;
    other.open("a.txt");
    assert_eq!(
        changes(&other, &project.uri("a.txt")).await,
        [("change".into(), "two 😀\n".into(), "2 😀\n".into())]
    );
    decide(&other, "kit.review.undo", json!({ "all": true })).await;
    other.text_becomes("a.txt", "one 😀\ntwo 😀\n").await;
    other.close().await;
}

/// Both are told of what happens, without asking.
#[tokio::test]
async fn what_one_editor_decides_is_seen_in_the_other() {
    let project = Project::new().file("a.txt", "one\n").file("b.txt", "one\n");
    let model = ModelServer::start().await;
    let first = start(&project, &model).await;
    let second = start(&project, &model).await;
    second.command("kit.review.list", json!({})).await.expect("its review is open");
    for name in ["a.txt", "b.txt"] {
        run_call(&first, &model, Reply::new().edit(name, "one", "two")).await;
    }
    second.latest("kit/review", |review| review["summary"]["hunks"] == 2).await;
    decide(&second, "kit.review.keep", json!({ "uri": project.uri("a.txt") })).await;
    first.latest("kit/review", |review| review["summary"]["hunks"] == 1).await;
    decide(&second, "kit.review.undo", json!({ "all": true })).await;
    first.latest("kit/review", |review| review["summary"]["hunks"] == 0).await;
    assert_eq!((project.text("a.txt"), project.text("b.txt")), ("two\n".into(), "one\n".into()));
    first.close().await;
    second.close().await;
}

/// The file changed while no server ran: hunks that are still there stay, no byte is written.
#[tokio::test]
async fn changes_made_while_no_server_ran_are_the_users() {
    let project = Project::new().file("a.txt", "one\ntwo\nthree\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    run_call(&client, &model, Reply::new().edit("a.txt", "three", "3")).await;
    client.close().await;
    project.write("a.txt", "zero\none\ntwo\n3\n");
    let files = state(&project);
    let client = start(&project, &model).await;
    assert_eq!(
        changes(&client, &project.uri("a.txt")).await,
        [("change".into(), "three\n".into(), "3\n".into())]
    );
    assert_eq!(state(&project), files);
    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    assert_eq!(project.text("a.txt"), "zero\none\ntwo\nthree\n");
    client.close().await;
}

/// A decision is on disk before it is answered.
#[tokio::test]
async fn what_was_kept_stays_kept_after_a_restart() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).start().await;
    run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
    decide(&client, "kit.review.keep", json!({ "all": true })).await;
    client.kill().await;
    let client = start(&project, &model).await;
    assert_eq!(e2e::review(&client).await["files"], json!([]));
    assert_eq!(project.text("a.txt"), "1\ntwo\n");
    client.close().await;
}
