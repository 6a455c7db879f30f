//! What a file holds at one moment, and where that is known from.
//!
//! The open document wins over the disk. A document counts as dirty when its text is not what the disk has; line ends
//! and a final line end do not count, because some editors normalize them when they read a file. The flag that the
//! client's notifications give is used only where the disk cannot tell, such as for another encoding.

use std::path::PathBuf;

use kit_text::Text;
use kit_text::line_end::{LineEnds, decode};
use thiserror::Error;

use crate::disk::{self, DiskFile};
use crate::documents::{Document, Documents};
use crate::real_path::real_path;
use crate::{DocumentUri, Location};

/// Larger files are not read.
pub const MAX_FILE_BYTES: u64 = 50 * 1024 * 1024;
/// A zero byte among the first bytes makes a file binary.
const BINARY_PROBE_BYTES: usize = 8 * 1024;

/// blake3 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileHash(pub [u8; 32]);

impl std::fmt::Debug for FileHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FileHash({})", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// Where a text is from; an edit of it names this and fails if it is no longer so (I16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// An open document.
    Open {
        /// Its version.
        version: i32,
        /// Whether it has changes that are not on disk.
        dirty: bool,
        /// Whether its text may be wrong; it cannot be edited.
        desynced: bool,
    },
    /// A file on disk.
    Disk {
        /// Hash of its bytes.
        hash: FileHash,
        /// Its permission bits; 0 where there are none.
        mode: u32,
    },
    /// No such file.
    Missing,
}

/// A text and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The file; its URI is the one under which the editor has it open.
    pub location: Location,
    /// The text without byte order mark; empty when there is no file.
    pub text: Text,
    /// Where it is from.
    pub base: Base,
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
}

impl Snapshot {
    /// Whether there is such a file or document.
    pub fn exists(&self) -> bool {
        match self.base {
            Base::Open { .. } | Base::Disk { .. } => true,
            Base::Missing => false,
        }
    }

    /// How its lines end; takes time linear in the text.
    pub fn line_ends(&self) -> LineEnds {
        LineEnds::of(&self.text)
    }
}

/// Why a path cannot be used or a file cannot be read as text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkspaceError {
    /// The path has no characters.
    #[error("the path is empty")]
    EmptyPath,
    /// Neither the path nor the base that it is relative to is absolute.
    #[error("{} is not absolute", path.display())]
    RelativeBase {
        /// The path.
        path: PathBuf,
    },
    /// `~` without a home directory.
    #[error("there is no home directory for ~")]
    NoHome,
    /// The path cannot be resolved.
    #[error("{} is not a usable path: {why}", path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A directory or link on the way was replaced after the path was resolved.
    #[error("{} leads elsewhere than before", path.display())]
    Moved {
        /// The path.
        path: PathBuf,
    },
    /// It is not a file, and no editor has it open.
    #[error("{uri} is not open")]
    NotOpen {
        /// The document.
        uri: DocumentUri,
    },
    /// There is nothing.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("{} is a directory, not a file", path.display())]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// It is a file, but a directory is wanted.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It is a device, pipe or socket.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It is too large to be read as a whole.
    #[error("{} has {size} bytes, more than the limit of {limit}", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// It holds bytes that no text has.
    #[error("{} is a binary file of {size} bytes", path.display())]
    Binary {
        /// The path.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// It is text in another encoding, or damaged.
    #[error("{} is not UTF-8: byte {offset} is not part of a character", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
        /// The first byte that is wrong.
        offset: usize,
    },
    /// The system does not let us read it.
    #[error("{} cannot be read: permission denied", path.display())]
    Permission {
        /// The path.
        path: PathBuf,
    },
    /// Anything else that the system says.
    #[error("{}: {why}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl WorkspaceError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of the standard library are open-ended")]
    pub(crate) fn from_io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { path },
            std::io::ErrorKind::PermissionDenied => Self::Permission { path },
            std::io::ErrorKind::IsADirectory => Self::IsDirectory { path },
            std::io::ErrorKind::NotADirectory => {
                Self::BadPath { path, why: "a part of it is a file, not a directory".to_owned() }
            }
            _ => Self::Io { path, why: error.to_string() },
        }
    }
}

/// Takes a snapshot; reads the disk, so it belongs on a blocking thread.
pub(crate) fn take(documents: &Documents, location: &Location) -> Result<Snapshot, WorkspaceError> {
    if let Some(document) = documents.find(&location.uri, &location.real) {
        return Ok(of_document(location, document));
    }
    if !location.uri.is_file() {
        return Err(WorkspaceError::NotOpen { uri: location.uri.clone() });
    }
    check_real(location)?;
    let Some(file) = disk::read(&location.real, MAX_FILE_BYTES)? else {
        return Ok(Snapshot {
            location: location.clone(),
            text: Text::default(),
            base: Base::Missing,
            bom: false,
        });
    };
    let decoded = decode_file(location, &file)?;
    let base = Base::Disk { hash: file.hash, mode: file.mode };
    Ok(Snapshot { location: location.clone(), text: decoded.text, base, bom: decoded.bom })
}

/// Reads the bytes of a file that is no open document; belongs on a blocking thread.
pub(crate) fn take_bytes(
    documents: &Documents,
    location: &Location,
    limit: impl FnOnce(&[u8]) -> Option<u64>,
) -> Result<Option<Vec<u8>>, WorkspaceError> {
    let is_open = documents.find(&location.uri, &location.real).is_some();
    if is_open || !location.uri.is_file() || check_real(location).is_err() {
        return Ok(None);
    }
    let Some(limit) = limit(&disk::head(&location.real)) else { return Ok(None) };
    Ok(disk::read(&location.real, limit)?.map(|file| file.bytes))
}

/// The location was resolved a while ago; what lies on the way may have been replaced by a link since.
pub(crate) fn check_real(location: &Location) -> Result<(), WorkspaceError> {
    match real_path(&location.real) {
        Ok(real) if real == location.real => Ok(()),
        Ok(_) => Err(WorkspaceError::Moved { path: location.path.clone() }),
        Err(error) => Err(WorkspaceError::from_io(&location.path, &error)),
    }
}

pub(crate) fn decode_file(
    location: &Location,
    file: &DiskFile,
) -> Result<kit_text::line_end::Decoded, WorkspaceError> {
    let path = || location.path.clone();
    if file.bytes.iter().take(BINARY_PROBE_BYTES).any(|byte| *byte == 0) {
        let size = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        return Err(WorkspaceError::Binary { path: path(), size });
    }
    decode(&file.bytes).map_err(|error| WorkspaceError::NotUtf8 { path: path(), offset: error.offset })
}

fn of_document(location: &Location, document: Document) -> Snapshot {
    let disk = location.uri.is_file().then(|| disk::read(&location.real, MAX_FILE_BYTES));
    let (dirty, bom) = match disk {
        // Only the editor knows it.
        None | Some(Ok(None)) => (true, false),
        Some(Ok(Some(file))) => match decode_file(location, &file) {
            Ok(decoded) => (!same_lines(&document.text, &decoded.text), decoded.bom),
            Err(_) => (document.dirty, false),
        },
        Some(Err(_)) => (document.dirty, false),
    };
    let base = Base::Open { version: document.version, dirty, desynced: document.desynced };
    let location = Location { uri: document.uri, ..location.clone() };
    Snapshot { location, text: document.text, base, bom }
}

/// The text of a file's bytes; `None` where they are no text.
pub(crate) fn text_of(bytes: &[u8]) -> Option<Text> {
    let is_binary = bytes.iter().take(BINARY_PROBE_BYTES).any(|byte| *byte == 0);
    if is_binary { None } else { decode(bytes).ok().map(|decoded| decoded.text) }
}

/// Whether two texts have the same lines, however these end.
pub fn same_lines(left: &Text, right: &Text) -> bool {
    left == right || unified_bytes(left).eq(unified_bytes(right))
}

/// The bytes with LF for every line end, and without the last one.
fn unified_bytes(text: &Text) -> impl Iterator<Item = u8> + '_ {
    let mut bytes = text.chunks().flat_map(|chunk| chunk.bytes()).peekable();
    let unified = std::iter::from_fn(move || match bytes.next()? {
        b'\r' => {
            bytes.next_if_eq(&b'\n');
            Some(b'\n')
        }
        byte => Some(byte),
    });
    let mut unified = unified.peekable();
    std::iter::from_fn(move || {
        let byte = unified.next()?;
        (byte != b'\n' || unified.peek().is_some()).then_some(byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_a_final_one_do_not_make_a_difference() {
        let check = |left: &str, right: &str, same: bool| {
            assert_eq!(same_lines(&Text::from(left), &Text::from(right)), same, "{left:?} {right:?}");
        };
        check("a\r\nb\rc", "a\nb\nc\n", true);
        check("a\n", "a", true);
        check("", "\n", true);
        check("a\n\n", "a\n", false);
        check("a\r\r\n", "a\n\n", true);
        check("a b", "a  b", false);
    }
}
