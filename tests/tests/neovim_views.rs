//! What a real Neovim shows of subagents, the session's tree, budgets, extensions and completion.

use e2e::editor_or_skip;
use kit_testkit::{Gate, Nvim, Project, Reply, Screen, TokenCount};
use serde_json::json;

use crate::neovim::open;

fn notes() -> Project {
    Project::new().file("notes.txt", "the answer is 42\n")
}

fn asks_subagent(agent: &str, task: &str) -> Reply {
    Reply::new().call("subagent", json!({ "task": task, "agent": agent }))
}

fn status_line(screen: &Screen) -> String {
    screen.lines().into_iter().rev().find(|line| line.contains("notes.txt")).unwrap_or_default()
}

/// Trusts the workspace as its user does, so that its settings and extensions count.
async fn trust(nvim: &Nvim) {
    nvim.command("Kit trust").await;
    nvim.shows("is trusted.").await;
}

#[tokio::test]
async fn a_subagent_is_shown_below_the_call_that_started_it_and_its_transcript_opens() {
    let project = notes();
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    let gate = Gate::new();
    model.reply(asks_subagent("explore", "Read the notes"));
    model.reply_to(
        "Read the notes",
        Reply::new().text("I look.").call("read", json!({ "path": "notes.txt" })),
    );
    model.reply_to("Read the notes", Reply::new().text("It is ").gate(&gate).text("42."));
    model.reply(Reply::new().text("They say 42."));
    nvim.command("Kit ask what do they say?").await;
    gate.reached().await;

    let screen = nvim.shows("┆ It is").await;
    let text = screen.text();
    let place = |wanted: &str| text.find(wanted).unwrap_or_else(|| panic!("{wanted} is not on\n{text}"));
    assert!(place("● subagent explore: Read the notes") < place("┆ I look."), "{text}");
    assert!(place("┆ I look.") < place("┆ ▸ Read notes.txt"), "{text}");
    nvim.screen_until("the running agent in the status line", |screen| {
        status_line(screen).contains("↳ explore")
    })
    .await;

    gate.open();
    nvim.shows("They say 42.").await;
    nvim.shows("▸ subagent explore: Read the notes").await;
    nvim.screen_until("no agent in the status line", |screen| !status_line(screen).contains('↳')).await;
    nvim.lua("vim.api.nvim_set_current_win(require('kit.session').window()); vim.fn.search('subagent', 'w')")
        .await;
    nvim.input("<CR>").await;
    nvim.until("vim.api.nvim_buf_get_name(0):find('kit-session:', 1, true) ~= nil").await;
    nvim.screen_until("the child's transcript", |screen| {
        screen.text().contains("I look.") && screen.text().contains("It is 42.")
    })
    .await;
    nvim.quit().await;
}

/// A subagent that is stopped takes its question along; its parent goes on.
#[cfg(unix)]
#[tokio::test]
async fn one_subagent_is_stopped_with_what_it_asks() {
    let project = notes();
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    model.reply(asks_subagent("general", "Write the log"));
    model.reply_to("Write the log", Reply::new().call("bash", json!({ "command": "echo made > made.txt" })));
    model.reply(Reply::new().text("Then without it."));
    nvim.command("Kit ask go").await;
    nvim.shows("Kit asks").await;
    nvim.shows("agent: general").await;
    nvim.screen_until("the agent waits", |screen| status_line(screen).contains("general?")).await;
    nvim.lua("require('kit.agents').stop(require('kit.status').get().agents[1].id)").await;
    nvim.shows("Then without it.").await;
    nvim.screen_until("no question", |screen| !screen.text().contains("Kit asks")).await;
    assert!(!project.exists("made.txt"));
    nvim.quit().await;
}

#[tokio::test]
async fn a_session_goes_on_from_an_entry_of_its_tree() {
    let project = notes();
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    for (prompt, answer) in [("one", "First answer."), ("two", "Second answer.")] {
        model.reply(Reply::new().text(answer));
        nvim.command(&format!("Kit ask {prompt}")).await;
        nvim.shows(answer).await;
        nvim.until("require('kit.status').get().state == 'idle'").await;
    }
    nvim.command("Kit tree").await;
    nvim.shows("Kit: Second answer.  ◂ here").await;
    nvim.command("call search('First answer')").await;
    nvim.input("b").await;
    nvim.shows("Kit: First answer.  ◂ here").await;
    nvim.screen_until("the transcript of the branch", |screen| {
        screen.text().matches("Second answer.").count() == 1
    })
    .await;

    model.reply(Reply::new().text("Third answer."));
    nvim.command("Kit ask three").await;
    nvim.shows("Third answer.").await;
    let said = format!("{:?}", model.request(2).await.items);
    assert!(said.contains("First answer.") && !said.contains("Second answer."), "{said}");
    nvim.until("require('kit.status').get().state == 'idle'").await;
    nvim.input("R").await;
    let screen = nvim.shows("Kit: Third answer.  ◂ here").await;
    assert!(
        screen.text().contains("├─ ○ You: two") && screen.text().contains("└─ ● You: three"),
        "{}",
        screen.text()
    );
    nvim.quit().await;
}

#[tokio::test]
async fn a_budget_is_in_the_status_line_and_asks_when_it_is_used_up() {
    let project = notes().file(".kit.yml", "budget:\n  session: { tokens: 10000 }\n");
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    trust(&nvim).await;
    let tokens = TokenCount { input: 6000, output: 10, ..TokenCount::default() };
    model.reply(Reply::new().call("read", json!({ "path": "notes.txt" })).tokens(tokens));
    nvim.command("Kit ask go").await;
    nvim.shows("Kit paused").await;
    nvim.shows("Raise the session's budget to").await;
    nvim.screen_until("what is used of the budget", |screen| status_line(screen).contains("6.0k/10.0k tok"))
        .await;
    nvim.command("Kit permit stop").await;
    nvim.shows("Paused by the budget").await;
    assert_eq!(model.requests().len(), 1);
    nvim.quit().await;
}

const CLOCK: &str = r#"
export default function (kit) {
  kit.registerCommand({ name: "tick", description: "Ticks.", execute: (args, ctx) => { ctx.print("tick " + args); return "ticked"; } });
  kit.on("input", (event, ctx) => {
    ctx.setWidget({ id: "clock", content: { text: "It is **noon**.", markdown: true } });
    ctx.setStatus("clock", "noon");
  });
}
"#;

#[tokio::test]
async fn what_an_extension_shows_is_drawn_and_goes_with_it() {
    let project = notes().file(".kit/extensions/clock.js", CLOCK);
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    trust(&nvim).await;
    nvim.until("vim.list_contains(vim.fn.getcompletion('Kit run ti', 'cmdline'), 'tick')").await;
    assert_eq!(nvim.lua_text("return vim.fn.getcompletion('Kit /ti', 'cmdline')[1]").await, "/tick");
    model.reply(Reply::new().text("Hello."));
    nvim.command("Kit ask hi").await;
    nvim.shows("Hello.").await;
    nvim.shows("It is noon.").await;
    nvim.screen_until("the status entry", |screen| status_line(screen).contains("noon")).await;
    nvim.command("Kit /tick loudly").await;
    nvim.shows("tick loudly").await;

    std::fs::remove_file(project.path(".kit/extensions/clock.js")).expect("the file goes");
    nvim.command("Kit extensions reload").await;
    nvim.screen_until("nothing of the extension", |screen| {
        !screen.text().contains("It is noon.") && !status_line(screen).contains("noon")
    })
    .await;
    nvim.quit().await;
}

const LOOK: &str = r##"
export default function (kit) {
  kit.registerToolRenderer({
    toolName: "read", displayName: "Look", borderColor: "#00ff00",
    renderHeader: (args) => `at ${JSON.parse(args).path}`,
    renderBody: (result) => "It has\nsome lines.",
  });
  kit.registerShortcut({ key: "ctrl+k", description: "Tells the time" }, () => "half past nine");
}
"##;

#[tokio::test]
async fn an_extension_shows_a_call_in_its_own_way_and_has_a_key_in_the_session() {
    let project = notes().file(".kit/extensions/look.js", LOOK);
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    trust(&nvim).await;
    nvim.until("vim.list_contains(vim.fn.getcompletion('Kit shortcut ', 'cmdline'), 'ctrl+k')").await;
    model.reply(Reply::new().call("read", json!({ "path": "notes.txt" })));
    model.reply(Reply::new().text("Read."));
    nvim.command("Kit ask read it").await;
    nvim.shows("Read.").await;
    nvim.shows("▸ Look  at notes.txt").await;
    let screen = nvim.shows("It has").await;
    assert!(!screen.text().contains("1: the answer"), "{}", screen.text());
    nvim.lua("vim.api.nvim_set_current_win(require('kit.session').window())").await;
    nvim.until("vim.fn.maparg('<C-k>', 'n') ~= '' or vim.fn.maparg('<C-k>', 'n', false, true).buffer == 1")
        .await;
    nvim.input("<C-k>").await;
    nvim.shows("half past nine").await;
    nvim.quit().await;
}

#[tokio::test]
async fn mcp_servers_are_listed_with_what_they_bring_and_what_is_wrong() {
    let Some(bin) = editor_or_skip("mcp") else { return };
    let everything = json!({ "command": bin.join("everything") });
    let servers =
        json!({ "mcpServers": { "everything": everything, "gone": { "command": "no-such-program" } } });
    let project = notes().file(".kit.yml", servers.to_string());
    let Some((_model, nvim)) = open(&project, "notes.txt").await else { return };
    trust(&nvim).await;
    nvim.until("vim.list_contains(vim.fn.getcompletion('Kit mcp reconnect ', 'cmdline'), 'everything')")
        .await;
    nvim.lua("require('kit.client').execute('kit.mcp.reconnect', { name = 'everything' })").await;
    nvim.until(
        "vim.iter(require('kit.client').execute_sync('kit.mcp.list', {}, 500).servers):any(
           function(server) return server.name == 'everything' and server.state == 'ready' end)",
    )
    .await;
    nvim.lua("require('kit.client').execute('kit.mcp.reconnect', { name = 'gone' })").await;
    nvim.until(
        "vim.iter(require('kit.client').execute_sync('kit.mcp.list', {}, 500).servers):any(
           function(server) return server.name == 'gone' and server.state == 'failed' end)",
    )
    .await;
    nvim.command("Kit mcp").await;
    nvim.shows("● everything · ready").await;
    nvim.shows("✗ gone · failed").await;
    nvim.quit().await;
}

#[tokio::test]
async fn a_prompt_completes_files_and_templates_while_it_is_written() {
    let project =
        notes().file(".kit/prompts/review.md", "---\ndescription: Reviews a topic\n---\nReview $1.\n");
    let Some((model, nvim)) = open(&project, "notes.txt").await else { return };
    trust(&nvim).await;
    nvim.command("Kit").await;
    nvim.shows("Ask about notes.txt").await;
    nvim.input("/rev").await;
    nvim.shows("Reviews a topic").await;
    nvim.input("<Tab><CR>").await;
    nvim.until("vim.fn.getline(1) == '/review ' and vim.fn.pumvisible() == 0").await;
    nvim.input("@not").await;
    nvim.shows("@notes.txt").await;
    nvim.input("<Tab><CR>").await;
    nvim.until("vim.trim(vim.fn.getline(1)) == '/review @notes.txt'").await;
    model.reply(Reply::new().text("Reviewed."));
    nvim.input("<CR>").await;
    nvim.shows("Reviewed.").await;
    let request = model.request(0).await;
    let texts = request.user_texts().join("\n");
    assert!(texts.contains("Review @notes.txt") && texts.contains("the answer is 42"), "{texts}");
    nvim.quit().await;
}
