//! Edits of closed files: compare and swap on disk, and every kind of file that must not be touched.

use e2e::{hunk_ids, run_call, start};
use kit_testkit::{Gate, ModelServer, Project, Reply};
use serde_json::json;

/// Statement 12 for closed files.
#[tokio::test]
async fn untouched_bytes_of_a_closed_file_stay_as_they_are() {
    /// Name, bytes before, text to find, replacement, bytes after.
    type Case = (&'static str, &'static [u8], &'static str, &'static str, &'static [u8]);
    let cases: [Case; 6] = [
        ("LF", b"one\ntwo\n", "two", "2", b"one\n2\n"),
        ("CRLF", b"one\r\ntwo\r\n", "two", "2\n3", b"one\r\n2\r\n3\r\n"),
        ("BOM", b"\xef\xbb\xbfone\ntwo\n", "one", "1", b"\xef\xbb\xbf1\ntwo\n"),
        ("BOM and CRLF", b"\xef\xbb\xbfone\r\ntwo", "two", "2", b"\xef\xbb\xbfone\r\n2"),
        ("no final newline", b"one\ntwo", "one", "1", b"1\ntwo"),
        ("mixed", b"a\r\nb\nc\r\n", "b", "B", b"a\r\nB\nc\r\n"),
    ];
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    for (index, (name, before, old, new, after)) in cases.iter().enumerate() {
        let path = format!("case-{index}.txt");
        project.write(&path, before);
        let report = run_call(&client, &model, Reply::new().edit(&path, old, new)).await;
        assert!(!report.tool_result().1, "{name}: {:?}", report.tool_result());
        assert_eq!(project.bytes(&path), *after, "{name}");
    }
    assert_eq!(client.applied(), [], "no file was opened in the editor to edit it");
    client.close().await;
}

/// Statement 16.
#[tokio::test]
async fn a_new_file_gets_its_folders_and_undoing_it_takes_it_away() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let call = Reply::new().call("write", json!({ "path": "deep/er/new.txt", "content": "one\ntwo\n" }));
    let report = run_call(&client, &model, call).await;
    let diff = &report.only("tool_result")["metadata"]["fileDiffs"][0];
    assert_eq!(
        (&diff["isNew"], &diff["additions"], &diff["deletions"]),
        (&json!(true), &json!(2), &json!(0))
    );
    assert_eq!(project.text("deep/er/new.txt"), "one\ntwo\n");
    let review = e2e::review(&client).await;
    assert_eq!(review["files"][0]["status"], "created");
    e2e::decide(&client, "kit.review.undo", json!({ "uri": project.uri("deep/er/new.txt") })).await;
    assert!(!project.exists("deep/er/new.txt"));
    assert_eq!(e2e::review(&client).await["files"], json!([]));
    // Taking the undo back brings the file again.
    e2e::decide(&client, "kit.review.revert", json!({})).await;
    assert_eq!(project.text("deep/er/new.txt"), "one\ntwo\n");
    client.close().await;
}

/// Statement 16.
#[tokio::test]
async fn writing_over_a_file_reports_what_really_changed() {
    let project = Project::new().file("a.txt", "one\ntwo\nthree\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let call = Reply::new().call("write", json!({ "path": "a.txt", "content": "one\n2\nthree\nfour\n" }));
    let report = run_call(&client, &model, call).await;
    let diff = &report.only("tool_result")["metadata"]["fileDiffs"][0];
    assert_eq!((&diff["additions"], &diff["deletions"]), (&json!(2), &json!(1)));
    assert_ne!(diff["isNew"], json!(true));
    let blocks = diff["diffBlocks"].as_array().expect("blocks");
    let texts: Vec<_> =
        blocks.iter().map(|block| (block["oldText"].as_str(), block["newText"].as_str())).collect();
    assert_eq!(texts, [(Some("two\n"), Some("2\n")), (Some(""), Some("four\n"))]);
    assert_eq!(hunk_ids(&client, &project.uri("a.txt")).await.len(), 2);
    client.close().await;
}

#[tokio::test]
async fn writing_the_same_text_again_is_no_change() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let report =
        run_call(&client, &model, Reply::new().call("write", json!({ "path": "a.txt", "content": "one\n" })))
            .await;
    assert!(!report.tool_result().1);
    assert_eq!(e2e::review(&client).await["files"], json!([]));
    client.close().await;
}

/// Another program changes the file between the agent's reading and its edit.
#[tokio::test]
async fn an_edit_of_a_file_that_changed_on_disk_fails_and_keeps_the_change() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().gate(&gate).edit("a.txt", "one", "1"));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("go").await;
    gate.reached().await;
    project.write("a.txt", "changed by a build\ntwo\n");
    gate.open();
    let report = client.finish(&turn).await;
    let (_, result, failed) = report.tool_results()[1];
    assert!(failed && result.contains("edits[0]"), "{result}");
    assert_eq!(project.text("a.txt"), "changed by a build\ntwo\n");
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn mode_and_symbolic_link_of_a_file_survive_an_edit() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let project = Project::new().file("real/tool.sh", "#!/bin/sh\necho one\n");
    std::fs::set_permissions(project.path("real/tool.sh"), std::fs::Permissions::from_mode(0o755))
        .expect("a mode");
    symlink(project.path("real/tool.sh"), project.path("link.sh")).expect("a link");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let report = run_call(&client, &model, Reply::new().edit("link.sh", "one", "two")).await;
    assert!(!report.tool_result().1, "{:?}", report.tool_result());
    assert_eq!(project.text("real/tool.sh"), "#!/bin/sh\necho two\n");
    assert!(project.path("link.sh").is_symlink());
    let mode = std::fs::metadata(project.path("real/tool.sh")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    client.close().await;
}

/// Two names of one file are one document.
#[cfg(unix)]
#[tokio::test]
async fn an_edit_through_a_link_reaches_the_open_document() {
    let project = Project::new().file("real/a.txt", "one\n");
    std::os::unix::fs::symlink(project.path("real"), project.path("link")).expect("a link");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("real/a.txt");
    client.type_over("real/a.txt", "one", "typed");
    let report = run_call(&client, &model, Reply::new().edit("link/a.txt", "typed", "edited")).await;
    assert!(!report.tool_result().1, "{:?}", report.tool_result());
    assert_eq!((client.text("real/a.txt"), project.text("real/a.txt")), ("edited\n".into(), "one\n".into()));
    client.close().await;
}

#[tokio::test]
async fn a_file_that_is_not_utf_8_is_refused_and_never_converted() {
    for (bytes, word) in
        [(&b"caf\xe9 one\n"[..], "UTF-8"), (b"\xff\xfeo\0n\0e\0", "binary"), (b"one\0two\xff", "binary")]
    {
        let project = Project::new().file("a.txt", bytes);
        let model = ModelServer::start().await;
        let client = start(&project, &model).await;
        let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "two")).await;
        let (result, failed) = report.tool_result();
        assert!(failed && result.contains(word), "{bytes:?}: {result}");
        assert_eq!(project.bytes("a.txt"), bytes);
        client.close().await;
    }
}

#[tokio::test]
async fn a_folder_a_missing_file_and_a_file_in_place_of_a_folder_are_errors() {
    let project = Project::new().file("folder/a.txt", "one\n").file("plain", "text\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let before = Project::tree(&project.root());
    let calls = [
        Reply::new().edit("folder", "one", "two"),
        Reply::new().edit("missing.txt", "one", "two"),
        Reply::new().call("write", json!({ "path": "folder", "content": "x" })),
        Reply::new().call("write", json!({ "path": "plain/below.txt", "content": "x" })),
        Reply::new().call("read", json!({ "path": "missing.txt" })),
        Reply::new().call("read", json!({ "path": "folder" })),
        Reply::new().call("ls", json!({ "path": "plain" })),
    ];
    for call in calls {
        let report = run_call(&client, &model, call.clone()).await;
        assert!(report.tool_result().1, "{call:?}: {:?}", report.tool_result());
    }
    assert_eq!(Project::tree(&project.root()), before);
    client.close().await;
}

#[tokio::test]
async fn an_open_file_that_vanished_from_disk_is_still_edited_in_the_editor() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    client.behave(|behavior| behavior.saves = false);
    std::fs::remove_file(project.path("a.txt")).expect("the file was there");
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "two")).await;
    assert!(!report.tool_result().1, "{:?}", report.tool_result());
    assert_eq!(client.text("a.txt"), "two\n");
    assert!(!project.exists("a.txt"), "the server does not write a file that is open");
    client.close().await;
}

/// A file system that takes no more bytes must not eat the file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_the_file_as_it_was() {
    // Root may write into any folder, but nobody can create a file in /proc.
    let project = Project::new();
    std::os::unix::fs::symlink("/proc/self", project.path("proc")).expect("a link");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    e2e::permit(&client, "allowOnce");
    let call = Reply::new().call("write", json!({ "path": "proc/kit-was-here", "content": "x" }));
    let report = run_call(&client, &model, call).await;
    assert!(report.tool_result().1, "{:?}", report.tool_result());
    client.close().await;
}
