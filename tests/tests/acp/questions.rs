//! The user is asked: permissions with their options, those of subagents, and whether a folder is trusted.

use kit_testkit::{Reply, chosen};
use serde_json::{Value, json};

use super::{Bench, about, final_statuses};

fn bash(command: &str) -> Reply {
    Reply::new().call("bash", json!({ "command": command }))
}

/// Statement 19, W43.
#[cfg(unix)]
#[tokio::test]
async fn a_command_asks_and_the_answer_decides() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    client.permit("reject_once");
    bench.model.reply(bash("touch made"));
    bench.model.reply(Reply::new().text("as you wish"));
    assert_eq!(client.prompt(&session, "make it").await, "end_turn");
    assert!(!bench.project.exists("made"));
    let asked = client.asks("session/request_permission", 1).await;
    assert_eq!(asked["sessionId"], json!(session));
    let kinds: Vec<&str> =
        asked["options"].as_array().unwrap().iter().filter_map(|option| option["kind"].as_str()).collect();
    for kind in ["allow_once", "allow_always", "reject_once", "reject_always"] {
        assert!(kinds.contains(&kind), "{kind}: {asked:#}");
    }
    let call = about(&client, &session, "touch made");
    assert_eq!(
        asked["toolCall"]["toolCallId"], call[0]["toolCallId"],
        "the question is about a call that was told"
    );
    assert_eq!(asked["toolCall"]["kind"], "execute");
    assert!(asked["toolCall"]["content"].to_string().contains("touch made"), "{asked:#}");
    assert_eq!(final_statuses(&call), ["failed"]);

    client.permit("allow_always");
    bench.model.reply(bash("touch made"));
    bench.model.reply(Reply::new().text("done"));
    client.prompt(&session, "make it").await;
    assert!(bench.project.exists("made"));
    bench.model.reply(bash("touch made"));
    bench.model.reply(Reply::new().text("done"));
    client.prompt(&session, "once more").await;
    assert_eq!(
        client.asked("session/request_permission").len(),
        2,
        "always means that it is not asked again"
    );
    client.assert_understood();
}

#[cfg(unix)]
#[tokio::test]
async fn a_question_that_is_open_when_the_turn_is_cancelled_is_withdrawn() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    client.behave(|_, _| None);
    bench.model.reply(bash("touch made"));
    let ticket = client.send_prompt(&session, json!([kit_testkit::text_block("make it")])).await;
    client.asks("session/request_permission", 1).await;
    client.notify("session/cancel", json!({ "sessionId": session })).await;
    assert_eq!(client.answer(ticket).await.unwrap()["stopReason"], "cancelled");
    assert_eq!(final_statuses(&about(&client, &session, "touch made")), ["failed"]);
    assert!(!bench.project.exists("made"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_subagent_asks_under_its_name_in_the_session_of_its_parent() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    client.permit("allow_once");
    bench.model.reply(Reply::new().call("subagent", json!({ "task": "Touch the file", "agent": "general" })));
    bench.model.reply_to(
        "Touch the file",
        Reply::new().text("I touch.").call("bash", json!({ "command": "touch made" })),
    );
    bench.model.reply_to("Touch the file", Reply::new().text("Touched."));
    bench.model.reply(Reply::new().text("All is done."));
    assert_eq!(client.prompt(&session, "go").await, "end_turn");
    assert!(bench.project.exists("made"));
    let asked = client.asks("session/request_permission", 1).await;
    assert_eq!(asked["sessionId"], json!(session));
    assert!(asked["toolCall"]["title"].as_str().unwrap().starts_with("general: "), "{asked:#}");
    let nested = about(&client, &session, "touch made");
    assert_eq!(asked["toolCall"]["toolCallId"], nested[0]["toolCallId"]);
    assert_eq!(final_statuses(&nested), ["completed"]);
    assert_eq!(client.text(&session, "agent_message_chunk"), "All is done.", "its text is its result");
    client.assert_understood();
}

/// Statement 22.
#[tokio::test]
async fn a_folder_that_brings_something_asks_for_trust_once() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("AGENTS.md", "planted-instruction\n");
    let (client, session) = bench.begin().await;
    client.behave(|_, _| None);
    bench.model.reply(Reply::new().text("hello"));
    client.prompt(&session, "hi").await;
    let system = |request: Value| request["system"].to_string();
    let before = system(bench.model.request(0).await.body);
    assert!(!before.contains("planted-instruction"), "{before}");
    let asked = client.asks("session/request_permission", 1).await;
    assert!(asked["toolCall"]["title"].as_str().unwrap().starts_with("Trust "), "{asked:#}");
    client.settle("session/request_permission", chosen(&asked, "allow_once")).await;
    // Nothing tells when the answer has arrived, so a later turn does.
    let mut turn = 1;
    loop {
        bench.model.reply(Reply::new().text("hello"));
        client.prompt(&session, "hi").await;
        if system(bench.model.request(turn).await.body).contains("planted-instruction") {
            break;
        }
        turn += 1;
        assert!(turn < 50, "the folder is never trusted");
    }
    assert_eq!(client.asked("session/request_permission").len(), 1);
    client.assert_understood();
}
