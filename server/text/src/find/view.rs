//! Views of a text that are easier to search, with a way back to the real offsets.

use crate::lines::{LineTable, split_line_end};

/// A rewritten text, and from where on its offsets differ from the real ones by how much.
pub(super) struct View {
    pub(super) text: String,
    /// Pairs of a view offset and the real offset it stands for, ascending; up to the next pair both count alike.
    marks: Vec<(usize, usize)>,
}

impl View {
    /// Every line end is LF.
    pub(super) fn with_lf(original: &str) -> Self {
        Self::build(original, str::len, |content, view, at| view.push(at, content))
    }

    /// As `with_lf`, without white space at the ends of lines and with typographic characters made plain.
    pub(super) fn loose(original: &str) -> Self {
        let kept = |content: &str| content.trim_end().len();
        Self::build(original, kept, |content, view, at| {
            let mut copied = 0;
            for (index, character) in content.char_indices() {
                let Some(plain) = plain(character) else { continue };
                view.push(at + copied, content.get(copied..index).unwrap_or_default());
                view.push(at + index, plain);
                copied = index + character.len_utf8();
            }
            view.push(at + copied, content.get(copied..).unwrap_or_default());
        })
    }

    fn build(
        original: &str,
        kept: impl Fn(&str) -> usize,
        push_content: impl Fn(&str, &mut Self, usize),
    ) -> Self {
        let table = LineTable::new(original);
        let mut view = Self { text: String::with_capacity(original.len()), marks: Vec::new() };
        for (index, line) in table.lines().enumerate() {
            let at = table.start(index);
            let (content, end) = split_line_end(line);
            push_content(content.get(..kept(content)).unwrap_or_default(), &mut view, at);
            if !end.is_empty() {
                view.push(at + content.len(), "\n");
            }
        }
        view.marks.push((view.text.len(), original.len()));
        view
    }

    fn push(&mut self, real: usize, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let here = self.text.len();
        if self.marks.is_empty() || self.real(here) != real {
            self.marks.push((here, real));
        }
        self.text.push_str(piece);
    }

    /// The real offset of the character at a view offset; at the end of the view, the end of the text.
    pub(super) fn real(&self, offset: usize) -> usize {
        let next = self.marks.partition_point(|(view, _)| *view <= offset);
        let mark = next.checked_sub(1).and_then(|index| self.marks.get(index));
        mark.map_or(offset, |(view, real)| real + (offset - view))
    }

    /// Where `needle` begins, overlapping occurrences included when there would otherwise be only one.
    pub(super) fn occurrences(&self, needle: &str) -> Vec<usize> {
        let mut starts: Vec<usize> = self.text.match_indices(needle).map(|(start, _)| start).collect();
        if let [only] = starts.as_slice() {
            let behind =
                only + self.text.get(*only..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            let again = self.text.get(behind..).and_then(|rest| rest.find(needle));
            starts.extend(again.map(|start| start + behind));
        }
        starts
    }
}

/// The plain spelling of a typographic character.
fn plain(character: char) -> Option<&'static str> {
    match character {
        '\u{201c}' | '\u{201d}' => Some("\""),
        '\u{2018}' | '\u{2019}' => Some("'"),
        '\u{2013}' | '\u{2014}' => Some("-"),
        '\u{a0}' => Some(" "),
        _ => None,
    }
}
