//! A file of JSON entries by name that is for the user alone: 0600 in a folder of 0700, and looser rights are tightened.
//!
//! It is read whenever it is asked, so that a change of another process counts at once. Changes read, change and replace it
//! under a lock that all processes take, and they keep every entry that they do not mean. The file goes with its last entry.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::error::AuthError;
use crate::files::{Access, create_folder, replace, restrict};

/// How long another process may keep a renewal to itself: longer than the slowest one takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the lock of a renewal is tried.
const STEP: Duration = Duration::from_millis(50);

/// A file for the user alone, which need not exist.
#[derive(Clone, Debug)]
pub(super) struct PrivateFile {
    pub(super) path: PathBuf,
}

impl PrivateFile {
    /// What the file has.
    pub(super) fn read(&self) -> Result<Map<String, Value>, AuthError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(self.failed(error)),
        };
        // A file that others may read is closed to them; that it cannot be changed is no reason not to use it.
        if let Err(error) = restrict(&self.path, 0o600) {
            tracing::warn!(%error, "others may read the stored logins");
        }
        match serde_json::from_str(&text) {
            Ok(Value::Object(stored)) => Ok(stored),
            Ok(_) => Err(self.damaged("no object")),
            // The text of the error would quote the file.
            Err(error) => Err(self.damaged(&format!("line {} is not JSON", error.line()))),
        }
    }

    /// Changes the entries while no other process does. Nothing is written when nothing changed or the change failed.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<(), AuthError>,
    ) -> Result<(), AuthError> {
        let lock = self.lock_file("lock").map_err(|error| self.failed(error))?;
        lock.lock().map_err(|error| self.failed(error))?;
        let before = self.read()?;
        let mut stored = before.clone();
        change(&mut stored)?;
        let written = if stored == before {
            Ok(())
        } else if stored.is_empty() {
            fs::remove_file(&self.path)
        } else {
            let text = serde_json::to_string_pretty(&stored).unwrap_or_default();
            replace(&self.path, text.as_bytes(), Access::Private)
        };
        written.map_err(|error| self.failed(error))
    }

    /// Keeps other processes from work of that name, such as a renewal, until the result is dropped.
    pub(super) async fn lock(&self, name: &str) -> Result<File, AuthError> {
        let file = self.lock_file(&format!("{name}.lock")).map_err(|error| self.failed(error))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(STEP).await,
                Err(TryLockError::WouldBlock) => return Err(AuthError::Locked { path: self.path.clone() }),
                Err(TryLockError::Error(error)) => return Err(self.failed(error)),
            }
        }
    }

    fn lock_file(&self, suffix: &str) -> io::Result<File> {
        create_folder(self.path.parent().unwrap_or(Path::new(".")), Access::Private)?;
        let path = self.path.with_extension(format!("json.{suffix}"));
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        restrict(&path, 0o600)?;
        Ok(file)
    }

    pub(super) fn damaged(&self, reason: &str) -> AuthError {
        AuthError::Damaged { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn failed(&self, error: io::Error) -> AuthError {
        AuthError::File { path: self.path.clone(), error }
    }
}
