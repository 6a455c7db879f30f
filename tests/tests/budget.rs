//! Budgets pause the agent before the call that would exceed them, and a model that goes in circles is stopped.

use e2e::{launch, start};
use kit_testkit::{Answer, LanguageClient, ModelServer, Profile, Project, Reply, TokenCount};
use serde_json::{Value, json};

fn tokens(input: u64) -> TokenCount {
    TokenCount { input, output: 10, ..TokenCount::default() }
}

/// A call that reads a file, told to have used so many tokens.
fn reading(input: u64) -> Reply {
    Reply::new().call("read", json!({ "path": "a.txt" })).tokens(tokens(input))
}

/// Answers every question with the option at this place.
fn answer(client: &LanguageClient, index: usize) {
    client.behave(|behavior| {
        behavior.ask = Box::new(move |params| {
            Answer::Result(json!({ "value": params["options"][index], "index": index, "cancelled": false }))
        });
    });
}

async fn with_budget(project: &Project, model: &ModelServer, budget: Value) -> LanguageClient {
    launch(project, model).setting("budget", budget).start().await
}

#[tokio::test]
async fn the_agent_asks_before_the_call_that_would_exceed_and_stops_when_told() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = with_budget(&project, &model, json!({ "turn": { "tokens": 10_000 } })).await;
    client.behave(|behavior| behavior.ask = Box::new(|_| Answer::Hold));
    model.reply(reading(6000));
    let turn = client.prompt("go").await;
    let (id, question) = client.server_request("kit/ask", 0).await;
    assert_eq!(question["kind"], "select");
    let message = question["message"].as_str().unwrap_or_default();
    assert!(message.contains("10000 tokens") && message.contains("6010 tokens are used"), "{message}");
    let status = client.latest("kit/status", |status| status["state"] == "waiting").await;
    let budget = json!({ "limitTokens": 10_000, "usedTokens": 6010, "scope": "turn" });
    assert_eq!(
        (&status["usage"]["budget"], &status["label"]),
        (&budget, &json!("the turn's budget is used up"))
    );
    client.answer(&id, json!({ "index": 2, "value": question["options"][2], "cancelled": false }));
    let report = client.finish(&turn).await;
    assert_eq!((report.stop_reason(), report.tool_results().len()), ("budget", 1));
    assert_eq!(report.only("error")["kind"], "budget");
    assert!(
        report.end()["error"].as_str().is_some_and(|text| text.contains("`budget.turn`")),
        "{:?}",
        report.end()
    );
    assert_eq!(model.requests().len(), 1);
    // The next turn has a budget of its own.
    model.reply(Reply::new().text("hello").tokens(tokens(100)));
    assert_eq!(client.run("again").await.response(), "hello");
    client.close().await;
}

#[tokio::test]
async fn going_on_once_asks_again_and_raising_does_not() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = with_budget(&project, &model, json!({ "session": { "usd": 0.02 } })).await;
    answer(&client, 0);
    for _ in 0..2 {
        model.reply(reading(6000));
    }
    model.reply(Reply::new().text("done").tokens(tokens(6000)));
    assert_eq!(client.run("go").await.response(), "done");
    // The first call fits; the two after it were asked about, each on its own.
    assert_eq!(client.server_requests("kit/ask").len(), 2);
    answer(&client, 1);
    model.reply(reading(600));
    model.reply(Reply::new().text("done").tokens(tokens(600)));
    assert_eq!(client.run("go").await.response(), "done");
    let asked = client.server_requests("kit/ask");
    let options: Vec<&str> =
        asked[2]["options"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(options[1].starts_with("Raise the session's budget to $"), "{options:?}");
    assert_eq!(asked.len(), 3);
    client.close().await;
}

#[tokio::test]
async fn a_turn_stops_when_nobody_can_be_asked() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = with_budget(&project, &model, json!({ "turn": { "tokens": 10_000 } })).await;
    model.reply(reading(6000));
    let report = client.run("go").await;
    assert_eq!((report.stop_reason(), model.requests().len()), ("budget", 1));
    client.close().await;
}

#[tokio::test]
async fn any_editor_is_asked_by_a_message() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let launch = launch(&project, &model).setting("budget", json!({ "turn": { "tokens": 1000 } }));
    let client = launch.profile(Profile::Bare).start().await;
    client.behave(|behavior| behavior.message = Box::new(|params| Answer::action_with(params, "raise")));
    model.reply(reading(1500));
    model.reply(Reply::new().text("done").tokens(tokens(1500)));
    client.prompt("go").await;
    model.request(1).await;
    client.close().await;
}

/// The ledger of the day is that of all processes, and a restart does not forget it.
#[tokio::test]
async fn the_day_is_shared_by_all_processes_and_survives_them() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let budget = json!({ "day": { "tokens": 10_000 } });
    let first = with_budget(&project, &model, budget.clone()).await;
    let second = with_budget(&project, &model, budget.clone()).await;
    model.reply(Reply::new().text("one").tokens(tokens(6000)));
    assert_eq!(first.run("go").await.response(), "one");
    model.reply(reading(3500));
    let report = second.run("go").await;
    assert_eq!((report.stop_reason(), model.requests().len()), ("budget", 2));
    first.close().await;
    second.close().await;
    let third = with_budget(&project, &model, json!({ "day": { "tokens": 9_000 } })).await;
    let report = third.run("go").await;
    assert_eq!((report.stop_reason(), model.requests().len()), ("budget", 2));
    third.close().await;
}

/// A summary is a call like any other.
#[tokio::test]
async fn a_compaction_that_would_exceed_is_asked_about_in_a_turn_and_refused_outside() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = with_budget(&project, &model, json!({ "session": { "tokens": 10_000 } })).await;
    answer(&client, 0);
    for text in ["one", "two"] {
        model.reply(Reply::new().text(text).tokens(tokens(6000)));
        assert_eq!(client.run("go").await.response(), text);
    }
    let asked = client.server_requests("kit/ask").len();
    let refused = client.command("kit.session.compact", json!({})).await.expect_err("no budget is left");
    assert_eq!(refused.kind(), "budget", "{}", refused.message);
    assert_eq!(client.server_requests("kit/ask").len(), asked);

    client.behave(|behavior| behavior.ask = Box::new(|_| Answer::Hold));
    let turn = client.prompt("and now").await;
    let (id, question) = client.server_request("kit/ask", asked).await;
    client.command("kit.session.compact", json!({})).await.expect("it comes before the next call");
    client.answer(&id, json!({ "index": 2, "value": question["options"][2], "cancelled": false }));
    assert_eq!(client.finish(&turn).await.stop_reason(), "budget");
    assert_eq!(model.requests().len(), 2);
    client.close().await;
}

#[tokio::test]
async fn sessions_side_by_side_cannot_take_the_same_rest() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = with_budget(&project, &model, json!({ "day": { "tokens": 16_000 } })).await;
    let sessions = |count: usize| {
        let client = &client;
        async move {
            let mut sessions = Vec::new();
            for _ in 0..count {
                let session = client.command("kit.session.new", json!({})).await.expect("a session");
                sessions.push(session["session"].as_str().unwrap_or_default().to_owned());
            }
            sessions
        }
    };
    let sessions = sessions(6).await;
    let long = "word ".repeat(8000);
    for _ in 0..6 {
        model.reply(Reply::new().text("ok").tokens(tokens(11_000)));
    }
    let mut turns = Vec::new();
    for session in &sessions {
        turns.push(client.prompt_in(session, &long).await);
    }
    let mut stops = Vec::new();
    for turn in &turns {
        stops.push(client.finish(turn).await.stop_reason().to_owned());
    }
    stops.sort();
    assert_eq!(
        (stops.join(" "), model.requests().len()),
        ("budget budget budget budget budget end_turn".into(), 1)
    );
    client.close().await;
}

#[tokio::test]
async fn a_model_in_circles_is_told_and_then_stopped() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client =
        launch(&project, &model).setting("repeatedCalls", json!({ "note": 2, "ask": 4 })).start().await;
    for _ in 0..4 {
        model.reply(reading(10));
    }
    let report = client.run("go").await;
    assert_eq!((report.stop_reason(), model.requests().len()), ("budget", 4));
    let notes: Vec<bool> =
        report.tool_results().iter().map(|(_, text, _)| text.contains("This is call number")).collect();
    assert_eq!(notes, [false, true, true, true]);
    assert!(
        report.end()["error"].as_str().is_some_and(|text| text.contains("`read` 4 times")),
        "{:?}",
        report.end()
    );
    answer(&client, 0);
    for _ in 0..5 {
        model.reply(reading(10));
    }
    model.reply(Reply::new().text("done"));
    assert_eq!(client.run("go").await.response(), "done");
    assert_eq!(client.server_requests("kit/ask").len(), 2);
    client.close().await;
}

#[tokio::test]
async fn different_calls_are_no_circle() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    for number in 0..8 {
        project.write(&format!("{number}.txt"), format!("{number}\n"));
        model.reply(Reply::new().call("read", json!({ "path": format!("{number}.txt") })));
    }
    model.reply(Reply::new().text("done"));
    assert_eq!(client.run("go").await.response(), "done");
    client.close().await;
}

#[tokio::test]
async fn a_budget_in_money_says_once_that_a_model_has_no_price_and_one_in_tokens_holds() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let custom = json!({ "blue": { "baseUrl": format!("{}/v1", model.url()), "apiKey": "k" } });
    let launch =
        launch(&project, &model).setting("customModels", custom).setting("model", json!("custom/blue"));
    let budget = json!({ "session": { "usd": 0.000_001, "tokens": 20_000 } });
    let client = launch.setting("budget", budget).start().await;
    model.reply(reading(6000));
    model.reply(Reply::new().text("done").tokens(tokens(6100)));
    let report = client.run("go").await;
    assert_eq!(report.response(), "done");
    let notice = report.only("notice")["message"].as_str().unwrap_or_default().to_owned();
    assert!(notice.starts_with("the price of custom/blue is not known"), "{notice}");
    model.reply(reading(6200));
    let report = client.run("more").await;
    assert_eq!((report.stop_reason(), report.all("notice").len()), ("budget", 0));
    client.close().await;
}
