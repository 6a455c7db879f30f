//! Images and PDFs in the results of tools: how they reach models, session files and clients.

use e2e::{editor_or_skip, launch, permit, run_call, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Reply, TurnReport, Wire, nasty_mcp};
use serde_json::{Value, json};

/// A PNG of one pixel, and the same as base64.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
const PIXEL_BASE64: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";
const PDF: &[u8] = b"%PDF-1.7\n%\0\n";
const PDF_BASE64: &str = "JVBERi0xLjcKJQAK";

fn project() -> Project {
    Project::new().file("shot.png", PIXEL).file("paper.pdf", PDF)
}

fn read(path: &str) -> Reply {
    Reply::new().call("read", json!({ "path": path }))
}

async fn looked_at(client: &LanguageClient, model: &ModelServer, path: &str) -> TurnReport {
    run_call(client, model, read(path)).await
}

/// The blocks of the last tool result of a request on the messages wire.
fn result_blocks(body: &Value) -> Value {
    let messages = body["messages"].as_array().expect("messages");
    let blocks = messages.iter().rev().find_map(|message| {
        let block =
            message["content"].as_array()?.iter().rev().find(|block| block["type"] == "tool_result")?;
        Some(block["content"].clone())
    });
    blocks.expect("a tool result")
}

fn source(media_type: &str, data: &str) -> Value {
    json!({ "type": "base64", "media_type": media_type, "data": data })
}

#[tokio::test]
async fn an_image_and_a_pdf_that_are_read_are_shown_to_the_model_and_named_to_clients() {
    let (project, model) = (project(), ModelServer::start().await);
    let client = start(&project, &model).await;
    let report = looked_at(&client, &model, "shot.png").await;
    let result = report.only("tool_result");
    assert_eq!(report.tool_result(), ("[shot.png, attached 1: image/png, 33 bytes]", false));
    assert_eq!(result["metadata"]["media"], json!([{ "mediaType": "image/png", "bytes": 33 }]));
    assert!(!result.to_string().contains(PIXEL_BASE64), "clients are not sent the bytes: {result}");
    let expected = json!([
        { "type": "text", "text": "[shot.png, attached 1: image/png, 33 bytes]" },
        { "type": "image", "source": source("image/png", PIXEL_BASE64) },
    ]);
    let mut blocks = result_blocks(&model.request(1).await.body);
    assert_eq!(blocks, expected);
    looked_at(&client, &model, "paper.pdf").await;
    blocks = result_blocks(&model.request(3).await.body);
    assert_eq!(blocks[1], json!({ "type": "document", "source": source("application/pdf", PDF_BASE64) }));
    client.close().await;
}

#[tokio::test]
async fn the_session_file_has_the_image_behind_its_result_and_a_restart_and_another_wire_keep_it() {
    let (project, model) = (project(), ModelServer::start().await);
    let client = start(&project, &model).await;
    let report = looked_at(&client, &model, "shot.png").await;
    let session = report.end()["session"].as_str().expect("a session").to_owned();
    client.close().await;

    let text = std::fs::read_to_string(&project.session_files()[0]).expect("the session file");
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let tool = entries.iter().find(|entry| entry["role"] == "tool").expect("a tool message");
    let kinds: Vec<&str> =
        tool["parts"].as_array().expect("parts").iter().filter_map(|part| part["type"].as_str()).collect();
    assert_eq!(kinds, ["tool_result", "image"]);
    assert_eq!(tool["parts"][1]["data"], json!({ "data": PIXEL_BASE64, "media_type": "image/png" }));

    let wire = Wire::ChatCompletions;
    let launched = wire.environment(&model.url()).into_iter();
    let launched = launched.fold(launch(&project, &model), |launch, (name, value)| launch.env(&name, &value));
    let client = launched.start().await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("it can be opened");
    let told = client.command("kit.session.transcript", json!({ "session": session })).await.expect("events");
    let results = told["events"].as_array().expect("events").iter();
    let results: Vec<&Value> = results.filter(|event| event["type"] == "tool_result").collect();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["metadata"]["media"], json!([{ "mediaType": "image/png", "bytes": 33 }]));
    let other = json!({ "session": session, "model": wire.model() });
    client.command("kit.model.set", other).await.expect("another model");
    model.reply(Reply::new().text("still there"));
    let turn = client.prompt_in(&session, "and now?").await;
    client.finish(&turn).await;
    let body = model.requests().pop().expect("a request").body;
    let messages = body["messages"].as_array().expect("messages");
    let at = messages.iter().position(|message| message["role"] == "tool").expect("the result");
    assert!(messages[at]["content"].is_string(), "the wire takes text alone in a result: {}", messages[at]);
    let behind = &messages[at + 1];
    assert_eq!(behind["role"], "user");
    assert_eq!(behind["content"][1]["image_url"]["url"], format!("data:image/png;base64,{PIXEL_BASE64}"));
    client.close().await;
}

#[tokio::test]
async fn a_model_that_reads_no_images_is_told_so() {
    let (project, model) = (project(), ModelServer::start().await);
    let wire = Wire::ChatCompletions;
    let client = launch(&project, &model)
        .model(&model, wire)
        .setting("model", json!("openai/gpt-4"))
        .setting("auto-compact", json!(false))
        .start()
        .await;
    looked_at(&client, &model, "shot.png").await;
    let request = model.request(1).await;
    let expected = "[shot.png, attached 1: image/png, 33 bytes]\n\
                    (An image was attached here, but this model does not read images.)";
    assert_eq!(request.last_result(), expected);
    assert!(!request.body.to_string().contains(PIXEL_BASE64));
    client.close().await;
}

#[tokio::test]
async fn a_headless_run_names_what_the_model_was_shown() {
    let (project, model) = (project(), ModelServer::start().await);
    model.reply(read("shot.png"));
    model.reply(Reply::new().text("a pixel"));
    let run = launch(&project, &model).run(&["run", "--events", "what is in shot.png?"]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let events: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let result = events.iter().find(|event| event["type"] == "tool_result").expect("a result");
    assert_eq!(result["metadata"]["media"][0]["mediaType"], "image/png");
    assert!(!run.stdout.contains(PIXEL_BASE64), "{}", run.stdout);
    assert!(model.request(1).await.body.to_string().contains(PIXEL_BASE64));
}

#[tokio::test]
async fn what_a_prompt_of_an_mcp_server_shows_reaches_the_model() {
    let project = Project::new().file("secret.txt", "planted-file-content\n");
    let model = ModelServer::start().await;
    let servers = json!({ "bad": nasty_mcp("well", None) });
    let client = launch(&project, &model).setting("mcpServers", servers).start().await;
    model.reply(Reply::new().text("a pixel"));
    // The server is only just being started: the turn waits for it.
    client.run("/mcp:bad:shown carefully").await;
    let body = model.request(0).await.body;
    let messages = body["messages"].as_array().expect("messages");
    let blocks: Vec<Value> = messages
        .iter()
        .flat_map(|message| message["content"].as_array().cloned().unwrap_or_default())
        .collect();
    let kinds: Vec<&str> = blocks.iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!(kinds, ["text", "text", "image", "text", "document"], "{blocks:?}");
    assert_eq!(blocks[2]["source"], source("image/png", PIXEL_BASE64));
    assert_eq!(blocks[4]["source"], source("application/pdf", PDF_BASE64));
    assert_eq!(blocks[0]["text"], "/mcp:bad:shown carefully");
    let text = blocks[1]["text"].as_str().unwrap_or_default();
    let expected = "The command /mcp:bad:shown stands for this prompt:\n\n\
                    User: Look at this and at @secret.txt: carefully\n\
                    User: [image, attached 1: image/png, 33 bytes]\n\
                    Assistant: [audio, attached 2: audio/wav, 12 bytes]\n\
                    User: [resource nasty://paper, attached 3: application/pdf, 12 bytes]\n\
                    User: [resource nasty://one (one)]";
    assert_eq!(text.trim_end(), expected);
    assert!(
        !body.to_string().contains("planted-file-content"),
        "nothing in the text of a server is a mention"
    );
    client.close().await;
}

#[tokio::test]
async fn what_a_tool_of_an_extension_shows_reaches_the_model() {
    const CAMERA: &str = r#"
export default function (kit) {
  const bytes = [137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 31, 21, 196, 137];
  const files = [
    { filename: "shot.png", data: new Uint8Array(bytes), mediaType: "image/png" },
    { filename: "paper.pdf", data: "JVBERi0xLjcKJQAK" },
    { filename: "notes.zip", data: new Uint8Array([80, 75, 3, 4]), mediaType: "application/zip" },
  ];
  const tool = (name, execute) => kit.registerTool({ name, description: "Looks.", execute });
  tool("camera", () => ({ content: "There:", files }));
  tool("blocks", () => ({ content: [{ type: "text", text: "There:" }, { type: "image", data: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", mimeType: "image/png" }] }));
}
"#;
    let project = crate::extension_scene::project(&[("camera.js", CAMERA)]);
    let (model, client) = crate::extension_scene::live(&project).await;
    let report = run_call(&client, &model, Reply::new().call("camera", json!({}))).await;
    let expected = "There:\n[shot.png, attached 1: image/png, 33 bytes]\n\
                    [paper.pdf, attached 2: application/pdf, 12 bytes]\n\
                    [notes.zip, application/zip, 4 bytes, not shown]";
    assert_eq!(report.tool_result(), (expected, false));
    let result = report.only("tool_result");
    let named = json!([
        { "mediaType": "image/png", "bytes": 33 },
        { "mediaType": "application/pdf", "bytes": 12 },
    ]);
    assert_eq!(result["metadata"]["media"], named);
    let blocks = result_blocks(&model.request(1).await.body);
    assert_eq!(blocks[1]["source"], source("image/png", PIXEL_BASE64), "{blocks}");
    assert_eq!(blocks[2]["source"], source("application/pdf", PDF_BASE64), "{blocks}");
    let report = run_call(&client, &model, Reply::new().call("blocks", json!({}))).await;
    assert_eq!(report.tool_result(), ("There:\n[image, attached 1: image/png, 33 bytes]", false));
    client.close().await;
}

#[tokio::test]
async fn what_an_mcp_server_shows_reaches_the_model() {
    let Some(bin) = editor_or_skip("mcp") else { return };
    let (project, model) = (project(), ModelServer::start().await);
    let root = project.root().to_string_lossy().into_owned();
    let program = |name: &str| bin.join(name).to_string_lossy().into_owned();
    let servers = json!({
        "everything": { "command": program("everything") },
        "files": { "command": program("filesystem"), "args": [root] },
    });
    let client = launch(&project, &model).setting("mcpServers", servers).start().await;
    permit(&client, "allowOnce");
    let call = Reply::new().call("mcp__everything__get-tiny-image", json!({}));
    let report = run_call(&client, &model, call).await;
    assert!(report.tool_result().0.contains("[image, attached 1: image/png, "), "{:?}", report.tool_result());
    let blocks = result_blocks(&model.request(1).await.body);
    assert_eq!(blocks[1]["source"]["media_type"], "image/png", "{blocks}");
    let path = project.path("shot.png").to_string_lossy().into_owned();
    let call = Reply::new().call("mcp__files__read_media_file", json!({ "path": path }));
    run_call(&client, &model, call).await;
    let blocks = result_blocks(&model.request(3).await.body);
    assert_eq!(blocks[1]["source"], source("image/png", PIXEL_BASE64), "{blocks}");
    let arguments = json!({ "resourceType": "Blob", "resourceId": 1 });
    let call = Reply::new().call("mcp__everything__get-resource-reference", arguments);
    let report = run_call(&client, &model, call).await;
    assert!(
        report.tool_result().0.contains("[resource demo://resource/dynamic/blob/1"),
        "{:?}",
        report.tool_result()
    );
    client.close().await;
}
