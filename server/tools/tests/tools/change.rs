use crate::desk::{Desk, failed, succeeded};
use kit_protocol::{DiffBlock, FileDiff, LineSpan};
use kit_tools::ToolOutput;
use serde_json::{Value, json};

async fn edit(desk: &Desk, path: &str, edits: &[(&str, &str)]) -> ToolOutput {
    let edits: Vec<Value> =
        edits.iter().map(|(old, new)| json!({ "old_text": old, "new_text": new })).collect();
    desk.call("edit", json!({ "path": path, "edits": edits })).await
}

fn block(old: &str, new: &str, old_range: (u32, u32), new_range: (u32, u32)) -> DiffBlock {
    let span = |(start, end)| LineSpan { start, end };
    DiffBlock {
        old_text: old.to_owned(),
        new_text: new.to_owned(),
        old_range: span(old_range),
        new_range: span(new_range),
    }
}

#[tokio::test]
async fn an_edit_of_a_closed_file_changes_the_disk_and_shows_the_diff() {
    let desk = Desk::new();
    desk.write("src/a.rs", "one\r\ntwo\r\nthree");
    let output = edit(&desk, "src/a.rs", &[("two\nthree", "2\nthree"), ("one", "1")]).await;
    assert_eq!(
        output.content,
        "Applied 2 edits to src/a.rs\n@@ -1,3 +1,3 @@\n-one\n-two\n+1\n+2\n three\n\\ No newline at end of file"
    );
    assert!(!output.is_error);
    assert_eq!(desk.disk("src/a.rs"), "1\r\n2\r\nthree");
    let diff = &output.metadata.file_diffs[0];
    assert_eq!((diff.path.as_str(), diff.additions, diff.deletions), ("src/a.rs", 2, 2));
    assert_eq!(
        diff.diff_blocks,
        [block("two\r\nthree", "2\r\nthree", (1, 3), (1, 3)), block("one", "1", (0, 1), (0, 1))]
    );
}

#[tokio::test]
async fn an_open_document_is_changed_in_the_editor() {
    let desk = Desk::new();
    desk.write("a.txt", "disk\n");
    let uri = desk.open("a.txt", "disk\n");
    desk.types(&uri, "typed\n");
    let content = succeeded(edit(&desk, "a.txt", &[("typed", "edited")]).await);
    assert_eq!(
        content,
        "Applied edit to a.txt\n@@ -1,1 +1,1 @@\n-typed\n+edited\n\
         The file is open in the editor; the change is in the editor and not saved to disk yet."
    );
    assert_eq!((desk.document(&uri).as_str(), desk.disk("a.txt").as_str()), ("edited\n", "disk\n"));
    assert_eq!(*desk.editor.labels.lock().unwrap(), ["Edit a.txt"]);
}

#[tokio::test]
async fn a_clean_document_is_saved_after_the_edit() {
    let desk = Desk::new();
    desk.write("a.txt", "one\n");
    desk.open("a.txt", "one\n");
    let content = succeeded(edit(&desk, "a.txt", &[("one", "two")]).await);
    assert_eq!(content, "Applied edit to a.txt\n@@ -1,1 +1,1 @@\n-one\n+two");
    assert_eq!(desk.disk("a.txt"), "two\n");
}

#[tokio::test]
async fn an_edit_is_made_again_when_the_user_typed_meanwhile() {
    let desk = Desk::new();
    desk.write("a.txt", "one\ntwo\n");
    let uri = desk.open("a.txt", "one\ntwo\n");
    *desk.editor.types_first.lock().unwrap() = Some((uri.clone(), "zero\none\ntwo\n".to_owned()));
    let output = edit(&desk, "a.txt", &[("two", "2")]).await;
    assert_eq!(output.metadata.file_diffs[0].diff_blocks, [block("two", "2", (2, 3), (2, 3))]);
    assert_eq!(desk.document(&uri), "zero\none\n2\n");
    succeeded(output);
}

#[tokio::test]
async fn a_refused_edit_shows_the_text_that_is_there() {
    let desk = Desk::new();
    let text: String = (1..=30).map(|number| format!("line {number}\n")).collect();
    desk.write("a.txt", &text);
    let uri = desk.open("a.txt", &text);
    *desk.editor.refuses.lock().unwrap() = Some("it is busy".to_owned());
    let content = failed(edit(&desk, "a.txt", &[("line 20", "x")]).await);
    assert!(
        content.starts_with(
            "the editor did not apply the change to a.txt: it is busy. Nothing was changed. The text there now:\n"
        ),
        "{content}"
    );
    assert!(content.contains("\n20: line 20\n") && !content.contains("line 2\n"), "{content}");
    assert_eq!((desk.document(&uri), desk.disk("a.txt")), (text.clone(), text));
}

#[tokio::test]
async fn each_reason_for_no_edit_has_its_own_error_and_changes_nothing() {
    let desk = Desk::new();
    let text = "fn alpha() {\n    beta();\n}\nsame\nsame\n";
    desk.write("a.rs", text);
    let desk = &desk;
    let check = |edits: &'static [(&str, &str)], expected: &'static str| async move {
        assert_eq!(failed(edit(desk, "a.rs", edits).await), expected);
        assert_eq!(desk.disk("a.rs"), text);
    };
    check(
        &[("alpha", "x"), ("    beta(1);\n", "y")],
        "edits[1]: could not find old_text in file. The text must match exactly (including whitespace). \
         The most similar text now in the file:\n2:     beta();\nNothing was changed.",
    )
    .await;
    check(
        &[("nothing of the kind", "y")],
        "edits[0]: could not find old_text in file. The text must match exactly (including whitespace). \
         Read the file again.\nNothing was changed.",
    )
    .await;
    check(
        &[("alpha", "x"), ("same", "y")],
        "found 2 matches for edits[1].old_text at lines 4, 5; each old_text must be unique, add context.\n\
         Nothing was changed.",
    )
    .await;
    check(
        &[("alpha() {", "x"), ("() {\n", "y")],
        "edits[0] and edits[1] overlap; merge them into a single edit.\nNothing was changed.",
    )
    .await;
    check(&[("alpha", "x"), ("", "y")], "edits[1].old_text is empty.\nNothing was changed.").await;
    check(&[], "invalid arguments: edits array is required and must not be empty").await;
}

#[tokio::test]
async fn arguments_that_other_agents_are_used_to_are_taken() {
    let desk = Desk::new();
    desk.write("a.txt", "one\n");
    let arguments =
        json!({ "file_path": "a.txt", "edits": "[{\"old_string\":\"one\",\"new_string\":\"two\"}]" });
    succeeded(desk.call("edit", arguments).await);
    assert_eq!(desk.disk("a.txt"), "two\n");
}

#[tokio::test]
async fn files_that_cannot_be_edited_say_why() {
    let desk = Desk::new();
    desk.write("latin.txt", b"caf\xe9\n");
    desk.write("folder/x", "");
    desk.write("main.rs", "");
    let content = failed(edit(&desk, "latin.txt", &[("caf", "x")]).await);
    assert!(content.contains("is not UTF-8"), "{content}");
    assert_eq!(std::fs::read(desk.path("latin.txt")).unwrap(), b"caf\xe9\n");
    let content = failed(edit(&desk, "folder", &[("a", "b")]).await);
    assert!(content.contains("is a directory, not a file"), "{content}");
    assert_eq!(
        failed(edit(&desk, "mian.rs", &[("a", "b")]).await),
        "'mian.rs' does not exist. Did you mean 'main.rs'?"
    );
}

#[tokio::test]
async fn a_new_file_is_written_with_its_folders() {
    let desk = Desk::new();
    let output = desk.call("write", json!({ "path": "a/b/c.txt", "content": "one\ntwo\n" })).await;
    let expected = FileDiff {
        uri: format!("file://{}", desk.path("a/b/c.txt").display()),
        path: "a/b/c.txt".to_owned(),
        additions: 2,
        deletions: 0,
        is_new: true,
        fuzzy: false,
        diff_blocks: vec![block("", "one\ntwo\n", (0, 0), (0, 2))],
    };
    assert_eq!(output.metadata.file_diffs, [expected]);
    assert_eq!(succeeded(output), "Wrote 8 bytes to a/b/c.txt (new file).");
    assert_eq!(desk.disk("a/b/c.txt"), "one\ntwo\n");
}

#[tokio::test]
async fn a_written_file_keeps_its_line_ends_and_counts_what_changed() {
    let desk = Desk::new();
    desk.write("a.txt", "one\r\ntwo\r\nthree\r\n");
    let output = desk.call("write", json!({ "path": "a.txt", "content": "one\n2\nthree\nfour\n" })).await;
    let diff = &output.metadata.file_diffs[0];
    assert_eq!((diff.additions, diff.deletions, diff.is_new), (2, 1, false));
    assert_eq!(
        diff.diff_blocks,
        [block("two\r\n", "2\r\n", (1, 2), (1, 2)), block("", "four\r\n", (3, 3), (3, 4))]
    );
    assert_eq!(succeeded(output), "Wrote 21 bytes to a.txt (+2 -1 lines).");
    assert_eq!(desk.disk("a.txt"), "one\r\n2\r\nthree\r\nfour\r\n");
    let again = desk.call("write", json!({ "path": "a.txt", "content": "one\n2\nthree\nfour\n" })).await;
    assert_eq!(succeeded(again), "a.txt has this content already; nothing was changed.");
}

#[tokio::test]
async fn writing_an_open_document_goes_through_the_editor() {
    let desk = Desk::new();
    desk.write("a.txt", "disk\n");
    let uri = desk.open("a.txt", "disk\n");
    desk.types(&uri, "typed\n");
    let content = succeeded(desk.call("write", json!({ "path": "a.txt", "content": "new\n" })).await);
    assert!(content.contains("not saved to disk yet"), "{content}");
    assert_eq!((desk.document(&uri).as_str(), desk.disk("a.txt").as_str()), ("new\n", "disk\n"));
}

#[tokio::test]
async fn a_file_in_the_way_of_a_folder_is_an_error() {
    let desk = Desk::new();
    desk.write("a", "file");
    failed(desk.call("write", json!({ "path": "a/b", "content": "x" })).await);
    assert_eq!(desk.disk("a"), "file");
}
