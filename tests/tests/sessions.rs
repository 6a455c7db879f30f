//! Session files: upstream's format, tolerant reading, and nothing acknowledged lost by `kill -9`.

use std::fs;

use e2e::{launch, run_call, start};
use kit_testkit::{Gate, LanguageClient, ModelServer, Project, Reply};
use serde_json::{Value, json};

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}")))
        .collect()
}

async fn listed(client: &LanguageClient) -> Vec<Value> {
    let answer = client.command("kit.session.list", json!({})).await.expect("a list");
    answer["sessions"].as_array().expect("sessions").clone()
}

/// Statement 33.
#[tokio::test]
async fn a_session_file_is_upstreams_version_three() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let report =
        run_call(&client, &model, Reply::new().text("Looking.").call("read", json!({ "path": "a.txt" })))
            .await;
    client.close().await;

    let files = project.session_files();
    assert_eq!(files.len(), 1, "{files:?}");
    let entries = lines(&fs::read_to_string(&files[0]).expect("the file"));
    let header = &entries[0];
    assert_eq!((&header["type"], &header["version"]), (&json!("session"), &json!(3)));
    assert_eq!(header["id"], report.end()["session"]);
    assert_eq!(header["cwd"], json!(project.root().display().to_string()));
    assert!(header["timestamp"].is_string());
    let mut known: Vec<&Value> = Vec::new();
    for entry in &entries[1..] {
        for field in ["type", "id", "timestamp"] {
            assert!(entry[field].is_string(), "{field} of {entry}");
        }
        assert_eq!(entry["id"].as_str().map(str::len), Some(16), "{entry}");
        let parent = &entry["parent_id"];
        assert!(parent.is_null() || parent == "" || known.contains(&parent), "{entry} has a known parent");
        known.push(&entry["id"]);
    }
    let parts: Vec<(&str, &str)> = entries
        .iter()
        .filter(|entry| entry["type"] == "message")
        .flat_map(|entry| entry["parts"].as_array().into_iter().flatten().map(move |part| (entry, part)))
        .filter_map(|(entry, part)| Some((entry["role"].as_str()?, part["type"].as_str()?)))
        .filter(|(_, kind)| *kind != "finish")
        .collect();
    assert_eq!(
        parts,
        [
            ("user", "text"),
            ("assistant", "text"),
            ("assistant", "tool_call"),
            ("tool", "tool_result"),
            ("assistant", "text")
        ]
    );
}

/// Statement 33: a fork names its parent and holds root to target only.
#[tokio::test]
async fn a_fork_is_a_new_file_up_to_its_target_and_the_source_stays() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    for answer in ["one", "two"] {
        model.reply(Reply::new().text(answer));
        client.run(&format!("say {answer}")).await;
    }
    let source = listed(&client).await[0].clone();
    let path = source["path"].as_str().expect("a path").to_owned();
    let before = fs::read_to_string(&path).expect("the file");
    let tree = client.command("kit.session.tree", json!({ "session": source["id"] })).await.expect("a tree");
    let nodes = tree["nodes"].as_array().expect("nodes").clone();
    let target = nodes.iter().find(|node| {
        node["text"].as_str().is_some_and(|text| text.contains("one")) && node["role"] == "assistant"
    });
    let target = target.unwrap_or_else(|| panic!("the first answer is in {nodes:?}"))["id"].clone();
    let fork = client
        .command("kit.session.fork", json!({ "session": source["id"], "entry": target }))
        .await
        .expect("a fork");
    assert_ne!(fork["session"], source["id"]);
    let forked = listed(&client)
        .await
        .into_iter()
        .find(|session| session["id"] == fork["session"])
        .expect("it is listed");
    let text = fs::read_to_string(forked["path"].as_str().expect("a path")).expect("the file");
    let header = &lines(&text)[0];
    assert_eq!(header["parent_session_id"], source["id"]);
    assert_eq!(header["parent_session"], json!(path));
    assert!(text.contains("say one") && !text.contains("say two"), "{text}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), before, "the source is as it was");

    model.reply(Reply::new().text("three"));
    let turn = client.prompt_in(fork["session"].as_str().expect("an id"), "say three").await;
    client.finish(&turn).await;
    let said = format!("{:?}", model.request(2).await.items);
    assert!(said.contains("say one") && !said.contains("say two"), "{said}");
    client.close().await;
}

/// Statement 34.
#[tokio::test]
async fn a_torn_line_a_foreign_entry_and_a_huge_line_do_not_hide_a_session() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("remember me"));
    let session = client.run("first").await.end()["session"].clone();
    client.close().await;

    let path = project.session_files().remove(0);
    let mut text = fs::read_to_string(&path).expect("the file");
    let last = lines(&text).last().expect("an entry")["id"].clone();
    let foreign = json!({ "type": "from_the_future", "id": "00000000000000f1", "parent_id": last, "timestamp": "2030-01-01T00:00:00Z", "field": [1, 2] });
    let huge = json!({ "type": "extension_data", "id": "00000000000000f2", "parent_id": "00000000000000f1", "timestamp": "2030-01-01T00:00:01Z", "ext_type": "someone/else", "data": "x".repeat(3_000_000) });
    text.push_str(&format!("{foreign}\n{huge}\n{{\"type\":\"message\",\"id\":\"00000000000000f3\",\"par"));
    fs::write(&path, &text).expect("the file can be written");

    let client = start(&project, &model).await;
    let sessions = listed(&client).await;
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["id"], session);
    client.command("kit.session.open", json!({ "session": session })).await.expect("it opens");
    model.reply(Reply::new().text("I do"));
    let turn = client.prompt_in(session.as_str().expect("an id"), "do you?").await;
    assert_eq!(client.finish(&turn).await.response(), "I do");
    assert!(format!("{:?}", model.request(1).await.items).contains("remember me"));
    client.close().await;
    let after = fs::read_to_string(&path).expect("the file");
    assert!(after.starts_with(&text), "what was there is kept byte for byte");
    let added: Vec<&str> = after[text.len()..].lines().skip(1).collect();
    assert!(
        !added.is_empty() && added.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "new entries stand on lines of their own"
    );
}

/// Statement 34: another process has just made its session.
#[tokio::test]
async fn listing_deletes_nothing() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("hi"));
    client.run("first").await;
    let folder = project.session_files()[0].parent().expect("a folder").to_owned();
    let header = json!({ "type": "session", "version": 3, "id": "f".repeat(32), "timestamp": "2026-01-01T00:00:00Z", "cwd": project.root().display().to_string() });
    let other = folder.join("2026-01-01T00-00-00-000Z_ffffffffffff.jsonl");
    fs::write(&other, format!("{header}\n")).expect("the file can be written");
    fs::write(folder.join("not-a-session.jsonl"), "garbage\n").expect("the file can be written");
    listed(&client).await;
    listed(&client).await;
    assert!(other.exists() && folder.join("not-a-session.jsonl").exists());
    client.close().await;
    assert!(other.exists());
}

#[tokio::test]
async fn everything_acknowledged_survives_a_kill() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("Reading.").call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().text("half an ans").gate(&gate));
    let turn = client.prompt("what is in it?").await;
    gate.reached().await;
    let queued = client.prompt_in(&turn.session, "and then?").await;
    assert!(queued.queued);
    client.kill().await;

    let client = start(&project, &model).await;
    assert_eq!(listed(&client).await.len(), 1);
    client.command("kit.session.open", json!({ "session": turn.session })).await.expect("it opens");
    model.reply(Reply::new().text("it says alpha"));
    let next = client.prompt_in(&turn.session, "go on").await;
    client.finish(&next).await;
    let request = model.requests().pop().expect("a request");
    let said = format!("{:?}", request.items);
    for text in ["what is in it?", "Reading.", "alpha", "go on"] {
        assert!(said.contains(text), "{text} is in {said}");
    }
    client.close().await;
}

/// A call that was running when the process died is closed as interrupted, so that the pairing holds.
#[cfg(unix)]
#[tokio::test]
async fn a_call_that_was_running_at_a_kill_has_a_result_afterwards() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    e2e::permit(&client, "allowOnce");
    model.reply(Reply::new().call("bash", json!({ "command": "echo started; sleep 30" })));
    let turn = client.prompt("go").await;
    client.turn_event(&turn, "tool_output").await;
    client.kill().await;
    let client = start(&project, &model).await;
    client.command("kit.session.open", json!({ "session": turn.session })).await.expect("it opens");
    model.reply(Reply::new().text("what happened?"));
    let next = client.prompt_in(&turn.session, "go on").await;
    assert_eq!(client.finish(&next).await.response(), "what happened?");
    client.close().await;
}

#[tokio::test]
async fn a_session_can_be_named_listed_exported_and_deleted() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("hi"));
    let session = client.run("the first words").await.end()["session"].clone();
    client
        .command("kit.session.rename", json!({ "session": session, "name": "My work" }))
        .await
        .expect("renamed");
    let found = listed(&client).await.remove(0);
    assert_eq!((&found["id"], &found["name"]), (&session, &json!("My work")));
    assert_eq!((&found["firstMessage"], &found["messageCount"]), (&json!("the first words"), &json!(2)));
    assert_eq!(
        (&found["cwd"], &found["running"]),
        (&json!(project.root().display().to_string()), &json!(false))
    );
    let copy = project.outside().join("copy.jsonl");
    client
        .command("kit.session.export", json!({ "session": session, "path": copy.display().to_string() }))
        .await
        .expect("exported");
    assert_eq!(lines(&fs::read_to_string(&copy).expect("the copy"))[0]["id"], session);
    client.command("kit.session.delete", json!({ "session": session })).await.expect("deleted");
    assert_eq!(listed(&client).await, Vec::<Value>::new());
    assert_eq!(project.session_files(), Vec::<std::path::PathBuf>::new());
    client.close().await;
}

#[tokio::test]
async fn two_servers_do_not_write_one_session() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let first = start(&project, &model).await;
    model.reply(Reply::new().text("hi"));
    let session = first.run("hello").await.end()["session"].clone();
    let second = launch(&project, &model).start().await;
    let opened = second.command("kit.session.open", json!({ "session": session })).await;
    let outcome = match opened {
        Ok(_) => second.command("kit.session.prompt", json!({ "session": session, "text": "me too" })).await,
        Err(error) => Err(error),
    };
    let error = outcome.expect_err("one writer per session");
    assert_eq!(error.kind(), "busy", "{error:?}");
    first.close().await;
    second.close().await;
}

/// Messages of an abandoned branch are not sent.
#[tokio::test]
async fn branching_goes_on_from_an_earlier_entry() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    for answer in ["one", "two"] {
        model.reply(Reply::new().text(answer));
        client.run(&format!("say {answer}")).await;
    }
    let session = listed(&client).await[0]["id"].clone();
    let tree = client.command("kit.session.tree", json!({ "session": session })).await.expect("a tree");
    let nodes = tree["nodes"].as_array().expect("nodes").clone();
    let target = nodes.iter().find(|node| node["role"] == "assistant").expect("an answer")["id"].clone();
    client
        .command("kit.session.branch", json!({ "session": session, "entry": target }))
        .await
        .expect("a branch");
    model.reply(Reply::new().text("three"));
    let turn = client.prompt_in(session.as_str().expect("an id"), "say three").await;
    client.finish(&turn).await;
    let said = format!("{:?}", model.request(2).await.items);
    assert!(said.contains("say one") && !said.contains("say two"), "the other branch is not sent: {said}");
    client.close().await;
}

#[tokio::test]
async fn renaming_forking_and_deleting_are_defined_in_the_middle_of_a_turn() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("one"));
    let first = client.prompt("first").await;
    client.finish(&first).await;
    let gate = Gate::new();
    model.reply(Reply::new().text("half").gate(&gate));
    let turn = client.prompt("second").await;
    gate.reached().await;

    let session = json!({ "session": turn.session, "name": "renamed" });
    let renamed = client.command("kit.session.rename", session).await.expect("it can be renamed");
    assert_eq!(renamed["name"], "renamed");
    // The fork has what was said before and the prompt of the turn, and the turn goes on where it is.
    let forked =
        client.command("kit.session.fork", json!({ "session": turn.session })).await.expect("it forks");
    let fork = fs::read_to_string(forked["path"].as_str().expect("a path")).expect("the fork is a file");
    assert!(fork.contains("first") && fork.contains("second") && !fork.contains("half"), "{fork}");
    let branch = client.command("kit.session.branch", json!({ "session": turn.session, "entry": "" })).await;
    assert_eq!(branch.expect_err("it runs").kind(), "busy");

    let answer = client.command("kit.session.delete", json!({ "session": turn.session })).await;
    assert_eq!(answer.expect("it can be deleted")["session"], json!(turn.session));
    let end = client.event(|event| event["turn"] == json!(turn.turn) && event["type"] == "turn_end").await;
    assert_eq!(end["stopReason"], "cancelled");
    let left: Vec<Value> = listed(&client).await.iter().map(|session| session["id"].clone()).collect();
    assert_eq!(left, [forked["session"].clone()]);
    gate.open();
    client.close().await;
}

/// Upstream's fault W14: what looks empty may be about to get its first entry.
#[tokio::test]
async fn a_session_without_entries_stays_when_sessions_are_listed_or_others_end() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("one"));
    client.run("hi").await;
    let file = project.session_files().remove(0);
    let header = fs::read_to_string(&file).expect("a session").lines().next().expect("a header").to_owned();
    let mut header: Value = serde_json::from_str(&header).expect("a header");
    header["id"] = json!("f".repeat(32));
    let empty = file.with_file_name(format!("2026-01-01T00-00-00-000Z_{}.jsonl", "f".repeat(12)));
    fs::write(&empty, format!("{header}\n")).expect("it can be written");
    listed(&client).await;
    client.command("kit.session.list", json!({ "scope": "all" })).await.expect("a list");
    client.close().await;
    assert!(empty.exists());
}

#[tokio::test]
async fn an_unknown_session_or_entry_is_told_with_those_that_are_near() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("one"));
    let turn = client.prompt("hi").await;
    client.finish(&turn).await;
    let near = format!("{}0", &turn.session[..turn.session.len() - 2]);
    let unknown = client.command("kit.session.open", json!({ "session": near })).await.expect_err("unknown");
    assert_eq!(unknown.kind(), "not_found");
    assert!(unknown.message.ends_with(&format!("you may mean `{}`", turn.session)), "{}", unknown.message);
    let tree = client.command("kit.session.tree", json!({ "session": turn.session })).await.expect("a tree");
    let entry = tree["nodes"][0]["id"].as_str().expect("an entry").to_owned();
    let near = format!("{}x", &entry[..entry.len() - 1]);
    let arguments = json!({ "session": turn.session, "entry": near });
    let unknown = client.command("kit.session.fork", arguments).await.expect_err("unknown");
    assert!(unknown.message.contains(&format!("you may mean `{entry}`")), "{}", unknown.message);
    client.close().await;
}
