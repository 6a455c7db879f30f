//! How the ledger and its folder are kept in step.
//!
//! Every operation begins by locking the folder and taking over what another process wrote, and ends by writing what it
//! changed. Entries whose record did not change stay as they are in memory, with what the user typed since.

use std::sync::Arc;

use kit_protocol::Attribution;
use kit_text::{LineRange, Text};
use kit_workspace::DocumentUri;

use crate::file::{FileState, Mark, ReviewFile};
use crate::ledger::{Entry, Ledger, Notice, harvest, span};
use crate::state::{BlobId, State, StoredFile};
use crate::store::{Found, Locked, StoreError};

/// How many edits are remembered for rewinding.
const MOST_EDITS: usize = 2_000;
/// How many steps of the review can be taken back.
const MOST_STEPS: usize = 50;
/// How many pieces of news wait for models.
const MOST_FEEDBACK: usize = 200;

impl Ledger {
    /// Locks the folder and takes over what another process wrote.
    pub(crate) fn begin(&mut self) -> Result<Locked, StoreError> {
        let locked = self.store.lock()?;
        match self.store.read(&locked)? {
            Found::Unchanged => {}
            Found::State(state) => self.install(state.map_or_else(State::new, |state| *state)),
            Found::Foreign(path) => {
                self.notices.push(Notice::SetAside(path));
                self.install(State::new());
            }
        }
        Ok(locked)
    }

    fn install(&mut self, state: State) {
        self.revision = self.revision.max(state.revision) + 1;
        let mut known = std::mem::take(&mut self.entries);
        for stored in state.files {
            let uri = DocumentUri::parse(&stored.uri);
            let entry = match known.remove(&uri).filter(|entry| entry.stored.as_ref() == Some(&stored)) {
                Some(entry) => entry,
                None => match self.load_entry(&uri, stored) {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.notices.push(Notice::Lost { uri, why: error.to_string() });
                        continue;
                    }
                },
            };
            self.entries.insert(uri, entry);
        }
        self.edits = state.edits;
        self.steps = state.steps;
        self.feedback = state.feedback;
    }

    fn load_entry(&mut self, uri: &DocumentUri, stored: StoredFile) -> Result<Entry, StoreError> {
        let state = self.load(&stored)?;
        let seen = self.get(stored.seen.as_ref())?;
        let mut file = ReviewFile::new(uri.clone(), None, state);
        match self.texts.current(uri) {
            Ok(current) => {
                let before = file.hunks().len();
                file.version = current.version;
                file.user_edit(current.text.as_ref());
                let lost = before.saturating_sub(file.hunks().len());
                if lost > 0 {
                    let why = format!(
                        "the file was changed in the meantime; changes that are no longer in it: {lost}"
                    );
                    self.notices.push(Notice::Lost { uri: uri.clone(), why });
                }
            }
            Err(why) => self.notices.push(Notice::Lost { uri: uri.clone(), why }),
        }
        Ok(Entry { file, stored: Some(stored), changed: false, seen })
    }

    /// Writes every changed file and the state, and drops the files that are settled.
    pub(crate) fn save(&mut self, locked: &Locked) -> Result<(), StoreError> {
        let mut entries = std::mem::take(&mut self.entries);
        let outcome = entries.values_mut().filter(|entry| entry.changed).try_for_each(|entry| {
            entry.stored = if entry.file.is_pending() {
                let mut stored = self.store_state(locked, &entry.file.uri, &entry.file.state)?;
                stored.seen = self.put(locked, entry.seen.as_ref())?;
                Some(stored)
            } else {
                harvest(entry, &mut self.feedback);
                None
            };
            entry.changed = false;
            Ok(())
        });
        entries.retain(|_, entry| entry.changed || entry.stored.is_some());
        self.entries = entries;
        outcome?;

        keep_last(&mut self.edits, MOST_EDITS);
        keep_last(&mut self.steps, MOST_STEPS);
        keep_last(&mut self.feedback, MOST_FEEDBACK);
        self.revision += 1;
        let mut state = State::new();
        state.revision = self.revision;
        state.files = self.entries.values().filter_map(|entry| entry.stored.clone()).collect();
        state.edits.clone_from(&self.edits);
        state.steps.clone_from(&self.steps);
        state.feedback.clone_from(&self.feedback);
        let gone = self.store.write(locked, &state)?;
        self.store.discard(locked, &gone)
    }

    pub(crate) fn put(&self, locked: &Locked, text: Option<&Text>) -> Result<Option<BlobId>, StoreError> {
        text.map(|text| self.store.put(locked, text)).transpose()
    }

    pub(crate) fn get(&self, blob: Option<&BlobId>) -> Result<Option<Text>, StoreError> {
        blob.map(|blob| self.store.get(blob)).transpose()
    }

    pub(crate) fn store_state(
        &self,
        locked: &Locked,
        uri: &DocumentUri,
        state: &FileState,
    ) -> Result<StoredFile, StoreError> {
        let mut authors: Vec<Attribution> = Vec::new();
        let mut marks = Vec::with_capacity(state.marks.len());
        for mark in &state.marks {
            let author = authors.iter().position(|author| *author == *mark.by).unwrap_or_else(|| {
                authors.push(mark.by.as_ref().clone());
                authors.len() - 1
            });
            marks.push((span(mark.lines), author));
        }
        authors.push(state.last.as_ref().clone());
        Ok(StoredFile {
            uri: uri.as_str().to_owned(),
            base: self.put(locked, state.base.as_ref())?,
            agent: self.put(locked, state.agent.as_ref())?,
            current: self.put(locked, state.current.as_ref())?,
            seen: None,
            renamed_from: state.renamed_from.as_ref().map(|uri| uri.as_str().to_owned()),
            authors,
            marks,
        })
    }

    pub(crate) fn load(&self, stored: &StoredFile) -> Result<FileState, StoreError> {
        let authors: Vec<Arc<Attribution>> = stored.authors.iter().cloned().map(Arc::new).collect();
        let Some(last) = authors.last().cloned() else {
            let source = std::io::Error::other("no tool call is named for it");
            return Err(StoreError { what: format!("restore {}", stored.uri), source });
        };
        let marks = stored.marks.iter().map(|(lines, author)| Mark {
            lines: LineRange::new(lines.start, lines.end),
            by: authors.get(*author).unwrap_or(&last).clone(),
        });
        Ok(FileState {
            base: self.get(stored.base.as_ref())?,
            agent: self.get(stored.agent.as_ref())?,
            current: self.get(stored.current.as_ref())?,
            renamed_from: stored.renamed_from.as_deref().map(DocumentUri::parse),
            marks: marks.collect(),
            last,
        })
    }
}

fn keep_last<T>(items: &mut Vec<T>, most: usize) {
    let surplus = items.len().saturating_sub(most);
    items.drain(..surplus);
}
