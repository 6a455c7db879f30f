//! Moving changes between texts that differ in some places, line by line.
//!
//! The texts of a reviewed file (baseline, agent text, live text) are equal outside their hunks. A change of one of
//! them that does not overlap a hunk therefore has one meaning in the others, and is carried over by shifting lines.

use kit_text::diff::LineHunk;
use kit_text::{Edit, EditSet, LineIndex, LineRange, Text};

/// Whether a change claims lines that a hunk claims, or inserts where the hunk deleted. Lines that merely meet do not
/// overlap: their order is known.
pub(crate) fn overlap(change: LineRange, hunk: LineRange) -> bool {
    match (change.is_empty(), hunk.is_empty()) {
        (true, true) => change.start == hunk.start,
        (true, false) => hunk.start < change.start && change.start < hunk.end,
        (false, true) => change.start < hunk.start && hunk.start < change.end,
        (false, false) => change.start < hunk.end && hunk.start < change.end,
    }
}

/// Whether two ranges share a line, or one is empty and lies in or at the border of the other.
pub(crate) fn touch(first: LineRange, second: LineRange) -> bool {
    if first.is_empty() || second.is_empty() {
        first.start <= second.end && second.start <= first.end
    } else {
        overlap(first, second)
    }
}

/// All lines of a text, as hunks count them.
pub(crate) fn all_lines(text: &Text) -> LineRange {
    let last = LineIndex::from_count(text.line_count() - 1);
    let has_content = text.line_start(last).is_some_and(|start| start < text.end());
    LineRange::new(0, if has_content { last.0 + 1 } else { last.0 })
}

/// Replaces disjoint ranges of lines.
pub(crate) fn splice(text: &Text, changes: impl IntoIterator<Item = (LineRange, String)>) -> Text {
    let edits = changes.into_iter().map(|(lines, new)| Edit::new(text.byte_range(lines), new)).collect();
    match EditSet::new(text, edits) {
        Ok(edits) => edits.result(),
        Err(error) => {
            debug_assert!(false, "line ranges make valid edits: {error}");
            text.clone()
        }
    }
}

/// `target` with the lines of these hunks as they are in `current`.
pub(crate) fn adopt<'a>(
    target: &Text,
    current: &Text,
    hunks: impl IntoIterator<Item = &'a LineHunk>,
) -> Text {
    splice(target, hunks.into_iter().map(|hunk| (hunk.base, current.lines_text(hunk.current))))
}

/// The outcome of [`carry`].
pub(crate) struct Carried {
    /// The target with the changes that could be carried over.
    pub(crate) text: Text,
    /// Whether all could.
    pub(crate) complete: bool,
}

/// Makes the changes from a source text to `new` in `target` too, where they do not overlap a hunk between the two.
///
/// `between` are the hunks from `target` to the source, `changes` those from the source to `new`.
pub(crate) fn carry(target: &Text, between: &[LineHunk], changes: &[LineHunk], new: &Text) -> Carried {
    let mut complete = true;
    let mut moved = Vec::new();
    for change in changes {
        if between.iter().any(|hunk| overlap(change.base, hunk.current)) {
            complete = false;
            continue;
        }
        let lines = shift(change.base, between);
        let text = new.lines_text(change.current);
        if joins_cleanly(target, lines, &text) {
            moved.push((lines, text));
        } else {
            complete = false;
        }
    }
    Carried { text: splice(target, moved), complete }
}

/// Where lines of the source that overlap no hunk are in the target.
pub(crate) fn shift(lines: LineRange, between: &[LineHunk]) -> LineRange {
    let mut start = lines.start.0;
    for hunk in between.iter().filter(|hunk| hunk.current.end <= lines.start) {
        start = (start + hunk.base.len()).saturating_sub(hunk.current.len());
    }
    LineRange::new(start, start + lines.len())
}

/// Whether text put in place of these lines stays apart from the lines around it. Only the last line of a file may lack
/// a line end, and it is not the last in every one of the texts.
fn joins_cleanly(target: &Text, lines: LineRange, text: &str) -> bool {
    let range = target.byte_range(lines);
    let ends_line = |text: &str| text.is_empty() || text.ends_with(['\n', '\r']);
    let before = LineRange { start: LineIndex(lines.start.0.saturating_sub(1)), end: lines.start };
    ends_line(&target.lines_text(before)) && (ends_line(text) || range.end == target.end())
}

/// Where lines are after the text that holds them changed by `changes`. Text that was inserted at either end stays
/// outside; a range that was replaced becomes what replaced it.
pub(crate) fn follow(lines: LineRange, changes: &[LineHunk]) -> LineRange {
    let map = |line: LineIndex, stays_before_insertion: bool, inside: fn(LineRange) -> LineIndex| {
        let mut moved = line.0;
        for change in changes {
            let before = change.base.end < line
                || change.base.end == line && !(change.base.is_empty() && stays_before_insertion);
            if before {
                moved = (moved + change.current.len()).saturating_sub(change.base.len());
            } else if change.base.start < line {
                return inside(change.current);
            } else {
                break;
            }
        }
        LineIndex(moved)
    };
    let start = map(lines.start, lines.is_empty(), |range| range.start);
    let end = map(lines.end, !lines.is_empty(), |range| range.end);
    LineRange { start, end: end.max(start) }
}

#[cfg(test)]
mod tests {
    use kit_text::diff::hunks;

    use super::*;

    fn check_carry(target: &str, source: &str, new: &str, expected: &str, complete: bool) {
        let [target, source, new] = [target, source, new].map(Text::from);
        let carried = carry(&target, &hunks(&target, &source), &hunks(&source, &new), &new);
        assert_eq!((carried.text.to_string().as_str(), carried.complete), (expected, complete));
    }

    #[test]
    fn changes_outside_hunks_are_carried_over() {
        check_carry("a\nb\nc\n", "a\nx\ny\nc\n", "A\nx\ny\nC\nd\n", "A\nb\nC\nd\n", true);
        check_carry("a\nb\nc\n", "a\nc\n", "a\nC\n", "a\nb\nC\n", true);
        check_carry("a\nb\nc\n", "a\nx\nc\n", "a\nx\nnew\nc\n", "a\nb\nnew\nc\n", true);
    }

    #[test]
    fn changes_inside_hunks_are_not() {
        check_carry("a\nb\nc\n", "a\nx\ny\nc\n", "a\nx\nnew\ny\nC\n", "a\nb\nC\n", false);
        check_carry("a\nb\nc\n", "a\nc\n", "a\nnew\nc\n", "a\nb\nc\n", false);
    }

    #[test]
    fn a_line_is_never_glued_to_one_without_end() {
        check_carry("a\nb", "a\nb\n", "a\nb\nc\n", "a\nb", false);
    }

    fn check_follow(before: &str, after: &str, lines: (u32, u32), expected: (u32, u32)) {
        let changes = hunks(&Text::from(before), &Text::from(after));
        let followed = follow(LineRange::new(lines.0, lines.1), &changes);
        assert_eq!((followed.start.0, followed.end.0), expected, "{before:?} {after:?} {lines:?}");
    }

    #[test]
    fn ranges_follow_their_lines() {
        check_follow("a\nb\nc\n", "x\na\nb\nc\n", (1, 2), (2, 3));
        check_follow("a\nb\nc\n", "a\nx\nb\ny\nc\n", (1, 2), (2, 3));
        check_follow("a\nb\nc\n", "a\nB\nB2\nc\n", (1, 2), (1, 3));
        check_follow("a\nb\nc\n", "a\nc\n", (1, 2), (1, 1));
        check_follow("a\nc\n", "a\nb\nc\n", (1, 1), (1, 2));
        check_follow("a\nb\nc\nd\n", "a\nX\nd\n", (2, 3), (1, 2));
    }

    #[test]
    fn lines_of_a_text_count_as_in_hunks() {
        for (text, lines) in [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)] {
            assert_eq!(all_lines(&Text::from(text)), LineRange::new(0, lines), "{text:?}");
        }
    }
}
