//! Prompts and their turns: streams, stop reasons, queueing, cancelling, modes, models, commands, errors.

use kit_testkit::{AcpClient, Gate, Launch, Reply, eventually, processes_below, text_block};
use serde_json::{Value, json};

use super::{Bench, about, final_statuses};

/// Statement 3, W41, and usage.
#[tokio::test]
async fn a_turn_is_told_as_it_happens_and_answered_at_its_end() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("notes.txt", "42\n");
    let (client, session) = bench.begin().await;
    bench.model.reply(
        Reply::new()
            .reasoning("let me think")
            .text("I ")
            .text("look.")
            .call("read", json!({ "path": "notes.txt" })),
    );
    bench.model.reply(Reply::new().text(" It is 42."));
    let answered =
        client.answer(client.send_prompt(&session, json!([text_block("go")])).await).await.unwrap();
    assert_eq!(answered["stopReason"], "end_turn");
    assert_eq!(answered["usage"]["totalTokens"], 30, "{answered}");
    assert_eq!(client.text(&session, "agent_message_chunk"), "I look. It is 42.");
    assert_eq!(client.text(&session, "agent_thought_chunk"), "let me think");
    let call = about(&client, &session, "notes.txt");
    assert_eq!((&call[0]["kind"], &call[0]["rawInput"]), (&json!("read"), &json!({ "path": "notes.txt" })));
    assert_eq!(call[0]["locations"][0]["path"], json!(bench.project.path("notes.txt")));
    assert!(call.iter().any(|update| update["status"] == "in_progress"), "{call:#?}");
    assert_eq!(final_statuses(&call), ["completed"]);
    let usage =
        client.updates(&session).into_iter().rfind(|update| update["sessionUpdate"] == "usage_update");
    let usage = usage.expect("usage is told");
    assert!(usage["used"].as_u64().unwrap() > 0 && usage["size"].as_u64().unwrap() > 0, "{usage}");
    assert_eq!(usage["_meta"]["kit"]["session"]["outputTokens"], 10, "{usage}");
    let title =
        client.updates(&session).into_iter().find(|update| update["sessionUpdate"] == "session_info_update");
    assert_eq!(title.expect("a title")["title"], "go");
    client.assert_understood();
}

/// W43.
#[tokio::test]
async fn the_plan_of_the_agent_is_the_clients_to_show_also_when_the_session_is_loaded_again() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    let entries = |second: &str| {
        json!([
            { "content": "look", "status": "completed", "priority": "high" },
            { "content": "mend", "status": second },
        ])
    };
    for second in ["pending", "in_progress"] {
        bench.model.reply(Reply::new().call("update_plan", json!({ "entries": entries(second) })));
    }
    bench.model.reply(Reply::new().text("done"));
    client.prompt(&session, "go").await;
    let plans = |client: &AcpClient| {
        let updates = client.updates(&session).into_iter();
        updates
            .filter(|update| update["sessionUpdate"] == "plan")
            .map(|update| update["entries"].clone())
            .collect::<Vec<_>>()
    };
    let told = |second: &str| {
        json!([
            { "content": "look", "status": "completed", "priority": "high" },
            { "content": "mend", "status": second, "priority": "medium" },
        ])
    };
    assert_eq!(plans(&client), [told("pending"), told("in_progress")]);
    assert_eq!(client.asked("session/request_permission"), Vec::<Value>::new());
    client.assert_understood();
    client.kill().await;

    let client = bench.plain().await;
    let params = json!({ "sessionId": session, "cwd": bench.project.root(), "mcpServers": [] });
    client.request("session/load", params).await.expect("the session is there");
    assert_eq!(plans(&client).last(), Some(&told("in_progress")));
    client.assert_understood();
}

/// Statement 5, W45.
#[tokio::test]
async fn a_second_prompt_waits_for_its_turn() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    let gate = Gate::new();
    bench.model.reply(Reply::new().text("one").gate(&gate));
    let first = client.send_prompt(&session, json!([text_block("first")])).await;
    gate.reached().await;
    bench.model.reply(Reply::new().text("two"));
    let second = client.send_prompt(&session, json!([text_block("second")])).await;
    gate.open();
    for ticket in [first, second] {
        assert_eq!(client.answer(ticket).await.unwrap()["stopReason"], "end_turn");
    }
    assert_eq!(client.text(&session, "agent_message_chunk"), "onetwo");
}

/// Statement 6, W42.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn cancelling_in_the_middle_of_a_tool_ends_the_turn_its_call_and_what_it_started() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    client.permit("allow_once");
    let command = "echo begun; (sleep 1000 & sleep 1000)";
    bench.model.reply(Reply::new().text("I wait.").call("bash", json!({ "command": command })));
    let first = client.send_prompt(&session, json!([text_block("wait")])).await;
    let second = client.send_prompt(&session, json!([text_block("and then")])).await;
    client
        .update(&session, "the output of the running command", |update| {
            update["content"][0]["content"]["text"].as_str().is_some_and(|text| text.contains("begun"))
        })
        .await;
    client.notify("session/cancel", json!({ "sessionId": session })).await;
    for ticket in [first, second] {
        assert_eq!(client.answer(ticket).await.unwrap()["stopReason"], "cancelled");
    }
    assert_eq!(final_statuses(&about(&client, &session, "sleep")), ["failed"]);
    eventually("nothing is left", || processes_below(&bench.project.root()).is_empty()).await;

    bench.model.reply(Reply::new().text("gladly"));
    assert_eq!(client.prompt(&session, "another one").await, "end_turn");
    bench.model.assert_used();
    client.assert_understood();
}

#[tokio::test]
async fn a_cancellation_right_behind_the_prompt_reaches_it() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    for _ in 0..20 {
        bench.model.reply(Reply::new().text("x").stall());
    }
    for _ in 0..20 {
        let ticket = client.send_prompt(&session, json!([text_block("go")])).await;
        client.notify("session/cancel", json!({ "sessionId": session })).await;
        assert_eq!(client.answer(ticket).await.unwrap()["stopReason"], "cancelled");
    }
    let nothing = json!({ "sessionId": "unknown" });
    client.notify("session/cancel", nothing).await;
    client.request("session/list", json!({})).await.expect("the connection goes on");
}

#[tokio::test]
async fn ends_of_turns_have_their_reasons_and_errors_their_kinds() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    bench.model.reply(Reply::new().text("too long").stopped_by_length());
    assert_eq!(client.prompt(&session, "go").await, "max_tokens");
    bench.model.reply(Reply::status(401).body("invalid x-api-key"));
    let ticket = client.send_prompt(&session, json!([text_block("go")])).await;
    let error = client.answer(ticket).await.unwrap_err();
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32000), &json!("auth")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("kit-ls auth login"), "{error}");

    let limited = bench.launch().setting("maxSteps", json!(1));
    let client = AcpClient::start(&bench.program, &limited, json!({})).await;
    let session = client.session(&bench.project.root()).await;
    bench.model.reply(Reply::new().call("ls", json!({})));
    assert_eq!(client.prompt(&session, "go").await, "max_turn_requests");
    client.assert_understood();
}

#[tokio::test]
async fn modes_and_models_are_told_and_set_in_both_ways() {
    let Some(bench) = Bench::new().await else { return };
    let client = bench.plain().await;
    let params = json!({ "cwd": bench.project.root(), "mcpServers": [] });
    let made = client.request("session/new", params).await.unwrap();
    let session = made["sessionId"].as_str().unwrap().to_owned();
    let modes: Vec<&str> = made["modes"]["availableModes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|mode| mode["id"].as_str())
        .collect();
    assert_eq!(
        (made["modes"]["currentModeId"].as_str(), modes),
        (Some("edit"), vec!["plan", "ask", "edit", "auto"])
    );
    let value_of = |options: &Value, id: &str| {
        let options = options.as_array().unwrap().iter();
        options.clone().find(|option| option["id"] == id).unwrap()["currentValue"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let options = &made["configOptions"];
    let first = value_of(options, "model");
    assert_eq!(value_of(options, "mode"), "edit");

    let plan = json!({ "sessionId": session, "modeId": "plan" });
    client.request("session/set_mode", plan).await.expect("the mode can be set");
    let told =
        client.update(&session, "options", |update| update["sessionUpdate"] == "config_option_update").await;
    assert_eq!(value_of(&told["configOptions"], "mode"), "plan");
    bench.model.reply(Reply::new().text("planned"));
    client.prompt(&session, "go").await;
    let tools = bench.model.request(0).await.tools().join(" ");
    assert!(tools.contains("read") && !tools.contains("edit") && !tools.contains("bash"), "{tools}");

    let set = |id: &str, value: &str| json!({ "sessionId": session, "configId": id, "value": value });
    let answered = client.request("session/set_config_option", set("mode", "auto")).await.unwrap();
    assert_eq!(value_of(&answered["configOptions"], "mode"), "auto");
    let told =
        client.update(&session, "mode", |update| update["sessionUpdate"] == "current_mode_update").await;
    assert_eq!(told["currentModeId"], "auto");
    let other = first.replace(first.split('/').next_back().unwrap(), "claude-haiku-4-5");
    let answered = client.request("session/set_config_option", set("model", &other)).await.unwrap();
    assert_eq!(value_of(&answered["configOptions"], "model"), other);
    bench.model.reply(Reply::new().text("answered"));
    client.prompt(&session, "go").await;
    assert_eq!(bench.model.request(1).await.body["model"], "claude-haiku-4-5");
    let answered = client.request("session/set_config_option", set("thinking", "high")).await.unwrap();
    assert_eq!(value_of(&answered["configOptions"], "thinking"), "high");
    for (id, value) in [("mode", "turbo"), ("model", "nowhere/x"), ("thinking", "deep"), ("color", "red")] {
        let refused = client.request("session/set_config_option", set(id, value)).await.unwrap_err();
        assert!(
            ["invalid_request", "not_found"].contains(&refused["data"]["kind"].as_str().unwrap()),
            "{refused}"
        );
    }
    client.assert_understood();
}

#[tokio::test]
async fn commands_are_listed_and_run_from_the_prompt() {
    let Some(bench) = Bench::new().await else { return };
    let template = "---\ndescription: Reviews a file\n---\nReview $1 closely.\n";
    let folder = bench.project.kit_home().join(".kit/prompts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("review.md"), template).unwrap();
    let (client, session) = bench.begin().await;
    let told = client
        .update(&session, "commands", |update| update["sessionUpdate"] == "available_commands_update")
        .await;
    let command = &told["availableCommands"][0];
    assert_eq!(
        (&command["name"], &command["description"]),
        (&json!("review"), &json!("Reviews a file")),
        "{told}"
    );
    bench.model.reply(Reply::new().text("fine"));
    client.prompt(&session, "/review a.rs").await;
    let request = bench.model.request(0).await;
    assert!(
        request.user_texts().iter().any(|text| text.contains("Review a.rs closely.")),
        "{:?}",
        request.items
    );
    client.assert_understood();
}

/// The wire itself: whatever comes, it is answered and the connection goes on.
#[tokio::test]
async fn malformed_input_is_answered_and_the_connection_goes_on() {
    let Some(bench) = Bench::new().await else { return };
    let launch: Launch = bench.launch();
    let mut program = launch.begin(&["acp"]);
    let bad = [
        "{",
        "[]",
        "7",
        "\u{0}",
        "{\"jsonrpc\":\"2.0\",\"id\":{}}",
        "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"x\"}",
        "",
    ];
    for line in bad {
        program.types(&format!("{line}\n")).await;
    }
    program.types("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":null}\n").await;
    program.types("{\"jsonrpc\":\"2.0\",\"method\":\"no/such\"}\n").await;
    program.types("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"x\"}}\n").await;
    program
        .types(
            "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\",\"params\":{\"protocolVersion\":9}}\n",
        )
        .await;
    let answers = program
        .prints("answer to the good request", |printed| {
            let answers: Vec<Value> =
                printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            answers.iter().any(|answer| answer["id"] == 7).then_some(answers)
        })
        .await;
    let codes: Vec<(Value, i64)> =
        answers.iter().filter_map(|one| Some((one["id"].clone(), one["error"]["code"].as_i64()?))).collect();
    let expected = [
        (Value::Null, -32700),
        (Value::Null, -32600),
        (Value::Null, -32600),
        (Value::Null, -32700),
        (Value::Null, -32600),
        (json!(5), -32600),
        (json!(6), -32602),
    ];
    assert_eq!(codes, expected);
    let last = answers.last().unwrap();
    assert_eq!(last["result"]["protocolVersion"], 1, "the version that is spoken: {last}");
    program.close_input();
    let (code, printed) = program.ends().await;
    assert_eq!(code, Some(0));
    let is_frame =
        |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|value| value["jsonrpc"] == "2.0");
    assert!(printed.lines().all(is_frame), "stdout carries frames alone: {printed}");
}
