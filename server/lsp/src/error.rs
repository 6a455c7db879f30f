//! The one mapping from our errors to JSON-RPC errors.

use kit_protocol::{ErrorData, ErrorKind, KitError};
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, ErrorCode};

/// `ContentModified` of LSP: the document changed under the request.
const CONTENT_MODIFIED: i64 = -32801;
/// `RequestFailed` of LSP: the request was valid and failed all the same.
const REQUEST_FAILED: i64 = -32803;
/// `RequestCancelled` of LSP.
const REQUEST_CANCELLED: i64 = -32800;

/// The JSON-RPC error for one of ours: the sentence as its message, the kind in its data.
pub(crate) fn to_jsonrpc(error: KitError) -> Error {
    let code = match error.kind {
        ErrorKind::InvalidRequest => ErrorCode::InvalidParams,
        ErrorKind::Conflict => ErrorCode::ServerError(CONTENT_MODIFIED),
        ErrorKind::Cancelled => ErrorCode::ServerError(REQUEST_CANCELLED),
        ErrorKind::Internal => ErrorCode::InternalError,
        ErrorKind::NotFound
        | ErrorKind::Busy
        | ErrorKind::Untrusted
        | ErrorKind::Auth
        | ErrorKind::RateLimit
        | ErrorKind::ContextOverflow
        | ErrorKind::Unavailable
        | ErrorKind::Permission
        | ErrorKind::Budget => ErrorCode::ServerError(REQUEST_FAILED),
    };
    let data = ErrorData { kind: error.kind, retry_after_ms: error.retry_after_ms, detail: error.detail };
    Error { code, message: error.message.into(), data: Some(to_value(&data)) }
}

/// A value as JSON; our wire types always serialize.
pub(crate) fn to_value<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// The error of a request before `initialize` or after a failed start.
pub(crate) fn not_started() -> Error {
    to_jsonrpc(KitError::new(ErrorKind::Unavailable, "kit-ls has not been initialized yet"))
}
