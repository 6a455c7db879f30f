//! The one mapping from our errors to those of JSON-RPC: the sentence as the message, the kind in the data.

use agent_client_protocol_schema::v1::{Error, ErrorCode};
use kit_protocol::{ErrorData, ErrorKind, KitError};
use serde::Serialize;
use serde_json::Value;

/// The request was valid and failed all the same.
const REQUEST_FAILED: i32 = -32003;
/// What mends a missing login.
const HINT: &str = "run `kit-ls auth login` in a terminal, or set the provider's key";

/// The JSON-RPC error for one of ours.
pub(crate) fn to_error(error: KitError) -> Error {
    let code = match error.kind {
        ErrorKind::InvalidRequest => ErrorCode::InvalidParams,
        ErrorKind::NotFound => ErrorCode::ResourceNotFound,
        ErrorKind::Auth => ErrorCode::AuthRequired,
        ErrorKind::Cancelled => ErrorCode::RequestCancelled,
        ErrorKind::Internal => ErrorCode::InternalError,
        ErrorKind::Busy
        | ErrorKind::Conflict
        | ErrorKind::Untrusted
        | ErrorKind::RateLimit
        | ErrorKind::ContextOverflow
        | ErrorKind::Unavailable
        | ErrorKind::Permission
        | ErrorKind::Budget => ErrorCode::Other(REQUEST_FAILED),
    };
    let message = if error.kind == ErrorKind::Auth && !error.message.contains("kit-ls auth login") {
        format!("{}; {HINT}", error.message)
    } else {
        error.message
    };
    let data = ErrorData { kind: error.kind, retry_after_ms: error.retry_after_ms, detail: error.detail };
    Error::new(code.into(), message).data(to_value(&data))
}

/// The error of a wrong request.
pub(crate) fn invalid(sentence: impl Into<String>) -> KitError {
    KitError::new(ErrorKind::InvalidRequest, sentence)
}

/// A value as JSON; wire types always serialize.
pub(crate) fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
