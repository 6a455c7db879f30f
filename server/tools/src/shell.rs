//! What a shell command would run, as far as its text tells.
//!
//! [`parse`] splits a command line into the simple commands that it may start: across `;`, `&`, `&&`, `||`, `|`, line
//! ends, subshells, `$( )`, backticks, process substitution, and the arguments of known wrappers (`sudo`, `env`,
//! `xargs`, `sh -c`, `find -exec`, …). It is no shell: whatever it does not follow exactly is kept as a [`Doubt`].
//! The two readers of the result lean to opposite sides. A rule that *allows* needs a script without doubts in which
//! every command is covered; a rule that *denies* matches when any of the commands found may be meant. So the parser
//! errs towards more commands and more doubts, never towards fewer.

mod lexer;
mod parser;
mod wrapper;

pub(crate) use parser::parse;
pub(crate) use wrapper::is_wrapper;

/// The commands that a text may start, in order of appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// Simple commands, nested ones included.
    pub(crate) commands: Vec<Simple>,
    /// What was not followed exactly. Only a script without doubts can be allowed command by command.
    pub(crate) doubts: Vec<Doubt>,
}

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    /// Variable assignments before the command, as written.
    pub(crate) assignments: Vec<String>,
    /// The command and its arguments, without leading reserved words.
    pub(crate) words: Vec<Word>,
    /// Redirections that could read or write a file, as written. `2>&1` and `>/dev/null` are not among them.
    pub(crate) redirections: Vec<String>,
    /// Whether it runs another command that is itself among the script's commands, so that it needs no rule of its own.
    pub(crate) transparent: bool,
}

impl Simple {
    /// The words of the command as text, for messages.
    pub(crate) fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The name of the program without its folder, where the text tells it.
    pub(crate) fn program(&self) -> Option<&str> {
        let first = self.words.first().filter(|word| word.literal)?;
        Some(first.text.rsplit(['/', '\\']).next().unwrap_or(&first.text))
    }
}

/// A word after quotes and escapes are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The text; expansions stand in it as they were written.
    pub(crate) text: String,
    /// Whether the text is what the command receives: no expansion, no glob, no braces.
    pub(crate) literal: bool,
}

/// Something the parser does not follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Doubt {
    #[error("a quote or bracket is not closed")]
    Unterminated,
    #[error("it holds a comment")]
    Comment,
    #[error("it holds a here-document")]
    HereDocument,
    #[error("a line is continued inside a word")]
    Continuation,
    #[error("it uses arithmetic")]
    Arithmetic,
    #[error("it uses the expansion `{0}`")]
    Expansion(String),
    #[error("it uses the quote `{0}`")]
    Quote(String),
    #[error("it uses the shell word `{0}`")]
    Keyword(String),
    #[error("it holds a control character")]
    ControlCharacter,
    #[error("it has brackets in an unusual place")]
    Brackets,
    #[error("the name of a command is computed")]
    ComputedName,
    #[error("`{0}` runs a command that cannot be told from its text")]
    Wrapper(String),
    #[error("it is nested too deeply")]
    TooDeep,
    #[error("it is too long")]
    TooLong,
}

#[cfg(test)]
mod tests;
