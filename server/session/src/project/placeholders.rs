//! The placeholders of prompt templates, as upstream writes them.
//!
//! `$1` and `${1}` are the first word behind the command, `$@`, `$ARGUMENTS` and `${ARGUMENTS}` all of them, `$+` all of
//! them where there must be at least one, `${@:2}` those from the second on, `${@:2:3}` three from the second on (0
//! means 1), `${2:3}` the same, and `{{name}}` a value by name. Nothing is replaced inside of code. A word that was not
//! given is empty; a `{{name}}` without value stays, so that a template can speak of other templates.

use std::collections::BTreeMap;

use crate::markdown_code::{code_ranges, is_in};

/// What stands behind the name of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Word by word.
    pub(crate) words: Vec<String>,
    /// Values by name.
    pub(crate) named: BTreeMap<String, String>,
}

/// One placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Placeholder {
    /// The word of this number, from 1.
    Word(usize),
    /// All words; `needed` is how many there must be.
    All { needed: usize },
    /// Words from a number on, and how many.
    Some { from: usize, count: Option<usize> },
    /// A value by name.
    Named(String),
}

/// What a text needs to be filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The smallest number of words.
    pub(crate) words: usize,
    /// Whether it takes any words at all.
    pub(crate) takes_words: bool,
    /// The names of its values, in order.
    pub(crate) named: Vec<String>,
}

/// What a text needs.
pub(crate) fn needs(text: &str) -> Needs {
    let mut needs = Needs::default();
    walk(text, |placeholder, _| {
        match placeholder {
            Placeholder::Word(number) => needs.words = needs.words.max(number),
            Placeholder::All { needed } => needs.words = needs.words.max(needed),
            Placeholder::Some { .. } => {}
            Placeholder::Named(name) => {
                if !needs.named.contains(&name) {
                    needs.named.push(name);
                }
                return None;
            }
        }
        needs.takes_words = true;
        None
    });
    needs
}

/// The text with its placeholders replaced.
pub(crate) fn fill(text: &str, arguments: &Arguments) -> String {
    let words = &arguments.words;
    let slice = |from: usize, count: Option<usize>| {
        let from = from.max(1) - 1;
        let chosen = words.iter().skip(from).take(count.unwrap_or(usize::MAX));
        chosen.map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    walk(text, |placeholder, _| match placeholder {
        Placeholder::Word(number) => Some(slice(number, Some(1))),
        Placeholder::All { .. } => Some(slice(1, None)),
        Placeholder::Some { from, count } => Some(slice(from, count)),
        Placeholder::Named(name) => arguments.named.get(&name).cloned(),
    })
}

/// The words of a line. Single and double quotes hold a word together, a backslash takes the next letter as it is
/// except between single quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            (_, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Goes through the placeholders outside of code; `replace` answers what stands for one, or `None` to leave it.
fn walk(text: &str, mut replace: impl FnMut(Placeholder, &str) -> Option<String>) -> String {
    let code = code_ranges(text);
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(offset) = rest.find(['$', '{']) else {
            result.push_str(rest);
            break;
        };
        result.push_str(rest.get(..offset).unwrap_or_default());
        let start = at + offset;
        let rest = text.get(start..).unwrap_or_default();
        let found = if is_in(&code, start) { None } else { placeholder(rest) };
        let length = match found {
            Some((placeholder, length)) => {
                let written = rest.get(..length).unwrap_or_default();
                match replace(placeholder, written) {
                    Some(value) => result.push_str(&value),
                    None => result.push_str(written),
                }
                length
            }
            None => {
                result.push_str(rest.get(..1).unwrap_or_default());
                1
            }
        };
        at = start + length;
    }
    result
}

/// The placeholder at the beginning of a text, and its length.
fn placeholder(text: &str) -> Option<(Placeholder, usize)> {
    if let Some(rest) = text.strip_prefix("{{") {
        let (name, _) = rest.split_once("}}")?;
        let word = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        return word.then(|| (Placeholder::Named(name.to_owned()), name.len() + 4));
    }
    let rest = text.strip_prefix('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        let (inner, _) = inner.split_once('}')?;
        return Some((braced(inner)?, inner.len() + 3));
    }
    if rest.starts_with('@') {
        return Some((Placeholder::All { needed: 0 }, 2));
    }
    if rest.starts_with('+') {
        return Some((Placeholder::All { needed: 1 }, 2));
    }
    if rest.starts_with("ARGUMENTS") {
        return Some((Placeholder::All { needed: 0 }, 10));
    }
    let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let number: usize = rest.get(..digits)?.parse().ok()?;
    (number > 0).then_some((Placeholder::Word(number), digits + 1))
}

/// The placeholder between `${` and `}`.
fn braced(inner: &str) -> Option<Placeholder> {
    if inner == "ARGUMENTS" || inner == "@" {
        return Some(Placeholder::All { needed: 0 });
    }
    let mut parts = inner.split(':');
    let first = parts.next()?;
    let numbers: Vec<usize> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
    match (first, numbers.as_slice()) {
        ("@", [from]) => Some(Placeholder::Some { from: *from, count: None }),
        ("@", [from, count]) => Some(Placeholder::Some { from: *from, count: Some(*count) }),
        (number, rest) => {
            let number: usize = number.parse().ok().filter(|number| *number > 0)?;
            match rest {
                [] => Some(Placeholder::Word(number)),
                [count] => Some(Placeholder::Some { from: number, count: Some(*count) }),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, line: &str, expected: &str) {
        let arguments = Arguments { words: words(line), ..Arguments::default() };
        assert_eq!(fill(text, &arguments), expected, "{text:?} with {line:?}");
    }

    #[test]
    fn every_form_is_filled_in() {
        let line = "one 'two 2' \"three\" fo\\ ur";
        check("$1|${2}|$3|$4|$5|", line, "one|two 2|three|fo ur||");
        check("$@|$ARGUMENTS|${ARGUMENTS}|${@}|$+", "a b", "a b|a b|a b|a b|a b");
        check("${@:2}|${@:2:2}|${@:0:1}|${@:9}|${2:2}", "a b c d", "b c d|b c|a||b c");
        check("$0 ${0} ${x} $x $ ${@:x} ${1 {{", "a", "$0 ${0} ${x} $x $ ${@:x} ${1 {{");
        check("price: $10.50, $1st", "a", "price: .50, ast");
    }

    #[test]
    fn code_is_left_alone() {
        check("$1 `$1` {{x}}\n```sh\necho $1 $@\n```\n$1", "a", "a `$1` {{x}}\n```sh\necho $1 $@\n```\na");
    }

    #[test]
    fn values_by_name_are_filled_in_and_unknown_ones_stay() {
        let named = BTreeMap::from([("what".to_owned(), "$1".to_owned())]);
        let arguments = Arguments { words: vec!["w".into()], named };
        assert_eq!(fill("{{what}} {{other}} {{ a }} $1", &arguments), "$1 {{other}} {{ a }} w");
    }

    #[test]
    fn a_text_needs_its_highest_word() {
        let check = |text: &str, words, takes_words, named: &[&str]| {
            let named = named.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(needs(text), Needs { words, takes_words, named }, "{text:?}");
        };
        check("plain", 0, false, &[]);
        check("$2 and $1 {{b}} {{a}} {{b}}", 2, true, &["b", "a"]);
        check("$+", 1, true, &[]);
        check("$@ ${@:3}", 0, true, &[]);
        check("`$3` $1", 1, true, &[]);
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(words(" a  \"\" 'b c'd \\\"e "), ["a", "", "b cd", "\"e"]);
        assert_eq!(words("it's open"), ["its open"]);
        assert_eq!(words(""), Vec::<String>::new());
    }
}
