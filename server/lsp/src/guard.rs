//! The tower middleware that closes tower-lsp 0.20's defects.
//!
//! `call` runs in wire order, before the next frame is read. In this order it
//! 1. answers `kit/malformed` (see `frames`) with a JSON-RPC error,
//! 2. strips `params: null`, which tower-lsp refuses,
//! 3. applies document and folder notifications here and now (invariant I5): with handlers, the store was stale in 1000
//!    of 1000 runs when an applied edit was answered,
//! 4. notes `shutdown` and `exit`,
//! 5. passes everything else on: a request runs in its own task from its first poll, so that it neither blocks others
//!    nor takes the server down when it panics; a notification runs in place, because its code before the first await
//!    keeps the wire order.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::FutureExt;
use serde_json::Value;
use tokio::sync::Notify;
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};

use crate::frames::MALFORMED;

/// Applies a notification at once and in wire order; false leaves it to the handlers.
pub(crate) type WireOrder = Arc<dyn Fn(&str, Option<&Value>) -> bool + Send + Sync>;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the guard saw of the protocol's end.
#[derive(Default)]
pub(crate) struct Ending {
    /// `exit` arrived.
    pub(crate) exit: Notify,
    /// `shutdown` arrived, so that `exit` is an orderly one.
    pub(crate) orderly: AtomicBool,
}

/// Wraps the language service.
pub(crate) struct Guard<S> {
    inner: S,
    wire_order: WireOrder,
    ending: Arc<Ending>,
}

impl<S> Guard<S> {
    /// Guards `inner`.
    pub(crate) fn new(inner: S, wire_order: WireOrder, ending: Arc<Ending>) -> Self {
        Self { inner, wire_order, ending }
    }
}

impl<S> Service<Request> for Guard<S>
where
    S: Service<Request, Response = Option<Response>> + Send,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Option<Response>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Option<Response>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.method() == MALFORMED {
            let response = malformed(request.params());
            return Box::pin(async move { Ok(Some(response)) });
        }
        let request = without_null_params(request);
        if request.id().is_none() && (self.wire_order)(request.method(), request.params()) {
            return Box::pin(async { Ok(None) });
        }
        match request.method() {
            "exit" => self.ending.exit.notify_one(),
            "shutdown" => self.ending.orderly.store(true, Ordering::SeqCst),
            _ => {}
        }
        let initializing = request.method() == "initialize";
        let id = request.id().cloned();
        let answer = self.inner.call(request);
        match id {
            None => Box::pin(async move {
                match AssertUnwindSafe(answer).catch_unwind().await {
                    Ok(result) => result,
                    Err(_panic) => Ok(None),
                }
            }),
            Some(id) => Box::pin(async move {
                match tokio::spawn(answer).await {
                    Ok(Ok(Some(response))) if initializing => Ok(Some(with_content_provider(response))),
                    Ok(result) => result,
                    Err(_panic) => Ok(Some(Response::from_error(
                        id,
                        Error {
                            code: ErrorCode::InternalError,
                            message: "the request failed inside kit-ls; the log has the details".into(),
                            data: Some(serde_json::json!({ "kind": "internal" })),
                        },
                    ))),
                }
            }),
        }
    }
}

fn without_null_params(request: Request) -> Request {
    if request.params() != Some(&Value::Null) {
        return request;
    }
    let (method, id, _params) = request.into_parts();
    let builder = Request::build(method);
    match id {
        Some(id) => builder.id(id).finish(),
        None => builder.finish(),
    }
}

fn malformed(params: Option<&Value>) -> Response {
    let reason =
        params.and_then(|params| params.get("reason")).and_then(Value::as_str).unwrap_or("unreadable");
    let id = match params.and_then(|params| params.get("id")) {
        Some(Value::Number(number)) => number.as_i64().map_or(Id::Null, Id::Number),
        Some(Value::String(text)) => Id::String(text.clone()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => Id::Null,
    };
    let parsed = params.and_then(|params| params.get("invalidRequest")).is_some();
    let code = if parsed { ErrorCode::InvalidRequest } else { ErrorCode::ParseError };
    tracing::warn!(reason, "a message was not understood");
    Response::from_error(
        id,
        Error {
            code,
            message: format!("the message is not JSON-RPC 2.0: {reason}").into(),
            data: Some(serde_json::json!({ "kind": "invalid_request", "detail": reason })),
        },
    )
}

/// Announces the virtual documents, which the protocol types of tower-lsp do not know yet.
fn with_content_provider(response: Response) -> Response {
    let (id, body) = response.into_parts();
    let body = body.map(|mut result| {
        if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
            let workspace = capabilities.entry("workspace").or_insert_with(|| serde_json::json!({}));
            if let Some(workspace) = workspace.as_object_mut() {
                workspace.insert(
                    "textDocumentContent".to_owned(),
                    serde_json::json!({ "schemes": ["kit-base", "kit-after", "kit-session"] }),
                );
            }
        }
        result
    });
    Response::from_parts(id, body)
}
