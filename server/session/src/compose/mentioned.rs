//! Finds out what the mentions of a prompt mean.
//!
//! What a mention names is added behind the prompt; its words stay as they are. What names nothing is just words, and
//! where it looks like a path, the paths that may have been meant are told. A relative path that leads out of the
//! workspace through a link is refused: only an absolute path or `~` says that the user means a place outside.

use std::path::Path;
use std::time::Duration;

use kit_protocol::ContextItem;
use kit_text::Encoding;
use kit_workspace::search::{self, FuzzyQuery};
use kit_workspace::{Location, Workspace};
use tokio_util::sync::CancellationToken;

use super::pieces::{self, unreadable};
use super::{Gathering, gathered};
use crate::dependencies::Shared;
use crate::mentions::{Mention, Reading, Target};
use crate::near;
use crate::project::skill::escaped;
use crate::reference::Reference;

/// How long to look for what may have been meant.
const LOOKING: Duration = Duration::from_millis(60);
/// Names that may have been meant.
const MOST_NEAR: usize = 3;
/// Files of a folder that are looked at for them.
const MOST_BESIDE: usize = 2000;

/// Adds what the mentions name.
pub(super) async fn add(
    shared: &Shared,
    cwd: &Path,
    mentions: &[Mention],
    context: &[ContextItem],
    gathering: &mut Gathering,
) {
    let mut done: Vec<&Target> = Vec::new();
    for mention in mentions {
        if done.contains(&&mention.target) {
            continue;
        }
        done.push(&mention.target);
        match &mention.target {
            Target::Selection if context.iter().any(|item| item.range.is_some()) => {}
            Target::Selection => {
                gathering.block.add("<selection error=\"nothing is selected\"/>\n".to_owned());
            }
            Target::Diagnostics => gathering.block.add(gathered::diagnostics(shared).await),
            Target::Diff => gathering.block.add(gathered::diff(shared, cwd).await),
            Target::Open => gathering.block.add(open_documents(&shared.with.workspace).await),
            Target::Path(readings) => path(shared, cwd, readings, gathering).await,
        }
    }
}

async fn path(shared: &Shared, cwd: &Path, readings: &[Reading], gathering: &mut Gathering) {
    let workspace = &shared.with.workspace;
    for reading in readings {
        if is_resource(shared, &reading.path) {
            return gathering.references.push(Reference::Resource(reading.path.clone()));
        }
        let Ok(location) = workspace.resolve(cwd, &reading.path) else { continue };
        let is_open = workspace.documents().get(&location.uri).is_some();
        if !is_open && tokio::fs::metadata(&location.path).await.is_err() {
            continue;
        }
        if !location.inside && !names_outside(&reading.path) {
            let why = "it leads out of the workspace; name it by its absolute path if it is meant";
            return gathering.block.add(unreadable(&reading.path, why));
        }
        return existing(workspace, cwd, reading, &location, gathering).await;
    }
    let Some(plain) = readings.last() else { return };
    if let Some(note) = unknown(workspace, cwd, &plain.path).await {
        gathering.block.add(note);
    }
}

/// Adds a file or folder that is there.
async fn existing(
    workspace: &Workspace,
    cwd: &Path,
    reading: &Reading,
    location: &Location,
    gathering: &mut Gathering,
) {
    if tokio::fs::metadata(&location.path).await.is_ok_and(|metadata| metadata.is_dir()) {
        return gathering.block.add(pieces::folder(workspace, location).await);
    }
    match gathering.medium(workspace, location).await {
        Ok(true) => {}
        Ok(false) => {
            let range = reading.lines.map(pieces::lines);
            let uri = location.uri.as_str();
            gathering.block.add(pieces::piece(workspace, cwd, uri, range, Encoding::Utf8).await);
        }
        Err(error) => gathering.block.add(unreadable(&location.display, &error.to_string())),
    }
}

/// Whether the path is one of a scheme that somebody has.
fn is_resource(shared: &Shared, path: &str) -> bool {
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| shared.with.contributions.mentions(scheme).is_some())
}

/// Whether a path says by itself that it is outside.
fn names_outside(path: &str) -> bool {
    path.starts_with(['/', '~'])
        || path.starts_with("file:")
        || Path::new(path).is_absolute()
        || path.starts_with("..")
}

async fn open_documents(workspace: &Workspace) -> String {
    let mut listed = String::new();
    for (name, unsaved) in pieces::open_documents(workspace).await {
        listed.push_str(&name);
        listed.push_str(if unsaved { " (unsaved)\n" } else { "\n" });
    }
    format!("<open_documents>\n{listed}</open_documents>\n")
}

/// A note about a path that does not exist, if it looks like one or something near does.
async fn unknown(workspace: &Workspace, cwd: &Path, path: &str) -> Option<String> {
    let looks_like_path = path.contains('/') || Path::new(path).extension().is_some();
    if !looks_like_path {
        return None;
    }
    let name =
        Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut near = beside(workspace, cwd, path, &name).await;
    let top = workspace.resolve(cwd, ".").ok()?;
    if near.is_empty() {
        let query = FuzzyQuery { typed: name, limit: MOST_NEAR, within: LOOKING };
        if let Ok(found) = search::fuzzy(&top, query, &CancellationToken::new()).await {
            near = found.matches.into_iter().map(|found| found.path).collect();
        }
    }
    let hint = if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) };
    Some(format!("<document path=\"{}\" error=\"it does not exist{}\"/>\n", escaped(path), escaped(&hint)))
}

/// What in the folder of a path has a name like its.
async fn beside(workspace: &Workspace, cwd: &Path, path: &str, name: &str) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or(Path::new("")).join(".");
    let Ok(folder) = workspace.resolve(cwd, &folder.to_string_lossy()) else { return Vec::new() };
    if !folder.inside {
        return Vec::new();
    }
    let Ok(listed) = search::list(&folder, MOST_BESIDE, &CancellationToken::new()).await else {
        return Vec::new();
    };
    let prefix = if folder.display == "." { String::new() } else { format!("{}/", folder.display) };
    let names = near::near(name, listed.entries.iter().map(String::as_str));
    names.into_iter().map(|name| format!("{prefix}{name}")).collect()
}
