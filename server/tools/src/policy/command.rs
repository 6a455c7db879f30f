//! What the rules say about a command line.

use crate::shell::{Doubt, Script, Simple};

use super::guarded::mentioned_name;
use super::rule::{Hit, Rule};
use super::{Layered, Sourced};

/// What the rules that allow say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// Every command is allowed; the rules that did it.
    Covered(Vec<String>),
    /// One is not; why.
    Uncovered(String),
}

/// The first rule that hits the line.
pub(super) fn first_hit<'rules>(
    rules: impl Iterator<Item = &'rules Sourced>,
    line: &str,
    script: &Script,
) -> Option<(Hit, &'rules Sourced)> {
    let mut perhaps = None;
    for sourced in rules {
        match sourced.rule.hits_line(line, script) {
            Hit::Yes => return Some((Hit::Yes, sourced)),
            Hit::Perhaps => perhaps = perhaps.or(Some((Hit::Perhaps, sourced))),
            // What was not followed may hide the command, unless the rule is about all of them anyway.
            Hit::No if !script.doubts.is_empty() => perhaps = perhaps.or(Some((Hit::Perhaps, sourced))),
            Hit::No => {}
        }
    }
    perhaps
}

/// Whether the rules that allow cover all of the line.
pub(super) fn coverage(rules: &Layered<'_>, line: &str, script: &Script, cwd: &std::path::Path) -> Coverage {
    let whole = |sourced: &&Sourced| sourced.rule.covers_everything() || sourced.rule.allows_line(line);
    if let Some(sourced) = rules.iter().find(whole) {
        return Coverage::Covered(vec![sourced.to_string()]);
    }
    if let Some(doubt) = script.doubts.first() {
        return Coverage::Uncovered(why_doubt(doubt));
    }
    let mut used = Vec::new();
    for command in &script.commands {
        if command.transparent || changes_to_own_folder(command, cwd, script.commands.len()) {
            if let Some(why) = side_effect(command) {
                return Coverage::Uncovered(why);
            }
            continue;
        }
        let Some(sourced) = rules.iter().find(|sourced| allows(&sourced.rule, command)) else {
            let why = side_effect(command).unwrap_or_else(|| format!("no rule allows `{}`", shown(command)));
            return Coverage::Uncovered(why);
        };
        used.push(sourced.to_string());
    }
    used.dedup();
    if used.is_empty() {
        return Coverage::Uncovered("no rule allows it".to_owned());
    }
    Coverage::Covered(used)
}

fn allows(rule: &Rule, command: &Simple) -> bool {
    rule.allows_command(command) && side_effect(command).is_none()
}

fn side_effect(command: &Simple) -> Option<String> {
    if let Some(assignment) = command.assignments.first() {
        return Some(format!("it sets a variable: `{}`", clipped(assignment)));
    }
    command
        .redirections
        .first()
        .map(|redirection| format!("it redirects to or from a file: `{}`", clipped(redirection)))
}

/// `cd` before another command, to a folder below the one that the command runs in.
fn changes_to_own_folder(command: &Simple, cwd: &std::path::Path, commands: usize) -> bool {
    let [program, folder] = command.words.as_slice() else { return false };
    let path = std::path::Path::new(&folder.text);
    let path = path.strip_prefix(cwd).unwrap_or(path);
    let plain =
        |component| matches!(component, std::path::Component::Normal(_) | std::path::Component::CurDir);
    commands > 1
        && program.literal
        && program.text == "cd"
        && folder.literal
        && !folder.text.starts_with(['-', '~'])
        && path.components().all(plain)
}

/// Whether a line only looks, and only at the workspace: it may run unasked in the mode that allows the most.
///
/// The list is short on purpose. Commands that print the content of files are not on it, because the tools for that
/// follow links and know the workspace, and a command line does not.
pub(super) fn is_harmless(script: &Script) -> bool {
    script.doubts.is_empty() && !script.commands.is_empty() && script.commands.iter().all(is_harmless_command)
}

fn is_harmless_command(command: &Simple) -> bool {
    const GIT: [&str; 9] =
        ["status", "diff", "log", "show", "blame", "rev-parse", "ls-files", "describe", "shortlog"];
    const RISKY: [&str; 7] = [
        "--output",
        "--ext-diff",
        "--textconv",
        "--no-index",
        "--open-files-in-pager",
        "--exec-path",
        "--contents",
    ];
    if command.transparent || side_effect(command).is_some() {
        return false;
    }
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let inside = command.words.iter().all(|word| {
        word.literal
            && !word.text.contains("..")
            && !word.text.contains('~')
            && !word.text.split('=').any(|part| part.starts_with(['/', '\\']))
            && !RISKY.iter().any(|option| word.text.starts_with(option))
    });
    inside
        && match words.as_slice() {
            ["pwd" | "true" | "date" | "whoami" | "uname" | "ls", ..] => true,
            ["git", subcommand, ..] => GIT.contains(subcommand),
            [] | [_, ..] => false,
        }
}

/// The guarded name that the line mentions, if it does.
pub(super) fn mentioned(script: &Script) -> Option<&'static str> {
    script.commands.iter().find_map(|command| {
        let words = command.words.iter().map(|word| word.text.as_str());
        let others = command.redirections.iter().chain(&command.assignments).map(String::as_str);
        words.chain(others).find_map(mentioned_name)
    })
}

/// Why a line with this doubt asks.
pub(super) fn why_doubt(doubt: &Doubt) -> String {
    format!("the command cannot be judged from its text: {doubt}")
}

fn shown(command: &Simple) -> String {
    clipped(&command.text())
}

fn clipped(text: &str) -> String {
    crate::caps::line(text, 120).into_owned()
}
