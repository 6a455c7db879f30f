//! `read`: lines of a text file, from the open document where there is one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use kit_protocol::{ImagePart, ToolKind};
use kit_text::LineIndex;
use kit_workspace::search::list;
use kit_workspace::{Base, Location, Snapshot, WorkspaceError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caps::{self, MAX_BYTES, MAX_LINE_BYTES, MAX_LINES};
use crate::diff_report::line_count;
use crate::media;
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Reads a text file.
pub(crate) struct ReadFile;

/// Arguments of `read`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadInput {
    /// The file: relative to the workspace folder, or absolute.
    #[serde(alias = "file_path", alias = "filePath", alias = "file")]
    path: String,
    /// The first line to read, counted from 1. Default: 1.
    #[serde(default)]
    offset: Option<u64>,
    /// How many lines to read, at most 2000. Default: 2000.
    #[serde(default)]
    limit: Option<u64>,
}

impl Tool for ReadFile {
    type Input = ReadInput;
    const NAME: &'static str = "read";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Read a text file. Lines come back as `N: text`, where N is the line number and is not part of the file. \
             A file that is open in the editor is read as it stands there, with unsaved changes: that is the truth, \
             not what is on disk. At most 2000 lines and 50 KiB are returned; the last line says how to go on. \
             An image (PNG, JPEG, GIF, WebP) or a PDF comes back as it is, to be looked at. \
             For folders use ls; to look for something in many files use grep.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Read
    }

    fn title(&self, input: &ReadInput, context: &ToolContext) -> String {
        let path = shown_path(&input.path, context);
        match (input.offset, input.limit) {
            (None | Some(0 | 1), None) => format!("Read {path}"),
            (offset, None) => format!("Read {path} from line {}", offset.unwrap_or(1)),
            (offset, Some(limit)) => {
                let first = offset.unwrap_or(1).max(1);
                format!("Read {path}, lines {first}–{}", first.saturating_add(limit.saturating_sub(1)))
            }
        }
    }

    fn access(&self, input: &ReadInput, context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Read { locations: vec![context.resolve(&input.path)?] })
    }

    async fn run(&self, input: ReadInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let location = context.resolve(&input.path)?;
        match media::of_file(&context.workspace, &location).await {
            Ok(Some(medium)) => return Ok(shown(&location, medium)),
            Ok(None) => {}
            Err(error) => {
                return Err(ToolError::Failed(format!("'{}' cannot be shown: {error}", location.display)));
            }
        }
        let snapshot = match context.workspace.snapshot(&location).await {
            Ok(snapshot) if snapshot.exists() => snapshot,
            Ok(_) | Err(WorkspaceError::NotFound { .. }) => return Err(missing(&location, &context).await),
            Err(error) => return Err(unreadable(&location, error)),
        };
        Ok(ToolOutput::text(page(&snapshot, &input)))
    }
}

fn shown(location: &Location, medium: ImagePart) -> ToolOutput {
    let content = format!("[{}, {}]", location.display, media::line(1, &medium));
    ToolOutput { content, media: vec![medium], ..ToolOutput::default() }
}

/// A path as titles show it.
pub(crate) fn shown_path(path: &str, context: &ToolContext) -> String {
    context.resolve(path).map_or_else(|_| path.to_owned(), |location| location.display)
}

/// Why a file cannot be shown, and what to do instead.
pub(crate) fn unreadable(location: &Location, error: WorkspaceError) -> ToolError {
    const IMAGES: [&str; 9] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "ico", "tiff", "avif"];
    let name = &location.display;
    let extension = location.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ToolError::Failed(match error {
        WorkspaceError::IsDirectory { .. } => {
            format!(
                "'{name}' is a directory, not a file. Use the ls tool to list it, or grep to search in it."
            )
        }
        WorkspaceError::Binary { size, .. } if IMAGES.contains(&extension.to_ascii_lowercase().as_str()) => {
            format!(
                "'{name}' is an image of {} bytes and no text; of images, `read` shows PNG, JPEG, GIF and WebP.",
                caps::grouped(size)
            )
        }
        WorkspaceError::Binary { size, .. } => {
            format!("'{name}' is a binary file of {} bytes; this tool reads text only.", caps::grouped(size))
        }
        WorkspaceError::TooLarge { size, limit, .. } => format!(
            "'{name}' has {} bytes, more than the {} that can be read; use grep to look into it.",
            caps::grouped(size),
            caps::grouped(limit)
        ),
        WorkspaceError::NotUtf8 { offset, .. } => format!(
            "'{name}' is not UTF-8 (byte {}); it is neither read nor changed, so that nothing in it is lost.",
            caps::grouped(offset as u64)
        ),
        other @ (WorkspaceError::EmptyPath
        | WorkspaceError::RelativeBase { .. }
        | WorkspaceError::NoHome
        | WorkspaceError::BadPath { .. }
        | WorkspaceError::Moved { .. }
        | WorkspaceError::NotOpen { .. }
        | WorkspaceError::NotFound { .. }
        | WorkspaceError::NotADirectory { .. }
        | WorkspaceError::NotAFile { .. }
        | WorkspaceError::Permission { .. }
        | WorkspaceError::Io { .. }) => other.to_string(),
    })
}

/// There is no such file; names beside it that may have been meant.
pub(crate) async fn missing(location: &Location, context: &ToolContext) -> ToolError {
    let mut text = format!("'{}' does not exist.", location.display);
    let names = similar_names(location, context).await;
    if !names.is_empty() {
        text.push_str(&format!(" Did you mean {}?", names.join(" or ")));
    }
    ToolError::Failed(text)
}

async fn similar_names(location: &Location, context: &ToolContext) -> Vec<String> {
    let (Some(folder), Some(wanted)) = (location.path.parent(), location.path.file_name()) else {
        return Vec::new();
    };
    let Ok(folder) = context.resolve(&folder.to_string_lossy()) else { return Vec::new() };
    if !folder.inside {
        return Vec::new();
    }
    let Ok(entries) = list(&folder, 5000, &context.cancel).await else { return Vec::new() };
    let wanted = wanted.to_string_lossy().to_lowercase();
    let mut ranked: Vec<(usize, String)> = entries
        .entries
        .into_iter()
        .filter_map(|name| {
            let lower = name.trim_end_matches('/').to_lowercase();
            let distance = distance(&wanted, &lower);
            let near = distance * 3 <= wanted.chars().count() || stem(&lower) == stem(&wanted);
            near.then_some((distance, name))
        })
        .collect();
    ranked.sort();
    let prefix = if folder.display == "." { String::new() } else { format!("{}/", folder.display) };
    ranked.into_iter().take(3).map(|(_, name)| format!("'{prefix}{name}'")).collect()
}

fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// Levenshtein distance by characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, one) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (other, above) in right.iter().zip(row.iter().skip(1)) {
            let cost = diagonal + usize::from(one != *other);
            before = cost.min(before + 1).min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The wanted lines with one line at the end about what is left.
fn page(snapshot: &Snapshot, input: &ReadInput) -> String {
    let text = &snapshot.text;
    let total = line_count(text);
    let mut notes = BTreeSet::new();
    match snapshot.base {
        Base::Open { desynced: true, .. } => {
            notes.insert(
                "the editor and this program may disagree about this text; it cannot be edited now"
                    .to_owned(),
            );
        }
        Base::Open { dirty: true, .. } => {
            notes.insert("open in the editor with unsaved changes, which are included".to_owned());
        }
        Base::Open { .. } | Base::Disk { .. } | Base::Missing => {}
    }
    let first = usize::try_from(input.offset.unwrap_or(1).max(1)).unwrap_or(usize::MAX);
    let wanted =
        usize::try_from(input.limit.unwrap_or(MAX_LINES as u64)).unwrap_or(usize::MAX).min(MAX_LINES);
    let mut shown = String::new();
    let mut next = first;
    for number in first..=total.min(first.saturating_add(wanted).saturating_sub(1)) {
        let Some(line) = text.line(LineIndex::from_count(number - 1)) else { break };
        let line = line.trim_end_matches(['\r', '\n']);
        let entry = format!("{number}: {}\n", caps::line(line, MAX_LINE_BYTES));
        if shown.len() + entry.len() > MAX_BYTES {
            break;
        }
        shown.push_str(&entry);
        next = number + 1;
    }
    let footer = if total == 0 {
        Some("the file is empty".to_owned())
    } else if first > total {
        Some(format!("the file has {total} lines; offset {first} is past its end"))
    } else if next <= total && next > first {
        Some(format!("showing lines {first}-{} of {total}. Use offset={next} to continue reading", next - 1))
    } else if next <= total {
        Some(format!("no lines shown of {total}. Use a limit of at least 1"))
    } else {
        None
    };
    for note in footer.into_iter().chain(notes) {
        shown.push_str(&format!("[{note}]\n"));
    }
    shown.truncate(shown.trim_end_matches('\n').len());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_distance() {
        let distances =
            [("main.rs", "main.rs"), ("mian.rs", "main.rs"), ("a", ""), ("äb", "ab"), ("abc", "xyz")]
                .map(|(left, right)| distance(left, right));
        assert_eq!(distances, [0, 2, 1, 1, 3]);
    }
}
