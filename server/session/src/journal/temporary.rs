//! Session files of which nothing is to stay: those of subagents that store nothing.
//!
//! They lie in a folder of their own and their headers say so. Whoever made one removes it at its end; what a crash left
//! is swept with the next start. A file that a process holds is locked and stays. One is made and locked under the lock
//! of the folder, which the sweep takes too, so that none is swept in between.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use kit_protocol::SessionId;

use super::files;
use super::write;
use crate::clock::Millis;

const FOLDER: &str = ".temporary";
const LOCK: &str = "folder.lock";

/// The file of a new session of which nothing is to stay.
pub(crate) fn new_path(sessions: &Path, id: &SessionId, at: Millis) -> PathBuf {
    let name = files::new_path(Path::new(""), "", id, at);
    sessions.join(FOLDER).join(name.file_name().unwrap_or(name.as_os_str()))
}

/// Keeps the sweep away while a file is made and locked, if it is one of these.
pub(super) fn guard(path: &Path) -> io::Result<Option<File>> {
    match path.parent() {
        Some(folder) if folder.file_name().is_some_and(|name| name == FOLDER) => lock(folder).map(Some),
        Some(_) | None => Ok(None),
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match file.lock() {
        // Some network file systems have no locks.
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        Ok(()) | Err(_) => Ok(file),
    }
}

/// Removes what a crash left. Blocks.
pub(crate) fn sweep(sessions: &Path) {
    let folder = sessions.join(FOLDER);
    if !folder.is_dir() {
        return;
    }
    let _guard = match lock(&folder) {
        Ok(guard) => guard,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "temporary sessions are not swept");
            return;
        }
    };
    for path in files::in_folder(&folder) {
        let is_temporary = matches!(files::read_header(&path), Ok(Some(header)) if header.temporary);
        if !is_temporary || write::is_held(&path) {
            continue;
        }
        for file in std::iter::once(path.clone()).chain(files::company(&path)) {
            match std::fs::remove_file(&file) {
                Ok(()) => {
                    tracing::info!(file = %file.display(), "what a crash left of a temporary session is removed")
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(file = %file.display(), %error, "a temporary session stays"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Header;
    use super::super::write::{Durability, Writer};
    use super::*;

    #[tokio::test]
    async fn a_sweep_takes_what_nobody_holds_and_nothing_else() {
        let sessions = tempfile::tempdir().unwrap();
        sweep(sessions.path());
        let made = |name: &str, temporary: bool| {
            let id = SessionId::from(name);
            let path = new_path(sessions.path(), &id, Millis(0));
            let mut header = Header::new(id, Millis(0), "/w");
            header.temporary = temporary;
            (path.clone(), Writer::create(path, header))
        };
        let (held, writer) = made("aaaa", true);
        let (left, crashed) = made("bbbb", true);
        let (other, closed) = made("cccc", false);
        for one in [&writer, &crashed, &closed] {
            one.append(b"{}\n".to_vec(), Durability::Written).await.unwrap();
        }
        crashed.close().await;
        closed.close().await;
        std::fs::write(files::sidecar(&left), "{}").unwrap();
        sweep(sessions.path());
        assert_eq!([&held, &left, &other].map(|path| path.exists()), [true, false, true]);
        assert!(!files::sidecar(&left).exists());
        writer.close().await;
        sweep(sessions.path());
        assert!(!held.exists());
    }
}
