//! The place that looks most like a text that was not found, so that a model can correct itself without reading again.
//!
//! Each line of the file is worth the words that it shares with the request, and more if it equals one of its lines up
//! to white space at its ends. The best run of as many lines as the request has wins, if it shares half of the words.

use std::collections::HashSet;

use super::line_contents;
use crate::lines::LineRange;

/// A part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Its lines as they are in the file, with LF between them; long parts are cut and then end in `…`.
    pub text: String,
    /// Where it is.
    pub lines: LineRange,
}

const LONGEST_LINES: usize = 60;
const LONGEST_BYTES: usize = 6000;

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}

pub(super) fn find(original: &str, wanted: &str) -> Option<Nearest> {
    let wanted_lines: Vec<&str> = wanted.lines().map(str::trim).collect();
    let wanted_words: HashSet<&str> = wanted_lines.iter().flat_map(|line| words(line)).collect();
    let whole_lines: HashSet<&str> = wanted_lines.iter().copied().filter(|line| !line.is_empty()).collect();
    let lines = line_contents(original);
    let worth: Vec<usize> = lines
        .iter()
        .map(|line| {
            let shared: HashSet<&str> = words(line).filter(|word| wanted_words.contains(word)).collect();
            let bonus = if whole_lines.contains(line.trim()) { shared.len() + 1 } else { 0 };
            shared.len() + bonus
        })
        .collect();

    let height = wanted_lines.len().clamp(1, lines.len().max(1));
    let mut sum: usize = worth.iter().take(height).sum();
    let mut best = (sum, 0);
    for (start, (leaving, entering)) in worth.iter().zip(worth.iter().skip(height)).enumerate() {
        sum = sum + entering - leaving;
        if sum > best.0 {
            best = (sum, start + 1);
        }
    }
    let (score, start) = best;
    if score == 0 || score * 2 < wanted_words.len() {
        return None;
    }
    let found = lines.get(start..start + height)?;
    let mut text = found.iter().take(LONGEST_LINES).copied().collect::<Vec<_>>().join("\n");
    let cut = text.len() > LONGEST_BYTES;
    text.truncate(text.floor_char_boundary(LONGEST_BYTES));
    if cut || found.len() > LONGEST_LINES {
        text.push('…');
    }
    Some(Nearest { text, lines: LineRange::from_counts(start, start + height) })
}
