//! Files of upstream Kit: read, continued, labelled and read back by a reader that accepts nothing beside that format.

use kit_protocol::{ErrorKind, LabelArguments, SessionArguments, SessionOnly};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Kit, prompt};

/// One session of every entry type and every part type, as upstream writes it.
const UPSTREAM: &str = r#"{"type":"session","version":3,"id":"00112233445566778899aabbccddeeff","timestamp":"2026-01-02T03:04:05.678Z","cwd":"/elsewhere"}
{"type":"system_prompt","id":"0000000000000000","timestamp":"2026-01-02T03:04:05Z","content":"Be brief.","model":"m","provider":"p"}
{"type":"session_info","id":"0000000000000001","timestamp":"2026-01-02T03:04:06Z","name":"Doors"}
{"type":"model_change","id":"0000000000000002","parent_id":"0000000000000001","timestamp":"2026-01-02T03:04:07Z","provider":"anthropic","model_id":"claude-sonnet-4-5"}
{"type":"message","id":"0000000000000003","parent_id":"0000000000000002","timestamp":"2026-01-02T03:04:08Z","role":"user","parts":[{"type":"text","data":{"text":"Which door?"}},{"type":"image","data":{"data":"iVBORw0KGgo=","media_type":"image/png"}}]}
{"type":"message","id":"0000000000000004","parent_id":"0000000000000003","timestamp":"2026-01-02T03:04:09Z","role":"assistant","parts":[{"type":"reasoning","data":{"thinking":"Look.","signature":"sig"}},{"type":"tool_call","data":{"id":"call_1","name":"read","input":"{\"path\":\"doors.txt\"}","finished":true}},{"type":"finish","data":{"reason":"tool_use"}}],"model":"claude-sonnet-4-5","provider":"anthropic"}
{"type":"message","id":"0000000000000005","parent_id":"0000000000000004","timestamp":"2026-01-02T03:04:10Z","role":"tool","parts":[{"type":"tool_result","data":{"tool_call_id":"call_1","name":"read","content":"blue","is_error":false}}]}
{"type":"message","id":"0000000000000006","parent_id":"0000000000000005","timestamp":"2026-01-02T03:04:11Z","role":"assistant","parts":[{"type":"text","data":{"text":"The blue one."}}]}
{"type":"branch_summary","id":"0000000000000007","parent_id":"0000000000000006","timestamp":"2026-01-02T03:04:12Z","from_id":"0000000000000006","summary":"The red door is locked."}
{"type":"label","id":"0000000000000008","parent_id":"0000000000000007","timestamp":"2026-01-02T03:04:13Z","target_id":"0000000000000003","label":"the question"}
{"type":"extension_data","id":"0000000000000009","parent_id":"0000000000000008","timestamp":"2026-01-02T03:04:14Z","ext_type":"todo","data":"[1,2]"}
{"type":"compaction","id":"000000000000000a","timestamp":"2026-01-02T03:04:15Z","summary":"Doors were discussed.","first_kept_entry_id":"0000000000000006","tokens_before":900,"tokens_after":100,"messages_removed":3,"read_files":["doors.txt"],"modified_files":["key.txt"]}
{"type":"message","id":"000000000000000b","parent_id":"000000000000000a","timestamp":"2026-01-02T03:04:16Z","role":"user","parts":[{"type":"text","data":{"text":"Open it."}}]}
{"type":"message","id":"000000000000000c","parent_id":"000000000000000b","timestamp":"2026-01-02T03:04:17Z","role":"assistant","parts":[{"type":"text","data":{"text":"It is open."}}]}
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be accepted")]
struct Header {
    r#type: String,
    version: u32,
    id: String,
    timestamp: String,
    cwd: String,
    parent_session: Option<String>,
    parent_session_id: Option<String>,
    subagent_task: Option<String>,
}

/// Every entry type of upstream with exactly its fields.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be accepted")]
enum Entry {
    Message {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        role: String,
        parts: Vec<Part>,
        model: Option<String>,
        provider: Option<String>,
    },
    ModelChange {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        provider: String,
        model_id: String,
    },
    BranchSummary {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        from_id: String,
        summary: String,
    },
    Label {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        target_id: String,
        label: String,
    },
    SessionInfo {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        name: String,
    },
    ExtensionData {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        ext_type: String,
        data: String,
    },
    Compaction {
        id: String,
        parent_id: Option<String>,
        timestamp: String,
        summary: String,
        first_kept_entry_id: String,
        tokens_before: i64,
        tokens_after: i64,
        messages_removed: i64,
        read_files: Option<Vec<String>>,
        modified_files: Option<Vec<String>>,
    },
    SystemPrompt {
        id: String,
        timestamp: String,
        content: String,
        model: String,
        provider: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be accepted")]
enum Part {
    Text { text: String },
    Reasoning { thinking: String, signature: Option<String> },
    ToolCall { id: String, name: String, input: String, finished: bool },
    ToolResult { tool_call_id: String, name: String, content: String, is_error: bool },
    Image { data: String, media_type: String },
    Finish { reason: String },
}

/// The number of entries that the strict reader finds. It fails at the first line that it does not know, and at a
/// parent that does not come before.
fn strictly_read(text: &str) -> usize {
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((header.r#type.as_str(), header.version), ("session", 3));
    let mut ids = std::collections::HashSet::new();
    for line in lines {
        if let Err(error) = serde_json::from_str::<Entry>(line) {
            panic!("{error}: {line}");
        }
        let entry: Value = serde_json::from_str(line).unwrap();
        if let Some(parent) = entry["parent_id"].as_str() {
            assert!(ids.contains(parent), "{line}");
        }
        ids.insert(entry["id"].as_str().unwrap().to_owned());
    }
    ids.len()
}

fn path(path: &str) -> SessionArguments {
    SessionArguments { path: Some(path.to_owned()), ..SessionArguments::default() }
}

#[tokio::test]
async fn a_session_of_upstream_is_read_continued_and_read_back_by_its_own_rules() {
    assert_eq!(strictly_read(UPSTREAM), 13);
    let kit = Kit::new(&[json!([{"text": "no"}]), json!([{"text": "no"}]), json!([{"text": "Gladly."}])]);
    kit.write("shared.jsonl", UPSTREAM);
    let imported = kit.sessions.import(path("shared.jsonl")).await.unwrap();
    assert_eq!(imported.session.as_str(), "00112233445566778899aabbccddeeff");
    assert_eq!(imported.name.as_deref(), Some("Doors"));

    let mut again = prompt("Close it.");
    again.session = Some(imported.session.clone());
    again.model = Some("scripted/test".parse().unwrap());
    let turn = kit.ask(again).await.unwrap();
    assert_eq!(kit.end_of(&turn.turn).await.response(), "Gladly.");
    let label = LabelArguments {
        session: Some(imported.session.clone()),
        entry: "000000000000000b".into(),
        label: "the order".into(),
    };
    kit.sessions.label(label).await.unwrap();
    let tree = kit.sessions.tree(SessionOnly { session: imported.session.clone() }).await.unwrap();
    let labels: Vec<(&str, &str)> =
        tree.nodes.iter().filter_map(|node| Some((node.text.as_str(), node.label.as_deref()?))).collect();
    assert_eq!(labels, [("Which door?", "the question"), ("Open it.", "the order")]);

    let file = imported.path.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let before: Vec<&str> = UPSTREAM.lines().skip(1).collect();
    let after: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(after[..before.len()], before, "what was there stays as it is");
    assert!(strictly_read(&text) > 13);

    let exported = kit.path("copy.jsonl").to_string_lossy().into_owned();
    let export = SessionArguments { session: Some(imported.session.clone()), ..path(&exported) };
    kit.sessions.export(export).await.unwrap();
    let twin = kit.sessions.import(path(&exported)).await.unwrap();
    assert_ne!(twin.session, imported.session, "a second copy is a session of its own");
    let copied = std::fs::read_to_string(twin.path.unwrap()).unwrap();
    assert_eq!(copied.lines().skip(1).collect::<Vec<_>>(), text.lines().skip(1).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_no_session_is_refused_with_its_name() {
    let kit = Kit::new(&[]);
    kit.write("notes.txt", "no session\n");
    let wrong = kit.sessions.import(path("notes.txt")).await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::InvalidRequest);
    assert!(wrong.message.contains("notes.txt") && wrong.message.contains("not the header"), "{wrong}");
    let missing = kit.sessions.import(path("absent.jsonl")).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
    assert_eq!(
        kit.sessions.import(SessionArguments::default()).await.unwrap_err().kind,
        ErrorKind::InvalidRequest
    );
}

#[tokio::test]
async fn a_label_is_taken_away_by_an_empty_one_and_needs_an_entry() {
    let kit = Kit::new(&[json!([{"text": "ok"}])]);
    let answer = kit.say("mark me").await;
    kit.end_of(&answer.turn).await;
    let tree =
        async || kit.sessions.tree(SessionOnly { session: answer.session.clone() }).await.unwrap().nodes;
    let entry = tree().await.into_iter().find(|node| node.text == "mark me").unwrap().id;
    let label = async |entry: &str, label: &str| {
        let (entry, label) = (entry.into(), label.to_owned());
        kit.sessions.label(LabelArguments { session: None, entry, label }).await
    };
    let labels = async || -> Vec<String> { tree().await.into_iter().filter_map(|node| node.label).collect() };
    label(entry.as_str(), "here").await.unwrap();
    assert_eq!(labels().await, ["here"]);
    label(entry.as_str(), "").await.unwrap();
    assert_eq!(labels().await, Vec::<String>::new());
    assert_eq!(label("nothing", "x").await.unwrap_err().kind, ErrorKind::NotFound);
}
