//! A session's entries as a tree for people: our own notes are left out, and their children hang on the entry before.

use std::collections::HashMap;

use kit_protocol::{EntryId, SessionNode};

use crate::clock::Millis;
use crate::history::{EntryIndex, History, RecordKind};
use crate::journal::entry::{self, Body};
use crate::journal::list::preview;
use crate::journal::read::Lines;
use crate::restore::own_text;

/// The nodes in file order, so parents come before children.
pub(crate) fn nodes(history: &History, lines: &Lines) -> Vec<SessionNode> {
    let branch = history.current_branch();
    let labels = labels(history, lines);
    let mut shown: HashMap<EntryIndex, Option<EntryId>> = HashMap::new();
    let mut nodes = Vec::new();
    for (number, record) in history.records().iter().enumerate() {
        let index = EntryIndex(number);
        let parent = record.parent.and_then(|parent| shown.get(&parent).cloned().flatten());
        if record.kind == RecordKind::Note {
            shown.insert(index, parent);
            continue;
        }
        shown.insert(index, Some(record.id.clone()));
        let line = lines.get(record.span);
        let (role, text) = describe(&Body::parse(&line));
        nodes.push(SessionNode {
            id: record.id.clone(),
            parent,
            r#type: type_of(&line),
            role,
            text,
            at: entry::time_of(&line).map(Millis::to_rfc3339).unwrap_or_default(),
            current: branch.binary_search(&index).is_ok(),
            label: labels.get(&record.id).cloned(),
        });
    }
    nodes
}

/// The labels of entries. The last one counts, and an empty one is none.
fn labels(history: &History, lines: &Lines) -> HashMap<EntryId, String> {
    let mut labels = HashMap::new();
    for record in history.records().iter().filter(|record| record.kind == RecordKind::Label) {
        if let Body::Label { target_id, label } = Body::parse(&lines.get(record.span)) {
            labels.insert(target_id, label);
        }
    }
    labels.retain(|_, label| !label.is_empty());
    labels
}

/// The type of an entry as its line has it.
pub(crate) fn type_of(line: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Typed {
        r#type: String,
    }
    serde_json::from_str::<Typed>(line).map(|typed| typed.r#type).unwrap_or_default()
}

fn describe(body: &Body) -> (Option<kit_protocol::Role>, String) {
    match body {
        Body::Message { role, parts, .. } => {
            let message = kit_protocol::Message { role: *role, parts: parts.clone() };
            let own = own_text(parts);
            let text = if own.trim().is_empty() {
                let calls: Vec<&str> = message.tool_calls().map(|call| call.name.as_str()).collect();
                let results = parts.iter().filter_map(|part| match part {
                    kit_protocol::Part::ToolResult(result) => Some(result.content.as_str()),
                    kit_protocol::Part::Text(_)
                    | kit_protocol::Part::Reasoning(_)
                    | kit_protocol::Part::ToolCall(_)
                    | kit_protocol::Part::Image(_)
                    | kit_protocol::Part::Finish(_)
                    | kit_protocol::Part::Unknown(_) => None,
                });
                calls.into_iter().chain(results).collect::<Vec<_>>().join(", ")
            } else {
                own
            };
            (Some(*role), preview(&text))
        }
        Body::ModelChange { provider, model_id } => (None, format!("{provider}/{model_id}")),
        Body::BranchSummary { summary, .. } | Body::Compaction { summary, .. } => (None, preview(summary)),
        Body::Label { label, .. } => (None, preview(label)),
        Body::SessionInfo { name } => (None, preview(name)),
        Body::ExtensionData { ext_type, .. } => (None, preview(ext_type)),
        Body::Unknown => (None, String::new()),
    }
}
