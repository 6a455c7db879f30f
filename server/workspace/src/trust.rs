//! Which workspaces the user trusts.
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
}

impl Trust {
    /// The store in the configuration directory.
    pub fn new(paths: &Paths) -> Self {
        Self { file: paths.config.join("trusted-projects.json") }
    }

    /// The file, to be shown to the user.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the user trusts a root.
    pub fn is_trusted(&self, root: &Path) -> bool {
        let Ok(real) = real_path(root) else { return false };
        match self.read() {
            Ok(trusted) => trusted.iter().any(|other| real.starts_with(other)),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "trusts nothing");
                false
            }
        }
    }

    /// Trusts a root, or stops trusting it. A root below a trusted one stays trusted with that one.
    pub fn set(&self, root: &Path, trusted: bool) -> io::Result<()> {
        let real = real_path(root)?;
        let mut roots = self.read()?;
        let changed = if trusted { roots.insert(real) } else { roots.remove(&real) };
        if !changed {
            return Ok(());
        }
        let roots: Vec<_> = roots.iter().map(|root| root.to_string_lossy()).collect();
        let mut text = serde_json::to_string_pretty(&json!({ "version": 1, "trusted": roots }))?;
        text.push('\n');
        write_private(&self.file, text.as_bytes())
    }

    fn read(&self) -> io::Result<BTreeSet<PathBuf>> {
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(error),
        };
        let value: Value = serde_json::from_slice(&bytes)?;
        let trusted = value.get("trusted").and_then(Value::as_array);
        let trusted =
            trusted.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no list of trusted roots"))?;
        Ok(trusted.iter().filter_map(Value::as_str).map(PathBuf::from).collect())
    }
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
