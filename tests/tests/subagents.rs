//! Subagents as an editor sees them: nested events and progress, questions with their path, cancelling, resuming, and
//! what is left after a crash.

use e2e::{launch, permit, start};
use kit_testkit::{Answer, Gate, LanguageClient, ModelServer, Project, Reply, TokenCount, Turn, nasty_mcp};
#[cfg(target_os = "linux")]
use kit_testkit::{eventually, processes_below};
use serde_json::{Value, json};

fn subagent(arguments: Value) -> Reply {
    Reply::new().call("subagent", arguments)
}

/// The events of subagents in the stream of a turn's session.
fn of_agents(client: &LanguageClient, turn: &Turn) -> Vec<Value> {
    let events = client.notifications("kit/event").into_iter();
    events.filter(|event| event["session"] == json!(turn.session) && event["agent"].is_object()).collect()
}

/// The id of the subagent that a tool call's result names.
fn id_in(result: &str) -> String {
    let behind = result.split("Session ID: ").nth(1).unwrap_or_else(|| panic!("no id in {result}"));
    behind.split_whitespace().next().unwrap_or_default().to_owned()
}

async fn listed(client: &LanguageClient) -> Vec<Value> {
    let answer = client.command("kit.session.list", json!({})).await.expect("the sessions are listed");
    answer["sessions"].as_array().cloned().unwrap_or_default()
}

/// Statements 36 and 37, and nested progress.
#[tokio::test]
async fn a_subagent_works_with_the_tools_of_its_parent_and_is_seen_at_work() {
    let project = Project::new();
    project.write("notes.txt", "the answer is 42\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(subagent(json!({ "task": "Read the notes", "agent": "explore" })));
    model.reply_to(
        "Read the notes",
        Reply::new().text("I look.").call("read", json!({ "path": "notes.txt" })),
    );
    model.reply_to("Read the notes", Reply::new().text("It is ").gate(&gate).text("42."));
    let turn = client.prompt("what do they say?").await;
    gate.reached().await;

    let status = client.latest("kit/status", |status| status["agents"][0]["state"] == "running").await;
    let agent = status["agents"][0].clone();
    let id = agent["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        (&agent["name"], &agent["task"], &agent["session"]),
        (&json!("explore"), &json!("Read the notes"), &json!(turn.session))
    );
    assert_eq!(status["session"], json!(turn.session), "the status is about the session that the user is in");
    let progress = client
        .notification("$/progress", |params| {
            params["value"]["kind"] == "begin"
                && params["value"]["message"]
                    .as_str()
                    .is_some_and(|message| message == "explore: Read the notes")
        })
        .await;
    let document = client
        .request("workspace/textDocumentContent", json!({ "uri": format!("kit-session:{id}.md") }))
        .await;
    let document =
        document.expect("the transcript can be opened")["text"].as_str().unwrap_or_default().to_owned();
    assert!(document.contains("Read the notes") && document.contains("I look."), "{document}");

    model.reply(Reply::new().text("They say 42."));
    gate.open();
    let report = client.finish(&turn).await;
    assert_eq!(report.response(), "They say 42.");
    client
        .notification("$/progress", |params| {
            params["value"]["kind"] == "end" && params["token"] == progress["token"]
        })
        .await;
    let nested = of_agents(&client, &turn);
    let types: Vec<&str> = nested.iter().filter_map(|event| event["type"].as_str()).collect();
    for wanted in ["turn_start", "message_update", "tool_call", "tool_result", "step_usage", "turn_end"] {
        assert!(types.contains(&wanted), "{wanted} is not among {types:?}");
    }
    assert!(
        nested
            .iter()
            .all(|event| event["agent"]["id"] == json!(id) && event["agent"]["path"] == json!(["explore"]))
    );
    client.latest("kit/status", |status| status["agents"] == json!([])).await;

    let requests = [model.request(0).await, model.request(1).await];
    let tools = |request: usize| requests[request].tools();
    assert!(tools(0).contains(&"subagent") && tools(0).contains(&"bash"), "{:?}", tools(0));
    assert_eq!(tools(1), ["find", "grep", "ls", "read"]);
    let result = report
        .events
        .iter()
        .find(|event| event["metadata"]["subagentSession"].is_string())
        .expect("a result");
    assert_eq!(result["metadata"]["subagentSession"], json!(id));
    let child =
        listed(&client).await.into_iter().find(|session| session["id"] == json!(id)).expect("it is stored");
    assert_eq!(
        (&child["parentSession"], &child["subagentTask"]),
        (&json!(turn.session), &json!("Read the notes"))
    );
    client.close().await;
}

#[tokio::test]
async fn without_a_named_agent_a_subagent_has_exactly_its_parents_tools_but_one() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Say hello" })));
    model.reply_to("Say hello", Reply::new().text("hello"));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    let parent: Vec<String> = model.request(0).await.tools().into_iter().map(str::to_owned).collect();
    let expected: Vec<&String> = parent.iter().filter(|tool| *tool != "subagent").collect();
    assert_eq!(model.request(1).await.tools().iter().collect::<Vec<_>>(), expected);
    client.close().await;
}

/// Statement 36: tools of MCP servers are inherited, but not beyond a named agent's list, and no subagent has subagents.
#[tokio::test]
async fn a_subagent_has_tools_of_servers_only_where_its_list_has_them_and_spawns_nobody() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = launch(&project, &model)
        .setting("mcpServers", json!({ "bad": nasty_mcp("well", None) }))
        .start()
        .await;
    crate::mcp::in_state(&client, "bad", "ready").await;
    permit(&client, "allowOnce");
    let echo = || Reply::new().call("mcp__bad__echo", json!({ "text": "hello" }));
    model.reply(subagent(json!({ "task": "Work freely" })));
    model.reply_to("Work freely", subagent(json!({ "task": "Do it for me" })));
    model.reply_to("Work freely", echo());
    model.reply_to("Work freely", Reply::new().text("so be it"));
    model.reply(subagent(json!({ "task": "Only look", "agent": "explore" })));
    model.reply_to("Only look", echo());
    model.reply_to("Only look", Reply::new().text("I may not"));
    model.reply(Reply::new().text("done"));
    assert_eq!(client.run("go").await.response(), "done");
    let free = model.request(1).await;
    assert!(free.tools().contains(&"mcp__bad__echo"), "{:?}", free.tools());
    let refused = model.request(2).await.last_result().to_owned();
    assert!(refused.starts_with("there is no tool `subagent`"), "{refused}");
    assert_eq!(model.request(3).await.last_result(), "hello");
    let refused = model.request(6).await.last_result().to_owned();
    assert!(refused.starts_with("there is no tool `mcp__bad__echo`"), "{refused}");
    assert_eq!(model.requests().len(), 8);
    client.close().await;
}

/// Statement 38: what subagents spend is theirs and part of the turn.
#[tokio::test]
async fn the_totals_of_a_turn_hold_what_its_subagents_spent() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let tokens = |input, output| TokenCount { input, output, ..TokenCount::default() };
    model.reply(
        Reply::new()
            .call("subagent", json!({ "task": "Part one" }))
            .call("subagent", json!({ "task": "Part two" }))
            .tokens(tokens(100, 10)),
    );
    model.reply_to("Part one", Reply::new().text("one").tokens(tokens(20, 2)));
    model.reply_to("Part two", Reply::new().text("two").tokens(tokens(30, 3)));
    model.reply(Reply::new().text("both").tokens(tokens(200, 20)));
    let report = client.run("go").await;
    assert_eq!(report.response(), "both");
    let steps = report.all("step_usage");
    let sum = |name: &str| steps.iter().filter_map(|step| step[name].as_u64()).sum::<u64>();
    assert_eq!((steps.len(), sum("inputTokens"), sum("outputTokens")), (4, 350, 35));
    let usage = &report.end()["usage"];
    assert_eq!((&usage["inputTokens"], &usage["outputTokens"]), (&json!(350), &json!(35)));
    assert_eq!(usage["costMicros"].as_u64(), Some(sum("costMicros")));
    assert_eq!(steps.iter().filter(|step| step["agent"].is_object()).count(), 2);
    let answer = client.command("kit.usage.get", json!({})).await.expect("the usage");
    for total in ["turn", "session", "today"] {
        assert_eq!(answer[total]["inputTokens"], json!(350), "{total} of {answer}");
    }
    client.close().await;
}

/// Questions of a subagent are its parent's, and say who asks.
#[cfg(unix)]
#[tokio::test]
async fn a_subagent_asks_with_its_path_and_an_answer_for_the_session_holds_for_both() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| {
        behavior.permission = Box::new(|params| {
            let options = params["options"].as_array().cloned().unwrap_or_default();
            let option = options.iter().find(|option| option["scope"] == "session");
            let option = option.unwrap_or_else(|| panic!("an option for the session: {params}"));
            Answer::Result(json!({ "option": option["id"] }))
        });
    });
    let shell = || Reply::new().call("bash", json!({ "command": "echo one >> log" }));
    model.reply(subagent(json!({ "task": "Write the log" })));
    model.reply_to("Write the log", shell());
    model.reply_to("Write the log", Reply::new().text("written"));
    model.reply(shell());
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    assert_eq!((report.response(), project.text("log").as_str()), ("done", "one\none\n"));
    let asked = client.server_requests("kit/permission");
    assert_eq!(asked.len(), 1, "the session's answer holds for subagent and parent: {asked:?}");
    assert_eq!(asked[0]["session"], report.end()["session"]);
    assert_eq!(
        (&asked[0]["agent"]["name"], &asked[0]["agent"]["path"]),
        (&json!("general"), &json!(["general"]))
    );
    client.close().await;
}

#[tokio::test]
async fn hunks_of_a_subagent_belong_to_the_turn_and_name_the_subagent() {
    let project = Project::new();
    project.write("a.txt", "one\ntwo\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Change the number" })));
    model.reply_to("Change the number", Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply_to("Change the number", Reply::new().edit("a.txt", "two", "2"));
    model.reply_to("Change the number", Reply::new().text("changed"));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("go").await;
    client.finish(&turn).await;
    let review = e2e::review(&client).await;
    let hunk = &review["files"][0]["hunks"][0];
    assert_eq!((&hunk["turn"], &hunk["newText"]), (&json!(turn.turn), &json!("2\n")));
    assert_ne!(hunk["agent"], json!("main"));
    let undone = client.command("kit.review.undo", json!({ "turn": turn.turn })).await.expect("undone");
    assert_eq!(undone["applied"].as_array().map(Vec::len), Some(1));
    assert_eq!(project.text("a.txt"), "one\ntwo\n");
    client.close().await;
}

/// Statement 6 for subagents: their shells and their model calls end with the parent.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn cancelling_the_parent_ends_its_subagents_with_their_shells() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    model.reply(
        Reply::new()
            .call("subagent", json!({ "task": "Run the shell" }))
            .call("subagent", json!({ "task": "Think long" })),
    );
    model.reply_to(
        "Run the shell",
        Reply::new().call("bash", json!({ "command": "echo ready; sleep 1000 & sleep 1000" })),
    );
    model.reply_to("Think long", Reply::new().text("hm").stall());
    let turn = client.prompt("go").await;
    let is = |event: &Value, kind: &str| event["agent"].is_object() && event["type"] == kind;
    client.event(|event| is(event, "tool_output")).await;
    client.event(|event| is(event, "message_update")).await;
    assert!(!processes_below(&project.root()).is_empty(), "the shell runs in the project");
    let answer =
        client.command("kit.session.cancel", json!({ "session": turn.session })).await.expect("cancelled");
    assert_eq!(answer, json!({ "cancelled": [turn.turn] }));
    let report = client.finish(&turn).await;
    assert_eq!(report.stop_reason(), "cancelled");
    eventually("no process of the shell is left", || processes_below(&project.root()).is_empty()).await;
    let ends: Vec<Value> =
        of_agents(&client, &turn).into_iter().filter(|event| event["type"] == "turn_end").collect();
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|end| end["stopReason"] == "cancelled"), "{ends:?}");
    client.latest("kit/status", |status| status["state"] == "idle" && status["agents"] == json!([])).await;

    model.reply(Reply::new().text("fine"));
    assert_eq!(client.run("and now?").await.response(), "fine");
    client.close().await;
}

/// The progress of one subagent stops that one alone.
#[tokio::test]
async fn cancelling_the_progress_of_a_subagent_stops_it_alone() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Think long" })));
    model.reply_to("Think long", Reply::new().text("hm").stall());
    let turn = client.prompt("go").await;
    let begin = client
        .notification("$/progress", |params| {
            params["value"]["kind"] == "begin" && params["value"]["message"] == "general: Think long"
        })
        .await;
    client.event(|event| event["agent"].is_object() && event["type"] == "message_update").await;
    model.reply(Reply::new().text("it was stopped"));
    client.notify("window/workDoneProgress/cancel", json!({ "token": begin["token"] }));
    let report = client.finish(&turn).await;
    assert_eq!((report.stop_reason(), report.response()), ("end_turn", "it was stopped"));
    let result = model.request(2).await.last_result().to_owned();
    assert!(
        result.starts_with("Subagent failed after") && result.ends_with("Partial output:\nhm"),
        "{result}"
    );
    client.close().await;
}

/// Statement 37.
#[tokio::test]
async fn a_subagent_is_resumed_by_the_id_that_the_model_reads() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Remember the word quince" })));
    model.reply_to("Remember the word", Reply::new().text("I remember it."));
    model.reply(Reply::new().text("ok"));
    client.run("go").await;
    let id = id_in(model.request(2).await.last_result());

    model.reply(subagent(json!({ "task": "Say the word", "session_id": id })));
    model.reply_to("Say the word", Reply::new().text("quince"));
    model.reply(Reply::new().text("it said quince"));
    assert_eq!(client.run("which word?").await.response(), "it said quince");
    let resumed = model.request(4).await;
    let texts = resumed.user_texts();
    assert!(texts[0].contains("Remember the word quince") && texts[1].contains("Say the word"), "{texts:?}");
    assert_eq!(id_in(model.request(5).await.last_result()), id);

    for unknown in ["0123456789abcdef0123456789abcdef", ""] {
        let arguments = json!({ "operation": "wait", "session_id": unknown });
        model.reply(subagent(arguments));
        model.reply(Reply::new().text("I see"));
        let report = client.run("again").await;
        let (result, failed) = report.tool_result();
        let expected = if unknown.is_empty() { "session_id parameter is required" } else { id.as_str() };
        assert!(failed && result.contains(expected), "{result}");
    }
    client.close().await;
}

#[tokio::test]
async fn wrong_calls_are_answered_with_what_was_meant() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    for (arguments, expected) in [
        (json!({}), "task parameter is required"),
        (json!({ "task": "x", "agent": "explorer" }), "there is no agent `explorer`"),
        (json!({ "task": "x", "model": "claude-sonet-4-5" }), "you may mean"),
        (json!({ "task": "x", "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "task": "x", "session_id": "nobody" }), "there is no subagent with the session id nobody"),
        (json!({ "operation": "kill" }), "session_id parameter is required"),
    ] {
        model.reply(subagent(arguments));
        model.reply(Reply::new().text("I see"));
        let report = client.run("go").await;
        let (result, failed) = report.tool_result();
        assert!(failed && result.contains(expected), "{expected}: {result}");
    }
    client.close().await;
}

#[tokio::test]
async fn subagents_in_the_background_are_awaited_and_stopped_by_their_id() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(
        Reply::new()
            .call("subagent", json!({ "task": "Take your time", "background": true }))
            .call("subagent", json!({ "task": "Never end", "background": true })),
    );
    model.reply_to("Take your time", Reply::new().text("Here ").gate(&gate).text("it is."));
    model.reply_to("Never end", Reply::new().text("hm").stall());
    model.reply(Reply::new().text("they work"));
    assert_eq!(client.run("go").await.response(), "they work");
    gate.reached().await;
    let agents = client
        .latest("kit/status", |status| status["state"] == "idle" && status["agents"][1]["state"] == "running")
        .await;
    let id = |task: &str| {
        let agents = agents["agents"].as_array().expect("a list");
        let agent =
            agents.iter().find(|agent| agent["task"] == task).unwrap_or_else(|| panic!("{task}: {agents:?}"));
        agent["id"].as_str().expect("an id").to_owned()
    };
    let (slow, endless) = (id("Take your time"), id("Never end"));
    gate.open();
    model.reply(
        Reply::new()
            .call("subagent", json!({ "operation": "wait", "session_id": slow }))
            .call("subagent", json!({ "operation": "kill", "session_id": endless })),
    );
    model.reply(Reply::new().text("all done"));
    let report = client.run("and?").await;
    assert_eq!(report.response(), "all done");
    let own = report.tool_results();
    assert!(
        own.iter().any(|(_, result, failed)| result.ends_with("Result:\nHere it is.") && !failed),
        "{own:?}"
    );
    assert!(
        own.iter().any(|(_, result, failed)| result.starts_with("The subagent is stopped.") && !failed),
        "{own:?}"
    );
    client.latest("kit/status", |status| status["agents"] == json!([])).await;
    client.close().await;
}

/// Statement 37: the time that a call names is kept to.
#[tokio::test]
async fn a_subagent_that_takes_too_long_is_an_error_with_what_it_said() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Think long", "timeout_seconds": 1 })));
    model.reply_to("Think long", Reply::new().text("half a thought").stall());
    model.reply(Reply::new().text("I go on alone"));
    let report = client.run("go").await;
    assert_eq!(report.response(), "I go on alone");
    let result = model.request(2).await.last_result().to_owned();
    assert!(result.contains("it was stopped after its 1s") && result.ends_with("half a thought"), "{result}");
    client.close().await;
}

/// A crash leaves two files that can be read, and both sessions go on.
#[tokio::test]
async fn a_kill_leaves_parent_and_subagent_in_order() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Look around" })));
    model.reply_to("Look around", Reply::new().text("first").call("ls", json!({ "path": "." })));
    model.reply_to("Look around", Reply::new().text("second").stall());
    let turn = client.prompt("go").await;
    client
        .event(|event| {
            event["agent"].is_object() && event["type"] == "message_update" && event["chunk"] == "second"
        })
        .await;
    let id =
        client.latest("kit/status", |status| status["agents"][0]["id"].is_string()).await["agents"][0]["id"]
            .clone();
    client.kill().await;

    let client = start(&project, &model).await;
    let transcript = |session: Value| client.command("kit.session.transcript", json!({ "session": session }));
    let told = transcript(json!(turn.session)).await.expect("the parent's transcript");
    let types = |told: &Value| {
        let events = told["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(types(&told).last().map(String::as_str), Some("turn_end"), "{told}");
    assert_eq!(types(&told).iter().filter(|kind| *kind == "tool_result").count(), 1, "{told}");
    let told = transcript(id.clone()).await.expect("the subagent's transcript");
    assert_eq!(types(&told).last().map(String::as_str), Some("turn_end"), "{told}");
    let child = listed(&client).await.into_iter().find(|session| session["id"] == id).expect("it is stored");
    assert_eq!(child["parentSession"], json!(turn.session));

    model.reply(subagent(json!({ "task": "Go on looking", "session_id": id })));
    model.reply_to("Go on looking", Reply::new().text("found"));
    model.reply(Reply::new().text("good"));
    let turn = client.prompt_in(&turn.session, "go on").await;
    assert_eq!(client.finish(&turn).await.response(), "good");
    client.close().await;
}

#[tokio::test]
async fn deleting_a_session_tells_which_subagents_went_with_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Say hello" })));
    model.reply_to("Say hello", Reply::new().text("hello"));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("go").await;
    client.finish(&turn).await;
    let child = id_in(model.request(2).await.last_result());
    let answer =
        client.command("kit.session.delete", json!({ "session": turn.session })).await.expect("deleted");
    assert_eq!(answer, json!({ "session": turn.session, "deleted": [turn.session, child] }));
    assert_eq!(listed(&client).await, Vec::<Value>::new());
    client.close().await;
}

#[tokio::test]
async fn thirty_subagents_work_at_once_where_the_settings_allow_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = launch(&project, &model).setting("maxSubagents", json!(30)).start().await;
    let gates: Vec<Gate> = (0..30).map(|_| Gate::new()).collect();
    let mut all = Reply::new();
    for (number, gate) in gates.iter().enumerate() {
        let task = format!("Part {number:02} of the work");
        all = all.call("subagent", json!({ "task": task }));
        model.reply_to(&task, Reply::new().text("working ").gate(gate).text(&format!("on {number:02}")));
    }
    model.reply(all);
    let turn = client.prompt("go").await;
    for gate in &gates {
        gate.reached().await;
    }
    client
        .latest("kit/status", |status| status["agents"].as_array().is_some_and(|agents| agents.len() == 30))
        .await;
    model.reply(Reply::new().text("all thirty"));
    gates.iter().for_each(Gate::open);
    let report = client.finish(&turn).await;
    assert_eq!(report.response(), "all thirty");
    let request = model.request(31).await;
    let results = request.results();
    assert_eq!(results.len(), 30);
    for (number, (result, failed)) in results.iter().enumerate() {
        assert!(
            !failed && result.ends_with(&format!("working on {number:02}")),
            "results keep the order of the calls: {result}"
        );
    }
    client.close().await;
}

/// Both ways: what a subagent activates is its own, and what its parent is narrowed to holds for it, too.
#[tokio::test]
async fn a_skill_that_a_subagent_activates_narrows_it_alone() {
    let skill = "---\nname: look\ndescription: Look around\nallowed-tools: Read, subagent\n---\nLook.\n";
    let project = Project::new().file(".kit/skills/look.md", skill).file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Look around" })));
    model.reply_to("Look around", Reply::new().call("activate_skill", json!({ "name": "look" })));
    model.reply_to("Look around", Reply::new().edit("a.txt", "alpha", "beta"));
    model.reply_to("Look around", Reply::new().text("Looked."));
    model.reply(Reply::new().edit("a.txt", "alpha", "gamma"));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    let refused = model.requests().iter().any(|request| {
        request
            .results()
            .iter()
            .any(|(text, failed)| *failed && text.contains("the active skill `look` allows only"))
    });
    assert!(refused && project.text("a.txt") == "gamma\n", "{}", project.text("a.txt"));

    model.reply(Reply::new().call("activate_skill", json!({ "name": "look" })));
    model.reply(subagent(json!({ "task": "Change it" })));
    model.reply_to("Change it", Reply::new().edit("a.txt", "gamma", "delta"));
    model.reply_to("Change it", Reply::new().text("I could not."));
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert_eq!(project.text("a.txt"), "gamma\n");
    client.close().await;
}

#[tokio::test]
async fn a_subagent_is_also_started_by_the_tools_old_name() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().call("spawn_subagent", json!({ "task": "Look around" })));
    model.reply_to("Look around", Reply::new().text("Seen."));
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    let (result, failed) = report.tool_result();
    assert!(!failed && result.contains("completed successfully") && result.contains("Seen."), "{result}");
    client.close().await;
}

/// What is told of each subagent of a session: its events, and how it ended.
async fn told(client: &LanguageClient, session: &str) -> Vec<(String, String)> {
    let answer = client.command("kit.session.transcript", json!({ "session": session })).await;
    let events = answer.expect("a transcript")["events"].as_array().cloned().unwrap_or_default();
    let of_agents = events.iter().filter(|event| event["agent"].is_object());
    let word = |event: &Value| {
        let detail = ["prompt", "content", "stopReason"].iter().find_map(|name| event[*name].as_str());
        (event["type"].as_str().unwrap_or_default().to_owned(), detail.unwrap_or_default().to_owned())
    };
    of_agents
        .map(word)
        .filter(|(kind, _)| !["message_start", "message_update", "step_usage"].contains(&kind.as_str()))
        .collect()
}

#[tokio::test]
async fn what_subagents_did_is_told_again_after_a_restart() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(subagent(json!({ "task": "Count to three" })));
    model.reply_to("Count to three", Reply::new().text("1 2 3"));
    model.reply(Reply::new().text("counted"));
    let turn = client.prompt("count").await;
    client.finish(&turn).await;
    let gate = Gate::new();
    model.reply(subagent(json!({ "task": "Hang about" })));
    model.reply_to("Hang about", Reply::new().text("hm").gate(&gate));
    client.prompt_in(&turn.session, "wait").await;
    gate.reached().await;
    let live = of_agents(&client, &turn);
    client.kill().await;

    let client = start(&project, &model).await;
    let word = |kind: &str, detail: &str| (kind.to_owned(), detail.to_owned());
    let expected = [
        word("turn_start", "Count to three"),
        word("message_end", "1 2 3"),
        word("turn_end", "end_turn"),
        word("turn_start", "Hang about"),
        word("turn_end", "error"),
    ];
    assert_eq!(told(&client, &turn.session).await, expected);
    let answer = client
        .command("kit.session.transcript", json!({ "session": turn.session }))
        .await
        .expect("a transcript");
    let again: Vec<Value> = answer["events"].as_array().expect("events").clone();
    for kind in ["turn_start", "turn_end"] {
        let find = |events: &[Value]| {
            let of_agent = |event: &&Value| event["type"] == kind && event["agent"].is_object();
            let mut event = events.iter().find(of_agent).expect("it is told").clone();
            for name in ["seq", "at"] {
                event.as_object_mut().expect("an event").remove(name);
            }
            event
        };
        assert_eq!(find(&live), find(&again), "{kind} has the shape that it had");
    }
    // The document is about the session's own agent.
    let uri = format!("kit-session:{}.md", turn.session);
    let document =
        client.request("workspace/textDocumentContent", json!({ "uri": uri })).await.expect("it opens");
    let text = document["text"].as_str().unwrap_or_default();
    assert_eq!(text.matches("## Prompt").count(), 2, "{text}");
    client.close().await;
}
