//! The state that extensions keep for a session: a file of texts by key beside the session's file.
//!
//! Reads are from memory. A change is in memory at once and on disk when its future is done; changes that come while
//! one is being written are written together. Writing takes a lock that other processes respect, reads what they wrote,
//! puts the changes on top, and replaces the file as a whole: a temporary file of a unique name, synchronized, renamed.
//! A file that is missing or empty is an empty state; one that cannot be read leaves memory and file alone until
//! something is set.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::SessionId;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// The prefix of keys that all extensions see.
const SHARED: &str = "shared:";

/// What the name of a state's file ends with.
const SUFFIX: &str = ".ext-state.json";

/// The states of all sessions.
#[derive(Default)]
pub(crate) struct States {
    sessions: Mutex<HashMap<SessionId, Arc<State>>>,
    writers: TaskTracker,
}

/// The state of a session.
pub struct State {
    /// The file; none for a session without one.
    file: Option<PathBuf>,
    memory: Mutex<BTreeMap<String, String>>,
    pending: Mutex<Pending>,
    writer: tokio::sync::Mutex<()>,
    /// Whether what a crash left of an earlier writer was looked for.
    swept: AtomicBool,
}

#[derive(Default)]
struct Pending {
    /// What is to be set, or removed, by key.
    changes: BTreeMap<String, Option<String>>,
    waiting: Vec<oneshot::Sender<Result<(), StateError>>>,
}

/// Why a state cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read.
    #[error("the state of extensions in {path} cannot be read: {why}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's or parser's words.
        why: String,
    },
    /// The file cannot be written.
    #[error("the state of extensions in {path} cannot be written: {why}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

impl StateError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. } | Self::Write { path, .. } => path,
        }
    }
}

impl States {
    /// The state of a session, if it was bound.
    pub(crate) fn get(&self, session: &SessionId) -> Option<Arc<State>> {
        self.lock().get(session).cloned()
    }

    /// The state of a session whose file is known; read now unless it was before. With the state comes what was wrong.
    pub(crate) async fn bind(
        &self,
        session: &SessionId,
        path: Option<PathBuf>,
    ) -> (Arc<State>, Option<StateError>) {
        if let Some(state) = self.get(session) {
            return (state, None);
        }
        let opened = tokio::task::spawn_blocking(move || {
            let file = path.as_deref().map(sidecar);
            let state = State::at(file);
            let error = state.load().err();
            (Arc::new(state), error)
        });
        let (state, error) = match opened.await {
            Ok(opened) => opened,
            Err(lost) => {
                tracing::error!(%lost, "the state of extensions was not read");
                (Arc::new(State::at(None)), None)
            }
        };
        // Of two that bind at the same time the first stays, as changes may be in it already.
        let state = Arc::clone(self.lock().entry(session.clone()).or_insert(state));
        (state, error)
    }

    /// Forgets a session that was closed, so that it is read again when it is opened.
    pub(crate) fn forget(&self, session: &SessionId) {
        self.lock().remove(session);
    }

    /// Changes a value; the answer comes when it is on disk, and the change is made even if nobody waits for it.
    pub(crate) fn change(
        &self,
        state: &Arc<State>,
        key: String,
        value: Option<String>,
    ) -> impl Future<Output = Result<(), StateError>> + use<> {
        let done = state.change(key, value);
        self.writers.spawn(Arc::clone(state).flush());
        async move { done.await.unwrap_or(Ok(())) }
    }

    /// Waits until everything is on disk.
    pub(crate) async fn flush(&self) {
        self.writers.close();
        self.writers.wait().await;
        self.writers.reopen();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<State>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An empty state that is kept in a file, or only in memory.
    pub fn at(file: Option<PathBuf>) -> Self {
        Self {
            file,
            memory: Mutex::default(),
            pending: Mutex::default(),
            writer: tokio::sync::Mutex::default(),
            swept: AtomicBool::new(false),
        }
    }

    /// Reads the file. A missing or empty one clears the memory, an unreadable one changes nothing.
    pub fn load(&self) -> Result<(), StateError> {
        let Some(file) = &self.file else { return Ok(()) };
        let values =
            read(file).map_err(|error| StateError::Read { path: file.clone(), why: error.to_string() })?;
        *self.memory() = values;
        Ok(())
    }

    /// Where it is kept; none for a session without a file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A value.
    pub fn get(&self, key: &str) -> Option<String> {
        self.memory().get(key).cloned()
    }

    /// The keys that begin with one of the prefixes.
    pub fn keys(&self, prefixes: &[&str]) -> Vec<String> {
        let begins = |key: &&String| prefixes.iter().any(|prefix| key.starts_with(prefix));
        self.memory().keys().filter(begins).cloned().collect()
    }

    /// Changes memory, and notes what [`flush`](Self::flush) is to write.
    fn change(&self, key: String, value: Option<String>) -> oneshot::Receiver<Result<(), StateError>> {
        let (waiting, done) = oneshot::channel();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = self.memory();
        match &value {
            Some(value) => memory.insert(key.clone(), value.clone()),
            None => memory.remove(&key),
        };
        pending.changes.insert(key, value);
        pending.waiting.push(waiting);
        done
    }

    /// Sets a value and waits until it is on disk.
    pub async fn set(self: &Arc<Self>, key: &str, value: &str) -> Result<(), StateError> {
        let done = self.change(key.to_owned(), Some(value.to_owned()));
        Arc::clone(self).flush().await;
        done.await.unwrap_or(Ok(()))
    }

    /// Writes all changes that nobody wrote yet.
    async fn flush(self: Arc<Self>) {
        let _writer = self.writer.lock().await;
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let Pending { changes, waiting } = pending;
        if changes.is_empty() {
            return;
        }
        let state = Arc::clone(&self);
        let written = tokio::task::spawn_blocking(move || state.write(changes)).await;
        let result = written.unwrap_or_else(|lost| {
            let path = self.file.clone().unwrap_or_default();
            Err(StateError::Write { path, why: lost.to_string() })
        });
        for waiting in waiting {
            // Whoever does not wait does not want to know.
            let _gave_up = waiting.send(result.clone());
        }
    }

    fn write(&self, changes: BTreeMap<String, Option<String>>) -> Result<(), StateError> {
        let Some(file) = &self.file else { return Ok(()) };
        let failed = |error: io::Error| StateError::Write { path: file.clone(), why: error.to_string() };
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = fs::OpenOptions::new().create(true).append(true).open(lock_file(file)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if !self.swept.swap(true, Ordering::AcqRel) {
            sweep(folder, file);
        }
        // What other processes wrote stays; a file that nobody can read is replaced by what is in memory.
        let mut values = read(file).unwrap_or_else(|_unreadable| self.memory().clone());
        for (key, value) in changes {
            match value {
                Some(value) => values.insert(key, value),
                None => values.remove(&key),
            };
        }
        replace(folder, file, &values).map_err(failed)
    }

    fn memory(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key in the file for a key of an extension.
pub(crate) fn key_of(extension: &str, key: &str) -> String {
    if key.starts_with(SHARED) { key.to_owned() } else { format!("{extension}:{key}") }
}

/// The keys of the file that an extension sees, as it names them.
pub(crate) fn keys_for(extension: &str, state: &State) -> Vec<String> {
    let own = format!("{extension}:");
    let keys = state.keys(&[&own, SHARED]);
    keys.into_iter().map(|key| key.strip_prefix(&own).map_or(key.clone(), str::to_owned)).collect()
}

/// The file of the state beside a session's file.
pub fn sidecar(session: &Path) -> PathBuf {
    let name = session.as_os_str().to_string_lossy();
    PathBuf::from(format!("{}{SUFFIX}", name.strip_suffix(".jsonl").unwrap_or(&name)))
}

/// Whether a file is the state of a session, by its name.
pub(crate) fn is_sidecar(file: &Path) -> bool {
    file.as_os_str().to_string_lossy().ends_with(SUFFIX)
}

fn lock_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read(file: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(file) {
        Ok(bytes) if bytes.is_empty() => Ok(BTreeMap::new()),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// How the names of a state's temporary files begin.
fn temporary_prefix(file: &Path) -> String {
    format!(".{}.", file.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes temporary files that a crash left; whoever has the lock knows that nobody writes them.
fn sweep(folder: &Path, file: &Path) {
    let prefix = temporary_prefix(file);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix)
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "a temporary file stays");
        }
    }
}

fn replace(folder: &Path, file: &Path, values: &BTreeMap<String, String>) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    let prefix = temporary_prefix(file);
    builder.prefix(&prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut temporary = builder.tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut temporary, values)?;
    temporary.flush()?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = sidecar(&folder.path().join("2026_abc.jsonl"));
        (folder, file)
    }

    #[test]
    fn the_file_lies_beside_the_session_and_keys_belong_to_their_extension() {
        assert_eq!(sidecar(Path::new("/s/2026_abc.jsonl")), Path::new("/s/2026_abc.ext-state.json"));
        let state = State::at(None);
        for (extension, key) in [("a", "x"), ("b", "x"), ("b", "shared:y")] {
            drop(state.change(key_of(extension, key), Some("1".to_owned())));
        }
        assert_eq!(keys_for("a", &state), ["x", "shared:y"]);
        assert_eq!(keys_for("c", &state), ["shared:y"]);
    }

    /// Statement 32.
    #[tokio::test]
    async fn a_missing_or_empty_file_is_an_empty_state_and_a_damaged_one_changes_nothing() {
        let (_folder, file) = fixture();
        let state = Arc::new(State::at(Some(file.clone())));
        state.load().unwrap();
        state.set("a:x", "1").await.unwrap();
        fs::write(&file, "{ torn").unwrap();
        assert!(matches!(state.load(), Err(StateError::Read { .. })));
        assert_eq!(state.get("a:x"), Some("1".to_owned()));
        assert_eq!(fs::read_to_string(&file).unwrap(), "{ torn");
        state.set("a:y", "2").await.unwrap();
        let written: BTreeMap<String, String> = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let expected = [("a:x", "1"), ("a:y", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(written, BTreeMap::from(expected));
        fs::write(&file, "").unwrap();
        state.load().unwrap();
        assert_eq!(state.get("a:x"), None);
    }

    /// Statement 32.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_writers_leave_the_last_value_of_each() {
        let (_folder, file) = fixture();
        // Two states of one file stand for two processes.
        let states = [Arc::new(State::at(Some(file.clone()))), Arc::new(State::at(Some(file.clone())))];
        let writers = (0..16_usize).map(|writer| {
            let state = Arc::clone(&states[writer % 2]);
            tokio::spawn(async move {
                for value in 0..100 {
                    state.set(&format!("a:{writer}"), &value.to_string()).await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let written: BTreeMap<String, String> = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let expected = (0..16).map(|writer| (format!("a:{writer}"), "99".to_owned()));
        assert_eq!(written, expected.collect::<BTreeMap<_, _>>());
    }

    #[tokio::test]
    async fn what_a_crash_left_goes_with_the_next_write_and_nothing_else_does() {
        let (folder, file) = fixture();
        let left = folder.path().join(".2026_abc.ext-state.json.x1Y2z3");
        let of_another = folder.path().join(".2026_def.ext-state.json.x1Y2z3");
        for path in [&left, &of_another] {
            fs::write(path, "{").unwrap();
        }
        let state = Arc::new(State::at(Some(file)));
        state.load().unwrap();
        assert!(left.exists());
        state.set("a:x", "1").await.unwrap();
        assert_eq!((left.exists(), of_another.exists()), (false, true));
    }

    #[tokio::test]
    async fn an_error_reaches_whoever_set_the_value() {
        let (folder, _) = fixture();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        let state = Arc::new(State::at(Some(blocked.join("x.ext-state.json"))));
        assert!(matches!(state.set("a:x", "1").await, Err(StateError::Write { .. })));
        assert_eq!(state.get("a:x"), Some("1".to_owned()));
    }
}
