//! GitHub Copilot's own list of models: which there are, by which wire each is asked, and what holds without the list.

use kit_testkit::{Launch, ModelServer, Project, Reply, Wire};
use serde_json::{Value, json};

fn launch(project: &Project, model: &ModelServer) -> Launch {
    Launch::new(project)
        .setting("borrowedIdentity", json!(["copilot"]))
        .env("GITHUB_COPILOT_TOKEN", "tid=planted-for-copilot")
        .env("COPILOT_BASE_URL", &format!("{}/v1", model.url()))
}

/// A model as the server lists it.
fn listed(id: &str, endpoints: &[&str], more: Value) -> Value {
    let limits = json!({ "max_context_window_tokens": 216_000, "max_prompt_tokens": 128_000, "max_output_tokens": 16_000 });
    let mut model = json!({
        "id": id, "name": id, "model_picker_enabled": true, "supported_endpoints": endpoints,
        "capabilities": { "type": "chat", "limits": limits, "supports": { "tool_calls": true, "vision": true } },
        "billing": { "is_premium": true, "multiplier": 1 },
    });
    for (name, value) in more.as_object().expect("fields") {
        model[name] = value.clone();
    }
    model
}

async fn run(launch: &Launch, words: &[&str]) -> String {
    let finished = launch.run(words).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.stdout
}

#[tokio::test]
async fn the_list_of_the_server_decides_what_there_is_and_how_it_is_asked() {
    let (project, model) = (Project::new(), ModelServer::start().await);
    let launch = launch(&project, &model);
    // The table asks the first on the messages wire, and knows nothing of the others.
    model.list(Some(json!({ "data": [
        listed("claude-haiku-5.5", &["/chat/completions"], json!({})),
        listed("brand-new", &["/chat/completions", "/v1/messages"], json!({ "billing": { "multiplier": 0.33 } })),
        listed("not-yet", &["/chat/completions"], json!({ "policy": { "state": "unconfigured" } })),
        listed("hidden", &["/chat/completions"], json!({ "model_picker_enabled": false })),
        listed("embed", &["/embeddings"], json!({ "capabilities": { "type": "embeddings" } })),
    ] })));
    let told = run(&launch, &["models", "copilot"]).await;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert_eq!(lines[0], "github-copilot (GitHub Copilot, key from GITHUB_COPILOT_TOKEN)");
    for (line, id, note) in [
        (lines[1], "claude-haiku-5.5", "a premium request"),
        (lines[2], "brand-new", "0.33 premium requests"),
        (lines[3], "not-yet", "off until you turn it on in the Copilot settings of GitHub"),
    ] {
        assert!(
            line.trim_start().starts_with(id) && line.contains("144k context") && line.ends_with(note),
            "{told}"
        );
    }

    // Another process uses the list without asking for it.
    model.list(None);
    for (number, (id, wire)) in [
        ("claude-haiku-5.5", Wire::ChatCompletions),
        ("brand-new", Wire::Messages),
        ("hidden", Wire::ChatCompletions),
    ]
    .into_iter()
    .enumerate()
    {
        model.reply(Reply::new().text("here"));
        run(&launch, &["run", "go", "--no-session", "--model", &format!("copilot/{id}")]).await;
        let request = model.request(number).await;
        assert_eq!((request.wire, &request.body["model"]), (wire, &json!(id)));
        assert_eq!(request.header("authorization"), Some("Bearer tid=planted-for-copilot"));
    }
    let again = run(&launch, &["models", "copilot"]).await;
    let remark = format!(
        "  as known here, because the list of models cannot be had: {} answered with status 503; check the address, or try again later",
        model.url()
    );
    assert!(again.contains("brand-new") && again.contains(&remark), "{again}");
    assert!(!again.contains("planted"), "{again}");
}

#[tokio::test]
async fn without_a_list_the_models_of_the_table_are_there() {
    let (project, model) = (Project::new(), ModelServer::start().await);
    let launch = launch(&project, &model);
    for nonsense in [None, Some(json!({ "data": [] })), Some(json!([1, 2]))] {
        model.list(nonsense);
        let told = run(&launch, &["models", "copilot"]).await;
        assert!(told.contains("claude-haiku-5.5") && told.contains("  as known here, because "), "{told}");
    }
    model.reply(Reply::new().text("here"));
    run(&launch, &["run", "go", "--no-session", "--model", "copilot/claude-haiku-5.5"]).await;
    assert_eq!(model.request(0).await.wire, Wire::Messages);

    // Without the user's leave nobody is asked, because the question would name another product.
    let quiet = launch.setting("borrowedIdentity", json!([]));
    let told = run(&quiet, &["models", "copilot"]).await;
    assert!(
        told.contains("  as known here, because GitHub Copilot answers to its own extensions only"),
        "{told}"
    );
}
