//! Settings that change while the server runs: in the user's file, in the project's, and in the editor.

use e2e::{launch, permit};
use kit_testkit::{Gate, LanguageClient, Launch, ModelServer, Profile, Project, Reply, TokenCount, Wire};
use serde_json::{Value, json};

const FIRST: &str = "anthropic/claude-sonnet-4-5";
const SECOND: &str = "anthropic/claude-haiku-4-5";

/// A server whose model and mode come from the user's file alone.
fn from_files(project: &Project, model: &ModelServer, user: &str) -> Launch {
    write_user(project, user);
    let environment = Wire::Messages.environment(&model.url());
    environment.into_iter().fold(Launch::new(project), |launch, (name, value)| launch.env(&name, &value))
}

fn write_user(project: &Project, text: &str) {
    std::fs::write(project.kit_home().join(".kit.yml"), text).expect("the user's settings can be written");
}

async fn status(client: &LanguageClient, mode: &str, model: &str) {
    client.latest("kit/status", |status| status["mode"] == mode && status["model"] == model).await;
}

#[tokio::test]
async fn a_changed_file_takes_effect_in_open_sessions_but_for_what_the_user_chose() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = from_files(&project, &model, &format!("model: {FIRST}\nmode: edit\n")).start().await;
    status(&client, "edit", FIRST).await;
    model.reply(Reply::new().text("one"));
    client.run("one").await;

    // A turn that runs keeps its model and gets the new mode at once.
    let gate = Gate::new();
    model.reply(Reply::new().text("two").gate(&gate).call("ls", json!({})));
    let turn = client.prompt("two").await;
    gate.reached().await;
    write_user(&project, &format!("model: {SECOND}\nmode: plan\n"));
    client.latest("kit/status", |status| status["mode"] == "plan").await;
    model.reply(Reply::new().text("still two"));
    gate.open();
    client.finish(&turn).await;
    let change = client.event(|event| event["type"] == "model_change" && event["source"] == "settings").await;
    assert_eq!((&change["model"], &change["previous"]), (&json!(SECOND), &json!(FIRST)));
    model.reply(Reply::new().text("three"));
    client.run("three").await;
    let used: Vec<Value> = model.requests().iter().map(|request| request.body["model"].clone()).collect();
    assert_eq!(used, ["claude-sonnet-4-5", "claude-sonnet-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"]);
    let tools = model.request(3).await.tools().join(" ");
    assert!(!tools.contains("bash"), "plan mode offers nothing that runs something: {tools}");

    // The project is above the user, and the user's own choice above both.
    client.command("kit.mode.set", json!({ "mode": "edit" })).await.expect("the mode can be set");
    project.write(".kit.yml", format!("model: {FIRST}\nmode: ask\n"));
    status(&client, "edit", FIRST).await;
    client.command("kit.model.set", json!({ "model": SECOND })).await.expect("the model can be set");
    std::fs::remove_file(project.path(".kit.yml")).expect("the file can be removed");
    write_user(&project, &format!("model: {FIRST}\nmode: auto\nmax-steps: 1\nnonsense: 1\n"));
    client
        .latest("textDocument/publishDiagnostics", |marks| {
            marks["diagnostics"][0]["message"].as_str().is_some_and(|text| text.contains("`nonsense`"))
        })
        .await;
    model.reply(Reply::new().call("ls", json!({})));
    let chosen = client.run("four").await;
    assert_eq!(model.requests().last().expect("a request").body["model"], "claude-haiku-4-5");
    client.latest("kit/status", |status| status["mode"] == "edit" && status["model"] == SECOND).await;
    assert_eq!(chosen.stop_reason(), "max_steps", "{:?}", chosen.end());
    client.close().await;
}

#[tokio::test]
async fn a_broken_file_keeps_what_held_is_marked_at_its_line_and_told_once() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let good = format!("model: {FIRST}\nmode: plan\n");
    let client = from_files(&project, &model, &good).start().await;
    status(&client, "plan", FIRST).await;
    let path = project.kit_home().join(".kit.yml");
    let uri = kit_testkit::file_uri(&path);
    let marks = async |check: &dyn Fn(&Value) -> bool| {
        let about = |marks: &Value| marks["uri"] == json!(uri) && check(&marks["diagnostics"]);
        client.latest("textDocument/publishDiagnostics", about).await["diagnostics"].clone()
    };
    write_user(&project, "model: anthropic/other\nmode: [\n");
    let broken = marks(&|marks| marks[0]["message"].as_str().is_some_and(|text| text.contains("YAML"))).await;
    assert!(
        broken[0]["message"].as_str().is_some_and(|text| text.ends_with("holds until it is mended")),
        "{broken}"
    );
    write_user(&project, &format!("model: {SECOND}\nmode: plam\n"));
    let wrong = marks(&|marks| marks[0]["range"]["start"]["line"] == 1).await;
    assert!(
        wrong[0]["message"].as_str().is_some_and(|text| text.contains("`mode`") && text.contains("before")),
        "{wrong}"
    );
    status(&client, "plan", SECOND).await;
    write_user(&project, &format!("model: {SECOND}\nmode: ask\n"));
    marks(&|marks| *marks == json!([])).await;
    status(&client, "ask", SECOND).await;
    let told: Vec<Value> = client.notifications("window/showMessage");
    let about = |word: &str| {
        let texts = told.iter().filter_map(|message| message["message"].as_str());
        texts.filter(|text| text.contains(word)).count()
    };
    assert_eq!((about("YAML"), about("`mode`")), (1, 1), "{told:?}");
    client.close().await;
}

#[tokio::test]
async fn settings_of_the_editor_take_effect_when_they_are_sent_or_fetched() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = launch(&project, &model).start().await;
    let sent = json!({ "settings": { "kit": { "model": SECOND, "mode": "plan" } } });
    client.notify("workspace/didChangeConfiguration", sent);
    status(&client, "plan", SECOND).await;
    // Whoever says nothing has nothing to say.
    client.notify("workspace/didChangeConfiguration", json!({ "settings": null }));
    client.notify("workspace/didChangeConfiguration", json!({ "settings": {} }));
    client.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": { "model": FIRST, "mode": "plan" } }),
    );
    status(&client, "plan", FIRST).await;
    client.close().await;

    let capabilities = json!({ "workspace": { "configuration": true }, "experimental": { "kit": { "version": 1, "status": true } } });
    let client = launch(&project, &model).profile(Profile::Custom(capabilities)).start().await;
    client.behave(|behavior| behavior.settings = json!({ "mode": "ask", "model": SECOND }));
    client.notify("workspace/didChangeConfiguration", json!({ "settings": null }));
    status(&client, "ask", SECOND).await;
    client.close().await;
}

#[tokio::test]
async fn rules_and_budgets_hold_at_once_also_for_the_turn_that_runs() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let user = |further: &str| format!("model: {FIRST}\n{further}");
    let client = from_files(&project, &model, &user("mode: edit\n")).start().await;
    permit(&client, "allowOnce");
    let gate = Gate::new();
    model.reply(Reply::new().gate(&gate).call("bash", json!({ "command": "touch made" })));
    let turn = client.prompt("make it").await;
    gate.reached().await;
    write_user(&project, &user("mode: ask\npermissions:\n  deny: [Bash]\nbudget:\n  turn: {tokens: 10}\n"));
    client.latest("kit/status", |status| status["mode"] == "ask").await;
    let spent = TokenCount { input: 100, output: 10, ..TokenCount::default() };
    model.reply(Reply::new().text("never asked for").tokens(spent));
    client.behave(|behavior| {
        behavior.ask = Box::new(|_| kit_testkit::Answer::Result(json!({ "cancelled": true })))
    });
    gate.open();
    let report = client.finish(&turn).await;
    assert!(report.tool_result().1 && !project.exists("made"), "{:?}", report.tool_results());
    assert_eq!(report.stop_reason(), "budget", "{:?}", report.end());
    assert_eq!(model.requests().len(), 1);
    client.close().await;
}

#[tokio::test]
async fn skills_agents_and_tools_follow_the_files_and_settings() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = from_files(&project, &model, &format!("model: {FIRST}\nmode: edit\n")).start().await;
    status(&client, "edit", FIRST).await;
    // A malformed file is marked without anybody looking at it, and no longer when it is mended.
    project.write(".kit/agents/bad.md", "---\nname: bad\n---\ntext\n");
    let uri = project.uri(".kit/agents/bad.md");
    let marked = client
        .latest("textDocument/publishDiagnostics", |marks| {
            marks["uri"] == json!(uri) && marks["diagnostics"] != json!([])
        })
        .await;
    assert!(marked.to_string().contains("description"), "{marked}");
    project.write(".kit/agents/bad.md", "---\nname: bad\ndescription: good\n---\ntext\n");
    client
        .latest("textDocument/publishDiagnostics", |marks| {
            marks["uri"] == json!(uri) && marks["diagnostics"] == json!([])
        })
        .await;
    write_user(
        &project,
        &format!("model: {FIRST}\nmode: ask\nexclude-core-tools: [bash]\nno-skills: true\n"),
    );
    status(&client, "ask", FIRST).await;
    model.reply(Reply::new().text("one"));
    client.run("one").await;
    let tools = model.request(0).await.tools().join(" ");
    assert!(
        tools.contains("grep") && !tools.contains("bash") && !tools.contains("activate_skill"),
        "{tools}"
    );
    write_user(&project, &format!("model: {FIRST}\nmode: edit\n"));
    status(&client, "edit", FIRST).await;
    model.reply(Reply::new().text("two"));
    client.run("two").await;
    assert!(model.request(1).await.tools().contains(&"bash"));
    client.close().await;
}

/// The marks of a file, once they fit.
async fn marks(client: &LanguageClient, uri: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let about = |marks: &Value| marks["uri"] == json!(uri) && fits(&marks["diagnostics"]);
    client.latest("textDocument/publishDiagnostics", about).await["diagnostics"].clone()
}

#[tokio::test]
async fn rules_that_cannot_be_read_and_keys_that_are_none_are_marked_and_the_rest_of_the_file_holds() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let wrong = format!(
        "model: {FIRST}\nmode: auto\npermissions:\n  deny:\n    - Bash(rm\n    - Bash(touch:*)\n  denny: [Read]\ncompaction:\n  keep: 3\n"
    );
    let client = from_files(&project, &model, &wrong).start().await;
    let uri = kit_testkit::file_uri(&project.kit_home().join(".kit.yml"));
    let shown = marks(&client, &uri, |marks| marks.as_array().is_some_and(|marks| marks.len() == 3)).await;
    let mut told: Vec<(u64, &str)> = shown
        .as_array()
        .expect("marks")
        .iter()
        .filter_map(|mark| {
            let message = mark["message"].as_str()?.split(':').next()?.split("; there are").next()?;
            Some((mark["range"]["start"]["line"].as_u64()?, message))
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            (4, "the rule `Bash(rm` cannot be read, so its tool asks until it is mended"),
            (6, "`denny` is no setting under `permissions`; did you mean `deny`?"),
            (8, "`keep` is no setting under `compaction`"),
        ]
    );
    // What can be read of the same file denies, and what cannot asks.
    permit(&client, "rejectOnce");
    for command in ["touch made", "echo hi"] {
        model.reply(Reply::new().call("bash", json!({ "command": command })));
    }
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    let results = report.tool_results();
    assert!(results[0].1.contains("denied by `Bash(touch:*)`"), "{results:?}");
    assert_eq!(client.server_requests("kit/permission").len(), 1, "{results:?}");
    let doctor = client.command("kit.doctor", json!({})).await.expect("it is examined");
    let checks = doctor["checks"].as_array().expect("checks");
    let settings = checks.iter().find(|check| check["name"] == "settings").expect("settings are checked");
    assert!(
        settings["ok"] == false && settings["detail"].to_string().contains(".kit.yml:5: the rule"),
        "{settings}"
    );

    write_user(&project, &format!("model: {FIRST}\n"));
    marks(&client, &uri, |marks| *marks == json!([])).await;
    client.close().await;

    std::fs::create_dir_all(project.path(".")).expect("the folder is there");
    project.write(".kit.yml", "permissions:\n  allow: [Bash(a && b)]\n");
    let launch = from_files(&project, &model, &format!("model: {FIRST}\n"));
    let explained = launch.run(&["config", "explain"]).await;
    assert_eq!(explained.code, Some(1), "{explained:?}");
    assert!(
        explained.stderr.contains(".kit.yml:2: the rule `Bash(a && b)` cannot be read"),
        "{}",
        explained.stderr
    );
}

#[tokio::test]
async fn each_trusted_root_has_a_say_and_a_sessions_own_root_the_last_word() {
    let project = Project::new();
    let model = ModelServer::start().await;
    std::fs::create_dir_all(project.path(".")).expect("the folder is there");
    project.write(".kit.yml", "system-prompt: Of the first.\n");
    let client = from_files(&project, &model, &format!("model: {FIRST}\nmode: edit\n")).start().await;
    let second = project.outside().join("second");
    std::fs::create_dir_all(&second).expect("another folder");
    let write_second = |text: &str| std::fs::write(second.join(".kit.yml"), text).expect("it can be written");
    let rules = "permissions:\n  allow: [\"Bash(touch:*)\"]\n";
    write_second(&format!("model: {SECOND}\nsystem-prompt: Of the second.\nmax-tokens: 77\n{rules}"));
    let uri = kit_testkit::file_uri(&second);
    let added = json!({ "event": { "added": [{ "uri": uri, "name": "second" }], "removed": [] } });
    client.notify("workspace/didChangeWorkspaceFolders", added);
    let request = async |folder: &std::path::Path, text: &str, answer: Reply| {
        let made = client.command("kit.session.new", json!({ "path": folder })).await.expect("a session");
        let number = model.requests().len();
        model.reply(answer);
        let turn = client.prompt_in(made["session"].as_str().expect("an id"), text).await;
        let report = client.finish(&turn).await;
        (model.request(number).await.body, report)
    };
    let answered = || Reply::new().text("done");
    // Nobody trusts the second root yet.
    let (body, _) = request(&second, "one", answered()).await;
    let says = |body: &Value, word: &str| body["system"].to_string().contains(word);
    assert!(says(&body, "Of the first.") && !says(&body, "Of the second."), "{body}");

    client.command("kit.trust.set", json!({ "root": uri, "trusted": true })).await.expect("it is trusted");
    let (body, _) = request(&second, "two", answered()).await;
    assert!(says(&body, "Of the second.") && !says(&body, "Of the first."), "{body}");
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("claude-haiku-4-5"), &json!(77)));
    // Both say something about the first root, and what is said there wins.
    let (body, _) = request(&project.root(), "three", answered()).await;
    assert!(says(&body, "Of the first.") && !says(&body, "Of the second."), "{body}");
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("claude-haiku-4-5"), &json!(77)));

    // What one root allows is allowed to its own sessions alone.
    permit(&client, "rejectOnce");
    for (folder, questions) in [(second.clone(), 0), (project.root(), 1)] {
        model.reply(Reply::new().call("bash", json!({ "command": "touch made" })));
        let (_, report) = request(&folder, "touch", answered()).await;
        let asked = client.server_requests("kit/permission").len();
        assert_eq!((asked, folder.join("made").exists()), (questions, questions == 0), "{report:?}");
    }

    // A change of either takes effect.
    write_second(&format!("model: {FIRST}\nsystem-prompt: Anew.\nmode: ask\n"));
    client.latest("kit/status", |status| status["mode"] == "ask").await;
    let (body, _) = request(&second, "four", answered()).await;
    assert!(says(&body, "Anew.") && body["model"] == "claude-sonnet-4-5", "{body}");
    client.close().await;
}
