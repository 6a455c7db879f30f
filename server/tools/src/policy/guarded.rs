//! Files that make something run later, or that say what may run: no rule and no mode lets them be changed unasked.
//!
//! An agent that writes them would not need any other permission: hooks of git, settings of this product, tasks of the
//! editor, start-up files of shells. Files with credentials are refused altogether.

use std::ffi::OsStr;
use std::path::Path;

/// Names of folders whose content is guarded wherever they lie.
const FOLDERS: [&str; 10] =
    [".git", ".kit", ".agents", ".vscode", ".idea", ".husky", ".ssh", ".gnupg", ".aws", ".devcontainer"];

/// Names of files that are guarded wherever they lie.
const FILES: [&str; 30] = [
    ".kit.yml",
    ".kit.yaml",
    ".kit.json",
    ".mcp.json",
    ".envrc",
    ".exrc",
    ".nvimrc",
    ".nvim.lua",
    ".vimrc",
    ".gvimrc",
    ".gitconfig",
    ".gitmodules",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".inputrc",
    ".netrc",
    ".npmrc",
    ".pypirc",
];

/// The guarded name in a path, if there is one. Case does not matter, as it does not on many file systems.
pub(super) fn guarded_name(path: &Path) -> Option<&'static str> {
    let names: Vec<&OsStr> = path.components().map(|component| component.as_os_str()).collect();
    let last = names.len().saturating_sub(1);
    names.into_iter().enumerate().find_map(|(index, name)| guarded_component(name.to_str()?, index == last))
}

fn guarded_component(name: &str, is_last: bool) -> Option<&'static str> {
    // Windows ignores dots and spaces at the end of a name.
    let name = name.trim_end_matches(['.', ' ']);
    let same = |guarded: &&&str| guarded.eq_ignore_ascii_case(name);
    FOLDERS.iter().find(same).or_else(|| FILES.iter().filter(|_| is_last).find(same)).copied()
}

/// The guarded name that a word of a command mentions, if it does. Anything that could part two names in a word does.
pub(super) fn mentioned_name(word: &str) -> Option<&'static str> {
    word.split(['/', '\\', '=', ':', ',', ';', '"', '\'', '(', ')', '<', '>', ' ', '\n'])
        .find_map(|name| guarded_component(name, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarded_names_are_found_at_any_depth_and_in_any_case() {
        let found = [
            "src/main.rs",
            ".git/hooks/pre-commit",
            "sub/.GIT/config",
            "sub/.git",
            ".gitignore",
            ".kit.yml",
            "a/.kit.yml/b",
            ".kit/extensions/x.wasm",
            ".vscode/tasks.json",
            ".bashrc",
            ".git. /config",
            "git/config",
        ]
        .map(|path| guarded_name(Path::new(path)));
        assert_eq!(
            found,
            [
                None,
                Some(".git"),
                Some(".git"),
                Some(".git"),
                None,
                Some(".kit.yml"),
                None,
                Some(".kit"),
                Some(".vscode"),
                Some(".bashrc"),
                Some(".git"),
                None
            ]
        );
    }

    #[test]
    fn mentions_in_words_are_found() {
        let found = [
            "--git-dir=x/.git",
            "cp",
            ".git/hooks/x",
            "path:.envrc",
            "a.git",
            ".gitignore",
            "import os; open('.bashrc')",
        ]
        .map(mentioned_name);
        assert_eq!(found, [Some(".git"), None, Some(".git"), Some(".envrc"), None, None, Some(".bashrc")]);
    }
}
