use kit_protocol::{EntryId, ErrorKind, Role, SessionArguments, SessionOnly};
use serde_json::json;

use crate::harness::{Kit, call, priced, session_arguments};

#[tokio::test]
async fn messages_are_told_with_their_texts_models_and_places() {
    let kit = Kit::new(&[json!([call("ls", json!({}))]), json!([{"text": "Nothing."}])]);
    let first = kit.say("What is here?").await;
    kit.end_of(&first.turn).await;
    let messages = kit.sessions.messages(&first.session).await.unwrap();
    let told: Vec<(Role, &str, Option<&str>)> = messages
        .iter()
        .map(|message| (message.role.unwrap(), message.text.as_str(), message.model.as_deref()))
        .collect();
    let expected = [
        (Role::User, "What is here?", None),
        (Role::Assistant, "", Some("test")),
        (Role::Tool, "(empty directory)", None),
        (Role::Assistant, "Nothing.", Some("test")),
    ];
    assert_eq!(told, expected);
    // Notes in between are left out of the tree.
    let parents: Vec<Option<&EntryId>> =
        messages.iter().skip(1).map(|message| message.parent.as_ref()).collect();
    let before: Vec<Option<&EntryId>> = messages.iter().take(3).map(|message| Some(&message.id)).collect();
    assert_eq!(parents, before);
    assert_eq!(messages[0].children, [messages[1].id.clone()]);
    assert!(
        messages
            .iter()
            .all(|message| message.current && message.kind == "message" && message.at.ends_with('Z'))
    );
}

#[tokio::test]
async fn entries_of_other_branches_can_be_reached_by_their_parents() {
    let kit = Kit::new(&[json!([{"text": "1"}]), json!([{"text": "2"}]), json!([{"text": "3"}])]);
    let first = kit.say("one").await;
    kit.end_of(&first.turn).await;
    kit.turn("two").await;
    let messages = kit.sessions.messages(&first.session).await.unwrap();
    let to = SessionArguments { entry: Some(messages[1].id.clone()), ..session_arguments(&first.session) };
    kit.sessions.branch(to).await.unwrap();
    kit.turn("other").await;
    let fork = kit.sessions.entry(&first.session, &messages[1].id).await.unwrap();
    assert_eq!(fork.children.len(), 2);
    let left = kit.sessions.entry(&first.session, &fork.children[0]).await.unwrap();
    assert_eq!((left.text.as_str(), left.current, left.parent), ("two", false, Some(fork.id)));
    let branch = kit.sessions.branch_entries(&first.session).await.unwrap();
    let shown: Vec<&str> = branch.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(shown, ["scripted/test", "one", "1", "other", "2"]);
    let unknown = kit.sessions.entry(&first.session, &"ffff".into()).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_session_tells_how_it_is() {
    let kit = Kit::new(&[priced(), json!([{"text": "ok"}, {"gate": "go"}])]);
    let first = kit.say("one").await;
    kit.event("message_update").await;
    let running = kit.sessions.view(&first.session).await.unwrap();
    assert_eq!((running.running.as_ref(), running.is_idle()), (Some(&first.turn), false));
    let guess = kit.sessions.context_stats(&first.session).await.unwrap();
    assert_eq!((guess.context.estimated, guess.context.window, guess.messages), (true, 1000, 1));
    kit.open_gate("go");
    kit.end_of(&first.turn).await;
    let told = kit.sessions.context_stats(&first.session).await.unwrap();
    assert!(!told.context.estimated && told.context.used > 0 && told.messages == 2, "{told:?}");
    let view = kit.sessions.view(&first.session).await.unwrap();
    assert!(view.is_idle());
    assert_eq!(view.path, kit.file(&first.session).await);
    assert_eq!(view.cwd, kit.path(""));
    assert_eq!(view.model, Some("scripted/test".parse().unwrap()));
    let info = kit.sessions.model_info(view.model.as_ref()).await.unwrap();
    assert!(info.price.is_some());
    assert_eq!(kit.sessions.current(), Some(first.session.clone()));
    // The tree for people hangs the same entries on each other.
    let tree = kit.sessions.tree(SessionOnly { session: first.session.clone() }).await.unwrap();
    let ids: Vec<EntryId> = tree.nodes.into_iter().map(|node| node.id).collect();
    let entries = kit.sessions.branch_entries(&first.session).await.unwrap();
    assert_eq!(ids, entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>());
}
