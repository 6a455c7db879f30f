//! What an extension is on disk, and where extensions are looked for.
//!
//! An extension is a file: JavaScript, TypeScript, or a component. A folder with a `main.js`, `main.ts` or
//! `extension.wasm` is one as well, named after the folder. Order is load order: the user's folder, then the trusted
//! folders of the workspace, then what the settings and the command line name; within a folder by name. What is named
//! twice is loaded where it is named last.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kit_contract::Permissions;
use serde::Deserialize;

/// The main file of a folder that is an extension, in the order in which they are tried.
const MAIN: [&str; 4] = ["extension.wasm", "main.js", "main.ts", "main.mjs"];
/// The manifest beside a component, or in an extension's folder.
const MANIFEST: &str = "extension.json";
/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// What kind of program an extension is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// JavaScript, run by the engine component.
    JavaScript(String),
    /// A component.
    Component(Vec<u8>),
}

/// An extension as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its main file.
    pub path: PathBuf,
    /// Its name, after the file or folder.
    pub name: String,
    /// Hash of all that it consists of.
    pub hash: String,
    /// The program.
    pub program: Program,
    /// What its manifest asks for.
    pub permissions: Option<Permissions>,
}

/// Why an extension's files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// The file at fault.
    pub path: PathBuf,
    /// The line, from 0.
    pub line: u32,
    /// One sentence.
    pub message: String,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    permissions: Option<Permissions>,
}

/// The main files below the folders and among the named paths, in load order.
pub fn discover(folders: &[PathBuf], named: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut add = |path: PathBuf| {
        found.retain(|other| *other != path);
        found.push(path);
    };
    for folder in folders {
        in_folder(folder).into_iter().for_each(&mut add);
    }
    for path in named {
        match main_of(path) {
            Some(main) => add(main),
            None if path.is_dir() => in_folder(path).into_iter().for_each(&mut add),
            // A file that is not there is told when it is read.
            None => add(path.clone()),
        }
    }
    found
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter(|path| !is_hidden(path)).filter_map(|path| main_of(&path)).collect()
}

/// The main file of a path, if it is an extension by its name or its content.
fn main_of(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return MAIN.iter().map(|name| path.join(name)).find(|main| main.is_file());
    }
    let name = path.file_name()?.to_str()?;
    let is_test = [".test.js", ".test.ts", ".d.ts"].iter().any(|ending| name.ends_with(ending));
    let is_extension = matches!(path.extension()?.to_str()?, "js" | "mjs" | "ts" | "wasm");
    (is_extension && !is_test && path.is_file()).then(|| path.to_path_buf())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with('.'))
}

impl Source {
    /// Reads an extension.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let fault = |path: &Path, message: String| SourceError { path: path.to_path_buf(), line: 0, message };
        let bytes = read_file(path).map_err(|error| {
            fault(path, format!("the extension {} cannot be read: {error}", path.display()))
        })?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        let mut permissions = None;
        if let Some((file, text)) = manifest(path) {
            hasher.update(text.as_bytes());
            let manifest: Manifest = serde_json::from_str(&text).map_err(|error| SourceError {
                path: file,
                line: u32::try_from(error.line().saturating_sub(1)).unwrap_or_default(),
                message: format!("the manifest is wrong: {error}"),
            })?;
            permissions = manifest.permissions;
        }
        let is_component = path.extension().is_some_and(|extension| extension == "wasm");
        let program = if is_component {
            Program::Component(bytes)
        } else {
            let text = String::from_utf8(bytes)
                .map_err(|error| fault(path, format!("the file is not UTF-8: {error}")))?;
            let is_typed = path.extension().is_some_and(|extension| extension == "ts");
            Program::JavaScript(if is_typed { crate::typescript::strip(path, &text)? } else { text })
        };
        let hash = hasher.finalize().to_hex().to_string();
        Ok(Self { path: path.to_path_buf(), name: name_of(path), hash, program, permissions })
    }
}

/// The name of an extension: that of its folder where the file has the name that every main file has.
pub fn name_of(path: &Path) -> String {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = if MAIN.contains(&file) { path.parent().and_then(Path::file_name) } else { path.file_stem() };
    named.map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| file.to_owned())
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    if size > LARGEST {
        return Err(io::Error::other(format!("it has {size} bytes, {LARGEST} is the limit")));
    }
    fs::read(path)
}

/// The manifest of an extension: `extension.json` in its own folder, or `NAME.json` beside a component.
fn manifest(path: &Path) -> Option<(PathBuf, String)> {
    let file = path.file_name()?.to_str()?;
    let manifest = if MAIN.contains(&file) {
        path.with_file_name(MANIFEST)
    } else if path.extension()? == "wasm" {
        path.with_extension("json")
    } else {
        return None;
    };
    let text = fs::read_to_string(&manifest).ok()?;
    Some((manifest, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn files_and_folders_are_found_in_load_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a/z.js", "a/m/main.js", "a/.hidden.js", "a/z.test.js", "a/notes.md", "b/a.ts", "c/x.js"]
        {
            write(root, name, "");
        }
        let found = discover(&[root.join("a"), root.join("b")], &[root.join("c/x.js"), root.join("a/z.js")]);
        let expected = ["a/m/main.js", "b/a.ts", "c/x.js", "a/z.js"].map(|name| root.join(name));
        assert_eq!(found, expected);
        assert_eq!(found.iter().map(|path| name_of(path)).collect::<Vec<_>>(), ["m", "a", "x", "z"]);
    }

    #[test]
    fn a_wrong_manifest_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x/main.js", "export default () => {}");
        let manifest = write(folder.path(), "x/extension.json", "{\n  \"permissions\": { \"htp\": [] }\n}");
        let error = Source::read(&folder.path().join("x/main.js")).unwrap_err();
        assert_eq!((error.path, error.line), (manifest, 1));
    }
}
