use kit_protocol::{EntryId, ErrorKind, SessionArguments, SessionId, SessionOnly, TranscriptArguments};
use serde_json::{Value, json};

use crate::harness::{Kit, call, kind, messages_in, prompt, session_arguments};

/// A model whose answer is the number of answers before it.
fn counting() -> Vec<Value> {
    (0..9).map(|number| json!([{"text": number.to_string()}])).collect()
}

async fn entry_of(kit: &Kit, session: &SessionId, text: &str) -> EntryId {
    let tree = kit.sessions.tree(SessionOnly { session: session.clone() }).await.unwrap();
    tree.nodes.into_iter().find(|node| node.text == text).unwrap().id
}

#[tokio::test]
async fn a_branch_goes_on_from_an_earlier_entry() {
    let kit = Kit::new(&counting());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.turn("two").await;
    let entry = entry_of(&kit, &first.session, "0").await;
    let branch = SessionArguments { entry: Some(entry), ..session_arguments(&first.session) };
    kit.sessions.branch(branch).await.unwrap();
    assert_eq!(kit.turn("other").await.response(), "1");
    let tree = kit.sessions.tree(SessionOnly { session: first.session.clone() }).await.unwrap();
    let shown: Vec<(String, bool)> = tree
        .nodes
        .iter()
        .filter(|node| node.role.is_some())
        .map(|node| (node.text.clone(), node.current))
        .collect();
    let expected = [("one", true), ("0", true), ("two", false), ("1", false), ("other", true), ("1", true)];
    assert_eq!(shown, expected.map(|(text, current)| (text.to_owned(), current)));
    // From before the first entry everything begins anew.
    kit.sessions.branch(session_arguments(&first.session)).await.unwrap();
    assert_eq!(kit.turn("fresh").await.response(), "0");
    let unknown = SessionArguments { entry: Some("ffff".into()), ..session_arguments(&first.session) };
    assert_eq!(kit.sessions.branch(unknown).await.unwrap_err().kind, ErrorKind::NotFound);
}

/// What a transcript says went wrong, and how its turns end.
async fn endings(kit: &Kit, session: &SessionId) -> (usize, Vec<Value>) {
    let arguments = TranscriptArguments { session: session.clone(), from: None };
    let events = kit.sessions.transcript(arguments).await.unwrap().events;
    let values: Vec<Value> = events.iter().map(|event| serde_json::to_value(&event.body).unwrap()).collect();
    let of = |kind: &str| values.iter().filter(|value| value["type"] == kind).cloned().collect::<Vec<_>>();
    (of("error").len(), of("turn_end").iter().map(|end| end["stopReason"].clone()).collect())
}

#[tokio::test]
async fn a_turn_that_a_branch_or_fork_comes_after_is_told_as_ended() {
    let kit = Kit::new(&[
        json!([{"text": "looking"}, call("ls", json!({}))]),
        json!([{"text": "found"}]),
        json!([{"text": "more"}]),
    ]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.turn("two").await;
    let tree = kit.sessions.tree(SessionOnly { session: first.session.clone() }).await.unwrap();
    let of_turn = |text: &str| tree.nodes.iter().find(|node| node.text == text).unwrap().turn.clone();
    assert_eq!(of_turn("found"), Some(first.turn.clone()));
    assert_ne!(of_turn("more"), Some(first.turn.clone()));
    for (text, is_whole) in [("found", true), ("looking", false)] {
        let entry = entry_of(&kit, &first.session, text).await;
        let at = SessionArguments { entry: Some(entry), ..session_arguments(&first.session) };
        kit.sessions.branch(at.clone()).await.unwrap();
        assert_eq!(endings(&kit, &first.session).await, (0, vec![json!("end_turn")]), "{text}");
        if is_whole {
            let forked = kit.sessions.fork(at).await.unwrap().session;
            assert_eq!(endings(&kit, &forked).await, (0, vec![json!("end_turn")]), "{text}");
        }
    }
}

#[tokio::test]
async fn a_fork_is_a_new_file_that_names_its_parent() {
    let kit = Kit::new(&counting());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.turn("two").await;
    let source = kit.file(&first.session).await;
    let before = std::fs::read(&source).unwrap();
    let entry = entry_of(&kit, &first.session, "0").await;
    let fork = SessionArguments {
        entry: Some(entry),
        name: Some("Forked".into()),
        ..session_arguments(&first.session)
    };
    let forked = kit.sessions.fork(fork).await.unwrap();
    let path = forked.path.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(header["parent_session_id"], json!(first.session.as_str()));
    assert_eq!(header["parent_session"], json!(source.to_str().unwrap()));
    assert_eq!(messages_in(path.as_ref()), ["user: one", "assistant: 0"]);
    assert_eq!(std::fs::read(&source).unwrap(), before);
    // The fork is the current session now.
    assert_eq!(kit.turn("three").await.response(), "1");
    assert_eq!(messages_in(path.as_ref()).len(), 4);
    let listed = kit.sessions.list(Default::default()).await.unwrap().sessions;
    let summary = listed.iter().find(|session| session.id == forked.session).unwrap();
    assert_eq!(
        (summary.name.as_deref(), summary.parent_session.as_ref()),
        (Some("Forked"), Some(&first.session))
    );
}

#[tokio::test]
async fn a_retry_asks_the_last_prompt_again_on_a_new_branch() {
    let kit = Kit::new(&counting());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.turn("two").await;
    let retried = kit.sessions.retry(session_arguments(&first.session)).await.unwrap();
    let turn = kit.end_of(&retried.turn).await;
    assert_eq!((turn.response().as_str(), &turn.values("turn_start")[0]["prompt"]), ("1", &json!("two")));
    let messages = kit.messages(&first.session).await;
    assert_eq!(
        messages,
        ["user: one", "assistant: 0", "user: two", "assistant: 1", "user: two", "assistant: 1"]
    );
    let empty = kit.sessions.new_session(Default::default()).await.unwrap();
    let nothing = kit.sessions.retry(session_arguments(&empty.session)).await.unwrap_err();
    assert_eq!(nothing.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn branches_wait_for_the_running_turn() {
    let kit = Kit::new(&[json!([{"text": "a"}, {"gate": "never"}])]);
    let first = kit.say("one").await;
    let refused = kit.sessions.branch(session_arguments(&first.session)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Busy);
}

#[tokio::test]
async fn a_session_is_renamed_listed_exported_and_deleted() {
    let kit = Kit::new(&counting());
    let first = kit.say("one  fine\nday").await;
    kit.end_of(&first.turn).await;
    let named = SessionArguments { name: Some("Day".into()), ..session_arguments(&first.session) };
    assert_eq!(kit.sessions.rename(named).await.unwrap().name.as_deref(), Some("Day"));
    let path = kit.file(&first.session).await;
    let sidecar = path.with_extension("ext-state.json");
    std::fs::write(&sidecar, "{}").unwrap();
    let listed = kit.sessions.list(Default::default()).await.unwrap().sessions;
    let [summary] = &listed[..] else { panic!("{listed:?}") };
    let found =
        (summary.name.as_deref(), summary.message_count, summary.first_message.as_str(), summary.running);
    assert_eq!(found, (Some("Day"), 2, "one fine day", false));
    let export =
        |to: &str| SessionArguments { path: Some(to.to_owned()), ..session_arguments(&first.session) };
    kit.sessions.export(export("copy.jsonl")).await.unwrap();
    assert_eq!(std::fs::read(kit.path("copy.jsonl")).unwrap(), std::fs::read(&path).unwrap());
    let again = kit.sessions.export(export("copy.jsonl")).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::Conflict);
    kit.sessions.export(export("copy.md")).await.unwrap();
    assert!(
        kit.read("copy.md").starts_with("# Day\n\n## Prompt\n\none  fine\nday\n\n0\n"),
        "{}",
        kit.read("copy.md")
    );
    let markdown = kit.sessions.content(&format!("kit-session:{}", first.session)).await.unwrap();
    assert_eq!(markdown, kit.read("copy.md"));
    kit.sessions.delete(session_arguments(&first.session)).await.unwrap();
    assert!(!path.exists() && !sidecar.exists());
    assert_eq!(kit.sessions.list(Default::default()).await.unwrap().sessions, []);
    let gone = kit.sessions.open(session_arguments(&first.session)).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_transcript_gives_what_a_client_missed_and_a_resumed_session_tells_itself() {
    let kit = Kit::new(&counting());
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    let transcript = |kit: &Kit, from| {
        let arguments = TranscriptArguments { session: first.session.clone(), from };
        let sessions = kit.sessions.clone();
        async move { sessions.transcript(arguments).await.unwrap() }
    };
    let all = transcript(&kit, None).await;
    assert_eq!(all.events, kit.events());
    let missed = transcript(&kit, Some(3)).await;
    assert_eq!(missed.events, kit.events()[2..]);
    assert_eq!(usize::try_from(missed.next_seq).unwrap(), kit.events().len() + 1);
    kit.sessions.shutdown().await;
    let again = kit.restarted();
    let told = transcript(&again, None).await;
    let types =
        |events: &[kit_protocol::Event]| events.iter().map(|event| kind(&event.body)).collect::<Vec<_>>();
    assert_eq!(types(&told.events), types(&all.events));
    let numbers: Vec<u64> = told.events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..told.next_seq).collect::<Vec<_>>());
    let mut arguments = prompt("two");
    arguments.session = Some(first.session.clone());
    let second = again.ask(arguments).await.unwrap();
    assert_eq!(again.end_of(&second.turn).await.events[0].seq, told.next_seq);
}
