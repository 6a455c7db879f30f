//! Parts of a template that are for some models only: `<if-model is="claude-*">…<else>…</if-model>`.
//!
//! A pattern is matched against `provider/name` and against the name alone, without case; `*` stands for anything, `?`
//! for one letter, and several patterns are parted by commas. Blocks may lie in each other. Tags inside of code and
//! tags without their partner are text.

use std::ops::Range;

use crate::markdown_code::{code_ranges, is_in};

const OPENING: &str = "<if-model is=\"";
const ELSE: &str = "<else>";
const CLOSING: &str = "</if-model>";

/// The text for a model.
pub(crate) fn for_model(text: &str, model: &str) -> String {
    let code = code_ranges(text);
    let tags = tags(text, &code);
    let mut result = String::with_capacity(text.len());
    part(text, 0..text.len(), &tags, model, &mut result);
    result
}

/// Whether a model is meant by a list of patterns.
pub(crate) fn is_meant(patterns: &str, model: &str) -> bool {
    let model = model.to_lowercase();
    let name = model.split_once('/').map_or(model.as_str(), |(_, name)| name);
    patterns.split(',').map(|pattern| pattern.trim().to_lowercase()).any(|pattern| {
        !pattern.is_empty()
            && (fits(pattern.as_bytes(), model.as_bytes()) || fits(pattern.as_bytes(), name.as_bytes()))
    })
}

/// Whether a text fits a pattern with `*` and `?`.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(letter) if *letter == b'?' || text.get(seen) == Some(letter) => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => match star {
                // The star takes one letter more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == b'*')
}

#[derive(Clone, Debug)]
enum Tag {
    Open(String),
    Else,
    Close,
}

/// The tags outside of code, with their places.
fn tags(text: &str, code: &[Range<usize>]) -> Vec<(Range<usize>, Tag)> {
    let mut tags = Vec::new();
    for (start, _) in text.match_indices('<').filter(|(start, _)| !is_in(code, *start)) {
        let rest = text.get(start..).unwrap_or_default();
        if let Some(opened) = rest.strip_prefix(OPENING)
            && let Some((patterns, _)) = opened.split_once("\">")
            && !patterns.contains(['"', '\n'])
        {
            tags.push((start..start + OPENING.len() + patterns.len() + 2, Tag::Open(patterns.to_owned())));
        } else if rest.starts_with(ELSE) {
            tags.push((start..start + ELSE.len(), Tag::Else));
        } else if rest.starts_with(CLOSING) {
            tags.push((start..start + CLOSING.len(), Tag::Close));
        }
    }
    tags
}

/// Writes a part of the text, with its blocks decided.
fn part(text: &str, range: Range<usize>, tags: &[(Range<usize>, Tag)], model: &str, result: &mut String) {
    let mut at = range.start;
    let within = |tag: &&(Range<usize>, Tag)| tag.0.start >= range.start && tag.0.end <= range.end;
    let mut index = tags.iter().position(|tag| within(&tag)).unwrap_or(tags.len());
    while let Some((opened, Tag::Open(patterns))) = next_open(tags, &mut index, range.end) {
        let Some((divider, closed, behind)) = partner(tags, index, range.end) else {
            index += 1;
            continue;
        };
        result.push_str(text.get(at..opened.start).unwrap_or_default());
        let (first, second) = match divider {
            Some(divider) => (opened.end..divider.start, divider.end..closed.start),
            None => (opened.end..closed.start, closed.start..closed.start),
        };
        let chosen = if is_meant(&patterns, model) { first } else { second };
        part(text, chosen, tags, model, result);
        at = closed.end;
        index = behind;
    }
    result.push_str(text.get(at..range.end).unwrap_or_default());
}

/// The next opening tag before an end; `index` is moved to it.
fn next_open(tags: &[(Range<usize>, Tag)], index: &mut usize, end: usize) -> Option<(Range<usize>, Tag)> {
    while let Some((place, tag)) = tags.get(*index) {
        if place.end > end {
            return None;
        }
        if matches!(tag, Tag::Open(_)) {
            return Some((place.clone(), tag.clone()));
        }
        *index += 1;
    }
    None
}

/// The `<else>` and the closing tag that belong to an opening one, and the index behind them.
fn partner(
    tags: &[(Range<usize>, Tag)],
    open: usize,
    end: usize,
) -> Option<(Option<Range<usize>>, Range<usize>, usize)> {
    let mut depth = 0_u32;
    let mut divider = None;
    for (index, (place, tag)) in tags.iter().enumerate().skip(open + 1) {
        if place.end > end {
            return None;
        }
        match tag {
            Tag::Open(_) => depth += 1,
            Tag::Else if depth == 0 && divider.is_none() => divider = Some(place.clone()),
            Tag::Else => {}
            Tag::Close if depth == 0 => return Some((divider, place.clone(), index + 1)),
            Tag::Close => depth -= 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAUDE: &str = "anthropic/claude-sonnet-4-5";

    #[test]
    fn patterns_are_matched_with_and_without_the_provider() {
        for patterns in [CLAUDE, "claude-*", "anthropic/*", "gpt-5, *sonnet*", "CLAUDE-SONNET-4-?"] {
            assert!(is_meant(patterns, CLAUDE), "{patterns}");
        }
        for patterns in ["claude", "openai/*", "", ",", "claude-?", "sonnet*"] {
            assert!(!is_meant(patterns, CLAUDE), "{patterns}");
        }
    }

    #[test]
    fn a_block_holds_for_its_models_and_its_else_for_others() {
        let check = |text: &str, expected: &str| assert_eq!(for_model(text, CLAUDE), expected, "{text}");
        check("a <if-model is=\"claude-*\">yes<else>no</if-model> b", "a yes b");
        check("a <if-model is=\"gpt-*\">yes<else>no</if-model> b", "a no b");
        check("a <if-model is=\"gpt-*\">yes</if-model> b", "a  b");
        check(
            "<if-model is=\"claude-*\">1<if-model is=\"gpt*\">2<else>3</if-model>4<else>5</if-model>6",
            "1346",
        );
        check("<if-model is=\"x\">1<if-model is=\"y\">2</if-model>3<else>4</if-model>", "4");
    }

    #[test]
    fn code_and_tags_without_partner_are_text() {
        for text in [
            "`<if-model is=\"x\">`a</if-model>",
            "<if-model is=\"x\">never closed",
            "</if-model> <else> alone",
            "<if-model>a</if-model>",
        ] {
            assert_eq!(for_model(text, CLAUDE), text);
        }
        let nested = "<if-model is=\"x\">open <if-model is=\"*\">a<else>b</if-model>";
        assert_eq!(for_model(nested, CLAUDE), "<if-model is=\"x\">open a");
    }
}
