//! Makes a session of a file that was exported, shared or written by upstream Kit.
//!
//! The entries are copied byte for byte, also those that this version does not know. The header gets the root as its
//! directory, so that the session is listed and works here, and an id of its own where a session here has the same one.
//! The state of extensions comes along where it lies beside the file.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use kit_protocol::{ErrorKind, KitError, SessionAnswer, SessionArguments, SessionId};

use super::{Sessions, blocking};
use crate::clock::Millis;
use crate::journal::entry::Header;
use crate::journal::files;

/// The longest header that is accepted.
const LARGEST_HEADER: u64 = 64 * 1024;

impl Sessions {
    /// `kit.session.import`: the session becomes the current one.
    pub async fn import(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let Some(path) = arguments.path else {
            return Err(KitError::new(
                ErrorKind::InvalidRequest,
                "`path` is missing: name the file to import",
            ));
        };
        let root = self.root_for(None);
        let source = root.join(path);
        let sessions = self.shared.with.paths.sessions.clone();
        let named = source.clone();
        let imported = blocking(move || copy(&source, &sessions, &root)).await?;
        let session = imported.map_err(|error| refused(&named, &error))?;
        if let Some(name) = arguments.name {
            let renamed = SessionArguments {
                session: Some(session.clone()),
                name: Some(name),
                ..SessionArguments::default()
            };
            self.rename(renamed).await?;
        }
        self.open(SessionArguments { session: Some(session), ..SessionArguments::default() }).await
    }
}

fn refused(path: &Path, error: &io::Error) -> KitError {
    let kind = if error.kind() == io::ErrorKind::NotFound {
        ErrorKind::NotFound
    } else if error.kind() == io::ErrorKind::InvalidData {
        ErrorKind::InvalidRequest
    } else {
        ErrorKind::Unavailable
    };
    KitError::new(kind, format!("cannot import {}: {error}", path.display()))
}

/// Copies the file to where sessions of the root lie, and answers the session's id.
fn copy(source: &Path, sessions: &Path, root: &Path) -> io::Result<SessionId> {
    let mut reader = BufReader::new(std::fs::File::open(source)?);
    let mut first = Vec::new();
    io::Read::take(&mut reader, LARGEST_HEADER).read_until(b'\n', &mut first)?;
    let mut header: Header = serde_json::from_slice(&first).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "its first line is not the header of a session; export the session again, or name another file",
        )
    })?;
    let at = Millis::parse(&header.timestamp).unwrap_or_else(Millis::now);
    let cwd = root.to_string_lossy().into_owned();
    let mut id = header.id.clone();
    if id.as_str().is_empty() || files::find(sessions, &id).is_ok() {
        id = SessionId::random();
    }
    let target = files::new_path(sessions, &cwd, &id, at);
    header.id = id.clone();
    header.cwd = cwd;
    files::copy_state(source, &target)?;
    write(&mut reader, &header, &target).inspect_err(|_| discard(&target))?;
    Ok(id)
}

fn write(reader: &mut impl BufRead, header: &Header, target: &Path) -> io::Result<()> {
    let folder: PathBuf = target.parent().map(Path::to_owned).unwrap_or_default();
    files::make_private_folder(&folder)?;
    let mut file = io::BufWriter::new(files::make_private(target)?);
    writeln!(file, "{}", header.to_line()?)?;
    io::copy(reader, &mut file)?;
    file.flush()?;
    file.get_ref().sync_all()
}

fn discard(target: &Path) {
    for path in [target.to_owned(), files::sidecar(target)] {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "nothing of a failed import is left to remove");
        }
    }
}
