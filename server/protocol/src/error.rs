//! The closed set of error kinds that cross the wire, and the error that carries one with its sentence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong, as far as a client can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request itself is wrong; repeating it cannot help.
    InvalidRequest,
    /// The named session, model, hunk or file does not exist.
    NotFound,
    /// Something else is in the way for now.
    Busy,
    /// The text or file changed in between.
    Conflict,
    /// The workspace is not trusted.
    Untrusted,
    /// A key or login is missing, wrong or expired.
    Auth,
    /// The provider asks to slow down, or a quota is used up.
    RateLimit,
    /// The conversation is larger than the model's context window.
    ContextOverflow,
    /// The provider, server or editor does not answer properly.
    Unavailable,
    /// A rule or the user refused.
    Permission,
    /// A budget is used up.
    Budget,
    /// The user cancelled.
    Cancelled,
    /// A defect of this program.
    Internal,
}

/// An error with the sentence that the user reads: it names the thing and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KitError {
    /// The kind that clients branch on.
    pub kind: ErrorKind,
    /// One sentence without secrets.
    pub message: String,
    /// How long to wait before trying again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// More for a log or a tooltip.
    pub detail: Option<String>,
}

impl KitError {
    /// An error of the kind with the sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_ms: None, detail: None }
    }

    /// Adds what a log or tooltip shows beside the sentence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// `data` of a JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// The kind.
    pub kind: ErrorKind,
    /// How long to wait before trying again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// More for a log or a tooltip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
