//! Finding the text that a model wants to replace.
//!
//! Every request is looked up in the original text. First exactly, in a view where every line end is LF, so that a
//! request finds its text whatever line ends the file has. Only if that finds nothing, loosely: without white space at
//! the ends of lines, with straight quotes, hyphens and plain spaces. A match must be the only one. What is replaced
//! and reported is the text that was really there, and lines that a request repeats unchanged keep their bytes.

mod nearest;
mod view;

use std::ops::Range;

use thiserror::Error;

use crate::diff::{Block, minimal_edits};
use crate::edit::{EditError, EditSet};
use crate::line_end::{LineEnd, LineEnds, graft, to_lf};
use crate::lines::{LineRange, LineTable, split_line_end};
use crate::text::{ByteOffset, LineIndex, Text};
use view::View;

pub use nearest::Nearest;

/// One replacement that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The text to find.
    pub old: String,
    /// The text to put there.
    pub new: String,
}

/// Where all requests were found, and what they make of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The edits of the original, as small as possible.
    pub edits: EditSet,
    /// One block for each request, in the order of the requests.
    pub blocks: Vec<Block>,
    /// The text with all edits applied.
    pub new_text: Text,
}

/// Why requests could not be carried out. Nothing is changed then. `index` counts requests from zero.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MatchError {
    /// There is nothing to find.
    #[error("edits[{index}].old_text is empty")]
    Empty {
        /// The request.
        index: usize,
    },
    /// The text does not occur.
    #[error(
        "edits[{index}]: could not find old_text in file. The text must match exactly (including whitespace)"
    )]
    NotFound {
        /// The request.
        index: usize,
        /// The place in the file that looks most like it.
        nearest: Option<Nearest>,
    },
    /// The text occurs more than once.
    #[error(
        "found {count} matches for edits[{index}].old_text at lines {}; each old_text must be unique, add context",
        line_numbers(lines)
    )]
    Ambiguous {
        /// The request.
        index: usize,
        /// How often it occurs.
        count: usize,
        /// Where the first matches begin.
        lines: Vec<LineIndex>,
    },
    /// Two requests want to replace the same characters.
    #[error("edits[{a}] and edits[{b}] overlap; merge them into a single edit")]
    Overlap {
        /// One request.
        a: usize,
        /// The other.
        b: usize,
    },
    /// Both texts are the same.
    #[error("edits[{index}].old_text and edits[{index}].new_text are identical")]
    Identical {
        /// The request.
        index: usize,
    },
}

/// How many places an ambiguous match names.
const NAMED_PLACES: usize = 10;

fn line_numbers(lines: &[LineIndex]) -> String {
    lines.iter().map(|line| (line.as_usize() + 1).to_string()).collect::<Vec<_>>().join(", ")
}

/// A request's place in the original.
struct Region {
    request: usize,
    range: Range<usize>,
    replacement: String,
    fuzzy: bool,
}

/// Finds all requests in `text` and computes the edits that carry them out.
pub fn locate(text: &Text, requests: &[Replacement]) -> Result<Located, MatchError> {
    let original = text.to_string();
    let exact = View::with_lf(&original);
    let mut loose = None;
    let dominant = LineEnds::of(text).dominant().unwrap_or_default();

    let mut regions = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let old = to_lf(&request.old);
        let new = to_lf(&request.new);
        if old.is_empty() {
            return Err(MatchError::Empty { index });
        }
        if old == new {
            return Err(MatchError::Identical { index });
        }
        let starts = exact.occurrences(&old);
        let (range, fuzzy) = match starts.as_slice() {
            [start] => (exact.real(*start)..exact.real(start + old.len()), false),
            [] => {
                let loose = loose.get_or_insert_with(|| View::loose(&original));
                match loose_match(loose, &old) {
                    Some(range) => (range, true),
                    None => {
                        return Err(MatchError::NotFound { index, nearest: nearest::find(&original, &old) });
                    }
                }
            }
            [_, _, ..] => {
                let lines = starts
                    .iter()
                    .take(NAMED_PLACES)
                    .map(|start| text.line_of(ByteOffset(exact.real(*start))))
                    .collect();
                return Err(MatchError::Ambiguous { index, count: starts.len(), lines });
            }
        };
        let real = original.get(range.clone()).unwrap_or_default();
        let replacement = graft(real, &old, &new, line_end_near(&original, &range).unwrap_or(dominant));
        regions.push(Region { request: index, range, replacement, fuzzy });
    }
    regions.sort_by_key(|region| region.range.start);
    for pair in regions.windows(2) {
        if let [first, second] = pair
            && second.range.start < first.range.end
        {
            let (a, b) = (first.request.min(second.request), first.request.max(second.request));
            return Err(MatchError::Overlap { a, b });
        }
    }
    Ok(carry_out(text, &original, &regions))
}

/// The line end for text added to a region that has none itself: that of its last line, else of the line before.
fn line_end_near(original: &str, region: &Range<usize>) -> Option<LineEnd> {
    let behind = original.get(region.end..).unwrap_or_default();
    let before = original.get(..region.start).unwrap_or_default();
    let line_end = |text: &str| match text.as_bytes() {
        [b'\r', b'\n', ..] => LineEnd::CrLf,
        [b'\r', ..] => LineEnd::Cr,
        [..] => LineEnd::Lf,
    };
    if let Some(at) = behind.find(['\n', '\r']) {
        return behind.get(at..).map(line_end);
    }
    let table_start = before.trim_end_matches(['\n', '\r']).len();
    let last_break = before.get(table_start..).filter(|ends| !ends.is_empty());
    match last_break {
        Some(ends) => Some(line_end(ends)),
        None => before.rfind(['\n', '\r']).map(|at| {
            let crlf = before.get(..at).is_some_and(|head| head.ends_with('\r'));
            if crlf { LineEnd::CrLf } else { line_end(before.get(at..).unwrap_or_default()) }
        }),
    }
}

/// The only place where `old` matches loosely.
fn loose_match(view: &View, old: &str) -> Option<Range<usize>> {
    let needle = View::loose(old);
    if needle.text.trim().is_empty() {
        return None;
    }
    // White space that was cut from the end of the request belongs to the end of a line, so the match must end there.
    let last_line = old.rsplit('\n').next().unwrap_or_default();
    let must_end_line = last_line.trim_end().len() < last_line.len();
    let mut starts = view.occurrences(&needle.text);
    if must_end_line {
        starts.retain(|start| {
            let rest = view.text.get(start + needle.text.len()..).unwrap_or_default();
            rest.is_empty() || rest.starts_with('\n')
        });
    }
    match starts.as_slice() {
        [start] => Some(view.real(*start)..view.real(start + needle.text.len())),
        [] | [_, _, ..] => None,
    }
}

fn carry_out(text: &Text, original: &str, regions: &[Region]) -> Located {
    let mut edits = Vec::new();
    for region in regions {
        let real = original.get(region.range.clone()).unwrap_or_default();
        edits.extend(minimal_edits(real, &region.replacement, ByteOffset(region.range.start)));
    }
    // Regions are sorted, disjoint and on character boundaries, so this set is always accepted.
    let edits = EditSet::new(text, edits).unwrap_or_else(|error: EditError| {
        debug_assert!(false, "regions make a valid edit set: {error}");
        EditSet::empty(text)
    });
    let new_text = edits.result();

    let mut blocks: Vec<(usize, Block)> = Vec::with_capacity(regions.len());
    let mut moved_from = 0;
    let mut moved_to = 0;
    for region in regions {
        let start = moved_to + (region.range.start - moved_from);
        let end = start + region.replacement.len();
        (moved_from, moved_to) = (region.range.end, end);
        let block = Block {
            old_text: original.get(region.range.clone()).unwrap_or_default().to_owned(),
            new_text: region.replacement.clone(),
            old_range: lines_touched(text, ByteOffset(region.range.start)..ByteOffset(region.range.end)),
            new_range: lines_touched(&new_text, ByteOffset(start)..ByteOffset(end)),
            fuzzy: region.fuzzy,
        };
        blocks.push((region.request, block));
    }
    blocks.sort_by_key(|(request, _)| *request);
    Located { edits, blocks: blocks.into_iter().map(|(_, block)| block).collect(), new_text }
}

/// The lines that a range has characters in; between two lines, the place between them.
fn lines_touched(text: &Text, range: Range<ByteOffset>) -> LineRange {
    let start = text.line_of(range.start);
    let end = if range.is_empty() {
        let at_line_start = text.line_start(start) == Some(range.start);
        if at_line_start { start } else { LineIndex(start.0 + 1) }
    } else {
        LineIndex(text.line_of(ByteOffset(range.end.0 - 1)).0 + 1)
    };
    LineRange { start, end }
}

/// The content of each line, without line ends.
pub(super) fn line_contents(text: &str) -> Vec<&str> {
    LineTable::new(text).lines().map(|line| split_line_end(line).0).collect()
}

#[cfg(test)]
mod tests;
