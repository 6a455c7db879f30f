//! A commit accepts: what the user has committed needs no review any more.
//!
//! A file is settled when it is as in the last commit and its document holds nothing else. That the commit was made by a
//! command of the agent makes no difference, since such a command is asked about.

use std::path::PathBuf;
use std::sync::Arc;

use kit_text::Text;
use kit_workspace::{DocumentUri, same_lines};

use super::ReviewDesk;
use crate::git::Git;
use crate::project::Projects;

impl ReviewDesk {
    /// Accepts the changes of files that are as in the last commit.
    pub(crate) async fn accept_committed(&self, projects: &Arc<Projects>) {
        let Ok((_, workspace)) = self.attached() else { return };
        let Ok(pending) = self.list(kit_protocol::ReviewListArguments::default()).await else { return };
        let mut committed = Vec::new();
        for root in workspace.roots() {
            let files: Vec<(DocumentUri, PathBuf)> = pending
                .files
                .iter()
                .filter_map(|file| workspace.locate(&DocumentUri::parse(&file.uri)).ok())
                .filter(|location| location.root.as_ref() == Some(&root.path))
                .map(|location| (location.uri, location.real))
                .collect();
            if files.is_empty() {
                continue;
            }
            let Some(git) = Git::of(projects, &root.path).await else { continue };
            let paths: Vec<PathBuf> = files.iter().map(|(_, real)| real.clone()).collect();
            let Some(uncommitted) = git.uncommitted(&paths).await else { continue };
            committed.extend(files.into_iter().filter(|(_, real)| !uncommitted.contains(real)));
        }
        if committed.is_empty() {
            return;
        }
        let accepted = self.with(move |ledger| {
            let settled: Vec<DocumentUri> = committed
                .into_iter()
                .filter(|(uri, real)| {
                    let current = ledger.file(uri).and_then(|file| file.current().cloned());
                    let on_disk = std::fs::read_to_string(real).ok().map(|text| Text::from(text.as_str()));
                    match (current, on_disk) {
                        (Some(current), Some(on_disk)) => same_lines(&current, &on_disk),
                        (None, None) => true,
                        (Some(_), None) | (None, Some(_)) => false,
                    }
                })
                .map(|(uri, _)| uri)
                .collect();
            ledger.accept(&settled)
        });
        if let Err(error) = accepted.await {
            tracing::warn!(%error, "what is committed still waits for review");
        }
    }
}
