//! Prompt templates: filled in, listed, completed, and offered as code actions.

use e2e::{launch, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Reply};
use serde_json::{Value, json};

/// The prompt that the model gets for a command.
async fn prompted(client: &LanguageClient, model: &ModelServer, argument: Value) -> String {
    model.reply(Reply::new().text("done"));
    let before = model.requests().len();
    let answer = client.command("kit.command.run", argument).await.expect("the command runs");
    let turn = answer["turn"].clone();
    client.event(|event| event["turn"] == turn && event["type"] == "turn_end").await;
    model.request(before).await.user_texts().last().expect("a prompt").to_string()
}

#[tokio::test]
async fn a_template_is_filled_in_and_becomes_the_prompt() {
    let project = Project::new()
        .file(
            ".kit/prompts/review.md",
            "---\ndescription: Reviews a file\n---\nReview $1 for ${@:2}, not `$1`.",
        )
        .file(".kit/prompts/tone.md", "<if-model is=\"claude-*\">Be brief<else>Be long</if-model>: $@")
        .file(".kit/prompts/named.md", "---\narguments: [what]\n---\nExplain {{what}}.");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let review =
        prompted(&client, &model, json!({ "name": "review", "args": "'a b.rs' speed and size" })).await;
    assert_eq!(review, "Review a b.rs for speed and size, not `$1`.");
    let tone = prompted(&client, &model, json!({ "name": "tone", "args": ["x"] })).await;
    assert_eq!(tone, "Be brief: x");
    let named = prompted(&client, &model, json!({ "name": "/named", "args": { "what": "this" } })).await;
    assert_eq!(named, "Explain this.");
    // A prompt that begins with the command is the same.
    model.reply(Reply::new().text("done"));
    let report = client.run("/review a.rs style").await;
    assert_eq!(report.only("turn_start")["prompt"], "Review a.rs for style, not `$1`.");
    // A path is no command.
    model.reply(Reply::new().text("done"));
    let report = client.run("/etc/hosts is wrong").await;
    assert_eq!(report.only("turn_start")["prompt"], "/etc/hosts is wrong");
    client.close().await;
}

#[tokio::test]
async fn unknown_commands_and_missing_arguments_are_one_sentence() {
    let project = Project::new().file(".kit/prompts/review.md", "Review $1.");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let refused = async |argument: Value| {
        let error = client.command("kit.command.run", argument).await.expect_err("it is refused");
        (error.kind().to_owned(), error.message)
    };
    assert_eq!(
        refused(json!({ "name": "reveiw" })).await,
        ("not_found".into(), "there is no command `/reveiw`; you may mean `review`".into())
    );
    assert_eq!(
        refused(json!({ "name": "review" })).await,
        ("invalid_request".into(), "`/review` needs 1 argument and got 0; write /review <1>".into())
    );
    assert_eq!(model.requests().len(), 0);
    client.close().await;
}

/// Upstream let the user's file win over the project's, and both over the one that a setting names.
#[tokio::test]
async fn what_a_setting_names_wins_over_the_project_and_that_over_the_user() {
    let project = Project::new().file(".kit/prompts/p.md", "project").file("named/p.md", "named");
    let user = project.kit_home().join(".kit/prompts");
    std::fs::create_dir_all(&user).expect("a folder");
    std::fs::write(user.join("p.md"), "user").expect("a file");
    std::fs::write(user.join("mine.md"), "mine").expect("a file");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    assert_eq!(prompted(&client, &model, json!({ "name": "p" })).await, "project");
    assert_eq!(prompted(&client, &model, json!({ "name": "mine" })).await, "mine");
    client.close().await;
    let client = launch(&project, &model).setting("prompts", json!(["named"])).start().await;
    assert_eq!(prompted(&client, &model, json!({ "name": "p" })).await, "named");
    client.close().await;
    let client = launch(&project, &model).setting("noPromptTemplates", json!(true)).start().await;
    let listed = client.command("kit.command.list", json!({})).await.expect("a list");
    assert_eq!(listed["commands"], json!([]));
    client.close().await;
}

#[tokio::test]
async fn commands_are_listed_and_completed() {
    let project = Project::new()
        .file(".kit/prompts/review.md", "---\ndescription: Reviews a file\n---\n$1")
        .file(".kit/prompts/explain.md", "Explain.")
        .file(".kit/skills/deploy.md", "---\ndescription: Deploys\n---\nx\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let listed = client.command("kit.command.list", json!({})).await.expect("a list");
    let review = &listed["commands"][1];
    assert_eq!(
        review,
        &json!({
            "name": "review", "kind": "template", "description": "Reviews a file", "arguments": "<1>", "required": 1,
            "source": project.path(".kit/prompts/review.md").display().to_string(),
        })
    );
    let complete = async |text: &str| {
        let answer =
            client.command("kit.prompt.complete", json!({ "text": text })).await.expect("completions");
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| item["insertText"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(complete("/rev").await, ["/review "]);
    assert_eq!(complete("/dep").await, ["/skill:deploy "]);
    assert_eq!(complete("/review x").await, Vec::<String>::new());
    client.close().await;
}

#[tokio::test]
async fn a_template_that_asks_for_it_is_a_code_action_that_starts_a_turn() {
    let project = Project::new().file("a.rs", "fn main() {}\n").file(
        ".kit/prompts/simplify.md",
        "---\ndescription: Simplify this\ncode-action: refactor\n---\nSimplify the selection.",
    );
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.open("a.rs");
    let params = json!({
        "textDocument": { "uri": project.uri("a.rs") },
        "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 7 } },
        "context": { "diagnostics": [], "only": ["refactor"] },
    });
    let actions = client.request("textDocument/codeAction", params).await.expect("actions");
    let actions = actions.as_array().cloned().unwrap_or_default();
    let action =
        actions.iter().find(|action| action["title"] == "Kit: Simplify this").expect("the template's action");
    assert_eq!(action["kind"], "refactor.rewrite.kit");
    assert_eq!(action["command"]["command"], "kit.session.prompt");
    model.reply(Reply::new().text("done"));
    let argument = action["command"]["arguments"][0].clone();
    let turn = client.prompt_with(argument).await;
    client.finish(&turn).await;
    let texts = model.request(0).await.user_texts().concat();
    assert!(texts.contains("Simplify the selection.") && texts.contains("[selected: fn main]"), "{texts}");
    client.close().await;
}
