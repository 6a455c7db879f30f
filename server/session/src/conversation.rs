//! What of a session goes to the model: the messages of the current branch, and nothing of abandoned ones.
//!
//! A compaction stands for everything before the first entry that it kept; the kept entries follow its summary. The
//! messages are then paired: every tool call of an assistant message is followed by exactly one result, in the order
//! of the calls, whatever a crash or a foreign writer left in the file (I14).

use std::collections::HashMap;

use kit_protocol::{ImagePart, Message, Part, Role, TextPart, ToolCallId, ToolCallPart, ToolResultPart};

use crate::compaction::plan;
use crate::history::{EntryIndex, History, RecordKind};
use crate::journal::entry::{self, Body};
use crate::journal::read::Lines;

/// What the model reads where a call has no result.
const INTERRUPTED: &str = "interrupted: the call did not end, and what it did is not known";

/// The entries of a branch whose messages the model sees: the last compaction, what it kept, and what came after it.
pub(crate) fn visible(
    history: &History,
    branch: &[EntryIndex],
    read: impl Fn(EntryIndex) -> Body,
) -> Vec<EntryIndex> {
    let kind = |index: &EntryIndex| history.get(*index).map(|record| record.kind);
    let last = branch.iter().rposition(|index| kind(index) == Some(RecordKind::Compaction));
    let Some((position, compaction)) = last.and_then(|at| Some((at, *branch.get(at)?))) else {
        return branch.to_vec();
    };
    let mut visible = vec![compaction];
    if let Body::Compaction { first_kept_entry_id, .. } = read(compaction)
        && let Some(first) = history.find(&first_kept_entry_id.as_str().into())
    {
        visible.extend(kept(history, branch.get(..position).unwrap_or_default(), first, compaction));
    }
    visible.extend(branch.get(position + 1..).unwrap_or_default());
    visible.retain(|index| *index == compaction || kind(index) != Some(RecordKind::Compaction));
    visible
}

/// What a compaction kept: from `first` to the entry that was the leaf when it was written. That is mostly the branch
/// before it; where the leaf had been moved without a new entry, it is the last branch through `first`.
fn kept(
    history: &History,
    before: &[EntryIndex],
    first: EntryIndex,
    compaction: EntryIndex,
) -> Vec<EntryIndex> {
    if let Some(at) = before.iter().position(|index| *index == first) {
        return before.get(at..).unwrap_or_default().to_vec();
    }
    let candidates = (first.0..compaction.0).rev().map(EntryIndex);
    for candidate in candidates {
        let branch = history.branch(Some(candidate));
        if let Some(at) = branch.iter().position(|index| *index == first) {
            return branch.get(at..).unwrap_or_default().to_vec();
        }
    }
    Vec::new()
}

/// The messages of the current branch as they stand in the file, with their entries. Images and documents from before
/// the last overflow are left out.
pub(crate) fn entries(history: &History, lines: &Lines) -> Vec<(EntryIndex, Message)> {
    let read = |index: EntryIndex| {
        history.get(index).map_or(Body::Unknown, |record| Body::parse(&lines.get(record.span)))
    };
    let relevant = |index: &EntryIndex| {
        history.get(*index).is_some_and(|record| match record.kind {
            RecordKind::Message(_) | RecordKind::BranchSummary | RecordKind::Compaction => true,
            RecordKind::ModelChange
            | RecordKind::Label
            | RecordKind::SessionInfo
            | RecordKind::Note
            | RecordKind::Extension
            | RecordKind::Unknown => false,
        })
    };
    let visible = visible(history, &history.current_branch(), read);
    let leaves_out_media = |index: &EntryIndex| {
        history
            .get(*index)
            .filter(|record| record.kind == RecordKind::Note)
            .is_some_and(|record| lines.get(record.span).contains(entry::MEDIA_LEFT_OUT))
    };
    let without_media = visible.iter().rposition(leaves_out_media).unwrap_or(0);
    let numbered = visible.into_iter().enumerate().filter(|(_, index)| relevant(index));
    let message = |(position, index): (usize, EntryIndex)| {
        let mut message = message_of(read(index))?;
        if position < without_media {
            plan::without_media(&mut message);
        }
        Some((index, message))
    };
    numbered.filter_map(message).collect()
}

/// What the model reads in the place of what a compaction replaced.
pub(crate) fn summary_text(summary: &str) -> String {
    format!("[Conversation summary — earlier messages were compacted]\n\n{summary}")
}

/// What an entry says to the model.
pub(crate) fn message_of(body: Body) -> Option<Message> {
    match body {
        Body::Message { role, parts, .. } => Some(Message { role, parts }),
        Body::BranchSummary { summary, .. } => {
            Some(Message::text(Role::User, format!("[Branch context: {summary}]")))
        }
        Body::Compaction { summary, .. } => Some(Message::text(Role::User, summary_text(&summary))),
        Body::ModelChange { .. }
        | Body::Label { .. }
        | Body::SessionInfo { .. }
        | Body::ExtensionData { .. }
        | Body::Unknown => None,
    }
}

/// The messages as a model accepts them: empty ones are left out, and every call has exactly one result.
pub(crate) fn paired(messages: &[Message]) -> Vec<Message> {
    let mut paired: Vec<Message> = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        match message.role {
            // Results stand behind their calls already; what is left belongs to no call.
            Role::Tool => {}
            Role::System | Role::User => {
                if has_content(message) {
                    paired.push(message.clone());
                }
            }
            Role::Assistant => {
                if !has_content(message) {
                    continue;
                }
                paired.push(message.clone());
                let calls: Vec<&ToolCallPart> = message.tool_calls().collect();
                if !calls.is_empty() {
                    let following = messages.get(at + 1..).unwrap_or_default();
                    paired.push(results_of(&calls, following));
                }
            }
        }
    }
    paired
}

fn results_of(calls: &[&ToolCallPart], following: &[Message]) -> Message {
    let mut results: HashMap<&ToolCallId, Vec<(&ToolResultPart, Vec<&ImagePart>)>> = HashMap::new();
    let until_next_answer = following.iter().take_while(|message| message.role != Role::Assistant);
    for result in
        until_next_answer.filter(|message| message.role == Role::Tool).flat_map(Message::tool_results)
    {
        results.entry(&result.0.tool_call_id).or_default().push(result);
    }
    let mut parts = Vec::with_capacity(calls.len());
    for call in calls {
        let found = results.get_mut(&call.id).filter(|found| !found.is_empty()).map(|found| found.remove(0));
        let Some((result, media)) = found else {
            parts.push(Part::ToolResult(ToolResultPart {
                tool_call_id: call.id.clone(),
                name: call.name.clone(),
                content: INTERRUPTED.to_owned(),
                is_error: true,
            }));
            continue;
        };
        parts.push(Part::ToolResult(result.clone()));
        parts.extend(media.into_iter().cloned().map(Part::Image));
    }
    Message { role: Role::Tool, parts }
}

fn has_content(message: &Message) -> bool {
    message.parts.iter().any(|part| match part {
        Part::Text(TextPart { text }) => !text.trim().is_empty(),
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Image(_) => true,
        Part::Reasoning(_) | Part::Finish(_) | Part::Unknown(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::journal::read;

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCallPart {
            id: id.into(),
            name: "read".into(),
            input: "{}".into(),
            finished: true,
        })
    }

    fn result(id: &str, content: &str) -> Part {
        Part::ToolResult(ToolResultPart {
            tool_call_id: id.into(),
            name: "read".into(),
            content: content.into(),
            is_error: content == INTERRUPTED,
        })
    }

    fn image(data: &str) -> Part {
        Part::Image(ImagePart { data: data.into(), media_type: "image/png".into() })
    }

    fn message(role: Role, parts: Vec<Part>) -> Message {
        Message { role, parts }
    }

    #[test]
    fn results_follow_their_calls_in_order_and_none_is_missing() {
        let assistant = || message(Role::Assistant, vec![call("a"), call("b"), call("c")]);
        let user = || Message::text(Role::User, "steer");
        let given = [
            message(Role::Tool, vec![result("z", "orphan")]),
            assistant(),
            message(Role::Tool, vec![result("c", "3"), image("3")]),
            user(),
            message(
                Role::Tool,
                vec![result("a", "1"), image("1"), image("2"), result("a", "twice"), image("x")],
            ),
            message(Role::Assistant, vec![]),
            message(Role::Assistant, vec![Part::Text(TextPart { text: " ".into() })]),
        ];
        let expected = [
            assistant(),
            message(
                Role::Tool,
                vec![
                    result("a", "1"),
                    image("1"),
                    image("2"),
                    result("b", INTERRUPTED),
                    result("c", "3"),
                    image("3"),
                ],
            ),
            user(),
        ];
        assert_eq!(paired(&given), expected);
    }

    fn texts(lines: &[&str]) -> Vec<String> {
        let header = r#"{"type":"session","version":3,"id":"s"}"#;
        let bytes = [&[header], lines].concat().join("\n");
        let loaded = read::index(bytes.as_bytes(), Path::new("s.jsonl")).unwrap();
        assert_eq!(loaded.problems.first, []);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.jsonl");
        std::fs::write(&path, bytes).unwrap();
        let records = loaded.history.records().iter().map(|record| record.span);
        let lines = Lines::read(&path, records).unwrap();
        entries(&loaded.history, &lines).iter().map(|(_, message)| message.joined_text()).collect()
    }

    fn entry(id: &str, parent: &str) -> String {
        format!(
            r#"{{"type":"message","id":"{id}","parent_id":"{parent}","role":"user","parts":[{{"type":"text","data":{{"text":"{id}"}}}}]}}"#
        )
    }

    #[test]
    fn a_compaction_stands_for_what_it_did_not_keep() {
        let compaction = r#"{"type":"compaction","id":"k","summary":"S","first_kept_entry_id":"b"}"#;
        let summary = "[Conversation summary — earlier messages were compacted]\n\nS";
        assert_eq!(
            texts(&[&entry("a", ""), &entry("b", "a"), compaction, &entry("c", "k")]),
            [summary, "b", "c"]
        );
        // `x` was abandoned before the compaction, so it must not return with what was kept.
        assert_eq!(
            texts(&[&entry("a", ""), &entry("b", "a"), &entry("x", "b"), &entry("d", "b"), compaction]),
            [summary, "b", "d"]
        );
        // The leaf was moved before the first entry, so the compaction follows none of the kept ones.
        assert_eq!(
            texts(&[&entry("a", ""), &entry("b", "a"), &entry("z", ""), compaction, &entry("c", "k")]),
            [summary, "b", "c"]
        );
    }

    #[test]
    fn branch_summaries_become_messages_and_abandoned_branches_are_left_out() {
        let summary =
            r#"{"type":"branch_summary","id":"s","parent_id":"a","from_id":"b","summary":"tried b"}"#;
        assert_eq!(
            texts(&[&entry("a", ""), &entry("b", "a"), summary, &entry("c", "s")]),
            ["a", "[Branch context: tried b]", "c"]
        );
    }
}
