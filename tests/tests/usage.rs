//! Tokens and money: per call, per turn, per session and per day.

use e2e::{launch, start};
use kit_testkit::{Launch, ModelServer, Project, Reply, TokenCount, Wire};
use serde_json::{Value, json};

const FIRST: TokenCount = TokenCount { input: 1000, output: 200, cache_read: 5000, cache_write: 300 };
const SECOND: TokenCount = TokenCount { input: 40, output: 60, cache_read: 6500, cache_write: 0 };

async fn two_calls(client: &kit_testkit::LanguageClient, model: &ModelServer) -> kit_testkit::TurnReport {
    model.reply(Reply::new().call("ls", json!({})).tokens(FIRST));
    model.reply(Reply::new().text("done").tokens(SECOND));
    client.run("go").await
}

/// Cost in micro-USD of these tokens at the prices of the catalogue, rounded once per call.
async fn expected_cost(client: &kit_testkit::LanguageClient, model: &str, counts: &[TokenCount]) -> u64 {
    let models = client.command("kit.model.list", json!({})).await.expect("models");
    let models = models["models"].as_array().expect("a list").clone();
    let info = models.iter().find(|info| info["id"] == model).unwrap_or_else(|| panic!("{model} is listed"));
    let price = &info["price"];
    assert!(price.is_object(), "{model} has a price: {info}");
    // The catalogue's prices are micro-USD per million tokens.
    let of = |name: &str| price[name].as_u64().unwrap_or_else(|| panic!("{name} in {price}"));
    let cost = |count: &TokenCount| {
        let sum = count.input * of("input")
            + count.output * of("output")
            + count.cache_read * of("cacheRead")
            + count.cache_write * of("cacheWrite");
        (sum + 500_000) / 1_000_000
    };
    counts.iter().map(cost).sum()
}

/// Statement 38.
#[tokio::test]
async fn a_turn_of_two_calls_reports_both_and_their_sum() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let report = two_calls(&client, &model).await;
    let calls = report.all("step_usage");
    assert_eq!(calls.len(), 2);
    let tokens = |value: &Value| {
        ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens"]
            .map(|name| value[name].as_u64())
    };
    assert_eq!(tokens(calls[0]), [1000, 200, 5000, 300].map(Some));
    assert_eq!(tokens(calls[1]), [40, 60, 6500, 0].map(Some));
    assert_eq!([&calls[0]["step"], &calls[1]["step"]], [&json!(0), &json!(1)]);
    assert_eq!(
        (&calls[0]["provider"], &calls[0]["model"]),
        (&json!("anthropic"), &json!("claude-sonnet-4-5"))
    );
    assert_eq!(calls[0]["costKind"], "priced");

    let total = &report.end()["usage"];
    assert_eq!(tokens(total), [1040, 260, 11_500, 300].map(Some));
    let sum: u64 = calls.iter().filter_map(|call| call["costMicros"].as_u64()).sum();
    assert_eq!(total["costMicros"], json!(sum));
    let expected = expected_cost(&client, Wire::Messages.model(), &[FIRST, SECOND]).await;
    assert!(sum.abs_diff(expected) <= 2, "{sum} micro-USD; the prices give {expected}");

    let status = client
        .latest("kit/status", |status| {
            status["state"] == "idle" && status["usage"]["turn"]["inputTokens"] == 1040
        })
        .await;
    assert_eq!(&status["usage"]["turn"], total);
    assert_eq!(&status["usage"]["session"], total);
    assert_eq!(
        status["usage"]["contextUsed"],
        json!(40 + 60 + 6500),
        "what the last call had in its context"
    );
    assert!(status["usage"]["contextWindow"].as_u64().is_some_and(|window| window >= 100_000));
    client.close().await;
}

#[tokio::test]
async fn the_sum_of_the_session_and_the_day_survives_a_restart() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let session = two_calls(&client, &model).await.end()["session"].clone();
    two_calls(&client, &model).await;
    let usage = client.command("kit.usage.get", json!({ "session": session })).await.expect("usage");
    assert_eq!(usage["session"]["inputTokens"], 2080);
    assert_eq!(usage["turn"]["inputTokens"], 1040);
    assert_eq!(usage["today"]["inputTokens"], 2080);
    assert_eq!(usage["calls"].as_array().map(Vec::len), Some(4));
    client.close().await;
    let client = start(&project, &model).await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("it opens");
    let restored = client.command("kit.usage.get", json!({ "session": session })).await.expect("usage");
    assert_eq!(restored["session"], usage["session"]);
    assert_eq!(restored["today"], usage["today"]);
    client.close().await;
}

/// Statement 38: a price that nobody knows is not zero.
#[tokio::test]
async fn the_cost_of_a_model_without_a_price_is_unknown() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client =
        launch(&project, &model).setting("model", json!("anthropic/claude-of-the-future")).start().await;
    let report = two_calls(&client, &model).await;
    for usage in report.all("step_usage").into_iter().chain([&report.end()["usage"]]) {
        assert_eq!((&usage["costKind"], &usage["costMicros"]), (&json!("unknown"), &Value::Null), "{usage}");
    }
    client.close().await;
}

/// Statement 38: what a plan pays for costs nothing and says so.
#[tokio::test]
async fn calls_with_the_login_of_a_subscription_cost_nothing() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let folder = project.kit_home().join("config/.kit");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let login = json!({ "type": "oauth", "access_token": "at-planted", "refresh_token": "rt-planted", "expires_at": 4_950_928_800_u64 });
    std::fs::write(folder.join("credentials.json"), json!({ "anthropic": login }).to_string())
        .expect("a file");
    let client = launch(&project, &model)
        .without_env("ANTHROPIC_API_KEY")
        .setting("borrowedIdentity", json!(["anthropic"]))
        .start()
        .await;
    let report = two_calls(&client, &model).await;
    for usage in report.all("step_usage").into_iter().chain([&report.end()["usage"]]) {
        let cost = usage["costMicros"].as_u64().unwrap_or_default();
        assert_eq!((&usage["costKind"], cost), (&json!("subscription"), 0), "{usage}");
    }
    assert_eq!(model.request(0).await.header("authorization"), Some("Bearer at-planted"));
    client.close().await;
}

#[tokio::test]
async fn the_other_wire_counts_cached_tokens_once() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = Launch::new(&project).model(&model, Wire::ChatCompletions).start().await;
    let tokens = TokenCount { input: 700, output: 50, cache_read: 300, cache_write: 0 };
    model.reply(Reply::new().text("hi").tokens(tokens));
    let report = client.run("go").await;
    let usage = report.only("step_usage");
    assert_eq!(
        (&usage["inputTokens"], &usage["cacheReadTokens"], &usage["outputTokens"]),
        (&json!(700), &json!(300), &json!(50))
    );
    client.close().await;
}

/// A call that failed in the middle was paid for as far as it said so, and is not counted as two.
#[tokio::test]
async fn every_call_that_ended_is_counted_once() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::status(429).header("retry-after", "0"));
    model.reply(Reply::new().text("done").tokens(SECOND));
    let report = client.run("go").await;
    assert_eq!(report.all("step_usage").len(), 1);
    assert_eq!(report.end()["usage"]["outputTokens"], 60);
    client.close().await;
}
