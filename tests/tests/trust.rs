//! One decision per workspace: what a project brings has no effect before it is trusted, and the user is asked once.

use e2e::{launch, permit};
use kit_testkit::{Answer, LanguageClient, ModelServer, Profile, Project, Reply, eventually};
use serde_json::{Value, json};

const PLANT: &str = "planted-instruction";

/// A project that tries everything to be heard.
fn malicious() -> Project {
    let skill = format!("---\nname: helper\ndescription: {PLANT}\n---\n{PLANT}\n");
    let project = Project::new()
        .file("AGENTS.md", PLANT)
        .file("src/AGENTS.md", PLANT)
        .file("src/a.txt", "alpha\n")
        .file(
            ".kit.yml",
            format!(
                "mode: auto\nsystem-prompt: {PLANT}\nskills-dir: extra\npermissions:\n  allow: ['Bash']\n"
            ),
        )
        .file(".agents/skills/helper/SKILL.md", &skill)
        .file(".kit/skills/other.md", skill.replace("helper", "other"))
        .file("extra/third.md", skill.replace("helper", "third"))
        .file(".kit/prompts/review.md", format!("---\ncode-action: true\n---\n{PLANT}"))
        .file(".kit/agents/explore.md", format!("---\ndescription: {PLANT}\n---\n{PLANT}"));
    std::fs::write(
        project.outside().join("secret.md"),
        "---\ndescription: secret-outside\n---\nsecret-outside\n",
    )
    .expect("a file outside");
    #[cfg(unix)]
    for link in [".kit/skills/link.md", ".kit/prompts/link.md", "linked/AGENTS.md"] {
        let path = project.path(link);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::os::unix::fs::symlink(project.outside().join("secret.md"), path).expect("a link");
    }
    project.write("linked/b.txt", "beta\n");
    project
}

async fn names(client: &LanguageClient) -> Vec<String> {
    let answer = client.command("kit.command.list", json!({})).await.expect("a list");
    let commands = answer["commands"].as_array().cloned().unwrap_or_default();
    commands.iter().map(|command| command["name"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn kit_actions(client: &LanguageClient, uri: &str) -> String {
    let start = json!({ "line": 0, "character": 0 });
    let params = json!({
        "textDocument": { "uri": uri }, "range": { "start": start, "end": start }, "context": { "diagnostics": [] },
    });
    client.request("textDocument/codeAction", params).await.expect("actions").to_string()
}

/// Statement 22, for instructions, skills, templates and settings.
#[tokio::test]
async fn nothing_of_a_malicious_workspace_takes_effect_before_it_is_trusted() {
    let project = malicious();
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().start().await;
    permit(&client, "rejectOnce");
    client.open("src/a.txt");
    model.reply(Reply::new().call("read", json!({ "path": "src/a.txt" })));
    model.reply(Reply::new().call("activate_skill", json!({ "name": "helper" })));
    model.reply(Reply::new().call("bash", json!({ "command": "touch made" })));
    model.reply(Reply::new().text("done"));
    let report = client.run("/review this").await;
    assert_eq!(report.stop_reason(), "end_turn");
    for request in model.requests() {
        let body = request.body.to_string();
        assert!(!body.contains(PLANT) && !body.contains("secret-outside"), "{body}");
        assert!(!request.tools().contains(&"activate_skill"), "no skill is on offer");
    }
    assert!(!project.exists("made"), "its rules allow nothing");
    assert_eq!(names(&client).await, Vec::<String>::new());
    assert!(!kit_actions(&client, &project.uri("src/a.txt")).await.contains(PLANT));
    let refused =
        client.command("kit.command.run", json!({ "name": "review" })).await.expect_err("no such command");
    assert_eq!(refused.kind(), "not_found");

    let doctor = client.command("kit.doctor", json!({})).await.expect("a report").to_string();
    for thing in [
        "not trusted",
        "AGENTS.md",
        ".kit.yml",
        ".agents/skills",
        ".kit/skills",
        ".kit/prompts",
        ".kit/agents",
    ] {
        assert!(doctor.contains(thing), "{thing} is named: {doctor}");
    }
    let listed = client.command("kit.command.list", json!({})).await.expect("a list");
    assert!(listed["withheld"].to_string().contains(".kit/prompts"), "{listed}");
    client.close().await;
}

/// Statement 22, after trust: in the same session, and links out of the root still bring nothing.
#[tokio::test]
async fn after_trust_the_project_counts_at_once_and_its_links_still_lead_nowhere() {
    let project = malicious();
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().start().await;
    permit(&client, "rejectOnce");
    model.reply(Reply::new().text("one"));
    client.run("go").await;
    client
        .command("kit.trust.set", json!({ "root": project.uri(""), "trusted": true }))
        .await
        .expect("the root can be trusted");
    let mut known = names(&client).await;
    known.sort();
    assert_eq!(known, ["review", "skill:helper", "skill:other", "skill:third"]);
    model.reply(Reply::new().call("read", json!({ "path": "src/a.txt" })));
    model.reply(Reply::new().call("read", json!({ "path": "linked/b.txt" })));
    model.reply(Reply::new().text("two"));
    client.run("/review").await;
    let second = model.request(1).await;
    let system = second.body["system"].to_string();
    assert!(system.contains(PLANT) && system.contains("<name>helper</name>"), "{system}");
    assert!(second.user_texts().last().expect("a prompt").contains(PLANT), "the template is the prompt");
    let last = model.requests().last().expect("requests").body.to_string();
    assert!(last.contains("src/AGENTS.md") && !last.contains("secret-outside"), "{last}");
    assert!(kit_actions(&client, &project.uri("src/a.txt")).await.contains("/review"));
    // The next look after trust is taken back finds nothing again.
    client
        .command("kit.trust.set", json!({ "root": project.uri(""), "trusted": false }))
        .await
        .expect("trust can be taken back");
    assert_eq!(names(&client).await, Vec::<String>::new());
    client.close().await;
}

#[tokio::test]
async fn the_user_is_asked_once_and_a_yes_is_trust() {
    let project = Project::new().file("AGENTS.md", PLANT);
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().start().await;
    client.behave(|behavior| behavior.ask = Box::new(|_| Answer::Hold));
    model.reply(Reply::new().text("one"));
    // The question is not answered yet, and the turn ends all the same.
    assert_eq!(client.run("go").await.response(), "one");
    let (id, question) = client.server_request("kit/ask", 0).await;
    assert_eq!(question["kind"], "confirm");
    let message = question["message"].as_str().expect("a message");
    assert!(
        message.contains("AGENTS.md") && message.contains(&project.root().display().to_string()),
        "{message}"
    );
    client.answer(&id, json!({ "value": true, "cancelled": false }));
    let trusted = project.kit_home().join("config/trusted-projects.json");
    eventually("the root is trusted", || {
        std::fs::read_to_string(&trusted)
            .is_ok_and(|text| text.contains(&project.root().display().to_string()))
    })
    .await;
    model.reply(Reply::new().text("two"));
    client.run("go on").await;
    assert!(!model.request(0).await.body.to_string().contains(PLANT));
    assert!(model.request(1).await.body.to_string().contains(PLANT));
    assert_eq!(client.server_requests("kit/ask").len(), 1);
    client.close().await;
}

/// A plain LSP client is asked by a message, and a no is remembered.
#[tokio::test]
async fn a_no_in_a_plain_client_is_remembered_for_the_next_start() {
    let project = Project::new().file("AGENTS.md", PLANT);
    let model = ModelServer::start().await;
    let start = async || -> LanguageClient {
        let client = launch(&project, &model).profile(Profile::Bare).untrusted().start().await;
        client.behave(|behavior| behavior.message = Box::new(|params| Answer::action_with(params, "no")));
        client
    };
    let prompt = async |client: &LanguageClient, text: &str| {
        model.reply(Reply::new().text(text));
        client.prompt("go").await;
        client.notification("window/showMessage", |message| message["message"] == text).await;
    };
    let first = start().await;
    prompt(&first, "one").await;
    first.server_request("window/showMessageRequest", 0).await;
    let store = project.kit_home().join("config/trusted-projects.json");
    eventually("the no is stored", || {
        std::fs::read_to_string(&store).is_ok_and(|text| text.contains("declined"))
    })
    .await;
    first.close().await;
    let second = start().await;
    prompt(&second, "two").await;
    assert_eq!(second.server_requests("window/showMessageRequest"), Vec::<Value>::new());
    second.close().await;
    assert!(model.requests().iter().all(|request| !request.body.to_string().contains(PLANT)));
}

#[tokio::test]
async fn a_project_that_brings_nothing_is_not_asked_about() {
    let project = Project::new().file("a.txt", "x\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().start().await;
    model.reply(Reply::new().text("one"));
    client.run("go").await;
    assert_eq!(client.server_requests("kit/ask"), Vec::<Value>::new());
    client.close().await;
}
