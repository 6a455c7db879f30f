//! Extensions: single files that change what the agent does, while it runs.

use e2e::{launch, permit, run_call, start};
use kit_testkit::{Answer, ModelServer, Reply};
use serde_json::{Value, json};

use crate::extension_scene::{list, listed, project};

const SHOUT: &str = r#"
export const version = "1.2.0";
export const description = "Says it loudly.";
export default function (kit) {
  kit.registerTool({
    name: "shout",
    description: "Says a text in capitals.",
    parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
    execute: ({ text }, ctx) => { ctx.progress("shouting"); return text.toUpperCase(); },
  });
  kit.registerCommand({ name: "louder", description: "Prints it loudly.", execute: (args, ctx) => { ctx.print(args.toUpperCase()); return "said"; } });
  kit.on("agent_end", (event, ctx) => ctx.setStatus("turns", `${event.llmCallCount} calls`));
}
"#;

#[tokio::test]
async fn a_file_brings_a_tool_a_command_and_an_observer() {
    let project = project(&[("shout.js", SHOUT)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let listed = listed(&client, |list| list.len() == 1).await;
    let shown = &listed[0];
    assert_eq!(
        json!([shown["name"], shown["version"], shown["state"], shown["tools"], shown["commands"]]),
        json!(["shout", "1.2.0", "running", ["shout"], ["louder"]])
    );
    let call = Reply::new().call("shout", json!({ "text": "hello" }));
    let report = run_call(&client, &model, call).await;
    assert_eq!(report.tool_result(), ("HELLO", false));
    assert!(model.request(0).await.tools().contains(&"shout"));
    let output = report.all("tool_output");
    assert_eq!(output.first().map(|event| event["chunk"].clone()), Some(json!("shouting\n")));
    let status = client.notification("kit/ui", |update| update["slot"] == "status").await;
    assert_eq!(
        json!([status["op"], status["id"], status["extension"], status["text"]]),
        json!(["set", "turns", "shout", "2 calls"])
    );
    client.close().await;
}

/// Statement 22: nothing of an untrusted workspace is executed.
#[tokio::test]
async fn extensions_of_an_untrusted_workspace_are_not_loaded() {
    let project = project(&[("shout.js", SHOUT)]);
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().start().await;
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert_eq!(list(&client).await, Vec::<Value>::new());
    assert!(!model.request(0).await.tools().contains(&"shout"));
    let root = kit_testkit::file_uri(&project.root());
    client.command("kit.trust.set", json!({ "root": root, "trusted": true })).await.expect("trust");
    listed(&client, |list| list.len() == 1).await;
    client.close().await;
}

/// Statement 23.
#[tokio::test]
async fn the_first_veto_stops_a_call_and_later_handlers_are_not_asked() {
    let gate = r#"export default (kit) => kit.on("tool_call", (event) => {
      if (event.toolName === "bash") return { block: true, reason: "no shell on Fridays" };
    });"#;
    let noter = r#"export default (kit) => kit.on("tool_call", (event, ctx) => ctx.print("asked: " + event.toolName));"#;
    let project = project(&[("a-gate.js", gate), ("b-noter.js", noter)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    let report =
        run_call(&client, &model, Reply::new().call("bash", json!({ "command": "touch made" }))).await;
    let (result, failed) = report.tool_result();
    assert!(failed && result.contains("no shell on Fridays"), "{result}");
    assert!(!project.exists("made"));
    assert_eq!(client.server_requests("kit/permission").len(), 0, "nobody is asked about a stopped call");
    run_call(&client, &model, Reply::new().call("ls", json!({}))).await;
    let printed = client.notification("kit/ui", |update| update["slot"] == "print").await;
    assert_eq!(printed["text"], "asked: ls");
    client.close().await;
}

/// Statement 24.
#[tokio::test]
async fn results_are_rewritten_in_load_order() {
    let append = |text: &str| {
        format!(
            r#"export default (kit) => kit.on("tool_result", (event) => ({{ content: event.content + "{text}" }}));"#
        )
    };
    let (first, second) = (append("-first"), append("-second"));
    let project = project(&[("1.js", &first), ("2.js", &second)]).file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    run_call(&client, &model, Reply::new().call("read", json!({ "path": "a.txt" }))).await;
    let request = model.request(1).await;
    assert!(request.last_result().ends_with("-first-second"), "{}", request.last_result());
    client.close().await;
}

/// Statement 25.
#[tokio::test]
async fn a_handled_prompt_reaches_no_model_and_a_rewritten_one_keeps_injections() {
    let source = r#"export default (kit) => {
      kit.on("input", (event) => {
        if (event.text === "ping") return { action: "handled", text: "pong" };
        if (event.text.startsWith("?")) return { action: "transform", text: "please " + event.text.slice(1) };
      });
      kit.on("before_agent_start", () => ({ injectText: "remember the milk" }));
    };"#;
    let project = project(&[("input.js", source)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let handled = client.run("ping").await;
    assert_eq!((handled.response(), model.requests().len()), ("pong", 0));
    model.reply(Reply::new().text("done"));
    client.run("?help").await;
    let request = model.request(0).await;
    let texts = request.user_texts().join("\n");
    assert!(texts.contains("please help") && texts.contains("remember the milk"), "{texts}");
    client.close().await;
}

/// Statement 26.
#[tokio::test]
async fn a_runaway_extension_is_stopped_and_the_turn_goes_on() {
    let source = r#"export default (kit) => {
      kit.on("tool_call", (event) => { if (event.toolName === "ls") for (;;) {} });
      kit.registerTool({ name: "bomb", description: "b", execute: () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); } });
    };"#;
    let project = project(&[("runaway.js", source), ("shout.js", SHOUT)]).file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let report = run_call(&client, &model, Reply::new().call("ls", json!({}))).await;
    let (result, failed) = report.tool_result();
    assert!(!failed && result.contains("a.txt"), "a handler that runs away is passed over: {result}");
    let report = run_call(&client, &model, Reply::new().call("bomb", json!({}))).await;
    assert!(report.tool_result().1, "{:?}", report.tool_result());
    let report = run_call(&client, &model, Reply::new().call("shout", json!({ "text": "still here" }))).await;
    assert_eq!(report.tool_result(), ("STILL HERE", false));
    let path = project.path(".kit/extensions/runaway.js");
    let uri = kit_testkit::file_uri(&path);
    client
        .latest("textDocument/publishDiagnostics", |params| {
            params["uri"] == uri.as_str()
                && params["diagnostics"].as_array().is_some_and(|marks| !marks.is_empty())
        })
        .await;
    client.close().await;
}

/// A permission gate that fails stops what it guards.
#[tokio::test]
async fn a_gate_that_crashes_blocks() {
    let gate = r#"export default (kit) => kit.on("tool_call", () => { for (;;) {} }, { onError: "block" });"#;
    let project = project(&[("gate.js", gate)]).file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let report = run_call(&client, &model, Reply::new().call("read", json!({ "path": "a.txt" }))).await;
    let (result, failed) = report.tool_result();
    assert!(failed && result.contains("the extension gate could not decide"), "{result}");
    client.close().await;
}

const REACH: &str = r#"
export const permissions = { fs: { read: ["docs"] }, exec: ["echo *"], env: ["KIT_TEST_VALUE"] };
export default function (kit) {
  const tool = (name, execute) => kit.registerTool({ name, description: name, execute });
  tool("read_docs", async (_, ctx) => (await ctx.fs.read("docs/a.md")).text);
  tool("read_other", async (_, ctx) => (await ctx.fs.read("secret.txt")).text);
  tool("climb", async (_, ctx) => (await ctx.fs.read("docs/../secret.txt")).text);
  tool("say", async (_, ctx) => (await ctx.exec.run({ command: "echo hi" })).stdout);
  tool("chain", async (_, ctx) => (await ctx.exec.run({ command: "echo hi; touch made" })).stdout);
  tool("variable", (_, ctx) => ctx.env.get("KIT_TEST_VALUE"));
  tool("home", (_, ctx) => ctx.env.get("HOME"));
  tool("request", async (_, ctx) => String((await ctx.http.fetch({ url: "http://127.0.0.1:9/" })).status));
}
"#;

/// Statement 27.
#[tokio::test]
async fn nothing_is_reached_without_a_grant_and_no_more_than_granted_with_one() {
    let project =
        project(&[("reach.js", REACH)]).file("docs/a.md", "the docs\n").file("secret.txt", "secret\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).env("KIT_TEST_VALUE", "valuable").start().await;
    client.behave(|behavior| {
        behavior.permission = Box::new(|params| match params["agent"]["name"] == "reach" {
            true => Answer::Result(json!({ "option": "not-now" })),
            false => Answer::option_of_kind(params, "allowOnce"),
        });
    });
    let (_, asked) = client.server_request("kit/permission", 0).await;
    let title = asked["title"].as_str().unwrap_or_default();
    assert!(
        title.contains("read docs") && title.contains("run echo *") && title.contains("KIT_TEST_VALUE"),
        "{title}"
    );
    let tools = ["read_docs", "read_other", "climb", "say", "chain", "variable", "home", "request"];
    for tool in tools {
        let report = run_call(&client, &model, Reply::new().call(tool, json!({}))).await;
        let (result, failed) = report.tool_result();
        assert!(failed && result.contains("was not granted"), "{tool}: {result}");
    }
    let granted = client.command("kit.extension.grant", json!({ "name": "reach", "grants": true })).await;
    assert_eq!(granted.expect("granted")["extensions"][0]["grants"]["exec"], json!(["echo *"]));
    let mut outcomes = Vec::new();
    for tool in tools {
        let report = run_call(&client, &model, Reply::new().call(tool, json!({}))).await;
        let (result, failed) = report.tool_result();
        outcomes.push((tool, if failed { "refused".to_owned() } else { result.trim().to_owned() }));
    }
    let refused = || "refused".to_owned();
    assert_eq!(
        outcomes,
        [
            ("read_docs", "the docs".to_owned()),
            ("read_other", refused()),
            ("climb", refused()),
            ("say", "hi".to_owned()),
            ("chain", refused()),
            ("variable", "valuable".to_owned()),
            ("home", refused()),
            ("request", refused()),
        ]
    );
    assert!(!project.exists("made"));
    client.close().await;
}

/// Statement 28.
#[tokio::test]
async fn saving_adding_breaking_and_removing_files_takes_effect_while_it_runs() {
    let first = r#"export default (kit) => {
      kit.registerOption({ name: "color", default: "red" });
      kit.on("session_start", (event, ctx) => ctx.setWidget({ id: "w", content: { text: "first " + ctx.getOption("color") } }));
      kit.registerTool({ name: "which", description: "which", execute: async (_, ctx) => { await ctx.setState("seen", "yes"); ctx.setOption("color", "blue"); return "first"; } });
    };"#;
    let second = r#"export default (kit) => {
      kit.registerTool({ name: "which", description: "which", execute: (_, ctx) => "second " + ctx.getState("seen") + " " + ctx.getOption("color") });
      kit.on("message_end", (event, ctx) => ctx.print("ended: " + event.content));
    };"#;
    let project = project(&[("one.js", first)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let which = || Reply::new().call("which", json!({}));
    assert_eq!(run_call(&client, &model, which()).await.tool_result(), ("first", false));
    project.write(".kit/extensions/one.js", second);
    listed(&client, |list| list.iter().any(|one| one["events"].to_string().contains("message_end"))).await;
    assert_eq!(run_call(&client, &model, which()).await.tool_result(), ("second yes blue", false));
    client.notification("kit/ui", |update| update["text"] == "ended: done").await;
    project.write(".kit/extensions/two/main.js", SHOUT);
    listed(&client, |list| list.len() == 2).await;
    project.write(".kit/extensions/one.js", "export default (kit) => {\n\n  kit.on(;\n}\n");
    let uri = project.uri(".kit/extensions/one.js");
    let mark = client
        .latest("textDocument/publishDiagnostics", |params| {
            params["uri"] == uri.as_str()
                && params["diagnostics"].as_array().is_some_and(|marks| !marks.is_empty())
        })
        .await;
    assert_eq!(mark["diagnostics"][0]["range"]["start"]["line"], 2, "{mark}");
    assert_eq!(run_call(&client, &model, which()).await.tool_result(), ("second yes blue", false));
    std::fs::remove_file(project.path(".kit/extensions/one.js")).expect("the file is removed");
    listed(&client, |list| list.len() == 1 && list[0]["name"] == "two").await;
    client.close().await;
}

/// Statement 31.
#[tokio::test]
async fn state_lies_beside_its_session_survives_a_restart_and_is_no_other_sessions() {
    let source = r#"export default (kit) => {
      kit.registerTool({ name: "keep", description: "keep", execute: async (_, ctx) => { await ctx.setState("count", String(Number(ctx.getState("count") ?? 0) + 1)); return ctx.getState("count"); } });
    };"#;
    let project = project(&[("keep.js", source)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let keep = || Reply::new().call("keep", json!({}));
    let report = run_call(&client, &model, keep()).await;
    assert_eq!(report.tool_result(), ("1", false));
    let session = report.end()["session"].clone();
    client.command("kit.session.new", json!({})).await.expect("a session");
    assert_eq!(run_call(&client, &model, keep()).await.tool_result(), ("1", false));
    client.close().await;
    let client = start(&project, &model).await;
    client.command("kit.session.open", json!({ "session": session })).await.expect("it opens");
    assert_eq!(run_call(&client, &model, keep()).await.tool_result(), ("2", false));
    let file = project
        .session_files()
        .into_iter()
        .find(|file| {
            std::fs::read_to_string(file).is_ok_and(|text| text.contains(session.as_str().unwrap_or("?")))
        })
        .expect("the session's file");
    let state = std::fs::read_to_string(file.with_extension("ext-state.json")).expect("the state's file");
    assert_eq!(serde_json::from_str::<Value>(&state).expect("JSON"), json!({ "keep:count": "2" }));
    client.close().await;
}

/// Prompts use the client's own questions, and TypeScript needs no build.
#[tokio::test]
async fn a_typed_file_asks_the_user() {
    let source = "type Choice = { value: string };\nexport default (kit: any): void => {\n  kit.registerCommand({ name: \"pick\", description: \"pick\", execute: async (args: string, ctx: any) => {\n    const choice = (await ctx.promptSelect({ message: \"Which?\", options: [\"a\", \"b\"] })) as Choice;\n    return choice.value;\n  } });\n};\n";
    let project = project(&[("pick.ts", source)]);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    client.behave(|behavior| {
        behavior.ask = Box::new(|_| Answer::Result(json!({ "index": 1, "value": "b", "cancelled": false })))
    });
    listed(&client, |list| list.len() == 1).await;
    let answer = client.command("kit.command.run", json!({ "name": "pick" })).await.expect("it runs");
    assert_eq!(answer["output"], "b");
    client.close().await;
}
