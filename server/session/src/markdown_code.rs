//! Where code stands in a Markdown text: fenced blocks and inline spans.
//!
//! Placeholders, conditions and mentions mean nothing inside of code, so their readers ask here first. A fence that is
//! never closed reaches to the end; a run of backticks that is never closed in its paragraph is no code.

use std::ops::Range;

/// The byte ranges of code, in order.
pub(crate) fn code_ranges(text: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut fence: Option<(usize, char, usize)> = None;
    let mut paragraph: Option<usize> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let end = offset + line.len();
        let marker = fence_marker(line);
        match (fence, marker) {
            (Some((start, letter, count)), Some((other, length, bare)))
                if other == letter && length >= count && bare =>
            {
                ranges.push(start..end);
                fence = None;
            }
            (Some(_), _) => {}
            (None, Some((letter, length, _))) => {
                spans(text, paragraph.take()..Some(offset), &mut ranges);
                fence = Some((offset, letter, length));
            }
            (None, None) if line.trim().is_empty() => {
                spans(text, paragraph.take()..Some(offset), &mut ranges)
            }
            (None, None) => paragraph = paragraph.or(Some(offset)),
        }
        offset = end;
    }
    match fence {
        Some((start, ..)) => ranges.push(start..text.len()),
        None => spans(text, paragraph..Some(text.len()), &mut ranges),
    }
    ranges
}

/// Whether an offset lies in one of the ranges.
pub(crate) fn is_in(ranges: &[Range<usize>], offset: usize) -> bool {
    let after = ranges.partition_point(|range| range.start <= offset);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| range.contains(&offset))
}

/// The letter and length of a fence, and whether nothing follows it.
fn fence_marker(line: &str) -> Option<(char, usize, bool)> {
    let content = line.trim_start_matches(' ');
    if line.len() - content.len() > 3 {
        return None;
    }
    let letter = content.chars().next().filter(|letter| matches!(letter, '`' | '~'))?;
    let rest = content.trim_start_matches(letter);
    let length = content.len() - rest.len();
    // Backticks behind backticks are a span on one line, not a fence.
    (length >= 3 && !(letter == '`' && rest.contains('`'))).then_some((
        letter,
        length,
        rest.trim().is_empty(),
    ))
}

/// The spans of one paragraph.
fn spans(text: &str, paragraph: Range<Option<usize>>, ranges: &mut Vec<Range<usize>>) {
    let (Some(start), Some(end)) = (paragraph.start, paragraph.end) else { return };
    let mut at = start;
    while let Some(rest) = text.get(at..end)
        && let Some(opening) = rest.find('`')
    {
        let opening = at + opening;
        let count = run(text, opening, end);
        let mut search = opening + count;
        let closing = loop {
            let Some(found) = text.get(search..end).and_then(|rest| rest.find('`')) else { break None };
            let length = run(text, search + found, end);
            if length == count {
                break Some(search + found + length);
            }
            search += found + length;
        };
        match closing {
            Some(closing) => {
                ranges.push(opening..closing);
                at = closing;
            }
            None => at = opening + count,
        }
    }
}

fn run(text: &str, start: usize, end: usize) -> usize {
    text.get(start..end).map_or(1, |rest| rest.len() - rest.trim_start_matches('`').len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` with its code between brackets.
    fn check(text: &str, marked: &str) {
        let mut shown = String::new();
        let ranges = code_ranges(text);
        for (offset, letter) in text.char_indices() {
            if ranges.iter().any(|range| range.start == offset) {
                shown.push('[');
            }
            shown.push(letter);
            if ranges.iter().any(|range| range.end == offset + letter.len_utf8()) {
                shown.push(']');
            }
            let inside = ranges.iter().any(|range| range.contains(&offset));
            assert_eq!(is_in(&ranges, offset), inside, "{text:?} at {offset}");
        }
        assert_eq!(shown, marked);
    }

    #[test]
    fn code_is_found_in_fences_and_spans() {
        check("a `b` c ``d ` e`` f", "a [`b`] c [``d ` e``] f");
        check("a\n```rust\n`b\n```\nc `d`\n", "a\n[```rust\n`b\n```\n]c [`d`]\n");
        check("~~~\n```\n~~~~\nx", "[~~~\n```\n~~~~\n]x");
        check("```\nnever closed", "[```\nnever closed]");
        check("one ` tick\n\nother ` tick", "one ` tick\n\nother ` tick");
        check("a `two\nlines` b", "a [`two\nlines`] b");
        check("```one line``` x", "[```one line```] x");
        check("", "");
    }
}
