//! `AGENTS.md`: instructions of the project and of the user.
//!
//! At the beginning of a session these are read: the user's own, then those of the folders from the top of the
//! repository down to the session's folder, so that the nearest one has the last word. Folders above that belong to
//! another user of the machine are left out. The ones in folders below are told when a tool touches a file beneath
//! them, with the result of that tool, so that the system prompt never changes.

use std::fs;
use std::path::{Path, PathBuf};

use super::folders::{self, Fence};
use super::skill::escaped;

/// The name of the file.
pub(crate) const FILE: &str = "AGENTS.md";
/// How every block of nested instructions begins.
pub(crate) const OPENING: &str = "<instructions path=\"";
/// One file is told up to here.
const LARGEST: usize = 32 * 1024;
/// All files of a system prompt.
const LARGEST_ALL: usize = 64 * 1024;
/// How far up a repository's top is looked for.
const HIGHEST: usize = 32;

/// The instructions of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instructions {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The files that hold for a trusted folder, outermost first.
pub(crate) fn of_project(cwd: &Path) -> Vec<PathBuf> {
    let own = owner(cwd);
    let above = cwd.ancestors().take(HIGHEST);
    let mut chain: Vec<&Path> = Vec::new();
    let mut found_top = false;
    for folder in above {
        if chain.last().is_some() && owner(folder) != own {
            break;
        }
        chain.push(folder);
        if folder.join(".git").exists() {
            found_top = true;
            break;
        }
    }
    if !found_top {
        chain.truncate(1);
    }
    chain.into_iter().rev().map(|folder| folder.join(FILE)).collect()
}

/// The folder that the files of a project must lie in: the top of its repository, or its own.
pub(crate) fn top(cwd: &Path) -> PathBuf {
    of_project(cwd).first().and_then(|file| file.parent()).unwrap_or(cwd).to_owned()
}

/// The files of the folders between a root and a file in it, outermost first; the root's own is not among them.
pub(crate) fn nested(root: &Path, file: &Path) -> Vec<PathBuf> {
    let Ok(relative) = file.strip_prefix(root) else { return Vec::new() };
    let mut folder = root.to_owned();
    let mut files = Vec::new();
    for component in relative.parent().into_iter().flat_map(Path::components) {
        folder.push(component);
        files.push(folder.join(FILE));
    }
    files
}

#[cfg(unix)]
fn owner(folder: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).ok().map(|metadata| metadata.uid())
}

#[cfg(not(unix))]
fn owner(folder: &Path) -> Option<u32> {
    fs::metadata(folder).ok().map(|_| 0)
}

/// Reads one file; `None` where there is nothing to tell.
pub(crate) fn read(path: PathBuf, fence: &Fence) -> Option<Result<Instructions, String>> {
    let text = match folders::read(&path, fence)? {
        Ok(text) => text,
        Err(why) => return Some(Err(why)),
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    (!text.is_empty()).then(|| Ok(Instructions { text: capped(text, LARGEST), path }))
}

/// The part of the system prompt; empty without instructions.
pub(crate) fn section(all: &[Instructions]) -> String {
    let mut text = String::new();
    for instructions in all {
        let piece =
            format!("Instructions from: {}\n\n{}\n\n", instructions.path.display(), instructions.text);
        if text.len() + piece.len() > LARGEST_ALL {
            text.push_str(&format!(
                "[{} is left out: the instructions are too long]\n\n",
                instructions.path.display()
            ));
        } else {
            text.push_str(&piece);
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "# Instructions of the project and the user\n\nWhere they contradict each other, the later ones count.\n\n{text}"
    )
}

/// What follows a tool's result about instructions that hold below a folder.
pub(crate) fn block(display: &str, instructions: &Instructions) -> String {
    format!("\n\n{}\n{}\n</instructions>", opening(display), instructions.text)
}

/// How such a block begins; by it the conversation tells what was told.
pub(crate) fn opening(display: &str) -> String {
    format!("{OPENING}{}\">", escaped(display))
}

fn capped(text: &str, most: usize) -> String {
    let keep = text.floor_char_boundary(most);
    let mut kept = text.get(..keep).unwrap_or_default().to_owned();
    if keep < text.len() {
        kept.push_str(&format!("\n[{} more bytes are cut]", text.len() - keep));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &Path, paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| path.strip_prefix(base).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_chain_goes_up_to_the_top_of_the_repository_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("mono/.git")).unwrap();
        fs::create_dir_all(base.join("mono/a/b")).unwrap();
        fs::create_dir_all(base.join("plain/a")).unwrap();
        let chain = |path: &str| names(&base, &of_project(&base.join(path)));
        assert_eq!(chain("mono/a/b"), ["mono/AGENTS.md", "mono/a/AGENTS.md", "mono/a/b/AGENTS.md"]);
        assert_eq!(chain("mono"), ["mono/AGENTS.md"]);
        assert_eq!(chain("plain/a"), ["plain/a/AGENTS.md"]);
        assert_eq!(
            (top(&base.join("mono/a")), top(&base.join("plain/a"))),
            (base.join("mono"), base.join("plain/a"))
        );
    }

    #[test]
    fn nested_files_lie_between_the_root_and_the_file() {
        let nested = |file: &str| names(Path::new("/w"), &nested(Path::new("/w"), Path::new(file)));
        assert_eq!(nested("/w/a/b/c.rs"), ["a/AGENTS.md", "a/b/AGENTS.md"]);
        assert_eq!(nested("/w/c.rs"), Vec::<String>::new());
        assert_eq!(nested("/other/a/c.rs"), Vec::<String>::new());
    }

    #[test]
    fn long_instructions_are_cut_with_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "ä".repeat(20_000)).unwrap();
        let read = read(path.clone(), &Fence::Open).unwrap().unwrap();
        assert!(
            read.text.ends_with("ä\n[7232 more bytes are cut]"),
            "{}",
            &read.text[read.text.len() - 50..]
        );
        let section = section(&[read.clone(), read.clone(), read]);
        assert_eq!(section.matches("Instructions from: ").count(), 1);
        assert_eq!(section.matches("is left out: the instructions are too long]").count(), 2);
        fs::write(&path, "  \n").unwrap();
        assert_eq!(super::read(path, &Fence::Open), None);
    }
}
