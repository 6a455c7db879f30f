//! The session file: its lines, reading it in spite of damage, appending to it, finding and listing sessions.
//!
//! A `Journal` is a file with its index and its writer. Entries are indexed once they are written, so nothing that the
//! session believes to be saved is not.

pub(crate) mod entry;
pub(crate) mod files;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod temporary;
pub(crate) mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_protocol::EntryId;

use self::entry::{Body, Header};
use self::read::{Lines, Loaded};
use self::write::{Durability, Writer};
use crate::clock::Millis;
use crate::error::JournalError;
use crate::history::{EntryIndex, History, Record, RecordKind, Span};

/// An open session file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    history: Arc<History>,
    writer: Writer,
}

impl Journal {
    /// A journal whose file appears with its first entry.
    pub(crate) fn create(path: PathBuf, header: Header) -> Self {
        let writer = Writer::create(path.clone(), header);
        Self { path, history: Arc::default(), writer }
    }

    /// Opens a file for appending and hands out what was found beside its entries. Blocks.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, Loaded), JournalError> {
        let (writer, mut loaded) = Writer::open(path.clone())?;
        let history = Arc::new(std::mem::take(&mut loaded.history));
        Ok((Self { path, history, writer }, loaded))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Continues from an earlier entry, or from before the first one.
    pub(crate) fn move_leaf(&mut self, to: Option<EntryIndex>) {
        Arc::make_mut(&mut self.history).move_leaf(to);
    }

    /// Appends entries, each following the one before, makes the last one the leaf, and answers the first one's place.
    pub(crate) async fn append(
        &mut self,
        at: Millis,
        bodies: &[Body],
        durability: Durability,
    ) -> Result<EntryIndex, JournalError> {
        let first = EntryIndex(self.history.records().len());
        let mut lines = Vec::new();
        let mut written = Vec::with_capacity(bodies.len());
        let mut parent = self.history.leaf_id().cloned();
        for body in bodies {
            let id = EntryId::random();
            let line = entry::to_line(&id, parent.as_ref(), at, body).map_err(|error| JournalError::Io {
                action: "write",
                path: self.path.clone(),
                source: error.into(),
            })?;
            written.push((id.clone(), kind_of(body), lines.len(), line.len()));
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
            parent = Some(id);
        }
        let start = self.writer.append(lines, durability).await?;
        let history = Arc::make_mut(&mut self.history);
        for (id, kind, offset, len) in written {
            let span = Span { offset: start + u64::try_from(offset).unwrap_or(0), len };
            let parent = history.leaf();
            history.push(Record { id, parent, kind, span });
        }
        Ok(first)
    }

    /// Lets go of the file once everything is written.
    pub(crate) async fn close(self) {
        self.writer.close().await;
    }
}

/// Reads entries of a session file back.
pub(crate) fn lines_of(
    path: &Path,
    history: &History,
    entries: &[EntryIndex],
) -> Result<Lines, JournalError> {
    Lines::read(path, entries.iter().filter_map(|index| history.get(*index)).map(|record| record.span))
}

fn kind_of(body: &Body) -> RecordKind {
    match body {
        Body::Message { role, .. } => RecordKind::Message(Some(*role)),
        Body::ModelChange { .. } => RecordKind::ModelChange,
        Body::BranchSummary { .. } => RecordKind::BranchSummary,
        Body::Label { .. } => RecordKind::Label,
        Body::SessionInfo { .. } => RecordKind::SessionInfo,
        Body::ExtensionData { ext_type, .. } if ext_type.starts_with(entry::NOTE_PREFIX) => RecordKind::Note,
        Body::ExtensionData { .. } => RecordKind::Extension,
        Body::Compaction { .. } => RecordKind::Compaction,
        Body::Unknown => RecordKind::Unknown,
    }
}
