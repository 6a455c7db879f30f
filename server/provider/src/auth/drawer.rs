//! A file of secrets that are not keys of providers, each under a name: for the user alone, changed under a lock that all
//! processes take, and read whenever it is asked.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::error::AuthError;
use crate::files::{Access, create_folder, replace, restrict};

/// How long another process may keep a lock to itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a lock is tried.
const STEP: Duration = Duration::from_millis(50);

/// A file of secrets.
#[derive(Clone, Debug)]
pub struct Drawer {
    path: PathBuf,
}

impl Drawer {
    /// The secrets in that file, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What lies under a name: JSON text.
    pub fn get(&self, name: &str) -> Result<Option<SecretString>, AuthError> {
        Ok(self.read()?.get(name).map(|value| SecretString::from(value.to_string())))
    }

    /// Puts JSON text under a name.
    pub fn put(&self, name: &str, text: &SecretString) -> Result<(), AuthError> {
        let value =
            serde_json::from_str(text.expose_secret()).map_err(|_| self.damaged("the secret is no JSON"))?;
        self.change(|stored| {
            stored.insert(name.to_owned(), value);
        })
    }

    /// Takes away what lies under a name and tells whether there was something. The file goes with the last.
    pub fn remove(&self, name: &str) -> Result<bool, AuthError> {
        let mut was_there = false;
        self.change(|stored| was_there = stored.shift_remove(name).is_some())?;
        Ok(was_there)
    }

    /// Keeps other processes from renewing what lies in the file, until the result is dropped.
    pub async fn lock(&self) -> Result<File, AuthError> {
        let file = self.lock_file("renewal.lock").map_err(|error| self.file_error(error))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(STEP).await,
                Err(TryLockError::WouldBlock) => return Err(AuthError::Locked { path: self.path.clone() }),
                Err(TryLockError::Error(error)) => return Err(self.file_error(error)),
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), AuthError> {
        let file = self.lock_file("lock").map_err(|error| self.file_error(error))?;
        file.lock().map_err(|error| self.file_error(error))?;
        let before = self.read()?;
        let mut stored = before.clone();
        change(&mut stored);
        let written = if stored == before {
            Ok(())
        } else if stored.is_empty() {
            fs::remove_file(&self.path)
        } else {
            let text = serde_json::to_string_pretty(&stored).unwrap_or_default();
            replace(&self.path, text.as_bytes(), Access::Private)
        };
        written.map_err(|error| self.file_error(error))
    }

    fn lock_file(&self, suffix: &str) -> io::Result<File> {
        create_folder(self.path.parent().unwrap_or(Path::new(".")), Access::Private)?;
        let path = self.path.with_extension(format!("json.{suffix}"));
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        restrict(&path, 0o600)?;
        Ok(file)
    }

    fn read(&self) -> Result<Map<String, Value>, AuthError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(self.file_error(error)),
        };
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

    fn damaged(&self, reason: &str) -> AuthError {
        AuthError::Damaged { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn file_error(&self, error: io::Error) -> AuthError {
        AuthError::File { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_lie_in_a_private_file_that_goes_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/logins.json");
        let drawer = Drawer::at(path.clone());
        assert!(drawer.get("a").unwrap().is_none());
        drawer.put("a", &SecretString::from(r#"{"token":"planted"}"#)).unwrap();
        drawer.put("b", &SecretString::from("1")).unwrap();
        assert_eq!(drawer.get("a").unwrap().unwrap().expose_secret(), r#"{"token":"planted"}"#);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(drawer.remove("a").unwrap() && !drawer.remove("a").unwrap());
        assert!(drawer.remove("b").unwrap() && !path.exists());
        fs::write(&path, "planted").unwrap();
        let error = drawer.get("a").unwrap_err().to_string();
        assert!(error.contains("damaged") && !error.contains("planted"), "{error}");
    }
}
