//! What extensions bring to an editor beside tools: keys, the look of tool calls, arguments that complete, code actions,
//! messages with a look of their own; and what keeps them from flooding it.

use e2e::{run_call, start};
use kit_testkit::{ModelServer, Reply};
use serde_json::{Value, json};

use crate::extension_scene::{listed, live, project};

const KEYS: &str = r#"
export default function (kit) {
  kit.registerShortcut({ key: "Alt+Ctrl+P", description: "Says where" }, (ctx) => { ctx.setStatus("pressed", "yes"); return `in ${ctx.sessionId}`; });
  kit.registerShortcut({ key: "ctrl+alt+q", description: "Fails" }, () => { throw new Error("the lid is stuck"); });
}
"#;

#[tokio::test]
async fn keys_of_extensions_are_listed_and_pressed_and_the_last_registered_has_a_key() {
    let later = r#"export default (kit) => kit.registerShortcut({ key: "ctrl+alt+x" }, () => undefined);"#;
    let last = r#"export default (kit) => kit.registerShortcut({ key: "control+option+X", description: "Wins" }, () => "the last");"#;
    let project = project(&[("a.js", KEYS), ("b.js", later), ("c.js", last)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let list = listed(&client, |list| list.len() == 3).await;
    assert_eq!(
        list[0]["shortcuts"],
        json!([
            { "key": "ctrl+alt+p", "description": "Says where" },
            { "key": "ctrl+alt+q", "description": "Fails" },
        ])
    );
    let session = client.command("kit.session.new", json!({})).await.expect("a session")["session"].clone();
    let press =
        |key: &str| client.command("kit.extension.shortcut", json!({ "key": key, "session": session }));
    let answer = press("ctrl+alt+p").await.expect("the handler runs");
    assert_eq!(answer["output"], format!("in {}", session.as_str().expect("an id")));
    client.notification("kit/ui", |update| update["id"] == "pressed" && update["text"] == "yes").await;
    assert_eq!(press("ctrl+alt+x").await.expect("the handler runs")["output"], "the last");
    let unknown = press("ctrl+alt+m").await.expect_err("nobody has the key");
    assert_eq!(unknown.data["kind"], "not_found", "{unknown:?}");
    assert!(unknown.message.contains("you may mean `ctrl+alt+p`"), "{unknown:?}");
    let failed = press("ctrl+alt+q").await.expect_err("the handler throws");
    assert!(failed.message.contains("ctrl+alt+q of the extension a failed: the lid is stuck"), "{failed:?}");
    client.close().await;
}

const LOOK: &str = r##"
export default function (kit) {
  kit.registerToolRenderer({
    toolName: "read", displayName: "Look", borderColor: "#00ff00", background: "dark", bodyMarkdown: true,
    renderHeader: (args) => `reads ${JSON.parse(args).path}\nand more`,
    renderBody: (result, isError) => `**${isError ? "no" : "yes"}** ${result.length > 0}`,
  });
  kit.registerToolRenderer({ toolName: "ls", renderHeader: () => { for (;;) {} } });
}
"##;

#[tokio::test]
async fn a_tool_call_is_shown_as_its_renderer_says_also_after_a_restart() {
    let project = project(&[("look.js", LOOK)]).file("a.txt", "alpha\n");
    let (model, client) = live(&project).await;
    let report = run_call(&client, &model, Reply::new().call("read", json!({ "path": "a.txt" }))).await;
    let displays = |event: &Value, field: &str| event["type"] == "tool_display" && event[field].is_string();
    let header = client.event(|event| displays(event, "header")).await;
    let body = client.event(|event| displays(event, "body")).await;
    let call = report.all("tool_call")[0].clone();
    assert_eq!(
        json!([
            header["toolCallId"],
            header["toolName"],
            header["name"],
            header["header"],
            header["borderColor"],
            header["background"],
            header["turn"]
        ]),
        json!([call["toolCallId"], "read", "Look", "reads a.txt", "#00ff00", "dark", call["turn"]])
    );
    assert_eq!(
        json!([body["toolCallId"], body["body"], body["markdown"]]),
        json!([call["toolCallId"], "**yes** true", true])
    );
    let seq = |event: &Value| event["seq"].as_u64().expect("a number");
    assert!(seq(&header) > seq(&call) && seq(&body) > seq(report.all("tool_result")[0]));
    let session = report.end()["session"].clone();
    client.check();
    client.close().await;
    let client = start(&project, &model).await;
    let told =
        client.command("kit.session.transcript", json!({ "session": session })).await.expect("a transcript");
    let told: Vec<&Value> = told["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["type"] == "tool_display")
        .collect();
    assert_eq!((&told[0]["header"], &told[1]["body"]), (&header["header"], &body["body"]), "{told:?}");
    client.close().await;
}

#[tokio::test]
async fn a_renderer_that_hangs_leaves_the_call_as_usual_and_the_turn_goes_on() {
    let project = project(&[("look.js", LOOK)]).file("a.txt", "alpha\n");
    let (model, client) = live(&project).await;
    let report = run_call(&client, &model, Reply::new().call("ls", json!({}))).await;
    assert!(report.tool_result().0.contains("a.txt"));
    listed(&client, |list| list[0]["error"].as_str().is_some_and(|error| error.contains("render_tool ls")))
        .await;
    assert!(client.notifications("kit/event").iter().all(|event| event["type"] != "tool_display"));
    client.close().await;
}

const NOTES: &str = r#"
export default function (kit) {
  kit.registerCommand({
    name: "note", description: "Keeps a note",
    codeAction: { title: "Keep a note of this", kind: "refactor.note" },
    complete: (prefix, ctx) => ["today", "tomorrow", "never"].filter((word) => word.startsWith(prefix)),
    execute: (args, ctx) => JSON.stringify([args, ctx.documents]),
  });
  kit.registerCommand({ name: "mend", description: "Mends", codeAction: { title: "Mend this", kind: "quickfix" }, execute: () => "mended" });
  kit.registerCommand({ name: "plain", description: "No argument", execute: () => "" });
}
"#;

#[tokio::test]
async fn arguments_of_commands_complete_while_they_are_typed() {
    let project = project(&[("notes.js", NOTES)]);
    let (_model, client) = live(&project).await;
    let complete = async |text: &str| {
        let answer =
            client.command("kit.prompt.complete", json!({ "text": text })).await.expect("completions");
        answer["items"].as_array().cloned().unwrap_or_default()
    };
    let items = complete("/note to").await;
    let labels: Vec<&Value> = items.iter().map(|item| &item["label"]).collect();
    assert_eq!(labels, ["today", "tomorrow"]);
    assert_eq!(
        json!([items[0]["kind"], items[0]["insertText"], items[0]["range"]]),
        json!(["argument", "today", { "start": { "line": 0, "character": 6 }, "end": { "line": 0, "character": 8 } }])
    );
    assert_eq!(complete("/plain to").await, Vec::<Value>::new());
    assert_eq!(complete("/nobody to").await, Vec::<Value>::new());
    let command = complete("/not").await;
    assert_eq!((&command[0]["label"], &command[0]["insertText"]), (&json!("/note"), &json!("/note ")));
    client.close().await;
}

#[tokio::test]
async fn commands_that_ask_for_it_are_code_actions_and_learn_what_is_selected() {
    let project = project(&[("notes.js", NOTES)]).file("src/a.txt", "one\ntwo\nthree\n");
    let (_model, client) = live(&project).await;
    client.open("src/a.txt");
    let uri = project.uri("src/a.txt");
    let range = json!({ "start": { "line": 1, "character": 0 }, "end": { "line": 1, "character": 3 } });
    let actions = async |context: Value| {
        let parameters = json!({ "textDocument": { "uri": uri }, "range": range, "context": context });
        let offered = client.request("textDocument/codeAction", parameters).await.expect("code actions");
        offered.as_array().cloned().unwrap_or_default()
    };
    let offered = actions(json!({ "diagnostics": [] })).await;
    let note = offered.iter().find(|action| action["title"] == "Keep a note of this").expect("the action");
    assert_eq!(
        json!([note["kind"], note["command"]["command"]]),
        json!(["refactor.note", "kit.command.run"])
    );
    assert!(offered.iter().all(|action| action["title"] != "Mend this"));
    let mark = json!({ "range": range, "message": "it is broken" });
    let offered = actions(json!({ "diagnostics": [mark], "only": ["quickfix"] })).await;
    let titles: Vec<&Value> = offered.iter().map(|action| &action["title"]).collect();
    assert_eq!(titles, ["Kit: fix it is broken", "Mend this"]);
    let argument = note["command"]["arguments"][0].clone();
    let answer = client.command("kit.command.run", argument).await.expect("the command runs");
    let said: Value = serde_json::from_str(answer["output"].as_str().expect("an output")).expect("JSON");
    assert_eq!(said, json!(["", [{ "path": "src/a.txt", "lines": [1, 2], "text": "two" }]]));
    client.close().await;
}

const FLOOD: &str = r#"
export default function (kit) {
  kit.registerMessageRenderer({ name: "loud", render: (content) => `# ${content.toUpperCase()}` });
  const command = (name, execute) => kit.registerCommand({ name, description: name, execute });
  command("prints", (_, ctx) => { for (let i = 0; i < 5000; i++) ctx.print(`line ${i}`); });
  command("widgets", (_, ctx) => { for (let i = 0; i <= 300; i++) ctx.setWidget({ id: "w", content: { text: String(i) } }); });
  command("long", (_, ctx) => ctx.print("x".repeat(500000)));
  command("message", async (_, ctx) => { await ctx.renderMessage("loud", "hello"); await ctx.renderMessage("unknown", "as it is"); });
}
"#;

#[tokio::test]
async fn a_flood_of_output_ends_its_call_and_what_is_replaced_quickly_is_sent_once() {
    let project = project(&[("flood.js", FLOOD)]);
    let (_model, client) = live(&project).await;
    let run = |name: &str| client.command("kit.command.run", json!({ "name": name }));
    run("widgets").await.expect("replacing is no flood");
    client.notification("kit/ui", |update| update["id"] == "w" && update["text"] == "300").await;
    let shown = client.notifications("kit/ui");
    assert!(shown.iter().filter(|update| update["id"] == "w").count() < 20, "{}", shown.len());
    let flooded = run("prints").await.expect_err("a flood is refused");
    assert!(flooded.message.contains("things to show in a second"), "{flooded:?}");
    assert_eq!(flooded.data["kind"], "rate_limit");
    let lines = client.notifications("kit/ui").iter().filter(|update| update["slot"] == "print").count();
    assert!(lines < 1000, "{lines} of 5000");
    client.close().await;
}

#[tokio::test]
async fn long_texts_are_cut_and_messages_are_shown_by_their_renderer() {
    let project = project(&[("flood.js", FLOOD)]);
    let (_model, client) = live(&project).await;
    let run = |name: &str| client.command("kit.command.run", json!({ "name": name }));
    run("long").await.expect("it runs");
    let long = client.notification("kit/ui", |update| update["slot"] == "print").await;
    let size = long["text"].as_str().expect("a text").len();
    assert!((60_000..70_000).contains(&size), "{size}");
    run("message").await.expect("it runs");
    let loud = client.notification("kit/ui", |update| update["text"] == "# HELLO").await;
    assert_eq!((&loud["slot"], &loud["markdown"]), (&json!("block"), &json!(true)));
    client.notification("kit/ui", |update| update["text"] == "as it is").await;
    client.close().await;
}

#[tokio::test]
async fn a_tools_name_belongs_to_the_first_extension_that_has_it_until_that_one_is_gone() {
    let says = |word: &str| {
        format!(
            "export default (kit) => kit.registerTool({{ name: \"say\", description: \"s\", execute: () => \"{word}\" }});"
        )
    };
    let project = project(&[("a.js", &says("a")), ("b.js", &says("b"))]);
    let (model, client) = live(&project).await;
    let say = || Reply::new().call("say", json!({}));
    assert_eq!(run_call(&client, &model, say()).await.tool_result(), ("a", false));
    let uri = project.uri(".kit/extensions/b.js");
    let marks = |told: &Value| told["diagnostics"].as_array().map(Vec::len);
    let told = client
        .latest("textDocument/publishDiagnostics", |told| {
            told["uri"] == uri.as_str() && marks(told) == Some(1)
        })
        .await;
    assert!(told.to_string().contains("the tool say of b has a name that another tool has"), "{told}");

    // Neither a save of the second nor its mistakes touch the tool of the first.
    let more = format!("export const version = \"2\";\n{}", says("b again"));
    project.write(".kit/extensions/b.js", more);
    listed(&client, |list| list.iter().any(|one| one["version"] == "2")).await;
    assert_eq!(run_call(&client, &model, say()).await.tool_result(), ("a", false));

    std::fs::remove_file(project.path(".kit/extensions/a.js")).expect("the file is removed");
    listed(&client, |list| list.len() == 1).await;
    assert_eq!(run_call(&client, &model, say()).await.tool_result(), ("b again", false));
    client
        .latest("textDocument/publishDiagnostics", |told| {
            told["uri"] == uri.as_str() && marks(told) == Some(0)
        })
        .await;
    client.close().await;
}
