//! Which old lines belong to which new lines inside one hunk, for keeping or undoing a part of it.
//!
//! Lines that resemble each other are paired in order, so that their likeness adds up to the most; old lines without a
//! partner go with the next new line, those at the end with the last.

use kit_text::{LineRange, Text};

use crate::splice::all_lines;

/// Beyond this many comparisons lines are paired by their number.
const MOST_COMPARISONS: usize = 10_000;
/// Percent of likeness from which two lines are a pair.
const ALIKE: usize = 40;

/// For each boundary between new lines (one more than there are lines) the boundary between old lines that belongs to
/// it.
pub(crate) fn boundaries(old: &str, new: &str) -> Vec<u32> {
    let (old, new) = (lines(old), lines(new));
    let old_count = u32::try_from(old.len()).unwrap_or(u32::MAX);
    let partners = if old.len().saturating_mul(new.len()) <= MOST_COMPARISONS {
        pairs(&old, &new)
    } else {
        (0..new.len()).map(|line| Some(line).filter(|line| *line < old.len())).collect()
    };
    let mut boundaries = vec![0];
    let mut reached = 0;
    for partner in partners {
        if let Some(partner) = partner {
            reached = u32::try_from(partner + 1).unwrap_or(u32::MAX);
        }
        boundaries.push(reached);
    }
    if let Some(last) = boundaries.last_mut() {
        *last = old_count;
    }
    boundaries
}

fn lines(text: &str) -> Vec<String> {
    let text = Text::from(text);
    (0..all_lines(&text).end.0).map(|line| text.lines_text(LineRange::new(line, line + 1))).collect()
}

/// The partner of each new line, ascending.
fn pairs(old: &[String], new: &[String]) -> Vec<Option<usize>> {
    // Row by row, the best total likeness of the first old and the first new lines.
    let width = new.len() + 1;
    let mut best = vec![0_usize; width * (old.len() + 1)];
    let at =
        |table: &[usize], row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(0);
    for (row, old_line) in old.iter().enumerate() {
        for (column, new_line) in new.iter().enumerate() {
            let likeness = likeness(old_line, new_line);
            let paired = if likeness >= ALIKE { at(&best, row, column) + likeness } else { 0 };
            let value = paired.max(at(&best, row, column + 1)).max(at(&best, row + 1, column));
            if let Some(cell) = best.get_mut((row + 1) * width + column + 1) {
                *cell = value;
            }
        }
    }
    let mut partners = vec![None; new.len()];
    let (mut row, mut column) = (old.len(), new.len());
    while row > 0 && column > 0 {
        let here = at(&best, row, column);
        if here == at(&best, row - 1, column) {
            row -= 1;
        } else if here == at(&best, row, column - 1) {
            column -= 1;
        } else {
            row -= 1;
            column -= 1;
            if let Some(partner) = partners.get_mut(column) {
                *partner = Some(row);
            }
        }
    }
    partners
}

/// Percent of the characters that two lines share at both ends, white space around them aside.
fn likeness(old: &str, new: &str) -> usize {
    let (old, new) = (old.trim(), new.trim());
    let longest = old.chars().count().max(new.chars().count());
    if longest == 0 {
        return 100;
    }
    let prefix = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    let shortest = old.chars().count().min(new.chars().count());
    let suffix = old.chars().rev().zip(new.chars().rev()).take_while(|(old, new)| old == new).count();
    (prefix + suffix.min(shortest - prefix)) * 100 / longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, expected: &[u32]) {
        assert_eq!(boundaries(old, new), expected, "{old:?} {new:?}");
    }

    #[test]
    fn resembling_lines_are_pairs() {
        check("let a = 1;\nlet b = 1;\n", "let a = 2;\nlet b = 2;\n", &[0, 1, 2]);
        check("let a = 1;\rlet b = 1;", "let a = 2;\rlet b = 2;", &[0, 1, 2]);
        check("let b = 1;\n", "// entirely new\nlet b = 2;\n", &[0, 0, 1]);
        check("// entirely old\nlet b = 1;\n", "let b = 2;\n", &[0, 2]);
    }

    #[test]
    fn additions_have_nothing_old_and_leftovers_go_with_the_last_line() {
        check("", "a\nb\n", &[0, 0, 0]);
        check("let a = 1;\nx\ny\n", "let a = 2;\n", &[0, 3]);
    }
}
