//! What changed between two states, as one line of the journal.
//!
//! Files are told by their URI; edits, steps and news by their place, because they are lists that lose items at the
//! front, change single ones and grow at the end. Applying the delta of two states to the first gives the second, up to
//! the order of files.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::state::{BlobId, State, StoredEdit, StoredFeedback, StoredFile, StoredStep};

/// The changes of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delta {
    revision: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<StoredFile>,
    /// The URIs of files that are settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    settled: Vec<String>,
    #[serde(default = "ListDelta::none", skip_serializing_if = "ListDelta::is_none")]
    edits: ListDelta<StoredEdit>,
    #[serde(default = "ListDelta::none", skip_serializing_if = "ListDelta::is_none")]
    steps: ListDelta<StoredStep>,
    #[serde(default = "ListDelta::none", skip_serializing_if = "ListDelta::is_none")]
    feedback: ListDelta<StoredFeedback>,
}

impl Delta {
    /// What leads from one state to another.
    pub(crate) fn between(old: &State, new: &State) -> Self {
        let known: HashMap<&str, &StoredFile> =
            old.files.iter().map(|file| (file.uri.as_str(), file)).collect();
        let changed = |file: &&StoredFile| known.get(file.uri.as_str()).is_none_or(|old| old != file);
        let left: BTreeSet<&str> = new.files.iter().map(|file| file.uri.as_str()).collect();
        let settled = old.files.iter().filter(|file| !left.contains(file.uri.as_str()));
        Self {
            revision: new.revision,
            files: new.files.iter().filter(changed).cloned().collect(),
            settled: settled.map(|file| file.uri.clone()).collect(),
            edits: ListDelta::between(&old.edits, &new.edits),
            steps: ListDelta::between(&old.steps, &new.steps),
            feedback: ListDelta::between(&old.feedback, &new.feedback),
        }
    }

    /// Whether nothing but the revision changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.settled.is_empty()
            && self.edits.is_none()
            && self.steps.is_none()
            && self.feedback.is_none()
    }

    /// Makes the second state of the first. Answers the texts that were named by what went away.
    pub(crate) fn apply(self, state: &mut State) -> BTreeSet<BlobId> {
        let mut gone = BTreeSet::new();
        let replaced: BTreeSet<String> =
            self.settled.into_iter().chain(self.files.iter().map(|file| file.uri.clone())).collect();
        state.files.retain(|file| {
            let stays = !replaced.contains(&file.uri);
            if !stays {
                gone.extend(file.blobs());
            }
            stays
        });
        state.files.extend(self.files);
        for edit in self.edits.apply(&mut state.edits) {
            gone.extend(edit.blobs());
        }
        for step in self.steps.apply(&mut state.steps) {
            gone.extend(step.blobs());
        }
        self.feedback.apply(&mut state.feedback);
        state.revision = self.revision;
        gone
    }
}

/// The changes of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListDelta<T> {
    /// How many items go away at the front.
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: usize,
    /// Items that change, by their place after that.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    changed: Vec<(usize, T)>,
    /// How many items are left before the new ones; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<usize>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    added: Vec<T>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl<T> ListDelta<T> {
    fn none() -> Self {
        Self { dropped: 0, changed: Vec::new(), left: None, added: Vec::new() }
    }

    fn is_none(&self) -> bool {
        self.dropped == 0 && self.changed.is_empty() && self.left.is_none() && self.added.is_empty()
    }
}

impl<T: Clone + PartialEq> ListDelta<T> {
    fn between(old: &[T], new: &[T]) -> Self {
        let same_begin = || old.iter().position(|item| Some(item) == new.first());
        let dropped = if new.is_empty() { old.len() } else { same_begin().unwrap_or(0) };
        let rest = old.get(dropped..).unwrap_or_default();
        let pairs = rest.iter().zip(new).enumerate();
        let changed =
            pairs.filter(|(_, (old, new))| old != new).map(|(place, (_, new))| (place, new.clone()));
        Self {
            dropped,
            changed: changed.collect(),
            left: (rest.len() > new.len()).then_some(new.len()),
            added: new.get(rest.len()..).unwrap_or_default().to_vec(),
        }
    }

    /// Answers what went away.
    fn apply(self, list: &mut Vec<T>) -> Vec<T> {
        let mut gone: Vec<T> = list.drain(..self.dropped.min(list.len())).collect();
        for (place, item) in self.changed {
            if let Some(old) = list.get_mut(place) {
                gone.push(std::mem::replace(old, item));
            }
        }
        if let Some(left) = self.left {
            gone.extend(list.drain(left.min(list.len())..));
        }
        list.extend(self.added);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, expected: (usize, usize, usize)) {
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        let delta = ListDelta::between(&letters(old), &letters(new));
        assert_eq!((delta.dropped, delta.changed.len(), delta.added.len()), expected, "{old} {new}");
        let line = serde_json::to_string(&delta).unwrap();
        let mut list = letters(old);
        serde_json::from_str::<ListDelta<char>>(&line).unwrap().apply(&mut list);
        assert_eq!(list, letters(new), "{old} {new}");
    }

    #[test]
    fn a_list_changes_by_little_where_little_changed() {
        check("", "", (0, 0, 0));
        check("abc", "abc", (0, 0, 0));
        check("abc", "abcd", (0, 0, 1));
        check("abc", "bcd", (1, 0, 1));
        check("abcd", "aXcd", (0, 1, 0));
        check("abcd", "acd", (0, 2, 0));
        check("abc", "", (3, 0, 0));
        check("abc", "xyz", (0, 3, 0));
        check("abc", "x", (0, 1, 0));
    }
}
