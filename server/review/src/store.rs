//! The ledger's folder: a journal of the state, content-addressed texts, and a lock.
//!
//! ```text
//! state.jsonl         everything but the texts: a header, a whole state, and a line for each operation since
//! blobs/<blake3>      a text
//! ledger.lock         held by the process that is changing any of it
//! ```
//!
//! An operation appends one line, so that it costs what it changed and not what is there. When the lines are longer than
//! the state they began with, the journal is replaced as a whole, under another generation. A line that a dying process
//! left without its end is cut off by the next one. A `state.json` of before there was a journal is read and replaced.
//!
//! Texts are written before the line that names them, and removed after the line that no longer does. Files appear under
//! their name only when they are complete and on disk. So whatever moment a process dies at, the state that is there can
//! be read and every text it names is there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use kit_text::Text;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::delta::Delta;
use crate::state::{BlobId, State};

/// The file of a ledger's folder that every operation writes to.
pub const JOURNAL: &str = "state.jsonl";
/// The whole state in one file, as it was before there was a journal.
const FORMER: &str = "state.json";
const VERSION: u32 = 2;
/// A journal may grow by so many bytes before it is replaced, however small its state is.
const LEAST_GROWTH: u64 = 64 * 1024;

/// The ledger's folder cannot be used.
#[derive(Debug, Error)]
#[error("review ledger: cannot {what}: {source}")]
pub struct StoreError {
    /// What was tried.
    pub what: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
    let what = what.into();
    move |source| StoreError { what, source }
}

/// The first line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    version: u32,
    /// Another one for each time that the journal was replaced.
    generation: String,
}

/// What the journal holds.
pub(crate) enum Found {
    /// The same as when it was last read or written here.
    Unchanged,
    /// Another state; `None` if there is none yet.
    State(Option<Box<State>>),
    /// Something that this version cannot read. It was moved to this path.
    Foreign(PathBuf),
}

/// The journal as it was last read or written.
struct Known {
    header: Header,
    state: State,
    /// Up to where its lines are whole.
    len: u64,
    /// Where the whole state ends.
    begin: u64,
}

pub(crate) struct Store {
    folder: PathBuf,
    lock: File,
    known: Option<Known>,
    /// Whether the folder was looked into at all.
    looked: bool,
}

/// The right to change the folder, until it is dropped.
pub(crate) struct Locked {
    file: File,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the handle releases the lock if this fails.
        let _ = self.file.unlock();
    }
}

impl Store {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder.join("blobs")).map_err(failed(format!("create {}", folder.display())))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("ledger.lock"))
            .map_err(failed("open its lock file"))?;
        Ok(Self { folder: folder.to_owned(), lock, known: None, looked: false })
    }

    /// Waits until no other process is changing the folder.
    pub(crate) fn lock(&self) -> Result<Locked, StoreError> {
        let file = self.lock.try_clone().map_err(failed("open its lock file again"))?;
        file.lock().map_err(failed("lock its folder"))?;
        Ok(Locked { file })
    }

    fn journal(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }

    fn blob_path(&self, blob: &BlobId) -> PathBuf {
        self.folder.join("blobs").join(blob.as_str())
    }

    /// Reads what other processes wrote since the last time.
    pub(crate) fn read(&mut self, _: &Locked) -> Result<Found, StoreError> {
        let first_look = !std::mem::replace(&mut self.looked, true);
        let mut file = match File::open(self.journal()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let had = self.known.take().is_some();
                return if had || first_look { self.read_former() } else { Ok(Found::Unchanged) };
            }
            Err(error) => return Err(failed("read its state")(error)),
        };
        if let Some(known) = &mut self.known {
            let same =
                read_header(&mut file).map_err(failed("read its state"))? == Some(known.header.clone());
            let len = file.metadata().map_err(failed("read its state"))?.len();
            if same && len == known.len {
                return Ok(Found::Unchanged);
            }
            if same && len > known.len {
                return match read_on(&mut file, known).map_err(failed("read its state"))? {
                    ReadOn::Nothing => Ok(Found::Unchanged),
                    ReadOn::More => Ok(Found::State(Some(Box::new(known.state.clone())))),
                    ReadOn::Foreign => self.set_aside(JOURNAL),
                };
            }
        }
        file.rewind().map_err(failed("read its state"))?;
        self.known = read_whole(&mut file).map_err(failed("read its state"))?;
        match &self.known {
            Some(known) => Ok(Found::State(Some(Box::new(known.state.clone())))),
            None => self.set_aside(JOURNAL),
        }
    }

    /// Reads a state of before there was a journal, and begins one with it.
    fn read_former(&mut self) -> Result<Found, StoreError> {
        let bytes = match fs::read(self.folder.join(FORMER)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::State(None)),
            Err(error) => return Err(failed("read its state")(error)),
        };
        match State::parse(&bytes) {
            Some(state) => {
                self.begin_journal(&state)?;
                Ok(Found::State(Some(Box::new(state))))
            }
            None => self.set_aside(FORMER),
        }
    }

    fn set_aside(&mut self, name: &str) -> Result<Found, StoreError> {
        self.known = None;
        let path = self.folder.join(name);
        let bytes = fs::read(&path).map_err(failed("read its state"))?;
        let hash = blake3::hash(&bytes).to_hex();
        let (stem, extension) = name.split_once('.').unwrap_or((name, "json"));
        let digits = hash.get(..8).unwrap_or_default();
        let aside = self.folder.join(format!("{stem}-{digits}.{extension}"));
        fs::rename(&path, &aside).map_err(failed("set an unreadable state aside"))?;
        Ok(Found::Foreign(aside))
    }

    /// Makes this the state. Answers the texts that it no longer names.
    pub(crate) fn write(&mut self, _: &Locked, state: &State) -> Result<BTreeSet<BlobId>, StoreError> {
        let Some(known) = &mut self.known else {
            self.begin_journal(state)?;
            return Ok(BTreeSet::new());
        };
        let delta = Delta::between(&known.state, state);
        if delta.is_empty() {
            return Ok(BTreeSet::new());
        }
        // The names of the texts become durable before the line that refers to them.
        sync_folder(&self.folder.join("blobs")).map_err(failed("write its texts"))?;
        // Strings, numbers and lists cannot fail to become JSON.
        let mut line = serde_json::to_vec(&delta).unwrap_or_default();
        line.push(b'\n');
        let grown = known.len + size(&line) - known.begin;
        let mut gone = if grown > known.begin.max(LEAST_GROWTH) {
            let mut old = std::mem::take(&mut known.state);
            self.begin_journal(state)?;
            delta.apply(&mut old)
        } else {
            append(&self.folder.join(JOURNAL), known.len, &line).map_err(failed("write its state"))?;
            known.len += size(&line);
            delta.apply(&mut known.state)
        };
        gone.retain(|blob| !state.names(blob));
        Ok(gone)
    }

    /// Replaces the journal by one that begins with this state.
    fn begin_journal(&mut self, state: &State) -> Result<(), StoreError> {
        // After a failure nothing is known until the folder is read again.
        self.known = None;
        let header = Header { version: VERSION, generation: generation() };
        let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(state).unwrap_or_default());
        bytes.push(b'\n');
        sync_folder(&self.folder.join("blobs")).map_err(failed("write its texts"))?;
        replace(&self.folder, &self.journal(), &bytes).map_err(failed("write its state"))?;
        match fs::remove_file(self.folder.join(FORMER)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("remove its former state")(error)),
        }
        sync_folder(&self.folder).map_err(failed("write its state"))?;
        let len = size(&bytes);
        self.known = Some(Known { header, state: state.clone(), len, begin: len });
        Ok(())
    }

    /// Stores a text under its hash.
    pub(crate) fn put(&self, _: &Locked, text: &Text) -> Result<BlobId, StoreError> {
        let mut hasher = blake3::Hasher::new();
        for chunk in text.chunks() {
            hasher.update(chunk.as_bytes());
        }
        let blob = BlobId::new(hasher.finalize().to_hex().as_str());
        let path = self.blob_path(&blob);
        let len = u64::try_from(text.len_bytes()).unwrap_or(u64::MAX);
        if fs::metadata(&path).is_ok_and(|found| found.len() == len) {
            return Ok(blob);
        }
        let bytes: Vec<u8> = text.chunks().flat_map(str::bytes).collect();
        replace(&self.folder.join("blobs"), &path, &bytes).map_err(failed("store a text"))?;
        Ok(blob)
    }

    /// Reads a stored text.
    pub(crate) fn get(&self, blob: &BlobId) -> Result<Text, StoreError> {
        let text = fs::read_to_string(self.blob_path(blob)).map_err(failed("read a stored text"))?;
        Ok(Text::from(text))
    }

    /// Removes texts that the state no longer names.
    pub(crate) fn discard(&self, _: &Locked, gone: &BTreeSet<BlobId>) -> Result<(), StoreError> {
        for blob in gone {
            match fs::remove_file(self.blob_path(blob)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("remove a text")(error)),
            }
        }
        Ok(())
    }

    /// Removes the texts that the state does not name, and what a killed process left half-written.
    pub(crate) fn sweep(&self, _: &Locked) -> Result<(), StoreError> {
        let named = self.known.as_ref().map(|known| known.state.blobs()).unwrap_or_default();
        let entries = fs::read_dir(self.folder.join("blobs")).map_err(failed("list its texts"))?;
        for entry in entries {
            let entry = entry.map_err(failed("list its texts"))?;
            let is_named = entry.file_name().to_str().is_some_and(|name| named.contains(&BlobId::new(name)));
            if !is_named {
                fs::remove_file(entry.path()).map_err(failed("remove a text"))?;
            }
        }
        Ok(())
    }
}

/// A word that no other journal has.
fn generation() -> String {
    kit_protocol::TurnId::random().as_str().to_owned()
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The header of a journal; `None` for what this version cannot read.
fn read_header(file: &mut File) -> io::Result<Option<Header>> {
    let mut begin = [0; 128];
    let mut count = 0;
    while let Some(rest) = begin.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => count += more,
        }
    }
    let line = begin.get(..count).unwrap_or_default().split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice::<Header>(line).ok().filter(|header| header.version == VERSION))
}

/// Reads a journal from its beginning; `None` for what this version cannot read.
fn read_whole(file: &mut File) -> io::Result<Option<Known>> {
    let Some(header) = read_header(file)? else { return Ok(None) };
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return Ok(None) };
    let Some(state) = State::parse(second) else { return Ok(None) };
    let begin = size(first) + size(second);
    let mut known = Known { header, state, len: begin, begin };
    Ok(take_lines(lines, &mut known).map(|_| known))
}

/// What a longer journal brought.
enum ReadOn {
    /// A line without its end.
    Nothing,
    More,
    /// A line that this version cannot read.
    Foreign,
}

fn read_on(file: &mut File, known: &mut Known) -> io::Result<ReadOn> {
    file.seek(SeekFrom::Start(known.len))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(match take_lines(bytes.split_inclusive(|byte| *byte == b'\n'), known) {
        None => ReadOn::Foreign,
        Some(0) => ReadOn::Nothing,
        Some(_) => ReadOn::More,
    })
}

/// Applies whole lines and answers how many there were; `None` at one that cannot be read.
fn take_lines<'a>(lines: impl Iterator<Item = &'a [u8]>, known: &mut Known) -> Option<usize> {
    let mut count = 0;
    for line in lines.filter(|line| line.last() == Some(&b'\n')) {
        let delta: Delta = serde_json::from_slice(line).ok()?;
        delta.apply(&mut known.state);
        known.len += size(line);
        count += 1;
    }
    Some(count)
}

/// Appends a line behind the last whole one.
fn append(path: &Path, len: u64, line: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    if file.metadata()?.len() > len {
        // A dying process left it without its end.
        file.set_len(len)?;
    }
    file.seek(SeekFrom::Start(len))?;
    file.write_all(line)?;
    file.sync_data()
}

/// Gives a file new content in one step.
fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems than Unix offer no way to ask for that.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
