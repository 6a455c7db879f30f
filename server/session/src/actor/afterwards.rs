//! What follows the result of a tool call: instructions of the folders that it touched, and what the editor's other
//! servers say about an edit.
//!
//! Both are added to the result that the model reads, so that the beginning of the conversation never changes. Whether
//! instructions were told is seen in the conversation itself: after a compaction they are told again. Calls that run
//! side by side share a list of what they are about to tell.
//!
//! Other servers need a moment after an edit. Only the last edit of an answer waits for them, and speaks for those before
//! it; what comes later than that is told after the next edit of the turn.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::ToolKind;
use kit_tools::diagnostics::{self, Finding};
use kit_tools::{Access, ToolOutput};
use kit_workspace::{DocumentUri, Location};
use tokio_util::sync::CancellationToken;

use super::news::Known;
use crate::dependencies::Shared;
use crate::project::instructions;

/// What the calls of a turn share.
#[derive(Clone, Default)]
pub(super) struct Aftermath(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Instructions that calls of one answer are about to tell.
    claimed: BTreeSet<PathBuf>,
    /// The files that other servers were asked about, and what the model knows of their findings.
    files: BTreeSet<DocumentUri>,
    findings: Vec<Finding>,
    /// Whether there was an edit since other servers were asked.
    owed: bool,
}

impl Aftermath {
    /// Another answer begins: what its calls are about to tell is not told yet.
    pub(super) fn begin_answer(&self) {
        self.lock().claimed.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call whose result is looked after.
pub(super) struct Afterwards {
    pub(super) shared: Arc<Shared>,
    pub(super) aftermath: Aftermath,
    pub(super) known: Known,
    /// The beginnings of the instructions that the conversation holds.
    pub(super) told: BTreeSet<String>,
    pub(super) kind: ToolKind,
    pub(super) access: Option<Access>,
    /// Whether another edit follows in the same answer.
    pub(super) more_edits: bool,
}

impl Afterwards {
    /// Looks around before the call.
    pub(super) async fn prepare(&self) {
        let workspace = &self.shared.with.workspace;
        if self.kind != ToolKind::Edit || !workspace.editor().has_diagnostics() {
            return;
        }
        let edited: Vec<DocumentUri> = self.touched().iter().map(|location| location.uri.clone()).collect();
        let unseen: Vec<DocumentUri> = {
            let state = self.aftermath.lock();
            let files = diagnostics::watched_files(workspace, &edited);
            files.into_iter().filter(|file| !state.files.contains(file)).collect()
        };
        if unseen.is_empty() {
            return;
        }
        let answer = workspace.editor().diagnostics(unseen.clone()).await;
        let found = diagnostics::findings(workspace, &answer);
        let mut state = self.aftermath.lock();
        state.files.extend(unseen);
        state.findings.extend(found);
        state.findings.sort();
    }

    /// Adds to the result of the call what follows from it.
    pub(super) async fn add(self, mut output: ToolOutput, cancel: &CancellationToken) -> ToolOutput {
        if !output.metadata.file_diffs.is_empty() {
            self.aftermath.lock().owed = true;
        }
        if self.kind == ToolKind::Edit
            && !self.more_edits
            && let Some(block) = self.diagnostics(cancel).await
        {
            output.content.push_str(&block);
        }
        if output.is_error {
            return output;
        }
        let touched = self.touched().to_vec();
        if matches!(self.access, Some(Access::Read { .. } | Access::Edit { .. })) {
            self.known.remember(&self.shared.with.workspace, &touched).await;
        }
        if let Some(block) = self.instructions(touched).await {
            output.content.push_str(&block);
        }
        output
    }

    fn touched(&self) -> &[Location] {
        match &self.access {
            Some(Access::Read { locations } | Access::Search { locations } | Access::Edit { locations }) => {
                locations
            }
            Some(Access::Free | Access::Execute { .. } | Access::Other { .. }) | None => &[],
        }
    }

    /// What other servers say that they did not say before.
    async fn diagnostics(&self, cancel: &CancellationToken) -> Option<String> {
        let (files, before) = {
            let mut state = self.aftermath.lock();
            if !std::mem::take(&mut state.owed) || state.files.is_empty() {
                return None;
            }
            (state.files.iter().cloned().collect::<Vec<_>>(), state.findings.clone())
        };
        let after = diagnostics::settled(&self.shared.with.workspace, &files, &before, cancel).await;
        let new = diagnostics::new_ones(&before, after.clone());
        self.aftermath.lock().findings = after;
        let listed = diagnostics::listed(new);
        (!listed.is_empty()).then(|| format!("\n\n<new_diagnostics>\n{listed}</new_diagnostics>"))
    }

    /// The instructions of the touched folders that were not told yet.
    async fn instructions(self, touched: Vec<Location>) -> Option<String> {
        let Self { shared, told, aftermath, .. } = self;
        let roots = shared.with.workspace.roots();
        let places: Vec<(PathBuf, PathBuf)> = touched
            .into_iter()
            .filter_map(|location| {
                let root = roots.iter().find(|root| Some(&root.path) == location.root.as_ref())?;
                // A folder's own instructions hold for the folder too.
                let below = if location.real.is_dir() { location.real.join("x") } else { location.real };
                Some((root.real.clone(), below))
            })
            .collect();
        if places.is_empty() {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut blocks = String::new();
            for (root, file) in places {
                for found in shared.with.projects.nested_instructions(&root, &file) {
                    let located = shared.with.workspace.locate(&DocumentUri::from_path(&found.path));
                    let display = located.map_or_else(
                        |_| found.path.to_string_lossy().into_owned(),
                        |location| location.display,
                    );
                    let is_told = told.contains(&instructions::opening(&display));
                    if !is_told && aftermath.lock().claimed.insert(found.path.clone()) {
                        blocks.push_str(&instructions::block(&display, &found));
                    }
                }
            }
            blocks
        });
        read.await.ok().filter(|blocks| !blocks.is_empty())
    }
}
