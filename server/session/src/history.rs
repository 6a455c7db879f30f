//! The tree of a session's entries, as an index over its file.
//!
//! A record knows its entry's id, parent, kind and place in the file; what the entry says is read when it is needed.
//! Records stand in file order and a parent always comes before its children, so no walk can run in circles. The leaf
//! is the entry that the next one will follow: the last of the file, until a branch moves it.

use std::collections::HashMap;

use kit_protocol::{EntryId, Role};

/// The position of a record among a session's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryIndex(pub(crate) usize);

/// Where a line stands in the file, without its line end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

/// What an entry is, as far as the tree needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// A message; `None` for a role that this version does not know.
    Message(Option<Role>),
    ModelChange,
    BranchSummary,
    Label,
    SessionInfo,
    /// A note of ours.
    Note,
    /// Data of an extension.
    Extension,
    Compaction,
    /// A type that this version does not know.
    Unknown,
}

/// One entry of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: EntryId,
    pub(crate) parent: Option<EntryIndex>,
    pub(crate) kind: RecordKind,
    pub(crate) span: Span,
}

/// The entries of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    records: Vec<Record>,
    by_id: HashMap<EntryId, EntryIndex>,
    leaf: Option<EntryIndex>,
}

impl History {
    /// All records in file order.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The entry that the next one will follow.
    pub(crate) fn leaf(&self) -> Option<EntryIndex> {
        self.leaf
    }

    /// The id of the leaf.
    pub(crate) fn leaf_id(&self) -> Option<&EntryId> {
        self.leaf.and_then(|leaf| self.get(leaf)).map(|record| &record.id)
    }

    pub(crate) fn get(&self, index: EntryIndex) -> Option<&Record> {
        self.records.get(index.0)
    }

    pub(crate) fn find(&self, id: &EntryId) -> Option<EntryIndex> {
        self.by_id.get(id).copied()
    }

    /// Whether more than so many entries have the id of another one.
    pub(crate) fn has_repeated_ids(&self, known: usize) -> bool {
        self.records.len() > self.by_id.len() + known
    }

    /// Appends an entry and makes it the leaf.
    pub(crate) fn push(&mut self, record: Record) -> EntryIndex {
        let index = EntryIndex(self.records.len());
        let parent = record.parent.filter(|parent| *parent < index);
        self.by_id.insert(record.id.clone(), index);
        self.records.push(Record { parent, ..record });
        self.leaf = Some(index);
        index
    }

    /// Continues from an earlier entry, or from before the first one.
    pub(crate) fn move_leaf(&mut self, to: Option<EntryIndex>) {
        self.leaf = to.filter(|index| index.0 < self.records.len());
    }

    /// The entries from the root to `leaf`. Where a compaction was written as a new root, as upstream does it, the
    /// branch goes on with the entry that was the leaf at that time, so that nothing before it is out of sight.
    pub(crate) fn branch(&self, leaf: Option<EntryIndex>) -> Vec<EntryIndex> {
        let mut branch = Vec::new();
        let mut next = leaf;
        while let Some(index) = next {
            let Some(record) = self.get(index) else { break };
            branch.push(index);
            next = record.parent.or_else(|| match record.kind {
                RecordKind::Compaction => index.0.checked_sub(1).map(EntryIndex),
                RecordKind::Message(_)
                | RecordKind::ModelChange
                | RecordKind::BranchSummary
                | RecordKind::Label
                | RecordKind::SessionInfo
                | RecordKind::Note
                | RecordKind::Extension
                | RecordKind::Unknown => None,
            });
        }
        branch.reverse();
        branch
    }

    /// The branch that ends at the current leaf.
    pub(crate) fn current_branch(&self) -> Vec<EntryIndex> {
        self.branch(self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(entries: &[(&str, Option<usize>, RecordKind)]) -> History {
        let mut history = History::default();
        for (id, parent, kind) in entries {
            history.push(Record {
                id: (*id).into(),
                parent: parent.map(EntryIndex),
                kind: *kind,
                span: Span::default(),
            });
        }
        history
    }

    const USER: RecordKind = RecordKind::Message(Some(Role::User));

    fn ids(history: &History) -> Vec<&str> {
        history
            .current_branch()
            .into_iter()
            .filter_map(|index| history.get(index))
            .map(|record| record.id.as_str())
            .collect()
    }

    #[test]
    fn the_branch_goes_from_the_root_to_the_last_entry() {
        let mut history =
            history(&[("a", None, USER), ("b", Some(0), USER), ("c", Some(0), USER), ("d", Some(2), USER)]);
        assert_eq!(ids(&history), ["a", "c", "d"]);
        history.move_leaf(history.find(&"b".into()));
        assert_eq!(ids(&history), ["a", "b"]);
        history.move_leaf(None);
        assert_eq!(ids(&history), [""; 0]);
    }

    #[test]
    fn a_compaction_without_parent_follows_the_entry_before_it() {
        let history =
            history(&[("a", None, USER), ("k", None, RecordKind::Compaction), ("b", Some(1), USER)]);
        assert_eq!(ids(&history), ["a", "k", "b"]);
    }

    #[test]
    fn a_parent_that_does_not_come_before_its_child_is_no_parent() {
        let history = history(&[("a", Some(0), USER), ("b", Some(7), USER)]);
        assert_eq!(ids(&history), ["b"]);
    }
}
