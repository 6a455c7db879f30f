//! The documents of the fake editor: text, version and what is on disk, with real position arithmetic.
//!
//! Positions are converted in the negotiated encoding, over the three line ends of LSP, and edits of one request are
//! applied as the specification says: all ranges refer to the text before the first of them, and may not overlap.
//! Nothing here is lenient: a range outside the text is an error, because a real editor would clamp it and hide it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Value, json};

/// How the `character` of a position counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16, the default of LSP.
    Utf16,
}

impl Encoding {
    /// The name that the handshake uses.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16 => "utf-16",
        }
    }

    fn width(self, character: char) -> usize {
        match self {
            Encoding::Utf8 => character.len_utf8(),
            Encoding::Utf16 => character.len_utf16(),
        }
    }
}

/// One open document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it lies on disk.
    pub path: PathBuf,
    /// The text in the editor.
    pub text: String,
    /// The version that was last announced.
    pub version: i64,
    /// Whether the text differs from what was last read or saved.
    pub dirty: bool,
}

/// All open documents by URI.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) encoding: Encoding,
    pub(crate) open: BTreeMap<String, Document>,
}

impl Documents {
    pub(crate) fn new() -> Self {
        Documents { encoding: Encoding::Utf16, open: BTreeMap::new() }
    }

    /// Replaces a byte range as the user does when typing, and returns the `didChange` parameters.
    pub(crate) fn replace(&mut self, uri: &str, range: Range<usize>, text: &str) -> Result<Value, String> {
        let encoding = self.encoding;
        let document = self.open.get_mut(uri).ok_or_else(|| format!("{uri} is not open"))?;
        let start = position(&document.text, range.start, encoding);
        let end = position(&document.text, range.end, encoding);
        document.text.replace_range(range, text);
        document.version += 1;
        document.dirty = true;
        Ok(json!({
            "textDocument": { "uri": uri, "version": document.version },
            "contentChanges": [{ "range": { "start": start, "end": end }, "text": text }],
        }))
    }

    /// Applies the `TextEdit`s of one request and returns the `didChange` parameters, or `None` without edits.
    pub(crate) fn apply(&mut self, uri: &str, edits: &[Value]) -> Result<Option<Value>, String> {
        let encoding = self.encoding;
        let document = self.open.get_mut(uri).ok_or_else(|| format!("{uri} is not open"))?;
        let mut ranges = Vec::with_capacity(edits.len());
        for edit in edits {
            let start = offset(&document.text, &edit["range"]["start"], encoding)?;
            let end = offset(&document.text, &edit["range"]["end"], encoding)?;
            let new = edit["newText"].as_str().ok_or_else(|| format!("an edit without newText: {edit}"))?;
            if start > end {
                return Err(format!("a range that ends before it starts: {edit}"));
            }
            ranges.push((start..end, new.to_owned(), edit["range"].clone()));
        }
        ranges.sort_by_key(|(range, ..)| (range.start, range.end));
        for pair in ranges.windows(2) {
            if pair[0].0.end > pair[1].0.start {
                return Err(format!("overlapping edits: {} and {}", pair[0].2, pair[1].2));
            }
        }
        if ranges.is_empty() {
            return Ok(None);
        }
        let mut changes = Vec::with_capacity(ranges.len());
        for (range, new, wire) in ranges.into_iter().rev() {
            document.text.replace_range(range, &new);
            changes.push(json!({ "range": wire, "text": new }));
        }
        document.version += 1;
        document.dirty = true;
        Ok(Some(json!({
            "textDocument": { "uri": uri, "version": document.version },
            "contentChanges": changes,
        })))
    }
}

/// The LSP position of a byte offset.
pub fn position(text: &str, offset: usize, encoding: Encoding) -> Value {
    let starts = line_starts(text);
    let line = starts.partition_point(|start| *start <= offset).saturating_sub(1);
    let character: usize = text[starts[line]..offset].chars().map(|c| encoding.width(c)).sum();
    json!({ "line": line, "character": character })
}

/// The byte offset of an LSP position; a position that is not in the text is an error.
pub fn offset(text: &str, position: &Value, encoding: Encoding) -> Result<usize, String> {
    let field =
        |name: &str| position[name].as_u64().ok_or_else(|| format!("a position without {name}: {position}"));
    let (line, wanted) = (field("line")? as usize, field("character")? as usize);
    let starts = line_starts(text);
    let Some(&start) = starts.get(line) else {
        return Err(format!("line {line} is outside of a text of {} lines", starts.len()));
    };
    let end = starts.get(line + 1).copied().unwrap_or(text.len());
    let content = text[start..end].trim_end_matches(['\r', '\n']);
    let mut column = 0;
    for (index, character) in content.char_indices() {
        if column == wanted {
            return Ok(start + index);
        }
        column += encoding.width(character);
        if column > wanted {
            return Err(format!("{position} lies inside the character {character:?}"));
        }
    }
    if column == wanted {
        Ok(start + content.len())
    } else {
        Err(format!("{position} is behind the end of its line"))
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (index, byte) in bytes.iter().enumerate() {
        let ends_line = *byte == b'\n' || (*byte == b'\r' && bytes.get(index + 1) != Some(&b'\n'));
        if ends_line {
            starts.push(index + 1);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_offsets_are_inverse_over_all_line_ends_and_planes() {
        let text = "a\r\né\n😀b\rlast";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for (index, character) in text.char_indices() {
                if character == '\n' && text[..index].ends_with('\r') {
                    continue;
                }
                assert_eq!(
                    offset(text, &position(text, index, encoding), encoding),
                    Ok(index),
                    "{encoding:?}"
                );
            }
        }
    }

    #[test]
    fn a_position_inside_a_surrogate_pair_is_an_error() {
        let inside = json!({ "line": 0, "character": 1 });
        assert_eq!(
            offset("😀", &inside, Encoding::Utf16),
            Err(r#"{"line":0,"character":1} lies inside the character '😀'"#.to_owned())
        );
    }

    #[test]
    fn edits_of_one_request_refer_to_the_text_before_the_first() {
        let mut documents = Documents::new();
        let document = Document { path: "/a".into(), text: "one two\n".into(), version: 1, dirty: false };
        documents.open.insert("file:///a".into(), document);
        let edit = |start: u32, end: u32, text: &str| json!({ "range": { "start": { "line": 0, "character": start }, "end": { "line": 0, "character": end } }, "newText": text });
        let change = documents.apply("file:///a", &[edit(0, 3, "1"), edit(4, 7, "2")]).unwrap().unwrap();
        assert_eq!(documents.open["file:///a"].text, "1 2\n");
        assert_eq!(change["textDocument"]["version"], 2);
        let overlap = documents.apply("file:///a", &[edit(0, 2, "x"), edit(1, 3, "y")]);
        assert!(overlap.is_err_and(|why| why.starts_with("overlapping edits")));
    }
}
