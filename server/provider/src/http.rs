//! The HTTP side of a call: one pooled client, its limits, and what a transport failure means.
//!
//! A stream has no total time limit. Connecting, waiting for the first byte and every pause have one each, and each
//! announces itself. Redirects are not followed, because keys travel in headers. Requests to this machine bypass proxies.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use kit_protocol::ErrorKind;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use crate::classify::{RetryHints, Subject, classify, sentence};
use crate::error::{ModelError, Retry};
use crate::rate::RateLimits;

/// The largest part of an error body that is read.
const LARGEST_ERROR: usize = 64 * 1024;
/// The largest answer that is accepted in one piece from a server that does not stream.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long the rest of an error body is waited for.
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(10);

/// Time limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From sending the request to the response headers.
    pub(crate) first_byte: Duration,
    /// The longest pause inside the answer.
    pub(crate) idle: Duration,
    /// The longest pause after the answer is complete, for late usage figures.
    pub(crate) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            grace: Duration::from_secs(5),
        }
    }
}

/// The bytes of a response body.
pub(crate) type Body = BoxStream<'static, Result<Bytes, ModelError>>;

/// A response that began well.
pub(crate) struct Opened {
    pub(crate) request_id: Option<String>,
    pub(crate) body: Body,
}

/// The clients, made at first use because reading the certificates takes longer than starting the program.
#[derive(Debug, Default)]
pub(crate) struct Http {
    pooled: OnceLock<Client>,
    direct: OnceLock<Client>,
    /// What each provider said last about the limits of the account.
    rates: Mutex<BTreeMap<String, RateLimits>>,
}

impl Http {
    /// The client for a URL.
    pub(crate) fn client(&self, url: &Url) -> Result<Client, ModelError> {
        let local = is_loopback(url);
        let cell = if local { &self.direct } else { &self.pooled };
        if let Some(client) = cell.get() {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("kit-ls/", env!("CARGO_PKG_VERSION")));
        let builder = if local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| {
            let message = format!("the HTTP client cannot be set up: {}", root_cause(&error));
            ModelError::new(ErrorKind::Internal, message)
        })?;
        Ok(cell.get_or_init(|| client).clone())
    }

    /// What a provider said last about the limits of the account.
    pub(crate) fn rate_limits(&self, provider: &str) -> Option<RateLimits> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).get(provider).copied()
    }

    /// Sends a request and waits for a response that begins an answer.
    pub(crate) async fn open(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: &Value,
        subject: Subject<'_>,
        limits: Limits,
    ) -> Result<Opened, ModelError> {
        let sending = self.client(url)?.post(url.clone()).headers(headers).json(body).send();
        let response = match tokio::time::timeout(limits.first_byte, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(transport_error(subject.name, url, &error)),
            Err(_) => {
                let seconds = limits.first_byte.as_secs();
                return Err(ModelError::unavailable(format!(
                    "{} did not begin to answer within {seconds} s",
                    subject.name
                )));
            }
        };
        let request_id = request_id(response.headers());
        tracing::debug!(
            provider = subject.provider,
            status = response.status().as_u16(),
            request_id,
            "response"
        );
        if let Some(rates) = RateLimits::read(response.headers(), Timestamp::now()) {
            let mut known = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(subject.provider.to_owned(), rates);
        }
        let answer = accept(response, url, subject, limits).await;
        let body = answer.map_err(|error| ModelError { request_id: request_id.clone(), ..error })?;
        Ok(Opened { request_id, body })
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = ["request-id", "x-request-id"].iter().find_map(|name| headers.get(*name))?;
    id.to_str().ok().map(str::to_owned)
}

/// Tells a response that begins an answer from one that is none.
async fn accept(
    response: Response,
    url: &Url,
    subject: Subject<'_>,
    limits: Limits,
) -> Result<Body, ModelError> {
    let name = subject.name;
    let status = response.status();
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    if status.is_redirection() {
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target =
            target.and_then(|target| url.join(target).ok()).map(|target| origin(&target)).unwrap_or_default();
        let message = format!(
            "{name} at {} answered with a redirect to {target}; set the base URL to where it leads",
            origin(url)
        );
        return Err(ModelError {
            status: Some(status.as_u16()),
            ..ModelError::new(ErrorKind::Unavailable, message)
        });
    }
    if !status.is_success() {
        let hints = RetryHints::read(response.headers(), Timestamp::now());
        let text = tokio::time::timeout(ERROR_BODY_LIMIT, read_text(response, LARGEST_ERROR))
            .await
            .unwrap_or_default();
        return Err(classify(subject, Some(status.as_u16()), &report(&text, &content_type), hints));
    }
    if content_type.starts_with("text/html") {
        let message = format!(
            "{} answered with a web page and not with a model's answer; check the base URL",
            origin(url)
        );
        return Err(ModelError {
            status: Some(status.as_u16()),
            ..ModelError::new(ErrorKind::Unavailable, message)
        });
    }
    if content_type.starts_with("application/json") {
        return whole_answer(response, name, limits).await;
    }
    let (name, url) = (name.to_owned(), url.clone());
    let bytes = response.bytes_stream();
    Ok(bytes.map(move |bytes| bytes.map_err(|error| transport_error(&name, &url, &error))).boxed())
}

/// The body of a server that does not stream, as one frame. Line ends in JSON are only layout.
async fn whole_answer(response: Response, name: &str, limits: Limits) -> Result<Body, ModelError> {
    let Ok(text) = tokio::time::timeout(limits.idle, read_text(response, LARGEST_ANSWER)).await else {
        return Err(idle_error(name, limits));
    };
    if text.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let frame = format!("data: {}\n\n", text.replace(['\r', '\n'], " "));
    Ok(futures::stream::once(std::future::ready(Ok(Bytes::from(frame)))).boxed())
}

/// The failure of a pause that was too long.
pub(crate) fn idle_error(name: &str, limits: Limits) -> ModelError {
    ModelError::unavailable(format!(
        "{name} sent nothing for {} s in the middle of its answer",
        limits.idle.as_secs()
    ))
}

/// As much of a body as arrives, up to the limit.
async fn read_text(mut response: Response, limit: usize) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= limit {
            bytes.truncate(limit);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An error body as JSON; a page of a proxy says nothing that belongs into a sentence.
fn report(text: &str, content_type: &str) -> Value {
    let is_page = content_type.starts_with("text/html") || text.trim_start().starts_with('<');
    match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) if is_page => Value::Null,
        Err(_) => Value::String(text.to_owned()),
    }
}

/// Scheme, host and port: all of a URL that may be shown, because the rest may hold a key.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn transport_error(name: &str, url: &Url, error: &reqwest::Error) -> ModelError {
    let (origin, cause) = (origin(url), root_cause(error));
    if error.is_connect() && error.is_timeout() {
        let seconds = CONNECT_LIMIT.as_secs();
        let message = format!(
            "{name} at {origin} did not accept a connection within {seconds} s; check the network and the base URL"
        );
        return ModelError::unavailable(message);
    }
    if error.is_connect() && is_loopback(url) {
        let message =
            format!("no server for {name} answers at {origin} ({cause}); start it or set its base URL");
        return ModelError { retry: Retry::Never, ..ModelError::unavailable(message) };
    }
    if error.is_connect() {
        let message = format!(
            "cannot connect to {name} at {origin} ({cause}); check the network, the proxy and the base URL"
        );
        return ModelError::unavailable(message);
    }
    if error.is_builder() {
        return ModelError::new(
            ErrorKind::InvalidRequest,
            format!("the request to {origin} cannot be sent ({cause})"),
        );
    }
    ModelError::unavailable(format!("the connection to {name} broke ({cause})"))
}

/// The innermost cause, which says what happened; the outer ones say where and may show the URL.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    sentence(&cause.to_string())
}

/// Fetches a small JSON document, for what local servers tell about their models.
pub(crate) async fn fetch_json(http: &Http, url: &Url, limit: Duration) -> Option<Value> {
    let fetching = async {
        let response = http.client(url).ok()?.get(url.clone()).send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        serde_json::from_str(&read_text(response, LARGEST_ANSWER).await).ok()
    };
    tokio::time::timeout(limit, fetching).await.ok().flatten()
}

/// Fetches a document of a limited size, or says why it cannot be had.
pub(crate) async fn fetch_text(http: &Http, url: &Url, limit: Duration) -> Result<String, ModelError> {
    let name = origin(url);
    let fetching = async {
        let response = http.client(url)?.get(url.clone()).send().await;
        let response = response.map_err(|error| transport_error(&name, url, &error))?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(ModelError::unavailable(format!("{name} answered with status {status}")));
        }
        Ok(read_text(response, LARGEST_ANSWER).await)
    };
    let slow = || ModelError::unavailable(format!("{name} did not answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, fetching).await.map_err(|_| slow())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let urls = [
            "http://localhost:1/v1",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "https://localhost.example.com",
            "http://10.0.0.1",
        ];
        let local = urls.map(|url| is_loopback(&url.parse().unwrap()));
        assert_eq!(local, [true, true, true, false, false]);
    }

    #[test]
    fn an_error_body_may_be_json_text_or_a_page() {
        assert_eq!(report(r#"{"error": "x"}"#, "text/plain"), json!({"error": "x"}));
        assert_eq!(report("busy", "text/plain"), json!("busy"));
        assert_eq!(report("<html>", ""), Value::Null);
        assert_eq!(report("page", "text/html; charset=utf-8"), Value::Null);
    }

    #[test]
    fn an_origin_shows_no_path_and_no_user() {
        assert_eq!(origin(&"https://user:pass@host:1/v1?key=k".parse().unwrap()), "https://host:1");
    }
}
