//! The one error of this crate: what went wrong, in a sentence for the user, and whether trying again can help.

use std::time::Duration;

use kit_protocol::ErrorKind;
use thiserror::Error;

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail the same way, or cost money without hope.
    Never,
    /// The provider named the delay.
    After(Duration),
    /// It may help after a growing delay.
    Backoff,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ModelError {
    /// What clients branch on.
    pub kind: ErrorKind,
    /// One sentence that names the thing and the mend, without secrets.
    pub message: String,
    /// Whether the same request may be sent again.
    pub retry: Retry,
    /// Content had been emitted before the failure, so a retry must first take it back from the screen.
    pub started: bool,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's id of the request, for its support.
    pub request_id: Option<String>,
}

impl ModelError {
    /// An error that no retry mends.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry: Retry::Never,
            started: false,
            status: None,
            request_id: None,
        }
    }

    /// A passing failure of the connection or the server.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { retry: Retry::Backoff, ..Self::new(ErrorKind::Unavailable, message) }
    }

    /// The user cancelled.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the request to the model was cancelled")
    }
}
