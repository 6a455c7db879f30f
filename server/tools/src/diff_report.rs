//! What the result of a change says: to clients as blocks and counts, to the model as a diff or as the text around.

use std::fmt::Write;

use kit_protocol::{DiffBlock, FileDiff, LineSpan};
use kit_text::diff::{self, Block};
use kit_text::{LineIndex, LineRange, Text};
use kit_workspace::{Applied, EditError, Location};

use crate::caps;
use crate::tool::ToolError;

/// Lines and bytes of a diff that a model is shown after its own edit.
const DIFF_LINES: usize = 300;
const DIFF_BYTES: usize = 16 * 1024;

/// Lines around a region that could not be edited.
const CONTEXT: usize = 4;
const REGION_LINES: usize = 80;

/// Blocks as clients take them.
pub(crate) fn wire_blocks(blocks: Vec<Block>) -> Vec<DiffBlock> {
    let span = |range: LineRange| LineSpan { start: range.start.0, end: range.end.0 };
    blocks
        .into_iter()
        .map(|block| DiffBlock {
            old_range: span(block.old_range),
            new_range: span(block.new_range),
            old_text: block.old_text,
            new_text: block.new_text,
        })
        .collect()
}

/// What a change did to a file; counts are those of a diff.
pub(crate) fn file_diff(location: &Location, applied: &Applied, blocks: Vec<Block>) -> FileDiff {
    let (additions, deletions) = diff::counts(&applied.before, &applied.after);
    FileDiff {
        uri: location.uri.as_str().to_owned(),
        path: location.display.clone(),
        additions,
        deletions,
        is_new: applied.created,
        fuzzy: blocks.iter().any(|block| block.fuzzy),
        diff_blocks: wire_blocks(blocks),
    }
}

/// The diff of a change, capped.
pub(crate) fn shown_diff(applied: &Applied) -> String {
    let text = diff::unified(&applied.before, &applied.after, 3);
    caps::head(&text, DIFF_LINES, DIFF_BYTES).into_owned()
}

/// Where the changed text is now, when that is not the disk.
pub(crate) fn unsaved_note(applied: &Applied) -> &'static str {
    match (applied.version, applied.saved) {
        (Some(_), false) => {
            "\nThe file is open in the editor; the change is in the editor and not saved to disk yet."
        }
        (Some(_), true) | (None, _) => "",
    }
}

/// A failed change for the model, with the text that is there now.
pub(crate) fn failed(location: &Location, error: EditError, wanted: &[&str]) -> ToolError {
    let nothing = "Nothing was changed.";
    match error {
        EditError::Cancelled => ToolError::Cancelled,
        EditError::Refused { current, why } => ToolError::Failed(format!(
            "the editor did not apply the change to {}: {why}. {nothing} The text there now:\n{}",
            location.display,
            regions(&current, wanted)
        )),
        EditError::Conflict { current } => ToolError::Failed(format!(
            "{} kept changing at the same time. {nothing} The text there now:\n{}",
            location.display,
            regions(&current, wanted)
        )),
        EditError::Plan(why) => ToolError::Failed(why),
        error @ (EditError::Desynced { .. }
        | EditError::ReadOnly { .. }
        | EditError::NoSpace { .. }
        | EditError::Vanished { .. }
        | EditError::Locked { .. }
        | EditError::Workspace(_)) => ToolError::Failed(format!("{error}. {nothing}")),
    }
}

/// The lines around the texts that were to be replaced, numbered; the beginning when none is found.
fn regions(current: &Text, wanted: &[&str]) -> String {
    let mut text = String::new();
    for old in wanted {
        let range = region(current, old);
        let part = numbered(current, range);
        if !text.contains(&part) {
            text.push_str(&part);
        }
    }
    if text.is_empty() {
        text = numbered(current, 0..REGION_LINES);
    }
    caps::head(&text, REGION_LINES * 2, DIFF_BYTES).into_owned()
}

fn region(current: &Text, old: &str) -> std::ops::Range<usize> {
    let whole = current.to_string();
    let first = old.lines().find(|line| !line.trim().is_empty()).unwrap_or(old);
    let at = whole.find(old).or_else(|| whole.find(first.trim()));
    let line = at.map_or(0, |at| whole.get(..at).unwrap_or_default().lines().count().saturating_sub(1));
    line.saturating_sub(CONTEXT)..line + old.lines().count().min(REGION_LINES) + CONTEXT + 1
}

/// Lines as `read` shows them.
pub(crate) fn numbered(text: &Text, range: std::ops::Range<usize>) -> String {
    let mut shown = String::new();
    for index in range.start..range.end.min(line_count(text)) {
        let Some(line) = text.line(LineIndex::from_count(index)) else { break };
        let line = line.trim_end_matches(['\r', '\n']);
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "{}: {}", index + 1, caps::line(line, caps::MAX_LINE_BYTES));
    }
    shown
}

/// Lines as people count them: a line end at the end of the file begins no further line.
pub(crate) fn line_count(text: &Text) -> usize {
    let all = text.line_count();
    let last = text.line(LineIndex::from_count(all.saturating_sub(1)));
    if last.is_none_or(|last| last.is_empty()) { all.saturating_sub(1) } else { all }
}
