//! Keep and undo: choosing hunks, changing baselines, planning new texts, and committing what was carried out.

use kit_protocol::{HunkId, ReviewAnswer, ReviewConflict, SessionId, TurnId};
use kit_text::diff::{self, LineHunk};
use kit_text::{Text, merge};
use kit_workspace::DocumentUri;

use crate::feedback::{Feedback, patch};
use crate::file::{FileState, ReviewFile};
use crate::ledger::{Ledger, ids};
use crate::selection::{Chosen, Selection};
use crate::splice::{adopt, touch};
use crate::state::StoredStepFile;
use crate::store::{Locked, StoreError};

/// What a plan makes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The file is to hold this text.
    Text(Text),
    /// The file is to be deleted.
    Delete,
    /// The file, which does not exist, is to be created with this text.
    Restore(Text),
}

/// One file that has to change for an undo, a rewind or the reversal of one.
///
/// The caller carries it out and then calls [`Ledger::commit`], whatever came of it. It must refuse if the file does
/// not hold `expected_current`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    /// The file.
    pub uri: DocumentUri,
    /// What it must hold before; `None`: it must not exist.
    pub expected_current: Option<Text>,
    /// What it is to hold.
    pub target: Target,
    /// The hunks that this settles.
    pub hunks: Vec<HunkId>,
    pub(crate) step: Step,
    pub(crate) before: FileState,
    /// The state to commit; `None` for the former name of a renamed file, which has no record of its own.
    pub(crate) after: Option<FileState>,
}

/// What a plan is part of.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A step that can be taken back under this id.
    New { id: String, reason: Option<String> },
    /// The same, and the step takes these turns' edits back.
    Rewind { id: String, session: SessionId, turns: Vec<TurnId> },
    /// The reversal of the step with this id.
    Reversal { id: String },
}

/// Plans, and what could not be planned.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Files to change, in the order in which to change them.
    pub plans: Vec<Plan>,
    /// Hunks that were settled already, without any file changing.
    pub applied: Vec<HunkId>,
    /// Hunks that stay as they are, and why.
    pub conflicts: Vec<ReviewConflict>,
}

/// What came of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanOutcome {
    /// The file holds the target.
    Applied,
    /// The file was not changed.
    Failed {
        /// One sentence.
        why: String,
    },
}

impl Ledger {
    /// Accepts hunks. Only baselines change.
    pub fn keep(&mut self, selection: &Selection) -> Result<ReviewAnswer, StoreError> {
        let locked = self.begin()?;
        let step = new_step_id();
        let (chosen, mut answer) = self.choose(selection);
        for Chosen { uri, targets, shared } in chosen {
            let Some(entry) = self.entries.get(&uri) else { continue };
            let before = entry.file.state.clone();
            let lines: Vec<LineHunk> = targets.iter().map(|(lines, _)| *lines).collect();
            let mut after = if lines.is_empty() { before.clone() } else { entry.file.keep(&lines) };
            let mut settled: Vec<HunkId> = targets.into_iter().map(|(_, id)| id).collect();
            if !shared.is_empty() {
                let edits = self.edits_of(&uri, selection)?;
                let rest = ReviewFile::new(uri.clone(), None, after.clone());
                match keep_share(&rest, &edits) {
                    Some(base) => {
                        after.base = Some(base);
                        settled.extend(shared);
                    }
                    None => answer.conflicts.extend(shared.into_iter().map(others_rewrote)),
                }
            }
            if settled.is_empty() {
                continue;
            }
            let news = Feedback::Kept {
                uri: uri.as_str().to_owned(),
                patch: patch(before.base.as_ref(), after.base.as_ref()),
            };
            self.note_step(&locked, &step, &uri, settled.clone(), &before, &after)?;
            self.recent.forget(&uri);
            let entry = self.replace(&uri, &before, after).clone();
            self.tell(&entry, &news);
            answer.applied.extend(settled);
        }
        self.save(&locked)?;
        Ok(answer)
    }

    /// Plans to take hunks back. Nothing changes until the plans are committed.
    pub fn plan_undo(
        &mut self,
        selection: &Selection,
        reason: Option<String>,
    ) -> Result<Planned, StoreError> {
        drop(self.begin()?);
        let id = new_step_id();
        let (chosen, answer) = self.choose(selection);
        let mut planned = Planned { conflicts: answer.conflicts, ..Planned::default() };
        for Chosen { uri, targets, shared } in chosen {
            let Some(entry) = self.entries.get(&uri) else { continue };
            let file = &entry.file;
            let before = file.state.clone();
            let lines: Vec<LineHunk> = targets.iter().map(|(lines, _)| *lines).collect();
            let id_of = |wanted: &LineHunk| {
                targets.iter().find(|(lines, _)| lines == wanted).map(|(_, id)| id.clone())
            };
            let (mut after, mut settled) = (before.clone(), Vec::new());
            if !lines.is_empty() {
                let undone = file.undo(&lines);
                after = undone.state;
                settled.extend(undone.applied.iter().filter_map(id_of));
                let conflict = |(lines, why)| id_of(&lines).map(|id| ReviewConflict { id, why });
                planned.conflicts.extend(undone.conflicts.into_iter().filter_map(conflict));
            }
            if !shared.is_empty() {
                let edits = self.edits_of(&uri, selection)?;
                let rest = ReviewFile::new(uri.clone(), None, after.clone());
                match undo_share(rest, &edits) {
                    Some(state) => {
                        after = state;
                        settled.extend(shared);
                    }
                    None => planned.conflicts.extend(shared.into_iter().map(others_rewrote)),
                }
            }
            if !settled.is_empty() {
                let step = Step::New { id: id.clone(), reason: reason.clone() };
                planned.plans.extend(plans_for(&uri, step, settled, before, after, lines.len()));
            }
        }
        Ok(planned)
    }

    /// Takes note of what came of a plan.
    pub fn commit(&mut self, plan: Plan, outcome: PlanOutcome) -> Result<ReviewAnswer, StoreError> {
        let mut answer = ReviewAnswer::default();
        if let PlanOutcome::Failed { why } = outcome {
            answer.conflicts.extend(plan.hunks.into_iter().map(|id| ReviewConflict { id, why: why.clone() }));
            return Ok(answer);
        }
        let Plan { uri, step, before, after, hunks, .. } = plan;
        let Some(after) = after else { return Ok(answer) };
        let locked = self.begin()?;
        // The change itself may have been recorded already, and more on top of it.
        let live = self.entries.get(&uri).map(|entry| entry.file.state.current.clone());
        let later = live.filter(|live| *live != before.current && *live != after.current);
        match &step {
            Step::New { id, .. } | Step::Rewind { id, .. } => {
                let reason = if let Step::New { reason, .. } = &step { reason.clone() } else { None };
                let news = Feedback::Undone {
                    uri: uri.as_str().to_owned(),
                    patch: patch(before.current.as_ref(), after.current.as_ref()),
                    reason,
                };
                self.note_step(&locked, id, &uri, hunks.clone(), &before, &after)?;
                self.recent.remember(&uri, &before);
                let entry = self.replace(&uri, &before, after).clone();
                self.tell(&entry, &news);
                if let Step::Rewind { id, session, turns } = &step {
                    for edit in self.edits.iter_mut().filter(|edit| edit.is_live_of(session, turns)) {
                        if edit.uri == uri.as_str() {
                            edit.rewound_by = Some(id.clone());
                        }
                    }
                }
            }
            Step::Reversal { id } => {
                self.recent.forget(&uri);
                self.replace(&uri, &before, after);
                self.forget_step_file(id, &uri);
                for edit in self.edits.iter_mut().filter(|edit| edit.uri == uri.as_str()) {
                    edit.rewound_by.take_if(|rewind| rewind == id);
                }
            }
        }
        if let (Some(later), Some(entry)) = (later, self.entries.get_mut(&uri)) {
            entry.file.user_edit(later.as_ref());
        }
        self.save(&locked)?;
        answer.applied = hunks;
        Ok(answer)
    }

    fn choose(&self, selection: &Selection) -> (Vec<Chosen>, ReviewAnswer) {
        let chosen: Vec<Chosen> = self.entries.values().map(|entry| selection.choose(&entry.file)).collect();
        let found: Vec<&HunkId> =
            chosen.iter().flat_map(|chosen| &chosen.targets).map(|(_, id)| id).collect();
        let answer = ReviewAnswer { conflicts: selection.missing(&found), ..ReviewAnswer::default() };
        (chosen, answer)
    }

    /// Before and after of the edits of a file that a selection means, oldest first.
    fn edits_of(&self, uri: &DocumentUri, selection: &Selection) -> Result<Vec<(Text, Text)>, StoreError> {
        let mut texts = Vec::new();
        for edit in &self.edits {
            if edit.uri == uri.as_str() && selection.means(&edit.session, &edit.turn) {
                let before = self.get(edit.before.as_ref())?.unwrap_or_default();
                texts.push((before, self.get(edit.after.as_ref())?.unwrap_or_default()));
            }
        }
        Ok(texts)
    }

    pub(crate) fn note_step(
        &mut self,
        locked: &Locked,
        id: &str,
        uri: &DocumentUri,
        hunks: Vec<HunkId>,
        before: &FileState,
        after: &FileState,
    ) -> Result<(), StoreError> {
        // The step is recorded as it will stand, so that taking it back compares like with like.
        let after = ReviewFile::new(uri.clone(), None, after.clone()).state;
        let before = self.store_state(locked, uri, before)?;
        let after = self.store_state(locked, uri, &after)?;
        self.push_step(id, StoredStepFile { hunks, before, after });
        Ok(())
    }
}

/// The plans that take one file from one state to another.
pub(crate) fn plans_for(
    uri: &DocumentUri,
    step: Step,
    hunks: Vec<HunkId>,
    before: FileState,
    mut after: FileState,
    undone: usize,
) -> Vec<Plan> {
    let pending = ReviewFile::new(uri.clone(), None, before.clone());
    let all = undone > 0
        && undone == pending.line_hunks().len()
        && ids(&pending).iter().all(|id| hunks.contains(id));
    let mut plans = Vec::new();
    if let (Some(former), true, Some(text)) = (before.renamed_from.clone(), all, after.current.clone()) {
        plans.push(Plan {
            uri: former,
            expected_current: None,
            target: Target::Restore(text),
            hunks: Vec::new(),
            step: step.clone(),
            before: before.clone(),
            after: None,
        });
        after = FileState { base: None, agent: None, current: None, renamed_from: None, ..after };
    }
    let target = match (&before.current, &after.current) {
        (_, None) => Target::Delete,
        (None, Some(text)) => Target::Restore(text.clone()),
        (Some(_), Some(text)) => Target::Text(text.clone()),
    };
    let expected_current = before.current.clone();
    plans.push(Plan { uri: uri.clone(), expected_current, target, hunks, step, before, after: Some(after) });
    plans
}

fn others_rewrote(id: HunkId) -> ReviewConflict {
    let why = "other turns changed the same lines; keep or undo the hunk as a whole".to_owned();
    ReviewConflict { id, why }
}

/// The live text without some edits, where something is pending.
fn undo_share(mut file: ReviewFile, edits: &[(Text, Text)]) -> Option<FileState> {
    let current = file.current()?.clone();
    let mut without = current.clone();
    for (before, after) in edits.iter().rev() {
        without = merge::three_way(after, &without, before).ok()?;
    }
    let mut changes = diff::hunks(&current, &without);
    changes.retain(|change| file.line_hunks().iter().any(|hunk| touch(change.base, hunk.current)));
    file.review_edit(Some(&adopt(&current, &without, &changes)));
    (!changes.is_empty()).then_some(file.state)
}

/// The baseline with some edits, where something is pending.
fn keep_share(file: &ReviewFile, edits: &[(Text, Text)]) -> Option<Text> {
    let base = file.base()?;
    let mut with = base.clone();
    for (before, after) in edits {
        with = merge::three_way(before, &with, after).ok()?;
    }
    let mut changes = diff::hunks(base, &with);
    changes.retain(|change| file.line_hunks().iter().any(|hunk| touch(change.base, hunk.base)));
    (!changes.is_empty()).then(|| adopt(base, &with, &changes))
}

/// An id that no step of this or another process has.
pub(crate) fn new_step_id() -> String {
    kit_protocol::TurnId::random().as_str().to_owned()
}
