//! Extensions in runs without an editor: what they decide, keep, and may not reach, and that they change while it runs.

use e2e::launch;
use kit_testkit::{Finished, Gate, Launch, ModelServer, Reply};
use serde_json::{Value, json};

use crate::extension_scene::{GATE, ask_subagents, component, subagents_are_gated, users_project};

fn object(run: &Finished) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

async fn go(launch: &Launch, words: &[&str]) -> Value {
    let words: Vec<&str> = ["run", "--json"].iter().chain(words).copied().collect();
    let run = launch.run(&words).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    object(&run)
}

const ONE: &str = r#"
export default function (kit) {
  kit.on("input", (event) => event.text === "stop" ? { action: "handled", text: "Stopped here." } : { action: "transform", text: `${event.text} politely` });
  kit.on("before_agent_start", () => ({ injectText: "It is Friday." }));
  kit.on("tool_call", (event) => event.toolName === "find" ? { block: true, reason: "no searching on Fridays" } : undefined);
  kit.on("tool_result", (event) => ({ content: `${event.content.trim()} [one]` }));
}
"#;
const TWO: &str = r#"
export default function (kit) {
  kit.on("tool_call", async (event, ctx) => { await ctx.setState(event.toolName, "asked"); });
  kit.on("tool_result", (event) => ({ content: `${event.content} [two]` }));
}
"#;

/// Statements 23 to 25 and 31.
#[tokio::test]
async fn a_run_is_vetoed_rewritten_and_handled_by_extensions_and_keeps_their_state() {
    let project = users_project(&[("one.js", ONE), ("two.js", TWO)]).file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().call("find", json!({ "pattern": "*" })));
    model.reply(Reply::new().text("That was all."));
    let run = go(&launch, &["read it"]).await;
    assert_eq!(run["response"], "That was all.");
    let texts = model.request(0).await;
    let texts = texts.user_texts();
    assert!(
        texts.contains(&"It is Friday.") && texts.iter().any(|text| text.starts_with("read it politely")),
        "{texts:?}"
    );
    assert!(model.request(1).await.last_result().ends_with("[one] [two]"));
    assert!(model.request(2).await.last_result().contains("no searching on Fridays"));
    let handled = go(&launch, &["stop", "--continue"]).await;
    assert_eq!((&handled["response"], model.requests().len()), (&json!("Stopped here."), 3));
    let file = project.session_files()[0].with_extension("ext-state.json");
    let state = std::fs::read_to_string(file).expect("the state's file");
    // The second handler was not asked about the call that the first stopped.
    assert_eq!(serde_json::from_str::<Value>(&state).expect("JSON"), json!({ "two:read": "asked" }));
}

const TALKS: &str = r#"
export const permissions = { exec: ["git *"] };
export default function (kit) {
  kit.on("agent_start", () => { throw new Error("the lid is stuck"); });
  kit.on("agent_end", async (event, ctx) => {
    await ctx.sleep(100);
    ctx.printError("over and out");
    ctx.printBlock({ text: "one\ntwo", subtitle: "below" });
    await ctx.setState("ended", event.stopReason);
  });
  kit.on("session_shutdown", (event, ctx) => ctx.setState("closed", event.reason));
}
"#;

#[tokio::test]
async fn a_run_shows_what_extensions_print_and_what_is_wrong_and_waits_for_their_handlers() {
    let project =
        users_project(&[("talks.js", TALKS), ("broken.js", "export default (kit) => {\n  kit.on(;\n};\n")]);
    let model = ModelServer::start().await;
    model.reply(Reply::new().text("Done."));
    let run = launch(&project, &model).run(&["run", "go"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "Done.\n"), "{run:?}");
    for said in [
        "broken.js:2: SyntaxError",
        "the extension talks wants to run git *, which is not granted: `kit-ls extensions grant ",
        "talks.js:4: the extension talks failed in agent_start",
        "error: over and out\n│ one\n│ two\n╰ below\n",
    ] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    let file = project.session_files()[0].with_extension("ext-state.json");
    let state = std::fs::read_to_string(file).expect("the state's file");
    assert_eq!(
        serde_json::from_str::<Value>(&state).expect("JSON"),
        json!({ "talks:ended": "end_turn", "talks:closed": "exit" })
    );
}

const COMMANDS: &str = r#"
export default function (kit) {
  kit.registerCommand({ name: "remember", description: "r", execute: async (args, ctx) => { await ctx.setState("word", args); return `I know ${args}.`; } });
  kit.registerCommand({ name: "tell", description: "t", execute: (args, ctx) => { ctx.sendMessage(`It is ${ctx.getState("word")}.`); } });
  kit.registerCommand({ name: "fail", description: "f", execute: () => { throw new Error("the lid is stuck"); } });
  kit.on("agent_end", (event, ctx) => { if (event.response === "Once more?") ctx.sendMessage("Yes."); });
}
"#;

#[tokio::test]
async fn a_prompt_that_names_a_command_runs_it_and_the_turns_that_extensions_ask_for() {
    let project = users_project(&[("commands.js", COMMANDS)]);
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    let run = launch.run(&["run", "/remember blue"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "I know blue.\n"), "{run:?}");
    assert!(model.requests().is_empty());
    model.reply(Reply::new().text("Once more?"));
    model.reply(Reply::new().text("Blue it is."));
    let told = go(&launch, &["--continue", "/tell"]).await;
    assert_eq!(told["response"], "Blue it is.");
    assert_eq!(model.request(1).await.user_texts(), ["It is blue.", "Yes."]);
    let failed = launch.run(&["run", "--json", "/fail"]).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(
        object(&failed)["error"],
        "the command fail of the extension commands failed: the lid is stuck"
    );
}

/// Statement 26.
#[tokio::test]
async fn a_run_goes_on_when_a_component_runs_away_and_crashes() {
    let Some(component) = component("faults") else { return };
    let project = users_project(&[("one.js", TWO)]).file("a.txt", "alpha\n");
    std::fs::copy(component, project.kit_home().join("config/extensions/faults.wasm"))
        .expect("the component");
    let model = ModelServer::start().await;
    for fault in ["spin", "trap"] {
        model.reply(Reply::new().call(fault, json!({})));
    }
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().text("That went on."));
    let run = go(&launch(&project, &model), &["go"]).await;
    assert_eq!(run["response"], "That went on.");
    let last = model.request(3).await;
    let results: Vec<(&str, bool)> = last.results();
    assert!(results[0].1 && results[0].0.contains("it computed for 2000 ms"), "{results:?}");
    assert!(results[1].1 && results[1].0.contains("it aborted"), "{results:?}");
    assert!(!results[2].1 && results[2].0.ends_with("[two]"), "{results:?}");
}

const REACH: &str = r#"
export const permissions = { fs: { read: ["docs"] }, exec: ["echo *"] };
export default function (kit) {
  const tool = (name, execute) => kit.registerTool({ name, description: name, execute });
  tool("docs", async (_, ctx) => (await ctx.fs.read("docs/a.md")).text);
  tool("secret", async (_, ctx) => (await ctx.fs.read("docs/../secret.txt")).text);
  tool("say", async (_, ctx) => (await ctx.exec.run({ command: "echo spoken" })).stdout);
  tool("chain", async (_, ctx) => (await ctx.exec.run({ command: "echo hi; touch made" })).stdout);
  tool("home", (_, ctx) => ctx.env.get("HOME"));
  tool("send", async (_, ctx) => String((await ctx.http.fetch({ url: "http://127.0.0.1:9/" })).status));
}
"#;

/// Statement 27: nobody can be asked, so what was not granted before is refused.
#[tokio::test]
async fn a_run_reaches_only_what_was_granted_from_the_command_line_and_only_with_the_same_content() {
    let project =
        users_project(&[("reach.js", REACH)]).file("docs/a.md", "the docs\n").file("secret.txt", "secret\n");
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    let outcomes = async || {
        let first = model.requests().len();
        let tools = ["docs", "secret", "say", "chain", "home", "send"];
        tools.iter().for_each(|tool| model.reply(Reply::new().call(tool, json!({}))));
        model.reply(Reply::new().text("done"));
        go(&launch, &["go"]).await;
        let last = model.request(first + tools.len()).await;
        let outcome = |(text, _): (&str, bool)| {
            if text.contains("was not granted") { "refused".to_owned() } else { text.trim().to_owned() }
        };
        last.results().into_iter().map(outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes().await, ["refused"; 6]);
    let granted = launch.run(&["extensions", "grant", "reach", "--yes"]).await;
    assert_eq!(granted.code, Some(0), "{granted:?}");
    assert_eq!(outcomes().await, ["the docs", "refused", "spoken", "refused", "refused", "refused"]);
    assert!(!project.exists("made"));
    let changed = format!("{REACH}// changed\n");
    std::fs::write(project.kit_home().join("config/extensions/reach.js"), changed).expect("it is saved");
    assert_eq!(outcomes().await, ["refused"; 6]);
}

fn version(number: u32, more: &str) -> String {
    format!(
        "export default (kit) => {{ kit.registerTool({{ name: 'which', description: 'which', execute: async (_, ctx) => {{ const before = ctx.getState('seen') ?? 'nothing'; await ctx.setState('seen', '{number}'); return `version {number} after ${{before}}`; }} }}); {more} }};"
    )
}

/// Statement 28.
#[tokio::test]
async fn extensions_change_and_come_while_a_run_goes_on() {
    let project = users_project(&[("one.js", &version(1, ""))]);
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    let mut run = launch.begin(&["run", "go", "--json"]);
    run.close_input();
    // The model calls the tool again and again until what is wanted was seen, and the file changes at its first answer.
    let mut nth = 0;
    let calls_until = async |nth: &mut usize, seen: &str, change: &dyn Fn()| {
        change();
        loop {
            let gate = Gate::new();
            model.reply(Reply::new().gate(&gate).call("which", json!({ "nth": *nth })));
            gate.reached().await;
            let request = model.request(*nth).await;
            *nth += 1;
            let is_seen = request.results().last().is_some_and(|(text, _)| text.contains(seen));
            if is_seen {
                return (gate, request);
            }
            gate.open();
        }
    };
    let file = |name: &str| project.kit_home().join("config/extensions").join(name);
    let write = |name: &str, text: &str| std::fs::write(file(name), text).expect("it is saved");
    let (gate, _) = calls_until(&mut nth, "version 1 after", &|| {}).await;
    gate.open();
    let (gate, request) = calls_until(&mut nth, "version 2 after 1", &|| {
        write("one.js", &version(2, "kit.on('tool_result', (event) => ({ content: event.content + '!' }));"));
        write("two.js", "export default (kit) => kit.registerTool({ name: 'further', description: 'f', execute: () => 'f' });");
    })
    .await;
    assert!(request.last_result().ends_with('!'), "a new kind of event is heard: {}", request.last_result());
    gate.open();
    // A broken file keeps what it was.
    let (gate, request) = calls_until(&mut nth, "version 3 after 2", &|| {
        write("two.js", "export default (kit) => {\n  kit.registerTool(;\n};");
        write("one.js", &version(3, ""));
    })
    .await;
    assert!(request.tools().contains(&"further"), "{:?}", request.tools());
    assert!(!request.last_result().ends_with('!'));
    model.reply(Reply::new().text("Seen."));
    gate.open();
    let (code, printed) = run.ends().await;
    assert_eq!(code, Some(0), "{printed}");
}

const COUNT: &str = r#"
export default function (kit) {
  kit.registerTool({ name: "count", description: "counts", execute: async (_, ctx) => {
    const count = Number(ctx.getState("count") ?? 0) + 1;
    await ctx.setState("count", String(count));
    return `count ${count}`;
  } });
  kit.registerTool({ name: "writers", description: "writes", execute: async (_, ctx) => {
    const writer = async (key) => { for (let n = 1; n <= 100; n++) await ctx.setState(key, String(n)); };
    await Promise.all(Array.from({ length: 16 }, (_, n) => writer(`w${n}`)));
    return "all written";
  } });
  kit.registerTool({ name: "forever", description: "writes", execute: async (_, ctx) => {
    for (let n = 1; ; n++) { await ctx.setState("count", String(n)); if (n === 50) ctx.print("fifty"); }
  } });
}
"#;

/// Statements 31 and 32.
#[cfg(unix)]
#[tokio::test]
async fn state_of_a_run_survives_sixteen_writers_a_kill_and_a_damaged_file() {
    let project = users_project(&[("count.js", COUNT)]);
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    let calls = async |tool: &str, words: &[&str]| {
        let first = model.requests().len();
        model.reply(Reply::new().call(tool, json!({})));
        model.reply(Reply::new().text("done"));
        go(&launch, words).await;
        model.request(first + 1).await.last_result().to_owned()
    };
    assert_eq!(calls("count", &["go"]).await, "count 1");
    assert_eq!(calls("count", &["go on", "--continue"]).await, "count 2");
    assert_eq!(calls("count", &["something else"]).await, "count 1");
    assert_eq!(calls("writers", &["go on", "--continue"]).await, "all written");
    let state = || -> Value {
        let files = project.session_files().into_iter().map(|file| file.with_extension("ext-state.json"));
        let texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
        let states = texts.map(|text| serde_json::from_str::<Value>(&text).expect("a whole file"));
        states.into_iter().find(|state| !state["count:w0"].is_null()).expect("the state of the writers")
    };
    let written = state();
    let values: Vec<&Value> = (0..16).map(|writer| &written[format!("count:w{writer}")]).collect();
    assert_eq!(values, [&json!("100"); 16]);

    model.reply(Reply::new().call("forever", json!({})));
    let run = launch.begin(&["run", "write", "--continue", "--events"]);
    kit_testkit::eventually("fifty values are written", || {
        state()["count:count"]
            .as_str()
            .and_then(|count| count.parse::<u32>().ok())
            .is_some_and(|count| count > 50)
    })
    .await;
    run.signal("KILL");
    run.ends().await;
    let kept: u32 = state()["count:count"].as_str().and_then(|count| count.parse().ok()).expect("a number");
    assert_eq!(calls("count", &["go on", "--continue"]).await, format!("count {}", kept + 1));

    let file = project
        .session_files()
        .into_iter()
        .map(|file| file.with_extension("ext-state.json"))
        .find(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains("count:w0")))
        .expect("the state's file");
    std::fs::write(&file, "").expect("it is written");
    assert_eq!(calls("count", &["go on", "--continue"]).await, "count 1");
    std::fs::write(&file, "{ torn").expect("it is written");
    assert_eq!(calls("count", &["go on", "--continue"]).await, "count 1");
    let text = std::fs::read_to_string(&file).expect("the file");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), json!({ "count:count": "1" }));
}

/// Statement 36.
#[tokio::test]
async fn subagents_of_a_run_have_tools_and_gates_of_extensions_unless_their_list_leaves_them_out() {
    let project = users_project(&[("gate.js", GATE)]).file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    ask_subagents(&model);
    let run = go(&launch(&project, &model), &["go"]).await;
    assert_eq!(run["response"], "Then not.");
    subagents_are_gated(&model).await;
}
