//! Rules that are offered together with a question: as narrow as they are useful.

use std::path::Path;

use kit_protocol::{PermissionScope, ToolKind};

use crate::shell::Script;

use super::rule::{Place, Rule, escaped, folder_of};

/// A rule that an answer may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// How far it reaches.
    pub scope: PermissionScope,
    /// The rule.
    pub rule: String,
}

/// Programs whose second word says what they do.
const WITH_SUBCOMMANDS: [&str; 40] = [
    "apt",
    "brew",
    "bun",
    "bundle",
    "cargo",
    "composer",
    "dart",
    "deno",
    "docker",
    "dotnet",
    "flutter",
    "gh",
    "git",
    "glab",
    "go",
    "gradle",
    "gradlew",
    "helm",
    "just",
    "kubectl",
    "make",
    "mix",
    "mvn",
    "nix",
    "npm",
    "pip",
    "pip3",
    "pnpm",
    "podman",
    "poetry",
    "rake",
    "rustup",
    "swift",
    "systemctl",
    "task",
    "terraform",
    "tox",
    "uv",
    "yarn",
    "zig",
];

/// Programs that can do anything their arguments say: never offered with open arguments.
const ANYTHING: [&str; 44] = [
    "awk", "bash", "chgrp", "chmod", "chown", "cp", "curl", "dd", "deno", "docker", "env", "eval", "exec",
    "find", "gawk", "install", "kill", "killall", "ln", "lua", "mkfs", "mv", "node", "npx", "perl", "php",
    "pkill", "podman", "python", "python3", "rm", "rmdir", "rsync", "ruby", "scp", "sed", "sh", "ssh",
    "sudo", "tee", "truncate", "wget", "xargs", "zsh",
];

/// Longer lines are not offered as a rule: nobody reads them.
const LONGEST_LINE: usize = 160;

/// Rules for a command line.
pub(super) fn for_command(line: &str, script: &Script, home: &Path) -> Vec<Suggestion> {
    let rule = prefix_rule(script).or_else(|| line_rule(line));
    // A rule that would not be read back as meant is not offered.
    let rule = rule.filter(|rule| Rule::parse(rule, home).is_ok_and(|rule| covers(&rule, line, script)));
    let scopes = [PermissionScope::Session, PermissionScope::Project, PermissionScope::User];
    rule.map(|rule| scopes.map(|scope| Suggestion { scope, rule: rule.clone() }).to_vec()).unwrap_or_default()
}

fn covers(rule: &Rule, line: &str, script: &Script) -> bool {
    rule.allows_line(line) || script.commands.iter().all(|command| rule.allows_command(command))
}

fn prefix_rule(script: &Script) -> Option<String> {
    let [command] = script.commands.as_slice() else { return None };
    let plain = script.doubts.is_empty() && command.assignments.is_empty() && command.redirections.is_empty();
    let is_name = |word: &&crate::shell::Word| {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.:+".contains(character);
        word.literal && !word.text.starts_with('-') && !word.text.is_empty() && word.text.chars().all(allowed)
    };
    let program = command.words.first().filter(is_name).filter(|_| plain)?.text.as_str();
    let second = command.words.get(1).filter(is_name).map(|word| word.text.as_str());
    let third = command.words.get(2).filter(is_name).map(|word| word.text.as_str());
    if WITH_SUBCOMMANDS.contains(&program) {
        return match (second?, third) {
            ("exec" | "x" | "dlx" | "config" | "alias" | "eval", _) => None,
            ("run", Some(script)) if program != "docker" && program != "podman" && program != "go" => {
                Some(format!("Bash({program} run {script}:*)"))
            }
            ("run", _) if matches!(program, "docker" | "podman") => None,
            (subcommand, _) => Some(format!("Bash({program} {subcommand}:*)")),
        };
    }
    (!ANYTHING.contains(&program) && !crate::shell::is_wrapper(program)).then(|| format!("Bash({program}:*)"))
}

fn line_rule(line: &str) -> Option<String> {
    let line = line.trim();
    (line.len() <= LONGEST_LINE && !line.contains(char::is_control)).then(|| format!("Bash(={line})"))
}

/// Rules for what is done to a file.
pub(super) fn for_place(kind: ToolKind, place: Place<'_>) -> Vec<Suggestion> {
    let class = if kind == ToolKind::Edit { "Edit" } else { "Read" };
    match place.relative {
        Some(relative) => {
            let beside = match folder_of(relative) {
                Some(folder) => format!("{class}({}/**)", escaped(&folder)),
                None => format!("{class}({})", escaped(relative)),
            };
            vec![
                Suggestion { scope: PermissionScope::Session, rule: format!("{class}(**)") },
                Suggestion { scope: PermissionScope::Project, rule: beside },
            ]
        }
        None => {
            let rule = match folder_of(place.real) {
                Some(folder) => format!("{class}({}/**)", escaped(&folder)),
                None => format!("{class}({})", escaped(place.real)),
            };
            [PermissionScope::Session, PermissionScope::Project, PermissionScope::User]
                .map(|scope| Suggestion { scope, rule: rule.clone() })
                .to_vec()
        }
    }
}

/// Rules for any other tool.
pub(super) fn for_tool(tool: &str) -> Vec<Suggestion> {
    let rule = globset::escape(tool);
    [PermissionScope::Session, PermissionScope::Project, PermissionScope::User]
        .map(|scope| Suggestion { scope, rule: rule.clone() })
        .to_vec()
}
