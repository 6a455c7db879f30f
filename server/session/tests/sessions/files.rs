use std::path::Path;

use kit_protocol::{
    ErrorKind, ListScope, SessionArguments, SessionListArguments, StopReason, TranscriptArguments,
};
use serde_json::{Value, json};

use crate::harness::{Kit, call, kind, messages_in, prompt, session_arguments};

#[tokio::test]
async fn every_line_of_a_session_file_has_its_place() {
    let kit = Kit::new(&[json!([call("ls", json!({}))]), json!([{"text": "ok"}])]);
    let answer = kit.say("one").await;
    kit.end_of(&answer.turn).await;
    let path = kit.file(&answer.session).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let header = &lines[0];
    let cwd = kit.path("").to_string_lossy().trim_end_matches('/').to_owned();
    assert_eq!(
        (&header["type"], &header["version"], &header["cwd"]),
        (&json!("session"), &json!(3), &json!(cwd))
    );
    assert_eq!(header["id"], json!(answer.session.as_str()));
    let mut parent = &Value::Null;
    for line in &lines[1..] {
        assert!(line["timestamp"].is_string(), "{line}");
        assert_eq!(&line["parent_id"], parent, "{line}");
        parent = &line["id"];
    }
    let foreign = ["message", "model_change"];
    for line in lines.iter().skip(1).filter(|line| !foreign.contains(&line["type"].as_str().unwrap())) {
        assert_eq!(line["type"], "extension_data");
        assert!(line["ext_type"].as_str().unwrap().starts_with("kit-ls/"), "{line}");
        assert!(serde_json::from_str::<Value>(line["data"].as_str().unwrap()).is_ok(), "{line}");
    }
    let assistant = lines.iter().find(|line| line["role"] == "assistant").unwrap();
    assert_eq!((&assistant["provider"], &assistant["model"]), (&json!("scripted"), &json!("test")));
}

#[tokio::test]
async fn a_session_without_prompts_leaves_no_file() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    let new = kit.sessions.new_session(Default::default()).await.unwrap();
    kit.sessions.shutdown().await;
    assert!(!Path::new(&new.path.unwrap()).exists());
}

#[tokio::test]
async fn a_session_goes_on_after_a_restart() {
    let kit = Kit::new(&[json!([call("ls", json!({}))]), json!([{"text": "1"}]), json!([{"text": "2"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.sessions.shutdown().await;
    let again = kit.restarted();
    let mut arguments = prompt("two");
    arguments.session = Some(first.session.clone());
    let second = again.ask(arguments).await.unwrap();
    assert_eq!(again.end_of(&second.turn).await.response(), "2");
    let listed = again.sessions.list(SessionListArguments { scope: ListScope::All }).await.unwrap().sessions;
    assert_eq!((listed.len(), listed[0].message_count), (1, 6));
}

#[tokio::test]
async fn a_second_process_is_refused_as_long_as_the_first_has_the_session() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let other = kit.restarted();
    let refused = other.sessions.open(session_arguments(&first.session)).await.unwrap_err();
    let path = kit.file(&first.session).await;
    assert_eq!(refused.kind, ErrorKind::Busy);
    assert!(refused.message.contains(path.to_str().unwrap()), "{refused}");
    // It can be read all the same.
    let arguments = || TranscriptArguments { session: first.session.clone(), from: None };
    let told = other.sessions.transcript(arguments()).await.unwrap();
    let types =
        |events: &[kit_protocol::Event]| events.iter().map(|event| kind(&event.body)).collect::<Vec<_>>();
    assert_eq!(types(&told.events), types(&kit.sessions.transcript(arguments()).await.unwrap().events));
    let address = format!("kit-session:{}", first.session);
    assert_eq!(
        other.sessions.content(&address).await.unwrap(),
        kit.sessions.content(&address).await.unwrap()
    );
    // And a copy of it can go on in the second process.
    let copy = other.sessions.fork(session_arguments(&first.session)).await.unwrap().session;
    assert_ne!(copy, first.session);
    let arguments = TranscriptArguments { session: copy, from: None };
    assert_eq!(types(&other.sessions.transcript(arguments).await.unwrap().events), types(&told.events));
    kit.sessions.shutdown().await;
    other.sessions.open(session_arguments(&first.session)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_written_refuses_the_prompt() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    std::fs::create_dir_all(kit.directory.path().join("home")).unwrap();
    std::fs::write(kit.directory.path().join("home/sessions"), "a file where the folder should be").unwrap();
    let refused = kit.ask(prompt("one")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert!(refused.message.starts_with("cannot create the session file"), "{refused}");
    std::fs::remove_file(kit.directory.path().join("home/sessions")).unwrap();
    assert_eq!(kit.turn("two").await.response(), "ok");
}

#[tokio::test]
async fn a_session_of_another_writer_is_resumed_and_kept_as_it_is() {
    let kit = Kit::new(&[json!([{"text": "0"}]), json!([{"text": "1"}])]);
    let large = "x".repeat(3 << 20);
    let entry = |id: &str, parent: &str, role: &str, text: &str| {
        json!({"type": "message", "id": id, "parent_id": parent, "timestamp": "2026-01-01T00:00:00Z", "role": role,
            "parts": [{"type": "text", "data": {"text": text}}, {"type": "hologram", "data": 1}]})
        .to_string()
    };
    let source = [
        r#"{"type":"session","version":3,"id":"0123456789abcdef0123456789abcdef","timestamp":"2026-01-01T00:00:00Z","cwd":"/elsewhere"}"#.to_owned(),
        entry("a", "", "user", &large),
        r#"{"type":"quantum","id":"q","parent_id":"a","timestamp":"2026-01-01T00:00:00Z","n":1.50}"#.to_owned(),
        entry("b", "q", "assistant", "answer"),
        r#"{"type":"message","id":"c","par"#.to_owned(),
    ]
    .join("\n");
    let path = kit.path("foreign.jsonl");
    std::fs::write(&path, &source).unwrap();
    let open = SessionArguments { path: Some(path.to_str().unwrap().into()), ..SessionArguments::default() };
    let opened = kit.sessions.open(open).await.unwrap();
    assert_eq!(opened.session.as_str(), "0123456789abcdef0123456789abcdef");
    let error = kit.event("error").await;
    assert!(error["message"].as_str().unwrap().contains("line 5: not a whole JSON object"), "{error}");
    // The script counts the answer that the file holds.
    assert_eq!(kit.turn("go on").await.response(), "1");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&format!("{source}\n")));
    let parent: Value = serde_json::from_str(text.lines().nth(5).unwrap()).unwrap();
    assert_eq!(parent["parent_id"], "b");
}

/// Whatever moment a process is killed at, what was whole in its file is there, the session opens, and a turn runs.
#[tokio::test]
async fn every_prefix_of_a_file_opens_and_goes_on() {
    let kit = Kit::new(&[json!([{"text": "Look"}, call("ls", json!({}))]), json!([{"text": "ok"}])]);
    let answer = kit.say("one").await;
    kit.end_of(&answer.turn).await;
    let path = kit.file(&answer.session).await;
    kit.sessions.shutdown().await;
    let whole = std::fs::read(&path).unwrap();
    let again = kit.restarted();
    again.script("last", &[json!({"script": {"atEnd": "last"}}), json!([{"text": "on"}])]);
    // Each line's start and end matter, and some places inside.
    let ends: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    let cuts = ends.iter().flat_map(|end| [end - 30, end - 1, *end, end + 1]);
    for cut in cuts {
        let prefix = &whole[..cut];
        let copy = again.path(&format!("cut-{cut}.jsonl"));
        // Each copy is a session of its own.
        let id = format!("{cut:032x}");
        let text = String::from_utf8_lossy(prefix).replace(answer.session.as_str(), &id);
        std::fs::write(&copy, &text).unwrap();
        let open =
            SessionArguments { path: Some(copy.to_str().unwrap().into()), ..SessionArguments::default() };
        let opened = again.sessions.open(open).await.unwrap();
        let told = again
            .sessions
            .transcript(TranscriptArguments { session: opened.session.clone(), from: None })
            .await
            .unwrap();
        let types: Vec<String> = told.events.iter().map(|event| kind(&event.body)).collect();
        let count = |wanted: &str| types.iter().filter(|kind| *kind == wanted).count();
        assert_eq!(count("turn_start"), count("turn_end"), "cut at {cut}: {types:?}");
        assert_eq!(count("tool_call"), count("tool_result"), "cut at {cut}: {types:?}");
        let before = messages_in(&copy);
        let mut arguments = prompt("two");
        arguments.session = Some(opened.session.clone());
        arguments.model = Some("scripted/last".parse().unwrap());
        let second = again.ask(arguments).await.unwrap();
        let turn = again.end_of(&second.turn).await;
        assert_eq!((turn.stop(), turn.response().as_str()), (StopReason::EndTurn, "on"), "cut at {cut}");
        let after = messages_in(&copy);
        assert_eq!(
            (&after[..before.len()], &after[before.len()..]),
            (&before[..], &["user: two".to_owned(), "assistant: on".to_owned()][..])
        );
        assert!(std::fs::read_to_string(&copy).unwrap().starts_with(&text));
    }
}

#[tokio::test]
async fn prompts_that_waited_when_the_process_was_killed_are_told() {
    let kit = Kit::new(&[json!([{"text": "a"}, {"gate": "never"}])]);
    let first = kit.say("one").await;
    let second = kit.say("two").await;
    let killed = std::fs::read(kit.file(&first.session).await).unwrap();
    let copy = kit.path("killed.jsonl");
    let id = "00000000000000000000000000000001";
    std::fs::write(&copy, String::from_utf8(killed).unwrap().replace(first.session.as_str(), id)).unwrap();
    let again = kit.restarted();
    let open = SessionArguments { path: Some(copy.to_str().unwrap().into()), ..SessionArguments::default() };
    let opened = again.sessions.open(open).await.unwrap();
    let transcript = async || {
        let arguments = TranscriptArguments { session: opened.session.clone(), from: None };
        let events = again.sessions.transcript(arguments).await.unwrap().events;
        let of_turns = events
            .into_iter()
            .filter(|event| ["turn_start", "turn_end"].contains(&kind(&event.body).as_str()));
        of_turns.map(|event| (event.turn.unwrap(), kind(&event.body))).collect::<Vec<_>>()
    };
    let pair = |turn: &kit_protocol::TurnId| {
        [(turn.clone(), "turn_start".to_owned()), (turn.clone(), "turn_end".to_owned())]
    };
    assert_eq!(transcript().await, [pair(&first.turn), pair(&second.turn)].concat());
    // The next entry settles it for good.
    again.script("last", &[json!({"script": {"atEnd": "last"}}), json!([{"text": "on"}])]);
    let mut arguments = prompt("three");
    arguments.session = Some(opened.session.clone());
    arguments.model = Some("scripted/last".parse().unwrap());
    let third = again.ask(arguments).await.unwrap();
    assert_eq!(again.end_of(&third.turn).await.response(), "on");
    let text = std::fs::read_to_string(&copy).unwrap();
    let ends = text.lines().filter(|line| line.contains("kit-ls/turn-end")).count();
    assert_eq!(ends, 2, "{text}");
}

#[tokio::test]
async fn shutdown_cancels_what_runs_and_saves_it() {
    let kit = Kit::new(&[json!([{"text": "Half"}, {"gate": "never"}])]);
    let first = kit.say("one").await;
    kit.event("message_update").await;
    let path = kit.file(&first.session).await;
    kit.sessions.shutdown().await;
    assert_eq!(messages_in(&path), ["user: one", "assistant: Half"]);
    assert!(std::fs::read_to_string(&path).unwrap().contains("kit-ls/turn-end"));
    assert_eq!(kit.sessions.running_turns(), []);
}
