//! Where the product keeps its files.
//!
//! `KIT_HOME` relocates all of them below one directory. Without it, sessions lie where upstream Kit has them
//! (`~/.kit/sessions`), configuration in its `~/.config/kit`, and the rest in the platform's usual places. The
//! environment is an argument, so that nothing here depends on the process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The directories of the product. None of them need exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The user's home, or `KIT_HOME`.
    pub home: PathBuf,
    /// Session files.
    pub sessions: PathBuf,
    /// What must survive a restart: the review ledger and its blobs.
    pub state: PathBuf,
    /// What may be deleted at any time.
    pub cache: PathBuf,
    /// Configuration, trust and permission rules.
    pub config: PathBuf,
    /// Log files.
    pub logs: PathBuf,
}

/// Why there is no place for files.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathsError {
    /// Neither `KIT_HOME` nor a home directory is known.
    #[error("no home directory: set HOME or KIT_HOME")]
    NoHome,
}

impl Paths {
    /// Finds the directories; `variable` reads the environment.
    pub fn discover(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, PathsError> {
        let read = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(home) = read("KIT_HOME") {
            return Ok(Self::below(&home));
        }
        let home = read("HOME").or_else(|| read("USERPROFILE")).ok_or(PathsError::NoHome)?;
        let absolute = |name: &str| read(name).filter(|path| path.is_absolute());
        let directories = directories::ProjectDirs::from("", "", "kit");
        let platform = |get: fn(&directories::ProjectDirs) -> &Path| {
            directories
                .as_ref()
                .filter(|_| cfg!(not(target_os = "linux")))
                .map(|found| get(found).to_path_buf())
        };
        let state = absolute("XDG_STATE_HOME")
            .map(|base| base.join("kit"))
            .or_else(|| platform(|found| found.data_local_dir()))
            .unwrap_or_else(|| home.join(".local/state/kit"));
        let cache = absolute("XDG_CACHE_HOME")
            .map(|base| base.join("kit"))
            .or_else(|| platform(|found| found.cache_dir()))
            .unwrap_or_else(|| home.join(".cache/kit"));
        let config = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("kit");
        Ok(Self {
            sessions: home.join(".kit/sessions"),
            logs: state.join("logs"),
            state,
            cache,
            config,
            home,
        })
    }

    /// All directories below one, as `KIT_HOME` has it.
    pub fn below(home: &Path) -> Self {
        Self {
            home: home.to_path_buf(),
            sessions: home.join("sessions"),
            state: home.join("state"),
            cache: home.join("cache"),
            config: home.join("config"),
            logs: home.join("logs"),
        }
    }

    /// The user's settings file.
    pub fn user_settings(&self) -> PathBuf {
        self.home.join(".kit.yml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discover(variables: &[(&str, &str)]) -> Result<Paths, PathsError> {
        Paths::discover(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn kit_home_relocates_everything() {
        let paths = discover(&[("KIT_HOME", "/k"), ("HOME", "/home/u"), ("XDG_CACHE_HOME", "/c")]).unwrap();
        assert_eq!(
            paths,
            Paths {
                home: "/k".into(),
                sessions: "/k/sessions".into(),
                state: "/k/state".into(),
                cache: "/k/cache".into(),
                config: "/k/config".into(),
                logs: "/k/logs".into(),
            }
        );
        assert_eq!(paths.user_settings(), PathBuf::from("/k/.kit.yml"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_it_files_lie_where_upstream_and_the_platform_have_them() {
        let variables =
            [("HOME", "/home/u"), ("KIT_HOME", ""), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "relative")];
        let paths = discover(&variables).unwrap();
        assert_eq!(
            paths,
            Paths {
                home: "/home/u".into(),
                sessions: "/home/u/.kit/sessions".into(),
                state: "/home/u/.local/state/kit".into(),
                cache: "/c/kit".into(),
                config: "/home/u/.config/kit".into(),
                logs: "/home/u/.local/state/kit/logs".into(),
            }
        );
    }

    #[test]
    fn no_home_is_an_error() {
        assert_eq!(discover(&[]), Err(PathsError::NoHome));
    }
}
