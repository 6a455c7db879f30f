//! Files on disk: reading with limits, and replacing only what is still as it was read.
//!
//! A replacement locks the file, compares its content with what the caller has read, writes a temporary file beside it,
//! flushes it, gives it the owner and mode of the old one, and renames it over. So a reader sees the old or the new
//! content, a crash leaves one of the two, and two of our processes cannot overwrite each other. Programs that do not
//! lock are noticed by a second look at the file directly before the rename. A new file takes its name only if nobody
//! else has taken it by then.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tempfile::NamedTempFile;
use thiserror::Error;

use crate::WorkspaceError;
use crate::snapshot::FileHash;

/// How long another program may hold a lock on the file.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_POLL: Duration = Duration::from_millis(10);
/// How often a file may be replaced by others while we lock it.
const LOCK_ATTEMPTS: u32 = 8;
/// How much of a file tells what it is.
const HEAD_BYTES: usize = 32;

/// A file as it was read.
pub(crate) struct DiskFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: FileHash,
    pub(crate) mode: u32,
}

/// Why a file was not written; it is as it was.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    #[error("it has changed")]
    Changed,
    #[error("it is gone")]
    Vanished,
    #[error("it is read-only")]
    ReadOnly,
    #[error("it is a directory")]
    IsDirectory,
    #[error("another program keeps it locked")]
    Locked,
    #[error("no space left")]
    NoSpace,
    #[error("an editor has opened it")]
    Opened,
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for WriteError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of the standard library are open-ended")]
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::NoSpace
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::IsADirectory => Self::IsDirectory,
            io::ErrorKind::NotFound => Self::Vanished,
            _ => Self::Io(error),
        }
    }
}

/// Reads a file; `None` when there is none.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<DiskFile>, WorkspaceError> {
    let failed = |error: &io::Error| WorkspaceError::from_io(path, error);
    // Looked at before it is opened, because opening a pipe blocks.
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    if metadata.is_dir() {
        return Err(WorkspaceError::IsDirectory { path: path.to_path_buf() });
    }
    if !metadata.is_file() {
        return Err(WorkspaceError::NotAFile { path: path.to_path_buf() });
    }
    let too_large = |size| WorkspaceError::TooLarge { path: path.to_path_buf(), size, limit };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(too_large(size));
    }
    Ok(Some(DiskFile { hash: hash(&bytes), mode: mode(&metadata), bytes }))
}

/// The first bytes of a file, enough to tell what it is; none where they cannot be read.
pub(crate) fn head(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    // Looked at before it is opened, because opening a pipe blocks.
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return bytes;
    }
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut bytes));
    if read.is_err() {
        bytes.clear();
    }
    bytes
}

/// Replaces a file whose content still has the hash; `may_commit` is asked directly before that.
pub(crate) fn replace(
    path: &Path,
    expected: FileHash,
    bytes: &[u8],
    may_commit: &dyn Fn() -> bool,
) -> Result<(), WriteError> {
    let current = Current::lock(path, expected)?;
    let directory = path.parent().ok_or(WriteError::IsDirectory)?;
    let mut temporary = temporary_file(directory, private_permissions())?;
    temporary.write_all(bytes)?;
    keep_owner(&temporary, &current.metadata);
    temporary.as_file().set_permissions(current.metadata.permissions())?;
    temporary.as_file().sync_all()?;
    if !may_commit() {
        return Err(WriteError::Opened);
    }
    current.check(path)?;
    // Windows does not replace a file that is locked.
    #[cfg(windows)]
    drop(current);
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(directory);
    Ok(())
}

/// Creates a file with the directories above it, unless something has its name.
pub(crate) fn create(path: &Path, bytes: &[u8], may_commit: &dyn Fn() -> bool) -> Result<(), WriteError> {
    let directory = path.parent().ok_or(WriteError::IsDirectory)?;
    let mut made = Vec::new();
    let outcome =
        make_directories(directory, &mut made).and_then(|()| create_in(directory, path, bytes, may_commit));
    if outcome.is_err() {
        for directory in made.iter().rev() {
            // Somebody else may use it by now; then it stays.
            if let Err(error) = fs::remove_dir(directory) {
                tracing::debug!(directory = %directory.display(), %error, "left a new directory behind");
            }
        }
    }
    outcome
}

fn create_in(
    directory: &Path,
    path: &Path,
    bytes: &[u8],
    may_commit: &dyn Fn() -> bool,
) -> Result<(), WriteError> {
    let mut temporary = temporary_file(directory, usual_permissions())?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    if !may_commit() {
        return Err(WriteError::Opened);
    }
    temporary.persist_noclobber(path).map_err(|error| {
        let taken = error.error.kind() == io::ErrorKind::AlreadyExists;
        if taken { WriteError::Changed } else { WriteError::from(error.error) }
    })?;
    sync_directory(directory);
    Ok(())
}

/// Deletes a file whose content still has the hash.
pub(crate) fn remove(path: &Path, expected: FileHash) -> Result<(), WriteError> {
    let current = Current::lock(path, expected)?;
    current.check(path)?;
    #[cfg(windows)]
    drop(current);
    fs::remove_file(path)?;
    if let Some(directory) = path.parent() {
        sync_directory(directory);
    }
    Ok(())
}

/// Writes a file of our own as a whole: only the user may read it, and a crash leaves the old or the new content.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    let mut temporary = temporary_file(directory, private_permissions())?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(directory);
    Ok(())
}

/// A locked file that has the expected content.
struct Current {
    /// Holds the lock.
    _file: File,
    metadata: Metadata,
    identity: Identity,
}

/// What changes when a file is replaced or written.
#[derive(PartialEq)]
struct Identity {
    file: (u64, u64),
    len: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self { file: file_id(metadata), len: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Current {
    fn lock(path: &Path, expected: FileHash) -> Result<Self, WriteError> {
        for _ in 0..LOCK_ATTEMPTS {
            let found = fs::metadata(path)?;
            if found.is_dir() {
                return Err(WriteError::IsDirectory);
            }
            if found.permissions().readonly() {
                return Err(WriteError::ReadOnly);
            }
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            wait_for_lock(&file)?;
            let metadata = file.metadata()?;
            // Whoever held the lock may have put another file in this one's place.
            if file_id(&fs::metadata(path)?) != file_id(&metadata) {
                continue;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            if hash(&bytes) != expected {
                return Err(WriteError::Changed);
            }
            let identity = Identity::of(&metadata);
            return Ok(Self { _file: file, metadata, identity });
        }
        Err(WriteError::Changed)
    }

    /// Fails if somebody who does not lock has written it since.
    fn check(&self, path: &Path) -> Result<(), WriteError> {
        if Identity::of(&fs::metadata(path)?) == self.identity { Ok(()) } else { Err(WriteError::Changed) }
    }
}

fn wait_for_lock(file: &File) -> Result<(), WriteError> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_POLL),
            Err(fs::TryLockError::WouldBlock) => return Err(WriteError::Locked),
            Err(fs::TryLockError::Error(error)) => {
                // Some network file systems have no locks; the comparison of the content remains.
                tracing::debug!(%error, "could not lock");
                return Ok(());
            }
        }
    }
}

fn hash(bytes: &[u8]) -> FileHash {
    FileHash(*blake3::hash(bytes).as_bytes())
}

/// Makes the directory and those above it; `made` receives the new ones, outermost first.
fn make_directories(directory: &Path, made: &mut Vec<PathBuf>) -> Result<(), WriteError> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Ok(()) => made.push(path.to_path_buf()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn temporary_file(directory: &Path, permissions: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kit-").suffix(".tmp");
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    builder.tempfile_in(directory)
}

#[cfg(unix)]
mod system {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    pub(super) fn mode(metadata: &Metadata) -> u32 {
        metadata.permissions().mode() & 0o7777
    }

    pub(super) fn file_id(metadata: &Metadata) -> (u64, u64) {
        (metadata.dev(), metadata.ino())
    }

    pub(super) fn private_permissions() -> Option<fs::Permissions> {
        Some(fs::Permissions::from_mode(0o600))
    }

    /// What the user's umask leaves of read and write for all.
    pub(super) fn usual_permissions() -> Option<fs::Permissions> {
        Some(fs::Permissions::from_mode(0o666))
    }

    pub(super) fn keep_owner(temporary: &NamedTempFile, old: &Metadata) {
        let file = temporary.as_file();
        let Ok(new) = file.metadata() else { return };
        if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
            return;
        }
        // Only the superuser may give files away; a group of one's own may be kept by anyone.
        let outcome = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))
            .or_else(|_| std::os::unix::fs::fchown(file, None, Some(old.gid())));
        if let Err(error) = outcome {
            tracing::debug!(%error, "could not keep the owner");
        }
    }

    pub(super) fn sync_directory(directory: &Path) {
        if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
            tracing::debug!(directory = %directory.display(), %error, "could not flush");
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;

    pub(super) fn mode(_metadata: &Metadata) -> u32 {
        0
    }

    pub(super) fn file_id(_metadata: &Metadata) -> (u64, u64) {
        (0, 0)
    }

    pub(super) fn private_permissions() -> Option<fs::Permissions> {
        None
    }

    pub(super) fn usual_permissions() -> Option<fs::Permissions> {
        None
    }

    pub(super) fn keep_owner(_temporary: &NamedTempFile, _old: &Metadata) {}

    /// Directories cannot be flushed; the system orders renames itself.
    pub(super) fn sync_directory(_directory: &Path) {}
}

use system::{file_id, keep_owner, mode, private_permissions, sync_directory, usual_permissions};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_what_a_caller_can_act_on() {
        let check = |kind: io::ErrorKind, expected: &str| {
            assert_eq!(WriteError::from(io::Error::from(kind)).to_string(), expected);
        };
        check(io::ErrorKind::StorageFull, "no space left");
        check(io::ErrorKind::QuotaExceeded, "no space left");
        check(io::ErrorKind::PermissionDenied, "it is read-only");
        check(io::ErrorKind::ReadOnlyFilesystem, "it is read-only");
        check(io::ErrorKind::NotFound, "it is gone");
        check(io::ErrorKind::IsADirectory, "it is a directory");
    }

    #[test]
    fn a_file_that_may_not_be_committed_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/deep/a.txt");
        assert!(matches!(create(&path, b"x", &|| false), Err(WriteError::Opened)));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_another_program_keeps_locked_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        fs::write(&path, "theirs").unwrap();
        let theirs = File::open(&path).unwrap();
        theirs.lock().unwrap();
        assert!(matches!(replace(&path, hash(b"theirs"), b"ours", &|| true), Err(WriteError::Locked)));
        drop(theirs);
        assert!(replace(&path, hash(b"theirs"), b"ours", &|| true).is_ok());
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
    }

    #[test]
    fn of_many_writers_of_one_content_exactly_one_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        fs::write(&path, "base").unwrap();
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let write = |index: u8| {
                let path = &path;
                scope.spawn(move || replace(path, hash(b"base"), &[b'0' + index], &|| true).is_ok())
            };
            let writers: Vec<_> = (0..8).map(write).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let winners: Vec<usize> = (0..8).filter(|index| outcomes[*index]).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), winners[0].to_string());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
