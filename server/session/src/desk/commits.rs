//! A commit accepts: what the user has committed needs no review any more.
//!
//! A file is settled when it is as in the last commit and its document holds nothing else. That the commit was made by a
//! command of the agent makes no difference, since such a command is asked about.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_text::Text;
use kit_workspace::{DocumentUri, Location, Workspace, same_lines};

use super::ReviewDesk;
use crate::git::Git;
use crate::project::Projects;

impl ReviewDesk {
    /// Accepts the changes of files that are as in the last commit.
    pub(crate) async fn accept_committed(&self, projects: &Arc<Projects>) {
        let Ok((_, workspace)) = self.attached() else { return };
        let Ok(pending) = self.list(kit_protocol::ReviewListArguments::default()).await else { return };
        let pending: Vec<Location> = pending
            .files
            .iter()
            .filter_map(|file| workspace.locate(&DocumentUri::parse(&file.uri)).ok())
            .collect();
        let committed = committed_of(projects, &workspace, &pending).await;
        if committed.is_empty() {
            return;
        }
        let accepted = self.with(move |ledger| {
            let settled: Vec<DocumentUri> = pending
                .into_iter()
                .filter(|file| committed.contains(&file.real))
                .filter(|file| {
                    let current = ledger.file(&file.uri).and_then(|file| file.current().cloned());
                    let on_disk = std::fs::read_to_string(&file.real).ok();
                    let on_disk = on_disk.map(|text| Text::from(text.as_str()));
                    match (current, on_disk) {
                        (Some(current), Some(on_disk)) => same_lines(&current, &on_disk),
                        (None, None) => true,
                        (Some(_), None) | (None, Some(_)) => false,
                    }
                })
                .map(|file| file.uri)
                .collect();
            ledger.accept(&settled)
        });
        if let Err(error) = accepted.await {
            tracing::warn!(%error, "what is committed still waits for review");
        }
    }
}

/// The real paths of those files that are as in the last commit of their root. Of a root where git cannot tell, none is.
pub(super) async fn committed_of(
    projects: &Arc<Projects>,
    workspace: &Workspace,
    files: impl IntoIterator<Item = &Location>,
) -> HashSet<PathBuf> {
    let mut by_root: HashMap<&Path, Vec<PathBuf>> = HashMap::new();
    for file in files {
        if let Some(root) = &file.root {
            by_root.entry(root).or_default().push(file.real.clone());
        }
    }
    let mut committed = HashSet::new();
    for root in workspace.roots() {
        let Some(inside) = by_root.remove(root.path.as_path()) else { continue };
        let Some(git) = Git::of(projects, &root.path).await else { continue };
        let Some(uncommitted) = git.uncommitted(&inside).await else { continue };
        committed.extend(inside.into_iter().filter(|file| !uncommitted.contains(file)));
    }
    committed
}
