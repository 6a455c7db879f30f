//! The one place where output is cut, always between characters and always saying how much is missing (I20).
//!
//! What a model reads is at most [`MAX_LINES`] lines and [`MAX_BYTES`] bytes. A text that grows while a process runs is
//! kept in a [`HeadTail`], whose memory does not grow with it.

use std::borrow::Cow;
use std::collections::VecDeque;

/// Lines that one result shows.
pub const MAX_LINES: usize = 2000;

/// Bytes that one result shows.
pub const MAX_BYTES: usize = 50 * 1024;

/// Bytes of one line that `read` shows.
pub const MAX_LINE_BYTES: usize = 2000;

/// Bytes that the result of any tool may have, whoever made the tool.
pub const MAX_RESULT_BYTES: usize = 2 * MAX_BYTES;

/// What was left out of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Line ends left out.
    pub lines: u64,
    /// Bytes left out.
    pub bytes: u64,
}

impl Cut {
    /// `[… 12 lines (3,400 bytes) left out …]`.
    pub fn note(self) -> String {
        let lines = if self.lines == 1 { "line" } else { "lines" };
        match self.lines {
            0 => format!("[… {} bytes left out …]", grouped(self.bytes)),
            count => format!("[… {} {lines} ({} bytes) left out …]", grouped(count), grouped(self.bytes)),
        }
    }
}

/// A number with thousands separated.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The line, or its beginning with a note of how many characters are missing.
pub fn line(text: &str, max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    let (head, rest) = text.split_at(text.floor_char_boundary(max_bytes));
    Cow::Owned(format!("{head}… [{} more characters]", grouped(rest.chars().count() as u64)))
}

/// Beginning and end of a text that is too long, with a note between.
pub fn head_and_tail(text: &str, max_lines: usize, max_bytes: usize) -> Cow<'_, str> {
    let mut kept = HeadTail::new(max_lines, max_bytes);
    kept.push(text);
    if kept.cut() == Cut::default() { Cow::Borrowed(text) } else { Cow::Owned(kept.into_text()) }
}

/// The beginning of a text that is too long, with a note after it.
pub fn head(text: &str, max_lines: usize, max_bytes: usize) -> Cow<'_, str> {
    let by_lines =
        text.match_indices('\n').nth(max_lines.saturating_sub(1)).map_or(text.len(), |(at, _)| at + 1);
    let end = text.floor_char_boundary(by_lines.min(max_bytes));
    let (kept, rest) = text.split_at(end);
    if rest.is_empty() {
        return Cow::Borrowed(text);
    }
    let cut = Cut { lines: count_lines(rest), bytes: rest.len() as u64 };
    let separator = if kept.ends_with('\n') || kept.is_empty() { "" } else { "\n" };
    Cow::Owned(format!("{kept}{separator}{}", cut.note()))
}

/// Keeps the first and the last part of a text that is pushed piece by piece, and counts what lies between.
///
/// Half of the budget belongs to each part. Memory stays below twice the budget whatever is pushed.
#[derive(Debug)]
pub struct HeadTail {
    half_lines: u64,
    half_bytes: usize,
    head: String,
    head_lines: u64,
    head_full: bool,
    tail: VecDeque<u8>,
    tail_lines: u64,
    cut: Cut,
}

impl HeadTail {
    /// An empty text with the budget.
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            half_lines: (max_lines / 2) as u64,
            half_bytes: max_bytes / 2,
            head: String::new(),
            head_lines: 0,
            head_full: false,
            tail: VecDeque::new(),
            tail_lines: 0,
            cut: Cut::default(),
        }
    }

    /// What is left out by now.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// Appends text.
    pub fn push(&mut self, text: &str) {
        let rest = if self.head_full { text } else { self.fill_head(text) };
        if rest.is_empty() {
            return;
        }
        // Only the end of a long piece can stay, so the rest of it need not pass through the queue.
        let skip = rest.ceil_char_boundary(rest.len().saturating_sub(self.half_bytes.max(1)));
        let (skipped, kept) = rest.split_at(skip);
        if !skipped.is_empty() {
            self.drop_tail(self.tail.len());
            self.cut.bytes += skipped.len() as u64;
            self.cut.lines += count_lines(skipped);
        }
        self.tail.extend(kept.as_bytes());
        self.tail_lines += count_lines(kept);
        self.trim_tail();
    }

    /// Moves what fits to the head and returns the rest.
    fn fill_head<'text>(&mut self, text: &'text str) -> &'text str {
        let lines_left = usize::try_from(self.half_lines - self.head_lines).unwrap_or(usize::MAX);
        let by_lines = match lines_left.checked_sub(1) {
            Some(last) => text.match_indices('\n').nth(last).map_or(text.len(), |(at, _)| at + 1),
            None => 0,
        };
        let by_bytes = text.floor_char_boundary(self.half_bytes - self.head.len());
        let end = by_lines.min(by_bytes);
        let (kept, rest) = text.split_at(end);
        self.head.push_str(kept);
        self.head_lines += count_lines(kept);
        self.head_full = !rest.is_empty();
        rest
    }

    fn trim_tail(&mut self) {
        let mut excess = self.tail.len().saturating_sub(self.half_bytes);
        if self.tail_lines > self.half_lines {
            let surplus = usize::try_from(self.tail_lines - self.half_lines).unwrap_or(usize::MAX);
            let after = self.tail.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(surplus - 1);
            excess = excess.max(after.map_or(self.tail.len(), |(at, _)| at + 1));
        }
        while self.tail.get(excess).is_some_and(|byte| is_continuation(*byte)) {
            excess += 1;
        }
        self.drop_tail(excess);
    }

    fn drop_tail(&mut self, bytes: usize) {
        let lines = self.tail.drain(..bytes).filter(|byte| *byte == b'\n').count() as u64;
        self.tail_lines -= lines;
        self.cut.lines += lines;
        self.cut.bytes += bytes as u64;
    }

    /// The whole text, or head, note and tail.
    pub fn into_text(self) -> String {
        let mut text = self.head;
        if self.cut != Cut::default() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&self.cut.note());
            text.push('\n');
        }
        text.push_str(&String::from_utf8_lossy(&Vec::from(self.tail)));
        text
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn count_lines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_within_the_budget_stays_as_it_is() {
        for text in ["", "a", "a\nb\n", "ä\n"] {
            assert_eq!(head_and_tail(text, 4, 10), text);
            assert_eq!(head(text, 4, 10), text);
        }
    }

    #[test]
    fn head_and_tail_say_how_much_lies_between() {
        assert_eq!(
            head_and_tail("1\n2\n3\n4\n5\n6\n7\n", 4, 100),
            "1\n2\n[… 3 lines (6 bytes) left out …]\n6\n7\n"
        );
        assert_eq!(head_and_tail("abcdefghij", 10, 4), "ab\n[… 6 bytes left out …]\nij");
        assert_eq!(head("1\n2\n3\n", 2, 100), "1\n2\n[… 1 line (2 bytes) left out …]");
        assert_eq!(head("abcdef", 2, 3), "abc\n[… 3 bytes left out …]");
    }

    #[test]
    fn characters_are_never_split() {
        for budget in 2..24 {
            let text = "ä€😀".repeat(4);
            let cut = head_and_tail(&text, 10, budget).into_owned();
            assert!(!cut.contains('\u{fffd}'), "{cut}");
            assert!(head(&text, 10, budget).starts_with(&text[..text.floor_char_boundary(budget)]));
            let kept: usize = cut.split("[…").next().unwrap_or("").len();
            assert!(kept <= budget / 2 + 1 || cut == text, "{budget}: {cut}");
        }
        assert_eq!(line("ääää", 5), "ää… [2 more characters]");
        assert_eq!(line("abc", 3), "abc");
    }

    #[test]
    fn pieces_and_the_whole_are_cut_alike() {
        let text = (1..=40).map(|number| format!("line {number} ä\n")).collect::<String>();
        let whole = head_and_tail(&text, 10, 90).into_owned();
        for size in 1..9 {
            let mut pieces = HeadTail::new(10, 90);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.ceil_char_boundary(size));
                pieces.push(piece);
                rest = after;
            }
            assert_eq!(pieces.into_text(), whole, "pieces of {size} bytes");
        }
    }

    #[test]
    fn memory_stays_bounded() {
        let mut kept = HeadTail::new(100, 1000);
        for _ in 0..1000 {
            kept.push(&"x".repeat(10_000));
        }
        assert!(kept.tail.capacity() < 4096, "{}", kept.tail.capacity());
        assert_eq!(kept.cut(), Cut { lines: 0, bytes: 10_000_000 - 1000 });
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
