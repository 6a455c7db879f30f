//! What went wrong, on either side.

use std::fmt;

use crate::bindings::kit::extension::types;

pub use crate::bindings::kit::extension::types::ErrorCode;

/// An error of the host, or one that an extension answers.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind.
    pub code: ErrorCode,
    /// One sentence for people, or for the model where a tool answers it.
    pub message: String,
    /// JSON text: what a program can use.
    pub data: Option<String>,
}

impl Error {
    /// An error of a kind.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), data: None }
    }

    /// JSON that is not what it should be.
    pub(crate) fn invalid(what: &str, error: &serde_json::Error) -> Self {
        Error::new(ErrorCode::Invalid, format!("{what}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Error::new(ErrorCode::Internal, message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Error::new(ErrorCode::Internal, message)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::new(ErrorCode::Invalid, error.to_string())
    }
}

impl From<types::Error> for Error {
    fn from(types::Error { code, message, data }: types::Error) -> Self {
        Error { code, message, data }
    }
}

impl From<Error> for types::Error {
    fn from(Error { code, message, data }: Error) -> Self {
        types::Error { code, message, data }
    }
}
