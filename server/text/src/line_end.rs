//! Line ends and the byte order mark: what a file uses, and how new text takes it over.
//!
//! Models write LF. A file keeps what it has: lines that were not changed keep their bytes, a changed line keeps its
//! own line end, and an added line takes that of the line in front of it.

use thiserror::Error;

use crate::diff::sequence_hunks;
use crate::lines::{LineTable, split_line_end};
use crate::text::{LineIndex, Text};

/// How a line ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// `\n`.
    #[default]
    Lf,
    /// `\r\n`.
    CrLf,
    /// `\r`.
    Cr,
}

impl LineEnd {
    /// Its bytes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }

    fn of(line: &str) -> Option<Self> {
        match split_line_end(line).1 {
            "\n" => Some(Self::Lf),
            "\r\n" => Some(Self::CrLf),
            "\r" => Some(Self::Cr),
            _ => None,
        }
    }
}

/// How often each line end occurs in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineEnds {
    /// Lines that end in `\n`.
    pub lf: usize,
    /// Lines that end in `\r\n`.
    pub crlf: usize,
    /// Lines that end in `\r`.
    pub cr: usize,
}

impl LineEnds {
    /// Counts the line ends of a text.
    pub fn of(text: &Text) -> Self {
        let mut ends = Self::default();
        let mut previous = 0;
        for byte in text.rope().bytes() {
            match (previous, byte) {
                (b'\r', b'\n') => {
                    ends.cr -= 1;
                    ends.crlf += 1;
                }
                (_, b'\n') => ends.lf += 1,
                (_, b'\r') => ends.cr += 1,
                (_, _) => {}
            }
            previous = byte;
        }
        ends
    }

    /// The most frequent line end, LF and CRLF winning ties in this order; `None` for a text of one line.
    pub fn dominant(self) -> Option<LineEnd> {
        let most = self.lf.max(self.crlf).max(self.cr);
        match most {
            0 => None,
            _ if most == self.lf => Some(LineEnd::Lf),
            _ if most == self.crlf => Some(LineEnd::CrLf),
            _ => Some(LineEnd::Cr),
        }
    }

    /// Whether more than one kind occurs.
    pub fn is_mixed(self) -> bool {
        [self.lf, self.crlf, self.cr].into_iter().filter(|count| *count > 0).count() > 1
    }
}

/// The line end of one line; `None` for the last line, which has none.
pub fn line_end_at(text: &Text, line: LineIndex) -> Option<LineEnd> {
    LineEnd::of(&text.line(line)?)
}

/// The line end of each line as editors count lines; the last is `None`.
pub fn line_ends(text: &Text) -> Vec<Option<LineEnd>> {
    let text = text.to_string();
    let mut ends: Vec<_> = LineTable::new(&text).lines().map(LineEnd::of).collect();
    if !matches!(ends.last(), Some(None)) {
        ends.push(None);
    }
    ends
}

/// The text that a whole-file write of `new` stands for when the file held `original`: `new` with the line ends of
/// `original`, byte-identical wherever the content of a line is the same.
pub fn adopt(original: &Text, new: &str) -> Text {
    let real = original.to_string();
    let following = LineEnds::of(original).dominant();
    match following {
        None if real.is_empty() => Text::from(new),
        None | Some(_) => Text::from(graft(&real, &to_lf(&real), &to_lf(new), following.unwrap_or_default())),
    }
}

/// `text` with LF for every line end.
pub(crate) fn to_lf(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Carries a change from `old` to `new`, both with LF, over to `real`, which has the lines of `old` but may differ from
/// it in line ends and in what loose matching ignores. Lines of `new` that stand in `old` keep the bytes of `real`;
/// `following` is the line end to use where `real` has none.
pub(crate) fn graft(real: &str, old: &str, new: &str, following: LineEnd) -> String {
    let mut real_lines: Vec<(&str, Option<&str>)> = LineTable::new(real)
        .lines()
        .map(split_line_end)
        .map(|(content, end)| (content, Some(end).filter(|end| !end.is_empty())))
        .collect();
    if real_lines.last().is_none_or(|(_, end)| end.is_some()) {
        real_lines.push(("", None));
    }
    let old_lines: Vec<&str> = old.split('\n').collect();
    let new_lines: Vec<&str> = new.split('\n').collect();
    debug_assert_eq!(real_lines.len(), old_lines.len());

    let mut lines: Vec<(&str, Option<&str>)> = Vec::with_capacity(new_lines.len());
    let mut kept = 0;
    for (before, after) in sequence_hunks(&old_lines, &new_lines) {
        lines.extend_from_slice(real_lines.get(kept..before.start).unwrap_or_default());
        kept = before.end;
        for (content, replaced) in new_lines.get(after).unwrap_or_default().iter().zip(before.start..) {
            let end = real_lines.get(replaced).filter(|_| replaced < before.end).and_then(|(_, end)| *end);
            lines.push((*content, end));
        }
    }
    lines.extend_from_slice(real_lines.get(kept..).unwrap_or_default());

    let first_end = real_lines.first().and_then(|(_, end)| *end);
    let mut neighbor = first_end.unwrap_or(following.as_str());
    let last = lines.len().saturating_sub(1);
    let mut result = String::with_capacity(real.len() + new.len());
    for (index, (content, end)) in lines.into_iter().enumerate() {
        result.push_str(content);
        if index < last {
            neighbor = end.unwrap_or(neighbor);
            result.push_str(neighbor);
        }
    }
    result
}

/// The bytes of a file as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The text without its byte order mark.
    pub text: Text,
    /// Whether the file began with a byte order mark.
    pub bom: bool,
}

/// The bytes are not UTF-8, so they cannot be edited without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not UTF-8: the byte at offset {offset} begins no character")]
pub struct NotUtf8 {
    /// The first byte that is not part of a character.
    pub offset: usize,
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads the bytes of a file; `encode` of the result gives the same bytes.
pub fn decode(bytes: &[u8]) -> Result<Decoded, NotUtf8> {
    let text = str::from_utf8(bytes).map_err(|error| NotUtf8 { offset: error.valid_up_to() })?;
    Ok(match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => Decoded { text: Text::from(rest), bom: true },
        None => Decoded { text: Text::from(text), bom: false },
    })
}

impl Decoded {
    /// The bytes to write.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.text.len_bytes() + BYTE_ORDER_MARK.len());
        if self.bom {
            bytes.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        for chunk in self.text.chunks() {
            bytes.extend_from_slice(chunk.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_dominant_line_end() {
        let check = |text: &str, dominant, mixed| {
            let ends = LineEnds::of(&Text::from(text));
            assert_eq!((ends.dominant(), ends.is_mixed()), (dominant, mixed), "{text:?}");
        };
        check("", None, false);
        check("a\nb\n", Some(LineEnd::Lf), false);
        check("a\r\nb\r\n\n", Some(LineEnd::CrLf), true);
        check("a\rb\r\r\n", Some(LineEnd::Cr), true);
        check("a\r\nb\n", Some(LineEnd::Lf), true);
    }

    #[test]
    fn each_line_has_its_end() {
        use LineEnd::{Cr, CrLf, Lf};
        let text = Text::from("a\nb\r\nc\rd");
        assert_eq!(line_ends(&text), [Some(Lf), Some(CrLf), Some(Cr), None]);
        assert_eq!(line_ends(&Text::from("a\r\n")), [Some(CrLf), None]);
        assert_eq!(line_ends(&Text::from("")), [None]);
        assert_eq!(line_end_at(&text, LineIndex(1)), Some(CrLf));
        assert_eq!(line_end_at(&text, LineIndex(3)), None);
    }

    fn check_adopt(original: &str, new: &str, expected: &str) {
        assert_eq!(adopt(&Text::from(original), new), expected);
    }

    #[test]
    fn a_write_keeps_the_line_ends_of_the_file() {
        check_adopt("a\r\nb\r\n", "a\nB\nc\n", "a\r\nB\r\nc\r\n");
        check_adopt("a\r\nb\nc\r\n", "a\nb\nx\nc\n", "a\r\nb\nx\nc\r\n");
        check_adopt("a\nb\r\n", "A\nB\n", "A\nB\r\n");
        check_adopt("a\r\nb", "x\na\nb\n", "x\r\na\r\nb\r\n");
        check_adopt("a\r\nb\r\n", "a\r\nb", "a\r\nb");
        check_adopt("one line", "two\nlines\n", "two\nlines\n");
        check_adopt("", "a\r\nb\n", "a\r\nb\n");
        check_adopt("a\rb\r", "a\nc\n", "a\rc\r");
    }

    #[test]
    fn decode_and_encode_are_inverse() {
        for bytes in [&b"\xef\xbb\xbfa\r\n"[..], b"a\nb", b"", b"\xef\xbb\xbf", b"\0"] {
            assert_eq!(decode(bytes).unwrap().encode(), bytes);
        }
        let decoded = decode(b"\xef\xbb\xbfa").unwrap();
        assert_eq!(decoded, Decoded { text: Text::from("a"), bom: true });
    }

    #[test]
    fn other_encodings_are_refused_with_the_place() {
        assert_eq!(decode(b"caf\xe9\n"), Err(NotUtf8 { offset: 3 }));
        assert_eq!(decode(b"\xff\xfea\0"), Err(NotUtf8 { offset: 0 }));
    }
}
