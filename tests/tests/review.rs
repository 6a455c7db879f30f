//! Reviewing: keep and undo by hunk, lines, file, turn and all, with the user typing in between.

use e2e::{changes, decide, hunk_ids, run_call, start};
use kit_testkit::{Gate, LanguageClient, ModelServer, Project, Reply};
use serde_json::{Value, json};

const FIVE: &str = "one\ntwo\nthree\nfour\nfive\n";

/// An open document with two hunks, around lines two and four.
async fn two_hunks() -> (Project, ModelServer, LanguageClient, String) {
    let project = Project::new().file("a.txt", FIVE);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    let edits = json!([{ "old_text": "two", "new_text": "TWO" }, { "old_text": "four", "new_text": "FOUR" }]);
    run_call(&client, &model, Reply::new().call("edit", json!({ "path": "a.txt", "edits": edits }))).await;
    let uri = project.uri("a.txt");
    (project, model, client, uri)
}

fn change(old: &str, new: &str) -> (String, String, String) {
    let kind = match (old, new) {
        ("", _) => "add",
        (_, "") => "delete",
        (_, _) => "change",
    };
    (kind.into(), old.into(), new.into())
}

#[tokio::test]
async fn hunks_tell_what_changed_where_by_whom() {
    let (_project, _model, client, uri) = two_hunks().await;
    let pushed = client.review(|review| review["summary"]["hunks"] == 2).await;
    assert_eq!(pushed, e2e::review(&client).await, "what is pushed is what is listed");
    assert_eq!(pushed["summary"], json!({ "files": 1, "hunks": 2, "additions": 2, "deletions": 2 }));
    let file = &pushed["files"][0];
    assert_eq!((&file["uri"], &file["status"]), (&json!(uri), &json!("modified")));
    assert_eq!(file["version"], json!(client.document("a.txt").version));
    let hunk = &file["hunks"][1];
    assert_eq!(hunk["kind"], "change");
    assert_eq!((&hunk["baseLines"], &hunk["lines"]), (&json!([3, 4]), &json!([3, 4])));
    assert_eq!((&hunk["oldText"], &hunk["newText"]), (&json!("four\n"), &json!("FOUR\n")));
    assert_eq!(hunk["mixed"], false);
    let end = client.notification("kit/event", |event| event["type"] == "turn_end").await;
    assert_eq!(hunk["turn"], end["turn"]);
    client.latest("kit/status", |status| status["review"] == json!({ "files": 1, "hunks": 2 })).await;
    client.close().await;
}

#[tokio::test]
async fn keeping_one_hunk_and_undoing_the_other_leaves_the_kept_text() {
    let (project, _model, client, uri) = two_hunks().await;
    let ids = hunk_ids(&client, &uri).await;
    assert_eq!(decide(&client, "kit.review.keep", json!({ "hunks": [ids[0]] })).await, [json!(ids[0])]);
    assert_eq!(changes(&client, &uri).await, [change("four\n", "FOUR\n")]);
    assert_eq!(decide(&client, "kit.review.undo", json!({ "hunks": [ids[1]] })).await, [json!(ids[1])]);
    client.text_becomes("a.txt", "one\nTWO\nthree\nfour\nfive\n").await;
    assert_eq!(e2e::review(&client).await["files"], json!([]), "a file without hunks is absent");
    assert_eq!(
        project.text("a.txt"),
        "one\nTWO\nthree\nfour\nfive\n",
        "what was saved before is saved after"
    );
    client.close().await;
}

#[tokio::test]
async fn keep_and_undo_reach_a_file_a_turn_lines_and_everything() {
    for (command, after) in [("kit.review.keep", "one\nTWO\nthree\nFOUR\nfive\n"), ("kit.review.undo", FIVE)]
    {
        for reach in ["uri", "turn", "lines", "session", "all"] {
            let (_project, _model, client, uri) = two_hunks().await;
            let end = client.notification("kit/event", |event| event["type"] == "turn_end").await;
            let argument = match reach {
                "uri" => json!({ "uri": uri }),
                "turn" => json!({ "turn": end["turn"] }),
                "lines" => {
                    json!({ "uri": uri, "lines": [0, 5], "version": client.document("a.txt").version })
                }
                "session" => json!({ "session": end["session"] }),
                _ => json!({ "all": true }),
            };
            let applied = decide(&client, command, argument).await;
            assert_eq!(applied.len(), 2, "{command} {reach}");
            client.text_becomes("a.txt", after).await;
            assert_eq!(changes(&client, &uri).await, [], "{command} {reach}");
            client.close().await;
        }
    }
}

#[tokio::test]
async fn lines_of_a_hunk_can_be_undone_alone() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    run_call(&client, &model, Reply::new().edit("a.txt", "one\n", "one\nb\nc\nd\n")).await;
    let uri = project.uri("a.txt");
    assert_eq!(changes(&client, &uri).await, [change("", "b\nc\nd\n")]);
    decide(&client, "kit.review.undo", json!({ "uri": uri, "lines": [2, 3] })).await;
    client.text_becomes("a.txt", "one\nb\nd\n").await;
    assert_eq!(changes(&client, &uri).await, [change("", "b\nd\n")]);
    client.close().await;
}

/// b.8: the user types inside a pending hunk, then undoes it.
#[tokio::test]
async fn undoing_a_hunk_that_the_user_also_edited_keeps_what_the_user_typed() {
    let project = Project::new().file("a.rs", "fn area(w: u32) -> u32 {\n    w\n}\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    let new = "    let area = w * 2;\n    log(area);\n    area\n";
    run_call(&client, &model, Reply::new().edit("a.rs", "    w\n", new)).await;
    client.type_over("a.rs", "    log(area);\n", "    log(area);\n    // the user's own line\n");
    let uri = project.uri("a.rs");
    client.review(|review| e2e::hunks(review, &uri).iter().any(|hunk| hunk["mixed"] == true)).await;
    let ids = hunk_ids(&client, &uri).await;
    let answer =
        client.command("kit.review.undo", json!({ "hunks": ids })).await.expect("the step is accepted");
    let text = client.text("a.rs");
    assert!(text.contains("// the user's own line"), "typed text survives: {text:?} after {answer}");
    if answer["conflicts"] == json!([]) {
        assert_eq!(text, "fn area(w: u32) -> u32 {\n    w\n    // the user's own line\n}\n");
    } else {
        assert!(answer["conflicts"][0]["why"].as_str().is_some_and(|why| !why.is_empty()), "{answer}");
    }
    client.close().await;
}

/// b.8: the user types elsewhere, then undoes all.
#[tokio::test]
async fn typing_outside_of_hunks_is_not_undone() {
    let (_project, _model, client, uri) = two_hunks().await;
    client.type_over("a.txt", "three", "THREE by the user");
    client.type_over("a.txt", "five\n", "five\nsix\n");
    assert_eq!(changes(&client, &uri).await, [change("two\n", "TWO\n"), change("four\n", "FOUR\n")]);
    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    client.text_becomes("a.txt", "one\ntwo\nTHREE by the user\nfour\nfive\nsix\n").await;
    client.close().await;
}

/// b.8: the agent edits a region twice, in one turn and in two.
#[tokio::test]
async fn a_region_that_is_edited_twice_is_one_hunk_against_the_baseline() {
    let project = Project::new().file("a.txt", FIVE);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    model.reply(Reply::new().edit("a.txt", "two", "2"));
    model.reply(Reply::new().edit("a.txt", "2", "II"));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    run_call(&client, &model, Reply::new().edit("a.txt", "II", "deux")).await;
    let uri = project.uri("a.txt");
    assert_eq!(changes(&client, &uri).await, [change("two\n", "deux\n")]);
    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    client.text_becomes("a.txt", FIVE).await;
    client.close().await;
}

/// b.8: the agent reverts itself.
#[tokio::test]
async fn a_change_that_the_agent_takes_back_leaves_the_review() {
    let (_project, model, client, uri) = two_hunks().await;
    run_call(&client, &model, Reply::new().edit("a.txt", "TWO", "two")).await;
    assert_eq!(changes(&client, &uri).await, [change("four\n", "FOUR\n")]);
    run_call(&client, &model, Reply::new().edit("a.txt", "FOUR", "four")).await;
    let review = e2e::review(&client).await;
    assert_eq!((&review["files"], &review["summary"]["hunks"]), (&json!([]), &json!(0)));
    client.close().await;
}

/// b.8: a hunk is kept, later the turn is undone.
#[tokio::test]
async fn undoing_a_turn_leaves_kept_hunks_kept() {
    let (_project, _model, client, uri) = two_hunks().await;
    let end = client.notification("kit/event", |event| event["type"] == "turn_end").await;
    let ids = hunk_ids(&client, &uri).await;
    decide(&client, "kit.review.keep", json!({ "hunks": [ids[0]] })).await;
    decide(&client, "kit.review.undo", json!({ "turn": end["turn"] })).await;
    client.text_becomes("a.txt", "one\nTWO\nthree\nfour\nfive\n").await;
    client.close().await;
}

/// b.8: a file is deleted and written again as it was.
#[tokio::test]
async fn a_file_that_is_deleted_and_recreated_identically_has_no_hunk() {
    let project = Project::new().file("a.txt", FIVE);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    e2e::permit(&client, "allowOnce");
    model.reply(Reply::new().call("write", json!({ "path": "a.txt", "content": "gone\n" })));
    model.reply(Reply::new().call("bash", json!({ "command": "rm a.txt" })));
    model.reply(Reply::new().call("write", json!({ "path": "a.txt", "content": FIVE })));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert_eq!(project.text("a.txt"), FIVE);
    assert_eq!(changes(&client, &project.uri("a.txt")).await, []);
    client.close().await;
}

/// b.8: line ends, BOM and the missing final newline survive an undo byte for byte.
#[tokio::test]
async fn undoing_everything_restores_the_bytes() {
    let cases: [&[u8]; 5] = [
        b"one\r\ntwo\r\nthree\r\n",
        b"\xef\xbb\xbfone\ntwo\nthree\n",
        b"one\ntwo\nthree",
        b"one\r\ntwo\nthree\r",
        "😀\ntwo\né".as_bytes(),
    ];
    for before in cases {
        let project = Project::new().file("closed.txt", before);
        let model = ModelServer::start().await;
        let client = start(&project, &model).await;
        run_call(&client, &model, Reply::new().edit("closed.txt", "two", "2\n2½\n3")).await;
        assert_ne!(project.bytes("closed.txt"), before);
        decide(&client, "kit.review.undo", json!({ "all": true })).await;
        assert_eq!(project.bytes("closed.txt"), before, "{:?}", String::from_utf8_lossy(before));
        assert_eq!(e2e::review(&client).await["files"], json!([]));
        client.close().await;
    }
}

/// b.8: the user has put another file where the agent's was.
#[tokio::test]
async fn undoing_a_created_file_does_not_take_the_users_own_text() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    run_call(
        &client,
        &model,
        Reply::new().call("write", json!({ "path": "new.txt", "content": "by the agent\n" })),
    )
    .await;
    project.write("new.txt", "by the agent\nby the user\n");
    let answer =
        client.command("kit.review.undo", json!({ "uri": project.uri("new.txt") })).await.expect("accepted");
    let left = project.exists("new.txt").then(|| project.text("new.txt"));
    assert!(left.as_ref().is_some_and(|text| text.contains("by the user")), "{left:?} after {answer}");
    client.close().await;
}

/// b.8: a shell tool changes a file whose buffer is dirty.
#[tokio::test]
async fn a_dirty_buffer_is_kept_when_a_shell_command_changes_the_file() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    e2e::permit(&client, "allowOnce");
    client.open("a.txt");
    client.type_over("a.txt", "one", "typed");
    run_call(&client, &model, Reply::new().call("bash", json!({ "command": "echo shell > a.txt" }))).await;
    assert_eq!(client.text("a.txt"), "typed\ntwo\n");
    assert_eq!(client.applied(), []);
    run_call(&client, &model, Reply::new().edit("a.txt", "typed", "edited")).await;
    assert_eq!((client.text("a.txt"), project.text("a.txt")), ("edited\ntwo\n".into(), "shell\n".into()));
    client.close().await;
}

/// b.8: the prompt is sent again.
#[tokio::test]
async fn hunks_of_earlier_turns_stay_when_a_prompt_is_repeated() {
    let (_project, model, client, uri) = two_hunks().await;
    model.reply(Reply::new().text("again"));
    let end = client.notification("kit/event", |event| event["type"] == "turn_end").await;
    client.command("kit.session.retry", json!({ "session": end["session"] })).await.expect("a retry");
    client.event(|event| event["type"] == "turn_end" && event["response"] == "again").await;
    assert_eq!(changes(&client, &uri).await, [change("two\n", "TWO\n"), change("four\n", "FOUR\n")]);
    client.close().await;
}

#[tokio::test]
async fn keep_and_undo_can_be_taken_back_in_order() {
    let (_project, _model, client, uri) = two_hunks().await;
    let before = changes(&client, &uri).await;
    let ids = hunk_ids(&client, &uri).await;
    decide(&client, "kit.review.keep", json!({ "hunks": [ids[0]] })).await;
    decide(&client, "kit.review.undo", json!({ "hunks": [ids[1]] })).await;
    client.text_becomes("a.txt", "one\nTWO\nthree\nfour\nfive\n").await;
    client.command("kit.review.revert", json!({})).await.expect("the undo is taken back");
    client.text_becomes("a.txt", "one\nTWO\nthree\nFOUR\nfive\n").await;
    assert_eq!(changes(&client, &uri).await, [change("four\n", "FOUR\n")]);
    client.command("kit.review.revert", json!({})).await.expect("the keep is taken back");
    assert_eq!(changes(&client, &uri).await, before);
    client.close().await;
}

/// Native undo is an edit of the user: a hunk whose text is back vanishes, and native redo brings it back.
#[tokio::test]
async fn native_undo_and_redo_are_followed() {
    let (_project, _model, client, uri) = two_hunks().await;
    client.type_over("a.txt", "TWO", "two");
    assert_eq!(changes(&client, &uri).await, [change("four\n", "FOUR\n")]);
    client.close().await;
}

#[tokio::test]
async fn a_hunk_can_be_undone_while_the_agent_still_works() {
    let project = Project::new().file("a.txt", FIVE).file("b.txt", "b\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    let gate = Gate::new();
    model.reply(Reply::new().edit("a.txt", "two", "TWO"));
    model.reply(Reply::new().gate(&gate).edit("b.txt", "b", "B"));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("go").await;
    gate.reached().await;
    decide(&client, "kit.review.undo", json!({ "uri": project.uri("a.txt") })).await;
    client.text_becomes("a.txt", FIVE).await;
    gate.open();
    assert_eq!(client.finish(&turn).await.response(), "done");
    assert_eq!(changes(&client, &project.uri("b.txt")).await, [change("b\n", "B\n")]);
    client.close().await;
}

/// Statement 17: the model is told at its next call what was not wanted, and why.
#[tokio::test]
async fn the_model_learns_which_hunks_were_undone_and_why() {
    let (_project, model, client, uri) = two_hunks().await;
    let ids = hunk_ids(&client, &uri).await;
    decide(&client, "kit.review.keep", json!({ "hunks": [ids[0]] })).await;
    decide(&client, "kit.review.undo", json!({ "hunks": [ids[1]], "reason": "four is a name here" })).await;
    model.reply(Reply::new().text("understood"));
    client.run("what now?").await;
    let request = model.request(2).await;
    let said = request.user_texts().join("\n");
    assert!(said.contains("four is a name here") && said.contains("FOUR"), "{said}");
    client.close().await;
}

#[tokio::test]
async fn the_baseline_of_a_file_is_a_virtual_document() {
    let (project, _model, client, uri) = two_hunks().await;
    let base = format!("kit-base:{}", uri.strip_prefix("file:").expect("a file"));
    let answer =
        client.request("workspace/textDocumentContent", json!({ "uri": base })).await.expect("the baseline");
    assert_eq!(answer, json!({ "text": FIVE }));
    decide(&client, "kit.review.keep", json!({ "all": true })).await;
    let unknown = format!("kit-base:{}", project.uri("nobody.txt").strip_prefix("file:").expect("a file"));
    client
        .request("workspace/textDocumentContent", json!({ "uri": unknown }))
        .await
        .expect_err("nothing is known");
    client.close().await;
}

#[tokio::test]
async fn a_step_about_an_old_version_or_a_gone_hunk_changes_nothing() {
    let (_project, _model, client, uri) = two_hunks().await;
    let ids = hunk_ids(&client, &uri).await;
    decide(&client, "kit.review.keep", json!({ "hunks": [ids[0]] })).await;
    let text = client.text("a.txt");
    let answer = client.command("kit.review.undo", json!({ "hunks": [ids[0]] })).await;
    let refused = match &answer {
        Ok(answer) => answer["applied"] == json!([]) && answer["conflicts"][0]["id"] == json!(ids[0]),
        Err(error) => ["not_found", "conflict"].contains(&error.kind()),
    };
    assert!(refused, "{answer:?}");
    assert_eq!(client.text("a.txt"), text);
    client.close().await;
}

#[tokio::test]
async fn rewinding_files_restores_what_was_before_the_turn_and_names_what_it_skips() {
    let (project, model, client, uri) = two_hunks().await;
    let first = client.notification("kit/event", |event| event["type"] == "turn_end").await;
    run_call(&client, &model, Reply::new().call("write", json!({ "path": "new.txt", "content": "x\n" })))
        .await;
    let argument = |preview: bool| json!({ "session": first["session"], "turn": first["turn"], "mode": "files", "preview": preview });
    let preview = client.command("kit.review.rewind", argument(true)).await.expect("a preview");
    let mut restore: Vec<String> =
        preview["restore"].as_array().expect("a list").iter().map(Value::to_string).collect();
    restore.sort();
    assert_eq!(restore, [json!(uri).to_string(), json!(project.uri("new.txt")).to_string()]);
    assert_ne!(client.text("a.txt"), FIVE, "a preview changes nothing");
    client.command("kit.review.rewind", argument(false)).await.expect("a rewind");
    client.text_becomes("a.txt", FIVE).await;
    assert!(!project.exists("new.txt"));
    client.close().await;
}

/// b.8: a change of a hundred files is listed whole and undone at once.
#[tokio::test]
async fn a_hundred_changed_files_are_listed_and_undone_at_once() {
    const FILES: usize = 100;
    let mut project = Project::new();
    for index in 0..FILES {
        project = project.file(&format!("src/f{index}.txt"), "old\n");
    }
    let before = Project::tree(&project.root());
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let calls =
        (0..FILES).fold(Reply::new(), |reply, index| reply.edit(&format!("src/f{index}.txt"), "old", "new"));
    model.reply(calls);
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    assert_eq!(report.tool_results().iter().filter(|(.., failed)| *failed).count(), 0);
    let review = e2e::review(&client).await;
    assert_eq!(
        review["summary"],
        json!({ "files": FILES, "hunks": FILES, "additions": FILES, "deletions": FILES })
    );
    assert_eq!(decide(&client, "kit.review.undo", json!({ "all": true })).await.len(), FILES);
    assert_eq!(Project::tree(&project.root()), before);
    client.close().await;
}
