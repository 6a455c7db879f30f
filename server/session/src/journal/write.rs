//! The one writer of a session file.
//!
//! A task owns the file and an exclusive advisory lock on it; a second process gets `Busy`. The file is made with its
//! first entry, so a session without entries leaves nothing behind. Every append is one `write` of whole lines at the
//! end of the file: after `kill -9` the system still has what was written. `Durability::Synced` also waits for the
//! disk, which an append does before a prompt is acknowledged and when a turn ends; what lies between survives a
//! crash of this program, and of the whole machine as far as the system wrote it by then.
//!
//! On Unix the lock is the file's own, so a copied or moved file brings no stale lock with it. On Windows such a lock
//! would keep everyone from reading, this process included, so there it is that of an empty file beside it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::entry::Header;
use super::read::{self, Loaded};
use super::temporary;
use crate::error::JournalError;

/// Appends that may wait. The session awaits each, so the queue never fills; a sender would wait for its turn.
const QUEUE: usize = 256;
/// How much of a file is read at once while it is indexed.
const READ_BUFFER: usize = 256 * 1024;

/// When an append counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The system has it.
    Written,
    /// The disk has it.
    Synced,
}

struct Append {
    lines: Vec<u8>,
    durability: Durability,
    done: oneshot::Sender<Result<u64, JournalError>>,
}

/// A handle to the task that writes a session file.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    appends: mpsc::Sender<Append>,
    task: JoinHandle<()>,
}

impl Writer {
    /// A writer that makes the file with the first append.
    pub(crate) fn create(path: PathBuf, header: Header) -> Self {
        Self::start(Target { path, file: None, lock: None, header: Some(header), torn: false })
    }

    /// Opens, locks and reads a file. Blocks; call it where that is allowed.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, Loaded), JournalError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .map_err(|error| JournalError::io("open", &path, error))?;
        let lock = lock(&file, &path)?;
        let source = BufReader::with_capacity(READ_BUFFER, &file);
        let loaded = read::index(source, &path).map_err(|error| JournalError::io("read", &path, error))?;
        let target = Target { path, file: Some(file), lock, header: None, torn: loaded.torn_tail };
        Ok((Self::start(target), loaded))
    }

    fn start(target: Target) -> Self {
        let (appends, queue) = mpsc::channel(QUEUE);
        let path = target.path.clone();
        Self { path, appends, task: tokio::spawn(write_all(target, queue)) }
    }

    /// Appends whole lines and answers where they begin in the file.
    pub(crate) async fn append(&self, lines: Vec<u8>, durability: Durability) -> Result<u64, JournalError> {
        let (done, answer) = oneshot::channel();
        let closed = || JournalError::Closed { path: self.path.clone() };
        self.appends.send(Append { lines, durability, done }).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets go of the file once everything is written.
    pub(crate) async fn close(self) {
        drop(self.appends);
        if let Err(error) = self.task.await {
            tracing::error!(path = %self.path.display(), %error, "the writer of a session file failed");
        }
    }
}

async fn write_all(mut target: Target, mut queue: mpsc::Receiver<Append>) {
    while let Some(Append { lines, durability, done }) = queue.recv().await {
        let written = tokio::task::spawn_blocking(move || {
            let result = target.append(&lines, durability);
            (target, result)
        });
        let Ok((returned, result)) = written.await else { return };
        target = returned;
        if let Err(error) = &result {
            tracing::error!(%error, "a session cannot be saved");
        }
        // The session may have been dropped while it waited; the lines are written all the same.
        let _unread = done.send(result);
    }
    if let Some(lock) = target.lock.take() {
        drop(lock);
        let beside = lock_path(&target.path);
        if let Err(error) = std::fs::remove_file(&beside) {
            tracing::debug!(path = %beside.display(), %error, "a lock file stays");
        }
    }
}

/// The file as its writer knows it.
struct Target {
    path: PathBuf,
    file: Option<File>,
    /// The lock, where it is not the file's own.
    lock: Option<File>,
    /// Written before the first lines of a new file.
    header: Option<Header>,
    /// Whether the file ends in the middle of a line.
    torn: bool,
}

impl Target {
    fn append(&mut self, lines: &[u8], durability: Durability) -> Result<u64, JournalError> {
        let mut bytes = Vec::with_capacity(lines.len() + 512);
        if self.torn {
            bytes.push(b'\n');
        }
        let created = self.file.is_none();
        if let Some(header) = &self.header {
            let line = header.to_line().map_err(|error| self.failed("write", error.into()))?;
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        let before = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(lines);
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let (file, lock) = create(&self.path)?;
                self.lock = lock;
                file
            }
        };
        let file = self.file.insert(file);
        let end = file.seek(SeekFrom::End(0)).and_then(|start| file.write_all(&bytes).map(|()| start));
        let start = match end {
            Ok(start) => start,
            Err(error) => {
                // Part of the lines may be in the file; the next append must not continue their last line.
                self.torn = true;
                return Err(self.failed("write", error));
            }
        };
        self.torn = false;
        self.header = None;
        if durability == Durability::Synced {
            file.sync_data().map_err(|error| JournalError::io("save", &self.path, error))?;
            if created {
                sync_directory(&self.path);
            }
        }
        Ok(start + before)
    }

    fn failed(&self, action: &'static str, error: io::Error) -> JournalError {
        JournalError::Io { action, path: self.path.clone(), source: error }
    }
}

fn create(path: &Path) -> Result<(File, Option<File>), JournalError> {
    let failed = |source| JournalError::Io { action: "create", path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
    }
    let _guard = temporary::guard(path).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    let lock = lock(&file, path)?;
    Ok((file, lock))
}

/// Locks a session file, and answers what has to be kept for it beside the file.
fn lock(file: &File, path: &Path) -> Result<Option<File>, JournalError> {
    if cfg!(unix) {
        return try_lock(file, path).map(|()| None);
    }
    let beside = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(lock_path(path))
        .map_err(|error| JournalError::io("lock", path, error))?;
    try_lock(&beside, path).map(|()| Some(beside))
}

/// Whether a process holds a session file, or might.
pub(super) fn is_held(path: &Path) -> bool {
    match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => lock(&file, path).is_err(),
        Err(_) => true,
    }
}

fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

fn try_lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            // Some network file systems have no locks; a session there is used without one.
            tracing::warn!(path = %path.display(), "the file system has no locks");
            Ok(())
        }
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", path, error)),
    }
}

/// Makes a new file's name durable. Where directories cannot be synced, the system does it by itself.
fn sync_directory(path: &Path) {
    #[cfg(unix)]
    if let Some(folder) = path.parent()
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::warn!(path = %folder.display(), %error, "cannot save a directory");
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;

    fn header() -> Header {
        Header::new("s1".into(), Millis(0), "/w")
    }

    #[tokio::test]
    async fn the_file_appears_with_its_first_entry_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/s.jsonl");
        let writer = Writer::create(path.clone(), header());
        assert!(!path.exists());
        let offset = writer.append(b"{}\n".to_vec(), Durability::Synced).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let line = format!("{}\n", header().to_line().unwrap());
        assert_eq!((text, offset), (format!("{line}{{}}\n"), u64::try_from(line.len()).unwrap()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        }
    }

    #[tokio::test]
    async fn a_second_writer_is_refused_until_the_first_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.jsonl");
        let writer = Writer::create(path.clone(), header());
        writer.append(b"{}\n".to_vec(), Durability::Written).await.unwrap();
        let refused = Writer::open(path.clone()).unwrap_err();
        assert!(matches!(&refused, JournalError::Busy { path: named } if *named == path), "{refused}");
        writer.close().await;
        assert!(Writer::open(path).is_ok());
    }

    #[tokio::test]
    async fn an_append_after_a_torn_line_starts_a_line_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.jsonl");
        std::fs::write(&path, "{}\n{\"type\":").unwrap();
        let (writer, loaded) = Writer::open(path.clone()).unwrap();
        assert!(loaded.torn_tail);
        let offset = writer.append(b"{\"a\":1}\n".to_vec(), Durability::Written).await.unwrap();
        assert_eq!(
            (std::fs::read_to_string(&path).unwrap().as_str(), offset),
            ("{}\n{\"type\":\n{\"a\":1}\n", 12)
        );
    }

    #[tokio::test]
    async fn a_failed_append_says_why_and_the_next_one_starts_anew() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("blocked");
        std::fs::write(&blocked, "a file where a folder should be").unwrap();
        let path = blocked.join("s.jsonl");
        let writer = Writer::create(path.clone(), header());
        let refused = writer.append(b"{}\n".to_vec(), Durability::Synced).await.unwrap_err();
        assert!(matches!(&refused, JournalError::Io { action: "create", .. }), "{refused}");
        std::fs::remove_file(&blocked).unwrap();
        writer.append(b"{}\n".to_vec(), Durability::Synced).await.unwrap();
        let written = std::fs::read(&path).unwrap();
        assert_eq!(read::index(written.as_slice(), &path).unwrap().header, header());
    }
}
