//! The entries of one directory.

use std::fs;

use tokio_util::sync::CancellationToken;

use super::{SearchError, Smallest, run};
use crate::snapshot::check_real;
use crate::{Location, WorkspaceError};

/// The entries of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListResult {
    /// Names, sorted without regard to case; directories, also behind links, end in `/`.
    pub entries: Vec<String>,
    /// How many entries there are; those above the limit are not in `entries`.
    pub total: usize,
}

/// Lists a directory with everything in it, hidden and ignored or not.
pub async fn list(
    location: &Location,
    limit: usize,
    cancel: &CancellationToken,
) -> Result<ListResult, SearchError> {
    let location = location.clone();
    run(cancel, location.path.clone(), move |cancel| {
        check_real(&location)?;
        let failed = |error: &std::io::Error| match fs::metadata(&location.real) {
            Ok(metadata) if !metadata.is_dir() => {
                WorkspaceError::NotADirectory { path: location.path.clone() }
            }
            Ok(_) | Err(_) => WorkspaceError::from_io(&location.path, error),
        };
        let mut smallest = Smallest::new(limit);
        for entry in fs::read_dir(&location.real).map_err(|error| failed(&error))? {
            if cancel.is_cancelled() {
                return Err(SearchError::Cancelled);
            }
            let entry = entry.map_err(|error| failed(&error))?;
            let mut name = entry.file_name().to_string_lossy().into_owned();
            let directory = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => {
                    fs::metadata(entry.path()).is_ok_and(|target| target.is_dir())
                }
                Ok(kind) => kind.is_dir(),
                Err(_) => false,
            };
            if directory {
                name.push('/');
            }
            smallest.add((name.to_lowercase(), name));
        }
        Ok(ListResult {
            entries: smallest.items.into_iter().map(|(_, name)| name).collect(),
            total: smallest.total,
        })
    })
    .await
}
