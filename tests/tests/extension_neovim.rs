//! Extensions behind a real Neovim: they take part in its turns, and are loaded again when it saves them.

use std::path::PathBuf;
use std::time::Duration;

use kit_testkit::{Nvim, Project, Reply, cache, eventually};
use serde_json::{Value, json};

use crate::extension_scene::{
    GATE, ask_subagents, component, shares_compiled, subagents_are_gated, users_project,
};
use crate::neovim::open;

fn project(extensions: &[(&str, &str)]) -> Project {
    users_project(extensions).file("a.txt", "alpha\n")
}

fn file(project: &Project, name: &str) -> PathBuf {
    project.kit_home().join("config/extensions").join(name)
}

const ONE: &str = r#"
export default function (kit) {
  kit.on("input", (event) => event.text === "stop" ? { action: "handled", text: "Stopped here." } : { action: "transform", text: `${event.text} politely` });
  kit.on("before_agent_start", () => ({ injectText: "It is Friday." }));
  kit.on("tool_call", (event) => event.toolName === "bash" ? { block: true, reason: "no shell on Fridays" } : undefined);
  kit.on("tool_result", (event) => ({ content: `${event.content.trim()} [one]` }));
  kit.on("agent_end", async (event, ctx) => { await ctx.setState("calls", String(event.llmCallCount)); });
}
"#;
const TWO: &str = r#"
export default function (kit) {
  kit.on("tool_call", async (event, ctx) => { await ctx.setState(event.toolName, "asked"); });
  kit.on("tool_result", (event) => ({ content: `${event.content} [two]` }));
  kit.on("message_start", () => { for (;;) {} });
}
"#;

/// Statements 23 to 26 and 31.
#[tokio::test]
async fn extensions_veto_rewrite_and_keep_state_in_a_turn_of_neovim() {
    let project = project(&[("one.js", ONE), ("two.js", TWO)]);
    let Some((model, nvim)) = open(&project, "a.txt").await else { return };
    model.reply(Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply(Reply::new().call("bash", json!({ "command": "echo hi" })));
    model.reply(Reply::new().text("That was all."));
    nvim.command("Kit ask read it").await;
    nvim.shows("That was all.").await;
    let texts = model.request(0).await;
    let texts = texts.user_texts();
    assert!(
        texts.contains(&"It is Friday.") && texts.iter().any(|text| text.starts_with("read it politely")),
        "{texts:?}"
    );
    let read = model.request(1).await;
    assert!(read.last_result().ends_with("[one] [two]"), "{}", read.last_result());
    assert!(model.request(2).await.last_result().contains("no shell on Fridays"));
    nvim.command("Kit ask stop").await;
    nvim.shows("Stopped here.").await;
    assert_eq!(model.requests().len(), 3, "a handled prompt reaches no model");
    let state = || {
        let file = project.session_files().first()?.with_extension("ext-state.json");
        serde_json::from_str::<Value>(&std::fs::read_to_string(file).ok()?).ok()
    };
    // The second handler was not asked about the call that the first stopped.
    let expected = json!({ "one:calls": "0", "two:read": "asked" });
    eventually("the state is kept", || state() == Some(expected.clone())).await;
    nvim.quit().await;
}

/// Statement 28.
#[tokio::test]
async fn saving_an_extension_in_neovim_loads_it_again_and_marks_what_is_wrong() {
    let source = "export default (kit) => {\n  kit.on(\"input\", (event) => ({ action: \"handled\", text: \"the first version\" }));\n};\n";
    let project = project(&[("one.js", source)]);
    let Some((model, nvim)) = open(&project, "a.txt").await else { return };
    nvim.command("Kit ask which").await;
    nvim.shows("the first version").await;
    nvim.command(&format!("tabedit {}", file(&project, "one.js").display())).await;
    nvim.command("%s/the first version/the second version/ | write").await;
    // It is live a moment after it was saved.
    let asks = async {
        loop {
            nvim.command("Kit ask which").await;
            let seen =
                tokio::time::timeout(std::time::Duration::from_secs(2), nvim.shows("the second version"));
            if seen.await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(kit_testkit::deadline(), asks).await.expect("the second version in time");
    nvim.command("2s/kit.on(/kit.on(;/ | write").await;
    let marks = format!("vim.diagnostic.get(vim.fn.bufnr('{}'))", file(&project, "one.js").display());
    nvim.until(&format!("#{marks} == 1 and {marks}[1].lnum == 1")).await;
    nvim.command("Kit ask which").await;
    nvim.command("2s/kit.on(;/kit.on(/ | write").await;
    nvim.until(&format!("#{marks} == 0")).await;
    assert!(model.requests().is_empty());
    nvim.quit().await;
}

const REACH: &str = r#"
export const permissions = { fs: { read: ["docs"] }, exec: ["echo *"], env: ["HOME"] };
export default function (kit) {
  const command = (name, execute) => kit.registerCommand({ name, description: name, execute });
  command("docs", async (_, ctx) => (await ctx.fs.read("docs/a.md")).text);
  command("secret", async (_, ctx) => (await ctx.fs.read("docs/../secret.txt")).text);
  command("say", async (_, ctx) => (await ctx.exec.run({ command: "echo spoken" })).stdout);
  command("chain", async (_, ctx) => (await ctx.exec.run({ command: "echo hi; touch made" })).stdout);
  command("home", (_, ctx) => "home is " + ctx.env.get("HOME"));
  command("fetch", async (_, ctx) => String((await ctx.http.fetch({ url: "http://127.0.0.1:9/" })).status));
}
"#;

/// Waits until the extension with this command is loaded; the server is asked, as completion remembers.
async fn offers(nvim: &Nvim, command: &str) {
    nvim.until(&format!(
        "vim.iter((require('kit.client').execute_sync('kit.command.list', {{}}, 500) or {{ commands = {{}} }}).commands):any(
           function(listed) return listed.name == '{command}' end)"
    ))
    .await;
}

/// How long an extension may take to be loaded anew.
const LOADED: Duration = Duration::from_secs(30);

/// Runs a command of an extension in the session; what it says, or why it failed.
async fn run(nvim: &Nvim, name: &str) -> String {
    let code = format!(
        "local said
         require('kit.client').execute('kit.command.run', {{ name = '{name}' }},
           function(answer) said = answer.output or '' end, function(problem) said = problem.message end)
         vim.wait(30000, function() return said ~= nil end, 20)
         return said or 'no answer'"
    );
    nvim.lua_text(&code).await
}

/// Statement 27.
#[tokio::test]
async fn what_an_extension_asks_for_is_granted_in_neovim_and_nothing_more_is_reached() {
    let project =
        project(&[("reach.js", REACH)]).file("docs/a.md", "the docs\n").file("secret.txt", "secret\n");
    let Some((_model, nvim)) = open(&project, "a.txt").await else { return };
    nvim.shows("The extension reach wants to").await;
    let commands = ["docs", "secret", "say", "chain", "home", "fetch"];
    for command in commands {
        let said = run(&nvim, command).await;
        assert!(said.contains("was not granted"), "{command}: {said}");
    }
    nvim.command("Kit permit allow-version").await;
    nvim.screen_until("no question", |screen| !screen.text().contains("Kit asks")).await;
    // What was granted holds once the extension is loaded with it, which nothing tells.
    let holds = async { while run(&nvim, "docs").await.contains("was not granted") {} };
    tokio::time::timeout(LOADED, holds).await.expect("the grants hold");
    let mut outcomes = Vec::new();
    for command in commands {
        let said = run(&nvim, command).await;
        outcomes.push(if said.contains("was not granted") {
            "refused".into()
        } else {
            said.trim().to_owned()
        });
    }
    let home = format!("home is {}", project.home().display());
    assert_eq!(outcomes, ["the docs", "refused", "spoken", "refused", home.as_str(), "refused"]);
    assert!(!project.exists("made"));

    // Another content of the file is another question.
    let source = REACH.replace("\"HOME\"", "\"HOME\", \"USER\"");
    std::fs::write(file(&project, "reach.js"), source).expect("it is saved");
    nvim.shows("The extension reach wants to").await;
    assert!(run(&nvim, "docs").await.contains("was not granted"));
    nvim.command("Kit permit deny").await;
    nvim.command("Kit extensions revoke reach").await;
    nvim.shows("granted   nothing").await;
    nvim.quit().await;
}

/// What a program prints that Neovim runs in the project, with its exit code at the end.
async fn shell(nvim: &Nvim, words: &[&str]) -> String {
    let server = cache::kit_ls().display().to_string();
    let words: Vec<String> =
        [server.as_str()].iter().chain(words).map(|word| format!("[[{word}]]")).collect();
    let code = format!(
        "local run = vim.system({{ {} }}, {{ text = true }}):wait()
         return run.stdout .. run.stderr .. 'exit ' .. run.code",
        words.join(", ")
    );
    nvim.lua_text(&code).await
}

/// Statements 29 and 30.
#[tokio::test]
async fn an_extension_is_begun_tested_listed_and_checked_from_neovim() {
    let project = shares_compiled(Project::new()).file("a.txt", "alpha\n");
    let Some((model, nvim)) = open(&project, "a.txt").await else { return };
    nvim.command("Kit trust").await;
    nvim.shows("is trusted.").await;
    let made = shell(&nvim, &["extensions", "init", "hello"]).await;
    assert!(made.contains(".kit/extensions/hello.js") && made.ends_with("exit 0"), "{made}");
    let tested = shell(&nvim, &["extensions", "test"]).await;
    assert!(tested.contains("2 passed, 0 failed") && tested.ends_with("exit 0"), "{tested}");
    offers(&nvim, "greetings").await;
    model.reply(Reply::new().call("greet", json!({ "name": "Ada" })));
    model.reply(Reply::new().text("Greeted."));
    nvim.command("Kit ask greet Ada").await;
    nvim.shows("Greeted.").await;
    assert_eq!(model.request(1).await.last_result(), "Hello, Ada! That was greeting number 1.");
    nvim.command("Kit extensions").await;
    nvim.shows("● hello · 1 tool · 1 command · 1 event").await;
    nvim.shows("/greetings").await;

    // What was compiled is tested by the same means.
    if let Some(component) = component("faults") {
        project.write("compiled/faults.wasm", std::fs::read(component).expect("the component"));
        project.write(
            "compiled/faults.test.js",
            "import { test } from \"kit:test\";\ntest(\"it says so\", async (t) => {\n  t.registered(\"tool\", \"say\");\n  t.equal((await t.tool(\"say\")).content, \"still here\");\n  t.notBlocked(await t.emit(\"tool_call\", { toolName: \"read\" }));\n});\n",
        );
        let tested = shell(&nvim, &["extensions", "test", "compiled"]).await;
        assert!(tested.contains("1 passed, 0 failed") && tested.ends_with("exit 0"), "{tested}");
    }

    nvim.command("tabedit .kit/extensions/hello.js").await;
    nvim.command("%s/kit.registerOption(/kit.registerOption(;/ | write").await;
    nvim.until("#vim.diagnostic.get(0) == 1 and vim.diagnostic.get(0)[1].lnum == 11").await;
    let checked = shell(&nvim, &["extensions", "validate"]).await;
    assert!(
        checked.contains("wrong .kit/extensions/hello.js:12: ") && checked.ends_with("exit 1"),
        "{checked}"
    );
    nvim.quit().await;
}

const COUNT: &str = r#"
export default function (kit) {
  kit.registerCommand({ name: "count", description: "counts", execute: async (_, ctx) => {
    const count = Number(ctx.getState("count") ?? 0) + 1;
    await ctx.setState("count", String(count));
    return `count ${count}`;
  } });
  kit.registerCommand({ name: "look", description: "looks", execute: (_, ctx) => ctx.getState("count") ?? "nothing" });
  kit.registerCommand({ name: "writers", description: "writes", execute: async (_, ctx) => {
    const writer = async (key) => { for (let n = 1; n <= 100; n++) await ctx.setState(key, String(n)); };
    await Promise.all(Array.from({ length: 16 }, (_, n) => writer(`w${n}`)));
    return "all written";
  } });
}
"#;

/// Statement 32, and the restart of 31.
#[tokio::test]
async fn state_survives_a_killed_server_in_neovim_and_a_damaged_file_stays_until_the_next_value() {
    let project = project(&[("count.js", COUNT)]);
    let Some((model, nvim)) = open(&project, "a.txt").await else { return };
    model.reply(Reply::new().text("Begun."));
    nvim.command("Kit ask begin").await;
    nvim.shows("Begun.").await;
    nvim.until("require('kit.status').get().state == 'idle'").await;
    let state = || {
        let file = project.session_files()[0].with_extension("ext-state.json");
        std::fs::read_to_string(file).expect("the state's file")
    };
    offers(&nvim, "count").await;
    assert_eq!(run(&nvim, "count").await, "count 1");
    assert_eq!(run(&nvim, "writers").await, "all written");
    let written: Value = serde_json::from_str(&state()).expect("a whole file");
    let values: Vec<&Value> = (0..16).map(|writer| &written[format!("count:w{writer}")]).collect();
    assert_eq!(values, [&json!("100"); 16]);
    assert_eq!(run(&nvim, "count").await, "count 2");

    let session = nvim.lua_text("return require('kit.session').current").await;
    let damaged = project.session_files()[0].with_extension("ext-state.json");
    std::fs::write(&damaged, "{ torn").expect("it is written");
    // Neovim may have started another server before anybody sees that there was none.
    nvim.lua("vim.g.stopped = vim.lsp.get_clients({ name = 'kit' })[1].id").await;
    nvim.lua("vim.lsp.get_client_by_id(vim.g.stopped):stop(true)").await;
    nvim.until("vim.lsp.get_client_by_id(vim.g.stopped) == nil").await;
    nvim.command("edit").await;
    nvim.until("require('kit.status').get() ~= nil and #vim.lsp.get_clients({ name = 'kit' }) == 1").await;
    offers(&nvim, "count").await;
    let opened = format!(
        "local opened
         require('kit.client').execute('kit.session.open', {{ session = '{session}' }}, function() opened = true end)
         return vim.wait(30000, function() return opened end, 20)"
    );
    assert_eq!(nvim.lua(&opened).await.as_bool(), Some(true));
    assert_eq!(run(&nvim, "look").await, "nothing");
    let marks = format!("#vim.diagnostic.get(vim.fn.bufadd('{}'))", damaged.display());
    nvim.until(&format!("{marks} == 1")).await;
    assert_eq!(state(), "{ torn");
    assert_eq!(run(&nvim, "count").await, "count 1");
    nvim.until(&format!("{marks} == 0")).await;
    assert_eq!(serde_json::from_str::<Value>(&state()).expect("JSON"), json!({ "count:count": "1" }));
    nvim.quit().await;
}

/// Statement 36.
#[tokio::test]
async fn subagents_in_neovim_have_tools_and_gates_of_extensions_unless_their_list_leaves_them_out() {
    let project = project(&[("gate.js", GATE)]);
    let Some((model, nvim)) = open(&project, "a.txt").await else { return };
    ask_subagents(&model);
    nvim.command("Kit ask go").await;
    nvim.shows("Then not.").await;
    subagents_are_gated(&model).await;
    nvim.quit().await;
}
