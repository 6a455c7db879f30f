//! Differences between two texts by lines: hunks, blocks, counts, and minimal edits.
//!
//! Common lines at both ends are cut off first, by comparing bytes; what is left is interned to numbers, split at lines
//! that occur once on both sides, and compared piece by piece. Lines compare with their line ends and all white space:
//! a hunk that is empty for a reader is still a change of the file.

use std::collections::HashMap;

use crate::anchor;
use crate::edit::{Edit, EditSet};
use crate::lines::{LineRange, LineTable, split_line_end};
use crate::text::{ByteOffset, Text};

pub use crate::unified::unified;

/// Lines of the base that became lines of the current text. One of the two may be empty, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineHunk {
    /// Lines before.
    pub base: LineRange,
    /// Lines after.
    pub current: LineRange,
}

/// A changed region with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The text that was really there.
    pub old_text: String,
    /// The text that is there now.
    pub new_text: String,
    /// The lines of the old text that the region touches.
    pub old_range: LineRange,
    /// The lines of the new text that the region touches.
    pub new_range: LineRange,
    /// Whether the region was found by loose matching.
    pub fuzzy: bool,
}

/// The changed line ranges between two texts, in order; between two hunks lies at least one common line.
pub fn hunks(base: &Text, current: &Text) -> Vec<LineHunk> {
    if base == current {
        return Vec::new();
    }
    let (base, current) = (base.to_string(), current.to_string());
    table_hunks(&LineTable::new(&base), &LineTable::new(&current))
}

/// The changed regions between two texts, as whole lines.
pub fn blocks(old: &Text, new: &Text) -> Vec<Block> {
    let (old, new) = (old.to_string(), new.to_string());
    let (old, new) = (LineTable::new(&old), LineTable::new(&new));
    table_hunks(&old, &new)
        .into_iter()
        .map(|hunk| Block {
            old_text: old.span(hunk.base.as_usize()).to_owned(),
            new_text: new.span(hunk.current.as_usize()).to_owned(),
            old_range: hunk.base,
            new_range: hunk.current,
            fuzzy: false,
        })
        .collect()
}

/// How many lines were added and how many deleted.
pub fn counts(old: &Text, new: &Text) -> (u32, u32) {
    hunks(old, new).iter().fold((0, 0), |(additions, deletions), hunk| {
        (additions + hunk.current.len(), deletions + hunk.base.len())
    })
}

pub(crate) fn table_hunks(base: &LineTable<'_>, current: &LineTable<'_>) -> Vec<LineHunk> {
    sequence_hunks(&base.lines().collect::<Vec<_>>(), &current.lines().collect::<Vec<_>>())
        .into_iter()
        .map(|(base, current)| LineHunk {
            base: LineRange::from_counts(base.start, base.end),
            current: LineRange::from_counts(current.start, current.end),
        })
        .collect()
}

type IndexRange = std::ops::Range<usize>;

/// The changed index ranges between two sequences of strings.
pub(crate) fn sequence_hunks(base: &[&str], current: &[&str]) -> Vec<(IndexRange, IndexRange)> {
    let prefix = base.iter().zip(current).take_while(|(base, current)| base == current).count();
    let base_rest = base.get(prefix..).unwrap_or_default();
    let current_rest = current.get(prefix..).unwrap_or_default();
    let suffix = base_rest
        .iter()
        .rev()
        .zip(current_rest.iter().rev())
        .take_while(|(base, current)| base == current)
        .count();
    let base_rest = base_rest.get(..base_rest.len() - suffix).unwrap_or_default();
    let current_rest = current_rest.get(..current_rest.len() - suffix).unwrap_or_default();

    let mut numbers: HashMap<&str, u32> = HashMap::with_capacity(base_rest.len());
    let mut number = |item| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(item).or_insert(next)
    };
    let base_numbers: Vec<u32> = base_rest.iter().map(|item| number(*item)).collect();
    let current_numbers: Vec<u32> = current_rest.iter().map(|item| number(*item)).collect();

    anchor::differences(&base_numbers, &current_numbers, numbers.len())
        .into_iter()
        .map(|(base, current)| {
            (base.start + prefix..base.end + prefix, current.start + prefix..current.end + prefix)
        })
        .collect()
}

impl EditSet {
    /// The smallest edits that turn `old` into `new`, so that cursors, marks and folds elsewhere survive.
    ///
    /// Lines are compared first. Inside a hunk with as many lines before as after, each line is trimmed to what differs
    /// in it, else the hunk as a whole is. No edit cuts a character or a CRLF.
    pub fn between(old: &Text, new: &Text) -> Self {
        if old == new {
            return Self::empty(old);
        }
        let edits = minimal_edits(&old.to_string(), &new.to_string(), ByteOffset(0));
        Self::new(old, edits).unwrap_or_else(|_| {
            Self::trusted(old, vec![Edit::new(ByteOffset(0)..old.end(), new.to_string())])
        })
    }
}

/// Edits that turn `old`, which begins at `at` in a text, into `new`.
pub(crate) fn minimal_edits(old: &str, new: &str, at: ByteOffset) -> Vec<Edit> {
    let (old, new) = (LineTable::new(old), LineTable::new(new));
    let mut edits = Vec::new();
    let mut push = |old_start: usize, old_text: &str, new_text: &str| {
        if old_text != new_text {
            edits.push(trimmed(old_text, new_text, ByteOffset(at.0 + old_start)));
        }
    };
    for hunk in table_hunks(&old, &new) {
        let (base, current) = (hunk.base.as_usize(), hunk.current.as_usize());
        if base.len() == current.len() {
            for (base, current) in base.zip(current) {
                push(old.start(base), old.line(base), new.line(current));
            }
        } else {
            push(old.start(base.start), old.span(base), new.span(current));
        }
    }
    edits
}

/// One edit without the characters that both strings have in common at either end.
fn trimmed(old: &str, new: &str, at: ByteOffset) -> Edit {
    let (old_content, old_end) = split_line_end(old);
    let (new_content, new_end) = split_line_end(new);
    // A common line end is left out as a unit; a different one is replaced as a unit.
    let (old, new) = if old_end == new_end { (old_content, new_content) } else { (old, new) };
    let mut prefix: usize = old
        .chars()
        .zip(new.chars())
        .take_while(|(old, new)| old == new)
        .map(|(character, _)| character.len_utf8())
        .sum();
    let cuts_crlf = |text: &str, at: usize| {
        text.get(..at).is_some_and(|head| head.ends_with('\r'))
            && text.get(at..).is_some_and(|tail| tail.starts_with('\n'))
    };
    if cuts_crlf(old, prefix) || cuts_crlf(new, prefix) {
        prefix -= 1;
    }
    let old_rest = old.get(prefix..).unwrap_or_default();
    let new_rest = new.get(prefix..).unwrap_or_default();
    let mut suffix: usize = old_rest
        .chars()
        .rev()
        .zip(new_rest.chars().rev())
        .take_while(|(old, new)| old == new)
        .map(|(character, _)| character.len_utf8())
        .sum();
    if cuts_crlf(old, old.len() - suffix) || cuts_crlf(new, new.len() - suffix) {
        suffix -= 1;
    }
    let removed = old_rest.len() - suffix;
    let inserted = new_rest.get(..new_rest.len() - suffix).unwrap_or_default();
    let start = at.0 + prefix;
    Edit::new(ByteOffset(start)..ByteOffset(start + removed), inserted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_hunks(base: &str, current: &str, expected: &[(u32, u32, u32, u32)]) {
        let hunks: Vec<_> = hunks(&Text::from(base), &Text::from(current))
            .iter()
            .map(|hunk| (hunk.base.start.0, hunk.base.end.0, hunk.current.start.0, hunk.current.end.0))
            .collect();
        assert_eq!(hunks, expected, "{base:?} {current:?}");
    }

    #[test]
    fn hunks_are_whole_lines_with_their_ends() {
        check_hunks("a\nb\nc\n", "a\nB\nc\n", &[(1, 2, 1, 2)]);
        check_hunks("a\n", "a\nb\n", &[(1, 1, 1, 2)]);
        check_hunks("a", "a\n", &[(0, 1, 0, 1)]);
        check_hunks("a\nb\n", "a\r\nb\n", &[(0, 1, 0, 1)]);
        check_hunks("a \n", "a\n", &[(0, 1, 0, 1)]);
        check_hunks("", "a\n", &[(0, 0, 0, 1)]);
        check_hunks("a\n", "a\n", &[]);
        check_hunks("1\n2\n3\n4\n5\n", "2\n3\nx\n5\n6\n", &[(0, 1, 0, 0), (3, 4, 2, 3), (5, 5, 4, 5)]);
    }

    #[test]
    fn counts_are_those_of_the_difference() {
        assert_eq!(counts(&Text::from("a\nb\nc\n"), &Text::from("a\nx\ny\nc\n")), (2, 1));
        assert_eq!(counts(&Text::from(""), &Text::from("a\nb")), (2, 0));
        assert_eq!(counts(&Text::from("a\n"), &Text::from("")), (0, 1));
    }

    fn check_between(old: &str, new: &str, expected: &[(usize, usize, &str)]) {
        let set = EditSet::between(&Text::from(old), &Text::from(new));
        let edits: Vec<_> =
            set.iter().map(|edit| (edit.range.start.0, edit.range.end.0, edit.text.as_str())).collect();
        assert_eq!(edits, expected, "{old:?} {new:?}");
        assert_eq!(set.result(), new);
    }

    #[test]
    fn edits_are_minimal_inside_lines() {
        check_between("let a = 1;\nlet b = 2;\n", "let a = 1;\nlet b = 3;\n", &[(19, 20, "3")]);
        check_between("foo(a)\nbar(b)\n", "foo(x)\nbar(y)\n", &[(4, 5, "x"), (11, 12, "y")]);
        check_between("a\nc\n", "a\nb\nc\n", &[(2, 2, "b\n")]);
        check_between("a😀\n", "a😁\n", &[(1, 5, "😁")]);
    }

    #[test]
    fn edits_never_cut_a_crlf() {
        check_between("a\r\nb", "a\nb", &[(1, 3, "\n")]);
        check_between("a\rb", "a\r\nb", &[(1, 2, "\r\n")]);
        check_between("a\r\nb\r\n", "a\r\nb", &[(4, 6, "")]);
        check_between("a\n", "a\r\n", &[(1, 2, "\r\n")]);
    }

    #[test]
    fn blocks_hold_the_texts_of_the_hunks() {
        let blocks = blocks(&Text::from("a\r\nb\r\nc"), &Text::from("a\r\nB\r\nc"));
        assert_eq!(
            blocks,
            [Block {
                old_text: "b\r\n".into(),
                new_text: "B\r\n".into(),
                old_range: LineRange::new(1, 2),
                new_range: LineRange::new(1, 2),
                fuzzy: false,
            }]
        );
    }
}
