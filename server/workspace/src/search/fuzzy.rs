//! Files and folders whose path holds some letters in order, best first: what completes a path while it is typed.
//!
//! The walk has a deadline, because somebody types: what it has not seen by then is missing, and the answer says so.
//! A letter counts more at the beginning of a word or name and behind another match, a match in the name more than one
//! in the folders, and a short path more than a long one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ignore::DirEntry;
use tokio_util::sync::CancellationToken;

use super::find::display_below;
use super::walk::{Hidden, walk};
use super::{SearchError, Smallest, run};
use crate::roots::slashed;
use crate::snapshot::check_real;
use crate::{Location, WorkspaceError};

/// What is typed, and how much is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuzzyQuery {
    /// The letters.
    pub typed: String,
    /// How many paths are wanted.
    pub limit: usize,
    /// When to stop looking.
    pub within: Duration,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuzzyMatch {
    /// As `Location::display` has it; a folder ends in `/`.
    pub path: String,
    /// How well it fits; only to be compared with others of the same query.
    pub score: i64,
}

/// What fits best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuzzyResult {
    /// Best first.
    pub matches: Vec<FuzzyMatch>,
    /// Whether everything was looked at and fits into the limit.
    pub complete: bool,
}

/// Finds what fits below a directory; ignored files are left out.
pub async fn fuzzy(
    location: &Location,
    query: FuzzyQuery,
    cancel: &CancellationToken,
) -> Result<FuzzyResult, SearchError> {
    let location = location.clone();
    run(cancel, location.path.clone(), move |cancel| {
        check_real(&location)?;
        let metadata =
            fs::metadata(&location.real).map_err(|error| WorkspaceError::from_io(&location.path, &error))?;
        if !metadata.is_dir() {
            return Err(WorkspaceError::NotADirectory { path: location.path }.into());
        }
        let deadline = Instant::now() + query.within;
        let stop = cancel.child_token();
        // The best have the smallest key, so that equal ones come in the order of their paths.
        let found: Mutex<Smallest<(i64, PathBuf, bool)>> = Mutex::new(Smallest::new(query.limit));
        let wanted = Letters::new(&query.typed);
        let keep = |path: &Path, is_folder: bool| {
            let Ok(relative) = path.strip_prefix(&location.real) else { return };
            if relative.as_os_str().is_empty() {
                return;
            }
            if let Some(score) = wanted.score(&slashed(relative)) {
                let key = (-score, relative.to_path_buf(), is_folder);
                found.lock().unwrap_or_else(PoisonError::into_inner).add_once(key);
            }
        };
        walk(&location.real, Hidden::Visit, &stop, || {
            let mut folder: Option<PathBuf> = None;
            let (keep, stop, top) = (&keep, &stop, &location.real);
            move |entry: &DirEntry| {
                if Instant::now() > deadline {
                    stop.cancel();
                }
                // Files of one folder come one after the other, so this is rarely the case twice.
                if entry.path().parent() != folder.as_deref() {
                    folder = entry.path().parent().map(Path::to_path_buf);
                    let inside = |folder: &&Path| folder.starts_with(top);
                    folder
                        .iter()
                        .flat_map(|folder| folder.ancestors())
                        .take_while(inside)
                        .for_each(|folder| keep(folder, true));
                }
                keep(entry.path(), false);
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let complete = !stop.is_cancelled() && found.total <= query.limit;
        let matches = found.items.into_iter().map(|(key, relative, is_folder)| {
            let mut path = display_below(&location, &slashed(&relative));
            if is_folder {
                path.push('/');
            }
            FuzzyMatch { path, score: -key }
        });
        Ok(FuzzyResult { matches: matches.collect(), complete })
    })
    .await
}

/// How well a path holds the typed letters in order; `None` if it does not.
pub fn score(typed: &str, path: &str) -> Option<i64> {
    Letters::new(typed).score(path)
}

/// The typed letters, ready to be compared.
struct Letters(Vec<char>);

impl Letters {
    fn new(typed: &str) -> Self {
        let typed = typed.trim_start_matches("./");
        Self(typed.chars().flat_map(char::to_lowercase).filter(|letter| !letter.is_whitespace()).collect())
    }

    fn score(&self, path: &str) -> Option<i64> {
        let letters: Vec<char> = path.chars().collect();
        let name = letters.iter().rposition(|letter| *letter == '/').map_or(0, |slash| slash + 1);
        let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
        if self.0.is_empty() {
            let depth = letters.iter().filter(|letter| **letter == '/').count();
            return Some(-i64::try_from(depth).unwrap_or(i64::MAX) * 1000 - length);
        }
        // Letters that all fit into the name mean the name.
        let in_name = self.matched(&letters, name).map(|score| score + 80);
        let anywhere = || self.matched(&letters, 0);
        in_name.or_else(anywhere).map(|score| score * 10 - length)
    }

    fn matched(&self, letters: &[char], from: usize) -> Option<i64> {
        let mut at = from;
        let mut score = 0;
        let mut last: Option<usize> = None;
        for wanted in &self.0 {
            let fits = |letter: &char| letter.to_lowercase().eq(std::iter::once(*wanted));
            let place = at + letters.get(at..)?.iter().position(fits)?;
            let before = place.checked_sub(1).and_then(|before| letters.get(before));
            let begins = before.is_none_or(|before| !before.is_alphanumeric())
                || before.is_some_and(|before| before.is_lowercase())
                    && letters.get(place).is_some_and(|letter| letter.is_uppercase());
            score += 4;
            if last.is_some_and(|last| last + 1 == place) {
                score += 12;
            }
            if begins {
                score += 10;
            }
            if place == from {
                score += 8;
            }
            last = Some(place);
            at = place + 1;
        }
        Some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(typed: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let mut fitting: Vec<(i64, &str)> =
            paths.iter().filter_map(|path| Some((-score(typed, path)?, *path))).collect();
        fitting.sort_unstable();
        fitting.into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn names_words_and_runs_come_first() {
        let paths = ["src/compose.rs", "src/main.rs", "docs/composition/readme.md", "src/actor/come_open.rs"];
        assert_eq!(
            best("comp", &paths),
            ["src/compose.rs", "src/actor/come_open.rs", "docs/composition/readme.md"]
        );
        assert_eq!(best("srcmain", &paths), ["src/main.rs"]);
        assert_eq!(best("MR", &paths).first(), Some(&"src/main.rs"));
        assert_eq!(best("zzz", &paths), Vec::<&str>::new());
        assert_eq!(best("", &["a/b/c", "z", "a/b"]), ["z", "a/b", "a/b/c"]);
    }
}
