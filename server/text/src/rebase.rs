//! Moving edits over a change that someone else made to the same base.

use std::ops::Range;

use thiserror::Error;

use crate::edit::{Edit, EditSet, Shift};
use crate::lines::LineRange;
use crate::text::{ByteOffset, LineIndex};

/// Why edits cannot be moved over another change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Overlap {
    /// Both sides change the same place, or places that touch.
    #[error("lines {}-{} were changed at the same time", lines.start.0 + 1, lines.end.0)]
    SamePlace {
        /// Lines of the base that both changes lie in.
        lines: LineRange,
        /// The range that was to be edited.
        edit: Range<ByteOffset>,
        /// The range that was changed in the meantime.
        user: Range<ByteOffset>,
    },
    /// The two were not computed on the same text.
    #[error("the two changes start from different texts")]
    OtherBase,
}

/// Moves `edits` behind `user`, both computed on the same base: the answer applies to the base with `user` applied.
///
/// Changes that touch count as overlapping, since their order would be a guess.
pub fn rebase(edits: &EditSet, user: &EditSet) -> Result<EditSet, Overlap> {
    if edits.base() != user.base() {
        return Err(Overlap::OtherBase);
    }
    let mut shift = Shift::default();
    let mut pending = user.iter().peekable();
    let mut moved = Vec::with_capacity(edits.edits().len());
    for edit in edits {
        while let Some(other) = pending.next_if(|other| other.range.end < edit.range.start) {
            shift.add(other);
        }
        if let Some(other) = pending.peek()
            && other.range.start <= edit.range.end
        {
            let start = edit.range.start.min(other.range.start);
            let end = edit.range.end.max(other.range.end);
            let last = edits.base().line_of(end);
            let lines =
                LineRange { start: edits.base().line_of(start), end: LineIndex(last.0.saturating_add(1)) };
            return Err(Overlap::SamePlace { lines, edit: edit.range.clone(), user: other.range.clone() });
        }
        moved.push(Edit::new(shift.of(edit.range.start)..shift.of(edit.range.end), edit.text.clone()));
    }
    Ok(EditSet::trusted(&user.result(), moved))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    fn edits(base: &Text, list: &[(usize, usize, &str)]) -> EditSet {
        let list = list
            .iter()
            .map(|(start, end, text)| Edit::new(ByteOffset(*start)..ByteOffset(*end), *text))
            .collect();
        EditSet::new(base, list).unwrap()
    }

    #[test]
    fn moves_edits_around_what_the_user_typed() {
        let base = Text::from("one\ntwo\nthree\n");
        let agent = edits(&base, &[(4, 7, "2"), (8, 13, "3")]);
        let user = edits(&base, &[(0, 0, "zero\n"), (14, 14, "four\n")]);
        assert_eq!(rebase(&agent, &user).unwrap().result(), "zero\none\n2\n3\nfour\n");
    }

    #[test]
    fn touching_changes_name_the_lines() {
        let base = Text::from("one\ntwo\nthree\n");
        let overlap = rebase(&edits(&base, &[(4, 7, "2")]), &edits(&base, &[(7, 7, "!")])).unwrap_err();
        assert_eq!(
            overlap,
            Overlap::SamePlace {
                lines: LineRange::new(1, 2),
                edit: ByteOffset(4)..ByteOffset(7),
                user: ByteOffset(7)..ByteOffset(7),
            }
        );
        assert_eq!(overlap.to_string(), "lines 2-2 were changed at the same time");
    }

    #[test]
    fn different_bases_are_refused() {
        let agent = edits(&Text::from("a"), &[(0, 1, "b")]);
        assert_eq!(rebase(&agent, &EditSet::empty(&Text::from("c"))), Err(Overlap::OtherBase));
    }
}
