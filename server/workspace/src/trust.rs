//! Which workspaces the user trusts, and which ones they were asked about and declined.
//!
//! The store is a file of its own in the configuration directory that only the user may read, replaced as a whole. It
//! is read anew each time, because several servers share it. A root is trusted when it or a directory above it is;
//! a file that cannot be read trusts nothing (I19).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Paths;
use crate::disk::write_private;
use crate::real_path::real_path;

/// The trusted roots, on disk.
#[derive(Clone, Debug)]
pub struct Trust {
    file: PathBuf,
    /// A root that this process trusts beside those of the file.
    also: Option<PathBuf>,
}

impl Trust {
    /// The store in the configuration directory.
    pub fn new(paths: &Paths) -> Self {
        Self { file: paths.config.join("trusted-projects.json"), also: None }
    }

    /// The same, with a root that only this process trusts.
    pub fn also(self, root: &Path) -> Self {
        Self { also: real_path(root).ok(), ..self }
    }

    /// The file, to be shown to the user.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the user trusts a root.
    pub fn is_trusted(&self, root: &Path) -> bool {
        let Ok(real) = real_path(root) else { return false };
        if self.also.as_ref().is_some_and(|also| real.starts_with(also)) {
            return true;
        }
        match self.read() {
            Ok(roots) => roots.trusted.iter().any(|other| real.starts_with(other)),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "trusts nothing");
                false
            }
        }
    }

    /// Whether the user was asked to trust a root and said no.
    pub fn is_declined(&self, root: &Path) -> bool {
        let Ok(real) = real_path(root) else { return false };
        self.read().is_ok_and(|roots| roots.declined.contains(&real))
    }

    /// Trusts a root, or stops trusting it. A root below a trusted one stays trusted with that one.
    pub fn set(&self, root: &Path, trusted: bool) -> io::Result<()> {
        let real = real_path(root)?;
        self.change(|roots| {
            if trusted {
                roots.declined.remove(&real) | roots.trusted.insert(real)
            } else {
                roots.trusted.remove(&real)
            }
        })
    }

    /// Remembers that the user was asked to trust a root and said no.
    pub fn decline(&self, root: &Path) -> io::Result<()> {
        let real = real_path(root)?;
        self.change(|roots| roots.declined.insert(real))
    }

    fn change(&self, change: impl FnOnce(&mut Roots) -> bool) -> io::Result<()> {
        let mut roots = self.read()?;
        if !change(&mut roots) {
            return Ok(());
        }
        let texts = |roots: &BTreeSet<PathBuf>| -> Vec<String> {
            roots.iter().map(|root| root.to_string_lossy().into_owned()).collect()
        };
        let mut value = serde_json::Map::new();
        value.insert("version".to_owned(), json!(1));
        value.insert("trusted".to_owned(), json!(texts(&roots.trusted)));
        if !roots.declined.is_empty() {
            value.insert("declined".to_owned(), json!(texts(&roots.declined)));
        }
        let mut text = serde_json::to_string_pretty(&value)?;
        text.push('\n');
        write_private(&self.file, text.as_bytes())
    }

    fn read(&self) -> io::Result<Roots> {
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Roots::default()),
            Err(error) => return Err(error),
        };
        let value: Value = serde_json::from_slice(&bytes)?;
        let list = |name: &str| {
            let listed = value.get(name).and_then(Value::as_array);
            listed.map(|roots| roots.iter().filter_map(Value::as_str).map(PathBuf::from).collect())
        };
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "no list of trusted roots");
        Ok(Roots {
            trusted: list("trusted").ok_or_else(missing)?,
            declined: list("declined").unwrap_or_default(),
        })
    }
}

/// What the file holds.
#[derive(Default)]
struct Roots {
    trusted: BTreeSet<PathBuf>,
    declined: BTreeSet<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> (tempfile::TempDir, Trust) {
        let directory = tempfile::tempdir().unwrap();
        let trust = Trust::new(&Paths::below(directory.path()));
        (directory, trust)
    }

    #[test]
    fn a_root_is_trusted_from_set_to_unset_with_all_below_it() {
        let (directory, trust) = fixture();
        let (root, sibling) = (directory.path().join("project"), directory.path().join("project-2"));
        let trusted = || [&root, &root.join("nested"), &sibling].map(|path| trust.is_trusted(path));
        assert_eq!(trusted(), [false, false, false]);
        trust.set(&root, true).unwrap();
        assert_eq!(trusted(), [true, true, false]);
        trust.set(&root, false).unwrap();
        assert_eq!(trusted(), [false, false, false]);
    }

    #[test]
    fn a_declined_root_is_remembered_until_it_is_trusted() {
        let (directory, trust) = fixture();
        let root = directory.path().join("project");
        let state = || (trust.is_trusted(&root), trust.is_declined(&root));
        trust.decline(&root).unwrap();
        assert_eq!(state(), (false, true));
        trust.set(&root, true).unwrap();
        assert_eq!(state(), (true, false));
        trust.set(&root, false).unwrap();
        assert_eq!(state(), (false, false));
    }

    #[test]
    fn a_damaged_store_trusts_nothing_and_is_not_overwritten() {
        let (directory, trust) = fixture();
        fs::create_dir_all(trust.file().parent().unwrap()).unwrap();
        fs::write(trust.file(), "{ torn").unwrap();
        assert!(!trust.is_trusted(directory.path()));
        assert_eq!(trust.set(directory.path(), true).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read_to_string(trust.file()).unwrap(), "{ torn");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_may_read_the_store() {
        use std::os::unix::fs::PermissionsExt;
        let (directory, trust) = fixture();
        trust.set(directory.path(), true).unwrap();
        assert_eq!(fs::metadata(trust.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
