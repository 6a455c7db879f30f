//! What follows the result of a tool call: instructions of the folders that it touched, and what the editor's other
//! servers say about an edit.
//!
//! Both are added to the result that the model reads, so that the beginning of the conversation never changes. Whether
//! instructions were told is seen in the conversation itself: after a compaction they are told again. Calls that run
//! side by side share a list of what they are about to tell.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kit_protocol::ToolKind;
use kit_tools::diagnostics::{self, Finding};
use kit_tools::{Access, ToolOutput};
use kit_workspace::{DocumentUri, Location};
use tokio_util::sync::CancellationToken;

use crate::dependencies::Shared;
use crate::project::instructions;

/// Instructions that calls of one answer are about to tell.
pub(super) type Claims = Arc<Mutex<BTreeSet<PathBuf>>>;

/// What is looked at after a call.
pub(super) struct Afterwards {
    shared: Arc<Shared>,
    /// The beginnings of the instructions that the conversation holds.
    told: BTreeSet<String>,
    claims: Claims,
    touched: Vec<Location>,
    /// What other servers said before an edit, and about which files.
    before: Option<(Vec<DocumentUri>, Vec<Finding>)>,
}

impl Afterwards {
    /// Looks around before a call. `told` are the beginnings of the instructions that the conversation holds.
    pub(super) async fn prepare(
        shared: Arc<Shared>,
        told: BTreeSet<String>,
        claims: Claims,
        kind: ToolKind,
        access: Option<Access>,
    ) -> Self {
        let touched = match access {
            Some(Access::Read { locations } | Access::Search { locations } | Access::Edit { locations }) => {
                locations
            }
            Some(Access::Free | Access::Execute { .. } | Access::Other { .. }) | None => Vec::new(),
        };
        let workspace = &shared.with.workspace;
        let before = if kind == ToolKind::Edit && workspace.editor().has_diagnostics() {
            let edited: Vec<DocumentUri> = touched.iter().map(|location| location.uri.clone()).collect();
            let files = diagnostics::watched_files(workspace, &edited);
            let answer = workspace.editor().diagnostics(files.clone()).await;
            Some((files, diagnostics::findings(workspace, &answer)))
        } else {
            None
        };
        Self { shared, told, claims, touched, before }
    }

    /// Adds to the result of the call what follows from it.
    pub(super) async fn add(self, mut output: ToolOutput, cancel: &CancellationToken) -> ToolOutput {
        if output.is_error {
            return output;
        }
        if let Some((files, before)) = &self.before
            && !output.metadata.file_diffs.is_empty()
        {
            let after = diagnostics::settled(&self.shared.with.workspace, files, before, cancel).await;
            let new = diagnostics::new_ones(before, after);
            if !new.is_empty() {
                let listed = diagnostics::listed(new);
                output.content.push_str(&format!("\n\n<new_diagnostics>\n{listed}</new_diagnostics>"));
            }
        }
        if let Some(block) = self.instructions().await {
            output.content.push_str(&block);
        }
        output
    }

    /// The instructions of the touched folders that were not told yet.
    async fn instructions(self) -> Option<String> {
        let Self { shared, told, claims, touched, .. } = self;
        let places: Vec<(PathBuf, PathBuf)> = touched
            .into_iter()
            .filter_map(|location| {
                let root = shared
                    .with
                    .workspace
                    .roots()
                    .into_iter()
                    .find(|root| Some(&root.path) == location.root.as_ref())?;
                // A folder's own instructions hold for the folder too.
                let below = if location.real.is_dir() { location.real.join("x") } else { location.real };
                Some((root.real, below))
            })
            .collect();
        let read = tokio::task::spawn_blocking(move || {
            let mut blocks = String::new();
            for (root, file) in places {
                for found in shared.with.projects.nested_instructions(&root, &file) {
                    let workspace = &shared.with.workspace;
                    let located = workspace.locate(&DocumentUri::from_path(&found.path));
                    let display = located.map_or_else(
                        |_| found.path.to_string_lossy().into_owned(),
                        |location| location.display,
                    );
                    if told.contains(&instructions::opening(&display)) {
                        continue;
                    }
                    let is_first =
                        claims.lock().unwrap_or_else(PoisonError::into_inner).insert(found.path.clone());
                    if is_first {
                        blocks.push_str(&instructions::block(&display, &found));
                    }
                }
            }
            blocks
        });
        read.await.ok().filter(|blocks| !blocks.is_empty())
    }
}
