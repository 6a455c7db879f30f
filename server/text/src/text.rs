//! An immutable-feeling text: a rope with byte offsets and lines.
//!
//! Cloning shares the tree, so a snapshot costs nothing and an edit copies only the path to it. Line ends are LF,
//! CRLF and CR, as LSP has them; U+2028, U+0085 and form feed are ordinary characters. A text that ends in a line
//! end has one more, empty line.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use ropey::Rope;

use crate::EditError;
use crate::lines::LineRange;

/// A count of UTF-8 bytes from the start of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteOffset(pub usize);

/// A zero-based line number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineIndex(pub u32);

impl LineIndex {
    /// The index for a count of lines; counts above `u32::MAX` saturate, as LSP cannot name such lines.
    pub fn from_count(count: usize) -> Self {
        Self(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The same number for indexing.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A 64-bit fingerprint of a text's bytes.
///
/// It is quick (several GB/s), independent of how the rope is cut into pieces and the same on every platform. It is
/// not cryptographic: use it to notice that a text changed, not to address stored content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(pub u64);

/// A text; cheap to clone.
#[derive(Clone, Default)]
pub struct Text {
    rope: Rope,
}

impl Text {
    /// Builds a text from a string, in linear time.
    #[expect(
        clippy::should_implement_trait,
        reason = "building a text cannot fail, `FromStr` would claim it can"
    )]
    pub fn from_str(text: &str) -> Self {
        Self { rope: Rope::from_str(text) }
    }

    pub(crate) fn rope(&self) -> &Rope {
        &self.rope
    }

    /// Length in UTF-8 bytes.
    pub fn len_bytes(&self) -> usize {
        self.rope.len_bytes()
    }

    /// The offset behind the last byte.
    pub fn end(&self) -> ByteOffset {
        ByteOffset(self.rope.len_bytes())
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.rope.len_bytes() == 0
    }

    /// The number of lines as editors count them: line ends plus one.
    pub fn line_count(&self) -> usize {
        self.rope.len_lines()
    }

    /// A line with its line end, or `None` behind the last line.
    pub fn line(&self, line: LineIndex) -> Option<Cow<'_, str>> {
        self.rope.get_line(line.as_usize()).map(Cow::from)
    }

    /// Where a line begins, or `None` behind the last line.
    pub fn line_start(&self, line: LineIndex) -> Option<ByteOffset> {
        (line.as_usize() < self.rope.len_lines())
            .then(|| self.rope.try_line_to_byte(line.as_usize()).ok().map(ByteOffset))
            .flatten()
    }

    /// Where the content of a line ends: before its line end.
    pub fn line_content_end(&self, line: LineIndex) -> Option<ByteOffset> {
        let slice = self.rope.get_line(line.as_usize())?;
        let start = self.line_start(line)?;
        Some(ByteOffset(start.0 + content_len(&slice)))
    }

    /// The line that a byte lies in; offsets behind the end belong to the last line.
    pub fn line_of(&self, offset: ByteOffset) -> LineIndex {
        let offset = offset.0.min(self.rope.len_bytes());
        LineIndex::from_count(self.rope.try_byte_to_line(offset).unwrap_or(0))
    }

    /// The bytes of whole lines, line ends included; lines behind the end are cut off.
    pub fn byte_range(&self, lines: LineRange) -> Range<ByteOffset> {
        let start = self.line_start(lines.start).unwrap_or(self.end());
        let end = self.line_start(lines.end).unwrap_or(self.end());
        start..end.max(start)
    }

    /// The text of whole lines, line ends included.
    pub fn lines_text(&self, lines: LineRange) -> String {
        self.slice(self.byte_range(lines)).map(Cow::into_owned).unwrap_or_default()
    }

    /// A part of the text, or `None` when the range is out of bounds or cuts a character.
    pub fn slice(&self, range: Range<ByteOffset>) -> Option<Cow<'_, str>> {
        if !self.is_char_boundary(range.start) || !self.is_char_boundary(range.end) {
            return None;
        }
        self.rope.get_byte_slice(range.start.0..range.end.0).map(Cow::from)
    }

    /// The pieces of the text in order, for hashing and writing without a copy.
    pub fn chunks(&self) -> impl Iterator<Item = &str> {
        self.rope.chunks()
    }

    /// Whether an offset is in bounds and not inside a character.
    pub fn is_char_boundary(&self, offset: ByteOffset) -> bool {
        match self.rope.get_chunk_at_byte(offset.0) {
            Some((chunk, start, _, _)) => chunk.is_char_boundary(offset.0 - start),
            None => false,
        }
    }

    /// Whether an offset lies between the two bytes of a CRLF, where no editor can put a cursor.
    pub fn is_inside_crlf(&self, offset: ByteOffset) -> bool {
        let Some(before) = offset.0.checked_sub(1) else { return false };
        self.rope.get_byte(before) == Some(b'\r') && self.rope.get_byte(offset.0) == Some(b'\n')
    }

    /// Replaces a part in place, as an incremental `didChange` does; the text is unchanged on error.
    pub fn replace(&mut self, range: Range<ByteOffset>, with: &str) -> Result<(), EditError> {
        let len = self.rope.len_bytes();
        if range.start > range.end || range.end.0 > len {
            return Err(EditError::OutOfBounds { start: range.start, end: range.end, len });
        }
        for offset in [range.start, range.end] {
            if !self.is_char_boundary(offset) {
                return Err(EditError::NotACharBoundary { offset });
            }
        }
        let outside = |_| EditError::OutOfBounds { start: range.start, end: range.end, len };
        let start = self.rope.try_byte_to_char(range.start.0).map_err(outside)?;
        if range.start != range.end {
            let end = self.rope.try_byte_to_char(range.end.0).map_err(outside)?;
            self.rope.try_remove(start..end).map_err(outside)?;
        }
        if !with.is_empty() {
            self.rope.try_insert(start, with).map_err(outside)?;
        }
        Ok(())
    }

    /// The fingerprint of the content, in linear time.
    pub fn hash(&self) -> ContentHash {
        let mut state = Fingerprint::default();
        for chunk in self.rope.chunks() {
            state.write(chunk.as_bytes());
        }
        ContentHash(state.finish())
    }
}

/// Bytes of a line without its line end.
pub(crate) fn content_len(line: &ropey::RopeSlice<'_>) -> usize {
    let len = line.len_bytes();
    let last = len.checked_sub(1).and_then(|index| line.get_byte(index));
    let before = len.checked_sub(2).and_then(|index| line.get_byte(index));
    match (before, last) {
        (Some(b'\r'), Some(b'\n')) => len - 2,
        (_, Some(b'\n' | b'\r')) => len - 1,
        (_, _) => len,
    }
}

/// A streaming multiply-and-fold hash over eight-byte words.
#[derive(Default)]
struct Fingerprint {
    state: u64,
    word: u64,
    filled: u32,
    len: u64,
}

impl Fingerprint {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        let folded = (product >> 64) ^ (product & u128::from(u64::MAX));
        self.state = u64::try_from(folded & u128::from(u64::MAX)).unwrap_or_default().rotate_left(23) ^ word;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.len = self.len.wrapping_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut rest = bytes;
        while self.filled > 0 {
            let Some((byte, tail)) = rest.split_first() else { return };
            self.push(*byte);
            rest = tail;
        }
        while let Some((word, tail)) = rest.split_first_chunk::<8>() {
            self.mix(u64::from_le_bytes(*word));
            rest = tail;
        }
        for byte in rest {
            self.push(*byte);
        }
    }

    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * self.filled);
        self.filled += 1;
        if self.filled == 8 {
            self.mix(self.word);
            self.word = 0;
            self.filled = 0;
        }
    }

    fn finish(mut self) -> u64 {
        self.mix(self.word);
        self.mix(self.len);
        self.mix(0);
        self.state
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_str(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from_str(&text)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.rope.is_instance(&other.rope) || self.rope == other.rope
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.rope == *other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.rope == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rope.chunks().try_for_each(|chunk| formatter.write_str(chunk))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Text({:?})", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_lf_crlf_and_cr_only() {
        let text = Text::from("a\nb\r\nc\rd\u{2028}e\u{85}f\u{c}g\n");
        let lines: Vec<String> =
            (0..5).map(|line| text.line(LineIndex(line)).unwrap().into_owned()).collect();
        assert_eq!(lines, ["a\n", "b\r\n", "c\r", "d\u{2028}e\u{85}f\u{c}g\n", ""]);
        assert_eq!(text.line_count(), 5);
        assert_eq!(text.line(LineIndex(5)), None);
    }

    #[test]
    fn replace_refuses_what_is_outside_or_cuts_a_character() {
        let mut text = Text::from("a😀b");
        assert_eq!(
            text.replace(ByteOffset(2)..ByteOffset(5), "x"),
            Err(EditError::NotACharBoundary { offset: ByteOffset(2) })
        );
        assert_eq!(
            text.replace(ByteOffset(6)..ByteOffset(7), "x"),
            Err(EditError::OutOfBounds { start: ByteOffset(6), end: ByteOffset(7), len: 6 })
        );
        assert_eq!(text, "a😀b");
        assert_eq!(text.replace(ByteOffset(1)..ByteOffset(5), "é"), Ok(()));
        assert_eq!(text, "aéb");
    }

    #[test]
    fn fingerprint_depends_on_content_alone() {
        let long = "0123456789 some line\n".repeat(500);
        let whole = Text::from(long.as_str());
        let mut grown = Text::default();
        for (index, piece) in long.as_bytes().chunks(37).enumerate() {
            grown
                .replace(ByteOffset(index * 37)..ByteOffset(index * 37), str::from_utf8(piece).unwrap())
                .unwrap();
        }
        assert_eq!(grown.hash(), whole.hash());
        let hashes = ["", "\0", "a", "a\0", "b", "ab", "ba", "aaaaaaaa", "aaaaaaaaa"]
            .map(|text| Text::from(text).hash());
        for (index, hash) in hashes.iter().enumerate() {
            assert_eq!(hashes.iter().position(|other| other == hash), Some(index));
        }
    }

    #[test]
    fn lines_behind_the_end_are_cut_off() {
        let text = Text::from("a\nb\n");
        assert_eq!(text.lines_text(LineRange::new(1, 9)), "b\n");
        assert_eq!(text.lines_text(LineRange::new(7, 9)), "");
    }
}
