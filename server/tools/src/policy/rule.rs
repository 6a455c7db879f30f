//! Rules: `Tool` or `Tool(pattern)`.
//!
//! Tool names are compared without case and may hold `*`. Four names stand for classes: `Edit` is whatever changes
//! files, `Read` whatever reads or searches them, `Search` whatever searches, `Bash` whatever runs commands.
//!
//! Patterns of `Bash` are commands. `cargo test:*` (or `cargo test *`) is every command whose first words are these;
//! without the ending it is exactly these words, where a lone `*` is any one word. `=…` is a whole command line,
//! character by character.
//!
//! Patterns of `Edit`, `Read`, `Search` and the file tools are globs: relative to the workspace folder, from `/`, or
//! from `~/`. A pattern also covers whatever lies beneath the folder that it names.
//!
//! A rule that allows is read narrowly and one that denies or asks is read widely: the former must match the real path
//! and every character of a word, the latter also match without case, by the path as it was written, by a program's
//! name wherever it lies, and when a word that the shell computes could be meant.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use kit_protocol::ToolKind;

use crate::shell::{self, Script, Simple, Word};

/// One parsed rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    text: String,
    tool: ToolName,
    pattern: Pattern,
}

/// Why a rule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// It names no tool.
    #[error("it names no tool")]
    NoTool,
    /// Its brackets do not match.
    #[error("write it as Tool or Tool(pattern)")]
    Brackets,
    /// The tool takes no pattern.
    #[error("only Bash, Edit, Read, Search and the file tools take a pattern")]
    NoPattern,
    /// The glob is wrong.
    #[error("the glob is wrong: {0}")]
    Glob(String),
    /// The command is not a single simple one.
    #[error("a command pattern is one simple command; write `=` before it to mean a whole command line")]
    Command,
}

#[derive(Clone, Debug)]
enum ToolName {
    Class(Class),
    Named(GlobMatcher),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Edit,
    Read,
    Search,
    Execute,
}

#[derive(Clone, Debug)]
enum Pattern {
    Everything,
    Command(CommandPattern),
    Path(PathPattern),
}

/// How a rule that is read widely applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hit {
    /// It does not.
    No,
    /// The text does not tell.
    Perhaps,
    /// It does.
    Yes,
}

/// A file or folder as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Behind all symbolic links.
    pub(crate) real: &'a Path,
    /// As it was named, made absolute.
    pub(crate) named: &'a Path,
    /// Its real path relative to its workspace folder, if it lies in one.
    pub(crate) relative: Option<&'a Path>,
    /// That workspace folder, behind all symbolic links.
    pub(crate) root: Option<&'a Path>,
}

impl Rule {
    /// Reads a rule; `home` is what `~` means.
    pub(crate) fn parse(text: &str, home: &Path) -> Result<Self, InvalidRule> {
        let text = text.trim();
        let (name, pattern) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')').ok_or(InvalidRule::Brackets)?)),
            None if text.contains(')') => return Err(InvalidRule::Brackets),
            None => (text, None),
        };
        let tool = ToolName::parse(name)?;
        let pattern = match pattern.map(str::trim) {
            None | Some("" | "*" | ":*") => Pattern::Everything,
            Some(pattern) if tool.takes_commands() => Pattern::Command(CommandPattern::parse(pattern)?),
            Some(pattern) if tool.takes_paths() => Pattern::Path(PathPattern::parse(pattern, home)?),
            Some(_) => return Err(InvalidRule::NoPattern),
        };
        Ok(Self { text: text.to_owned(), tool, pattern })
    }

    /// For a rule that cannot be read: all that the tool named in it may do, and all edits and commands if there is none.
    pub(crate) fn widest(text: &str) -> Vec<Self> {
        let name = text.split('(').next().unwrap_or_default().trim();
        let tools = match ToolName::parse(name) {
            Ok(tool) => vec![tool],
            Err(_) => vec![ToolName::Class(Class::Edit), ToolName::Class(Class::Execute)],
        };
        tools
            .into_iter()
            .map(|tool| Self { text: text.to_owned(), tool, pattern: Pattern::Everything })
            .collect()
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is about the tool.
    pub(crate) fn is_about(&self, tool: &str, kind: ToolKind) -> bool {
        match &self.tool {
            ToolName::Class(class) => match class {
                Class::Edit => kind == ToolKind::Edit,
                Class::Read => matches!(kind, ToolKind::Read | ToolKind::Search),
                Class::Search => kind == ToolKind::Search,
                Class::Execute => kind == ToolKind::Execute,
            },
            ToolName::Named(glob) => glob.is_match(tool),
        }
    }

    /// Whether it holds no pattern.
    pub(crate) fn covers_everything(&self) -> bool {
        matches!(self.pattern, Pattern::Everything)
    }

    /// Whether it allows what is done to the place. Without a pattern it reaches no further than the workspace.
    pub(crate) fn allows_place(&self, place: Place<'_>) -> bool {
        match &self.pattern {
            Pattern::Everything => place.relative.is_some(),
            Pattern::Path(pattern) => pattern.allows(place),
            Pattern::Command(_) => false,
        }
    }

    /// Whether it forbids what is done to the place.
    pub(crate) fn hits_place(&self, place: Place<'_>) -> Hit {
        let hit = match &self.pattern {
            Pattern::Everything => true,
            Pattern::Path(pattern) => pattern.forbids(place),
            Pattern::Command(_) => false,
        };
        if hit { Hit::Yes } else { Hit::No }
    }

    /// Whether it allows the command line as a whole.
    pub(crate) fn allows_line(&self, line: &str) -> bool {
        matches!(&self.pattern, Pattern::Command(CommandPattern { line: Some(own), .. }) if own == line.trim())
    }

    /// Whether it allows the one command.
    pub(crate) fn allows_command(&self, command: &Simple) -> bool {
        match &self.pattern {
            Pattern::Everything => true,
            Pattern::Command(pattern) => pattern.allows(&command.words),
            Pattern::Path(_) => false,
        }
    }

    /// Whether it forbids any command of the line.
    pub(crate) fn hits_line(&self, line: &str, script: &Script) -> Hit {
        match &self.pattern {
            Pattern::Everything => Hit::Yes,
            Pattern::Command(pattern) => pattern.forbids(line, script),
            Pattern::Path(_) => Hit::No,
        }
    }
}

impl ToolName {
    fn parse(name: &str) -> Result<Self, InvalidRule> {
        let class = match name.to_ascii_lowercase().as_str() {
            "" => return Err(InvalidRule::NoTool),
            "edit" => Class::Edit,
            "read" => Class::Read,
            "search" => Class::Search,
            "bash" | "shell" | "execute" => Class::Execute,
            _ => {
                let glob = GlobBuilder::new(name).case_insensitive(true).build();
                return Ok(Self::Named(
                    glob.map_err(|error| InvalidRule::Glob(error.to_string()))?.compile_matcher(),
                ));
            }
        };
        Ok(Self::Class(class))
    }

    fn takes_commands(&self) -> bool {
        matches!(self, Self::Class(Class::Execute))
    }

    fn takes_paths(&self) -> bool {
        match self {
            Self::Class(class) => *class != Class::Execute,
            Self::Named(glob) => ["write", "grep", "find", "ls"].iter().any(|tool| glob.is_match(tool)),
        }
    }
}

/// Words that a command begins with, or a whole line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CommandPattern {
    /// The whole line that it stands for, where it does.
    line: Option<String>,
    words: Vec<PatternWord>,
    /// Whether further words may follow.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternWord {
    Exactly(String),
    AnyOne,
}

impl CommandPattern {
    fn parse(pattern: &str) -> Result<Self, InvalidRule> {
        if let Some(line) = pattern.strip_prefix('=') {
            let words = match shell::parse(line).commands.as_slice() {
                [only] => words_of(only),
                [] | [_, ..] => Vec::new(),
            };
            return Ok(Self { line: Some(line.trim().to_owned()), words, open: false });
        }
        let (text, open) = match pattern.strip_suffix(":*").or_else(|| pattern.strip_suffix(" *")) {
            Some(prefix) => (prefix, true),
            None => (pattern, false),
        };
        let script = shell::parse(text);
        let [command] = script.commands.as_slice() else { return Err(InvalidRule::Command) };
        let simple =
            script.doubts.is_empty() && command.assignments.is_empty() && command.redirections.is_empty();
        let words = words_of(command);
        if !simple || words.is_empty() || words.first() == Some(&PatternWord::AnyOne) {
            return Err(InvalidRule::Command);
        }
        Ok(Self { line: (!open).then(|| text.to_owned()), words, open })
    }

    fn allows(&self, words: &[Word]) -> bool {
        let fits = |(pattern, word): (&PatternWord, &Word)| match pattern {
            PatternWord::Exactly(text) => word.literal && word.text == *text,
            PatternWord::AnyOne => true,
        };
        !self.words.is_empty()
            && words.len() >= self.words.len()
            && (self.open || words.len() == self.words.len())
            && self.words.iter().zip(words).all(fits)
    }

    fn forbids(&self, line: &str, script: &Script) -> Hit {
        if self.line.as_deref() == Some(line.trim()) {
            return Hit::Yes;
        }
        script.commands.iter().map(|command| self.hits(command)).max().unwrap_or(Hit::No)
    }

    /// A wrapper may run any of its arguments, so the pattern may begin at each.
    fn hits(&self, command: &Simple) -> Hit {
        let starts = match command.program() {
            Some(program) if shell::is_wrapper(program) => command.words.len(),
            Some(_) | None => 1,
        };
        (0..starts)
            .filter_map(|start| command.words.get(start..))
            .map(|words| self.hits_words(words))
            .max()
            .unwrap_or(Hit::No)
    }

    /// The program first, then the other words in this order with anything between, as options may stand there.
    fn hits_words(&self, words: &[Word]) -> Hit {
        let (Some((own_program, own_rest)), Some((program, rest))) =
            (self.words.split_first(), words.split_first())
        else {
            return Hit::No;
        };
        let mut hit = match own_program {
            PatternWord::AnyOne => Hit::Yes,
            PatternWord::Exactly(_) if !program.literal => Hit::Perhaps,
            PatternWord::Exactly(text) if is_program(text, &program.text) => Hit::Yes,
            PatternWord::Exactly(_) => return Hit::No,
        };
        let mut rest = rest.iter();
        for own in own_rest {
            let found = rest.by_ref().find_map(|word| match own {
                PatternWord::AnyOne => Some(Hit::Yes),
                PatternWord::Exactly(text) if word.literal => {
                    word.text.eq_ignore_ascii_case(text).then_some(Hit::Yes)
                }
                PatternWord::Exactly(_) => Some(Hit::Perhaps),
            });
            match found {
                Some(found) => hit = hit.min(found),
                None => return Hit::No,
            }
        }
        hit
    }
}

fn words_of(command: &Simple) -> Vec<PatternWord> {
    let word = |word: &Word| match (word.text.as_str(), word.literal) {
        ("*", false) => PatternWord::AnyOne,
        (text, _) => PatternWord::Exactly(text.to_owned()),
    };
    command.words.iter().map(word).collect()
}

/// Whether a pattern's program is meant by what a command calls.
fn is_program(pattern: &str, called: &str) -> bool {
    let name = called.rsplit(['/', '\\']).next().unwrap_or(called);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    pattern.eq_ignore_ascii_case(name) || pattern == called
}

#[derive(Clone, Debug)]
struct PathPattern {
    anchor: Anchor,
    exact: GlobMatcher,
    loose: GlobMatcher,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    /// The workspace folder.
    Workspace,
    /// The workspace folder, and any place when it forbids, because it begins with `**/`.
    Anywhere,
    /// The root of the file system.
    Absolute,
}

impl PathPattern {
    fn parse(pattern: &str, home: &Path) -> Result<Self, InvalidRule> {
        let trimmed = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        // What lies beneath is covered anyway, and the folder itself belongs to it.
        let trimmed = trimmed.strip_suffix("/**").filter(|folder| !folder.is_empty()).unwrap_or(trimmed);
        let (anchor, glob) = match trimmed.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                (Anchor::Absolute, format!("{}{rest}", globset::escape(&home.to_string_lossy())))
            }
            Some(_) | None if Path::new(trimmed).is_absolute() => (Anchor::Absolute, trimmed.to_owned()),
            Some(_) | None if trimmed.starts_with("**/") => (Anchor::Anywhere, trimmed.to_owned()),
            Some(_) | None => (Anchor::Workspace, trimmed.to_owned()),
        };
        let build = |loose: bool| {
            let glob = GlobBuilder::new(&glob).literal_separator(true).case_insensitive(loose).build();
            glob.map(|glob| glob.compile_matcher())
                .map_err(|error| InvalidRule::Glob(error.kind().to_string()))
        };
        Ok(Self { anchor, exact: build(false)?, loose: build(true)? })
    }

    fn allows(&self, place: Place<'_>) -> bool {
        match self.anchor {
            Anchor::Workspace | Anchor::Anywhere => {
                place.relative.is_some_and(|path| covers(&self.exact, path))
            }
            Anchor::Absolute => covers(&self.exact, place.real),
        }
    }

    fn forbids(&self, place: Place<'_>) -> bool {
        let absolute = || covers(&self.loose, place.real) || covers(&self.loose, place.named);
        match self.anchor {
            Anchor::Workspace => place.relative.is_some_and(|path| covers(&self.loose, path)),
            Anchor::Anywhere => place.relative.is_some_and(|path| covers(&self.loose, path)) || absolute(),
            Anchor::Absolute => absolute(),
        }
    }
}

fn covers(glob: &GlobMatcher, path: &Path) -> bool {
    path.ancestors()
        .filter(|ancestor| !ancestor.as_os_str().is_empty())
        .any(|ancestor| glob.is_match(ancestor))
}

/// A glob that matches the path alone.
pub(crate) fn escaped(path: &Path) -> String {
    globset::escape(&path.to_string_lossy())
}

/// The folder that a path lies in, if it is not the top.
pub(crate) fn folder_of(path: &Path) -> Option<PathBuf> {
    path.parent()
        .filter(|folder| folder.components().count() > 0 && folder.file_name().is_some())
        .map(Path::to_owned)
}
