//! What extensions do with the agent itself: ask models, start subagents, write into the session and move in its tree,
//! choose its tools. What that costs belongs to the session.

use e2e::{launch, run_call, start};
use kit_testkit::{Gate, ModelServer, Reply, TokenCount};
use serde_json::{Value, json};

use crate::extension_scene::{listed, live, project, run};

const ASK: &str = r#"
export default function (kit) {
  kit.on("llm_usage", (event, ctx) => ctx.print(`usage ${event.turnId} ${event.inputTokens}`));
  kit.registerCommand({ name: "ask", description: "Asks the model", async execute(args, ctx) {
    const pieces = [];
    const answer = await ctx.complete({
      system: "be short", messages: [{ role: "user", content: "earlier" }, { role: "assistant", content: "yes" }], prompt: args,
      maxTokens: 77, onChunk: (text) => pieces.push(text),
    });
    return { ...answer, pieces: pieces.join(""), stats: ctx.getContextStats().messageCount, spent: (await ctx.getSessionUsage()).totalOutputTokens };
  } });
}
"#;

#[tokio::test]
async fn a_completion_is_streamed_paid_by_the_session_and_leaves_no_trace_in_it() {
    let project = project(&[("ask.js", ASK)]);
    let (model, client) = live(&project).await;
    model.reply(Reply::new().text("hello").tokens(TokenCount {
        input: 5,
        output: 1,
        ..TokenCount::default()
    }));
    client.run("hi").await;
    model.reply_to(
        "what is it?",
        Reply::new().text("It is ").text("a test.").tokens(TokenCount {
            input: 30,
            output: 4,
            ..TokenCount::default()
        }),
    );
    let answer = run(&client, "ask", "what is it?").await;
    assert_eq!(
        json!([
            answer["text"],
            answer["pieces"],
            answer["inputTokens"],
            answer["outputTokens"],
            answer["stats"],
            answer["spent"]
        ]),
        json!(["It is a test.", "It is a test.", 30, 4, 2, 5])
    );
    let request = model.request(1).await;
    assert_eq!((request.tools(), request.user_texts()), (Vec::new(), vec!["earlier", "what is it?"]));
    assert_eq!(
        (&request.body["max_tokens"], request.body["system"].to_string().contains("be short")),
        (&json!(77), true)
    );
    // The event of usage is for the calls of turns alone.
    let usage: Vec<Value> =
        client.notifications("kit/ui").into_iter().filter(|update| update["slot"] == "print").collect();
    assert_eq!(usage.len(), 1, "{usage:?}");
    model.reply(Reply::new().text("again"));
    client.run("and now?").await;
    assert_eq!(model.request(2).await.user_texts(), ["hi", "and now?"]);
    client.close().await;
}

#[tokio::test]
async fn a_used_up_budget_refuses_a_completion_of_an_extension() {
    let project = project(&[("ask.js", ASK)]);
    let model = ModelServer::start().await;
    let client =
        launch(&project, &model).setting("budget", json!({ "session": { "tokens": 100 } })).start().await;
    listed(&client, |list| list.len() == 1).await;
    client.command("kit.session.new", json!({})).await.expect("a session");
    model.reply(Reply::new().text("much").tokens(TokenCount {
        input: 90,
        output: 20,
        ..TokenCount::default()
    }));
    run(&client, "ask", "first").await;
    let failed = client.command("kit.command.run", json!({ "name": "ask", "args": "second" })).await;
    let failed = failed.expect_err("the budget is used up");
    assert!(failed.message.contains("`budget.session`"), "{failed:?}");
    assert_eq!(model.requests().len(), 1);
    client.close().await;
}

const TREE: &str = r#"
export default function (kit) {
  const command = (name, execute) => kit.registerCommand({ name, description: name, execute });
  command("log", async (args, ctx) => (await ctx.appendEntry("log:line", args)).id);
  command("lines", async (_, ctx) => (await ctx.getEntries("log:line")).map((entry) => entry.data));
  command("branch", async (_, ctx) => (await ctx.getCurrentBranch()).filter((node) => node.role).map(({ id, role, content, model }) => ({ id, role, content, model })));
  command("summary", async (args, ctx) => { const [from, to] = args.split(" "); return ctx.summarizeBranch(from, to); });
  command("collapse", async (args, ctx) => { const [from, to] = args.split(" "); return ctx.collapseBranch(from, to, "they greeted"); });
}
"#;

/// Statement 35: a compaction takes no entry from extensions.
#[tokio::test]
async fn entries_from_before_a_compaction_are_still_there() {
    let project = project(&[("tree.js", TREE)]);
    let (model, client) = live(&project).await;
    model.reply(Reply::new().text("good day"));
    client.run("good morning").await;
    run(&client, "log", "before").await;
    model.reply(Reply::new().text("fine"));
    client.run("how are you?").await;
    model.reply(Reply::new().text("They greeted."));
    client.command("kit.session.compact", json!({})).await.expect("a compaction begins");
    client.event(|event| event["type"] == "compaction").await;
    run(&client, "log", "behind").await;
    assert_eq!(run(&client, "lines", "").await, json!(["before", "behind"]));
    let fork = client.command("kit.session.fork", json!({})).await.expect("a fork");
    let lines = json!({ "name": "lines", "session": fork["session"] });
    let lines = client.command("kit.command.run", lines).await.expect("the command runs");
    assert_eq!(lines["output"], "[\"before\",\"behind\"]");
    client.close().await;
}

#[tokio::test]
async fn entries_summaries_and_collapsed_branches_are_the_sessions() {
    let project = project(&[("tree.js", TREE)]);
    let (model, client) = live(&project).await;
    model.reply(Reply::new().text("good day"));
    client.run("good morning").await;
    let id = run(&client, "log", "greeted").await;
    assert!(id.as_str().is_some_and(|id| !id.is_empty()), "{id}");
    model.reply(Reply::new().text("fine"));
    client.run("how are you?").await;
    assert_eq!(run(&client, "lines", "").await, json!(["greeted"]));
    assert!(!model.request(1).await.body.to_string().contains("greeted"));
    let branch = run(&client, "branch", "").await;
    let nodes: Vec<(&Value, &Value)> =
        branch.as_array().into_iter().flatten().map(|node| (&node["role"], &node["content"])).collect();
    let expected = json!([
        ["user", "good morning"],
        ["assistant", "good day"],
        ["user", "how are you?"],
        ["assistant", "fine"]
    ]);
    assert_eq!(json!(nodes), expected);
    assert!(branch[1]["model"].is_string(), "{branch}");
    let (from, to) = (branch[0]["id"].as_str().expect("an id"), branch[1]["id"].as_str().expect("an id"));
    model.reply_to("good morning", Reply::new().text("A greeting."));
    assert_eq!(run(&client, "summary", &format!("{from} {to}")).await, json!("A greeting."));
    assert_eq!(run(&client, "collapse", &format!("{from} {to}")).await, json!({ "success": true }));
    let refused = run(&client, "collapse", "nowhere nowhere").await;
    assert!(refused["success"] == json!(false) && refused["error"].is_string(), "{refused}");
    model.reply(Reply::new().text("yes"));
    client.run("still there?").await;
    let request = model.request(3).await;
    let sent = request.body["messages"].to_string();
    assert!(
        sent.contains("they greeted") && !sent.contains("good morning") && sent.contains("how are you?"),
        "{sent}"
    );
    client.close().await;
}

const CREW: &str = r#"
export default function (kit) {
  const command = (name, execute) => kit.registerCommand({ name, description: name, execute });
  let last;
  kit.on("subagent_start", (event, ctx) => ctx.print(`start ${event.task}`));
  kit.on("subagent_end", (event, ctx) => ctx.print(`end ${event.task}: ${event.response}${event.errorMsg}`));
  command("wait", async (args, ctx) => {
    const { id, result } = await ctx.spawnSubagent({ prompt: args, blocking: true, systemPrompt: "You count." });
    return { id, ...result };
  });
  command("begin", async (args, ctx) => {
    const heard = [];
    last = await ctx.spawnSubagent({ prompt: args, onEvent: (event) => { heard.push(event.type); ctx.setStatus("heard", heard.join(" ")); }, onComplete: (result) => ctx.print(`complete ${result.response}`) });
    return last.id;
  });
  command("list", async (_, ctx) => (await ctx.listSubagents()).map(({ agent, running, result }) => [agent, running, result?.response ?? result?.error]));
  command("kill", async (_, ctx) => { last.kill(); return await last.wait(); });
  command("forget", async (args, ctx) => (await ctx.spawnSubagent({ prompt: args, blocking: true, noSession: true })).result.response);
  command("only", (args, ctx) => ctx.setActiveTools(args ? args.split(" ") : []));
}
"#;

#[tokio::test]
async fn a_subagent_of_an_extension_is_waited_for_and_its_cost_is_the_sessions() {
    let project = project(&[("crew.js", CREW)]);
    let (model, client) = live(&project).await;
    model.reply(Reply::new().text("hello"));
    client.run("hi").await;
    run(&client, "only", "read ls subagent").await;
    model.reply_to(
        "count to three",
        Reply::new().text("1 2 3").tokens(TokenCount { input: 11, output: 6, ..TokenCount::default() }),
    );
    let result = run(&client, "wait", "count to three").await;
    assert_eq!(
        json!([
            result["response"],
            result["error"],
            result["exitCode"],
            result["usage"],
            result["sessionId"]
        ]),
        json!(["1 2 3", "", 0, { "inputTokens": 11, "outputTokens": 6 }, result["id"]])
    );
    let request = model.request(1).await;
    let mut tools = request.tools();
    tools.sort_unstable();
    assert_eq!(tools, ["ls", "read"]);
    assert!(request.body["system"].to_string().contains("You count."));
    let usage = client.command("kit.usage.get", json!({})).await.expect("the usage");
    assert!(usage["session"]["outputTokens"].as_u64().is_some_and(|tokens| tokens >= 6), "{usage}");
    // The model of the session is not told what only the extension asked for.
    run(&client, "only", "").await;
    model.reply(Reply::new().text("nothing"));
    client.run("what is new?").await;
    assert_eq!(model.request(2).await.user_texts(), ["hi", "what is new?"]);
    client.close().await;
}

#[tokio::test]
async fn a_subagent_in_the_background_is_heard_listed_and_killed() {
    let project = project(&[("crew.js", CREW)]).file("a.txt", "alpha\n");
    let (model, client) = live(&project).await;
    model.reply_to("look", Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply_to("look", Reply::new().text("alpha"));
    client.command("kit.session.new", json!({})).await.expect("a session");
    run(&client, "begin", "look").await;
    client.notification("kit/ui", |update| update["text"] == "complete alpha").await;
    client
        .notification("kit/ui", |update| {
            update["text"]
                == "turn_start tool_call tool_execution_start tool_execution_end tool_result text turn_end end"
        })
        .await;
    assert_eq!(run(&client, "list", "").await, json!([["general", false, "alpha"]]));
    let gate = Gate::new();
    model.reply_to("hang", Reply::new().text("…").gate(&gate));
    run(&client, "begin", "hang").await;
    gate.reached().await;
    assert_eq!(run(&client, "list", "").await[1], json!(["general", true, null]));
    let killed = run(&client, "kill", "").await;
    assert_eq!(json!([killed["exitCode"], killed["error"]]), json!([1, "it was stopped"]));
    // Only what the model asks for is told as a subagent's beginning and end.
    assert!(
        client
            .notifications("kit/ui")
            .iter()
            .all(|update| !update["text"].to_string().contains("start look"))
    );
    client.close().await;
}

#[tokio::test]
async fn a_subagent_that_stores_nothing_leaves_no_file() {
    let project = project(&[("crew.js", CREW)]);
    let (model, client) = live(&project).await;
    model.reply(Reply::new().text("hello"));
    client.run("hi").await;
    model.reply_to("whisper", Reply::new().text("psst"));
    assert_eq!(run(&client, "forget", "whisper").await, json!("psst"));
    kit_testkit::eventually("the file of the subagent is gone", || project.session_files().len() == 1).await;
    client.close().await;
}

#[tokio::test]
async fn what_a_crash_left_of_a_subagent_that_stores_nothing_is_gone_after_the_next_start() {
    let project = project(&[("crew.js", CREW)]);
    let (model, client) = live(&project).await;
    model.reply(Reply::new().text("hello"));
    client.run("hi").await;
    let gate = Gate::new();
    model.reply_to("whisper", Reply::new().text("ps").gate(&gate));
    client.start_request(
        "workspace/executeCommand",
        json!({ "command": "kit.command.run", "arguments": [{ "name": "forget", "args": "whisper" }] }),
    );
    gate.reached().await;
    assert_eq!(project.session_files().len(), 2);
    // Another process sweeps, and leaves alone what is held.
    let other = start(&project, &model).await;
    other.command("kit.session.list", json!({})).await.expect("a list");
    other.close().await;
    assert_eq!(project.session_files().len(), 2);
    client.kill().await;
    let client = start(&project, &model).await;
    kit_testkit::eventually("the file of the subagent is gone", || project.session_files().len() == 1).await;
    let sessions = client.command("kit.session.list", json!({ "scope": "all" })).await.expect("a list");
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(1), "{sessions}");
    client.close().await;
}

const WATCH: &str = r#"
export default function (kit) {
  kit.onPlan(({ entries }, ctx) => ctx.print(entries.map(({ content, status, priority }) => `${content} ${status} ${priority || "usual"}`).join(", ")));
}
"#;

#[tokio::test]
async fn an_extension_watches_the_plan() {
    let project = project(&[("watch.js", WATCH)]);
    let (model, client) = live(&project).await;
    let look = json!({ "content": "look", "status": "completed", "priority": "high" });
    let mend = json!({ "content": "mend", "status": "in_progress" });
    run_call(&client, &model, Reply::new().call("update_plan", json!({ "entries": [look, mend] }))).await;
    client
        .notification("kit/ui", |update| update["text"] == "look completed high, mend in_progress usual")
        .await;
    client.close().await;
}

const SQUEEZE: &str = r#"
export default function (kit) {
  kit.registerCommand({ name: "squeeze", description: "Compacts", async execute(args, ctx) {
    try { await ctx.compact({ customInstructions: args }); } catch (error) { return `failed: ${error.message}`; }
    return "done";
  } });
}
"#;

#[tokio::test]
async fn a_compaction_that_an_extension_asks_for_is_over_when_it_says_so() {
    let project = project(&[("squeeze.js", SQUEEZE)]);
    let (model, client) = live(&project).await;
    client.command("kit.session.new", json!({})).await.expect("a session");
    let nothing = run(&client, "squeeze", "").await;
    assert!(
        nothing.as_str().is_some_and(|text| text.starts_with("failed: there is nothing to compact")),
        "{nothing}"
    );
    for answer in ["hello", "fine"] {
        model.reply(Reply::new().text(answer));
        client.run("hi").await;
    }

    model.reply(Reply::new().text(""));
    let empty = run(&client, "squeeze", "the weather").await;
    assert!(
        empty.as_str().is_some_and(|text| text.starts_with("failed: the conversation was not compacted")),
        "{empty}"
    );
    let gate = Gate::new();
    model.reply(Reply::new().gate(&gate).text("They greeted each other."));
    let arguments = json!([{ "name": "squeeze", "args": "the weather" }]);
    let asked = client.start_request(
        "workspace/executeCommand",
        json!({ "command": "kit.command.run", "arguments": arguments }),
    );
    gate.reached().await;
    let compactions = || {
        let events = client.notifications("kit/event").into_iter();
        events.filter(|event| event["type"] == "compaction").count()
    };
    assert_eq!(compactions(), 0);
    gate.open();
    let answer = client.response(asked).await.expect("an answer");
    assert_eq!((answer["output"].as_str(), compactions()), (Some("done"), 1));
    client.close().await;
}

#[tokio::test]
async fn subagents_that_the_model_asks_for_are_told_from_beginning_to_end() {
    let project = project(&[("crew.js", CREW)]);
    let (model, client) = live(&project).await;
    model.reply_to("count", Reply::new().text("1 2 3"));
    run_call(&client, &model, Reply::new().call("subagent", json!({ "task": "count" }))).await;
    client.notification("kit/ui", |update| update["text"] == "start count").await;
    client.notification("kit/ui", |update| update["text"] == "end count: 1 2 3").await;
    client.close().await;
}

#[tokio::test]
async fn tools_that_an_extension_switches_off_are_refused_and_named() {
    let project = project(&[("crew.js", CREW)]).file("a.txt", "alpha\n");
    let (model, client) = live(&project).await;
    client.command("kit.session.new", json!({})).await.expect("a session");
    run(&client, "only", "ls").await;
    let read = || Reply::new().call("read", json!({ "path": "a.txt" }));
    let report = run_call(&client, &model, read()).await;
    assert_eq!(report.tool_result(), ("Error: tool \"read\" is currently disabled", true));
    run(&client, "only", "").await;
    assert!(!run_call(&client, &model, read()).await.tool_result().1);
    client.close().await;
}

const SKILLED: &str = r#"
export default (kit) => kit.registerCommand({ name: "inject", description: "i", execute: async (args, ctx) => { await ctx.injectSkillAsContext(args); return "sent"; } });
"#;

#[tokio::test]
async fn a_skill_that_an_extension_starts_runs_in_its_session_and_the_user_stays_in_theirs() {
    let project = project(&[("skilled.js", SKILLED)]).file(
        ".agents/skills/deploy/SKILL.md",
        "---\nname: deploy\ndescription: d\n---\nAsk before you push.\n",
    );
    let (model, client) = live(&project).await;
    let new = || client.command("kit.session.new", json!({}));
    let first = new().await.expect("a session")["session"].clone();
    let second = new().await.expect("a session")["session"].clone();
    let inject = |name: &str| {
        client.command("kit.command.run", json!({ "name": "inject", "args": name, "session": first }))
    };
    model.reply(Reply::new().text("deployed"));
    inject("deploy").await.expect("it is sent");
    client.event(|event| event["session"] == first && event["type"] == "turn_end").await;
    let request = model.request(0).await;
    let texts = request.user_texts().join("\n");
    assert!(texts.contains("/skill:deploy") && texts.contains("Ask before you push."), "{texts}");
    model.reply(Reply::new().text("hello"));
    assert_eq!(client.run("hi").await.end()["session"], second);
    let unknown = inject("deplyo").await.expect_err("there is no such skill");
    assert!(unknown.message.contains("there is no skill deplyo; there are deploy"), "{unknown:?}");
    client.close().await;
}

const CLUMSY: &str = r#"
export default (kit) => {
  kit.onMessageEnd(() => {
    undefined.x;
  });
};
"#;

#[tokio::test]
async fn what_an_observer_throws_is_shown_at_its_line_once() {
    let project = project(&[("clumsy.js", CLUMSY)]);
    let (model, client) = live(&project).await;
    for _ in 0..2 {
        model.reply(Reply::new().text("hello"));
        client.run("hi").await;
    }
    let uri = project.uri(".kit/extensions/clumsy.js");
    let marks = || -> Vec<Value> {
        let told = client.notifications("textDocument/publishDiagnostics").into_iter();
        let marks = told.filter(|told| told["uri"] == uri.as_str());
        marks.flat_map(|told| told["diagnostics"].as_array().cloned().unwrap_or_default()).collect()
    };
    kit_testkit::eventually("the mistake is shown", || !marks().is_empty()).await;
    let marks = marks();
    assert_eq!((marks.len(), &marks[0]["range"]["start"]["line"]), (1, &json!(3)), "{marks:?}");
    assert!(marks[0]["message"].to_string().contains("failed in message_end"), "{marks:?}");
    client.close().await;
}

/// Whoever runs the agent without an editor has the same extensions.
#[tokio::test]
async fn a_headless_run_has_tools_and_state_of_extensions() {
    let source = r#"export default (kit) => kit.registerTool({ name: "keep", description: "keep", execute: async (_, ctx) => { await ctx.setState("kept", "yes"); return ctx.getState("kept") + " " + ctx.interactive; } });"#;
    let project = project(&[("keep.js", source)]);
    let model = ModelServer::start().await;
    model.reply(Reply::new().call("keep", json!({})));
    model.reply(Reply::new().text("done"));
    let file = project.path(".kit/extensions/keep.js");
    let finished =
        launch(&project, &model).run(&["run", "--json", "-e", &file.to_string_lossy(), "go"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(model.request(1).await.last_result(), "yes false");
    let files = project.session_files();
    let state = std::fs::read_to_string(files[0].with_extension("ext-state.json")).expect("the state's file");
    assert_eq!(serde_json::from_str::<Value>(&state).expect("JSON"), json!({ "keep:kept": "yes" }));
}
