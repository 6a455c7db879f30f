//! Skills: listed, activated by the model or the user, narrowed by what they allow, and left out when they are wrong.

use e2e::{launch, permit, start};
use kit_testkit::{ModelServer, Project, Reply};
use serde_json::{Value, json};

const DEPLOY: &str =
    "---\nname: deploy\ndescription: Brings a build to a server\n---\nAsk before you push.\n";

#[tokio::test]
async fn a_skill_is_listed_in_the_system_prompt_and_activated_once() {
    let project = Project::new()
        .file(".agents/skills/deploy/SKILL.md", DEPLOY)
        .file(".agents/skills/deploy/scripts/push.sh", "echo\n")
        .file(".kit/skills/review.md", "---\ndescription: Reads a change\n---\nBe brief.\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let activate = || Reply::new().call("activate_skill", json!({ "name": "deploy" }));
    model.reply(activate());
    model.reply(activate());
    model.reply(Reply::new().call("activate_skill", json!({ "name": "deplyo" })));
    model.reply(Reply::new().text("done"));
    let report = client.run("deploy it").await;

    let first = model.request(0).await;
    let system = first.body["system"].to_string();
    let (deploy, review) = (system.find("<name>deploy</name>"), system.find("<name>review</name>"));
    assert!(deploy.is_some() && deploy < review, "{system}");
    assert!(!system.contains("Ask before you push"), "the text comes with the activation only");
    let tool =
        first.body["tools"].as_array().expect("tools").iter().find(|tool| tool["name"] == "activate_skill");
    assert_eq!(
        tool.expect("the tool")["input_schema"]["properties"]["name"]["enum"],
        json!(["deploy", "review"])
    );

    let results = report.tool_results();
    let place = project.path(".agents/skills/deploy/SKILL.md");
    let folder = place.parent().expect("a folder").display().to_string();
    assert_eq!(
        results[0].1,
        format!(
            "<skill_content name=\"deploy\" location=\"{}\">\nAsk before you push.\n</skill_content>\n\
             <skill_resources folder=\"{folder}\">\nscripts/push.sh\n</skill_resources>",
            place.display()
        )
    );
    assert_eq!(results[1].1, "The skill \"deploy\" is already loaded.");
    assert_eq!((results[2].1, results[2].2), ("unknown skill \"deplyo\"; you may mean `deploy`", true));
    // The beginning of every request is the same, byte by byte.
    let systems: Vec<Value> = model.requests().iter().map(|request| request.body["system"].clone()).collect();
    assert!(systems.iter().all(|system| *system == systems[0]));
    client.close().await;
}

#[tokio::test]
async fn the_user_activates_a_skill_with_a_prompt() {
    let project = Project::new().file(
        ".kit/skills/private.md",
        "---\ndescription: d\ndisable-model-invocation: true\n---\nOnly for people.\n",
    );
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("done"));
    let report = client.run("/skill:private do it").await;
    assert_eq!(report.only("turn_start")["prompt"], "/skill:private do it");
    let request = model.request(0).await;
    let texts = request.user_texts().concat();
    assert!(texts.contains("/skill:private do it") && texts.contains("Only for people."), "{texts}");
    assert!(!request.tools().contains(&"activate_skill"), "the model may activate none");
    let unknown =
        client.command("kit.session.prompt", json!({ "text": "/skill:privat" })).await.expect_err("unknown");
    assert_eq!(unknown.kind(), "not_found");
    assert_eq!(unknown.message, "there is no command `/skill:privat`; you may mean `skill:private`");
    client.close().await;
}

/// Upstream's fault L8: `allowed-tools` was a word without effect.
#[cfg(unix)]
#[tokio::test]
async fn allowed_tools_hold_while_the_skill_is_active_and_no_longer() {
    let project = Project::new()
        .file("a.txt", "alpha\n")
        .file(".kit/skills/look.md", "---\ndescription: d\nallowed-tools: Read Bash(echo:*)\n---\nLook.\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    model.reply(Reply::new().call("activate_skill", json!({ "name": "look" })));
    model.reply(
        Reply::new()
            .call("read", json!({ "path": "a.txt" }))
            .edit("a.txt", "alpha", "beta")
            .call("bash", json!({ "command": "echo hi" }))
            .call("bash", json!({ "command": "echo hi; touch made" })),
    );
    model.reply(Reply::new().text("done"));
    let report = client.run("look").await;
    let failed: Vec<(&str, bool)> = report.tool_results().iter().map(|result| (result.0, result.2)).collect();
    assert_eq!(
        failed,
        [("activate_skill", false), ("read", false), ("edit", true), ("bash", false), ("bash", true)]
    );
    let edit = report.tool_results()[2].1.to_owned();
    assert!(edit.contains("the active skill `look` allows only Read, Bash(echo:*)"), "{edit}");
    assert!(project.text("a.txt") == "alpha\n" && !project.exists("made"));
    // The next turn is free again.
    model.reply(Reply::new().edit("a.txt", "alpha", "beta"));
    model.reply(Reply::new().text("done"));
    client.run("now edit").await;
    assert_eq!(project.text("a.txt"), "beta\n");
    // A skill that the user names holds from the beginning of the turn.
    model.reply(Reply::new().edit("a.txt", "beta", "gamma"));
    model.reply(Reply::new().text("done"));
    let report = client.run("/skill:look again").await;
    assert!(report.tool_result().1 && project.text("a.txt") == "beta\n");
    client.close().await;
}

#[tokio::test]
async fn a_malformed_skill_is_left_out_with_a_mark_at_its_line_until_it_is_mended() {
    let project = Project::new()
        .file(".kit/skills/bad.md", "---\nname: bad\ntags: [x]\n---\ntext\n")
        .file(".kit/skills/deploy.md", DEPLOY);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let listed = client.command("kit.command.list", json!({})).await.expect("a list");
    assert_eq!(listed["commands"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["commands"][0]["name"], "skill:deploy");
    let uri = project.uri(".kit/skills/bad.md");
    let marked =
        client.notification("textDocument/publishDiagnostics", |marks| marks["uri"] == json!(uri)).await;
    assert_eq!(marked["diagnostics"].as_array().map(Vec::len), Some(1), "{marked}");
    assert_eq!(marked["diagnostics"][0]["source"], "kit");
    assert!(
        marked["diagnostics"][0]["message"].as_str().is_some_and(|text| text.contains("`description`")),
        "{marked}"
    );
    project.write(".kit/skills/bad.md", "---\nname: bad\ndescription: now good\n---\ntext\n");
    client.command("kit.command.list", json!({})).await.expect("a list");
    client
        .latest("textDocument/publishDiagnostics", |marks| {
            marks["uri"] == json!(uri) && marks["diagnostics"] == json!([])
        })
        .await;
    client.close().await;
}

#[tokio::test]
async fn settings_add_disable_and_leave_out_skills() {
    let project = Project::new()
        .file(".kit/skills/deploy.md", DEPLOY)
        .file("more/extra.md", "---\ndescription: e\n---\nx\n");
    let model = ModelServer::start().await;
    let listed = async |settings: &[(&str, Value)]| -> Vec<String> {
        let launch = settings
            .iter()
            .fold(launch(&project, &model), |launch, (name, value)| launch.setting(name, value.clone()));
        let client = launch.start().await;
        let answer = client.command("kit.command.list", json!({})).await.expect("a list");
        client.close().await;
        let commands = answer["commands"].as_array().cloned().unwrap_or_default();
        commands.iter().map(|command| command["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(listed(&[("skillsDir", json!("more"))]).await, ["skill:deploy", "skill:extra"]);
    assert_eq!(listed(&[("skill", json!(["more/extra.md"]))]).await, ["skill:deploy", "skill:extra"]);
    assert_eq!(listed(&[("skillDisable", json!(["deploy"]))]).await, Vec::<String>::new());
    assert_eq!(listed(&[("noSkills", json!(true))]).await, Vec::<String>::new());
}
