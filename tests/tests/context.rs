//! What reaches the model beside the prompt: instructions, mentions, attachments, and what other servers say.

use e2e::{launch, run_call, start};
use kit_testkit::{LanguageClient, ModelServer, Profile, Project, Reply};
use serde_json::{Value, json};

/// What the model reads for a prompt in a session of its own.
async fn prompt(client: &LanguageClient, model: &ModelServer, argument: Value) -> String {
    client.command("kit.session.new", json!({})).await.expect("a session");
    model.reply(Reply::new().text("done"));
    let before = model.requests().len();
    let turn = client.prompt_with(argument).await;
    client.finish(&turn).await;
    model.request(before).await.user_texts().concat()
}

fn error(line: u32, message: &str) -> Value {
    let start = json!({ "line": line, "character": 2 });
    json!({ "range": { "start": start, "end": start }, "severity": 1, "source": "checker", "message": message })
}

#[tokio::test]
async fn instructions_of_user_and_project_are_in_the_system_prompt_which_never_changes() {
    let project = Project::new().file("AGENTS.md", "Project rules.\n").file("a.txt", "alpha\n");
    let own = project.kit_home().join("config");
    std::fs::create_dir_all(&own).expect("a folder");
    std::fs::write(own.join("AGENTS.md"), "My rules.\n").expect("a file");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    project.write("AGENTS.md", "Other rules.\n");
    model.reply(Reply::new().text("done"));
    client.run("again").await;
    let systems: Vec<String> =
        model.requests().iter().map(|request| request.body["system"].to_string()).collect();
    let (mine, theirs) = (systems[0].find("My rules."), systems[0].find("Project rules."));
    assert!(mine.is_some() && mine < theirs, "{}", systems[0]);
    assert!(systems[0].contains(&format!("Instructions from: {}", project.path("AGENTS.md").display())));
    assert_eq!((&systems[1], &systems[2]), (&systems[0], &systems[0]));
    // A new session reads them again.
    client.command("kit.session.new", json!({})).await.expect("a session");
    model.reply(Reply::new().text("done"));
    client.run("new").await;
    assert!(model.request(3).await.body["system"].to_string().contains("Other rules."));
    client.close().await;
}

#[tokio::test]
async fn nested_instructions_come_once_with_the_first_file_below_them() {
    let project = Project::new()
        .file("src/AGENTS.md", "Rules of src.\n")
        .file("src/deep/AGENTS.md", "Rules of deep.\n")
        .file("src/deep/a.txt", "alpha\n")
        .file("src/b.txt", "beta\n")
        .file("top.txt", "top\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let read = |path: &str| Reply::new().call("read", json!({ "path": path }));
    model.reply(read("top.txt"));
    model.reply(read("src/deep/a.txt").call("read", json!({ "path": "src/b.txt" })));
    model.reply(read("src/b.txt"));
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    let results: Vec<&str> = report.tool_results().iter().map(|result| result.1).collect();
    assert_eq!(results[0], "1: top");
    let both = [results[1], results[2]].concat();
    for (path, rules) in [("src/AGENTS.md", "Rules of src."), ("src/deep/AGENTS.md", "Rules of deep.")] {
        let block = format!("\n\n<instructions path=\"{path}\">\n{rules}\n</instructions>");
        assert_eq!(both.matches(&block).count(), 1, "{both}");
    }
    assert_eq!(results[3], "1: beta");
    client.close().await;
}

#[tokio::test]
async fn mentions_bring_files_lines_folders_and_unsaved_text() {
    let project = Project::new()
        .file("src/a.rs", "one\ntwo\nthree\nfour\n")
        .file("my file.txt", "blank\n")
        .file("ignored.log", "x\n")
        .file(".gitignore", "*.log\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open_text("src/a.rs", "one\nTWO\nthree\nfour\n", true);
    let text =
        prompt(&client, &model, json!({ "text": "see @src/a.rs:2-3, @\"my file.txt\" and (@src)" })).await;
    for piece in [
        "<selection path=\"src/a.rs\" lines=\"2-3\" unsaved=\"true\">\n2: TWO\n3: three\n</selection>",
        "<document path=\"my file.txt\">\n1: blank\n</document>",
        "<folder path=\"src\">\nsrc/a.rs\n</folder>",
    ] {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    assert!(text.starts_with("see @src/a.rs:2-3, "), "the words stay: {text}");
    let text =
        prompt(&client, &model, json!({ "text": "mail me@example.org, ask @alice, read `@src/a.rs`" })).await;
    assert_eq!(text, "mail me@example.org, ask @alice, read `@src/a.rs`");
    let text = prompt(&client, &model, json!({ "text": "read @src/aa.rs" })).await;
    assert!(
        text.contains("<document path=\"src/aa.rs\" error=\"it does not exist; near: src/a.rs\"/>"),
        "{text}"
    );
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_out_of_the_workspace_is_not_followed_by_a_mention() {
    let project = Project::new().file("a.txt", "alpha\n");
    std::fs::write(project.outside().join("secret.txt"), "secret-outside\n").expect("a file");
    std::os::unix::fs::symlink("../secret.txt", project.path("link.txt")).expect("a link");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let text = prompt(&client, &model, json!({ "text": "read @link.txt" })).await;
    assert!(!text.contains("secret-outside") && text.contains("it leads out of the workspace"), "{text}");
    let absolute = format!("read @{}", project.outside().join("secret.txt").display());
    let text = prompt(&client, &model, json!({ "text": absolute })).await;
    assert!(text.contains("1: secret-outside"), "whoever names it by its path means it: {text}");
    client.close().await;
}

#[tokio::test]
async fn selection_open_files_and_diagnostics_are_mentioned() {
    let project = Project::new().file("a.rs", "fn a() {}\n").file("b.rs", "fn b() {}\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    client.open_text("b.rs", "fn c() {}\n", true);
    let (a, b) = (project.uri("a.rs"), project.uri("b.rs"));
    client.behave(|behavior| behavior.diagnostics = vec![(b, json!([error(0, "no such\n  name")]))]);
    let range = json!({ "start": { "line": 0, "character": 3 }, "end": { "line": 0, "character": 4 } });
    let context = json!([{ "uri": a, "range": range }]);
    let text =
        prompt(&client, &model, json!({ "text": "@selection @open @diagnostics", "context": context })).await;
    for piece in [
        "[selected: a]",
        "<open_documents>\na.rs\nb.rs (unsaved)\n</open_documents>",
        "<diagnostics>\nb.rs:1:3 error: no such name [checker]\n</diagnostics>",
    ] {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    let text = prompt(&client, &model, json!({ "text": "@selection" })).await;
    assert!(text.contains("<selection error=\"nothing is selected\"/>"), "{text}");
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_diff_is_mentioned() {
    let project = Project::new().file("a.txt", "one\n");
    let git = |arguments: &[&str]| {
        let done = std::process::Command::new("git").args(arguments).current_dir(project.root()).output();
        assert!(done.expect("git runs").status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first"]);
    project.write("a.txt", "two\n");
    project.write("new.txt", "x\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let text = prompt(&client, &model, json!({ "text": "review @diff" })).await;
    assert!(
        text.contains("-one\n+two\n") && text.contains("[new files that git does not know: new.txt]"),
        "{text}"
    );
    client.close().await;
    // Without trust git is not run; the agent's own changes are what there is.
    project.write(".git/config", "[core]\n\tfsmonitor = touch made; false\n");
    std::fs::remove_file(project.kit_home().join("config/trusted-projects.json"))
        .expect("trust is forgotten");
    let client = launch(&project, &model).untrusted().start().await;
    model.reply(Reply::new().edit("a.txt", "two", "three"));
    model.reply(Reply::new().text("done"));
    client.run("edit").await;
    let text = prompt(&client, &model, json!({ "text": "review @diff" })).await;
    assert!(text.contains("-two\n+three\n") && !text.contains("+two"), "{text}");
    assert!(!project.exists("made"));
    client.close().await;
}

#[tokio::test]
async fn attachments_that_cannot_be_attached_are_typed_errors() {
    let project = Project::new()
        .file("shot.png", b"\x89PNG\r\n\x1a\n".as_slice())
        .file("paper.pdf", "%PDF-1.7\n")
        .file("large.png", [b"\x89PNG".as_slice(), &vec![0; 6 << 20]].concat());
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("done"));
    let attachments = json!([project.uri("shot.png"), project.uri("paper.pdf")]);
    let turn = client.prompt_with(json!({ "text": "look", "attachments": attachments })).await;
    client.finish(&turn).await;
    let body = model.request(0).await.body.to_string();
    assert!(body.contains("image/png") && body.contains("application/pdf"), "{body}");
    for (path, kind, word) in [
        ("large.png", "invalid_request", "more than the 5,242,880 that can be attached"),
        ("missing.png", "not_found", "it does not exist"),
    ] {
        let argument = json!({ "text": "look", "attachments": [project.uri(path)] });
        let error = client.command("kit.session.prompt", argument).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind);
        assert!(error.message.contains(path) && error.message.contains(word), "{}", error.message);
    }
    assert_eq!(model.requests().len(), 1);
    client.close().await;
}

#[tokio::test]
async fn new_diagnostics_follow_an_edit_and_old_ones_do_not() {
    let project = Project::new().file("a.rs", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    let uri = project.uri("a.rs");
    client.behave(|behavior| {
        behavior.diagnostics = vec![(uri.clone(), json!([error(1, "old trouble")]))];
        // The old one moved down with its line.
        let after = vec![(uri.clone(), json!([error(2, "old trouble"), error(0, "new trouble")]))];
        behavior.diagnostics_after_edit.push_back(after);
    });
    let report = run_call(&client, &model, Reply::new().edit("a.rs", "one", "one\nand")).await;
    let (result, failed) = report.tool_result();
    assert!(!failed);
    assert!(
        result.ends_with("\n\n<new_diagnostics>\na.rs:1:3 error: new trouble [checker]\n</new_diagnostics>"),
        "{result}"
    );
    // An edit that changes nothing about them adds nothing.
    let report = run_call(&client, &model, Reply::new().edit("a.rs", "and", "or")).await;
    assert!(!report.tool_result().0.contains("diagnostics"), "{:?}", report.tool_result());
    let report = run_call(&client, &model, Reply::new().call("diagnostics", json!({ "path": "a.rs" }))).await;
    assert_eq!(
        report.tool_result(),
        ("a.rs:1:3 error: new trouble [checker]\na.rs:3:3 error: old trouble [checker]", false)
    );
    client.close().await;
}

/// What the user types in a file that the agent only read reaches the model with its next call, once.
#[tokio::test]
async fn files_that_changed_since_the_model_read_them_are_named_once() {
    let project = Project::new().file("a.txt", "alpha\n").file("b.txt", "beta\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.txt");
    let read = Reply::new().call("read", json!({ "path": "a.txt" })).call("read", json!({ "path": "b.txt" }));
    model.reply(read);
    model.reply(Reply::new().text("done"));
    client.run("read them").await;
    client.type_over("a.txt", "alpha", "ALPHA");
    let mut texts = Vec::new();
    for number in 2..4 {
        model.reply(Reply::new().text("done"));
        client.run("go on").await;
        texts.push(model.request(number).await.user_texts().last().expect("a prompt").to_string());
    }
    assert!(
        texts[0].contains("<changed_files>") && texts[0].contains("\na.txt\n</changed_files>"),
        "{}",
        texts[0]
    );
    assert_eq!(texts[1], "go on");
    client.close().await;
}

#[tokio::test]
async fn the_diagnostics_tool_is_absent_where_the_client_cannot_answer() {
    let project = Project::new();
    let model = ModelServer::start().await;
    for (profile, offered) in [(Profile::Bare, false), (Profile::Full, true)] {
        let client = launch(&project, &model).profile(profile).start().await;
        let before = model.requests().len();
        model.reply(Reply::new().text("hi"));
        client.prompt("go").await;
        assert_eq!(model.request(before).await.tools().contains(&"diagnostics"), offered);
        client.latest("$/progress", |progress| progress["value"]["kind"] == "end").await;
        client.close().await;
    }
}

#[tokio::test]
async fn mentions_are_completed_fuzzily_with_open_files_first() {
    let project = Project::new()
        .file("src/compose.rs", "")
        .file("src/complete.rs", "")
        .file("target/compose.rs", "")
        .file("with blank.txt", "")
        .file(".gitignore", "target\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("src/complete.rs");
    let complete = async |argument: Value| {
        let answer = client.command("kit.prompt.complete", argument).await.expect("completions");
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        let text = |item: &Value| item["insertText"].as_str().unwrap_or_default().to_owned();
        (items.iter().map(text).collect::<Vec<_>>(), items)
    };
    let (texts, items) = complete(json!({ "text": "look at @comp" })).await;
    assert_eq!(texts, ["@src/complete.rs ", "@src/compose.rs "]);
    assert_eq!(
        items[0]["range"],
        json!({ "start": { "line": 0, "character": 8 }, "end": { "line": 0, "character": 13 } })
    );
    let position = json!({ "line": 1, "character": 4 });
    let (texts, _) = complete(json!({ "text": "é\n@bla tail", "position": position })).await;
    assert_eq!(texts, ["@\"with blank.txt\" "]);
    let (texts, _) = complete(json!({ "text": "@" })).await;
    for expected in ["@selection ", "@diagnostics ", "@diff ", "@open ", "@src/"] {
        assert!(texts.contains(&expected.to_owned()), "{expected} in {texts:?}");
    }
    let (texts, _) = complete(json!({ "text": "no mention" })).await;
    assert_eq!(texts, Vec::<String>::new());
    client.close().await;
}
