//! Prompts during a turn: they queue or steer, and none is lost.

use e2e::start;
use kit_testkit::{Answer, Gate, ModelServer, Project, Reply};
use serde_json::{Value, json};

/// Statement 5.
#[tokio::test]
async fn a_prompt_during_a_turn_waits_and_sees_the_turn_before_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("first answer").gate(&gate));
    model.reply(Reply::new().text("second answer"));
    let first = client.prompt("first question").await;
    gate.reached().await;
    let second = client.prompt_in(&first.session, "second question").await;
    assert_eq!((first.queued, second.queued), (false, true));
    client.event(|event| event["type"] == "queue" && event["length"] == 1).await;
    gate.open();
    assert_eq!(client.finish(&first).await.response(), "first answer");
    assert_eq!(client.finish(&second).await.response(), "second answer");
    let request = model.request(1).await;
    let said = format!("{:?}", request.items);
    let places = ["first question", "first answer", "second question"].map(|text| said.find(text));
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{said}");
    client.close().await;
}

/// Statement 5: the race at the end of a turn, two hundred times.
#[tokio::test]
async fn no_prompt_is_lost_when_it_arrives_as_the_turn_ends() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let session = client.command("kit.session.new", json!({})).await.expect("a session")["session"].clone();
    let session = session.as_str().expect("an id");
    for round in 0..200 {
        let gate = Gate::new();
        model.reply(Reply::new().text("one").gate(&gate));
        model.reply(Reply::new().text("two"));
        let first = client.prompt_in(session, "first").await;
        gate.reached().await;
        gate.open();
        if round % 2 == 0 {
            // Half of the rounds hit the moment of the last text, the other half the end of the turn.
            client.turn_event(&first, "response").await;
        }
        let second = client.prompt_in(session, "second").await;
        assert_eq!(client.finish(&first).await.response(), "one", "round {round}");
        assert_eq!(client.finish(&second).await.response(), "two", "round {round}");
    }
    assert_eq!(model.requests().len(), 400);
    client.close().await;
}

/// Statement 7.
#[tokio::test]
async fn a_steering_message_joins_the_turn_and_is_still_there_after_a_resume() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| behavior.permission = Box::new(|_| Answer::Hold));
    model.reply(Reply::new().call("bash", json!({ "command": "true" })));
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("do the work").await;
    let (id, question) = client.server_request("kit/permission", 0).await;
    let steered = client
        .prompt_with(json!({ "text": "but use tabs", "session": turn.session, "delivery": "steer" }))
        .await;
    assert_eq!(steered.turn, turn.turn, "steering belongs to the running turn");
    let Answer::Result(answer) = Answer::option_of_kind(&question, "rejectOnce") else {
        panic!("{question}")
    };
    client.answer(&id, answer);
    assert_eq!(client.finish(&turn).await.response(), "done");
    let told = |events: &[Value]| {
        let told = events.iter().filter(|event| event["type"] == "steer_consumed");
        told.map(|event| (event["turn"].clone(), event["prompt"].clone())).collect::<Vec<_>>()
    };
    let expected = [(json!(turn.turn), json!("but use tabs"))];
    assert_eq!(told(&client.notifications("kit/event")), expected);
    for nth in [1, 2] {
        let request = model.request(nth).await;
        let said = request.user_texts().iter().filter(|text| text.contains("but use tabs")).count();
        assert_eq!(said, 1, "request {nth}: {:?}", request.items);
    }
    client.close().await;

    let client = start(&project, &model).await;
    client
        .command("kit.session.open", json!({ "session": turn.session }))
        .await
        .expect("the session is resumed");
    let transcript = client.command("kit.session.transcript", json!({ "session": turn.session })).await;
    let transcript = transcript.expect("a transcript");
    assert_eq!(told(transcript["events"].as_array().expect("events")), expected);
    model.reply(Reply::new().text("still done"));
    let next = client.prompt_in(&turn.session, "and now?").await;
    client.finish(&next).await;
    let request = model.request(3).await;
    let said = request.user_texts().iter().filter(|text| text.contains("but use tabs")).count();
    assert_eq!(said, 1, "{:?}", request.items);
    client.close().await;
}

#[tokio::test]
async fn steering_without_a_turn_starts_one() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("hello"));
    let turn = client.prompt_with(json!({ "text": "go", "delivery": "steer" })).await;
    assert_eq!(client.finish(&turn).await.response(), "hello");
    client.close().await;
}

#[tokio::test]
async fn a_steering_message_that_comes_too_late_for_the_turn_becomes_the_next() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("one").gate(&gate));
    model.reply(Reply::new().text("two"));
    let first = client.prompt("go").await;
    gate.reached().await;
    client
        .prompt_with(json!({ "text": "wait, also this", "session": first.session, "delivery": "steer" }))
        .await;
    gate.open();
    // The model had already answered without a tool call, so there was no next call in the turn of its own accord.
    let request = model.request(1).await;
    assert!(request.user_texts().iter().any(|text| text.contains("wait, also this")), "{:?}", request.items);
    client.event(|event| event["type"] == "turn_end" && event["response"] == "two").await;
    client.close().await;
}

#[tokio::test]
async fn what_waits_is_run_after_a_cancelled_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("one").stall());
    model.reply(Reply::new().text("two"));
    let first = client.prompt("first").await;
    client.turn_event(&first, "message_update").await;
    let second = client.prompt_in(&first.session, "second").await;
    client.command("kit.session.cancel", json!({ "turn": first.turn })).await.expect("cancelled");
    assert_eq!(client.finish(&first).await.stop_reason(), "cancelled");
    assert_eq!(client.finish(&second).await.response(), "two");
    client.close().await;
}

/// Statements 5 and 7 together: steering that comes as the turn ends is read by the model, two hundred times.
#[tokio::test]
async fn no_steering_is_lost_when_it_arrives_as_the_turn_ends() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let session = client.command("kit.session.new", json!({})).await.expect("a session")["session"].clone();
    let session = session.as_str().expect("an id");
    for round in 0..200 {
        let gate = Gate::new();
        model.reply(Reply::new().text("one").gate(&gate));
        model.reply(Reply::new().text("two"));
        let first = client.prompt_in(session, "first").await;
        gate.reached().await;
        gate.open();
        if round % 2 == 0 {
            client.turn_event(&first, "message_end").await;
        }
        let text = format!("steering {round}.");
        let steered =
            client.prompt_with(json!({ "text": text, "session": session, "delivery": "steer" })).await;
        // Whether it still joins the turn or begins the next one, the model answers it.
        assert_eq!(client.finish(&steered).await.response(), "two", "round {round}");
        let requests = model.requests();
        assert_eq!(requests.len(), 2 * round + 2, "round {round}");
        let said = requests.last().expect("a request").user_texts().concat();
        assert!(said.contains(&text), "round {round}: {said}");
    }
    client.close().await;
}

#[tokio::test]
async fn waiting_prompts_are_listed_removed_and_cleared() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("one").gate(&gate));
    let first = client.prompt("first").await;
    gate.reached().await;
    let session = first.session.clone();
    let second = client.prompt_in(&session, "second").await;
    let third = client.prompt_in(&session, "third").await;
    client.prompt_with(json!({ "text": "steer", "session": session, "delivery": "steer" })).await;
    let argument = json!({ "session": session });
    let listed = client.command("kit.queue.list", argument.clone()).await.expect("the queue");
    let items = listed["items"].as_array().expect("a list").clone();
    let texts: Vec<(&str, &str)> = items
        .iter()
        .map(|item| {
            (item["text"].as_str().unwrap_or_default(), item["delivery"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(texts, [("steer", "steer"), ("second", "queue"), ("third", "queue")]);
    assert_eq!((&items[0]["turn"], &items[1]["id"]), (&json!(first.turn), &json!(second.turn)));

    let remove = |id: &serde_json::Value| json!({ "session": session, "id": id });
    let left = client.command("kit.queue.remove", remove(&items[1]["id"])).await.expect("removed");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.finish(&second).await.stop_reason(), "cancelled");
    let gone = client.command("kit.queue.remove", remove(&items[1]["id"])).await.unwrap_err();
    assert_eq!(gone.kind(), "not_found");
    let left = client.command("kit.queue.clear", argument).await.expect("cleared");
    assert_eq!(left["items"], json!([]));
    client.event(|event| event["type"] == "queue" && event["length"] == 0).await;
    assert_eq!(client.finish(&third).await.stop_reason(), "cancelled");
    gate.open();
    // Nothing waits any more, so the turn ends with its first answer.
    assert_eq!(client.finish(&first).await.response(), "one");
    client.close().await;

    let client = start(&project, &model).await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("opened");
    model.reply(Reply::new().text("two"));
    client.run("and now?").await;
    let said = model.request(1).await.user_texts().concat();
    assert!(!said.contains("steer") && !said.contains("second"), "what was taken back stays away: {said}");
    client.close().await;
}
