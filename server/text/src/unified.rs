//! Unified diffs as text, for tool results and feedback to the model.

use std::fmt::Write;

use crate::diff::{LineHunk, table_hunks};
use crate::lines::{LineTable, split_line_end};
use crate::text::Text;

/// The difference as a unified diff with `context` common lines around each change; empty for equal texts.
///
/// Line ends are written as LF. A line whose line end alone changed shows it as `\r` or `\r\n` behind its content, and a
/// missing one at the end of the file in the usual way.
pub fn unified(old: &Text, new: &Text, context: usize) -> String {
    let (old, new) = (old.to_string(), new.to_string());
    let (old, new) = (LineTable::new(&old), LineTable::new(&new));
    let mut out = String::new();
    for group in groups(&table_hunks(&old, &new), context) {
        write_group(&mut out, group, context, &old, &new);
    }
    out
}

/// Hunks whose context would touch belong together.
fn groups(hunks: &[LineHunk], context: usize) -> impl Iterator<Item = &[LineHunk]> {
    hunks.chunk_by(move |first, second| {
        second.base.start.as_usize() - first.base.end.as_usize() <= context.saturating_mul(2)
    })
}

fn write_group(
    out: &mut String,
    group: &[LineHunk],
    context: usize,
    old: &LineTable<'_>,
    new: &LineTable<'_>,
) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
    let lead = first.base.start.as_usize().min(context);
    let trail = (old.len() - last.base.end.as_usize()).min(context);
    let old_lines = first.base.start.as_usize() - lead..last.base.end.as_usize() + trail;
    let new_lines = first.current.start.as_usize() - lead..last.current.end.as_usize() + trail;
    // As `diff` has it: an empty range names the line in front of it, any other its first line counted from one.
    let number =
        |lines: &std::ops::Range<usize>| if lines.is_empty() { lines.start } else { lines.start + 1 };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "@@ -{},{} +{},{} @@",
        number(&old_lines),
        old_lines.len(),
        number(&new_lines),
        new_lines.len()
    );
    let mut common = old_lines.start;
    for hunk in group {
        for line in common..hunk.base.start.as_usize() {
            write_line(out, ' ', old.line(line), "");
        }
        common = hunk.base.end.as_usize();
        let (removed, added) = (hunk.base.as_usize(), hunk.current.as_usize());
        let pairs = removed.len() == added.len();
        for (index, line) in removed.clone().enumerate() {
            let other = if pairs { new.line(added.start + index) } else { "" };
            write_line(out, '-', old.line(line), other);
        }
        for (index, line) in added.enumerate() {
            let other = if pairs { old.line(removed.start + index) } else { "" };
            write_line(out, '+', new.line(line), other);
        }
    }
    for line in common..old_lines.end {
        write_line(out, ' ', old.line(line), "");
    }
}

fn write_line(out: &mut String, sign: char, line: &str, counterpart: &str) {
    let (content, end) = split_line_end(line);
    let (other_content, other_end) = split_line_end(counterpart);
    out.push(sign);
    out.push_str(content);
    if !counterpart.is_empty() && content == other_content && !end.is_empty() && !other_end.is_empty() {
        out.push_str(match end {
            "\r\n" => "\\r\\n",
            "\r" => "\\r",
            _ => "\\n",
        });
    }
    out.push('\n');
    if end.is_empty() {
        out.push_str("\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, context: usize, expected: &str) {
        assert_eq!(unified(&Text::from(old), &Text::from(new), context), expected, "{old:?} {new:?}");
    }

    #[test]
    fn near_changes_share_their_context_and_far_ones_do_not() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        check(old, "1\nx\n3\ny\n5\n6\n7\n8\n9\n", 1, "@@ -1,5 +1,5 @@\n 1\n-2\n+x\n 3\n-4\n+y\n 5\n");
        check(
            old,
            "1\nx\n3\n4\n5\n6\n7\n8\n",
            1,
            "@@ -1,3 +1,3 @@\n 1\n-2\n+x\n 3\n@@ -8,2 +8,1 @@\n 8\n-9\n",
        );
        check(old, old, 3, "");
    }

    #[test]
    fn pure_insertions_name_the_line_before() {
        check("a\n", "a\nb\n", 0, "@@ -1,0 +2,1 @@\n+b\n");
        check("", "a\n", 3, "@@ -0,0 +1,1 @@\n+a\n");
        check("a\n", "", 3, "@@ -1,1 +0,0 @@\n-a\n");
    }

    #[test]
    fn line_ends_are_shown_where_they_are_the_change() {
        check("a\nb", "a\nb\n", 0, "@@ -2,1 +2,1 @@\n-b\n\\ No newline at end of file\n+b\n");
        check("a\r\n", "a\n", 0, "@@ -1,1 +1,1 @@\n-a\\r\\n\n+a\\n\n");
        check("a\r\nb\r\n", "a\r\nc\r\n", 1, "@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
    }
}
