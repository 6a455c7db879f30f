//! Lines of a string as slices, for everything that compares texts line by line.
//!
//! A line here is a run of bytes with its line end; the empty line behind a final line end is not one. So appending to
//! a file that ends in a line end is an insertion, not a change of its last line.

use crate::text::LineIndex;

/// A half-open range of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LineRange {
    /// First line.
    pub start: LineIndex,
    /// The line behind the last.
    pub end: LineIndex,
}

impl LineRange {
    /// A range from its two numbers.
    pub fn new(start: u32, end: u32) -> Self {
        Self { start: LineIndex(start), end: LineIndex(end) }
    }

    pub(crate) fn from_counts(start: usize, end: usize) -> Self {
        Self { start: LineIndex::from_count(start), end: LineIndex::from_count(end) }
    }

    /// How many lines.
    pub fn len(self) -> u32 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Whether it names a place between lines.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub(crate) fn as_usize(self) -> std::ops::Range<usize> {
        self.start.as_usize()..self.end.as_usize()
    }
}

/// The lines of a string.
pub(crate) struct LineTable<'a> {
    text: &'a str,
    /// Where each line begins, and the length of the text.
    starts: Vec<usize>,
}

impl<'a> LineTable<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = Vec::with_capacity(bytes.len() / 24 + 2);
        starts.push(0);
        for (index, byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(index + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends && index + 1 < bytes.len() {
                starts.push(index + 1);
            }
        }
        if !bytes.is_empty() {
            starts.push(bytes.len());
        }
        Self { text, starts }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where a line begins; behind the last line, the end of the text.
    pub(crate) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    pub(crate) fn line(&self, line: usize) -> &'a str {
        self.span(line..line + 1)
    }

    pub(crate) fn span(&self, lines: std::ops::Range<usize>) -> &'a str {
        self.text.get(self.start(lines.start)..self.start(lines.end)).unwrap_or_default()
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(|line| self.line(line))
    }
}

/// Splits a line into its content and its line end.
pub(crate) fn split_line_end(line: &str) -> (&str, &str) {
    let content = line
        .strip_suffix("\r\n")
        .or_else(|| line.strip_suffix('\n'))
        .or_else(|| line.strip_suffix('\r'))
        .unwrap_or(line);
    (content, line.get(content.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let table = LineTable::new(text);
        assert_eq!(table.lines().collect::<Vec<_>>(), expected);
        assert_eq!(table.len(), expected.len());
    }

    #[test]
    fn lines_carry_their_ends() {
        check("", &[]);
        check("a", &["a"]);
        check("\n", &["\n"]);
        check("a\nb\r\nc\r\rd", &["a\n", "b\r\n", "c\r", "\r", "d"]);
        check("a\r\n", &["a\r\n"]);
        check("a\r", &["a\r"]);
    }
}
