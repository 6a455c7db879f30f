//! Characters to tokens, as bash reads them in a non-interactive shell.
//!
//! The lexer follows quotes, escapes, line continuations, operators and redirections. Text of command substitutions is
//! handed to the parser through [`Token::nested`] of the word in which it stands, because such a command runs wherever
//! it is written, also inside double quotes.

use super::Doubt;

/// A piece of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word.
    Word(RawWord),
    /// `;`, `&`, `|`, a line end and their doubled forms: here a command ends.
    Separator,
    /// An opening bracket where a command may start, or a closing one.
    Bracket,
    /// A redirection operator with the file descriptor before it; its target is the next word.
    Redirect(String),
}

/// A word as it was written and as it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RawWord {
    /// Quotes and escapes removed.
    pub(super) text: String,
    /// As written.
    pub(super) written: String,
    /// Whether nothing in it is expanded.
    pub(super) literal: bool,
    /// Whether any part of it was quoted, so that it is no reserved word.
    pub(super) quoted: bool,
    /// Texts of the command substitutions in it.
    pub(super) nested: Vec<String>,
}

/// Tokens of a text, with what was not followed.
pub(super) fn lex(text: &str) -> (Vec<Token>, Vec<Doubt>) {
    let mut lexer =
        Lexer { characters: text.chars().collect(), at: 0, tokens: Vec::new(), doubts: Vec::new() };
    lexer.run();
    (lexer.tokens, lexer.doubts)
}

struct Lexer {
    characters: Vec<char>,
    at: usize,
    tokens: Vec<Token>,
    doubts: Vec<Doubt>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek(0);
        if let Some(character) = character {
            self.at += 1;
            if character.is_control() && character != '\n' && character != '\t' {
                self.doubts.push(Doubt::ControlCharacter);
            }
        }
        character
    }

    fn take(&mut self, expected: char) -> bool {
        let taken = self.peek(0) == Some(expected);
        if taken {
            self.at += 1;
        }
        taken
    }

    fn run(&mut self) {
        while let Some(character) = self.peek(0) {
            match character {
                ' ' | '\t' => self.at += 1,
                '\\' if self.peek(1) == Some('\n') => self.continuation(),
                '#' => self.comment(),
                ';' | '|' | '\n' => self.separator(),
                '&' if self.peek(1) == Some('>') => self.redirect(),
                '&' => self.separator(),
                '(' | ')' => self.bracket(character),
                '<' | '>' if self.peek(1) == Some('(') => self.word(),
                '<' | '>' => self.redirect(),
                _ => self.word(),
            }
        }
    }

    /// A continued line joins what stands on both sides, whatever that is; behind a blank it joins nothing.
    fn continuation(&mut self) {
        let before = self.at.checked_sub(1).and_then(|before| self.characters.get(before));
        if before.is_some_and(|before| !matches!(before, ' ' | '\t' | '\n')) {
            self.doubts.push(Doubt::Continuation);
        }
        self.at += 2;
    }

    fn comment(&mut self) {
        self.doubts.push(Doubt::Comment);
        while self.peek(0).is_some_and(|character| character != '\n') {
            self.next();
        }
    }

    fn separator(&mut self) {
        while matches!(self.peek(0), Some(';' | '|' | '\n'))
            || (self.peek(0) == Some('&') && self.peek(1) != Some('>'))
        {
            self.at += 1;
        }
        self.tokens.push(Token::Separator);
    }

    /// A subshell begins only where a command may begin; anywhere else a bracket defines a function or an array.
    fn bracket(&mut self, character: char) {
        self.at += 1;
        let starts_command = matches!(self.tokens.last(), None | Some(Token::Separator | Token::Bracket));
        if character == '(' && self.peek(0) == Some('(') {
            self.doubts.push(Doubt::Arithmetic);
        } else if character == '(' && !starts_command {
            self.doubts.push(Doubt::Brackets);
        }
        self.tokens.push(Token::Bracket);
    }

    fn redirect(&mut self) {
        let mut operator = String::new();
        if let Some(Token::Word(word)) = self.tokens.last()
            && self.at > 0
            && self.characters.get(self.at - 1).is_some_and(char::is_ascii_digit)
            && word.written.chars().all(|character| character.is_ascii_digit())
        {
            operator.push_str(&word.written);
            self.tokens.pop();
        }
        while let Some(character @ ('<' | '>' | '&' | '|')) = self.peek(0) {
            let fits = match (operator.trim_start_matches(|digit: char| digit.is_ascii_digit()), character) {
                ("", '|') => false,
                ("", _) | ("<", '<' | '&' | '>') | (">", '>' | '&' | '|') | ("<<", '<') => true,
                ("&", '>') | ("&>", '>') => true,
                _ => false,
            };
            if !fits {
                break;
            }
            operator.push(character);
            self.at += 1;
        }
        if operator.ends_with("<<") {
            self.doubts.push(Doubt::HereDocument);
            self.take('-');
        }
        self.tokens.push(Token::Redirect(operator));
    }

    fn word(&mut self) {
        let start = self.at;
        let mut word = RawWord { literal: true, ..RawWord::default() };
        while let Some(character) = self.peek(0) {
            match character {
                ' ' | '\t' | '\n' | ';' | '&' | '|' => break,
                '<' | '>' if self.peek(1) == Some('(') => {
                    self.at += 2;
                    word.literal = false;
                    word.text.push_str("<(…)");
                    let inner = self.balanced();
                    word.nested.push(inner);
                }
                '<' | '>' | ')' => break,
                '(' => {
                    self.doubts.push(Doubt::Brackets);
                    break;
                }
                '\'' => self.single_quoted(&mut word),
                '"' => self.double_quoted(&mut word),
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') => self.doubts.push(Doubt::Continuation),
                        Some(escaped) => {
                            word.quoted = true;
                            word.text.push(escaped);
                        }
                        None => self.doubts.push(Doubt::Unterminated),
                    }
                }
                '$' => self.dollar(&mut word, Quoting::None),
                '`' => self.backticks(&mut word, Quoting::None),
                '*' | '?' | '[' | '{' => {
                    self.at += 1;
                    // A lone `{` or `[` is a word of its own; anything longer may be expanded.
                    let alone =
                        word.text.is_empty() && self.peek(0).is_none_or(|next| " \t\n;&|".contains(next));
                    word.literal &= alone && (character == '{' || character == '[');
                    word.text.push(character);
                }
                _ => {
                    self.next();
                    word.text.push(character);
                }
            }
        }
        word.written = self.characters.get(start..self.at).unwrap_or_default().iter().collect();
        self.tokens.push(Token::Word(word));
    }

    fn single_quoted(&mut self, word: &mut RawWord) {
        self.at += 1;
        word.quoted = true;
        loop {
            match self.next() {
                Some('\'') => return,
                Some(character) => word.text.push(character),
                None => return self.doubts.push(Doubt::Unterminated),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut RawWord) {
        self.at += 1;
        word.quoted = true;
        loop {
            match self.peek(0) {
                Some('"') => {
                    self.at += 1;
                    return;
                }
                Some('\\') => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') => self.doubts.push(Doubt::Continuation),
                        Some(escaped @ ('$' | '`' | '"' | '\\')) => word.text.push(escaped),
                        Some(other) => word.text.extend(['\\', other]),
                        None => return self.doubts.push(Doubt::Unterminated),
                    }
                }
                Some('$') => self.dollar(word, Quoting::Double),
                Some('`') => self.backticks(word, Quoting::Double),
                Some(character) => {
                    self.next();
                    word.text.push(character);
                }
                None => return self.doubts.push(Doubt::Unterminated),
            }
        }
    }

    fn dollar(&mut self, word: &mut RawWord, quoting: Quoting) {
        self.at += 1;
        match (self.peek(0), quoting) {
            (Some('('), _) => {
                self.at += 1;
                word.literal = false;
                if self.peek(0) == Some('(') {
                    self.doubts.push(Doubt::Arithmetic);
                }
                let inner = self.balanced();
                word.text.push_str("$(…)");
                word.nested.push(inner);
            }
            (Some('{'), _) => {
                self.at += 1;
                word.literal = false;
                let mut name = String::new();
                while let Some(character) =
                    self.peek(0).filter(|next| next.is_ascii_alphanumeric() || *next == '_')
                {
                    name.push(character);
                    self.at += 1;
                }
                word.text.push_str(&format!("${{{name}"));
                if !name.is_empty() && self.take('}') {
                    word.text.push('}');
                } else {
                    // The rest is read as part of the word, so that commands inside it are still found.
                    self.doubts.push(Doubt::Expansion(format!("${{{name}…")));
                }
            }
            (Some('['), _) => {
                word.literal = false;
                word.text.push('$');
                self.doubts.push(Doubt::Arithmetic);
            }
            (Some('\''), Quoting::None) => {
                self.doubts.push(Doubt::Quote("$'".to_owned()));
                self.escaped_quoted(word);
            }
            (Some('"'), Quoting::None) => self.doubts.push(Doubt::Quote("$\"".to_owned())),
            (Some(character), _) if character.is_ascii_alphanumeric() || "_?#@*$!-".contains(character) => {
                word.literal = false;
                self.at += 1;
                word.text.extend(['$', character]);
            }
            (Some(_) | None, _) => word.text.push('$'),
        }
    }

    /// `$'…'`, where a backslash also escapes the closing quote.
    fn escaped_quoted(&mut self, word: &mut RawWord) {
        self.at += 1;
        word.literal = false;
        word.quoted = true;
        loop {
            match self.next() {
                Some('\'') => return,
                Some('\\') => {
                    word.text.push('\\');
                    if let Some(escaped) = self.next() {
                        word.text.push(escaped);
                    }
                }
                Some(character) => word.text.push(character),
                None => return self.doubts.push(Doubt::Unterminated),
            }
        }
    }

    fn backticks(&mut self, word: &mut RawWord, quoting: Quoting) {
        self.at += 1;
        word.literal = false;
        let mut inner = String::new();
        loop {
            match self.next() {
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(escaped @ ('$' | '`' | '\\')) => inner.push(escaped),
                    Some('"') if matches!(quoting, Quoting::Double) => inner.push('"'),
                    Some(other) => inner.extend(['\\', other]),
                    None => {}
                },
                Some(character) => inner.push(character),
                None => {
                    self.doubts.push(Doubt::Unterminated);
                    break;
                }
            }
        }
        word.text.push_str("`…`");
        word.nested.push(inner);
    }

    /// The text up to the bracket that closes the one just read, quotes respected.
    fn balanced(&mut self) -> String {
        let start = self.at;
        let mut depth = 1_usize;
        while let Some(character) = self.next() {
            match character {
                '\\' => {
                    self.next();
                }
                '\'' => while self.next().is_some_and(|next| next != '\'') {},
                '"' => self.skip_double_quoted(),
                '`' => self.skip_backticks(),
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        return self.characters.get(start..self.at - 1).unwrap_or_default().iter().collect();
                    }
                }
                _ => {}
            }
        }
        self.doubts.push(Doubt::Unterminated);
        self.characters.get(start..).unwrap_or_default().iter().collect()
    }

    fn skip_double_quoted(&mut self) {
        while let Some(character) = self.next() {
            match character {
                '"' => return,
                '\\' => {
                    self.next();
                }
                '$' if self.take('(') => {
                    self.balanced();
                }
                '`' => self.skip_backticks(),
                _ => {}
            }
        }
    }

    fn skip_backticks(&mut self) {
        while let Some(character) = self.next() {
            match character {
                '`' => return,
                '\\' => {
                    self.next();
                }
                _ => {}
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Quoting {
    None,
    Double,
}
