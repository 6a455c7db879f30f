//! Models that fail: refused, unreachable, slow, cut off, nonsense. The turn ends well or says why it does not.

use e2e::{launch, start};
use kit_testkit::{Launch, ModelServer, Profile, Project, Reply, Wire};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Statement 8.
#[tokio::test]
async fn a_busy_model_is_asked_again_and_the_answer_stands_once() {
    for (wire, status) in [
        (Wire::Messages, 429),
        (Wire::Messages, 529),
        (Wire::ChatCompletions, 500),
        (Wire::ChatCompletions, 503),
    ] {
        let project = Project::new();
        let model = ModelServer::start().await;
        let client = Launch::new(&project).model(&model, wire).start().await;
        model.reply(Reply::status(status).header("retry-after", "0").body("overloaded"));
        model.reply(Reply::status(status).header("retry-after", "0").body("overloaded"));
        model.reply(Reply::new().text("here ").text("I am"));
        let report = client.run("go").await;
        assert_eq!(report.response(), "here I am", "{wire:?} {status}");
        assert_eq!(report.all_streamed_text(), "here I am");
        let attempts: Vec<&Value> = report.all("retry").into_iter().map(|event| &event["attempt"]).collect();
        assert_eq!(attempts, [&json!(1), &json!(2)], "{wire:?} {status}");
        client.close().await;
    }
}

/// Statement 8: a model that says when to come back is not asked before, and not at all when that is far away.
#[tokio::test]
async fn the_pause_that_a_model_asks_for_is_announced_and_kept_to() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::status(429).header("retry-after", "45").body("overloaded"));
    let turn = client.prompt("go").await;
    let retry = client.turn_event(&turn, "retry").await;
    assert_eq!((&retry["attempt"], &retry["afterMs"]), (&json!(1), &json!(45_000)), "{retry}");
    client
        .command("kit.session.cancel", json!({ "turn": turn.turn }))
        .await
        .expect("a wait can be cancelled");
    assert_eq!(client.finish(&turn).await.stop_reason(), "cancelled");
    assert_eq!(model.requests().len(), 1);

    model.reply(Reply::status(429).header("retry-after", "600").body("overloaded"));
    let report = client.run("go").await;
    assert_eq!((report.stop_reason(), report.all("retry").len()), ("error", 0));
    assert_eq!(report.only("error")["kind"], "rate_limit");
    client.close().await;
}

/// Statement 8: what was shown before the connection broke is taken back.
#[tokio::test]
async fn a_stream_that_breaks_is_repeated_without_doubled_text() {
    for broken in [
        Reply::new().text("half an ").cut(),
        Reply::new().text("half an ").error("overloaded_error", "Overloaded"),
    ] {
        for wire in Wire::all() {
            let project = Project::new();
            let model = ModelServer::start().await;
            let client = Launch::new(&project).model(&model, wire).start().await;
            model.reply(broken.clone());
            model.reply(Reply::new().text("half an ").text("answer"));
            let report = client.run("go").await;
            assert_eq!(report.response(), "half an answer", "{wire:?}");
            assert_eq!(report.all_streamed_text(), "half an answer", "{wire:?}");
            assert_eq!(report.all("stream_reset").len(), 1, "{wire:?}: {:?}", report.types());
            assert_eq!(report.all("retry").len(), 1, "{wire:?}");
            client.close().await;
        }
    }
}

/// A call whose arguments were cut off must not run.
#[tokio::test]
async fn a_tool_call_of_a_broken_stream_does_not_run() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().call("write", json!({ "path": "a.txt", "content": "x" })).cut());
    model.reply(Reply::new().text("never mind"));
    let report = client.run("go").await;
    assert_eq!(report.response(), "never mind");
    assert!(!project.exists("a.txt"));
    assert_eq!(report.all("tool_execution_start").len(), 0);
    client.close().await;
}

/// Statement 10.
#[tokio::test]
async fn a_missing_key_is_told_with_its_mend() {
    for (name, variable) in
        [("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"), ("openai/gpt-4o", "OPENAI_API_KEY")]
    {
        let project = Project::new();
        let client = Launch::new(&project).setting("model", json!(name)).start().await;
        let told = match client.command("kit.session.prompt", json!({ "text": "go" })).await {
            Ok(answer) => {
                let end = client
                    .event(|event| event["type"] == "turn_end" && event["turn"] == answer["turn"])
                    .await;
                assert_eq!(end["stopReason"], "error");
                let error = client.event(|event| event["type"] == "error").await;
                assert_eq!(error["kind"], "auth", "{error}");
                error["message"].as_str().expect("a sentence").to_owned()
            }
            Err(error) => {
                assert_eq!(error.kind(), "auth", "{error:?}");
                error.message
            }
        };
        assert!(told.contains(variable), "{told}");
        client
            .latest("kit/status", |status| status["state"] == "error" || status["state"] == "signedOut")
            .await;
        client.close().await;
    }
}

/// Statement 10.
#[tokio::test]
async fn an_unreachable_server_ends_the_turn_with_a_typed_error_and_the_session_goes_on() {
    let project = Project::new();
    let model = ModelServer::start().await;
    // A port that was free a moment ago and on which nobody listens.
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let client = launch(&project, &model)
        .env("ANTHROPIC_BASE_URL", &format!("http://{closed}"))
        .setting("max-retries", json!(0))
        .start()
        .await;
    for _ in 0..2 {
        let report = client.run("go").await;
        assert_eq!((report.stop_reason(), report.all("retry").len()), ("error", 0));
        let error = report.only("error");
        assert_eq!(error["kind"], "unavailable", "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.contains(&closed.to_string()) && message.contains("correct its address"),
            "{message}"
        );
    }
    client.close().await;
}

/// A request that is refused as invalid may be sent again in a plainer form, but not without end and not as a retry.
#[tokio::test]
async fn a_refusal_ends_the_turn_with_the_providers_words() {
    for (status, kind) in [(401, "auth"), (403, "auth"), (400, "invalid_request"), (404, "not_found")] {
        for wire in Wire::all() {
            let project = Project::new();
            let model = ModelServer::start().await;
            let client = Launch::new(&project).model(&model, wire).start().await;
            let refusals = if status == 400 { 4 } else { 1 };
            for _ in 0..refusals {
                model.reply_to("first question", Reply::status(status).body("no, and this is why"));
            }
            let report = client.run("first question").await;
            assert_eq!(report.stop_reason(), "error", "{wire:?} {status}");
            let error = report.only("error");
            assert_eq!(error["kind"], kind, "{wire:?} {status}: {error}");
            assert!(
                error["message"].as_str().is_some_and(|message| message.contains("no, and this is why")),
                "{error}"
            );
            assert_eq!(report.all("retry").len(), 0, "{wire:?} {status}");
            assert!(model.requests().len() < 4, "{wire:?} {status}: {} requests", model.requests().len());
            let other =
                client.command("kit.session.new", json!({})).await.expect("a session")["session"].clone();
            model.reply(Reply::new().text("better"));
            let turn = client.prompt_in(other.as_str().expect("an id"), "another question").await;
            assert_eq!(client.finish(&turn).await.response(), "better");
            client.close().await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_stream_at_all_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 65_536];
            let _request = stream.read(&mut buffer).await;
            let page = "<html>captive portal</html>";
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
            let _sent = stream.write_all(answer.as_bytes()).await;
        }
    });
    let project = Project::new();
    let model = ModelServer::start().await;
    let client =
        launch(&project, &model).env("ANTHROPIC_BASE_URL", &format!("http://{address}")).start().await;
    let turn = client.prompt("go").await;
    let event = client
        .event(|event| turn.owns(event) && (event["type"] == "retry" || event["type"] == "error"))
        .await;
    if event["type"] == "retry" {
        client.command("kit.session.cancel", json!({})).await.expect("cancelled");
    }
    client.finish(&turn).await;
    client.close().await;
    serving.abort();
}

/// A message for people reaches a client that understands none of our events.
#[tokio::test]
async fn a_plain_client_is_told_in_a_message() {
    let project = Project::new();
    let client = Launch::new(&project)
        .profile(Profile::Bare)
        .setting("model", json!("anthropic/claude-sonnet-4-5"))
        .start()
        .await;
    if let Err(error) = client.command("kit.session.prompt", json!({ "text": "go" })).await {
        assert!(error.message.contains("ANTHROPIC_API_KEY"), "{error:?}");
    } else {
        let says = |message: &Value| {
            message["message"].as_str().is_some_and(|text| text.contains("ANTHROPIC_API_KEY"))
        };
        client.notification("window/showMessage", says).await;
    }
    client.close().await;
}

#[tokio::test]
async fn an_unknown_model_is_told_with_its_name() {
    for name in ["nobody/nothing", "scripted/no-such-script", "without-a-provider"] {
        let project = Project::new();
        let client = Launch::new(&project).setting("model", json!(name)).start().await;
        let told = match client.command("kit.session.prompt", json!({ "text": "go" })).await {
            Ok(_) => client.event(|event| event["type"] == "error").await["message"]
                .as_str()
                .expect("a sentence")
                .to_owned(),
            Err(error) => error.message,
        };
        let provider = name.split('/').next().expect("a name");
        assert!(told.contains(name) || told.contains(provider), "{name}: {told}");
        client.close().await;
    }
}

/// Without a key, a local server or a setting the built-in script answers and says that it is one.
#[tokio::test]
async fn without_any_model_the_demonstration_answers() {
    let project = Project::new().file("README.md", "# Sample\n");
    let client = Launch::new(&project).start().await;
    let turn = client.prompt("what can you do?").await;
    let report = client.finish(&turn).await;
    assert_eq!(report.stop_reason(), "end_turn", "{:?}", report.end());
    let said = report.all_streamed_text();
    assert!(said.contains("a script and not a language model"), "{said}");
    client.close().await;
}

/// An address of one's own usually has the wire that all servers have, whatever the name of the model suggests.
#[tokio::test]
async fn a_server_that_has_only_the_older_wire_is_spoken_to_on_that() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = Launch::new(&project)
        .model(&model, Wire::ChatCompletions)
        .setting("model", json!("openai/gpt-5.4"))
        .start()
        .await;
    for answer in ["first", "second"] {
        model.reply(Reply::new().text(answer));
        assert_eq!(client.run("go").await.response(), answer);
    }
    client.close().await;
    assert_eq!(model.take_violations(), ["a request to POST /v1/responses HTTP/1.1"], "it is tried once");
}
