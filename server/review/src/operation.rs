//! Keeping and undoing parts of one file.
//!
//! Keeping moves the baseline to the live text and touches nothing else. Undoing plans a new live text: lines that the
//! user did not touch become the baseline's again; where the user typed inside a hunk, the step from agent text to
//! agent text without the hunk is merged into the live text, so that the agent's part goes and what was typed stays.
//! What stays is the user's own then, and the baseline takes it over. If the merge fails, nothing of that hunk changes.

use std::collections::BTreeSet;

use kit_text::diff::{self, LineHunk};
use kit_text::{LineIndex, LineRange, Text, merge};

use crate::file::{Drift, FileState, ReviewFile};
use crate::splice::{adopt, follow, shift, splice, touch};

/// A planned undo.
#[derive(Clone, Debug)]
pub(crate) struct Undone {
    /// The file afterwards.
    pub(crate) state: FileState,
    /// The targets that could be undone.
    pub(crate) applied: Vec<LineHunk>,
    /// The others, and why.
    pub(crate) conflicts: Vec<(LineHunk, String)>,
}

impl Undone {
    /// The same with further targets that could not be undone.
    fn but(mut self, conflicts: impl Iterator<Item = (LineHunk, String)>) -> Self {
        self.conflicts.extend(conflicts);
        self.conflicts.sort_by_key(|(hunk, _)| hunk.current.start);
        self
    }
}

const TYPED_SAME_WORDS: &str =
    "what you typed cannot be told apart from what the agent wrote here; edit it by hand or keep it";
const TYPED_IN_SELECTION: &str = "you typed in these lines; undo the whole hunk instead";
const STANDS_IN_ANOTHER: &str =
    "lines of it stand in another change that cannot be undone; edit that one by hand or keep it";
const CREATED_AGAIN: &str = "the agent deleted this file and you created it again; it is not overwritten";
const TOO_LARGE: &str =
    "the file is too large to tell your changes from the agent's; edit it by hand or keep it";

impl ReviewFile {
    fn covers_all(&self, targets: &[LineHunk]) -> bool {
        self.line_hunks().iter().all(|hunk| targets.contains(hunk))
    }

    /// Accepts these hunks or parts of hunks.
    pub(crate) fn keep(&self, targets: &[LineHunk]) -> FileState {
        let mut state = self.state.clone();
        if self.covers_all(targets) {
            state.base.clone_from(&state.current);
            state.renamed_from = None;
        } else if let Some(current) = &state.current {
            let base = state.base.take().unwrap_or_default();
            state.base = Some(adopt(&base, current, targets));
        }
        state
    }

    /// Plans to take these hunks or parts of hunks back.
    pub(crate) fn undo(&self, targets: &[LineHunk]) -> Undone {
        let all_applied = |state| Undone { state, applied: targets.to_vec(), conflicts: Vec::new() };
        let refused = |why: &str| Undone {
            state: self.state.clone(),
            applied: Vec::new(),
            conflicts: targets.iter().map(|target| (*target, why.to_owned())).collect(),
        };
        let mut state = self.state.clone();
        match (&self.state.base, &self.state.current) {
            (None, None) => all_applied(state),
            (Some(base), None) => {
                state.agent = Some(base.clone());
                state.current = Some(base.clone());
                all_applied(state)
            }
            (Some(_), Some(_)) if self.is_recreated() => refused(CREATED_AGAIN),
            (Some(_) | None, Some(_)) if self.is_coarse() => {
                if self.drift().touches(LineRange::new(0, u32::MAX)) {
                    return refused(TOO_LARGE);
                }
                state.agent.clone_from(&state.base);
                state.current.clone_from(&state.base);
                all_applied(state)
            }
            (None, Some(current)) if self.covers_all(targets) => match self.without_creation(current) {
                Ok(rest) => {
                    state.base.clone_from(&rest);
                    state.agent.clone_from(&rest);
                    state.current = rest;
                    all_applied(state)
                }
                Err(_) => refused(TYPED_SAME_WORDS),
            },
            (base, Some(current)) => {
                self.undo_lines(base.clone().unwrap_or_default(), current.clone(), targets)
            }
        }
    }

    /// What is left of a created file without what the agent wrote: nothing, or what the user put there.
    fn without_creation(&self, current: &Text) -> Result<Option<Text>, merge::Conflict> {
        let agent = self.state.agent.clone().unwrap_or_default();
        if agent == *current {
            return Ok(None);
        }
        let rest = merge::three_way(&agent, current, &Text::default())?;
        Ok(Some(rest).filter(|rest| !rest.is_empty()))
    }

    fn undo_lines(&self, base: Text, live: Text, targets: &[LineHunk]) -> Undone {
        let mut targets = targets.to_vec();
        // From the bottom up, so that the lines of the targets above stay where they are in all three texts.
        targets.sort_by_key(|target| std::cmp::Reverse((target.current.start, target.base.start)));
        let agent_text = self.state.agent.clone().unwrap_or_default();
        let drift = match self.drift() {
            Drift::Lines(drift) => drift,
            Drift::Everywhere => Vec::new(),
        };
        let is_mixed = |target: &LineHunk| drift.iter().any(|drift| touch(drift.current, target.current));
        // Where lines repeat, what the agent changed can be told in other hunks than what differs now; all of it together
        // is the same either way.
        if !drift.is_empty()
            && self.covers_all(&targets)
            && let Ok(current) = merge::three_way(&agent_text, &live, &base)
        {
            let state = self.with(&live, Texts { agent: base, current });
            targets.reverse();
            return Undone { state, applied: targets, conflicts: Vec::new() };
        }
        let agent_hunks = if drift.is_empty() { Vec::new() } else { diff::hunks(&base, &agent_text) };

        // What was taken back further down begins here in the agent text.
        let mut taken_from = LineIndex(u32::MAX);
        let mut texts = Texts { agent: agent_text, current: live.clone() };
        let (mut applied, mut conflicts) = (Vec::new(), Vec::new());
        for target in targets {
            let in_agent = shift(target.current, &drift);
            if !is_mixed(&target) && in_agent.end <= taken_from {
                let old = base.lines_text(target.base);
                texts.agent = splice(&texts.agent, [(in_agent, old.clone())]);
                texts.current = splice(&texts.current, [(target.current, old)]);
                taken_from = in_agent.start;
                applied.push(target);
            } else if !self.line_hunks().contains(&target) {
                conflicts.push((target, TYPED_IN_SELECTION.to_owned()));
            } else {
                let of_target = |hunks: &[LineHunk]| -> Vec<LineHunk> {
                    let own = hunks.iter().filter(|hunk| touch(hunk.base, target.base));
                    own.copied().map(reversed).collect()
                };
                let mut own = of_target(&agent_hunks);
                // One change of the agent's can be two where the user typed in the middle of it: then it is gone in part
                // or whole, and what is left has other lines.
                if own.iter().any(|hunk| hunk.base.end >= taken_from) {
                    own = of_target(&diff::hunks(&base, &texts.agent));
                }
                match texts.without(&base, &own) {
                    Ok(without) => {
                        texts = without;
                        let first = own.iter().map(|hunk| hunk.base.start).min();
                        taken_from = taken_from.min(first.unwrap_or(taken_from));
                        applied.push(target);
                    }
                    Err(_) => conflicts.push((target, TYPED_SAME_WORDS.to_owned())),
                }
            }
        }
        applied.reverse();
        conflicts.reverse();
        // What one change of the agent's was told as, another may still hold.
        if self.covers_all(&applied) && texts.agent != base {
            let rest: Vec<LineHunk> = diff::hunks(&base, &texts.agent).into_iter().map(reversed).collect();
            match texts.without(&base, &rest) {
                Ok(without) => texts = without,
                Err(_) if applied.iter().any(is_mixed) => {
                    let (mixed, unmixed): (Vec<LineHunk>, Vec<LineHunk>) =
                        applied.into_iter().partition(is_mixed);
                    let refused = mixed.into_iter().map(|hunk| (hunk, TYPED_SAME_WORDS.to_owned()));
                    return self.undo_lines(base, live, &unmixed).but(refused);
                }
                Err(_) => {}
            }
        }
        let entangled = entangled(&base, &live, &mut applied, &conflicts);
        if !entangled.is_empty() {
            let refused = entangled.into_iter().map(|hunk| (hunk, STANDS_IN_ANOTHER.to_owned()));
            return self.undo_lines(base, live, &applied).but(conflicts.into_iter().chain(refused));
        }

        Undone { state: self.with(&live, texts), applied, conflicts }
    }

    /// The state with other texts, its marks moved along.
    fn with(&self, live: &Text, texts: Texts) -> FileState {
        let mut state = self.state.clone();
        let changes = diff::hunks(live, &texts.current);
        for mark in &mut state.marks {
            mark.lines = follow(mark.lines, &changes);
        }
        state.agent = Some(texts.agent);
        state.current = Some(texts.current);
        state
    }

    /// The hunks and parts of hunks that lie in these live lines.
    pub(crate) fn select_lines(&self, lines: LineRange) -> Vec<LineHunk> {
        let mut selected = Vec::new();
        for hunk in self.line_hunks() {
            if !touch(hunk.current, lines) || (hunk.current.is_empty() && !self.deletion_is_at(hunk, lines)) {
                continue;
            }
            let start = hunk.current.start.max(lines.start);
            let end = hunk.current.end.min(lines.end);
            if self.is_coarse() || (start, end) == (hunk.current.start, hunk.current.end) {
                selected.push(*hunk);
            } else if start < end {
                selected.push(self.part(hunk, LineRange { start, end }));
            }
        }
        selected
    }

    /// Deleted lines are drawn above the line that follows them, or below the last one.
    fn deletion_is_at(&self, hunk: &LineHunk, lines: LineRange) -> bool {
        let at = hunk.current.start;
        let last = self.current().map(crate::splice::all_lines).unwrap_or_default().end;
        (lines.start <= at && at < lines.end)
            || (lines.is_empty() && at == lines.start)
            || (at == last && at == lines.end)
    }

    fn part(&self, hunk: &LineHunk, lines: LineRange) -> LineHunk {
        let (old, new) = self.texts(hunk);
        let cuts = crate::align::boundaries(&old, &new);
        let cut = |line: u32| {
            let index = usize::try_from(line - hunk.current.start.0).unwrap_or(usize::MAX);
            let within = cuts.get(index).copied().unwrap_or(hunk.base.len());
            hunk.base.start.0 + within.min(hunk.base.len())
        };
        LineHunk { base: LineRange::new(cut(lines.start.0), cut(lines.end.0)), current: lines }
    }
}

/// Agent text and live text while hunks are taken back one by one.
struct Texts {
    agent: Text,
    current: Text,
}

impl Texts {
    /// The texts without one mixed hunk, whose lines in agent text and baseline are `of_target`.
    fn without(&self, base: &Text, of_target: &[LineHunk]) -> Result<Self, merge::Conflict> {
        let agent = adopt(&self.agent, base, of_target);
        let current = merge::three_way(&self.agent, &self.current, &agent)?;
        Ok(Self { agent, current })
    }
}

/// A hunk of a difference read from the other side.
fn reversed(hunk: LineHunk) -> LineHunk {
    LineHunk { base: hunk.current, current: hunk.base }
}

/// Takes those hunks out of `applied` in whose live lines there is a line that the baseline has in a hunk that stays.
///
/// Where lines repeat, the difference can show a line that is in both texts as gone from one hunk and come in another.
/// Undoing the second alone would lose it.
fn entangled(
    base: &Text,
    live: &Text,
    applied: &mut Vec<LineHunk>,
    conflicts: &[(LineHunk, String)],
) -> Vec<LineHunk> {
    let lines = |text: &Text, range: LineRange| -> BTreeSet<String> {
        let text = text.lines_text(range);
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let mut staying: BTreeSet<String> =
        conflicts.iter().flat_map(|(hunk, _)| lines(base, hunk.base)).collect();
    let mut found = Vec::new();
    while !staying.is_empty() {
        let stays = |hunk: &LineHunk| {
            let comes_back = lines(base, hunk.base);
            lines(live, hunk.current).iter().any(|line| staying.contains(line) && !comes_back.contains(line))
        };
        let (more, rest): (Vec<LineHunk>, Vec<LineHunk>) = applied.iter().copied().partition(stays);
        *applied = rest;
        staying = more.iter().flat_map(|hunk| lines(base, hunk.base)).collect();
        found.extend(more);
    }
    found
}
