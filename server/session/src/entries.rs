//! A session's entries as programs read them: whole texts, with the tree around them.
//!
//! Our own notes are left out, and what hangs on one hangs on the entry before it.

use std::path::Path;

use kit_protocol::{EntryId, Message, Part, Role};

use crate::clock::Millis;
use crate::error::JournalError;
use crate::history::{EntryIndex, History, RecordKind};
use crate::journal::entry::{self, Body};
use crate::journal::lines_of;
use crate::tree;

/// An entry of a session's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its id.
    pub id: EntryId,
    /// The entry before it.
    pub parent: Option<EntryId>,
    /// Its type as the file has it, such as `message` or `branch_summary`.
    pub kind: String,
    /// Who speaks, for messages.
    pub role: Option<Role>,
    /// Its text: of a message the text parts, of a tool message the results, of data of an extension the data.
    pub text: String,
    /// The model that wrote it, or that it changes to.
    pub model: Option<String>,
    /// That model's provider.
    pub provider: Option<String>,
    /// When, RFC 3339; empty where the file does not tell.
    pub at: String,
    /// The entries after it, on all branches.
    pub children: Vec<EntryId>,
    /// Whether it is on the current branch.
    pub current: bool,
}

/// Data that an extension keeps in the session's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionEntry {
    /// Its id.
    pub id: EntryId,
    /// What it is, in the words of its extension.
    pub kind: String,
    /// The data.
    pub data: String,
    /// When, RFC 3339.
    pub at: String,
}

/// The entries of the current branch that are none of our notes.
pub(crate) fn current(history: &History) -> Vec<EntryIndex> {
    let mut branch = history.current_branch();
    branch.retain(|index| history.get(*index).is_some_and(|record| record.kind != RecordKind::Note));
    branch
}

/// Why an entry cannot be a part of the current branch.
pub(crate) fn not_on_branch(entry: &EntryId) -> String {
    format!("the current branch of the session has no entry {entry}")
}

/// Reads entries. Blocks.
pub(crate) fn read(
    history: &History,
    file: &Path,
    wanted: &[EntryIndex],
) -> Result<Vec<SessionEntry>, JournalError> {
    let lines = lines_of(file, history, wanted)?;
    let branch = history.current_branch();
    let family = Family::of(history);
    let id = |index: &EntryIndex| history.get(*index).map(|record| record.id.clone());
    let entry = |index: &EntryIndex| {
        let record = history.get(*index)?;
        let line = lines.get(record.span);
        let body = Body::parse(&line);
        let (model, provider) = model_of(&body);
        let (role, text) = describe(body);
        Some(SessionEntry {
            id: record.id.clone(),
            parent: family.parents.get(index.0).copied().flatten().as_ref().and_then(id),
            kind: tree::type_of(&line),
            role,
            text,
            model,
            provider,
            at: entry::time_of(&line).map(Millis::to_rfc3339).unwrap_or_default(),
            children: family.children.get(index.0).into_iter().flatten().filter_map(id).collect(),
            current: branch.binary_search(index).is_ok(),
        })
    };
    Ok(wanted.iter().filter_map(entry).collect())
}

/// Reads the data of extensions on the current branch, of one kind or of all. Blocks.
pub(crate) fn of_extensions(
    history: &History,
    file: &Path,
    kind: Option<&str>,
) -> Result<Vec<ExtensionEntry>, JournalError> {
    let mut wanted = history.current_branch();
    wanted.retain(|index| history.get(*index).is_some_and(|record| record.kind == RecordKind::Extension));
    let lines = lines_of(file, history, &wanted)?;
    let found = wanted.iter().filter_map(|index| {
        let record = history.get(*index)?;
        let line = lines.get(record.span);
        let Body::ExtensionData { ext_type, data } = Body::parse(&line) else { return None };
        let at = entry::time_of(&line).map(Millis::to_rfc3339).unwrap_or_default();
        Some(ExtensionEntry { id: record.id.clone(), kind: ext_type, data, at })
    });
    Ok(found.filter(|entry| kind.is_none_or(|kind| kind == entry.kind)).collect())
}

/// Who comes before and after whom, without our notes.
struct Family {
    parents: Vec<Option<EntryIndex>>,
    children: Vec<Vec<EntryIndex>>,
}

impl Family {
    fn of(history: &History) -> Self {
        let records = history.records();
        let mut parents: Vec<Option<EntryIndex>> = Vec::with_capacity(records.len());
        let mut children = vec![Vec::new(); records.len()];
        for (number, record) in records.iter().enumerate() {
            let above = record.parent.and_then(|parent| {
                let is_note = history.get(parent).is_some_and(|record| record.kind == RecordKind::Note);
                if is_note { parents.get(parent.0).copied().flatten() } else { Some(parent) }
            });
            parents.push(above);
            if record.kind != RecordKind::Note
                && let Some(siblings) = above.and_then(|above| children.get_mut(above.0))
            {
                siblings.push(EntryIndex(number));
            }
        }
        Self { parents, children }
    }
}

fn model_of(body: &Body) -> (Option<String>, Option<String>) {
    match body {
        Body::Message { model, provider, .. } => (model.clone(), provider.clone()),
        Body::ModelChange { provider, model_id } => (Some(model_id.clone()), Some(provider.clone())),
        Body::BranchSummary { .. }
        | Body::Label { .. }
        | Body::SessionInfo { .. }
        | Body::ExtensionData { .. }
        | Body::Compaction { .. }
        | Body::Unknown => (None, None),
    }
}

fn describe(body: Body) -> (Option<Role>, String) {
    match body {
        Body::Message { role, parts, .. } => (Some(role), text_of(&Message { role, parts })),
        Body::ModelChange { provider, model_id } => (None, format!("{provider}/{model_id}")),
        Body::BranchSummary { summary, .. } | Body::Compaction { summary, .. } => (None, summary),
        Body::Label { label, .. } => (None, label),
        Body::SessionInfo { name } => (None, name),
        Body::ExtensionData { data, .. } => (None, data),
        Body::Unknown => (None, String::new()),
    }
}

/// A message as one text.
pub(crate) fn text_of(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.text.as_str()),
        Part::ToolResult(result) => Some(result.content.as_str()),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::Image(_) | Part::Finish(_) | Part::Unknown(_) => None,
    });
    texts.collect()
}
