//! The record of what was installed: `packages.json` in the folder of extensions.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::{Deserialize, Serialize};

const FILE: &str = "packages.json";

/// Everything that was installed into a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packages {
    version: u32,
    #[serde(default)]
    pub(super) packages: Vec<Package>,
}

/// What was installed from one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Package {
    /// The source as the user wrote it, without the reference.
    pub(super) source: String,
    /// The tag, branch or commit that it is fixed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    /// The commit that is installed; a folder has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
    /// Files and folders beside this file.
    pub(super) extensions: Vec<String>,
    /// Seconds since 1970.
    pub(super) installed: u64,
    /// Seconds since 1970.
    pub(super) updated: u64,
}

impl Packages {
    /// Reads the record of a folder; there may be none.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(FILE);
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; mend or remove it", file.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Packages::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Writes the record, whole or not at all.
    pub(super) fn write(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.version = 1;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE))?;
        Ok(())
    }

    /// The package of a source, or the one that an extension came with.
    pub(super) fn find(&self, wanted: &str) -> Option<usize> {
        let stem = |name: &str| Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.packages.iter().position(|package| {
            package.source == wanted
                || package
                    .extensions
                    .iter()
                    .any(|name| name == wanted || stem(name).as_deref() == Some(wanted))
        })
    }
}

/// Now, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Removes what was installed.
pub(super) fn delete(folder: &Path, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let path: PathBuf = folder.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
