//! All reviewed files of one set of roots, kept in memory and in a folder.
//!
//! An operation locks the folder, takes over what another process wrote since, changes the files in memory, writes
//! texts and state, and unlocks. What the user types is only kept in memory until [`Ledger::flush`] or the next
//! operation: after a crash it is found again as the difference between the stored and the real text. For the same
//! reason a file whose real text differs from the stored one is shown as it is, but its record is not rewritten until
//! something happens to it; so another process that shows other unsaved text never spoils the record.
//!
//! The ledger never writes a user's file. It asks for texts through [`CurrentTexts`], and hands out plans.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_protocol::{
    Attribution, HunkId, LineSpan, ReviewHunk, ReviewListArguments, ReviewState, ReviewSummary, ReviewedFile,
    SessionId,
};
use kit_text::{LineRange, Text, merge};
use kit_workspace::{Author, Change, DocumentUri};

use crate::feedback::{Feedback, patch};
use crate::file::{FileState, ReviewFile};
use crate::recent::Recent;
use crate::state::{StoredEdit, StoredFeedback, StoredFile, StoredStep, StoredStepFile};
use crate::store::{Locked, Store, StoreError};

/// What a file holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// Its text; `None` if it does not exist.
    pub text: Option<Text>,
    /// The document version, if it is open.
    pub version: Option<i32>,
}

/// Where the ledger learns what files hold: open documents first, then the disk.
pub trait CurrentTexts: Send + Sync {
    /// What a file holds, or why that cannot be said.
    fn current(&self, uri: &DocumentUri) -> Result<Current, String>;

    /// Whether what an agent changes in a file is accepted at once.
    fn is_kept_at_once(&self, _uri: &DocumentUri) -> bool {
        false
    }
}

impl<F: Fn(&DocumentUri) -> Result<Current, String> + Send + Sync> CurrentTexts for F {
    fn current(&self, uri: &DocumentUri) -> Result<Current, String> {
        self(uri)
    }
}

/// Something that could not be taken over from the folder, for the user to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Changes of a file are no longer in it, or the file cannot be read. Their record stays until the file changes.
    Lost {
        /// The file.
        uri: DocumentUri,
        /// One sentence.
        why: String,
    },
    /// The ledger's own state could not be read; it was moved here and a new one begun.
    SetAside(PathBuf),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) file: ReviewFile,
    /// Its record in the folder.
    pub(crate) stored: Option<StoredFile>,
    /// Whether the record is out of date.
    pub(crate) changed: bool,
    /// The live text as the models last knew it.
    pub(crate) seen: Option<Text>,
}

/// The agent's changes that wait for the user.
pub struct Ledger {
    pub(crate) store: Store,
    pub(crate) texts: Arc<dyn CurrentTexts>,
    pub(crate) entries: BTreeMap<DocumentUri, Entry>,
    pub(crate) edits: Vec<StoredEdit>,
    pub(crate) steps: Vec<StoredStep>,
    pub(crate) feedback: Vec<StoredFeedback>,
    pub(crate) revision: u64,
    pub(crate) notices: Vec<Notice>,
    pub(crate) recent: Recent,
}

impl Ledger {
    /// Opens the ledger in a folder, which is created if it is not there. No user file is written.
    pub fn open(folder: &Path, texts: Arc<dyn CurrentTexts>) -> Result<Self, StoreError> {
        let mut ledger = Self {
            store: Store::open(folder)?,
            texts,
            entries: BTreeMap::new(),
            edits: Vec::new(),
            steps: Vec::new(),
            feedback: Vec::new(),
            revision: 0,
            notices: Vec::new(),
            recent: Recent::default(),
        };
        let locked = ledger.begin()?;
        ledger.store.sweep(&locked)?;
        Ok(ledger)
    }

    /// What could not be restored, once.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Grows with every change of the review.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A file under review.
    pub fn file(&self, uri: &DocumentUri) -> Option<&ReviewFile> {
        self.entries.get(uri).map(|entry| &entry.file)
    }

    /// The reviewed baseline of a file: `None` if the file is not under review, an empty text if it did not exist.
    pub fn baseline(&self, uri: &DocumentUri) -> Option<Text> {
        self.file(uri).map(|file| file.base().cloned().unwrap_or_default())
    }

    /// The state as clients see it.
    pub fn snapshot(&self) -> ReviewState {
        self.list(&ReviewListArguments::default())
    }

    /// A part of the state.
    pub fn list(&self, wanted: &ReviewListArguments) -> ReviewState {
        let wanted_uri = wanted.uri.as_deref().map(DocumentUri::parse);
        let mut state = ReviewState { revision: self.revision, ..ReviewState::default() };
        for (uri, entry) in &self.entries {
            if wanted_uri.as_ref().is_some_and(|wanted| wanted != uri) {
                continue;
            }
            let file = reviewed_file(&entry.file, wanted.session.as_ref());
            if file.hunks.is_empty() {
                continue;
            }
            state.summary = ReviewSummary {
                files: state.summary.files + 1,
                hunks: state.summary.hunks + u32::try_from(file.hunks.len()).unwrap_or(u32::MAX),
                additions: state.summary.additions + file.additions,
                deletions: state.summary.deletions + file.deletions,
            };
            state.files.push(file);
        }
        state
    }

    /// Takes a change of a document or file in, and answers whether the review changed.
    ///
    /// An agent's change is on disk when this returns. A user's change of a file that is not under review costs next to
    /// nothing.
    pub fn record(&mut self, change: &Change) -> Result<bool, StoreError> {
        let before = Some(&change.before).filter(|_| change.existed);
        let after = Some(&change.after).filter(|_| change.exists);
        match &change.author {
            Author::User => {
                if !self.user_edit(change, after) {
                    return Ok(false);
                }
            }
            Author::Review => {
                let Some(entry) = self.entries.get_mut(&change.uri) else { return Ok(false) };
                entry.file.version = change.version;
                if entry.file.current() != after {
                    entry.file.user_edit(before);
                    entry.file.review_edit(after);
                    entry.changed = true;
                }
            }
            Author::Agent(attribution) => {
                let locked = self.begin()?;
                self.agent_edit(&locked, change, before, after, attribution)?;
                if self.texts.is_kept_at_once(&change.uri) {
                    self.accept_file(&change.uri);
                }
                self.save(&locked)?;
            }
        }
        self.revision += 1;
        Ok(true)
    }

    fn user_edit(&mut self, change: &Change, after: Option<&Text>) -> bool {
        let recalled = after.and_then(|after| self.recent.recall(&change.uri, after));
        let Some(entry) = self.entries.get_mut(&change.uri) else {
            let Some(state) = recalled else { return false };
            let file = ReviewFile::new(change.uri.clone(), change.version, state);
            let entry = Entry { file, stored: None, changed: true, seen: after.cloned() };
            self.entries.insert(change.uri.clone(), entry);
            return true;
        };
        if entry.file.is_pending() {
            self.recent.remember(&change.uri, &entry.file.state);
        }
        match recalled {
            Some(state) => entry.file = ReviewFile::new(change.uri.clone(), change.version, state),
            None => entry.file.user_edit(after),
        }
        entry.file.version = change.version;
        entry.changed = true;
        true
    }

    fn agent_edit(
        &mut self,
        locked: &Locked,
        change: &Change,
        before: Option<&Text>,
        after: Option<&Text>,
        attribution: &Attribution,
    ) -> Result<(), StoreError> {
        let attribution = Arc::new(attribution.clone());
        let entry = self.entries.entry(change.uri.clone()).or_insert_with(|| Entry {
            file: ReviewFile::untouched(change.uri.clone(), before.cloned(), attribution.clone()),
            stored: None,
            changed: true,
            seen: before.cloned(),
        });
        entry.file.user_edit(before);
        self.recent.remember(&change.uri, &entry.file.state);
        harvest(entry, &mut self.feedback);
        let agent_before = entry.file.state.agent.clone();
        entry.file.agent_edit(before, after, &attribution);
        let (agent_after, base) = (entry.file.state.agent.clone(), entry.file.state.base.clone());
        entry.file.version = change.version;
        entry.seen = after.cloned();
        entry.changed = true;
        let edit = StoredEdit {
            uri: change.uri.as_str().to_owned(),
            session: attribution.session.clone(),
            turn: attribution.turn.clone(),
            before: self.put(locked, before)?,
            after: self.put(locked, after)?,
            agent_before: self.put(locked, agent_before.as_ref())?,
            agent_after: self.put(locked, agent_after.as_ref())?,
            base: self.put(locked, base.as_ref())?,
            rewound_by: None,
        };
        let last = self.edits.iter_mut().rev().find(|last| last.uri == edit.uri);
        match last {
            Some(last)
                if last.is_live_of(&edit.session, std::slice::from_ref(&edit.turn))
                    && last.after == edit.before =>
            {
                last.after = edit.after;
                last.agent_after = edit.agent_after;
            }
            Some(_) | None => self.edits.push(edit),
        }
        Ok(())
    }

    /// The agent moved a file. `text` is what the file holds under its new name.
    pub fn record_rename(
        &mut self,
        from: &DocumentUri,
        to: &DocumentUri,
        text: &Text,
        attribution: &Attribution,
    ) -> Result<(), StoreError> {
        let locked = self.begin()?;
        let attribution = Arc::new(attribution.clone());
        let moved = self.entries.remove(from).map(|entry| entry.file.state);
        let mut state = moved.unwrap_or_else(|| {
            ReviewFile::untouched(from.clone(), Some(text.clone()), attribution.clone()).state
        });
        state.last = attribution;
        // A file that the agent itself created has no former name that the user knows.
        let former = state.renamed_from.take().unwrap_or_else(|| from.clone());
        state.renamed_from = state.base.is_some().then_some(former).filter(|former| former != to);
        let mut file = ReviewFile::new(to.clone(), None, state);
        file.user_edit(Some(text));
        let entry = Entry { file, stored: None, changed: true, seen: Some(text.clone()) };
        self.entries.insert(to.clone(), entry);
        self.save(&locked)?;
        self.revision += 1;
        Ok(())
    }

    /// Takes notice of what a file holds, without anything having happened to it: a document was opened or closed, or
    /// an operation is about to begin. Answers whether the review changed.
    pub fn observe(&mut self, uri: &DocumentUri, current: &Current) -> bool {
        let Some(entry) = self.entries.get(uri) else { return false };
        let is_new = entry.file.current() != current.text.as_ref();
        // What was seen before may be the file on disk, ahead of its unsaved document: as long as the record was not
        // changed, it is the record that the text is compared with.
        let recorded = entry.stored.as_ref().filter(|_| is_new && !entry.changed);
        let recorded = recorded.and_then(|stored| self.load(stored).ok());
        let differs = is_new || entry.file.version != current.version;
        let Some(entry) = self.entries.get_mut(uri) else { return false };
        if let Some(state) = recorded {
            entry.file = ReviewFile::new(uri.clone(), None, state);
        }
        entry.file.version = current.version;
        entry.file.user_edit(current.text.as_ref());
        if differs {
            self.revision += 1;
        }
        differs
    }

    /// Accepts all that is pending in files about which nothing is left to decide. It is no decision that models are told
    /// of, or that could be taken back.
    pub fn accept(&mut self, files: &[DocumentUri]) -> Result<(), StoreError> {
        let locked = self.begin()?;
        for uri in files {
            self.accept_file(uri);
        }
        self.save(&locked)
    }

    fn accept_file(&mut self, uri: &DocumentUri) {
        let Some(entry) = self.entries.get(uri) else { return };
        let (before, hunks) = (entry.file.state.clone(), entry.file.line_hunks().to_vec());
        let after = entry.file.keep(&hunks);
        self.recent.forget(uri);
        self.replace(uri, &before, after);
    }

    /// Takes over what another process wrote.
    pub fn look(&mut self) -> Result<(), StoreError> {
        self.begin().map(drop)
    }

    /// Writes what the user typed since the last operation.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.entries.values().any(|entry| entry.changed) {
            let locked = self.begin()?;
            self.save(&locked)?;
        }
        Ok(())
    }

    /// What happened to a session's changes since the last call: for its model's next request.
    pub fn take_feedback(&mut self, session: &SessionId) -> Result<Vec<Feedback>, StoreError> {
        let locked = self.begin()?;
        for entry in self.entries.values_mut() {
            harvest(entry, &mut self.feedback);
        }
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.feedback).into_iter().partition(|news| news.session == *session);
        self.feedback = left;
        if !taken.is_empty() {
            self.save(&locked)?;
        }
        Ok(taken.into_iter().map(|news| news.feedback).collect())
    }

    /// Forgets what can be rewound for a session that was deleted. Its pending hunks stay.
    pub fn forget_session(&mut self, session: &SessionId) -> Result<(), StoreError> {
        let locked = self.begin()?;
        self.edits.retain(|edit| edit.session != *session);
        self.feedback.retain(|news| news.session != *session);
        self.save(&locked)
    }

    pub(crate) fn tell(&mut self, entry: &Entry, feedback: &Feedback) {
        let news = entry
            .sessions()
            .into_iter()
            .map(|session| StoredFeedback { session, feedback: feedback.clone() });
        self.feedback.extend(news);
    }

    /// Puts a file into a new state, whoever tracked it before.
    pub(crate) fn replace(&mut self, uri: &DocumentUri, before: &FileState, after: FileState) -> &Entry {
        let known = self.entries.remove(uri);
        let version = known.as_ref().and_then(|entry| entry.file.version);
        let seen = match &known {
            Some(entry) => entry.seen.clone(),
            None => before.current.clone(),
        };
        // What a step of the review does is news of its own; only the user's other changes stay news.
        let seen = match (&before.current, seen, &after.current) {
            (Some(before), Some(seen), Some(after)) => {
                Some(merge::three_way_preferring_ours(before, &seen, after))
            }
            (_, _, after) => after.clone(),
        };
        let entry = Entry {
            file: ReviewFile::new(uri.clone(), version, after),
            stored: known.and_then(|entry| entry.stored),
            changed: true,
            seen,
        };
        self.revision += 1;
        self.entries.entry(uri.clone()).insert_entry(entry).into_mut()
    }

    pub(crate) fn push_step(&mut self, id: &str, file: StoredStepFile) {
        match self.steps.iter_mut().find(|step| step.id == id) {
            Some(step) => step.files.push(file),
            None => self.steps.push(StoredStep { id: id.to_owned(), files: vec![file] }),
        }
    }
}

impl Entry {
    /// The sessions whose work is in the file.
    fn sessions(&self) -> BTreeSet<SessionId> {
        let state = &self.file.state;
        state.marks.iter().map(|mark| &mark.by).chain([&state.last]).map(|by| by.session.clone()).collect()
    }
}

/// Turns what the user changed since the models last knew the file into news.
pub(crate) fn harvest(entry: &mut Entry, feedback: &mut Vec<StoredFeedback>) {
    let current = entry.file.current().cloned();
    if entry.seen == current {
        return;
    }
    let uri = entry.file.uri.as_str().to_owned();
    let patch = patch(entry.seen.as_ref(), current.as_ref());
    for session in entry.sessions() {
        let news = Feedback::UserEdited { uri: uri.clone(), patch: patch.clone() };
        feedback.push(StoredFeedback { session, feedback: news });
    }
    entry.seen = current;
    entry.changed = true;
}

pub(crate) fn span(lines: LineRange) -> LineSpan {
    LineSpan { start: lines.start.0, end: lines.end.0 }
}

fn reviewed_file(file: &ReviewFile, session: Option<&SessionId>) -> ReviewedFile {
    let whole_file = file.is_coarse();
    let mut reviewed = ReviewedFile {
        uri: file.uri.as_str().to_owned(),
        status: file.status(),
        version: file.version,
        whole_file,
        additions: 0,
        deletions: 0,
        hunks: Vec::new(),
    };
    for hunk in file.hunks() {
        let wanted = session.is_none_or(|session| hunk.by.iter().any(|by| by.session == *session));
        let (true, Some(by)) = (wanted, hunk.by.last()) else { continue };
        let (old_text, new_text) =
            if whole_file { (String::new(), String::new()) } else { file.texts(&hunk.lines) };
        reviewed.additions += hunk.lines.current.len();
        reviewed.deletions += hunk.lines.base.len();
        reviewed.hunks.push(ReviewHunk {
            id: hunk.id,
            kind: hunk.kind,
            base_lines: span(hunk.lines.base),
            lines: span(hunk.lines.current),
            old_text,
            new_text,
            mixed: hunk.mixed,
            turn: by.turn.clone(),
            agent: by.agent.clone(),
            tool_call_id: by.tool_call_id.clone(),
            title: by.title.clone(),
        });
    }
    reviewed
}

/// The ids of what is pending in a file.
pub(crate) fn ids(file: &ReviewFile) -> Vec<HunkId> {
    file.hunks().into_iter().map(|hunk| hunk.id).collect()
}
