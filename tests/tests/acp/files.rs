//! Files: diffs as they really were, and a client whose buffers are the truth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use kit_testkit::{AcpClient, Gate, Reply, chosen, text_block};
use serde_json::{Value, json};

use super::{Bench, about, final_statuses};

/// The buffers of an editor: what is open, by path. Writing saves.
type Buffers = Arc<Mutex<HashMap<String, String>>>;

/// A client that offers its buffers, and answers every question with yes.
async fn with_buffers(bench: &Bench) -> (AcpClient, String, Buffers) {
    let offered = json!({ "fs": { "readTextFile": true, "writeTextFile": true } });
    let client = AcpClient::start(&bench.program, &bench.launch(), offered).await;
    let buffers = Buffers::default();
    let kept = buffers.clone();
    client.behave(move |method, params| {
        let path = params["path"].as_str().unwrap_or_default().to_owned();
        let mut buffers = kept.lock().unwrap();
        Some(match method {
            "fs/read_text_file" => {
                match buffers.get(&path).cloned().or_else(|| std::fs::read_to_string(&path).ok()) {
                    Some(text) => Ok(json!({ "content": text })),
                    None => Err((-32002, format!("there is no {path}"))),
                }
            }
            "fs/write_text_file" => {
                let text = params["content"].as_str().expect("a text").to_owned();
                std::fs::create_dir_all(std::path::Path::new(&path).parent().expect("a folder"))
                    .expect("a folder");
                std::fs::write(&path, &text).expect("it can be written");
                buffers.insert(path, text);
                Ok(Value::Null)
            }
            _ => Ok(chosen(params, "allow_once")),
        })
    });
    let session = client.session(&bench.project.root()).await;
    (client, session, buffers)
}

/// Statement 15 and W43: the diff has the text that was really there.
#[tokio::test]
async fn a_change_is_told_with_the_text_that_was_really_there() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("a.rs", "one\nsay(\u{201c}hi\u{201d})\nthree\n");
    let (client, session) = bench.begin().await;
    bench.model.reply(Reply::new().edit("a.rs", "say(\"hi\")", "say(\"bye\")"));
    bench.model.reply(Reply::new().call("write", json!({ "path": "new/b.rs", "content": "fn b() {}\n" })));
    bench.model.reply(Reply::new().text("done"));
    assert_eq!(client.prompt(&session, "change it").await, "end_turn");
    let edit = about(&client, &session, "a.rs");
    let last = edit.last().unwrap();
    assert_eq!((&edit[0]["kind"], final_statuses(&edit)), (&json!("edit"), vec!["completed".to_owned()]));
    let diff = &last["content"][0];
    assert_eq!((&diff["type"], &diff["path"]), (&json!("diff"), &json!(bench.project.path("a.rs"))));
    assert_eq!(diff["oldText"], "say(\u{201c}hi\u{201d})", "{last:#}");
    assert_eq!(diff["newText"], "say(\"bye\")");
    assert_eq!(last["locations"][0], json!({ "path": bench.project.path("a.rs"), "line": 1 }));
    let write = about(&client, &session, "b.rs");
    let diff = &write.last().unwrap()["content"][0];
    assert_eq!((diff.get("oldText"), &diff["newText"]), (None, &json!("fn b() {}\n")), "{write:#?}");
    assert_eq!(bench.project.text("a.rs"), "one\nsay(\"bye\")\nthree\n");
    client.assert_understood();
}

/// Statement 11 for this protocol: unsaved text is what is read and edited.
#[tokio::test]
async fn an_unsaved_buffer_is_read_and_edited_through_the_client() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("a.rs", "one\ntwo\n");
    let path = bench.project.path("a.rs").display().to_string();
    let (client, session, buffers) = with_buffers(&bench).await;
    buffers.lock().unwrap().insert(path.clone(), "one\nunsaved\ntwo\n".into());
    bench.model.reply(Reply::new().call("read", json!({ "path": "a.rs" })));
    bench.model.reply(Reply::new().edit("a.rs", "unsaved", "edited"));
    bench.model.reply(Reply::new().text("done"));
    assert_eq!(client.prompt(&session, "edit it").await, "end_turn");
    let request = bench.model.request(1).await;
    assert!(request.last_result().contains("unsaved"), "{}", request.last_result());
    assert_eq!(buffers.lock().unwrap()[&path], "one\nedited\ntwo\n");
    let result = bench.model.request(2).await.last_result().to_owned();
    assert!(!result.contains("not saved"), "what the client writes is on disk: {result}");
    let written = client.asked("fs/write_text_file");
    assert_eq!(written.len(), 1, "{written:#?}");
    assert_eq!((&written[0]["sessionId"], &written[0]["path"]), (&json!(session), &json!(path)));
    let updates = client.updates(&session);
    let diff = updates.iter().find(|update| update["content"][0]["type"] == "diff").expect("a diff");
    assert_eq!(
        (&diff["content"][0]["oldText"], &diff["content"][0]["newText"]),
        (&json!("unsaved"), &json!("edited"))
    );
    client.assert_understood();
}

/// W43: saved files are written through the client, too, and new ones made by it.
#[tokio::test]
async fn saved_files_and_new_ones_are_written_through_the_client() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("a.rs", "one\r\ntwo\r\n");
    let (client, session, _buffers) = with_buffers(&bench).await;
    bench.model.reply(Reply::new().edit("a.rs", "two", "2"));
    bench.model.reply(Reply::new().call("write", json!({ "path": "new/b.rs", "content": "b\n" })));
    bench.model.reply(Reply::new().text("done"));
    assert_eq!(client.prompt(&session, "edit it").await, "end_turn");
    let written: Vec<(Value, Value)> = client
        .asked("fs/write_text_file")
        .into_iter()
        .map(|params| (params["path"].clone(), params["content"].clone()))
        .collect();
    let expected = [
        (json!(bench.project.path("a.rs")), json!("one\r\n2\r\n")),
        (json!(bench.project.path("new/b.rs")), json!("b\n")),
    ];
    assert_eq!(written, expected);
    assert_eq!(bench.project.bytes("a.rs"), b"one\r\n2\r\n");
    client.assert_understood();
}

/// I16: what the user typed meanwhile is not lost.
#[tokio::test]
async fn typing_between_reading_and_writing_is_kept() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("a.rs", "one\ntwo\n");
    let path = bench.project.path("a.rs").display().to_string();
    let (client, session, buffers) = with_buffers(&bench).await;
    let gate = Gate::new();
    bench.model.reply(Reply::new().call("read", json!({ "path": "a.rs" })));
    bench.model.reply(Reply::new().gate(&gate).edit("a.rs", "two", "2"));
    bench.model.reply(Reply::new().text("done"));
    let ticket = client.send_prompt(&session, json!([text_block("edit it")])).await;
    gate.reached().await;
    buffers.lock().unwrap().insert(path.clone(), "typed\none\ntwo\n".into());
    gate.open();
    assert_eq!(client.answer(ticket).await.unwrap()["stopReason"], "end_turn");
    assert_eq!(buffers.lock().unwrap()[&path], "typed\none\n2\n");
    client.assert_understood();
}

#[tokio::test]
async fn a_client_that_refuses_to_write_changes_nothing() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("a.rs", "one\n");
    let offered = json!({ "fs": { "readTextFile": true, "writeTextFile": true } });
    let client = AcpClient::start(&bench.program, &bench.launch(), offered).await;
    client.behave(|method, params| {
        Some(match method {
            "fs/read_text_file" => match std::fs::read_to_string(params["path"].as_str().unwrap_or_default())
            {
                Ok(text) => Ok(json!({ "content": text })),
                Err(error) => Err((-32002, error.to_string())),
            },
            _ => Err((-32603, "the buffer is locked".into())),
        })
    });
    let session = client.session(&bench.project.root()).await;
    bench.model.reply(Reply::new().edit("a.rs", "one", "1"));
    bench.model.reply(Reply::new().text("pity"));
    assert_eq!(client.prompt(&session, "edit it").await, "end_turn");
    let request = bench.model.request(1).await;
    assert!(request.last_result().contains("the buffer is locked"), "{}", request.last_result());
    assert_eq!(final_statuses(&about(&client, &session, "a.rs")), ["failed"]);
    assert_eq!(bench.project.text("a.rs"), "one\n");
}
