//! Edit sets: sorted, disjoint replacements that know the text they were computed on.
//!
//! The constructor is the only way in. It sorts, rejects overlaps and ranges outside the text, joins edits that touch,
//! and widens an edit that begins or ends inside a CRLF to the whole of it, because no LSP position can express the
//! place between. An edit set therefore applies without fail to its base, and to nothing else.

use std::ops::Range;

use thiserror::Error;

use crate::text::{ByteOffset, ContentHash, Text};

/// Replaces a range of bytes by a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is removed, in offsets of the base.
    pub range: Range<ByteOffset>,
    /// What is put there.
    pub text: String,
}

impl Edit {
    /// An edit from its two parts.
    pub fn new(range: Range<ByteOffset>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }

    fn is_nothing(&self) -> bool {
        self.range.is_empty() && self.text.is_empty()
    }
}

/// Why edits do not fit a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// A range is reversed or ends behind the text.
    #[error("edit range {}..{} is not inside the text of {len} bytes", start.0, end.0)]
    OutOfBounds {
        /// Start of the range.
        start: ByteOffset,
        /// End of the range.
        end: ByteOffset,
        /// Bytes in the text.
        len: usize,
    },
    /// A range begins or ends inside a character.
    #[error("edit offset {} is inside a character", offset.0)]
    NotACharBoundary {
        /// The offset.
        offset: ByteOffset,
    },
    /// Two edits replace the same bytes.
    #[error("two edits overlap at byte {}", at.0)]
    Overlap {
        /// Start of the later one.
        at: ByteOffset,
    },
    /// The edits were computed on another text.
    #[error("the text is not the one that the edits were computed on")]
    OtherBase,
}

/// On which side of an insertion an offset stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// In front of text inserted at the offset, and at the start of a replacement around it.
    Before,
    /// Behind text inserted at the offset, and at the end of a replacement around it.
    After,
}

/// Edits of one text that are applied together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditSet {
    base: Text,
    edits: Vec<Edit>,
}

impl EditSet {
    /// Edits of `base`, in any order; ranges mean the base, not what earlier edits made of it.
    pub fn new(base: &Text, mut edits: Vec<Edit>) -> Result<Self, EditError> {
        for edit in &edits {
            let Range { start, end } = edit.range;
            if start > end || end.0 > base.len_bytes() {
                return Err(EditError::OutOfBounds { start, end, len: base.len_bytes() });
            }
            if let Some(offset) = [start, end].into_iter().find(|offset| !base.is_char_boundary(*offset)) {
                return Err(EditError::NotACharBoundary { offset });
            }
        }
        // The sort is stable: insertions at the same place keep the order they came in.
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        for pair in edits.windows(2) {
            if let [first, second] = pair
                && second.range.start < first.range.end
            {
                return Err(EditError::Overlap { at: second.range.start });
            }
        }
        let mut joined = join_touching(edits);
        for edit in &mut joined {
            widen_over_crlf(base, edit);
        }
        Ok(Self { base: base.clone(), edits: join_touching(joined) })
    }

    /// No edits of `base`.
    pub fn empty(base: &Text) -> Self {
        Self { base: base.clone(), edits: Vec::new() }
    }

    /// Edits that are known to be sorted, disjoint, untouching and on CRLF-safe character boundaries of `base`.
    pub(crate) fn trusted(base: &Text, edits: Vec<Edit>) -> Self {
        debug_assert_eq!(Self::new(base, edits.clone()).map(|set| set.edits), Ok(edits.clone()));
        Self { base: base.clone(), edits }
    }

    /// The text that the edits belong to.
    pub fn base(&self) -> &Text {
        &self.base
    }

    /// Length of the base in bytes.
    pub fn base_len(&self) -> usize {
        self.base.len_bytes()
    }

    /// Fingerprint of the base, in linear time.
    pub fn base_hash(&self) -> ContentHash {
        self.base.hash()
    }

    /// The edits in the order of the text; no two of them touch.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// The edits in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Edit> {
        self.edits.iter()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The base with the edits applied.
    pub fn result(&self) -> Text {
        let mut text = self.base.clone();
        for edit in self.edits.iter().rev() {
            // Holds by construction; a violation would leave that one region as it was.
            let outcome = text.replace(edit.range.clone(), &edit.text);
            debug_assert_eq!(outcome, Ok(()));
        }
        text
    }

    /// The edits of the result that give the base back.
    pub fn inverse(&self) -> Self {
        let mut shift = Shift::default();
        let edits = self
            .edits
            .iter()
            .map(|edit| {
                let start = shift.of(edit.range.start);
                shift.add(edit);
                let removed = self.base.slice(edit.range.clone()).unwrap_or_default();
                Edit::new(start..ByteOffset(start.0 + edit.text.len()), removed)
            })
            .collect();
        let result = self.result();
        Self::new(&result, edits).unwrap_or_else(|_| Self::between(&result, &self.base))
    }

    /// Where an offset of the base lies in the result.
    pub fn map_offset(&self, offset: ByteOffset, bias: Bias) -> ByteOffset {
        let mut shift = Shift::default();
        for edit in &self.edits {
            let Range { start, end } = edit.range;
            let passed = match bias {
                Bias::Before => end <= offset && start != offset,
                Bias::After => end <= offset,
            };
            if passed {
                shift.add(edit);
            } else if start < offset || (start == offset && end == offset && bias == Bias::After) {
                let at = shift.of(start);
                return match bias {
                    Bias::Before => at,
                    Bias::After => ByteOffset(at.0 + edit.text.len()),
                };
            } else {
                break;
            }
        }
        shift.of(offset)
    }
}

impl<'a> IntoIterator for &'a EditSet {
    type Item = &'a Edit;
    type IntoIter = std::slice::Iter<'a, Edit>;

    fn into_iter(self) -> Self::IntoIter {
        self.edits.iter()
    }
}

impl Text {
    /// Applies edits that were computed on exactly this text.
    pub fn apply(&self, edits: &EditSet) -> Result<Text, EditError> {
        if *self == edits.base { Ok(edits.result()) } else { Err(EditError::OtherBase) }
    }
}

/// How far the edits so far have moved what follows them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shift {
    inserted: usize,
    removed: usize,
}

impl Shift {
    pub(crate) fn add(&mut self, edit: &Edit) {
        self.inserted += edit.text.len();
        self.removed += edit.range.end.0 - edit.range.start.0;
    }

    pub(crate) fn of(self, offset: ByteOffset) -> ByteOffset {
        ByteOffset((offset.0 + self.inserted).saturating_sub(self.removed))
    }
}

fn join_touching(edits: Vec<Edit>) -> Vec<Edit> {
    let mut joined: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        if edit.is_nothing() {
            continue;
        }
        match joined.last_mut() {
            Some(last) if last.range.end == edit.range.start => {
                last.range.end = edit.range.end;
                last.text.push_str(&edit.text);
            }
            Some(_) | None => joined.push(edit),
        }
    }
    joined
}

fn widen_over_crlf(base: &Text, edit: &mut Edit) {
    if base.is_inside_crlf(edit.range.end) {
        edit.range.end.0 += 1;
        edit.text.push('\n');
    }
    if base.is_inside_crlf(edit.range.start) {
        edit.range.start.0 -= 1;
        edit.text.insert(0, '\r');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, end: usize, text: &str) -> Edit {
        Edit::new(ByteOffset(start)..ByteOffset(end), text)
    }

    #[test]
    fn edits_mean_the_base_and_come_in_any_order() {
        let base = Text::from("one two three");
        let set = EditSet::new(&base, vec![edit(8, 13, "3"), edit(0, 3, "1")]).unwrap();
        assert_eq!(base.apply(&set).unwrap(), "1 two 3");
    }

    #[test]
    fn overlap_is_an_error_and_touching_edits_are_joined() {
        let base = Text::from("abcdef");
        let overlapping = EditSet::new(&base, vec![edit(0, 3, "x"), edit(2, 4, "y")]);
        assert_eq!(overlapping, Err(EditError::Overlap { at: ByteOffset(2) }));
        let joined = EditSet::new(&base, vec![edit(0, 2, "x"), edit(2, 4, "y"), edit(4, 4, "z")]).unwrap();
        assert_eq!(joined.edits(), [edit(0, 4, "xyz")]);
    }

    #[test]
    fn an_edit_inside_a_crlf_covers_all_of_it() {
        let base = Text::from("a\r\nb");
        let set = EditSet::new(&base, vec![edit(2, 3, "")]).unwrap();
        assert_eq!(set.edits(), [edit(1, 3, "\r")]);
        assert_eq!(set.result(), "a\rb");
        let both = EditSet::new(&base, vec![edit(0, 2, "x"), edit(2, 2, "y")]).unwrap();
        assert_eq!(both.edits(), [edit(0, 3, "xy\n")]);
    }

    #[test]
    fn another_text_is_refused() {
        let set = EditSet::new(&Text::from("abc"), vec![edit(0, 1, "x")]).unwrap();
        assert_eq!(Text::from("abd").apply(&set), Err(EditError::OtherBase));
    }

    #[test]
    fn offsets_follow_the_edits() {
        let base = Text::from("abcdef");
        let set = EditSet::new(&base, vec![edit(1, 1, "XX"), edit(3, 5, "Y")]).unwrap();
        let map = |offset, bias| set.map_offset(ByteOffset(offset), bias).0;
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|offset| map(offset, Bias::Before)), [0, 1, 4, 5, 5, 6, 7]);
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|offset| map(offset, Bias::After)), [0, 3, 4, 5, 6, 6, 7]);
    }

    #[test]
    fn inverse_gives_the_base_back() {
        let base = Text::from("a\r\nbcd\n");
        let set = EditSet::new(&base, vec![edit(1, 3, ""), edit(4, 6, "long\r\n")]).unwrap();
        assert_eq!(set.result().apply(&set.inverse()).unwrap(), base);
    }
}
