//! The process and its protocol: handshake, commands, errors, encodings, and every way to end.

use std::process::{Command, Stdio};

use kit_testkit::{Apply, Encoding, Launch, ModelServer, Profile, Project, Reply};
use serde_json::{Value, json};

/// Statement 1.
#[tokio::test]
async fn every_advertised_command_is_accepted_and_an_unknown_one_is_an_error() {
    let project = Project::new();
    let launch = Launch::new(&project);
    let parameters = launch.initialize_parameters();
    let client = launch.spawn().await;
    let answer = client.request("initialize", parameters).await.expect("initialize succeeds");
    client.notify("initialized", json!({}));
    let advertised = &answer["capabilities"]["executeCommandProvider"]["commands"];
    let described =
        answer["capabilities"]["experimental"]["kit"]["commands"].as_array().expect("commands are described");
    let ids: Vec<&Value> = described.iter().map(|command| &command["id"]).collect();
    assert_eq!(advertised, &json!(ids), "both lists name the same commands");
    assert!(ids.contains(&&json!("kit.session.prompt")), "{ids:?}");
    assert_eq!(answer["serverInfo"]["name"], "kit-ls");
    assert_eq!(answer["capabilities"]["experimental"]["kit"]["version"], 1);
    assert_eq!(
        answer["capabilities"]["experimental"]["kit"]["serverVersion"],
        answer["serverInfo"]["version"]
    );
    for id in ids.into_iter().filter_map(Value::as_str) {
        // Without what it needs a command may refuse, but it must be known.
        if let Err(error) = client.command(id, json!({})).await {
            assert!(!error.message.contains("unknown command"), "{id}: {error:?}");
            assert!(!error.kind().is_empty(), "{id} gives an error with a kind: {error:?}");
        }
    }
    let unknown =
        client.command("kit.no.such.command", json!({})).await.expect_err("an unknown command is an error");
    assert!(unknown.message.contains("kit.no.such.command"), "{unknown:?}");
    client.command("kit.session.list", json!({})).await.expect("the server lives on");
    client.close().await;
}

#[tokio::test]
async fn a_bad_argument_is_an_error_that_names_the_field() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    let cases = [
        ("kit.session.prompt", json!({}), "text"),
        ("kit.session.prompt", json!({ "text": "go", "sesion": "x" }), "sesion"),
        ("kit.session.prompt", json!({ "text": 7 }), "text"),
        ("kit.session.prompt", json!({ "text": "go", "context": [{ "uri": 3 }] }), "context[0].uri"),
        ("kit.mode.set", json!({ "mode": "yolo" }), "mode"),
        ("kit.review.keep", json!({ "lines": [1] }), "lines"),
    ];
    for (command, argument, field) in cases {
        let error = client.command(command, argument.clone()).await.expect_err("the argument is refused");
        assert_eq!(error.code, -32602, "{command} {argument}: {error:?}");
        assert_eq!(error.kind(), "invalid_request", "{command} {argument}: {error:?}");
        assert!(error.message.contains(field), "{command} {argument} names {field}: {error:?}");
    }
    for params in
        [json!({}), json!({ "command": 7 }), json!({ "command": "kit.session.list", "arguments": "x" })]
    {
        let error = client.request("workspace/executeCommand", params.clone()).await.expect_err("refused");
        assert_eq!(error.code, -32602, "{params}: {error:?}");
    }
    client.close().await;
}

#[tokio::test]
async fn an_unknown_session_or_hunk_is_not_found() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    let nobody = "00000000000000000000000000000000";
    for (command, argument) in [
        ("kit.session.prompt", json!({ "text": "go", "session": nobody })),
        ("kit.session.tree", json!({ "session": nobody })),
        ("kit.session.transcript", json!({ "session": nobody })),
        ("kit.session.open", json!({ "session": nobody })),
    ] {
        let error = client.command(command, argument).await.expect_err("nobody is not found");
        assert_eq!(error.kind(), "not_found", "{command}: {error:?}");
    }
    client.close().await;
}

#[tokio::test]
async fn an_unknown_method_is_an_error_and_an_unknown_notification_is_ignored() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    client.notify("kit/noSuchNotification", json!({}));
    client.notify("$/noSuchNotification", json!({}));
    let error =
        client.request("kit/noSuchMethod", json!({})).await.expect_err("an unknown method is an error");
    assert_eq!(error.code, -32601, "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_answered_and_the_server_lives() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    client.send_bytes(b"Content-Length: 9\r\n\r\n{\"id\": 1,");
    let error = client.notification("error", |_| true).await;
    assert_eq!(error["error"]["code"], -32700, "{error}");
    client.command("kit.session.list", json!({})).await.expect("the server lives on");
    client.close().await;
}

/// Some clients send `"params": null` where LSP says that there are none.
#[tokio::test]
async fn shutdown_with_null_parameters_is_answered() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    assert_eq!(client.request_with_null_parameters("shutdown").await, Ok(Value::Null));
    client.notify("exit", Value::Null);
    assert_eq!(client.exited().await.code(), Some(0));
    client.check();
}

#[tokio::test]
async fn a_request_before_initialize_is_refused() {
    let project = Project::new();
    let launch = Launch::new(&project);
    let parameters = launch.initialize_parameters();
    let client = launch.spawn().await;
    let error =
        client.command("kit.session.list", json!({})).await.expect_err("the server is not initialized");
    assert_eq!(error.code, -32002, "{error:?}");
    client.request("initialize", parameters).await.expect("initialize still succeeds");
    client.notify("initialized", json!({}));
    client.close().await;
}

#[tokio::test]
async fn exit_without_shutdown_gives_one() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    client.notify("exit", Value::Null);
    assert_eq!(client.exited().await.code(), Some(1));
    client.check();
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_server() {
    let project = Project::new();
    let client = Launch::new(&project).start().await;
    client.close_input();
    client.exited().await;
    client.check();
}

#[tokio::test]
async fn the_end_of_the_input_ends_a_server_in_the_middle_of_a_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = e2e::start(&project, &model).await;
    model.reply(Reply::new().text("thinking").stall());
    let turn = client.prompt("go").await;
    client.turn_event(&turn, "message_update").await;
    client.close_input();
    client.exited().await;
    client.check();
    model.dropped(0).await;
}

/// An editor that was killed cannot say goodbye; its input may stay open in another process.
#[cfg(unix)]
#[tokio::test]
async fn the_death_of_the_parent_ends_the_server() {
    let project = Project::new();
    let mut parent = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep runs");
    let client = Launch::new(&project).parent(Some(parent.id())).start().await;
    parent.kill().expect("the parent can be killed");
    parent.wait().expect("the parent can be reaped");
    client.exited().await;
    client.check();
}

#[tokio::test]
async fn the_position_encoding_is_negotiated() {
    let cases: [(&[Encoding], &str); 3] = [
        // Where both are offered, the one that nearly every other server of the same editor uses.
        (&[Encoding::Utf8, Encoding::Utf16], "utf-16"),
        (&[Encoding::Utf16], "utf-16"),
        (&[Encoding::Utf8], "utf-8"),
    ];
    for (offered, expected) in cases {
        let project = Project::new();
        let launch = Launch::new(&project).encodings(offered);
        let parameters = launch.initialize_parameters();
        let client = launch.spawn().await;
        let answer = client.request("initialize", parameters).await.expect("initialize succeeds");
        assert_eq!(answer["capabilities"]["positionEncoding"], expected, "{offered:?}");
        client.notify("initialized", json!({}));
        client.close().await;
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_about_itself_is_served() {
    let project = Project::new();
    let launch = Launch::new(&project).profile(Profile::Custom(json!({}))).untrusted();
    let mut parameters = launch.initialize_parameters();
    parameters
        .as_object_mut()
        .expect("an object")
        .retain(|key, _| key == "capabilities" || key == "processId");
    let client = launch.spawn().await;
    let answer = client.request("initialize", parameters).await.expect("initialize succeeds");
    assert_eq!(answer["capabilities"]["positionEncoding"].as_str().unwrap_or("utf-16"), "utf-16");
    client.notify("initialized", json!({}));
    client.command("kit.session.list", json!({})).await.expect("commands work");
    client.close().await;
}

#[tokio::test]
async fn another_major_version_is_told_so_in_one_sentence() {
    let project = Project::new();
    let launch = Launch::new(&project)
        .profile(Profile::Custom(json!({ "experimental": { "kit": { "version": 99 } } })));
    let client = launch.untrusted().start().await;
    let message = client
        .notification("window/showMessage", |message| {
            message["message"].as_str().is_some_and(|text| text.contains("99"))
        })
        .await;
    assert!(message["message"].as_str().is_some_and(|text| text.contains('1')), "{message}");
    client.close().await;
}

/// T2 and T3: an editor that does not answer an edit must not block anything else.
#[tokio::test]
async fn requests_are_served_while_the_editor_owes_an_answer() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = e2e::start(&project, &model).await;
    client.open("a.txt");
    client.behave(|behavior| behavior.apply = Apply::Silent);
    model.reply(Reply::new().edit("a.txt", "one", "two"));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("go").await;
    client.server_request("workspace/applyEdit", 0).await;
    let ids: Vec<i64> = (0..200)
        .map(|_| {
            client.start_request(
                "workspace/executeCommand",
                json!({ "command": "kit.review.list", "arguments": [{}] }),
            )
        })
        .collect();
    for id in ids {
        client.response(id).await.expect("the review is listed");
    }
    client
        .command("kit.session.cancel", json!({ "session": turn.session }))
        .await
        .expect("a turn can be cancelled");
    client.turn_event(&turn, "turn_end").await;
    // T4: the answer that comes after nobody waits for it any more.
    let (id, _) = client.server_request("workspace/applyEdit", 0).await;
    client.answer(&id, json!({ "applied": true }));
    client.command("kit.session.list", json!({})).await.expect("the server lives on");
    client.close().await;
}

#[tokio::test]
async fn a_recording_holds_both_directions_and_no_secret() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let record = project.outside().join("record.jsonl");
    let client = e2e::launch(&project, &model)
        .argument("--record")
        .argument(record.display().to_string())
        .start()
        .await;
    model.reply(Reply::new().text("hello"));
    client.run("say hello").await;
    client.close().await;
    let recorded = std::fs::read_to_string(&record).expect("the recording was written");
    for needle in ["initialize", "say hello", "message_update", "hello"] {
        assert!(recorded.contains(needle), "{needle} is in the recording");
    }
    assert!(!recorded.contains("planted-secret"), "no secret is in the recording");
}

/// A recording is what a user attaches to a report: played again, the server answers as it did.
#[tokio::test]
async fn a_recording_can_be_replayed_without_the_editor() {
    let project = Project::new().file("a.txt", "one\n");
    let record = project.outside().join("record.jsonl");
    let client =
        Launch::new(&project).argument("--record").argument(record.display().to_string()).start().await;
    client.open("a.txt");
    client.type_over("a.txt", "one", "two");
    client.command("kit.review.list", json!({})).await.expect("the review is listed");
    client.close().await;

    let replay = |file: &std::path::Path| {
        Command::new(kit_testkit::cache::kit_ls())
            .arg("--replay")
            .arg(file)
            .env("KIT_HOME", project.outside().join("other-kit"))
            .stdin(Stdio::null())
            .output()
            .expect("it runs")
    };
    let output = replay(&record);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("serverInfo"),
        "what the server sends is printed"
    );
    assert!(!replay(&project.path("nowhere.jsonl")).status.success());
}

#[test]
fn help_lists_what_the_program_can_do_and_an_unknown_argument_is_an_error() {
    let run = |argument: &str| {
        Command::new(kit_testkit::cache::kit_ls())
            .arg(argument)
            .stdin(Stdio::null())
            .output()
            .expect("it runs")
    };
    let help = run("--help");
    assert!(help.status.success());
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in ["serve", "--stdio", "doctor", "--record", "--replay"] {
        assert!(text.contains(word), "{word} is in the help: {text}");
    }
    let unknown = run("--no-such-argument");
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no-such-argument"));
    assert_eq!(unknown.stdout, b"", "standard output is for the protocol");
}
