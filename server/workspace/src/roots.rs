//! Workspace roots, and what a path that a model or a user wrote means.
//!
//! A path is absolute, relative to a given base, below `~`, a `file:` URI, or `root:path` when there are several
//! roots; the working directory of the process is never looked at. Whether it is inside is decided on real paths,
//! component by component, with symbolic links followed at the nearest existing ancestor (I18).

use std::path::{Component, Path, PathBuf};

use crate::real_path::{normalize, real_path};
use crate::{DocumentUri, WorkspaceError};

/// A directory that the user opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its path as the editor has it.
    pub path: PathBuf,
    /// Its path without symbolic links.
    pub real: PathBuf,
    /// Its name, unique among the roots.
    pub name: String,
}

impl Root {
    /// A root that is named after its directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = normalize(&path.into());
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self::named(path, name)
    }

    /// A root with a name of the editor's.
    pub fn named(path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        let path = normalize(&path.into());
        let real = real_path(&path).unwrap_or_else(|_| path.clone());
        Self { path, real, name: name.into() }
    }
}

/// A file or directory, existing or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its name for editors.
    pub uri: DocumentUri,
    /// Its absolute path as it was written, for people and editors.
    pub path: PathBuf,
    /// Its path without symbolic links: what is read, written and compared.
    pub real: PathBuf,
    /// Its path relative to its root, with `/`; absolute outside of all roots.
    pub display: String,
    /// Whether it lies in a root.
    pub inside: bool,
    /// The root that it lies in.
    pub root: Option<PathBuf>,
}

/// The roots of a workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    pub(crate) list: Vec<Root>,
    home: Option<PathBuf>,
}

impl Roots {
    pub(crate) fn new(mut list: Vec<Root>, home: Option<PathBuf>) -> Self {
        for index in 1..list.len() {
            let (before, rest) = list.split_at_mut(index);
            let Some(root) = rest.first_mut() else { continue };
            let plain = root.name.clone();
            let mut number = 2;
            while before.iter().any(|other| other.name == root.name) {
                root.name = format!("{plain}-{number}");
                number += 1;
            }
        }
        Self { list, home }
    }

    /// What a written path means.
    pub(crate) fn resolve(&self, base: &Path, text: &str) -> Result<Location, WorkspaceError> {
        if text.is_empty() {
            return Err(WorkspaceError::EmptyPath);
        }
        let path = match DocumentUri::parse(text).to_path() {
            Some(path) => path,
            None => self.expand(base, text)?,
        };
        self.locate(base, &path)
    }

    /// What an absolute path means; `base` chooses the root that is displayed without its name.
    pub(crate) fn locate(&self, base: &Path, path: &Path) -> Result<Location, WorkspaceError> {
        if !path.is_absolute() {
            return Err(WorkspaceError::RelativeBase { path: path.to_path_buf() });
        }
        let bad =
            |why: std::io::Error| WorkspaceError::BadPath { path: shortened(path), why: why.to_string() };
        let real = real_path(path).map_err(bad)?;
        let mut shown = normalize(path);
        let climbs = path.components().any(|component| component == Component::ParentDir);
        if climbs && real_path(&shown).ok().as_deref() != Some(&real) {
            shown.clone_from(&real);
        }
        let root = self.root_of(&real);
        let display = match root {
            None => slashed(&shown),
            Some(root) => {
                let relative = shown
                    .strip_prefix(&root.path)
                    .or_else(|_| real.strip_prefix(&root.real))
                    .map(slashed)
                    .unwrap_or_default();
                let relative = if relative.is_empty() { ".".to_owned() } else { relative };
                let base_root = (self.list.len() > 1)
                    .then(|| self.root_of(&real_path(base).unwrap_or_else(|_| base.to_path_buf())))
                    .flatten();
                match base_root {
                    Some(other) if other.name != root.name => format!("{}:{relative}", root.name),
                    Some(_) | None => relative,
                }
            }
        };
        Ok(Location {
            uri: DocumentUri::from_path(&shown),
            inside: root.is_some(),
            root: root.map(|root| root.path.clone()),
            path: shown,
            real,
            display,
        })
    }

    /// The innermost root of a path without symbolic links.
    pub(crate) fn root_of(&self, real: &Path) -> Option<&Root> {
        self.list
            .iter()
            .filter(|root| real.starts_with(&root.real))
            .max_by_key(|root| root.real.components().count())
    }

    fn expand(&self, base: &Path, text: &str) -> Result<PathBuf, WorkspaceError> {
        let below_home =
            text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(is_separator));
        if let Some(rest) = below_home {
            let home = self.home.as_ref().ok_or(WorkspaceError::NoHome)?;
            return Ok(home.join(rest.trim_start_matches(is_separator)));
        }
        if self.list.len() > 1
            && let Some((name, rest)) = text.split_once(':')
            && let Some(root) = self.list.iter().find(|root| root.name == name)
        {
            return Ok(root.path.join(rest.trim_start_matches(is_separator)));
        }
        Ok(base.join(text))
    }
}

fn is_separator(character: char) -> bool {
    std::path::is_separator(character)
}

/// A path for people and models, with `/` on all systems.
pub(crate) fn slashed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() }
}

/// A path short enough for a message.
fn shortened(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    match text.char_indices().nth(200) {
        Some((end, _)) => PathBuf::from(format!("{}…", text.get(..end).unwrap_or_default())),
        None => path.to_path_buf(),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Fixture {
        _directory: tempfile::TempDir,
        top: PathBuf,
        roots: Roots,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap();
        for path in ["project/src", "project/nested/deep", "other", "outside", "projectile"] {
            fs::create_dir_all(top.join(path)).unwrap();
        }
        symlink(top.join("outside"), top.join("project/escape")).unwrap();
        symlink(top.join("outside/new.txt"), top.join("project/dangling")).unwrap();
        symlink("src", top.join("project/source")).unwrap();
        symlink(top.join("project"), top.join("alias")).unwrap();
        let list = ["project", "project/nested", "other"].map(|path| Root::new(top.join(path))).into();
        Fixture { roots: Roots::new(list, Some(top.join("outside"))), top, _directory: directory }
    }

    #[test]
    fn paths_mean_what_the_base_and_the_roots_say() {
        let Fixture { top, roots, _directory } = fixture();
        let base = top.join("project");
        let check = |text: &str, path: &str, display: Option<&str>| {
            let location = roots.resolve(&base, text).unwrap();
            assert_eq!(location.path, top.join(path), "{text}");
            assert_eq!(location.inside, display.is_some(), "{text}");
            let absolute = top.join(path);
            assert_eq!(location.display, display.unwrap_or(absolute.to_str().unwrap()), "{text}");
            assert_eq!(location.uri, DocumentUri::from_path(&top.join(path)), "{text}");
        };
        let absolute = |path: &str| top.join(path).to_str().unwrap().to_owned();
        check("src/a.rs", "project/src/a.rs", Some("src/a.rs"));
        check("./src/../b", "project/b", Some("b"));
        check(".", "project", Some("."));
        check(&absolute("project/x"), "project/x", Some("x"));
        check(&format!("file://{}", absolute("project/a%20b")), "project/a b", Some("a b"));
        check("nested/deep/x", "project/nested/deep/x", Some("nested:deep/x"));
        check("other:sub/x", "other/sub/x", Some("other:sub/x"));
        check("../other/x", "other/x", Some("other:x"));
        check("source/a.rs", "project/source/a.rs", Some("source/a.rs"));
        check("~/x", "outside/x", None);
        check("~", "outside", None);
        check("~x", "project/~x", Some("~x"));
        check("-v", "project/-v", Some("-v"));
        check("../projectile/x", "projectile/x", None);
        check("escape/x", "project/escape/x", None);
        check("escape/../other/x", "other/x", Some("other:x"));
        check("dangling", "project/dangling", None);
        check("new/../../outside/x", "outside/x", None);
    }

    #[test]
    fn a_root_behind_a_link_contains_its_files_under_both_names() {
        let Fixture { top, _directory, .. } = fixture();
        let roots = Roots::new(vec![Root::new(top.join("alias"))], None);
        for path in ["alias/src/a.rs", "project/src/a.rs"] {
            let location = roots.resolve(&top, top.join(path).to_str().unwrap()).unwrap();
            assert!(location.inside);
            assert_eq!(location.display, "src/a.rs");
            assert_eq!(location.real, top.join("project/src/a.rs"));
            assert_eq!(location.path, top.join(path));
        }
    }

    #[test]
    fn unusable_paths_are_errors() {
        let Fixture { top, roots, _directory } = fixture();
        assert_eq!(roots.resolve(&top, ""), Err(WorkspaceError::EmptyPath));
        assert_eq!(
            roots.resolve(Path::new("relative"), "x"),
            Err(WorkspaceError::RelativeBase { path: "relative/x".into() })
        );
        assert!(matches!(roots.resolve(&top, "a\0b"), Err(WorkspaceError::BadPath { .. })));
        assert_eq!(Roots::default().resolve(&top, "~/x"), Err(WorkspaceError::NoHome));
    }

    #[test]
    fn roots_of_the_same_name_are_numbered() {
        let roots = Roots::new(vec![Root::new("/a/x"), Root::new("/b/x"), Root::new("/c/x")], None);
        let names: Vec<&str> = roots.list.iter().map(|root| root.name.as_str()).collect();
        assert_eq!(names, ["x", "x-2", "x-3"]);
    }
}
