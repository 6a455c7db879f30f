//! The same prompt on the wires that only one provider speaks, against a mock of the providers that others wrote.

use e2e::editor_or_skip;
use kit_testkit::{Aimock, Launch, Project};
use serde_json::json;

const PROMPT: &str = "rename one to two";

/// A provider's model, the variable that holds its address, what follows the host there, and its key.
const WIRES: [(&str, &str, &str, &str); 3] = [
    ("openai/gpt-5.4", "OPENAI_BASE_URL", "/v1", "OPENAI_API_KEY"),
    ("google/gemini-3.8-flash", "GOOGLE_GEMINI_BASE_URL", "/v1beta", "GEMINI_API_KEY"),
    ("ollama/qwen3:8b", "OLLAMA_BASE_URL", "", "OLLAMA_API_KEY"),
];

#[tokio::test]
async fn responses_gemini_and_ollama_edit_a_file_and_answer() {
    let Some(program) = editor_or_skip("aimock") else { return };
    let edit = json!({ "path": "a.txt", "edits": [{ "old_text": "one", "new_text": "two" }] });
    let fixtures = json!({ "fixtures": [
        {
            "match": { "userMessage": PROMPT, "hasToolResult": false },
            "response": { "content": "I will rename it.", "toolCalls": [{ "name": "edit", "arguments": edit }] },
        },
        { "match": { "userMessage": PROMPT, "hasToolResult": true }, "response": { "content": "Renamed it for you." } },
    ] });
    let mock = Aimock::start(&program, &fixtures);
    for (model, variable, path, key) in WIRES {
        let project = Project::new().file("a.txt", "one\n");
        let launch =
            Launch::new(&project).env(variable, &format!("{}{path}", mock.url())).env(key, "planted");
        let client = launch.setting("model", json!(model)).start().await;
        let report = client.run(PROMPT).await;
        assert_eq!(report.response(), "Renamed it for you.", "{model}");
        assert_eq!(project.text("a.txt"), "two\n", "{model}");
        let usage = client.command("kit.usage.get", json!({})).await.expect("usage");
        assert_eq!(usage["calls"].as_array().map(Vec::len), Some(2), "{model}: {usage}");
        client.close().await;
    }
}
