//! What a command does to files comes under review: the desk has them looked at before and after it.
//!
//! Files that are under review already are compared with the ledger, all others with a census. A file that somebody else
//! changed through the workspace meanwhile is left to what the ledger knows of it. What a command makes equal to the last
//! commit, such as by checking a branch out, is no work of the agent that waits for anybody.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use kit_protocol::Attribution;
use kit_workspace::{Author, Census, Change, DocumentUri, FileChange, Workspace};

use super::ReviewDesk;
use super::commits::committed_of;
use crate::project::Projects;

/// Files of one command that come under review.
const MOST_CHANGES: usize = 1000;
/// Files that are named.
const MOST_NAMED: usize = 5;

/// Looks on while a command runs.
pub(crate) struct Onlooker {
    desk: Arc<ReviewDesk>,
    by: Attribution,
    before: Option<(Arc<Workspace>, Census, Touched)>,
}

/// The files that changed through the workspace since.
struct Touched(Arc<Mutex<HashSet<DocumentUri>>>);

impl Touched {
    fn take(self) -> HashSet<DocumentUri> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ReviewDesk {
    fn touched_from_now(&self) -> Touched {
        let touched = Arc::default();
        self.lock().touched.push(Arc::downgrade(&touched));
        Touched(touched)
    }

    pub(super) fn note_touched(&self, uri: &DocumentUri) {
        self.lock().touched.retain(|touched| {
            let Some(touched) = touched.upgrade() else { return false };
            touched.lock().unwrap_or_else(PoisonError::into_inner).insert(uri.clone());
            true
        });
    }
}

impl Onlooker {
    /// Looks at everything before the command.
    pub(crate) async fn begin(desk: Arc<ReviewDesk>, by: Attribution) -> Self {
        desk.look_at_files(Author::User).await;
        let before = match desk.attached() {
            Ok((_, workspace)) => {
                let touched = desk.touched_from_now();
                let census = workspace.census(Author::Agent(by.clone())).await;
                Some((workspace, census, touched))
            }
            Err(_) => None,
        };
        Self { desk, by, before }
    }

    /// Takes in what the command did. Answers what has to be said of it.
    pub(crate) async fn end(self, projects: &Arc<Projects>) -> Option<String> {
        let Self { desk, by, before } = self;
        desk.look_at_files(Author::Agent(by.clone())).await;
        let (workspace, census, touched) = before?;
        let found = workspace.changes_since(census).await;
        if found.is_partial {
            tracing::warn!(
                "not all files were looked at, so that changes of a command may not be under review"
            );
        }
        let touched = touched.take();
        let mut changes = found.changes;
        changes.retain(|change| !touched.contains(&change.location.uri));
        let committed =
            committed_of(projects, &workspace, changes.iter().map(|change| &change.location)).await;
        changes.retain(|change| !committed.contains(&change.location.real));
        let mut unreviewed = found.unread;
        let above = changes.split_off(changes.len().min(MOST_CHANGES));
        unreviewed.extend(above.into_iter().map(|change| change.location.display));
        desk.record_all(changes, by).await;
        said_of(&unreviewed)
    }
}

impl ReviewDesk {
    async fn record_all(&self, changes: Vec<FileChange>, by: Attribution) {
        if changes.is_empty() {
            return;
        }
        let recorded = self.with(move |ledger| {
            for FileChange { location, before, after } in changes {
                if ledger.file(&location.uri).is_some_and(|file| file.current() == after.as_ref()) {
                    continue;
                }
                ledger.record(&Change {
                    uri: location.uri,
                    version: None,
                    existed: before.is_some(),
                    before: before.unwrap_or_default(),
                    exists: after.is_some(),
                    after: after.unwrap_or_default(),
                    author: Author::Agent(by.clone()),
                })?;
            }
            Ok(())
        });
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "what a command did to files is not under review");
        }
    }
}

fn said_of(unreviewed: &[String]) -> Option<String> {
    if unreviewed.is_empty() {
        return None;
    }
    let more = unreviewed.len().saturating_sub(MOST_NAMED);
    let named = unreviewed.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("[the command changed files that cannot be reviewed: {named}{more}]"))
}
