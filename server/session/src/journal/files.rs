//! Where session files lie and how they are named: `<sessions>/<encoded directory>/<UTC time>_<12 hex>.jsonl`, as
//! upstream Kit has it. The hexadecimal digits are the beginning of the session's id, so most look-ups read no file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use kit_protocol::SessionId;

use super::entry::Header;
use crate::clock::Millis;
use crate::error::JournalError;

const EXTENSION: &str = "jsonl";
/// The longest first line that is looked at.
const LARGEST_HEADER: u64 = 64 * 1024;
/// How many digits of the id a file's name carries.
const ID_DIGITS: usize = 12;

/// The name of the folder that holds the sessions of a working directory.
pub(crate) fn encode_directory(cwd: &str) -> String {
    let mut encoded = String::with_capacity(cwd.len() + 8);
    for character in cwd.chars() {
        match character {
            '/' | '\\' => encoded.push_str("--"),
            ':' | '<' | '>' | '"' | '|' | '?' | '*' => {}
            other => encoded.push(other),
        }
    }
    let bare = encoded.trim_start_matches("--");
    if bare.is_empty() { "root".to_owned() } else { bare.to_owned() }
}

/// The file of a new session.
pub(crate) fn new_path(sessions: &Path, cwd: &str, id: &SessionId, at: Millis) -> PathBuf {
    let digits: String = id.as_str().chars().take(ID_DIGITS).collect();
    sessions.join(encode_directory(cwd)).join(format!("{}_{digits}.{EXTENSION}", at.to_file_name()))
}

/// The file with the state of extensions beside a session file.
pub(crate) fn sidecar(path: &Path) -> PathBuf {
    path.with_extension("ext-state.json")
}

/// What else lies beside a session file and goes with it: the state of extensions, and the lock of those who write it.
pub(crate) fn company(path: &Path) -> [PathBuf; 2] {
    let state = sidecar(path);
    let mut lock = state.clone().into_os_string();
    lock.push(".lock");
    [state, PathBuf::from(lock)]
}

/// Gives a copy of a session the state that extensions keep for it, if they keep any. Must come before the copy itself,
/// so that nobody opens it without.
pub(crate) fn copy_state(session: &Path, copy: &Path) -> io::Result<()> {
    let mut state = match File::open(sidecar(session)) {
        Ok(state) => state,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let target = sidecar(copy);
    make_private_folder(target.parent().unwrap_or(Path::new(".")))?;
    let mut copied = make_private(&target)?;
    io::copy(&mut state, &mut copied)?;
    copied.sync_all()
}

/// All session files of one working directory.
pub(crate) fn in_directory(sessions: &Path, cwd: &str) -> Vec<PathBuf> {
    in_folder(&sessions.join(encode_directory(cwd)))
}

/// All session files of the user.
pub(crate) fn everywhere(sessions: &Path) -> Vec<PathBuf> {
    let Ok(folders) = sessions.read_dir() else { return Vec::new() };
    folders.flatten().flat_map(|folder| in_folder(&folder.path())).collect()
}

/// All session files of a folder.
pub(crate) fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = folder.read_dir() else { return Vec::new() };
    let paths = files.flatten().map(|file| file.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION)).collect()
}

/// Reads the header of a session file.
pub(crate) fn read_header(path: &Path) -> io::Result<Option<Header>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?.take(LARGEST_HEADER)).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line).ok())
}

/// Makes a folder and those above it, for the user alone.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a file that must not exist yet, for the user alone.
pub(crate) fn make_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a file that must not exist yet, for the user alone.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    let mut file = make_private(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}

/// Finds the file of a session. A file whose header is lost is found by its name.
pub(crate) fn find(sessions: &Path, id: &SessionId) -> Result<PathBuf, JournalError> {
    let digits: String = id.as_str().chars().take(ID_DIGITS).collect();
    let (likely, others): (Vec<_>, Vec<_>) = everywhere(sessions).into_iter().partition(|path| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        stem == id.as_str() || stem.rsplit_once('_').is_some_and(|(_, name)| name == digits)
    });
    let found = likely.into_iter().chain(others).find(|path| match read_header(path) {
        Ok(Some(header)) => header.id == *id,
        Ok(None) => path.file_stem().and_then(|stem| stem.to_str()) == Some(id.as_str()),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read the header of a session file");
            false
        }
    });
    found.ok_or_else(|| JournalError::Missing { path: sessions.join(format!("*_{digits}.{EXTENSION}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_encoded_as_upstream_does() {
        assert_eq!(encode_directory("/home/u/my project"), "home--u--my project");
        assert_eq!(encode_directory(r"C:\Users\u"), "C--Users--u");
        assert_eq!(encode_directory("/"), "root");
    }

    #[test]
    fn a_session_is_found_by_name_or_by_header() {
        let directory = tempfile::tempdir().unwrap();
        let id = SessionId::from("0123456789abcdef0123456789abcdef");
        let ours = new_path(directory.path(), "/w", &id, Millis(0));
        assert_eq!(ours, directory.path().join("w/1970-01-01T00-00-00-000Z_0123456789ab.jsonl"));
        let foreign = directory.path().join("w/other.jsonl");
        std::fs::create_dir_all(directory.path().join("w")).unwrap();
        std::fs::write(&foreign, Header::new(id.clone(), Millis(0), "/w").to_line().unwrap()).unwrap();
        assert_eq!(find(directory.path(), &id).unwrap(), foreign);
        std::fs::write(&ours, Header::new(id.clone(), Millis(0), "/w").to_line().unwrap()).unwrap();
        assert_eq!(find(directory.path(), &id).unwrap(), ours);
        assert!(matches!(find(directory.path(), &"ffff".into()), Err(JournalError::Missing { .. })));
    }
}
