//! Reads the files of a project or of the user, within a fence.
//!
//! A file of a project is read only if it really lies in the project, links followed: a link to somewhere else brings
//! nothing into a prompt, whether the project is trusted or not (I18). Files of the user have no fence. Every file has a
//! largest size, and folders a largest number of files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file of instructions, skills or templates.
const LARGEST_FILE: u64 = 256 * 1024;
/// The most files of one folder that are looked at.
const MOST_FILES: usize = 500;

/// What a file must lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Nothing.
    Open,
    /// This folder, without links in its path.
    Within(PathBuf),
}

impl Fence {
    /// The fence around a project; one that cannot be found holds nothing.
    pub(crate) fn around(folder: &Path) -> Self {
        Self::Within(fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()))
    }

    fn check(&self, path: &Path) -> Result<(), String> {
        match self {
            Self::Open => Ok(()),
            Self::Within(folder) => {
                let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
                if real.starts_with(folder) {
                    return Ok(());
                }
                Err(format!("it leads out of {}; it is left out", folder.display()))
            }
        }
    }
}

/// The text of a file, or one sentence about why there is none. `None` if there is no such file.
pub(crate) fn read(path: &Path, fence: &Fence) -> Option<Result<String, String>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // A link to nothing says nothing either.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(format!("it cannot be read: {error}"))),
    };
    if !metadata.is_file() {
        return None;
    }
    Some(fence.check(path).and_then(|()| {
        if metadata.len() > LARGEST_FILE {
            return Err(format!("it has {} bytes, more than {LARGEST_FILE}; it is left out", metadata.len()));
        }
        let bytes = fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8; it is left out".to_owned())
    }))
}

/// The files of a folder with one of the endings, and `DIR/NAME` of its folders where `nested` names a file, sorted.
pub(crate) fn files(folder: &Path, endings: &[&str], nested: Option<&str>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).take(MOST_FILES).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| chosen(path, endings, nested)).collect()
}

/// The file that an entry of a folder stands for.
pub(crate) fn chosen(path: PathBuf, endings: &[&str], nested: Option<&str>) -> Option<PathBuf> {
    if path.is_dir() {
        let wanted = nested?;
        let mut inner: Vec<PathBuf> = fs::read_dir(&path).ok()?.flatten().map(|entry| entry.path()).collect();
        inner.sort();
        return inner.into_iter().find(|inner| {
            inner.file_name().is_some_and(|name| name.to_string_lossy().eq_ignore_ascii_case(wanted))
        });
    }
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    endings.contains(&ending.as_str()).then_some(path)
}

/// The files below some folders of a folder, as paths relative to it, sorted: at most `most`, and how many there are.
/// Links are not followed.
pub(crate) fn below(folder: &Path, names: &[&str], most: usize) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    while let Some(next) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries.flatten().take(MOST_FILES) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && waiting.len() < MOST_FILES => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    let path = entry.path();
                    let relative = path.strip_prefix(folder).unwrap_or(&path);
                    found.push(relative.to_string_lossy().replace('\\', "/"));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
    found.sort();
    let all = found.len();
    found.truncate(most);
    (found, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn files_are_chosen_by_ending_and_folders_by_their_file() {
        let folder = tree(&["b.md", "a.TXT", "c.rs", "deploy/skill.md", "deploy/other.md", "empty/x.md"]);
        let names = |nested| {
            let found = files(folder.path(), &["md", "txt"], nested);
            let relative =
                |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
            found.into_iter().map(relative).collect::<Vec<_>>()
        };
        assert_eq!(names(Some("SKILL.md")), ["a.TXT", "b.md", "deploy/skill.md"]);
        assert_eq!(names(None), ["a.TXT", "b.md"]);
        assert_eq!(files(&folder.path().join("missing"), &["md"], None), Vec::<PathBuf>::new());
    }

    #[test]
    fn files_below_are_counted_and_cut() {
        let folder = tree(&["scripts/b", "scripts/sub/a", "assets/c", "other/d"]);
        assert_eq!(
            below(folder.path(), &["scripts", "assets"], 2),
            (vec!["assets/c".into(), "scripts/b".into()], 3)
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_fence_brings_nothing() {
        let folder = tree(&["project/in.md", "outside.md"]);
        let project = folder.path().join("project");
        std::os::unix::fs::symlink("../outside.md", project.join("link.md")).unwrap();
        std::os::unix::fs::symlink("in.md", project.join("alias.md")).unwrap();
        std::os::unix::fs::symlink("nowhere", project.join("dangling.md")).unwrap();
        let fence = Fence::around(&project);
        assert_eq!(read(&project.join("alias.md"), &fence), Some(Ok("project/in.md".into())));
        assert!(read(&project.join("link.md"), &fence).unwrap().unwrap_err().starts_with("it leads out of"));
        assert_eq!(read(&project.join("link.md"), &Fence::Open), Some(Ok("outside.md".into())));
        assert_eq!(read(&project.join("dangling.md"), &fence), None);
        assert_eq!(read(&project, &Fence::Open), None);
    }

    #[test]
    fn large_files_and_other_encodings_are_left_out_with_their_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        fs::write(&path, vec![b'x'; 300 * 1024]).unwrap();
        assert_eq!(
            read(&path, &Fence::Open),
            Some(Err("it has 307200 bytes, more than 262144; it is left out".into()))
        );
        fs::write(&path, [0xFF, 0xFE]).unwrap();
        assert_eq!(read(&path, &Fence::Open), Some(Err("it is not UTF-8; it is left out".into())));
    }
}
