//! The open documents, as the editor last described them.
//!
//! The transport calls [`open`](Documents::open), [`change`](Documents::change), [`saved`](Documents::saved) and
//! [`close`](Documents::close) in the order of the wire, before it reads the next message (I5). Each applies its
//! notification under a lock that is held for map and rope work only, and queues notices for the observer under the
//! same lock. Notices are then delivered outside that lock, under a second one that only orders the calls: so the
//! observer is told in the order of the wire, whichever thread delivers, and may read the documents meanwhile.
//!
//! A document whose notifications do not add up (a version that does not grow, a range behind the text) is
//! `desynced`: its text stays as it was last known, incremental changes to it are refused, and nothing edits it until
//! the client sends a full text. How the editor's echo of our own edits is told from typing stands in `echo`; how what a
//! command did to a file on disk is told from it, in `census`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_text::{ByteOffset, Encoding, Position, Text};
use thiserror::Error;
use tokio::time::Instant;

use crate::echo::Expectation;
use crate::real_path::real_path;
use crate::snapshot::{MAX_FILE_BYTES, same_lines, text_of};
use crate::{Author, Change, ChangeObserver, DocumentUri, disk};

/// One open document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its name.
    pub uri: DocumentUri,
    /// Its version.
    pub version: i32,
    /// Its text; cheap to clone.
    pub text: Text,
    /// Whether it changed since it was opened or saved. `Workspace::snapshot` compares with the disk as well.
    pub dirty: bool,
    /// Its language.
    pub language_id: Arc<str>,
    /// Whether the text may be wrong, because a notification did not fit; it must not be edited.
    pub desynced: bool,
}

/// One part of a `didChange`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentChange {
    /// What is replaced; the whole text otherwise.
    pub range: Option<(Position, Position)>,
    /// What is put there.
    pub text: String,
}

/// Why a change does not fit its document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Desync {
    /// The document is not open.
    #[error("{uri} is not open")]
    NotOpen {
        /// The document.
        uri: DocumentUri,
    },
    /// The version did not grow.
    #[error("{uri} went from version {current} to {received}")]
    Version {
        /// The document.
        uri: DocumentUri,
        /// The version that is known.
        current: i32,
        /// The version that came.
        received: i32,
    },
    /// A range lies behind the text or ends before it starts.
    #[error("{uri} version {version} changes a range outside the text, at line {}", line + 1)]
    Range {
        /// The document.
        uri: DocumentUri,
        /// The version that came.
        version: i32,
        /// Zero-based line of the start of the range.
        line: u32,
    },
    /// An earlier change did not fit, and no full text came since.
    #[error("{uri} waits for its full text")]
    AwaitingText {
        /// The document.
        uri: DocumentUri,
    },
}

/// What became of a text that a document seemed to take over from the disk.
#[derive(Clone, Copy)]
enum Reload {
    /// It was taken over.
    Taken,
    /// The editor wrote it to the disk itself.
    Saved,
}

/// All open documents.
#[derive(Default)]
pub struct Documents {
    state: Mutex<State>,
    delivery: Mutex<()>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) entries: HashMap<DocumentUri, Entry>,
    observer: Option<Arc<dyn ChangeObserver>>,
    notices: VecDeque<Notice>,
    pub(crate) expectations: u64,
    commands: Vec<Command>,
    /// Documents that were closed while a command's change of their file was awaited: some editors open them anew then.
    closed: HashMap<DocumentUri, Closed>,
}

struct Closed {
    text: Text,
    expectation: Option<Expectation>,
}

/// A command that runs and may change files.
struct Command {
    id: u64,
    author: Author,
    /// The documents that show what the disk holds, and that the user has not changed since.
    shown: HashSet<DocumentUri>,
}

pub(crate) struct Entry {
    pub(crate) document: Document,
    /// The text that the observer knows.
    reported: Text,
    /// Whether the document changed since; a flag, because comparing long texts at each keystroke is not cheap.
    unreported: bool,
    pub(crate) expectation: Option<Expectation>,
    /// The command whose text the document took over, unless a save tells that the user wrote it.
    reloaded: Option<u64>,
    /// The path behind all symbolic links, once somebody asked for it.
    real: Option<PathBuf>,
}

enum Notice {
    Opened { uri: DocumentUri, text: Text, version: i32 },
    Changed(Change),
    Closed(DocumentUri),
}

impl Documents {
    /// No documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the one observer; it is told of all documents that are open already.
    pub fn observe(&self, observer: Arc<dyn ChangeObserver>) {
        let mut state = self.lock();
        state.observer = Some(observer);
        let mut opened: Vec<&Document> = state.entries.values().map(|entry| &entry.document).collect();
        opened.sort_by(|left, right| left.uri.cmp(&right.uri));
        let opened: VecDeque<Notice> = opened.into_iter().map(Notice::opened).collect();
        state.notices = opened;
        drop(state);
        self.deliver();
    }

    /// `textDocument/didOpen`. Opening an open document replaces it.
    pub fn open(&self, uri: DocumentUri, language_id: &str, version: i32, text: &str) {
        let text = Text::from(text);
        let document = Document {
            uri: uri.clone(),
            version,
            text: text.clone(),
            dirty: false,
            language_id: language_id.into(),
            desynced: false,
        };
        let on_disk = self.lock().closed.contains_key(&uri).then(|| text_on_disk(&uri)).flatten();
        let mut state = self.lock();
        state.report_reopened(&document, on_disk.as_ref());
        let notice = Notice::opened(&document);
        let entry = Entry {
            document,
            reported: text,
            unreported: false,
            expectation: None,
            reloaded: None,
            real: None,
        };
        if let Some(previous) = state.entries.insert(uri.clone(), entry) {
            tracing::debug!(%uri, "opened again");
            previous.give_up_waiting();
        }
        state.push(notice);
        drop(state);
        self.deliver();
    }

    /// `textDocument/didChange`. On error the document keeps its text and is desynced.
    pub fn change(
        &self,
        uri: &DocumentUri,
        version: i32,
        changes: &[ContentChange],
        encoding: Encoding,
    ) -> Result<(), Desync> {
        let on_disk = self.lock().awaits_reload(uri).then(|| text_on_disk(uri)).flatten();
        let mut state = self.lock();
        let outcome = state.change(uri, version, changes, encoding, on_disk.as_ref());
        drop(state);
        self.deliver();
        match &outcome {
            Ok(()) => {}
            // Said once, when it happened.
            Err(Desync::AwaitingText { .. }) => {}
            Err(desync) => tracing::warn!(%desync, "a document change does not fit"),
        }
        outcome
    }

    /// `textDocument/didSave`.
    pub fn saved(&self, uri: &DocumentUri) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.get_mut(uri) {
            entry.document.dirty = false;
        }
        state.settle_reload(uri, Reload::Saved);
        drop(state);
        self.deliver();
    }

    /// `textDocument/didClose`.
    pub fn close(&self, uri: &DocumentUri) {
        let mut state = self.lock();
        state.settle_reload(uri, Reload::Taken);
        state.report(uri, Author::User);
        let Some(entry) = state.entries.remove(uri) else {
            tracing::debug!(%uri, "closed, but was not open");
            return;
        };
        entry.give_up_waiting();
        state.remember_closed(uri, entry);
        state.push(Notice::Closed(uri.clone()));
        drop(state);
        self.deliver();
    }

    /// An open document.
    pub fn get(&self, uri: &DocumentUri) -> Option<Document> {
        self.lock().entries.get(uri).map(|entry| entry.document.clone())
    }

    /// All open documents, ordered by name.
    pub fn list(&self) -> Vec<Document> {
        let mut documents: Vec<Document> =
            self.lock().entries.values().map(|entry| entry.document.clone()).collect();
        documents.sort_by(|left, right| left.uri.cmp(&right.uri));
        documents
    }

    /// The open document of a file, under whichever name the editor opened it; `real` is free of symbolic links.
    pub fn find(&self, uri: &DocumentUri, real: &Path) -> Option<Document> {
        self.get(uri).or_else(|| {
            self.resolve_real_paths();
            let state = self.lock();
            let entry = state.entries.values().find(|entry| entry.real.as_deref() == Some(real))?;
            Some(entry.document.clone())
        })
    }

    /// All open files with their paths free of symbolic links, ordered by path.
    pub(crate) fn by_real_path(&self) -> Vec<(PathBuf, Document)> {
        self.resolve_real_paths();
        let state = self.lock();
        let mut found: Vec<(PathBuf, Document)> = state
            .entries
            .values()
            .filter_map(|entry| Some((entry.real.clone()?, entry.document.clone())))
            .collect();
        found.sort_by(|left, right| left.0.cmp(&right.0));
        found
    }

    /// Follows symbolic links for documents where that has not happened yet, without holding the lock.
    fn resolve_real_paths(&self) {
        let unresolved: Vec<DocumentUri> = self
            .lock()
            .entries
            .values()
            .filter(|entry| entry.real.is_none())
            .map(|entry| entry.document.uri.clone())
            .collect();
        for uri in unresolved {
            let real = uri.to_path().and_then(|path| real_path(&path).ok());
            if let Some(real) = real
                && let Some(entry) = self.lock().entries.get_mut(&uri)
            {
                entry.real = Some(real);
            }
        }
    }

    /// Queues a change of a file that is not open, behind what was queued before.
    pub(crate) fn publish(&self, change: Change) {
        self.lock().push(Notice::Changed(change));
        self.deliver();
    }

    /// A command begins that may change files behind these documents.
    pub(crate) fn begin_command(&self, author: Author, shown: HashSet<DocumentUri>) -> u64 {
        let mut state = self.lock();
        state.expectations += 1;
        let id = state.expectations;
        if state.commands.is_empty() {
            state.closed.clear();
        }
        state.commands.push(Command { id, author, shown });
        id
    }

    pub(crate) fn end_command(&self, id: u64) {
        let mut state = self.lock();
        let reloaded: Vec<DocumentUri> = state
            .entries
            .iter()
            .filter(|(_, entry)| entry.reloaded == Some(id))
            .map(|(uri, _)| uri.clone())
            .collect();
        for uri in reloaded {
            state.settle_reload(&uri, Reload::Taken);
        }
        state.commands.retain(|command| command.id != id);
        drop(state);
        self.deliver();
    }

    /// Recognizes the text that a command has written, for a while, in a document that the user has not changed.
    pub(crate) fn expect_reload(&self, command: u64, uri: &DocumentUri, text: Text, author: &Author) {
        let mut state = self.lock();
        let is_shown =
            state.commands.iter().any(|running| running.id == command && running.shown.contains(uri));
        state.expectations += 1;
        let id = state.expectations;
        let Some(entry) = state.entries.get_mut(uri) else { return };
        let is_awaited = entry.expectation.as_ref().is_some_and(Expectation::holds_back);
        if is_shown && !is_awaited && !same_lines(&entry.document.text, &text) {
            entry.expectation = Some(Expectation::unawaited(id, text, author.clone()));
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands queued notices to the observer, in order; returns when all that were queued before are delivered.
    pub(crate) fn deliver(&self) {
        let _order = self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut state = self.lock();
            let Some(notice) = state.notices.pop_front() else { return };
            let Some(observer) = state.observer.clone() else { return };
            drop(state);
            match notice {
                Notice::Opened { uri, text, version } => observer.opened(&uri, &text, version),
                Notice::Changed(change) => observer.changed(change),
                Notice::Closed(uri) => observer.closed(&uri),
            }
        }
    }
}

impl Notice {
    fn opened(document: &Document) -> Self {
        Self::Opened { uri: document.uri.clone(), text: document.text.clone(), version: document.version }
    }
}

impl State {
    fn push(&mut self, notice: Notice) {
        if self.observer.is_some() {
            self.notices.push_back(notice);
        }
    }

    fn change(
        &mut self,
        uri: &DocumentUri,
        version: i32,
        changes: &[ContentChange],
        encoding: Encoding,
        on_disk: Option<&Text>,
    ) -> Result<(), Desync> {
        self.settle_reload(uri, Reload::Taken);
        let entry = self.entries.get_mut(uri).ok_or_else(|| Desync::NotOpen { uri: uri.clone() })?;
        // A full text makes everything before it irrelevant, including what did not fit.
        let full = changes.iter().rposition(|change| change.range.is_none());
        let document = &mut entry.document;
        let problem = if full.is_some() {
            None
        } else if document.desynced {
            Some(Desync::AwaitingText { uri: uri.clone() })
        } else if version <= document.version {
            Some(Desync::Version { uri: uri.clone(), current: document.version, received: version })
        } else {
            None
        };
        if let Some(problem) = problem {
            entry.desync(version);
            return Err(problem);
        }

        let first = full.unwrap_or(0);
        let mut text = document.text.clone();
        let mut echoed = None;
        for (index, change) in changes.iter().enumerate().skip(first) {
            if let Err(line) = apply(&mut text, change, encoding) {
                entry.desync(version);
                return Err(Desync::Range { uri: uri.clone(), version, line });
            }
            if echoed.is_none()
                && entry.expectation.as_ref().is_some_and(|wanted| wanted.is(&text, Instant::now()))
            {
                echoed = Some((index, text.clone()));
            }
        }
        document.version = version;
        document.desynced = false;
        let moved = match full {
            Some(_) => text != document.text,
            None => !changes.is_empty(),
        };
        document.dirty = document.dirty || moved;
        entry.unreported = entry.unreported || moved;
        match echoed {
            Some((index, expected)) => {
                document.text = expected;
                let author = entry.expectation.as_mut().map_or(Author::User, |wanted| wanted.echoed(version));
                self.report(uri, author);
                if index + 1 < changes.len() {
                    self.set_text(uri, text);
                    self.report(uri, Author::User);
                }
            }
            None => {
                let is_reload = on_disk.is_some_and(|on_disk| same_lines(on_disk, &text));
                document.text = text;
                match &entry.expectation {
                    Some(wanted) if wanted.holds_back() => wanted.moved(),
                    Some(_) | None => self.changed_or_reloaded(uri, is_reload),
                }
            }
        }
        Ok(())
    }

    fn awaits_reload(&self, uri: &DocumentUri) -> bool {
        self.showing(uri).is_some()
    }

    /// A reload may come as closing and opening.
    fn remember_closed(&mut self, uri: &DocumentUri, entry: Entry) {
        let expectation = entry.expectation.filter(Expectation::is_unawaited);
        if expectation.is_some() || self.awaits_reload(uri) {
            self.closed.insert(uri.clone(), Closed { text: entry.document.text, expectation });
        }
    }

    /// Tells of a document that is opened with what a command has written since it was closed.
    fn report_reopened(&mut self, document: &Document, on_disk: Option<&Text>) {
        let Some(closed) = self.closed.remove(&document.uri) else { return };
        let is_reload = on_disk.is_some_and(|on_disk| same_lines(on_disk, &document.text));
        if !is_reload || closed.text == document.text {
            return;
        }
        let expected = closed.expectation.filter(|wanted| wanted.is(&document.text, Instant::now()));
        let author = match expected {
            Some(mut wanted) => wanted.echoed(document.version),
            None => self.showing(&document.uri).map_or(Author::User, |command| command.author.clone()),
        };
        self.push(Notice::Changed(Change {
            uri: document.uri.clone(),
            version: Some(document.version),
            before: closed.text,
            after: document.text.clone(),
            existed: true,
            exists: true,
            author,
        }));
    }

    /// The last command behind whose changes a document may come.
    fn showing(&self, uri: &DocumentUri) -> Option<&Command> {
        self.commands.iter().rfind(|command| command.shown.contains(uri))
    }

    /// Tells of a change that is no echo. One that took over what is on disk may be a command's, and waits: an editor
    /// that has written the file itself says so next.
    fn changed_or_reloaded(&mut self, uri: &DocumentUri, is_reload: bool) {
        let command = self.showing(uri).filter(|_| is_reload).map(|command| command.id);
        match (command, self.entries.get_mut(uri)) {
            (Some(command), Some(entry)) => entry.reloaded = Some(command),
            (Some(_) | None, _) => {
                self.forget_shown(uri);
                self.report(uri, Author::User);
            }
        }
    }

    fn settle_reload(&mut self, uri: &DocumentUri, reload: Reload) {
        let Some(id) = self.entries.get_mut(uri).and_then(|entry| entry.reloaded.take()) else { return };
        let command = self.commands.iter().find(|command| command.id == id);
        match (reload, command) {
            (Reload::Taken, Some(command)) => {
                let author = command.author.clone();
                self.report(uri, author);
            }
            (Reload::Saved, _) | (Reload::Taken, None) => {
                self.forget_shown(uri);
                self.report(uri, Author::User);
            }
        }
    }

    fn forget_shown(&mut self, uri: &DocumentUri) {
        for command in &mut self.commands {
            command.shown.remove(uri);
        }
    }

    pub(crate) fn set_text(&mut self, uri: &DocumentUri, text: Text) {
        if let Some(entry) = self.entries.get_mut(uri) {
            entry.document.text = text;
            entry.unreported = true;
        }
    }

    /// Queues what the observer does not know yet of a document as one change of the author.
    pub(crate) fn report(&mut self, uri: &DocumentUri, author: Author) {
        let Some(entry) = self.entries.get_mut(uri) else { return };
        if !std::mem::take(&mut entry.unreported) {
            return;
        }
        let before = std::mem::replace(&mut entry.reported, entry.document.text.clone());
        let change = Change {
            uri: uri.clone(),
            version: Some(entry.document.version),
            before,
            after: entry.document.text.clone(),
            existed: true,
            exists: true,
            author,
        };
        self.push(Notice::Changed(change));
    }
}

impl Entry {
    fn desync(&mut self, version: i32) {
        self.document.desynced = true;
        self.document.version = self.document.version.max(version);
        self.give_up_waiting();
    }

    fn give_up_waiting(&self) {
        if let Some(wanted) = &self.expectation {
            wanted.moved();
        }
    }
}

fn text_on_disk(uri: &DocumentUri) -> Option<Text> {
    let file = disk::read(&uri.to_path()?, MAX_FILE_BYTES).ok()??;
    text_of(&file.bytes)
}

/// Applies one part of a change; the error is the line that the text does not have.
///
/// A character behind the end of its line means the end of the line, and an end behind the text means its end, as LSP
/// says. A start behind the text has no such excuse: the two sides see different texts.
fn apply(text: &mut Text, change: &ContentChange, encoding: Encoding) -> Result<(), u32> {
    let Some((start, end)) = change.range else {
        *text = Text::from(change.text.as_str());
        return Ok(());
    };
    let lines = u32::try_from(text.line_count()).unwrap_or(u32::MAX);
    let behind_text = start.line > lines || (start.line == lines && start.character > 0);
    if behind_text || start > end {
        return Err(start.line);
    }
    let range: std::ops::Range<ByteOffset> = text.offset_of(start, encoding)..text.offset_of(end, encoding);
    text.replace(range, &change.text).map_err(|_| start.line)
}
