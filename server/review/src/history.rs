//! Going back: the reversal of the last step of the review, and rewinding files to before a turn.
//!
//! Both merge. A reversal applies the step's inverse to what the texts have become since; a rewind takes the turn's
//! edits out of the live text one by one, the last first. Where that cannot be told apart from what the user did since,
//! the file stays as it is and the answer says so.

use kit_protocol::{ReviewConflict, SessionId, TurnId};
use kit_text::{Text, diff, merge};
use kit_workspace::DocumentUri;

use crate::file::{FileState, ReviewFile, agent_text_of};
use crate::ledger::Ledger;
use crate::review::{Planned, Step, new_step_id, plans_for};
use crate::splice::{carry, follow, shift, touch};
use crate::state::StoredStepFile;
use crate::store::StoreError;

/// Files to rewind, and files that stay.
#[derive(Clone, Debug, Default)]
pub struct PlannedRewind {
    /// What to change.
    pub planned: Planned,
    /// Files that cannot be rewound, and why.
    pub skip: Vec<(DocumentUri, String)>,
}

type Side = Option<Text>;

/// The texts of an edit that is to be taken back.
struct Done {
    before: Side,
    after: Side,
    agent_before: Side,
    agent_after: Side,
    base: Side,
}

impl Ledger {
    /// Plans to take back the last keep, undo or rewind. A keep is taken back at once, since no file changes.
    pub fn plan_revert(&mut self) -> Result<Planned, StoreError> {
        let locked = self.begin()?;
        let mut planned = Planned::default();
        let Some(step) = self.steps.last().cloned() else { return Ok(planned) };
        for StoredStepFile { hunks, before, after } in step.files {
            let uri = DocumentUri::parse(&before.uri);
            let (before, after) = (self.load(&before)?, self.load(&after)?);
            let now = match self.state_now(&uri, &after) {
                Ok(now) => now,
                Err(why) => {
                    planned
                        .conflicts
                        .extend(hunks.into_iter().map(|id| ReviewConflict { id, why: why.clone() }));
                    continue;
                }
            };
            match reversed(&before, &after, &now) {
                Err(why) => {
                    planned
                        .conflicts
                        .extend(hunks.into_iter().map(|id| ReviewConflict { id, why: why.clone() }));
                }
                Ok(state) if state.current == now.current => {
                    self.recent.forget(&uri);
                    self.replace(&uri, &now, state);
                    self.forget_step_file(&step.id, &uri);
                    planned.applied.extend(hunks);
                }
                Ok(state) => {
                    let step = Step::Reversal { id: step.id.clone() };
                    planned.plans.extend(plans_for(&uri, step, hunks, now, state, 0));
                }
            }
        }
        if !planned.applied.is_empty() {
            self.save(&locked)?;
        }
        Ok(planned)
    }

    /// Plans to put the files of a session back to before a turn. `turns` are that turn and all after it.
    pub fn plan_rewind(
        &mut self,
        session: &SessionId,
        turns: &[TurnId],
    ) -> Result<PlannedRewind, StoreError> {
        drop(self.begin()?);
        let id = new_step_id();
        let mut files: Vec<(DocumentUri, Vec<Done>)> = Vec::new();
        for edit in self.edits.iter().filter(|edit| edit.is_live_of(session, turns)) {
            let uri = DocumentUri::parse(&edit.uri);
            let texts = Done {
                before: self.get(edit.before.as_ref())?,
                after: self.get(edit.after.as_ref())?,
                agent_before: self.get(edit.agent_before.as_ref())?,
                agent_after: self.get(edit.agent_after.as_ref())?,
                base: self.get(edit.base.as_ref())?,
            };
            match files.iter_mut().find(|(known, _)| *known == uri) {
                Some((_, edits)) => edits.push(texts),
                None => files.push((uri, vec![texts])),
            }
        }
        let mut rewind = PlannedRewind::default();
        for (uri, edits) in files {
            let outcome = self.fallback_state(&uri).and_then(|now| {
                let after = rewound(&now, &edits)?;
                Ok((now, after))
            });
            match outcome {
                Err(why) => rewind.skip.push((uri, why)),
                Ok((now, after)) if now == after => {}
                Ok((now, after)) => {
                    let step =
                        Step::Rewind { id: id.clone(), session: session.clone(), turns: turns.to_vec() };
                    rewind.planned.plans.extend(plans_for(&uri, step, Vec::new(), now, after, 0));
                }
            }
        }
        Ok(rewind)
    }

    /// Forgets that a step changed a file, and the step with its last file.
    pub(crate) fn forget_step_file(&mut self, id: &str, uri: &DocumentUri) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.id == id) {
            step.files.retain(|file| file.before.uri != uri.as_str());
        }
        self.steps.retain(|step| !step.files.is_empty());
    }

    /// A file as it is: under review, or settled with what it holds.
    fn state_now(&self, uri: &DocumentUri, like: &FileState) -> Result<FileState, String> {
        if let Some(file) = self.file(uri) {
            return Ok(file.state.clone());
        }
        let text = self.texts.current(uri)?.text;
        Ok(ReviewFile::untouched(uri.clone(), text, like.last.clone()).state)
    }

    fn fallback_state(&self, uri: &DocumentUri) -> Result<FileState, String> {
        if let Some(file) = self.file(uri) {
            return Ok(file.state.clone());
        }
        let text = self.texts.current(uri)?.text;
        let nobody = kit_protocol::Attribution {
            session: SessionId::new(""),
            turn: TurnId::new(""),
            agent: kit_protocol::AgentId::main(),
            tool_call_id: kit_protocol::ToolCallId::new(""),
            title: String::new(),
        };
        Ok(ReviewFile::untouched(uri.clone(), text, nobody.into()).state)
    }
}

const CHANGED_SINCE: &str = "the same text was changed again since";
const EXISTS_AGAIN: &str = "the file exists again; it is not overwritten";
const DELETED_SINCE: &str = "the file was deleted since";

/// `now` with the change from `after` to `before` made to it.
fn without(before: &Side, after: &Side, now: &Side) -> Result<Side, String> {
    if now == after {
        return Ok(before.clone());
    }
    match (before, after, now) {
        (None, None, now) => Ok(now.clone()),
        (_, Some(after), Some(now)) => {
            let gone = Text::default();
            let merged = merge::three_way(after, now, before.as_ref().unwrap_or(&gone));
            let merged = merged.map_err(|_| CHANGED_SINCE.to_owned())?;
            Ok(Some(merged).filter(|merged| before.is_some() || !merged.is_empty()))
        }
        (Some(_), None, Some(_)) => Err(EXISTS_AGAIN.to_owned()),
        (_, _, None) => Err(DELETED_SINCE.to_owned()),
    }
}

/// The same for the agent text, with `now` where a file is missing. Where lines dispute, what the agent had there before and
/// what came since are the agent's, and nothing else: what stood there in between can hold lines that the user typed and
/// that the agent text took over when the agent's were gone. As the agent's, they would go with its next undo.
fn agent_without(before: &Side, after: &Side, now: &Side) -> Side {
    match (before, after, now) {
        _ if now == after => before.clone(),
        (Some(before), Some(after), Some(now)) => {
            Some(merge::three_way_resolving(after, now, before, &mut agent_text_of))
        }
        (_, _, now) => now.clone(),
    }
}

fn reversed(before: &FileState, after: &FileState, now: &FileState) -> Result<FileState, String> {
    let current = without(&before.current, &after.current, &now.current)?;
    let base = without(&before.base, &after.base, &now.base)?;
    let mut state = FileState {
        base,
        agent: agent_without(&before.agent, &after.agent, &now.agent),
        current,
        renamed_from: before.renamed_from.clone(),
        marks: before.marks.clone(),
        last: before.last.clone(),
    };
    if let (Some(before), Some(current)) = (&before.current, &state.current) {
        let changes = diff::hunks(before, current);
        for mark in &mut state.marks {
            mark.lines = follow(mark.lines, &changes);
        }
    }
    Ok(state)
}

/// The baseline when an edit was taken out of the live text. What changed outside of hunks had been kept, and goes from the
/// baseline too, but only where the baseline changed since the edit: elsewhere nothing of the edit can have been kept,
/// and what comes back still waits.
fn base_without(edit: &Done, base: &Side, live: &Side, live_without: &Side) -> Side {
    let (Some(base), Some(live), Some(live_without)) = (base, live, live_without) else {
        return edit.base.clone();
    };
    let since = diff::hunks(edit.base.as_ref().unwrap_or(&Text::default()), base);
    let pending = diff::hunks(base, live);
    let mut changes = diff::hunks(live, live_without);
    changes.retain(|change| {
        let lines = shift(change.base, &pending);
        since.iter().any(|since| touch(lines, since.current))
    });
    Some(carry(base, &pending, &changes, live_without).text)
}

fn rewound(now: &FileState, edits: &[Done]) -> Result<FileState, String> {
    let mut state = now.clone();
    for edit in edits.iter().rev() {
        let current = without(&edit.before, &edit.after, &state.current)?;
        if state.base != edit.base {
            state.base = base_without(edit, &state.base, &state.current, &current);
        }
        state.current = current;
        state.agent = agent_without(&edit.agent_before, &edit.agent_after, &state.agent);
    }
    if let (Some(before), Some(after)) = (&now.current, &state.current) {
        let changes = diff::hunks(before, after);
        for mark in &mut state.marks {
            mark.lines = follow(mark.lines, &changes);
        }
    }
    Ok(state)
}
