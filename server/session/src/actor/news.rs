//! What the model is told before its next call that no tool told it: what the user did with its changes, and which of
//! the files that it knows are others now.
//!
//! A file is known once a tool read or edited it. Whoever changed it since, the model would build on a text that is
//! gone, so it hears of it once. The review tells its own files with their patches, and they are not named twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use kit_workspace::{DocumentUri, Location, Workspace};

use super::Actor;

/// Files that are remembered.
const MOST_KNOWN: usize = 500;
/// Names that are told at once.
const MOST_TOLD: usize = 30;

/// The files that the model knows.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<DocumentUri, Stamp>>>);

/// What a file was like.
#[derive(Clone, Debug, PartialEq)]
struct Stamp {
    /// Hash of its text.
    text: u64,
    /// What is cheap to look at: the version of an open document, or time and size of a file.
    version: Option<i32>,
    disk: Option<(SystemTime, u64)>,
}

impl Known {
    /// Remembers files as they are now.
    pub(super) async fn remember(&self, workspace: &Workspace, locations: &[Location]) {
        for location in locations {
            let stamp = stamp(workspace, location).await;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match stamp {
                Some(stamp) if known.len() < MOST_KNOWN || known.contains_key(&location.uri) => {
                    known.insert(location.uri.clone(), stamp);
                }
                Some(_) => {}
                None => drop(known.remove(&location.uri)),
            }
        }
    }

    /// The files whose text is another one now, each once.
    async fn changed(&self, workspace: &Workspace) -> Vec<String> {
        let known: Vec<(DocumentUri, Stamp)> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().map(|(uri, stamp)| (uri.clone(), stamp.clone())).collect()
        };
        let mut changed = Vec::new();
        for (uri, before) in known {
            let Ok(location) = workspace.locate(&uri) else { continue };
            let version = workspace.documents().get(&uri).map(|document| document.version);
            let same = match version {
                Some(version) => before.version == Some(version),
                None => before.version.is_none() && before.disk == disk(&location).await,
            };
            if same {
                continue;
            }
            let now = stamp(workspace, &location).await;
            if now.as_ref().map(|now| now.text) != Some(before.text) {
                changed.push(location.display.clone());
            }
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match now {
                Some(now) => drop(known.insert(uri, now)),
                None => drop(known.remove(&uri)),
            }
        }
        changed.sort();
        changed
    }
}

async fn stamp(workspace: &Workspace, location: &Location) -> Option<Stamp> {
    let snapshot = workspace.snapshot(location).await.ok().filter(|snapshot| snapshot.exists())?;
    let version = workspace.documents().get(&location.uri).map(|document| document.version);
    Some(Stamp { text: snapshot.text.hash().0, version, disk: disk(location).await })
}

async fn disk(location: &Location) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(&location.real).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Actor {
    /// The news for the model's next call.
    pub(super) async fn news(&self) -> Option<String> {
        let review = self.shared.with.desk.take_feedback(&self.session).await;
        let changed = self.known.changed(&self.shared.with.workspace).await;
        let told = review.as_deref().unwrap_or_default();
        let untold: Vec<String> =
            changed.into_iter().filter(|name| !told.contains(&format!("({name}):"))).collect();
        let files = files_block(&untold);
        match (review, files) {
            (Some(review), Some(files)) => Some(format!("{review}\n\n{files}")),
            (review, files) => review.or(files),
        }
    }
}

fn files_block(names: &[String]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let mut block = String::from(
        "<changed_files>\nThe text of these files is not what you last read or wrote; read them again before you rely on \
         them:\n",
    );
    for name in names.iter().take(MOST_TOLD) {
        block.push_str(&format!("{name}\n"));
    }
    if names.len() > MOST_TOLD {
        block.push_str(&format!("[{} more]\n", names.len() - MOST_TOLD));
    }
    block.push_str("</changed_files>");
    Some(block)
}
