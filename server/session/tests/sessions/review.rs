use kit_protocol::{PermissionRules, ReviewArguments, RewindArguments, RewindMode, Settings};
use serde_json::json;

use crate::harness::{Kit, call};

fn script() -> Vec<serde_json::Value> {
    let edit = json!({"path": "a.txt", "edits": [{"old_text": "two", "new_text": "2"}]});
    vec![
        json!([call("read", json!({"path": "a.txt"}))]),
        json!([call("edit", edit)]),
        json!([{"text": "Done."}]),
        json!([{"text": "I see."}]),
    ]
}

#[tokio::test]
async fn what_was_undone_is_told_to_the_model_with_the_next_prompt() {
    let kit = Kit::new(&script());
    kit.write("a.txt", "one\ntwo\n");
    let answer = kit.say("Change it").await;
    kit.end_of(&answer.turn).await;
    let undo = ReviewArguments {
        turn: Some(answer.turn.clone()),
        reason: Some("words, please".into()),
        ..ReviewArguments::default()
    };
    let undone = kit.sessions.review_undo(undo).await.unwrap();
    assert_eq!((undone.applied.len(), kit.read("a.txt").as_str()), (1, "one\ntwo\n"));
    kit.turn("And now?").await;
    let messages = kit.messages(&answer.session).await;
    let told = messages.iter().find(|message| message.starts_with("user: And now?")).unwrap();
    assert!(told.contains("<review>\nThe user undid a change of yours, saying: words, please;"), "{told}");
    kit.until(|_| kit.sessions.status().review.hunks == 0).await;
}

#[tokio::test]
async fn kept_hunks_leave_the_review_and_return_when_that_is_taken_back() {
    let kit = Kit::new(&script());
    kit.write("a.txt", "one\ntwo\n");
    kit.turn("Change it").await;
    let keep = ReviewArguments { all: Some(true), ..ReviewArguments::default() };
    assert_eq!(kit.sessions.review_keep(keep).await.unwrap().applied.len(), 1);
    let hunks = async || kit.sessions.review_list(Default::default()).await.unwrap().summary.hunks;
    assert_eq!((hunks().await, kit.read("a.txt").as_str()), (0, "one\n2\n"));
    kit.sessions.review_revert().await.unwrap();
    assert_eq!(hunks().await, 1);
}

#[tokio::test]
async fn a_rewind_restores_files_and_conversation() {
    let kit = Kit::new(&script());
    kit.write("a.txt", "one\ntwo\n");
    let answer = kit.say("Change it").await;
    kit.end_of(&answer.turn).await;
    let rewind = |mode, preview| RewindArguments {
        session: answer.session.clone(),
        turn: answer.turn.clone(),
        mode,
        preview,
    };
    let preview = kit.sessions.review_rewind(rewind(RewindMode::Both, true)).await.unwrap();
    assert_eq!((preview.restore.len(), kit.read("a.txt").as_str()), (1, "one\n2\n"));
    let done = kit.sessions.review_rewind(rewind(RewindMode::Both, false)).await.unwrap();
    assert_eq!((done.restore.len(), kit.read("a.txt").as_str()), (1, "one\ntwo\n"));
    // The conversation begins anew, so the script does as well.
    let turn = kit.turn("Once more").await;
    assert_eq!((turn.response().as_str(), kit.read("a.txt").as_str()), ("Done.", "one\n2\n"));
}

#[tokio::test]
async fn the_baseline_of_a_file_can_be_read() {
    let kit = Kit::new(&script());
    kit.write("a.txt", "one\ntwo\n");
    kit.turn("Change it").await;
    let path = kit.path("a.txt");
    let base = kit.sessions.content(&format!("kit-base:{}", path.display())).await.unwrap();
    assert_eq!(base, "one\ntwo\n");
    let base = kit.sessions.content(&format!("kit-base:file://{}", path.display())).await.unwrap();
    assert_eq!(base, "one\ntwo\n");
    assert!(kit.sessions.content("kit-base:/nowhere").await.is_err());
}

#[tokio::test]
async fn the_review_of_a_killed_process_returns() {
    let kit = Kit::new(&script());
    kit.write("a.txt", "one\ntwo\n");
    kit.turn("Change it").await;
    let again = kit.restarted();
    assert_eq!(again.sessions.review_list(Default::default()).await.unwrap().summary.hunks, 1);
    assert_eq!(again.read("a.txt"), "one\n2\n");
}

#[cfg(unix)]
#[tokio::test]
async fn what_a_command_does_to_a_file_under_review_is_the_agents_work() {
    let script = [
        json!([call("write", json!({"path": "a.txt", "content": "gone\n"}))]),
        json!([call("bash", json!({"command": "rm a.txt"}))]),
        json!([call("write", json!({"path": "a.txt", "content": "one\n"}))]),
        json!([{"text": "As it was."}]),
    ];
    let allow = PermissionRules { allow: vec!["Bash(*)".into()], ..PermissionRules::default() };
    let kit = Kit::with_settings(&script, Settings { permissions: Some(allow), ..Settings::default() });
    kit.write("a.txt", "one\n");
    let turn = kit.turn("Go").await;
    assert!(turn.results().iter().all(|(_, is_error)| !is_error), "{:?}", turn.results());
    assert_eq!(kit.read("a.txt"), "one\n");
    assert_eq!(kit.sessions.review_list(Default::default()).await.unwrap().files, []);
}
