//! What a prompt may bring: text, images, embedded resources, links.

use kit_testkit::{Reply, file_uri, text_block};
use serde_json::json;

use super::Bench;

/// A PNG of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[tokio::test]
async fn every_kind_of_content_reaches_the_model() {
    let Some(bench) = Bench::new().await else { return };
    bench.project.write("src/a.rs", "fn linked() {}\n");
    let (client, session) = bench.begin().await;
    bench.model.reply(Reply::new().text("seen"));
    let unsaved = file_uri(&bench.project.path("src/b.rs"));
    let blocks = json!([
        text_block("What is all this?"),
        { "type": "image", "data": PIXEL, "mimeType": "image/png" },
        { "type": "resource", "resource": { "uri": unsaved, "text": "fn unsaved() {}\n", "mimeType": "text/x-rust" } },
        { "type": "resource_link", "uri": file_uri(&bench.project.path("src/a.rs")), "name": "a.rs" },
        { "type": "resource_link", "uri": "https://example.org/page", "name": "the page" },
    ]);
    let answered = client.answer(client.send_prompt(&session, blocks).await).await.unwrap();
    assert_eq!(answered["stopReason"], "end_turn");
    let request = bench.model.request(0).await;
    let body = request.body.to_string();
    assert!(body.contains("image/png") && body.contains(PIXEL), "the image");
    let texts = request.user_texts().join("\n");
    for expected in
        ["What is all this?", "fn unsaved()", "fn linked()", "[the page](https://example.org/page)"]
    {
        assert!(texts.contains(expected), "{expected} in {texts}");
    }
    assert!(texts.contains("src/b.rs"), "the resource has its name: {texts}");
    client.assert_understood();
}

#[tokio::test]
async fn content_that_cannot_be_taken_is_refused_with_a_reason() {
    let Some(bench) = Bench::new().await else { return };
    let (client, session) = bench.begin().await;
    let cases = [
        (json!([]), "empty"),
        (json!([{ "type": "audio", "data": "AA==", "mimeType": "audio/wav" }]), "audio"),
        (
            json!([text_block("x"), { "type": "image", "data": "AA==", "mimeType": "image/tiff" }]),
            "image/tiff",
        ),
        (
            json!([text_block("x"), { "type": "image", "data": "not base64", "mimeType": "image/png" }]),
            "base64",
        ),
        (
            json!([text_block("x"), { "type": "image", "data": "aGVsbG8=", "mimeType": "image/png" }]),
            "the image/png cannot be attached: it is neither an image",
        ),
        (
            json!([{ "type": "resource", "resource": { "uri": "x:y", "blob": "AA==", "mimeType": "a/b" } }]),
            "x:y",
        ),
    ];
    for (blocks, expected) in cases {
        let ticket = client.send_prompt(&session, blocks).await;
        let refused = client.answer(ticket).await.unwrap_err();
        assert_eq!(refused["code"], -32602, "{refused}");
        assert!(refused["message"].as_str().unwrap().contains(expected), "{refused}");
    }
    bench.model.reply(Reply::new().text("still here"));
    assert_eq!(client.prompt(&session, "go").await, "end_turn");
}
