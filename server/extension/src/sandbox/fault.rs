//! What can go wrong between host and guest.

use std::time::Duration;

use serde_json::Value;

use super::bindings::kit::extension::types;

/// Why a side refuses, as the interface has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCode {
    /// The extension was not granted what it asked for.
    Denied,
    /// Somebody gave up waiting.
    Cancelled,
    /// A limit of time was reached.
    Timeout,
    /// There is no such thing.
    NotFound,
    /// Parameters or answer have the wrong shape.
    Invalid,
    /// Known, but not possible here.
    Unavailable,
    /// A fault of the host or the extension.
    Internal,
    /// Too many calls, too much output.
    RateLimited,
}

/// An error that one side answers the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub code: FailureCode,
    /// One sentence.
    pub message: String,
    /// JSON for programs, such as file and line.
    pub data: Option<String>,
}

impl Failure {
    /// A failure without data.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The file and zero-based line that the data names.
    pub fn place(&self) -> Option<(String, u32)> {
        let data: Value = serde_json::from_str(self.data.as_deref()?).ok()?;
        let line = u32::try_from(data.get("line")?.as_u64()?).ok()?;
        let file = data.get("file").and_then(Value::as_str).unwrap_or_default();
        Some((file.to_owned(), line.saturating_sub(1)))
    }
}

/// Why a call of a guest has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The guest answered with an error.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The guest crashed, or was stopped at a limit of memory or computing time.
    #[error("the extension crashed: {0}")]
    Crashed(String),
    /// The guest did not answer in time.
    #[error("the extension gave no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// Too many calls wait for the guest already.
    #[error("the extension is too busy")]
    Busy,
    /// The guest is not running: it was disabled or replaced.
    #[error("the extension is not running")]
    Gone,
}

/// Why a program cannot become a guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not a component, or not one of this interface.
    #[error("{0}")]
    Component(String),
    /// Its `init` failed.
    #[error(transparent)]
    Init(#[from] Fault),
}

impl From<Failure> for types::Error {
    fn from(failure: Failure) -> Self {
        let code = match failure.code {
            FailureCode::Denied => types::ErrorCode::Denied,
            FailureCode::Cancelled => types::ErrorCode::Cancelled,
            FailureCode::Timeout => types::ErrorCode::Timeout,
            FailureCode::NotFound => types::ErrorCode::NotFound,
            FailureCode::Invalid => types::ErrorCode::Invalid,
            FailureCode::Unavailable => types::ErrorCode::Unavailable,
            FailureCode::Internal => types::ErrorCode::Internal,
            FailureCode::RateLimited => types::ErrorCode::RateLimited,
        };
        Self { code, message: failure.message, data: failure.data }
    }
}

impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Self {
        let code = match error.code {
            types::ErrorCode::Denied => FailureCode::Denied,
            types::ErrorCode::Cancelled => FailureCode::Cancelled,
            types::ErrorCode::Timeout => FailureCode::Timeout,
            types::ErrorCode::NotFound => FailureCode::NotFound,
            types::ErrorCode::Invalid => FailureCode::Invalid,
            types::ErrorCode::Unavailable => FailureCode::Unavailable,
            types::ErrorCode::Internal => FailureCode::Internal,
            types::ErrorCode::RateLimited => FailureCode::RateLimited,
        };
        Self { code, message: error.message, data: error.data }
    }
}
