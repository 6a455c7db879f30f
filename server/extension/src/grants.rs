//! What the user granted to extensions.
//!
//! Grants lie in one file of the configuration folder that only the user may read. A grant names the extension's file,
//! the hash of its content, or `null` where it holds whatever the content becomes, and what is granted; an empty grant
//! is a refusal. The file is read anew each time, because several servers share it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use kit_contract::Permissions;
use serde::{Deserialize, Serialize};

/// The file of grants.
pub struct Grants {
    file: PathBuf,
    /// One change at a time.
    writing: Mutex<()>,
}

/// What was decided about an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The hash of the content that it is about; any content where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What is granted; nothing is a refusal.
    #[serde(default)]
    pub permissions: Permissions,
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(default)]
    grants: BTreeMap<String, Vec<Grant>>,
}

impl Grants {
    /// The grants in a configuration folder.
    pub fn new(config: &Path) -> Self {
        Self { file: config.join("extension-grants.json"), writing: Mutex::new(()) }
    }

    /// The file, to be shown to the user.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What was decided about an extension with this content; a grant for the content comes before one for any.
    pub fn find(&self, extension: &Path, hash: &str) -> Option<Permissions> {
        let stored = match self.read() {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "nothing is granted to extensions");
                return None;
            }
        };
        let grants = stored.grants.get(&name(extension))?;
        let exact = grants.iter().find(|grant| grant.hash.as_deref() == Some(hash));
        exact
            .or_else(|| grants.iter().find(|grant| grant.hash.is_none()))
            .map(|grant| grant.permissions.clone())
    }

    /// Stores a decision; it replaces those about the same content.
    pub fn store(&self, extension: &Path, grant: Grant) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut stored = self.read()?;
        stored.version = 1;
        let grants = stored.grants.entry(name(extension)).or_default();
        // Earlier versions of the content do not come back; their grants would only pile up.
        grants.retain(|other| other.hash.is_none() && grant.hash.is_some());
        grants.push(grant);
        let mut text = serde_json::to_string_pretty(&stored)?;
        text.push('\n');
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Temporary files can be read by the user alone.
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut temporary, text.as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(&self.file)?;
        Ok(())
    }

    fn read(&self) -> io::Result<Stored> {
        match fs::read(&self.file) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::default()),
            Err(error) => Err(error),
        }
    }
}

fn name(extension: &Path) -> String {
    extension.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(what: &str) -> Permissions {
        let fs = kit_contract::FilePermissions { read: vec![what.to_owned()], write: Vec::new() };
        Permissions { fs, ..Permissions::default() }
    }

    #[test]
    fn a_grant_holds_for_its_content_and_one_for_any_content_for_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let grants = Grants::new(folder.path());
        let extension = Path::new("/x/gate.js");
        let found = |hash: &str| grants.find(extension, hash);
        assert_eq!(found("1"), None);
        grants.store(extension, Grant { hash: Some("1".to_owned()), permissions: reads("a") }).unwrap();
        assert_eq!((found("1"), found("2")), (Some(reads("a")), None));
        grants.store(extension, Grant { hash: None, permissions: reads("b") }).unwrap();
        grants
            .store(extension, Grant { hash: Some("2".to_owned()), permissions: Permissions::default() })
            .unwrap();
        assert_eq!((found("1"), found("2")), (Some(reads("b")), Some(Permissions::default())));
        assert_eq!(grants.find(Path::new("/y/gate.js"), "1"), None);
    }

    #[test]
    fn a_damaged_file_grants_nothing_and_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let grants = Grants::new(folder.path());
        fs::write(grants.file(), "{ torn").unwrap();
        let extension = Path::new("/x/gate.js");
        assert_eq!(grants.find(extension, "1"), None);
        grants.store(extension, Grant { hash: None, permissions: reads("a") }).unwrap_err();
        assert_eq!(fs::read_to_string(grants.file()).unwrap(), "{ torn");
    }
}
