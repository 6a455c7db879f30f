//! The main job in a real Neovim with the real client and the real server; what is checked is the screen.

use e2e::editor_or_skip;
use kit_testkit::{Gate, KitNvim, ModelServer, Nvim, Project, Reply, TokenCount, Wire, cache};
use serde_json::json;

const GREET: &str = "\
fn greet(name: &str) -> String {
    format!(\"Hello {name}\")
}

fn main() {
    println!(\"{}\", greet(\"you\"));
}
";

/// A Neovim with a file of a project open, and the model that its agent has; nothing where there is no Neovim.
pub(crate) async fn open(project: &Project, file: &str) -> Option<(ModelServer, Nvim)> {
    let program = editor_or_skip("neovim")?;
    let model = ModelServer::start().await;
    let mut environment = Wire::Messages.environment(&model.url());
    environment.push(("KIT_MODEL".into(), Wire::Messages.model().into()));
    let options =
        KitNvim { program, server: cache::kit_ls(), project, environment, repository: cache::repository() };
    let nvim = options.start(file).await;
    Some((model, nvim))
}

/// Two changes, at the first and the last function of the sample.
fn two_edits() -> Reply {
    let edits = json!([
        { "old_text": "    format!(\"Hello {name}\")\n", "new_text": "    format!(\"Good day, {name}!\")\n" },
        { "old_text": "greet(\"you\")", "new_text": "greet(\"world\")" },
    ]);
    Reply::new().text("I will make it polite.").call("edit", json!({ "path": "greet.rs", "edits": edits }))
}

#[tokio::test]
async fn a_prompt_becomes_a_reviewed_edit_of_an_unsaved_buffer() {
    let project = Project::new().file("greet.rs", GREET);
    let Some((model, nvim)) = open(&project, "greet.rs").await else { return };
    nvim.input("ggO// typed, not saved<Esc>").await;
    nvim.shows("// typed, not saved").await;

    let gate = Gate::new();
    model.reply(two_edits().tokens(TokenCount { input: 20_000, output: 400, ..TokenCount::default() }));
    model.reply(Reply::new().text("It is ").gate(&gate).text("polite now.").tokens(TokenCount {
        input: 21_000,
        output: 40,
        ..TokenCount::default()
    }));
    nvim.command("Kit ask make greet polite").await;

    // The answer streams: its first half is on the screen while the model still writes.
    gate.reached().await;
    nvim.shows("make greet polite").await;
    let screen = nvim.shows("It is").await;
    assert!(!screen.text().contains("polite now."), "{}", screen.text());
    gate.open();
    nvim.shows("It is polite now.").await;

    // Both changes are in the buffer, which is still unsaved, and drawn as hunks with what was there before.
    nvim.until("table.concat(vim.fn.getbufline('greet.rs', 1, '$'), '\\n'):find('Good day', 1, true)").await;
    assert_eq!(project.text("greet.rs"), GREET, "nothing was written behind the editor's back");
    let screen = nvim.screen_until("the old lines beside the new", |screen| {
        let text = screen.text();
        text.contains("Good day, {name}!")
            && text.contains("Hello {name}")
            && text.contains("greet(\"world\")")
    });
    let screen = screen.await;
    assert_ne!(screen.style_of("Good day"), screen.style_of("fn main"), "an added line looks different");
    let screen = nvim.screen_until("context, cost and hunks in the status line", |screen| {
        let status =
            screen.lines().into_iter().rev().find(|line| line.contains("greet.rs")).unwrap_or_default();
        status.contains('$') && status.contains('%') && status.contains("2 hunks")
    });
    screen.await;

    // Keep the first, undo the second.
    nvim.command("call cursor(3, 1)").await;
    nvim.command("Kit keep").await;
    nvim.screen_until("one hunk left", |screen| {
        screen.text().contains("1 hunk") && !screen.text().contains("2 hunks")
    })
    .await;
    nvim.command("Kit next").await;
    nvim.command("Kit undo").await;
    nvim.until("table.concat(vim.fn.getbufline('greet.rs', 1, '$'), '\\n'):find('greet(\"you\")', 1, true)")
        .await;
    nvim.screen_until("no hunk left", |screen| !screen.text().contains("hunk")).await;
    let expected = format!("// typed, not saved\n{}", GREET.replace("Hello {name}", "Good day, {name}!"));
    let lines = nvim.lines(&project.path("greet.rs")).await;
    assert_eq!(lines.join("\n") + "\n", expected);
    assert_eq!(project.text("greet.rs"), GREET);
    nvim.quit().await;
}

#[tokio::test]
async fn native_undo_takes_an_edit_of_the_agent_back_and_its_hunk_with_it() {
    let project = Project::new().file("greet.rs", GREET);
    let Some((model, nvim)) = open(&project, "greet.rs").await else { return };
    model.reply(two_edits());
    model.reply(Reply::new().text("Finished."));
    nvim.command("Kit ask make greet polite").await;
    nvim.shows("Finished.").await;
    nvim.shows("2 hunks").await;
    nvim.command("call win_gotoid(bufwinid('greet.rs'))").await;
    nvim.command("silent undo").await;
    nvim.screen_until("no hunk left", |screen| !screen.text().contains("hunk")).await;
    let lines = nvim.lines(&project.path("greet.rs")).await;
    assert_eq!(lines.join("\n") + "\n", GREET);
    nvim.quit().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_permission_is_asked_without_stealing_the_focus() {
    let project = Project::new().file("greet.rs", GREET);
    let Some((model, nvim)) = open(&project, "greet.rs").await else { return };
    model.reply(Reply::new().call("bash", json!({ "command": "echo allowed > made.txt" })));
    model.reply(Reply::new().text("Finished."));
    nvim.input("Go").await;
    nvim.lua("require('kit').ask('run it')").await;
    nvim.shows("Kit asks").await;
    nvim.input("// still typing").await;
    nvim.shows("// still typing").await;
    assert_eq!(nvim.lua_text("return vim.fn.mode()").await, "i", "insert mode was not left");
    nvim.command("Kit permit allow").await;
    nvim.shows("Finished.").await;
    assert_eq!(project.text("made.txt"), "allowed\n");
    nvim.quit().await;
}

/// The review is the server's: another Neovim finds it, and nothing was written meanwhile.
#[tokio::test]
async fn a_review_is_there_again_after_neovim_was_started_anew() {
    let project = Project::new().file("greet.rs", GREET);
    let Some((model, nvim)) = open(&project, "greet.rs").await else { return };
    model.reply(two_edits());
    model.reply(Reply::new().text("Finished."));
    nvim.command("Kit ask make greet polite").await;
    nvim.shows("Finished.").await;
    nvim.shows("2 hunks").await;
    // The file was clean before the edit, so it is saved after it.
    nvim.until("not vim.bo[vim.fn.bufnr('greet.rs')].modified").await;
    let saved = project.text("greet.rs");
    nvim.quit().await;

    let Some((_model, nvim)) = open(&project, "greet.rs").await else { return };
    nvim.shows("2 hunks").await;
    nvim.shows("Hello {name}").await;
    assert_eq!(project.text("greet.rs"), saved);
    nvim.command("Kit undo all").await;
    nvim.until("not table.concat(vim.fn.getbufline('greet.rs', 1, '$'), '\\n'):find('Good day', 1, true)")
        .await;
    nvim.quit().await;
}

#[tokio::test]
async fn the_client_is_healthy() {
    let project = Project::new().file("greet.rs", GREET);
    let Some((_model, nvim)) = open(&project, "greet.rs").await else { return };
    nvim.command("checkhealth kit").await;
    let report =
        nvim.lua_text("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\\n')").await;
    assert!(report.contains("kit") && !report.contains("ERROR"), "{report}");
    // A plugin manager makes the tags of the help, here in a copy.
    project.write(
        "copy/doc/kit.txt",
        std::fs::read(cache::repository().join("editors/nvim/doc/kit.txt")).expect("the help"),
    );
    nvim.command("helptags copy/doc").await;
    nvim.command("set runtimepath+=copy").await;
    let topics = nvim.lua_text("return table.concat(vim.fn.getcompletion('kit', 'help'), ' ')").await;
    assert!(topics.split(' ').any(|topic| topic == "kit.txt"), "{topics}");
    nvim.quit().await;
}
