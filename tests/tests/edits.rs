//! Edits of open documents: against the unsaved text and its version, minimal, exact, and refused rather than wrong.

use e2e::{launch, run_call, start};
use kit_testkit::{Apply, Encoding, ModelServer, Project, Reply, offset};
use serde_json::{Value, json};

/// Statement 11.
#[tokio::test]
async fn an_edit_goes_to_the_unsaved_buffer_at_its_version_and_not_to_disk() {
    let project = Project::new().file("a.rs", "fn main() { let x = 1; }\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    client.type_over("a.rs", "x = 1", "x = 2");
    let report = run_call(&client, &model, Reply::new().edit("a.rs", "let x = 2;", "let y = 2;")).await;
    assert_eq!(client.text("a.rs"), "fn main() { let y = 2; }\n");
    assert_eq!(project.text("a.rs"), "fn main() { let x = 1; }\n", "a dirty document is not saved");

    let applied = client.applied();
    assert_eq!(applied.len(), 1);
    assert_eq!((applied[0].uri.as_str(), applied[0].version), (project.uri("a.rs").as_str(), Some(2)));
    let edits = applied[0].params["edit"]["documentChanges"][0]["edits"].as_array().expect("edits").clone();
    let annotation = edits[0]["annotationId"].as_str().expect("the edit is annotated");
    let annotation = applied[0].params["edit"]["changeAnnotations"][annotation].to_string();
    assert!(annotation.contains("Edit"), "the annotation names the tool: {annotation}");
    assert!(annotation.contains(report.end()["turn"].as_str().expect("an id")), "and the turn: {annotation}");
    // Minimal: one letter is replaced, so cursors and folds elsewhere stay.
    let text = "fn main() { let x = 2; }\n";
    let range = |end: &str| offset(text, &edits[0]["range"][end], Encoding::Utf16).expect("in the text");
    assert_eq!(
        (edits.len(), &text[range("start")..range("end")], &edits[0]["newText"]),
        (1, "x", &json!("y"))
    );

    let diff = &report.only("tool_result")["metadata"]["fileDiffs"][0];
    assert_eq!((&diff["additions"], &diff["deletions"]), (&json!(1), &json!(1)));
    assert_eq!(diff["diffBlocks"][0]["oldText"], "let x = 2;", "the text that was really there");
    client.close().await;
}

/// Statement 12, in both encodings.
#[tokio::test]
async fn untouched_lines_stay_byte_identical_whatever_the_line_ends() {
    let cases = [
        ("LF", "one\ntwo\nthree\n", "two", "2\n2b", "one\n2\n2b\nthree\n"),
        ("CRLF", "one\r\ntwo\r\nthree\r\n", "two", "2\n2b", "one\r\n2\r\n2b\r\nthree\r\n"),
        ("no final newline", "one\ntwo", "two", "2", "one\n2"),
        ("CRLF without final newline", "one\r\ntwo", "two", "2\n3", "one\r\n2\r\n3"),
        (
            "astral",
            "😀 = \"𝒳\"; // é\nlet 𝒳 = 1;\n",
            "let 𝒳 = 1;",
            "let 𝒳 = 2;",
            "😀 = \"𝒳\"; // é\nlet 𝒳 = 2;\n",
        ),
        ("mixed", "a\r\nb\nc\r\nd\n", "c", "C\nC2", "a\r\nb\nC\r\nC2\r\nd\n"),
        ("Unicode separators are text", "a\u{2028}b\u{85}c\nold\n", "old", "new", "a\u{2028}b\u{85}c\nnew\n"),
        ("multi-line match over CRLF", "a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", "x\r\ny\r\nz\r\nc\r\n"),
        ("deletion of a line", "one\ntwo\nthree\n", "two\n", "", "one\nthree\n"),
    ];
    for encodings in [[Encoding::Utf16], [Encoding::Utf8]] {
        let project = Project::new();
        let model = ModelServer::start().await;
        let client = launch(&project, &model).encodings(&encodings).start().await;
        for (index, (name, before, old, new, after)) in cases.iter().enumerate() {
            let path = format!("case-{index}.txt");
            project.write(&path, before);
            client.open(&path);
            run_call(&client, &model, Reply::new().edit(&path, old, new)).await;
            assert_eq!(&client.text(&path), after, "open, {name}, {encodings:?}");
            assert_eq!(&project.text(&path), after, "saved because it was clean, {name}, {encodings:?}");
        }
        client.close().await;
    }
}

#[tokio::test]
async fn a_document_that_was_clean_is_saved_after_the_edit_and_a_dirty_one_is_not() {
    let project = Project::new().file("clean.txt", "one\n").file("dirty.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("clean.txt");
    client.open("dirty.txt");
    client.type_over("dirty.txt", "one", "one and more");
    model.reply(Reply::new().edit("clean.txt", "one", "two").edit("dirty.txt", "one", "two"));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert_eq!((client.text("clean.txt"), project.text("clean.txt")), ("two\n".into(), "two\n".into()));
    assert_eq!(
        (client.text("dirty.txt"), project.text("dirty.txt")),
        ("two and more\n".into(), "one\n".into())
    );
    assert!(!client.document("clean.txt").dirty);
    assert_eq!(client.server_requests("kit/save"), [json!({ "uris": [project.uri("clean.txt")] })]);
    client.close().await;
}

/// Statement 13.
#[tokio::test]
async fn a_refused_edit_fails_with_the_fresh_text_and_the_turn_goes_on() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    client.behave(|behavior| behavior.apply = Apply::Refuse("read-only buffer".into()));
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
    let (result, failed) = report.tool_result();
    assert!(
        failed && result.contains("one") && result.contains("two"),
        "the model reads the current text: {result}"
    );
    assert_eq!((client.text("a.txt"), project.text("a.txt")), ("one\ntwo\n".into(), "one\ntwo\n".into()));
    assert_eq!(e2e::changes(&client, &project.uri("a.txt")).await, []);
    client.close().await;
}

/// Neovim says that it applied edits that it skipped.
#[tokio::test]
async fn an_edit_that_is_only_said_to_be_applied_is_not_believed() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    client.behave(|behavior| behavior.apply = Apply::Lie);
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
    let (result, failed) = report.tool_result();
    assert!(failed && result.contains("one"), "{result}");
    assert_eq!(e2e::changes(&client, &project.uri("a.txt")).await, []);
    client.close().await;
}

#[tokio::test]
async fn the_echo_proves_an_edit_whether_it_comes_before_or_after_the_answer() {
    for habit in [Apply::EchoFirst, Apply::AnswerFirst] {
        let project = Project::new().file("a.txt", "one\n");
        let model = ModelServer::start().await;
        let client = start(&project, &model).await;
        client.open("a.txt");
        client.behave(|behavior| behavior.apply = habit.clone());
        let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
        assert!(!report.tool_result().1, "{habit:?}: {:?}", report.tool_result());
        assert_eq!(client.text("a.txt"), "1\n", "{habit:?}");
        client.close().await;
    }
}

#[tokio::test]
async fn an_edit_is_rebased_over_what_the_user_types_meanwhile() {
    for habit in [Apply::TypeFirst("typed\n".into()), Apply::TypeAfter("typed\n".into())] {
        let project = Project::new().file("a.txt", "one\ntwo\n");
        let model = ModelServer::start().await;
        let client = start(&project, &model).await;
        client.open("a.txt");
        client.behave(|behavior| behavior.next_apply.push_back(habit.clone()));
        let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
        assert!(!report.tool_result().1, "{habit:?}: {:?}", report.tool_result());
        assert_eq!(client.text("a.txt"), "1\ntwo\ntyped\n", "{habit:?}");
        let changes = e2e::changes(&client, &project.uri("a.txt")).await;
        assert_eq!(
            changes,
            [("change".into(), "one\n".into(), "1\n".into())],
            "{habit:?}: typing is no hunk"
        );
        client.close().await;
    }
}

#[tokio::test]
async fn an_edit_of_lines_that_the_user_changed_meanwhile_fails_and_keeps_them() {
    let project = Project::new().file("a.txt", "one");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    client.behave(|behavior| behavior.next_apply.push_back(Apply::TypeFirst(" more".into())));
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "1")).await;
    let text = client.text("a.txt");
    if report.tool_result().1 {
        assert_eq!(text, "one more");
        assert!(report.tool_result().0.contains("one more"), "{}", report.tool_result().0);
    } else {
        assert_eq!(text, "1 more", "the typed text survives");
    }
    client.close().await;
}

/// Statement 14.
#[tokio::test]
async fn each_way_in_which_an_edit_does_not_fit_has_its_own_error() {
    let before = "alpha\nbeta\nalpha\n";
    let edit = |old: &str| json!({ "old_text": old, "new_text": "x" });
    let cases = [
        ("no match", json!([edit("beta"), edit("gamma")]), "edits[1]", "could not find"),
        ("two matches", json!([edit("alpha")]), "edits[0]", "2 matches"),
        ("overlap", json!([edit("alpha\nbeta"), edit("beta\nalpha")]), "edits[1]", "overlap"),
        ("empty", json!([edit("")]), "edits[0]", "empty"),
        ("none", json!([]), "edits", "empty"),
    ];
    for open in [true, false] {
        let project = Project::new().file("a.txt", before);
        let model = ModelServer::start().await;
        let client = start(&project, &model).await;
        if open {
            client.open("a.txt");
        }
        let mut errors = std::collections::BTreeSet::new();
        for (name, edits, place, word) in &cases {
            let call = Reply::new().call("edit", json!({ "path": "a.txt", "edits": edits }));
            let report = run_call(&client, &model, call).await;
            let (result, failed) = report.tool_result();
            assert!(failed && result.contains(place) && result.contains(word), "{name}: {result}");
            assert!(errors.insert(result.to_owned()), "{name}: the error is its own");
        }
        assert_eq!(project.text("a.txt"), before);
        assert_eq!(client.applied(), []);
        client.close().await;
    }
}

/// Statement 14: several edits are matched against the original text.
#[tokio::test]
async fn several_edits_of_one_call_are_matched_against_the_original_and_sent_at_once() {
    let project = Project::new().file("a.txt", "one\ntwo\nthree\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    let edits =
        json!([{ "old_text": "three", "new_text": "one" }, { "old_text": "one", "new_text": "three" }]);
    let report =
        run_call(&client, &model, Reply::new().call("edit", json!({ "path": "a.txt", "edits": edits })))
            .await;
    assert!(!report.tool_result().1, "{:?}", report.tool_result());
    assert_eq!(client.text("a.txt"), "three\ntwo\none\n");
    assert_eq!(client.applied().len(), 1);
    let blocks = &report.only("tool_result")["metadata"]["fileDiffs"][0]["diffBlocks"];
    assert_eq!(blocks.as_array().map(Vec::len), Some(2), "{blocks}");
    client.close().await;
}

/// Statement 15.
#[tokio::test]
async fn a_fuzzy_match_is_applied_once_and_its_old_text_is_what_was_there() {
    let cases = [
        ("trailing spaces", "let a = 1;  \nlet b = 2;\n", "let a = 1;\nlet b = 2;"),
        ("curly quotes", "say(“hi”)\n", "say(\"hi\")"),
        ("dashes", "a – b — c\n", "a - b - c"),
        ("no-break space", "a\u{a0}b\n", "a b"),
    ];
    for (name, before, old) in cases {
        let project = Project::new().file("a.txt", before);
        let model = ModelServer::start().await;
        let client = start(&project, &model).await;
        client.open("a.txt");
        let report = run_call(&client, &model, Reply::new().edit("a.txt", old, "new")).await;
        let (result, failed) = report.tool_result();
        assert!(!failed && result.contains("fuzzy"), "{name}: {result}");
        let diff = &report.only("tool_result")["metadata"]["fileDiffs"][0];
        assert_eq!(diff["fuzzy"], true, "{name}: {diff}");
        let old_text = diff["diffBlocks"][0]["oldText"].as_str().expect("a text");
        assert_eq!(
            old_text.trim_end_matches('\n'),
            before.trim_end_matches('\n'),
            "{name}: what was really there"
        );
        assert_eq!(client.text("a.txt"), "new\n", "{name}");
        client.close().await;
    }
}

#[tokio::test]
async fn two_edits_of_the_same_file_in_one_step_both_land() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    model.reply(Reply::new().edit("a.txt", "one", "1").edit("a.txt", "two", "2"));
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    assert!(report.tool_results().iter().all(|(.., failed)| !failed), "{:?}", report.tool_results());
    assert_eq!((client.text("a.txt"), project.text("a.txt")), ("1\n2\n".into(), "1\n2\n".into()));
    client.close().await;
}

/// The second server has an older idea of the file: it must fail, not overwrite.
#[tokio::test]
async fn two_servers_do_not_overwrite_each_other() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let first = start(&project, &model).await;
    let second = start(&project, &model).await;
    first.open("a.txt");
    second.open("a.txt");
    run_call(&first, &model, Reply::new().edit("a.txt", "one", "1")).await;
    // The other editor has not reloaded; its clean buffer differs from the disk, so it is not saved over it.
    second.behave(|behavior| behavior.saves = false);
    run_call(&second, &model, Reply::new().edit("a.txt", "two", "2")).await;
    assert_eq!(project.text("a.txt"), "1\ntwo\n");
    assert_eq!(second.text("a.txt"), "one\n2\n");
    first.close().await;
    second.close().await;
}

/// A change of version by an undo is a change like any other.
#[tokio::test]
async fn the_agent_sees_what_the_user_undid() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    run_call(&client, &model, Reply::new().edit("a.txt", "one", "two")).await;
    client.type_over("a.txt", "two", "one");
    assert_eq!(e2e::changes(&client, &project.uri("a.txt")).await, [], "the hunk vanished with its change");
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "two", "three")).await;
    let (result, failed) = report.tool_result();
    assert!(failed && result.contains("could not find"), "{result}");
    let labels: Vec<Value> =
        client.applied().into_iter().map(|applied| applied.params["label"].clone()).collect();
    assert_eq!(labels.len(), 1, "one edit was sent: {labels:?}");
    client.close().await;
}
