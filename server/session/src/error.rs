//! Why a session file cannot be used, and the sentence that the user reads about it.

use std::io;
use std::path::{Path, PathBuf};

use kit_protocol::{ErrorKind, KitError};
use thiserror::Error;

/// A failure of the journal. Reading tolerates whatever stands in a file; these are the cases where there is no file
/// to read or no way to write.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process holds the file's lock.
    #[error("the session file {} is open in another Kit process; close the session there or fork it", .path.display())]
    Busy {
        /// The session file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("there is no session file {}", .path.display())]
    Missing {
        /// The session file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} the session file {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The session file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The writer stopped, so nothing more can be saved.
    #[error("the session file {} is closed", .path.display())]
    Closed {
        /// The session file.
        path: PathBuf,
    },
}

impl JournalError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            return Self::Missing { path: path.to_owned() };
        }
        Self::Io { action, path: path.to_owned(), source }
    }
}

impl From<JournalError> for KitError {
    fn from(error: JournalError) -> Self {
        let kind = match &error {
            JournalError::Busy { .. } => ErrorKind::Busy,
            JournalError::Missing { .. } => ErrorKind::NotFound,
            JournalError::Io { .. } | JournalError::Closed { .. } => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
