//! The agent's plan: told as it changes, never asked about, kept with the session, each agent's its own.

use e2e::{launch, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Reply};
use serde_json::{Value, json};

fn step(content: &str, status: &str) -> Value {
    json!({ "content": content, "status": status })
}

fn update(entries: &[Value]) -> Reply {
    Reply::new().call("update_plan", json!({ "entries": entries }))
}

/// The plans of a list of events, each by its statuses, with whether a subagent's.
fn plans(events: &[Value]) -> Vec<(String, bool)> {
    let told = events.iter().filter(|event| event["type"] == "plan").map(|event| {
        let statuses = event["entries"].as_array().expect("entries").iter();
        let statuses: Vec<&str> = statuses.filter_map(|entry| entry["status"].as_str()).collect();
        (statuses.join(" "), event["agent"].is_object())
    });
    told.collect()
}

async fn transcript(client: &LanguageClient, session: &str) -> Vec<Value> {
    let answer = client.command("kit.session.transcript", json!({ "session": session })).await;
    answer.expect("a transcript")["events"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_plan_is_told_in_every_mode_and_survives_a_kill_a_fork_and_a_branch() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = launch(&project, &model).setting("mode", json!("plan")).start().await;
    model.reply(update(&[step("look", "in_progress"), step("mend", "pending")]));
    model.reply(Reply::new().text("first"));
    let turn = client.prompt("one").await;
    let first = client.finish(&turn).await;
    assert_eq!(first.only("tool_call")["title"], "Plan 0/2: look");
    assert_eq!(first.tool_result(), ("The plan is updated: 0 of 2 done.", false));
    let within = ["tool_call", "tool_execution_start", "plan", "tool_execution_end", "tool_result"];
    let order: Vec<&str> = first.types().into_iter().filter(|kind| within.contains(kind)).collect();
    assert_eq!(order, within);
    client
        .latest("kit/status", |status| {
            status["plan"] == json!({ "completed": 0, "total": 2, "current": "look" })
        })
        .await;

    let low = json!({ "content": "mend", "status": "in_progress", "priority": "low" });
    model.reply(update(&[step("look", "completed"), low.clone()]));
    model.reply(Reply::new().text("second"));
    let second = client.run("two").await;
    assert_eq!(second.only("plan")["entries"], json!([step("look", "completed"), low]));
    client.latest("kit/status", |status| status["plan"]["completed"] == 1).await;
    assert_eq!(client.server_requests("kit/permission"), Vec::<Value>::new(), "nobody is asked");
    let system = model.requests().iter().map(|request| request.body["system"].clone()).collect::<Vec<_>>();
    assert!(
        system.windows(2).all(|pair| pair[0] == pair[1]),
        "the instructions stay as they are, byte by byte"
    );
    assert!(system[0].to_string().contains("`update_plan`"), "{}", system[0]);
    client.kill().await;

    let both = [("in_progress pending".to_owned(), false), ("completed in_progress".to_owned(), false)];
    let client = start(&project, &model).await;
    client.command("kit.session.open", json!({ "session": turn.session })).await.expect("it opens");
    assert_eq!(plans(&transcript(&client, &turn.session).await), both);
    let of_two = |completed: u64| move |status: &Value| status["plan"]["completed"] == completed;
    client.latest("kit/status", of_two(1)).await;

    let tree = client.command("kit.session.tree", json!({ "session": turn.session })).await.expect("a tree");
    let nodes = tree["nodes"].as_array().expect("nodes");
    let answer = nodes.iter().find(|node| node["text"] == "first").expect("the first answer")["id"].clone();
    let at = json!({ "session": turn.session, "entry": answer });
    client.command("kit.session.branch", at.clone()).await.expect("it branches");
    client.latest("kit/status", of_two(0)).await;
    assert_eq!(plans(&transcript(&client, &turn.session).await), both[..1]);
    let fork = client.command("kit.session.fork", at).await.expect("it forks")["session"].clone();
    let fork = fork.as_str().expect("an id").to_owned();
    assert_eq!(plans(&transcript(&client, &fork).await), both[..1]);

    model.reply(update(&[]));
    model.reply(Reply::new().text("third"));
    let turn = client.prompt_in(&fork, "three").await;
    let third = client.finish(&turn).await;
    assert_eq!(third.tool_result(), ("The plan is taken away.", false));
    client.latest("kit/status", |status| status["session"] == json!(fork) && status["plan"].is_null()).await;
    client.close().await;
}

#[tokio::test]
async fn a_subagent_keeps_a_plan_of_its_own() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(update(&[step("give it away", "in_progress")]));
    model.reply(Reply::new().call("subagent", json!({ "task": "Do the rest" })));
    model.reply_to("Do the rest", update(&[step("a", "completed"), step("b", "pending")]));
    model.reply_to("Do the rest", Reply::new().text("done"));
    model.reply(Reply::new().text("all done"));
    let turn = client.prompt("go").await;
    client.finish(&turn).await;
    let events = client.notifications("kit/event");
    assert_eq!(plans(&events), [("in_progress".to_owned(), false), ("completed pending".to_owned(), true)]);
    client.latest("kit/status", |status| status["plan"]["total"] == 1).await;
    let child =
        events.iter().find(|event| event["agent"].is_object()).expect("a subagent")["agent"]["id"].clone();
    let child = child.as_str().expect("an id");
    assert_eq!(plans(&transcript(&client, child).await), [("completed pending".to_owned(), false)]);
    client.close().await;
}

#[tokio::test]
async fn a_plan_that_cannot_be_read_is_refused_and_a_headless_run_tells_the_good_one() {
    let project = Project::new();
    let model = ModelServer::start().await;
    model.reply(update(&[step("a", "doing")]));
    model.reply(update(&[step("a", "in_progress")]));
    model.reply(Reply::new().text("done"));
    let run = launch(&project, &model).run(&["run", "--events", "go"]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let events: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(plans(&events), [("in_progress".to_owned(), false)]);
    let results: Vec<&Value> = events.iter().filter(|event| event["type"] == "tool_result").collect();
    let refused = results[0]["result"].as_str().expect("a result");
    assert!(
        refused.contains("entries[0].status") && refused.contains("`in_progress`"),
        "the model learns what there is: {refused}"
    );
    assert_eq!((results[0]["isError"].clone(), results[1]["isError"].clone()), (json!(true), json!(false)));
}
