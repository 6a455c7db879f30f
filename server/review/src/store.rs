//! The ledger's folder: one state file, content-addressed texts, and a lock.
//!
//! ```text
//! state.json          everything but the texts; replaced as a whole
//! blobs/<blake3>      a text
//! ledger.lock         held by the process that is changing any of it
//! ```
//!
//! Texts are written before the state that names them, and removed after the state that no longer does. Files appear
//! under their name only when they are complete and on disk. So whatever moment a process dies at, the state that is
//! there can be read and every text it names is there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kit_text::Text;
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::state::{BlobId, State};

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

/// What the state file holds.
pub(crate) enum Found {
    /// The same as when it was last read or written here.
    Unchanged,
    /// Another state; `None` if there is none yet.
    State(Option<Box<State>>),
    /// Something that this version cannot read. It was moved to this path.
    Foreign(PathBuf),
}

pub(crate) struct Store {
    folder: PathBuf,
    lock: File,
    /// Hash of the state file as it was last read or written; `None` before that.
    known: Option<blake3::Hash>,
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
        Ok(Self { folder: folder.to_owned(), lock, known: None })
    }

    /// Waits until no other process is changing the folder.
    pub(crate) fn lock(&self) -> Result<Locked, StoreError> {
        let file = self.lock.try_clone().map_err(failed("open its lock file again"))?;
        file.lock().map_err(failed("lock its folder"))?;
        Ok(Locked { file })
    }

    fn state_path(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    fn blob_path(&self, blob: &BlobId) -> PathBuf {
        self.folder.join("blobs").join(blob.as_str())
    }

    /// Reads the state if another process changed it.
    pub(crate) fn read(&mut self, _: &Locked) -> Result<Found, StoreError> {
        let path = self.state_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed("read its state")(error)),
        };
        let hash = blake3::hash(&bytes);
        if self.known == Some(hash) {
            return Ok(Found::Unchanged);
        }
        self.known = Some(hash);
        if bytes.is_empty() {
            return Ok(Found::State(None));
        }
        match State::parse(&bytes) {
            Some(state) => Ok(Found::State(Some(Box::new(state)))),
            None => {
                let hash = hash.to_hex();
                let aside = self.folder.join(format!("state-{}.json", hash.get(..8).unwrap_or_default()));
                fs::rename(&path, &aside).map_err(failed("set an unreadable state aside"))?;
                self.known = Some(blake3::hash(&[]));
                Ok(Found::Foreign(aside))
            }
        }
    }

    /// Replaces the state.
    pub(crate) fn write(&mut self, _: &Locked, state: &State) -> Result<(), StoreError> {
        let bytes = state.to_bytes();
        let hash = blake3::hash(&bytes);
        if self.known == Some(hash) {
            return Ok(());
        }
        // The names of the texts become durable before the state that refers to them.
        sync_folder(&self.folder.join("blobs")).map_err(failed("write its texts"))?;
        replace(&self.folder, &self.state_path(), &bytes).map_err(failed("write its state"))?;
        sync_folder(&self.folder).map_err(failed("write its state"))?;
        self.known = Some(hash);
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

    /// Removes the texts that the state does not name, and what a killed process left half-written.
    pub(crate) fn sweep(&self, _: &Locked, named: &BTreeSet<BlobId>) -> Result<(), StoreError> {
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
