//! Files whose path matches a glob.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ignore::DirEntry;
use tokio_util::sync::CancellationToken;

use super::path_glob::PathGlob;
use super::walk::{Hidden, walk};
use super::{SearchError, Smallest, run};
use crate::roots::slashed;
use crate::snapshot::check_real;
use crate::{Location, Workspace, WorkspaceError};

/// What to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindQuery {
    /// The glob: with a slash for paths, without for names.
    pub pattern: String,
    /// How many paths are wanted.
    pub limit: usize,
}

impl FindQuery {
    /// A query with the usual limit.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), limit: 1000 }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindResult {
    /// Paths as `Location::display` has them, sorted.
    pub paths: Vec<String>,
    /// How many files match; those above the limit are not in `paths`.
    pub total: usize,
    /// How many directories could not be read.
    pub unreadable: usize,
}

/// Finds files below a directory, hidden ones too, ignored ones not.
pub async fn find(
    workspace: &Workspace,
    location: &Location,
    query: FindQuery,
    cancel: &CancellationToken,
) -> Result<FindResult, SearchError> {
    let roots = workspace.current_roots();
    let location = location.clone();
    run(cancel, location.path.clone(), move |cancel| {
        check_real(&location)?;
        let metadata =
            fs::metadata(&location.real).map_err(|error| WorkspaceError::from_io(&location.path, &error))?;
        if !metadata.is_dir() {
            return Err(WorkspaceError::NotADirectory { path: location.path }.into());
        }
        let glob = PathGlob::new(&query.pattern, &location.path)?;
        let root = roots.root_of(&location.real).map(|root| root.real.clone());
        let found: Mutex<Smallest<PathBuf>> = Mutex::new(Smallest::new(query.limit));
        let unreadable = walk(&location.real, Hidden::Visit, cancel, || {
            |entry: &DirEntry| {
                let Ok(relative) = entry.path().strip_prefix(&location.real) else { return };
                let in_root = root.as_ref().and_then(|root| entry.path().strip_prefix(root).ok());
                if glob.matches(relative, in_root) {
                    found.lock().unwrap_or_else(PoisonError::into_inner).add(relative.to_path_buf());
                }
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let paths = found.items.iter().map(|relative| display_below(&location, &slashed(relative))).collect();
        Ok(FindResult { paths, total: found.total, unreadable })
    })
    .await
}

/// How a path below a location is displayed.
pub(super) fn display_below(location: &Location, relative: &str) -> String {
    let top = location.display.as_str();
    match (top, relative) {
        (_, "") => top.to_owned(),
        (".", _) => relative.to_owned(),
        _ => match top.strip_suffix(":.") {
            Some(root) => format!("{root}:{relative}"),
            None => format!("{}/{relative}", top.trim_end_matches('/')),
        },
    }
}
