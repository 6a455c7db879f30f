//! Documents, parts of documents and folders as pieces of the block behind a prompt, each with its cap.

use std::path::Path;

use kit_protocol::{WirePosition, WireRange};
use kit_text::{Encoding, LineIndex, LineRange, Position, Text};
use kit_workspace::search::{self, FindQuery};
use kit_workspace::{Base, Location, Workspace};
use tokio_util::sync::CancellationToken;

/// Lines of one piece.
const MOST_LINES: u32 = 500;
/// Bytes of one piece.
const LARGEST_PIECE: usize = 24 * 1024;
/// Bytes of all pieces of one prompt.
const LARGEST_BLOCK: usize = 96 * 1024;
/// Files of a folder that are named.
const MOST_FILES: usize = 200;

/// The block of pieces, up to its cap.
#[derive(Default)]
pub(super) struct Block {
    text: String,
    left_out: usize,
}

impl Block {
    pub(super) fn add(&mut self, piece: String) {
        if self.text.len() + piece.len() > LARGEST_BLOCK {
            self.left_out += 1;
        } else {
            self.text.push_str(&piece);
        }
    }

    pub(super) fn finish(self) -> Option<String> {
        let note = match self.left_out {
            0 => String::new(),
            count => format!("[{count} more pieces are left out; read the files]\n"),
        };
        let content = format!("{}{note}", self.text);
        (!content.is_empty()).then(|| format!("\n\n<context>\n{content}</context>"))
    }
}

/// A document or a part of it, with line numbers.
pub(super) async fn piece(
    workspace: &Workspace,
    cwd: &Path,
    uri: &str,
    range: Option<WireRange>,
    encoding: Encoding,
) -> String {
    let snapshot = match workspace.resolve(cwd, uri) {
        Ok(location) => workspace.snapshot(&location).await,
        Err(error) => Err(error),
    };
    let (path, text, unsaved) = match snapshot {
        Ok(snapshot) => match snapshot.base {
            Base::Missing => return unreadable(&snapshot.location.display, "it does not exist"),
            Base::Open { dirty, .. } => (snapshot.location.display, snapshot.text, dirty),
            Base::Disk { .. } => (snapshot.location.display, snapshot.text, false),
        },
        Err(error) => return unreadable(uri, &error.to_string()),
    };
    let unsaved = if unsaved { " unsaved=\"true\"" } else { "" };
    match range.filter(|range| range.start != range.end) {
        None => {
            let all = LineRange::new(0, LineIndex::from_count(text.line_count()).0);
            format!("<document path=\"{path}\"{unsaved}>\n{}</document>\n", numbered(&text, all))
        }
        Some(range) => {
            let lines = selected_lines(range);
            let (first, last) = (lines.start.0 + 1, lines.end.0.max(lines.start.0 + 1));
            let exact = exact_selection(&text, range, encoding);
            format!(
                "<selection path=\"{path}\" lines=\"{first}-{last}\"{unsaved}>\n{}{exact}</selection>\n",
                numbered(&text, lines)
            )
        }
    }
}

pub(super) fn unreadable(path: &str, why: &str) -> String {
    format!("<document path=\"{path}\" error=\"{}\"/>\n", why.replace('"', "'"))
}

/// The lines that a selection touches. One that ends at the start of a line does not touch that line.
fn selected_lines(range: WireRange) -> LineRange {
    let last = if range.end.character == 0 && range.end.line > range.start.line {
        range.end.line
    } else {
        range.end.line.saturating_add(1)
    };
    LineRange::new(range.start.line, last)
}

/// The selected words, where less than a line is selected.
fn exact_selection(text: &Text, range: WireRange, encoding: Encoding) -> String {
    if range.start.line != range.end.line {
        return String::new();
    }
    let offset =
        |position: WirePosition| text.offset_of(Position::new(position.line, position.character), encoding);
    let selected = text.slice(offset(range.start)..offset(range.end)).unwrap_or_default();
    let whole = text.lines_text(LineRange::new(range.start.line, range.start.line.saturating_add(1)));
    if selected.trim().is_empty() || selected.trim() == whole.trim() {
        return String::new();
    }
    format!("[selected: {selected}]\n")
}

fn numbered(text: &Text, lines: LineRange) -> String {
    let mut shown = String::new();
    let mut line = lines.start.0;
    let end = lines.end.0.min(LineIndex::from_count(text.line_count()).0);
    while line < end {
        let Some(content) = text.line(LineIndex(line)) else { break };
        let content = content.trim_end_matches(['\r', '\n']);
        // The empty line behind the last line end is not one that a reader counts.
        if line + 1 == end && content.is_empty() && line > lines.start.0 {
            break;
        }
        if line - lines.start.0 >= MOST_LINES || shown.len() + content.len() > LARGEST_PIECE {
            shown.push_str(&format!("[{} more lines are cut; use `read` for them]\n", end - line));
            break;
        }
        shown.push_str(&format!("{}: {content}\n", line + 1));
        line += 1;
    }
    shown
}

/// The files below a folder, without ignored ones.
pub(super) async fn folder(workspace: &Workspace, location: &Location) -> String {
    let query = FindQuery { pattern: "*".to_owned(), limit: MOST_FILES };
    let path = &location.display;
    match search::find(workspace, location, query, &CancellationToken::new()).await {
        Ok(found) => {
            let mut listed = String::new();
            for file in &found.paths {
                listed.push_str(&format!("{file}\n"));
            }
            let more = found.total.saturating_sub(found.paths.len());
            if more > 0 {
                listed.push_str(&format!("[{more} more files; use `find` or `ls` for them]\n"));
            }
            format!("<folder path=\"{path}\">\n{listed}</folder>\n")
        }
        Err(error) => unreadable(path, &error.to_string()),
    }
}

/// Some lines of a document; `first` and `last` count from 1.
pub(super) fn lines((first, last): (u32, u32)) -> WireRange {
    let at = |line| WirePosition { line, character: 0 };
    WireRange { start: at(first.saturating_sub(1)), end: at(last) }
}

/// What a command stands for.
pub(super) fn command(name: &str, text: &str) -> String {
    format!("The command /{name} stands for this prompt:\n\n{}\n", text.trim_end())
}

/// A resource of somebody else.
pub(super) fn resource(name: &str, text: &str) -> String {
    tagged(&format!("name=\"{name}\""), text)
}

/// One that is another than before.
pub(super) fn changed_resource(name: &str, text: &str) -> String {
    tagged(&format!("name=\"{name}\" changed=\"true\""), text)
}

fn tagged(attributes: &str, text: &str) -> String {
    let keep = text.floor_char_boundary(LARGEST_PIECE);
    let cut = text.len() - keep;
    let note = if cut > 0 { format!("\n[{cut} more bytes are cut]") } else { String::new() };
    format!(
        "<resource {attributes}>\n{}{note}\n</resource>\n",
        text.get(..keep).unwrap_or_default().trim_end()
    )
}

/// The open documents by the names that people know, each with whether it has text that is not on disk.
pub(super) async fn open_documents(workspace: &Workspace) -> Vec<(String, bool)> {
    let mut open = Vec::new();
    for document in workspace.documents().list() {
        let Ok(location) = workspace.locate(&document.uri) else { continue };
        let unsaved = match workspace.snapshot(&location).await.map(|snapshot| snapshot.base) {
            Ok(Base::Open { dirty, .. }) => dirty,
            Ok(Base::Disk { .. } | Base::Missing) | Err(_) => document.dirty,
        };
        open.push((location.display, unsaved));
    }
    open.sort();
    open
}
