//! Shows and copies a session that another process has open: its file is read without its lock, and not written.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use kit_protocol::{EntryId, Event, KitError, SessionAnswer, SessionId, SessionTreeAnswer, TranscriptAnswer};

use super::blocking;
use crate::entries::{self, SessionEntry};
use crate::error::JournalError;
use crate::fork;
use crate::history::{EntryIndex, History};
use crate::journal::entry::Note;
use crate::journal::lines_of;
use crate::journal::read::{self, Lines, Loaded};
use crate::markdown;
use crate::replay::{self, Replayed, Turns};
use crate::tree;

/// A session file as it is on disk.
struct Peeked {
    loaded: Loaded,
    lines: Lines,
}

impl Peeked {
    fn read(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::io("read", path, error);
        let source = BufReader::new(File::open(path).map_err(failed)?);
        let loaded = read::index(source, path).map_err(failed)?;
        let all: Vec<EntryIndex> = (0..loaded.history.records().len()).map(EntryIndex).collect();
        let lines = lines_of(path, &loaded.history, &all)?;
        Ok(Self { loaded, lines })
    }

    fn told(&self) -> Vec<Replayed> {
        let notes = || self.loaded.notes.iter().map(|(_, note)| note);
        let turns = Turns {
            live: Vec::new(),
            begun: notes().filter_map(Note::begun).collect(),
            ended: notes().filter_map(Note::ended).collect(),
            working: Vec::new(),
        };
        replay::events(&self.loaded.history, &self.lines, &turns)
    }
}

async fn peek<R: Send + 'static>(
    path: PathBuf,
    show: impl FnOnce(&Peeked) -> R + Send + 'static,
) -> Result<R, KitError> {
    blocking(move || Ok(show(&Peeked::read(&path)?))).await?.map_err(|error: JournalError| error.into())
}

pub(super) async fn tree(path: PathBuf) -> Result<SessionTreeAnswer, KitError> {
    peek(path, |peeked| SessionTreeAnswer { nodes: tree::nodes(&peeked.loaded.history, &peeked.lines) }).await
}

pub(super) async fn transcript(path: PathBuf, session: SessionId) -> Result<TranscriptAnswer, KitError> {
    peek(path, move |peeked| {
        let told = peeked.told();
        let events: Vec<Event> = (1..)
            .zip(told)
            .map(|(seq, one)| Event {
                session: session.clone(),
                turn: one.turn,
                seq,
                at: one.at.0,
                agent: one.agent,
                body: one.body,
            })
            .collect();
        let next_seq = events.last().map_or(1, |event| event.seq + 1);
        TranscriptAnswer { events, next_seq }
    })
    .await
}

pub(super) async fn markdown(path: PathBuf, session: SessionId) -> Result<String, KitError> {
    peek(path, move |peeked| {
        let told = peeked.told();
        let name = peeked.loaded.name.clone().unwrap_or_else(|| format!("Session {session}"));
        markdown::transcript(&name, &told)
    })
    .await
}

/// One entry of the session, where there is one.
pub(super) async fn entry(
    path: PathBuf,
    wanted: impl FnOnce(&History) -> Option<EntryIndex> + Send + 'static,
) -> Result<Vec<SessionEntry>, KitError> {
    let file = path.clone();
    let read = peek(path, move |peeked| {
        let history = &peeked.loaded.history;
        entries::read(history, &file, &wanted(history).into_iter().collect::<Vec<_>>())
    });
    Ok(read.await??)
}

/// Copies the session up to an entry, else the whole of its current branch, into a new one below `folder`.
pub(super) async fn fork(
    path: PathBuf,
    session: SessionId,
    folder: PathBuf,
    entry: Option<EntryId>,
    name: Option<String>,
) -> Result<SessionAnswer, KitError> {
    let file = path.clone();
    peek(path, move |peeked| {
        let Loaded { header, history, .. } = &peeked.loaded;
        let leaf = match &entry {
            Some(entry) => Some(fork::settled(history, &peeked.lines, fork::find(history, entry)?)),
            None => history.leaf(),
        };
        let origin = fork::Origin { path: file, session, cwd: header.cwd.clone() };
        fork::write(history, &peeked.lines, &history.branch(leaf), &origin, &folder, name)
    })
    .await?
}
