//! One file under review, as a pure value.
//!
//! Three texts describe it: the baseline that the user has accepted, the agent text that the file would have if the
//! user had not typed inside the agent's changes, and the live text. Hunks are the difference from baseline to live
//! text and are never stored. Each change moves the texts so that the hunks stay what the agent did:
//!
//! - the agent's change alters the live text and the agent text;
//! - the user's change outside hunks alters all three, so it is no hunk; inside a hunk it alters the live text alone,
//!   and the hunk is *mixed* as long as live text and agent text differ there.
//!
//! A text is absent where the file does not exist: a created file has no baseline, a deleted one no live text. Files
//! that are too large or not text have one hunk for the whole file.

use std::sync::Arc;

use kit_protocol::{Attribution, FileStatus, HunkId, HunkKind};
use kit_text::diff::{self, LineHunk};
use kit_text::merge::{self, Disputed};
use kit_text::{LineRange, Text};
use kit_workspace::DocumentUri;

use crate::splice::{adopt, all_lines, carry, follow, touch};

/// Files with more bytes are reviewed as a whole.
pub const LARGEST_BYTES: usize = 2 * 1024 * 1024;
/// Files with more lines are reviewed as a whole.
pub const MOST_LINES: usize = 50_000;

/// Lines that a tool call wrote, in the live text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) lines: LineRange,
    pub(crate) by: Arc<Attribution>,
}

/// Everything about a file that an operation can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// What the user has accepted.
    pub(crate) base: Option<Text>,
    /// What the agent has made of it, without what the user typed into that.
    pub(crate) agent: Option<Text>,
    /// What is there.
    pub(crate) current: Option<Text>,
    /// Where the agent moved it from.
    pub(crate) renamed_from: Option<DocumentUri>,
    /// Whose the changed lines are, oldest first.
    pub(crate) marks: Vec<Mark>,
    /// The last tool call that changed it.
    pub(crate) last: Arc<Attribution>,
}

/// A hunk with everything but its place on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Its id.
    pub id: HunkId,
    /// Its lines in the baseline and in the live text.
    pub lines: LineHunk,
    /// What it does.
    pub kind: HunkKind,
    /// Whether the user typed inside it.
    pub mixed: bool,
    /// The tool calls that made it, oldest first; never empty.
    pub by: Vec<Arc<Attribution>>,
}

/// One file under review.
#[derive(Clone, Debug)]
pub struct ReviewFile {
    /// Which file.
    pub uri: DocumentUri,
    /// The document version of the live text, for an open file.
    pub version: Option<i32>,
    pub(crate) state: FileState,
    hunks: Vec<LineHunk>,
}

impl ReviewFile {
    pub(crate) fn new(uri: DocumentUri, version: Option<i32>, state: FileState) -> Self {
        let mut file = Self { uri, version, state, hunks: Vec::new() };
        file.settle();
        file
    }

    /// A file that is about to be changed for the first time.
    pub fn untouched(uri: DocumentUri, text: Option<Text>, attribution: Arc<Attribution>) -> Self {
        let state = FileState {
            base: text.clone(),
            agent: text.clone(),
            current: text,
            renamed_from: None,
            marks: Vec::new(),
            last: attribution,
        };
        Self { uri, version: None, state, hunks: Vec::new() }
    }

    /// What the user has accepted; `None` if the agent created the file.
    pub fn base(&self) -> Option<&Text> {
        self.state.base.as_ref()
    }

    /// What is there; `None` if the agent deleted the file.
    pub fn current(&self) -> Option<&Text> {
        self.state.current.as_ref()
    }

    /// Whether anything waits for the user.
    pub fn is_pending(&self) -> bool {
        !self.hunks.is_empty()
    }

    /// What happened to the file.
    pub fn status(&self) -> FileStatus {
        if self.state.renamed_from.is_some() {
            return FileStatus::Renamed;
        }
        match (&self.state.base, &self.state.agent, &self.state.current) {
            (None, _, _) => FileStatus::Created,
            (Some(_), _, None) | (Some(_), None, Some(_)) => FileStatus::Deleted,
            (Some(_), Some(_), Some(_)) => FileStatus::Modified,
        }
    }

    /// Whether the user created a file again that the agent had deleted.
    pub(crate) fn is_recreated(&self) -> bool {
        self.state.base.is_some() && self.state.agent.is_none() && self.state.current.is_some()
    }

    /// Whether the file has one hunk only because it is too large or not text.
    pub fn is_coarse(&self) -> bool {
        [&self.state.base, &self.state.current].into_iter().flatten().any(is_coarse)
    }

    /// The changed lines from baseline to live text.
    pub fn line_hunks(&self) -> &[LineHunk] {
        &self.hunks
    }

    /// The hunks in the order of the text.
    pub fn hunks(&self) -> Vec<Hunk> {
        let drift = self.drift();
        let mut hunks: Vec<Hunk> = Vec::with_capacity(self.hunks.len());
        let mut seen = std::collections::HashMap::new();
        for lines in &self.hunks {
            let (old, new) = self.texts(lines);
            let twins = seen.entry((old.clone(), new.clone())).or_insert(0_u32);
            let id = hunk_id(&self.uri, &old, &new, *twins);
            *twins += 1;
            let kind = match (lines.base.is_empty(), lines.current.is_empty()) {
                (true, false) => HunkKind::Add,
                (false, true) => HunkKind::Delete,
                (false, false) => HunkKind::Change,
                (true, true) => match self.status() {
                    FileStatus::Created => HunkKind::Add,
                    FileStatus::Deleted => HunkKind::Delete,
                    FileStatus::Modified | FileStatus::Renamed => HunkKind::Change,
                },
            };
            let mixed = drift.touches(lines.current);
            hunks.push(Hunk { id, lines: *lines, kind, mixed, by: self.authors(lines.current) });
        }
        hunks
    }

    /// The text of a hunk in baseline and live text.
    pub fn texts(&self, lines: &LineHunk) -> (String, String) {
        let of =
            |text: &Option<Text>, lines| text.as_ref().map(|text| text.lines_text(lines)).unwrap_or_default();
        (of(&self.state.base, lines.base), of(&self.state.current, lines.current))
    }

    fn authors(&self, lines: LineRange) -> Vec<Arc<Attribution>> {
        let mut authors: Vec<Arc<Attribution>> = Vec::new();
        for mark in self.state.marks.iter().filter(|mark| touch(mark.lines, lines)) {
            authors.retain(|author| *author != mark.by);
            authors.push(mark.by.clone());
        }
        if authors.is_empty() {
            authors.push(self.state.last.clone());
        }
        authors
    }

    /// Where the user typed inside hunks.
    pub(crate) fn drift(&self) -> Drift {
        match (&self.state.agent, &self.state.current) {
            (Some(agent), Some(current)) if is_coarse(agent) || is_coarse(current) => {
                if agent == current {
                    Drift::Lines(Vec::new())
                } else {
                    Drift::Everywhere
                }
            }
            (Some(agent), Some(current)) => Drift::Lines(diff::hunks(agent, current)),
            (None, None) => Drift::Lines(Vec::new()),
            (None, Some(_)) | (Some(_), None) => Drift::Everywhere,
        }
    }

    /// The agent changed the file from `before` to `after`.
    pub fn agent_edit(
        &mut self,
        before: Option<&Text>,
        after: Option<&Text>,
        attribution: &Arc<Attribution>,
    ) {
        if self.state.current.as_ref() != before {
            self.user_edit(before);
        }
        self.state.last = attribution.clone();
        let added = self.write(after);
        let mark = |lines| Mark { lines, by: attribution.clone() };
        self.state.marks.extend(added.into_iter().map(mark));
        self.settle();
    }

    /// Changes live text and agent text alike, and answers the changed lines.
    fn write(&mut self, after: Option<&Text>) -> Vec<LineRange> {
        let state = &mut self.state;
        match (&state.current, after) {
            (Some(current), Some(after)) if is_coarse(current) || is_coarse(after) => {
                let untouched = state.agent.as_ref() == Some(current);
                // What the user typed can no longer be told apart, so the agent text stays different from the live one.
                state.agent = if untouched { Some(after.clone()) } else { state.agent.take() };
                state.current = Some(after.clone());
                state.marks.clear();
                vec![all_lines(after)]
            }
            (Some(current), Some(after)) => {
                let changes = diff::hunks(current, after);
                state.agent = match &state.agent {
                    Some(agent) if agent != current => {
                        Some(merge::three_way_resolving(current, after, agent, &mut agent_text_of))
                    }
                    Some(_) | None => Some(after.clone()),
                };
                for mark in &mut state.marks {
                    mark.lines = follow(mark.lines, &changes);
                }
                state.current = Some(after.clone());
                changes.iter().map(|change| change.current).collect()
            }
            (_, after) => {
                state.agent = after.cloned();
                state.current = after.cloned();
                state.marks.clear();
                vec![after.map(all_lines).unwrap_or_default()]
            }
        }
    }

    /// Someone who is not the agent changed the live text to `after`.
    pub fn user_edit(&mut self, after: Option<&Text>) {
        let state = &mut self.state;
        if state.current.as_ref() == after {
            return;
        }
        match (&state.current, after) {
            (Some(current), Some(after)) => {
                let line_wise = !is_coarse(current) && !is_coarse(after);
                if line_wise {
                    let changes = diff::hunks(current, after);
                    if let (Some(base), Some(agent)) = (&state.base, &state.agent)
                        && !is_coarse(base)
                    {
                        let drift = diff::hunks(agent, current);
                        let outside: Vec<LineHunk> = changes
                            .iter()
                            .filter(|change| {
                                let alone = std::slice::from_ref(*change);
                                carry(base, &self.hunks, alone, after).complete
                            })
                            .copied()
                            .collect();
                        let moved_agent = carry(agent, &drift, &outside, after).text;
                        state.base = Some(carry(base, &self.hunks, &outside, after).text);
                        state.agent = Some(moved_agent);
                    }
                    for mark in &mut state.marks {
                        mark.lines = follow(mark.lines, &changes);
                    }
                }
                state.current = Some(after.clone());
            }
            // The user deleted the file: nothing of the agent's is left in it.
            (Some(_), None) => {
                state.base = None;
                state.agent = None;
                state.current = None;
                state.renamed_from = None;
            }
            // The user created it again: the agent text stays absent, which marks the conflict.
            (None, after) => state.current = after.cloned(),
        }
        self.settle();
    }

    /// Live text and agent text change by a step of the review itself.
    pub(crate) fn review_edit(&mut self, after: Option<&Text>) {
        self.write(after);
        self.settle();
    }

    /// Derives the hunks. Where the agent has no part in a difference, the baseline takes it over; where nothing is
    /// pending, the agent text and the marks go.
    fn settle(&mut self) {
        self.hunks = self.derive();
        if self.state.agent == self.state.current {
            // Sharing the tree keeps one copy in memory.
            self.state.agent.clone_from(&self.state.current);
        } else if let (Some(agent), Some(current)) = (self.state.agent.clone(), self.state.current.clone())
            && !is_coarse(&agent)
            && !is_coarse(&current)
        {
            self.settle_base(&agent, &current);
            let drift = diff::hunks(&agent, &current);
            let settled = drift
                .iter()
                .filter(|drift| !self.hunks.iter().any(|hunk| touch(drift.current, hunk.current)));
            self.state.agent = Some(adopt(&agent, &current, settled));
        }
        let hunks = &self.hunks;
        self.state.marks.retain(|mark| hunks.iter().any(|hunk| touch(mark.lines, hunk.current)));
    }

    fn settle_base(&mut self, agent: &Text, current: &Text) {
        let Some(base) = self.state.base.as_ref().filter(|base| !is_coarse(base)) else { return };
        let agents = diff::hunks(base, agent);
        let is_users = |hunk: &&LineHunk| !agents.iter().any(|agents| touch(agents.base, hunk.base));
        let mut of_user = self.hunks.iter().filter(is_users).peekable();
        if of_user.peek().is_some() {
            self.state.base = Some(adopt(base, current, of_user));
            self.hunks = self.derive();
        }
    }

    fn derive(&self) -> Vec<LineHunk> {
        let state = &self.state;
        let lines = |text: &Option<Text>| text.as_ref().map(all_lines).unwrap_or_default();
        let whole = LineHunk { base: lines(&state.base), current: lines(&state.current) };
        match (&state.base, &state.current) {
            (None, None) => Vec::new(),
            (Some(base), Some(current)) if base == current => match state.renamed_from {
                Some(_) => vec![LineHunk { base: LineRange::default(), current: LineRange::default() }],
                None => Vec::new(),
            },
            (Some(_), None) | (None, Some(_)) => vec![whole],
            (Some(_), Some(_)) if self.is_recreated() || self.is_coarse() => vec![whole],
            (Some(base), Some(current)) => diff::hunks(base, current),
        }
    }
}

/// Where live text and agent text differ.
pub(crate) enum Drift {
    /// In these lines, from agent text to live text.
    Lines(Vec<LineHunk>),
    /// They cannot be compared by lines.
    Everywhere,
}

impl Drift {
    pub(crate) fn touches(&self, lines: LineRange) -> bool {
        match self {
            Self::Lines(drift) => drift.iter().any(|drift| touch(drift.current, lines)),
            Self::Everywhere => true,
        }
    }
}

/// Whether a text is too large to compare by lines at every key, or not text.
pub(crate) fn is_coarse(text: &Text) -> bool {
    text.len_bytes() > LARGEST_BYTES
        || text.line_count() > MOST_LINES + 1
        || text.chunks().any(|chunk| chunk.as_bytes().contains(&0))
}

/// The agent text where the agent (our side) wrote into what the user had typed into the agent's text (their side).
///
/// If the agent replaced all of it, the agent's text is what it is now. If it changed a part, the rest stays what the
/// user typed, and so the agent text gains the new lines without losing the old ones.
pub(crate) fn agent_text_of(disputed: Disputed) -> String {
    let region = disputed.region.base;
    let replaced = disputed.our_changes.iter().fold(region.start, |reached, (lines, _)| {
        if lines.start <= reached { lines.end.max(reached) } else { reached }
    });
    if replaced >= region.end {
        return disputed.ours;
    }
    let mut text = disputed.theirs;
    for (_, added) in disputed.our_changes {
        if !text.is_empty() && !text.ends_with(['\n', '\r']) {
            text.push('\n');
        }
        text.push_str(&added);
    }
    text
}

fn hunk_id(uri: &DocumentUri, old: &str, new: &str, twin: u32) -> HunkId {
    let mut hasher = blake3::Hasher::new();
    for part in [uri.as_str(), old, new] {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&twin.to_le_bytes());
    HunkId::new(hasher.finalize().to_hex().get(..16).unwrap_or_default())
}
