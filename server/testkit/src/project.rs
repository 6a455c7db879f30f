//! A sample project in a temporary folder, with a home of its own for everything the server keeps.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A workspace root, a `KIT_HOME` and a `HOME`, all below one temporary folder that goes with the value.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    base: PathBuf,
}

impl Default for Project {
    fn default() -> Self {
        Project::new()
    }
}

impl Project {
    /// An empty project.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("kit-test-").tempdir().expect("a temporary folder");
        // The canonical path: the temporary folder is itself behind a symbolic link on some systems.
        let base = folder.path().canonicalize().expect("the temporary folder exists");
        for name in ["work", "kit", "home"] {
            fs::create_dir(base.join(name)).expect("a folder in the temporary folder");
        }
        Project { folder, base }
    }

    /// Adds a file with these bytes below the root and makes the folders above it.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file below the root, as another program would.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(&path, content).expect("the file can be written");
    }

    /// The bytes of a file below the root.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The text of a file below the root.
    pub fn text(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path)).expect("the file is UTF-8")
    }

    /// Whether a file exists below the root.
    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The absolute path of a name below the root; an absolute name stays what it is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// The URI of a name below the root.
    pub fn uri(&self, path: &str) -> String {
        file_uri(&self.path(path))
    }

    /// The workspace root.
    pub fn root(&self) -> PathBuf {
        self.base.join("work")
    }

    /// Where the server keeps its own files (`KIT_HOME`).
    pub fn kit_home(&self) -> PathBuf {
        self.base.join("kit")
    }

    /// The `HOME` of the server.
    pub fn home(&self) -> PathBuf {
        self.base.join("home")
    }

    /// The folder around all three, outside the workspace root.
    pub fn outside(&self) -> &Path {
        &self.base
    }

    /// Every file below `folder` with its bytes, in order of path.
    pub fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() => {
                        if let Ok(bytes) = fs::read(&path) {
                            files.push((path, bytes));
                        }
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        }
        files.sort();
        files
    }

    /// The session files that the server has written, in order of path.
    pub fn session_files(&self) -> Vec<PathBuf> {
        let files = Self::tree(&self.kit_home().join("sessions"));
        files
            .into_iter()
            .map(|(path, _)| path)
            .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .collect()
    }

    /// Keeps the folder after the test, for looking at it by hand, and returns it.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// The `file:` URI of an absolute path, with everything percent-encoded that is not plainly allowed.
pub fn file_uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::from(if text.starts_with('/') { "file://" } else { "file:///" });
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~:".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// The path that a `file:` URI names.
pub fn uri_path(uri: &str) -> PathBuf {
    let encoded = uri.strip_prefix("file://").unwrap_or_else(|| panic!("not a file URI: {uri}"));
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = String::from_utf8(digits).expect("two digits");
            bytes.push(u8::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("not a URI: {uri}")));
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).expect("a path of UTF-8");
    if cfg!(windows) { PathBuf::from(text.trim_start_matches('/')) } else { PathBuf::from(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_every_awkward_character_survives_its_uri() {
        let path = Path::new("/tmp/a b#c?d%é/😀.rs");
        assert_eq!(file_uri(path), "file:///tmp/a%20b%23c%3Fd%25%C3%A9/%F0%9F%98%80.rs");
        assert_eq!(uri_path(&file_uri(path)), path);
    }
}
