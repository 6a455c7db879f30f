//! The same prompt against a mock of the providers that others wrote, from a bare LSP client and from a real Neovim.
//! `tests/vscode` does the same from a real VS Code.

use e2e::editor_or_skip;
use kit_testkit::{Aimock, KitNvim, Launch, Profile, Project, Wire, cache};
use serde_json::{Value, json};

/// The prompt that every editor sends.
const PROMPT: &str = "rename one to two";

fn fixtures() -> Value {
    let edit = json!({ "path": "a.txt", "edits": [{ "old_text": "one", "new_text": "two" }] });
    json!({ "fixtures": [
        {
            "match": { "userMessage": PROMPT, "hasToolResult": false },
            "response": { "content": "I will rename it.", "toolCalls": [{ "name": "edit", "arguments": edit }] },
        },
        { "match": { "userMessage": PROMPT, "hasToolResult": true }, "response": { "content": "Renamed it for you." } },
    ] })
}

#[tokio::test]
async fn a_bare_client_gets_its_edit_on_both_wires() {
    let Some(program) = editor_or_skip("aimock") else { return };
    for wire in Wire::all() {
        let mock = Aimock::start(&program, &fixtures());
        let project = Project::new().file("a.txt", "one\n");
        let client = Launch::new(&project).model_at(mock.url(), wire).profile(Profile::Bare).start().await;
        client.open("a.txt");
        client.prompt(PROMPT).await;
        client.text_becomes("a.txt", "two\n").await;
        let end = client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
        assert!(end["value"]["message"].is_null() || end["value"]["message"].is_string(), "{end}");
        let usage = client.command("kit.usage.get", json!({})).await.expect("usage");
        assert_eq!(usage["calls"].as_array().map(Vec::len), Some(2), "{wire:?}: {usage}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_client_of_ours_sees_the_streamed_answer_on_both_wires() {
    let Some(program) = editor_or_skip("aimock") else { return };
    for wire in Wire::all() {
        let mock = Aimock::start(&program, &fixtures());
        let project = Project::new().file("a.txt", "one\n");
        let client = Launch::new(&project).model_at(mock.url(), wire).start().await;
        let report = client.run(PROMPT).await;
        assert_eq!(report.response(), "Renamed it for you.", "{wire:?}");
        assert!(report.all_streamed_text().ends_with("Renamed it for you."), "{wire:?}");
        assert_eq!(project.text("a.txt"), "two\n");
        client.close().await;
    }
}

#[tokio::test]
async fn a_real_neovim_gets_its_edit_on_both_wires() {
    let (Some(program), Some(neovim)) = (editor_or_skip("aimock"), editor_or_skip("neovim")) else { return };
    for wire in Wire::all() {
        let mock = Aimock::start(&program, &fixtures());
        let project = Project::new().file("a.txt", "one\n");
        let mut environment = wire.environment(mock.url());
        environment.push(("KIT_MODEL".into(), wire.model().into()));
        let nvim = KitNvim {
            program: neovim.clone(),
            server: cache::kit_ls(),
            project: &project,
            environment,
            repository: cache::repository(),
        };
        let nvim = nvim.start("a.txt").await;
        nvim.command(&format!("Kit ask {PROMPT}")).await;
        nvim.shows("Renamed it for you.").await;
        nvim.until("vim.fn.getbufline('a.txt', 1)[1] == 'two'").await;
        nvim.quit().await;
    }
}
