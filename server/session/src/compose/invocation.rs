//! Prompts that name a template, a skill or a prompt of an MCP server: `/review src/main.rs`, `/skill:deploy to staging`,
//! `/mcp:issues:triage 12`.
//!
//! A template becomes the prompt itself. A skill stays in the prompt as it was typed, with the skill's text behind it, and
//! so does a server's prompt, which is fetched within the turn. A line that begins with a slash and names none of them is
//! a prompt like any other, unless it was run as a command, is a template's name with a slip of the fingers, or begins as
//! no sentence does.

use std::path::Path;
use std::sync::Arc;

use kit_protocol::{CommandInput, ErrorKind, KitError};
use kit_text::Encoding;

use crate::contributions::CommandCall;
use crate::dependencies::Shared;
use crate::near;
use crate::project::Library;
use crate::project::skill::Skill;
use crate::reference::CommandReference;

/// How the names of skills begin among commands.
pub(crate) const SKILL: &str = "skill:";
/// How the names of MCP servers' prompts begin among commands.
pub(crate) const MCP: &str = "mcp:";

/// From how many characters on a name can be another one with a slip, and how many may be wrong.
const SHORTEST_SLIP: usize = 4;
const MOST_SLIPS: usize = 2;

/// A command with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) name: String,
    pub(crate) input: CommandInput,
}

/// What a prompt became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The prompt.
    pub(super) text: String,
    /// What stands behind it.
    pub(super) block: Option<String>,
    /// The command that the text is, which is fetched within the turn.
    pub(super) command: Option<CommandReference>,
}

/// The command at the beginning of a prompt.
pub(crate) fn read(text: &str) -> Option<Invocation> {
    let line = text.trim().strip_prefix('/')?;
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let is_name = !name.is_empty() && !name.contains('/');
    is_name.then(|| Invocation { name: name.to_owned(), input: CommandInput::Line(rest.trim().to_owned()) })
}

/// The skill that a prompt names at its beginning.
pub(crate) fn named_skill(text: &str) -> Option<String> {
    read(text).and_then(|invocation| invocation.name.strip_prefix(SKILL).map(str::to_owned))
}

/// What a prompt stands for. `invocation` is a command that was run by name; without one the text may begin with it.
pub(super) async fn expand(
    shared: &Shared,
    cwd: &Path,
    text: String,
    invocation: Option<Invocation>,
    model: &str,
) -> Result<Expanded, KitError> {
    let must_exist = invocation.is_some();
    let Some(invocation) = invocation.or_else(|| read(&text)) else {
        return Ok(Expanded { text, ..Expanded::default() });
    };
    let library = shared.library(cwd).await;
    if let Some(template) = library.templates.get(&invocation.name) {
        let expanded = template.expand(&invocation.input, model);
        let text = expanded.map_err(|why| KitError::new(ErrorKind::InvalidRequest, why))?;
        return Ok(Expanded { text, ..Expanded::default() });
    }
    if let Some(name) = invocation.name.strip_prefix(SKILL) {
        let Some(skill) = library.skills.get(name).cloned() else {
            return Err(unknown(&invocation.name, &library, &[]));
        };
        return Ok(activated(shared, skill, text, &invocation).await);
    }
    if invocation.name.starts_with(MCP) {
        let (words, line) = spelled(invocation.input.clone());
        let call = CommandCall {
            name: invocation.name.clone(),
            words,
            line,
            session: None,
            cwd: cwd.to_owned(),
            context: Vec::new(),
            encoding: Encoding::default(),
        };
        if let Some(checked) = shared.with.contributions.check(&call) {
            checked?;
            let CommandCall { name, words, line, .. } = call;
            let text = typed(text, &invocation);
            return Ok(Expanded { text, command: Some(CommandReference { name, words, line }), block: None });
        }
    }
    if must_exist || invocation.name.starts_with(MCP) || is_slip(&invocation.name, library.templates.keys()) {
        let others = shared.with.contributions.commands(cwd).into_iter().map(|command| command.name);
        return Err(unknown(&invocation.name, &library, &others.collect::<Vec<_>>()));
    }
    Ok(Expanded { text, ..Expanded::default() })
}

/// What stands behind a command, word by word and as one line.
pub(crate) fn spelled(input: CommandInput) -> (Vec<String>, String) {
    match input {
        CommandInput::Line(line) => (crate::project::words(&line), line),
        CommandInput::Words(words) => (words.clone(), words.join(" ")),
        CommandInput::Named(named) => {
            let words: Vec<String> = named.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (words.clone(), words.join(" "))
        }
    }
}

async fn activated(shared: &Shared, skill: Skill, text: String, invocation: &Invocation) -> Expanded {
    let projects = Arc::clone(&shared.with.projects);
    let content = tokio::task::spawn_blocking(move || projects.skill_content(&skill)).await;
    let text = typed(text, invocation);
    let block = content.ok().map(|content| format!("\n\n{content}"));
    Expanded { text, block, ..Expanded::default() }
}

/// A command as it was typed, or as it would have been.
fn typed(text: String, invocation: &Invocation) -> String {
    if !text.trim().is_empty() {
        return text;
    }
    let (_, line) = spelled(invocation.input.clone());
    format!("/{} {line}", invocation.name).trim_end().to_owned()
}

/// Whether a name is nearly that of a template: a model that gets it as a prompt could only guess.
fn is_slip<'a>(name: &str, templates: impl IntoIterator<Item = &'a String>) -> bool {
    let mut templates = templates.into_iter();
    name.chars().count() >= SHORTEST_SLIP && templates.any(|known| near::distance(name, known) <= MOST_SLIPS)
}

/// The error about a command that does not exist, with what may have been meant.
pub(crate) fn unknown(name: &str, library: &Library, others: &[String]) -> KitError {
    let skills: Vec<String> = library.skills.keys().map(|name| format!("{SKILL}{name}")).collect();
    let known = library.templates.keys().chain(&skills).chain(others);
    let hint = near::hint(name, known.map(String::as_str));
    KitError::new(ErrorKind::NotFound, format!("there is no command `/{name}`{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_slash_and_a_word_may_be_a_command() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(name, line)| Invocation {
                name: name.to_owned(),
                input: CommandInput::Line(line.to_owned()),
            });
            assert_eq!(read(text), expected, "{text:?}");
        };
        check("/review a  b ", Some(("review", "a  b")));
        check(" /skill:deploy\nto staging", Some(("skill:deploy", "to staging")));
        check("/etc/hosts is wrong", None);
        check("review", None);
        check("/", None);
        check("/ x", None);
    }

    #[test]
    fn a_name_with_a_slip_is_no_prompt() {
        let templates = ["review".to_owned(), "fix".to_owned()];
        let slips = ["reviw", "Reveiw", "review", "revert", "fxi", "tmp", "usr"]
            .map(|name| is_slip(name, &templates));
        assert_eq!(slips, [true, true, true, false, false, false, false]);
    }
}
