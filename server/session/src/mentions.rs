//! Mentions in a prompt: `@src/main.rs`, `@src/main.rs:10-20`, `@"a file"`, `@folder`, `@selection`, `@diagnostics`,
//! `@diff`, `@open`, `@mcp:resource`.
//!
//! A mention begins the text or follows a blank, a bracket or a quote, so that an address of mail is none; inside of
//! code there are none. What a mention means is for its reader to find out: several readings are given where the text
//! allows them, the longest first, and where none fits, the words are just words.

use std::ops::Range;

use crate::markdown_code::{code_ranges, is_in};

/// One mention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// What it asks for.
    pub(crate) target: Target,
    /// Where it stands in the text, with its `@`.
    pub(crate) place: Range<usize>,
}

/// What a mention asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// What the user has selected.
    Selection,
    /// What other servers say about the open files.
    Diagnostics,
    /// What is changed and not committed.
    Diff,
    /// The names of the open files.
    Open,
    /// A path, in possible readings.
    Path(Vec<Reading>),
}

/// One reading of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The path, or `scheme:name` of a resource.
    pub(crate) path: String,
    /// First and last line, from 1.
    pub(crate) lines: Option<(u32, u32)>,
}

/// The words that stand for something else than a path.
pub(crate) const WORDS: [(&str, &str); 4] = [
    ("selection", "what is selected in the editor"),
    ("diagnostics", "errors and warnings of the open files"),
    ("diff", "what is changed and not committed"),
    ("open", "the names of the open files"),
];

/// The mentions of a prompt, in order.
pub(crate) fn mentions(text: &str) -> Vec<Mention> {
    let code = code_ranges(text);
    let mut mentions = Vec::new();
    for (start, _) in text.match_indices('@') {
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let begins = before.is_none_or(begins_mention);
        if !begins || is_in(&code, start) {
            continue;
        }
        let rest = text.get(start + 1..).unwrap_or_default();
        if let Some((target, length)) = target(rest) {
            mentions.push(Mention { target, place: start..start + 1 + length });
        }
    }
    mentions
}

/// Whether a mention may follow this letter.
pub(crate) fn begins_mention(before: char) -> bool {
    before.is_whitespace() || matches!(before, '(' | '[' | '{' | '"' | '\'' | ',')
}

/// The target at the beginning of a text, and its length.
fn target(text: &str) -> Option<(Target, usize)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (path, behind) =
            quoted.split_once('"').filter(|(path, _)| !path.is_empty() && !path.contains('\n'))?;
        let suffix = behind.split(char::is_whitespace).next().unwrap_or_default();
        let (lines, length) = leading_lines(suffix);
        let reading = Reading { path: path.to_owned(), lines };
        return Some((Target::Path(vec![reading]), path.len() + 2 + length));
    }
    let word = text.split(char::is_whitespace).next().filter(|word| !word.is_empty())?;
    let plain = word.trim_end_matches(is_punctuation);
    let target = match plain {
        "" => return None,
        "selection" => Target::Selection,
        "diagnostics" => Target::Diagnostics,
        "diff" => Target::Diff,
        "open" => Target::Open,
        _ => {
            let mut readings = Vec::new();
            for path in [word, plain] {
                for reading in
                    [Reading { path: path.to_owned(), lines: None }].into_iter().chain(with_lines(path))
                {
                    if !readings.contains(&reading) {
                        readings.push(reading);
                    }
                }
            }
            return Some((Target::Path(readings), plain.len()));
        }
    };
    Some((target, plain.len()))
}

fn is_punctuation(letter: char) -> bool {
    matches!(letter, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '}' | '"' | '\'' | '…')
}

/// `path:10-20`, `path:10`, `path#L10-L20`, `path#L10`.
fn with_lines(text: &str) -> Option<Reading> {
    let at = text.rfind("#L").or_else(|| text.rfind(':'))?;
    let (path, suffix) = text.split_at_checked(at)?;
    let (lines, length) = leading_lines(suffix);
    (length == suffix.len() && !path.is_empty()).then(|| Reading { path: path.to_owned(), lines })
}

/// Line numbers at the beginning of a text, and how long they are; 0 where there are none.
fn leading_lines(text: &str) -> (Option<(u32, u32)>, usize) {
    let marker = ["#L", ":"].into_iter().find(|marker| text.starts_with(marker)).unwrap_or_default();
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let rest = text.get(marker.len()..).unwrap_or_default();
    let first = digits(rest);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok()).filter(|line| *line > 0);
    let Some(from) = number(rest.get(..first)).filter(|_| !marker.is_empty()) else { return (None, 0) };
    let behind = rest.get(first..).unwrap_or_default();
    let dash = ["-L", "-"].into_iter().find(|dash| behind.starts_with(dash)).unwrap_or_default();
    let second = behind.get(dash.len()..).unwrap_or_default();
    let length = digits(second);
    match number(second.get(..length)).filter(|_| !dash.is_empty()) {
        Some(to) => (Some((from.min(to), from.max(to))), marker.len() + first + dash.len() + length),
        None => (Some((from, from)), marker.len() + first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mention: its place in the text, its last reading and the lines of it.
    type Found<T> = (T, T, Option<(u32, u32)>);

    fn check(text: &str, expected: &[Found<&str>]) {
        let found: Vec<Found<String>> = mentions(text)
            .into_iter()
            .map(|mention| {
                let place = text[mention.place].to_owned();
                match mention.target {
                    Target::Path(readings) => {
                        let last = readings.last().unwrap().clone();
                        (place, last.path, last.lines)
                    }
                    other @ (Target::Selection | Target::Diagnostics | Target::Diff | Target::Open) => {
                        (place, format!("{other:?}"), None)
                    }
                }
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(place, path, lines)| ((*place).to_owned(), (*path).to_owned(), *lines))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn paths_words_and_lines_are_found() {
        check("see @src/a.rs.", &[("@src/a.rs", "src/a.rs", None)]);
        check(
            "@a.rs:10-20 and (@b.rs:7)",
            &[("@a.rs:10-20", "a.rs", Some((10, 20))), ("@b.rs:7", "b.rs", Some((7, 7)))],
        );
        check("@a.rs#L3-L1, @b#L2", &[("@a.rs#L3-L1", "a.rs", Some((1, 3))), ("@b#L2", "b", Some((2, 2)))]);
        check("@\"my file.rs\":3 x", &[("@\"my file.rs\":3", "my file.rs", Some((3, 3)))]);
        check(
            "@selection, @diagnostics @diff! @open?",
            &[
                ("@selection", "Selection", None),
                ("@diagnostics", "Diagnostics", None),
                ("@diff", "Diff", None),
                ("@open", "Open", None),
            ],
        );
        check("@mcp:db://users", &[("@mcp:db://users", "mcp:db://users", None)]);
        check("@src/", &[("@src/", "src/", None)]);
    }

    #[test]
    fn addresses_and_code_hold_no_mentions() {
        for text in [
            "me@example.org",
            "a@b",
            "`@a.rs`",
            "```\n@a.rs\n```",
            "@",
            "@ x",
            "@.",
            "@\"\"",
            "@\"open\nquote\"",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn a_path_is_read_in_full_first() {
        let [mention] = &mentions("@odd:10).")[..] else { panic!("one mention") };
        let reading = |path: &str, lines| Reading { path: path.to_owned(), lines };
        assert_eq!(
            mention.target,
            Target::Path(vec![
                reading("odd:10).", None),
                reading("odd:10", None),
                reading("odd", Some((10, 10)))
            ])
        );
    }
}
