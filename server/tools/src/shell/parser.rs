//! Tokens to simple commands, and the commands inside commands.

use super::lexer::{RawWord, Token, lex};
use super::wrapper::{self, Inner};
use super::{Doubt, Script, Simple, Word};

/// Longer texts are not looked into.
const LONGEST: usize = 32 * 1024;

/// Deeper nesting is not looked into.
const DEEPEST: usize = 12;

/// Words after which a command follows.
const LEADING: [&str; 11] =
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "coproc"];

/// Words that start or end something other than a simple command.
const KEYWORDS: [&str; 20] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "for", "select", "case", "in",
    "esac", "function", "coproc", "{", "}", "!", "[[",
];

/// The commands that a text may start.
pub(crate) fn parse(text: &str) -> Script {
    let mut script = Script::default();
    if text.len() > LONGEST {
        script.doubts.push(Doubt::TooLong);
    }
    collect(text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text), 0, &mut script);
    let mut seen = std::collections::HashSet::new();
    script.doubts.retain(|doubt| seen.insert(doubt.clone()));
    script
}

fn collect(text: &str, depth: usize, script: &mut Script) {
    if depth > DEEPEST {
        return script.doubts.push(Doubt::TooDeep);
    }
    let (tokens, doubts) = lex(text);
    script.doubts.extend(doubts);
    let mut current = Vec::new();
    for token in tokens {
        match token {
            Token::Separator | Token::Bracket => simple(std::mem::take(&mut current), depth, script),
            Token::Word(_) | Token::Redirect(_) => current.push(token),
        }
    }
    simple(current, depth, script);
}

/// Makes a simple command of the tokens between two separators.
fn simple(tokens: Vec<Token>, depth: usize, script: &mut Script) {
    let mut command = Simple::default();
    let mut nested = Vec::new();
    let mut redirect: Option<String> = None;
    for token in tokens {
        match token {
            Token::Redirect(operator) => {
                command.redirections.extend(redirect.replace(operator));
            }
            Token::Word(word) => {
                nested.extend(word.nested.iter().cloned());
                if let Some(operator) = redirect.take() {
                    if !is_harmless_redirection(&operator, &word) {
                        command.redirections.push(format!("{operator}{}", word.written));
                    }
                } else if command.words.is_empty() && is_assignment(&word) {
                    command.assignments.push(word.written);
                } else if command.words.is_empty() && !word.quoted && is_reserved(&word.text, script) {
                    // What follows the reserved word is the command.
                } else {
                    command.words.push(Word { text: word.text, literal: word.literal });
                }
            }
            Token::Separator | Token::Bracket => {}
        }
    }
    command.redirections.extend(redirect);
    for text in nested {
        collect(&text, depth + 1, script);
    }
    if command == Simple::default() {
        return;
    }
    if command.words.first().is_some_and(|word| !word.literal || word.text.is_empty()) {
        script.doubts.push(Doubt::ComputedName);
    }
    unwrap(command, depth, script);
}

/// Adds the command and what it runs.
fn unwrap(mut command: Simple, depth: usize, script: &mut Script) {
    if depth > DEEPEST {
        return script.doubts.push(Doubt::TooDeep);
    }
    match wrapper::inner(&command) {
        Inner::None => script.commands.push(command),
        Inner::Unknown => {
            script.doubts.push(Doubt::Wrapper(command.program().unwrap_or_default().to_owned()));
            script.commands.push(command);
        }
        Inner::Words { words, transparent } => {
            command.transparent = transparent;
            let inner = Simple { words, ..Simple::default() };
            script.commands.push(command);
            if inner.words.first().is_some_and(|word| !word.literal) {
                script.doubts.push(Doubt::ComputedName);
            }
            unwrap(inner, depth + 1, script);
        }
        Inner::Text(text) => {
            command.transparent = true;
            script.commands.push(command);
            collect(&text, depth + 1, script);
        }
    }
}

fn is_reserved(text: &str, script: &mut Script) -> bool {
    if KEYWORDS.contains(&text) {
        script.doubts.push(Doubt::Keyword(text.to_owned()));
    }
    LEADING.contains(&text)
}

fn is_assignment(word: &RawWord) -> bool {
    let Some((name, _)) = word.written.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split_once('[').map_or(name, |(array, _)| array);
    name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Copies of descriptors and `/dev/null` touch no file.
fn is_harmless_redirection(operator: &str, target: &RawWord) -> bool {
    let kind = operator.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let copies = matches!(kind, ">&" | "<&")
        && (target.written == "-" || target.written.chars().all(|digit| digit.is_ascii_digit()));
    let discards = target.literal && target.text == "/dev/null" && !kind.starts_with("<<");
    copies || discards
}
