//! Searching and listing without any outside program.
//!
//! [`grep`] looks into files, [`find`] for files, [`fuzzy`] for paths that are half typed, [`list`] into one directory. All run on a blocking thread that stops
//! soon after the token is cancelled or the future is dropped. Whatever order the parallel walk has, the answer is
//! sorted by path and holds the first results of that order; what was cut is counted, and memory is bounded by the
//! limits, not by the tree (I20). A pattern is never an option of anything.
//!
//! Ignore rules are those of ripgrep (`.gitignore`, `.ignore`, `.rgignore`, global and parent files), but a
//! `.gitignore` counts outside of git repositories too. `.git` itself is never entered.

mod find;
mod fuzzy;
mod grep;
mod list;
mod path_glob;
mod walk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::WorkspaceError;
use crate::blocking::blocking;

pub use find::{FindQuery, FindResult, find};
pub use fuzzy::{FuzzyMatch, FuzzyQuery, FuzzyResult, fuzzy, score};
pub use grep::{FileMatches, GrepQuery, GrepResult, MatchLine, grep};
pub use list::{ListResult, list};
pub(crate) use path_glob::PathGlob;
pub(crate) use walk::{Hidden, walk};

/// Why a search has no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SearchError {
    /// The regular expression is wrong.
    #[error("invalid regular expression: {why}")]
    Pattern {
        /// What is wrong.
        why: String,
    },
    /// The glob is wrong.
    #[error("invalid glob {glob:?}: {why}")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong.
        why: String,
    },
    /// The place to search cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The token was cancelled.
    #[error("the search was cancelled")]
    Cancelled,
}

/// Whether a text is a glob, or why not.
pub fn check_glob(glob: &str) -> Result<(), SearchError> {
    PathGlob::new(glob, Path::new("")).map(drop)
}

/// Runs a search that looks at its token, and has it stop when the caller goes away.
async fn run<T: Send + 'static>(
    cancel: &CancellationToken,
    path: PathBuf,
    work: impl FnOnce(&CancellationToken) -> Result<T, SearchError> + Send + 'static,
) -> Result<T, SearchError> {
    let token = cancel.child_token();
    let _stop = token.clone().drop_guard();
    let found = blocking(move || {
        let found = work(&token);
        if token.is_cancelled() { Err(SearchError::Cancelled) } else { found }
    });
    found.await.unwrap_or_else(|lost| Err(WorkspaceError::Io { path, why: lost.to_string() }.into()))
}

/// The smallest items of many, and how many there were.
struct Smallest<T> {
    items: BTreeSet<T>,
    limit: usize,
    total: usize,
}

impl<T: Ord> Smallest<T> {
    fn new(limit: usize) -> Self {
        Self { items: BTreeSet::new(), limit, total: 0 }
    }

    /// Adds an item unless it is among the smallest already.
    fn add_once(&mut self, item: T) {
        if !self.items.contains(&item) {
            self.add(item);
        }
    }

    fn add(&mut self, item: T) {
        self.total += 1;
        if self.items.len() < self.limit {
            self.items.insert(item);
        } else if self.items.last().is_some_and(|last| item < *last) {
            self.items.insert(item);
            self.items.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_smallest_and_counts_all() {
        let mut smallest = Smallest::new(2);
        for item in [5, 1, 4, 2, 3] {
            smallest.add(item);
        }
        assert_eq!((smallest.items.into_iter().collect::<Vec<_>>(), smallest.total), (vec![1, 2], 5));
        let mut none = Smallest::new(0);
        none.add(1);
        assert_eq!((none.items.len(), none.total), (0, 1));
    }
}
