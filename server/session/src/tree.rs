//! A session's entries as a tree for people: our own notes are left out, and their children hang on the entry before.

use std::collections::HashMap;

use kit_protocol::{EntryId, SessionNode, TurnId};

use crate::clock::Millis;
use crate::history::{EntryIndex, History, RecordKind};
use crate::journal::entry::{self, Body, Note};
use crate::journal::list::preview;
use crate::journal::read::Lines;
use crate::restore::own_text;

/// The nodes in file order, so parents come before children.
pub(crate) fn nodes(history: &History, lines: &Lines) -> Vec<SessionNode> {
    let branch = history.current_branch();
    let labels = labels(history, lines);
    let mut places: HashMap<EntryIndex, Place> = HashMap::new();
    let mut nodes = Vec::new();
    for (number, record) in history.records().iter().enumerate() {
        let index = EntryIndex(number);
        let Place { shown: parent, turn } =
            record.parent.and_then(|parent| places.get(&parent).cloned()).unwrap_or_default();
        let line = lines.get(record.span);
        let body = Body::parse(&line);
        if record.kind == RecordKind::Note {
            let turn = match body.note() {
                Some(Note::TurnStart(start)) => Some(start.turn),
                Some(Note::TurnEnd(_)) => None,
                Some(_) | None => turn,
            };
            places.insert(index, Place { shown: parent, turn });
            continue;
        }
        places.insert(index, Place { shown: Some(record.id.clone()), turn: turn.clone() });
        let (role, text) = describe(&body);
        nodes.push(SessionNode {
            id: record.id.clone(),
            parent,
            r#type: type_of(&line),
            role,
            text,
            at: entry::time_of(&line).map(Millis::to_rfc3339).unwrap_or_default(),
            current: branch.binary_search(&index).is_ok(),
            label: labels.get(&record.id).cloned(),
            turn,
        });
    }
    nodes
}

/// What holds behind an entry: the last one that is shown, and the turn that is not over there.
#[derive(Clone, Default)]
struct Place {
    shown: Option<EntryId>,
    turn: Option<TurnId>,
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
