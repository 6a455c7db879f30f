//! What runs unasked and what does not: modes, rules, remembered answers, and the borders of the workspace.

use e2e::{launch, permit, run_call, start};
use kit_testkit::{Answer, ModelServer, Project, Reply};
use serde_json::{Value, json};

fn bash(command: &str) -> Reply {
    Reply::new().call("bash", json!({ "command": command }))
}

/// Who asked and no longer waits takes the question back.
#[cfg(unix)]
#[tokio::test]
async fn a_question_of_a_cancelled_turn_is_withdrawn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| behavior.permission = Box::new(|_| Answer::Hold));
    model.reply(Reply::new().call("bash", json!({ "command": "touch made" })));
    let turn = client.prompt("go").await;
    let (id, question) = client.server_request("kit/permission", 0).await;
    client.command("kit.session.cancel", json!({ "session": turn.session })).await.expect("cancelled");
    let withdrawn = client.notification("kit/withdraw", |params| params["id"] == question["id"]).await;
    assert_eq!(withdrawn, json!({ "id": question["id"] }));
    client.answer(&id, json!({ "option": "" }));
    assert_eq!(client.finish(&turn).await.stop_reason(), "cancelled");
    assert!(!project.exists("made"));
    client.close().await;
}

/// Statement 19.
#[cfg(unix)]
#[tokio::test]
async fn a_shell_command_asks_once_and_a_refusal_has_no_effect() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| {
        behavior.permission = Box::new(|params| match Answer::option_of_kind(params, "rejectOnce") {
            Answer::Result(mut answer) => {
                answer["feedback"] = json!("use the build script");
                Answer::Result(answer)
            }
            other => other,
        });
    });
    let report = run_call(&client, &model, bash("touch made")).await;
    let (result, failed) = report.tool_result();
    assert!(failed && result.contains("use the build script"), "the model reads why: {result}");
    assert!(!project.exists("made"));
    let asked = client.server_requests("kit/permission");
    assert_eq!(asked.len(), 1);
    let question = &asked[0];
    assert_eq!(question["subject"]["command"], "touch made");
    assert_eq!(question["subject"]["cwd"].as_str().map(|cwd| cwd.contains("work")), Some(true), "{question}");
    assert_eq!(question["toolKind"], "execute");
    assert_eq!(question["session"], report.end()["session"]);
    let kinds: Vec<&Value> =
        question["options"].as_array().expect("options").iter().map(|option| &option["kind"]).collect();
    assert!(kinds.contains(&&json!("allowOnce")) && kinds.contains(&&json!("rejectOnce")), "{kinds:?}");
    client.close().await;
}

/// Statement 19: a remembered answer is for its session alone.
#[cfg(unix)]
#[tokio::test]
async fn an_answer_for_the_session_is_remembered_in_that_session_only() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| {
        behavior.permission = Box::new(|params| {
            let options = params["options"].as_array().cloned().unwrap_or_default();
            let option =
                options.iter().find(|option| option["kind"] == "allowAlways" && option["scope"] == "session");
            let option = option.unwrap_or_else(|| panic!("an option for the session: {params}"));
            Answer::Result(json!({ "option": option["id"] }))
        });
    });
    let asked = || client.server_requests("kit/permission").len();
    run_call(&client, &model, bash("echo one >> log")).await;
    assert_eq!(asked(), 1);
    run_call(&client, &model, bash("echo one >> log")).await;
    assert_eq!(asked(), 1, "the same command is not asked for again");
    let other = client.command("kit.session.new", json!({})).await.expect("a session")["session"].clone();
    model.reply(bash("echo one >> log"));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt_in(other.as_str().expect("an id"), "go").await;
    client.finish(&turn).await;
    assert_eq!(asked(), 2, "another session asks for itself");
    assert_eq!(project.text("log"), "one\none\none\n");
    client.close().await;
}

/// "Always" names its rule and its file, and survives a restart.
#[cfg(unix)]
#[tokio::test]
async fn an_answer_for_good_shows_its_rule_and_file_and_survives_a_restart() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| {
        behavior.permission = Box::new(|params| {
            let options = params["options"].as_array().cloned().unwrap_or_default();
            let lasting = |option: &&Value| {
                option["kind"] == "allowAlways" && (option["scope"] == "project" || option["scope"] == "user")
            };
            let option =
                options.iter().find(lasting).unwrap_or_else(|| panic!("an option for good: {params}"));
            Answer::Result(json!({ "option": option["id"] }))
        });
    });
    run_call(&client, &model, bash("touch first")).await;
    let question = client.server_requests("kit/permission")[0].clone();
    let options = question["options"].as_array().expect("options").clone();
    let lasting = options
        .iter()
        .find(|option| option["scope"] == "project" || option["scope"] == "user")
        .expect("an option");
    let (rule, label) =
        (lasting["rule"].as_str().expect("a rule"), lasting["label"].as_str().expect("a label"));
    assert!(label.contains(rule) && label.contains('.'), "the label shows rule and file: {label}");
    client.close().await;

    let client = start(&project, &model).await;
    client.behave(|behavior| behavior.permission = Box::new(|params| panic!("asked again: {params}")));
    run_call(&client, &model, bash("touch first")).await;
    assert_eq!(client.server_requests("kit/permission").len(), 0);
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn an_allowed_command_does_not_allow_what_is_chained_to_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let rules = json!({ "allow": ["Bash(echo:*)"], "deny": ["Bash(rm:*)"] });
    let client = launch(&project, &model).setting("permissions", rules).start().await;
    permit(&client, "rejectOnce");
    let asked = || client.server_requests("kit/permission").len();
    run_call(&client, &model, bash("echo fine && echo too")).await;
    assert_eq!(asked(), 0, "every segment is allowed");
    for command in [
        "echo x && touch made",
        "echo x; touch made",
        "echo x | tee made",
        "echo $(touch made)",
        "echo x > made",
        "echo `touch made`",
        "echo x & touch made",
        "echo x\ntouch made",
    ] {
        let before = asked();
        let report = run_call(&client, &model, bash(command)).await;
        assert!(report.tool_result().1, "{command}");
        assert_eq!(asked(), before + 1, "{command} asks");
    }
    assert!(!project.exists("made"));
    project.write("keep", "me");
    let before = asked();
    let report = run_call(&client, &model, bash("echo x && rm keep")).await;
    assert!(report.tool_result().1 && project.exists("keep"), "a denied segment denies the whole");
    assert_eq!(asked(), before, "what is denied is not asked for");
    client.close().await;
}

#[tokio::test]
async fn ask_mode_shows_the_change_and_a_refusal_leaves_the_file() {
    let project = Project::new().file("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).setting("mode", json!("ask")).start().await;
    client.open("a.txt");
    permit(&client, "rejectOnce");
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "two", "2")).await;
    assert!(report.tool_result().1);
    let question = client.server_requests("kit/permission")[0].clone();
    assert_eq!(question["subject"]["uri"], json!(project.uri("a.txt")));
    let block = &question["subject"]["diffBlocks"][0];
    let shown = ["oldText", "newText"].map(|name| block[name].as_str().map(str::trim_end));
    assert_eq!(shown, [Some("two"), Some("2")]);
    assert_eq!((client.text("a.txt"), project.text("a.txt")), ("one\ntwo\n".into(), "one\ntwo\n".into()));
    permit(&client, "allowOnce");
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "two", "2")).await;
    assert!(!report.tool_result().1, "{:?}", report.tool_result());
    assert_eq!(client.text("a.txt"), "one\n2\n");
    client.close().await;
}

#[tokio::test]
async fn the_mode_can_be_changed_during_a_session() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    assert_eq!(client.command("kit.mode.set", json!({ "mode": "ask" })).await, Ok(json!({ "mode": "ask" })));
    client.latest("kit/status", |status| status["mode"] == "ask").await;
    permit(&client, "rejectOnce");
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "two")).await;
    assert!(report.tool_result().1);
    assert_eq!(client.server_requests("kit/permission").len(), 1);
    client.close().await;
}

/// Statement 18.
#[cfg(unix)]
#[tokio::test]
async fn paths_outside_of_the_workspace_ask_and_a_refusal_changes_no_byte() {
    let project = Project::new().file("inside.txt", "in\n");
    std::fs::write(project.outside().join("outside.txt"), "out\n").expect("a file");
    std::os::unix::fs::symlink(project.outside(), project.path("link")).expect("a link");
    let absolute = project.outside().join("outside.txt").display().to_string();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "rejectOnce");
    let asked = || client.server_requests("kit/permission").len();
    for path in [absolute.as_str(), "../outside.txt", "link/outside.txt", "./link/./outside.txt"] {
        for call in [
            Reply::new().edit(path, "out", "changed"),
            Reply::new().call("write", json!({ "path": path, "content": "changed\n" })),
            Reply::new().call("read", json!({ "path": path })),
        ] {
            let before = asked();
            let report = run_call(&client, &model, call).await;
            let (result, failed) = report.tool_result();
            assert!(failed && !result.contains("out\n"), "{path}: {result}");
            assert_eq!(asked(), before + 1, "{path} asks");
        }
    }
    // A file that does not exist yet is judged by its nearest ancestor that does.
    let report = run_call(
        &client,
        &model,
        Reply::new().call("write", json!({ "path": "link/new/x.txt", "content": "x" })),
    )
    .await;
    assert!(report.tool_result().1 && !project.outside().join("new").exists());
    assert_eq!(std::fs::read_to_string(project.outside().join("outside.txt")).expect("the file"), "out\n");
    client.close().await;
}

/// Statement 18: with a rule there is no question.
#[cfg(unix)]
#[tokio::test]
async fn a_deny_rule_is_never_asked_about() {
    let project = Project::new().file("secret/key.txt", "key\n").file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let rules = json!({ "deny": ["Edit(secret/**)", "Read(secret/**)"], "allow": ["Edit(**)"] });
    let client = launch(&project, &model).setting("permissions", rules).start().await;
    client.behave(|behavior| behavior.permission = Box::new(|params| panic!("asked: {params}")));
    for call in [
        Reply::new().edit("secret/key.txt", "key", "x"),
        Reply::new().call("read", json!({ "path": "secret/key.txt" })),
        Reply::new().call("write", json!({ "path": "secret/new.txt", "content": "x" })),
    ] {
        let report = run_call(&client, &model, call).await;
        assert!(report.tool_result().1, "{:?}", report.tool_result());
        assert_eq!(report.only("tool_result")["metadata"]["denied"], "denied-by-rules");
    }
    assert_eq!(Project::tree(&project.path("secret")).len(), 1);
    let report = run_call(&client, &model, Reply::new().edit("a.txt", "one", "two")).await;
    assert!(!report.tool_result().1);
    client.close().await;
}

/// An untrusted workspace gives nothing of its own to the model and decides nothing.
#[tokio::test]
async fn settings_and_instructions_of_an_untrusted_workspace_have_no_effect() {
    let project = Project::new()
        .file(".kit.yml", "mode: auto\nsystem-prompt: planted instruction\npermissions:\n  allow: ['Bash']\n")
        .file("AGENTS.md", "planted instruction\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().setting("mode", Value::Null).start().await;
    permit(&client, "rejectOnce");
    model.reply(bash("touch made"));
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    assert!(report.tool_result().1 && !project.exists("made"));
    assert!(!model.request(0).await.body.to_string().contains("planted instruction"));
    client
        .command("kit.trust.set", json!({ "root": project.uri(""), "trusted": true }))
        .await
        .expect("trusted");
    client.close().await;
    // After trust is granted they count; the next start reads them.
    let client = launch(&project, &model).setting("mode", Value::Null).start().await;
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert!(model.request(2).await.body.to_string().contains("planted instruction"));
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn planted_keys_are_not_handed_to_shell_commands() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    // The test kit fails the run if a planted value is seen in traffic; here it would be in the tool's result.
    let report =
        run_call(&client, &model, bash("env | cut -d= -f1 | sort; echo \"[$ANTHROPIC_API_KEY]\"")).await;
    let (result, failed) = report.tool_result();
    assert!(!failed && result.contains("[]") && result.contains("PATH"), "{result}");
    client.close().await;
}
