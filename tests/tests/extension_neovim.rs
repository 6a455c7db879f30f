//! Extensions behind a real Neovim: they take part in its turns, and are loaded again when it saves them.

use std::path::{Path, PathBuf};

use e2e::editor_or_skip;
use kit_testkit::{ModelServer, Project, Reply, eventually};
use serde_json::{Value, json};

use crate::neovim::start;

/// A project whose user has these extensions, which need no trust of a project.
fn project(extensions: &[(&str, &str)]) -> Project {
    let project = Project::new().file("a.txt", "alpha\n");
    let cache = project.kit_home().join("cache");
    std::fs::create_dir_all(&cache).expect("the cache");
    #[cfg(unix)]
    {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-extensions");
        std::fs::create_dir_all(&shared).expect("the shared folder");
        std::os::unix::fs::symlink(shared, cache.join("extensions")).expect("a link");
    }
    for (name, source) in extensions {
        let file = file(&project, name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
        std::fs::write(file, source).expect("the extension");
    }
    project
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
    let Some(neovim) = editor_or_skip("neovim") else { return };
    let project = project(&[("one.js", ONE), ("two.js", TWO)]);
    let model = ModelServer::start().await;
    let nvim = start(neovim, &project, &model, "a.txt").await;
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
    let Some(neovim) = editor_or_skip("neovim") else { return };
    let source = "export default (kit) => {\n  kit.on(\"input\", (event) => ({ action: \"handled\", text: \"the first version\" }));\n};\n";
    let project = project(&[("one.js", source)]);
    let model = ModelServer::start().await;
    let nvim = start(neovim, &project, &model, "a.txt").await;
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
