//! LSP positions: a line and a count of code units in it, in the encoding that client and server agreed on.
//!
//! LSP clamps: a character behind the end of a line means the end of its content, before its line end. A line behind
//! the last means the end of the text, and a unit inside a character means the start of that character. The strict
//! twin answers `None` where clamping would have changed the position.

use crate::text::{ByteOffset, LineIndex, Text, content_len};

/// What `Position::character` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, which LSP uses unless something else was agreed on.
    #[default]
    Utf16,
}

/// A place between two characters as LSP writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Zero-based line.
    pub line: u32,
    /// Code units from the start of the line.
    pub character: u32,
}

impl Position {
    /// A position from its two numbers.
    pub fn new(line: u32, character: u32) -> Self {
        Self { line, character }
    }
}

impl Text {
    /// The byte that a position means, clamped as LSP says.
    pub fn offset_of(&self, position: Position, encoding: Encoding) -> ByteOffset {
        let line = LineIndex(position.line);
        let (Some(start), Some(slice)) = (self.line_start(line), self.rope().get_line(line.as_usize()))
        else {
            return self.end();
        };
        let content = content_len(&slice);
        let character = usize::try_from(position.character).unwrap_or(usize::MAX);
        let within = match encoding {
            // Rounding through the character index moves a byte inside a character to its start.
            Encoding::Utf8 => {
                let wanted = character.min(content);
                slice
                    .try_byte_to_char(wanted)
                    .and_then(|index| slice.try_char_to_byte(index))
                    .unwrap_or(content)
            }
            Encoding::Utf16 => {
                let wanted = character.min(slice.len_utf16_cu());
                slice
                    .try_utf16_cu_to_char(wanted)
                    .and_then(|index| slice.try_char_to_byte(index))
                    .unwrap_or(content)
            }
        };
        ByteOffset(start.0 + within.min(content))
    }

    /// The byte that a position means, or `None` if the text has no such position.
    pub fn try_offset_of(&self, position: Position, encoding: Encoding) -> Option<ByteOffset> {
        let offset = self.offset_of(position, encoding);
        (self.position_of(offset, encoding) == position).then_some(offset)
    }

    /// The position of a byte; a byte inside a character or a CRLF reports the start of it, one behind the end the end.
    pub fn position_of(&self, offset: ByteOffset, encoding: Encoding) -> Position {
        let rope = self.rope();
        let mut offset = offset.0.min(rope.len_bytes());
        if self.is_inside_crlf(ByteOffset(offset)) {
            offset -= 1;
        }
        let line = self.line_of(ByteOffset(offset));
        let start = self.line_start(line).unwrap_or_default().0;
        let Some(slice) = rope.get_line(line.as_usize()) else { return Position::new(line.0, 0) };
        let index = slice.try_byte_to_char(offset - start).unwrap_or(0);
        let character = match encoding {
            Encoding::Utf8 => slice.try_char_to_byte(index),
            Encoding::Utf16 => slice.try_char_to_utf16_cu(index),
        };
        Position::new(line.0, u32::try_from(character.unwrap_or(0)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, position: (u32, u32), encoding: Encoding, offset: usize) {
        let text = Text::from(text);
        let position = Position::new(position.0, position.1);
        assert_eq!(text.offset_of(position, encoding), ByteOffset(offset), "{text:?} {position:?}");
    }

    #[test]
    fn utf16_counts_astral_characters_twice() {
        check("a😀b\nc", (0, 3), Encoding::Utf16, 5);
        check("a😀b\nc", (1, 0), Encoding::Utf16, 7);
        check("a😀b\nc", (0, 5), Encoding::Utf8, 5);
    }

    #[test]
    fn inside_a_character_means_its_start() {
        check("a😀b", (0, 2), Encoding::Utf16, 1);
        check("a😀b", (0, 3), Encoding::Utf8, 1);
    }

    #[test]
    fn behind_the_line_means_before_its_line_end() {
        check("ab\r\nc", (0, 9), Encoding::Utf16, 2);
        check("ab\r\nc", (0, 3), Encoding::Utf8, 2);
        check("ab\rc", (0, 3), Encoding::Utf16, 2);
        check("ab\n", (1, 5), Encoding::Utf16, 3);
    }

    #[test]
    fn behind_the_last_line_means_the_end() {
        check("ab\ncd", (7, 0), Encoding::Utf16, 5);
        check("", (3, 4), Encoding::Utf8, 0);
    }

    #[test]
    fn strict_lookup_refuses_what_had_to_be_clamped() {
        let text = Text::from("a😀b\r\n");
        assert_eq!(text.try_offset_of(Position::new(0, 3), Encoding::Utf16), Some(ByteOffset(5)));
        assert_eq!(text.try_offset_of(Position::new(0, 2), Encoding::Utf16), None);
        assert_eq!(text.try_offset_of(Position::new(0, 9), Encoding::Utf16), None);
        assert_eq!(text.try_offset_of(Position::new(2, 0), Encoding::Utf16), None);
    }

    #[test]
    fn inside_a_crlf_reports_the_end_of_the_line() {
        let text = Text::from("ab\r\ncd");
        assert_eq!(text.position_of(ByteOffset(3), Encoding::Utf8), Position::new(0, 2));
        assert_eq!(text.position_of(ByteOffset(4), Encoding::Utf8), Position::new(1, 0));
        assert_eq!(text.position_of(ByteOffset(99), Encoding::Utf16), Position::new(1, 2));
    }
}
