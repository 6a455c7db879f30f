//! The HTTP side of a call: a pooled client, its limits, and what a transport failure means.
//!
//! A stream has no total time limit. Connecting, waiting for the first byte and every pause have one each, and each
//! announces itself. Redirects are not followed, because keys travel in headers. Requests to this machine bypass proxies.

mod pool;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use kit_protocol::ErrorKind;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

pub(crate) use pool::Lease;
use pool::Pool;
pub use pool::{ConnectionStats, Connector};

use crate::classify::{RetryHints, Subject, classify, sentence};
use crate::environment::Environment;
use crate::error::{ModelError, Retry};
use crate::rate::RateLimits;
use crate::settings::ConnectionSettings;

/// The largest part of an error body that is read.
const LARGEST_ERROR: usize = 64 * 1024;
/// The largest answer that is accepted in one piece from a server that does not stream.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long the rest of an error body is waited for.
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(10);

/// Limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From sending the request to the response headers.
    pub(crate) first_byte: Duration,
    /// The longest pause inside the answer.
    pub(crate) idle: Duration,
    /// The longest pause after the answer is complete, for late usage figures.
    pub(crate) grace: Duration,
    /// The longest time from one whole event to the next, however many bytes come.
    pub(crate) event: Duration,
    /// The largest answer in bytes, with and without what surrounds its words. The largest ones of models have a few
    /// megabytes.
    pub(crate) largest: [usize; 2],
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            grace: Duration::from_secs(5),
            event: Duration::from_secs(600),
            largest: [256 * 1024 * 1024, 16 * 1024 * 1024],
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

/// A difference of clocks that signatures and certificates do not forgive.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(4);

/// The connections of a program.
#[derive(Debug, Default)]
pub(crate) struct Http {
    pool: Arc<Pool>,
    /// What each provider said last about the limits of the account.
    rates: Mutex<BTreeMap<String, RateLimits>>,
}

impl Http {
    pub(crate) fn new(settings: ConnectionSettings, environment: &Environment) -> Self {
        Self { pool: Arc::new(Pool::new(settings, environment)), rates: Mutex::default() }
    }

    /// The client for a URL.
    pub(crate) fn client(&self, url: &Url) -> Result<Lease, ModelError> {
        self.pool.lease(url)
    }

    /// How many clients there are.
    pub(crate) fn stats(&self) -> ConnectionStats {
        self.pool.stats()
    }

    /// What a provider said last about the limits of the account.
    pub(crate) fn rate_limits(&self, provider: &str) -> Option<RateLimits> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).get(provider).copied()
    }

    /// Sends a request and waits for a response that begins an answer.
    pub(crate) async fn open(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        body: Vec<u8>,
        subject: Subject<'_>,
        limits: Limits,
    ) -> Result<Opened, ModelError> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let client = self.client(url)?;
        let sending = client.post(url.clone()).headers(headers).body(body).send();
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
        // The client counts as in use until the answer is read or given up.
        let body = body.map(move |bytes| {
            let _in_use = &client;
            bytes
        });
        Ok(Opened { request_id, body: body.boxed() })
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = ["request-id", "x-request-id", "x-amzn-requestid"].iter().find_map(|name| headers.get(*name))?;
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
        let skew =
            clock_skew(response.headers(), Timestamp::now()).filter(|_| matches!(status.as_u16(), 401 | 403));
        let text = tokio::time::timeout(ERROR_BODY_LIMIT, read_text(response, LARGEST_ERROR))
            .await
            .unwrap_or_default();
        let error = classify(subject, Some(status.as_u16()), &report(&text, &content_type), hints);
        return Err(match skew {
            Some(skew) => ModelError { message: format!("{}; {skew}", error.message), ..error },
            None => error,
        });
    }
    let packed = response.headers().get(CONTENT_ENCODING).filter(|packing| *packing != "identity");
    if let Some(packing) = packed.and_then(|packing| packing.to_str().ok()) {
        let message = format!(
            "{name} at {} sent a packed answer ({packing}) that nobody asked for; check the base URL and the proxy",
            origin(url)
        );
        return Err(ModelError::unavailable(message));
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

/// The sentence about a clock that is wrong, where the time of the server says so: keys that are good are then refused.
fn clock_skew(headers: &HeaderMap, now: Timestamp) -> Option<String> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let ahead = now.duration_since(theirs);
    let side = if ahead.is_positive() { "ahead of" } else { "behind" };
    let by = match ahead.abs().as_mins() {
        minutes @ ..=180 => format!("{minutes} minutes"),
        minutes @ 181..=2880 => format!("{} hours", minutes / 60),
        minutes => format!("{} days", minutes / 60 / 24),
    };
    (ahead.abs() > CLOCK_TOLERANCE)
        .then(|| format!("the clock of this machine is {by} {side} the server's, set it"))
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
pub(crate) async fn read_text(mut response: Response, limit: usize) -> String {
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

pub(crate) fn transport_error(name: &str, url: &Url, error: &reqwest::Error) -> ModelError {
    let (origin, cause) = (origin(url), root_cause(error));
    if error.is_connect() && error.is_timeout() {
        let seconds = CONNECT_LIMIT.as_secs();
        let message = format!(
            "{name} at {origin} did not accept a connection within {seconds} s; check the network and the base URL"
        );
        return ModelError::unavailable(message);
    }
    if let Some(mend) = certificate_mend(&cause) {
        let cause = certificate_words(&cause);
        let message = format!("the connection to {name} at {origin} is not safe ({cause}); {mend}");
        return ModelError { retry: Retry::Never, ..ModelError::unavailable(message) };
    }
    if error.is_connect() && cause.contains("InvalidContentType") {
        let message =
            format!("{name} at {origin} speaks no TLS; begin its base URL with `http://` if that is meant");
        return ModelError { retry: Retry::Never, ..ModelError::unavailable(message) };
    }
    if error.is_connect() && is_loopback(url) {
        let message =
            format!("no server for {name} answers at {origin} ({cause}); start it or correct its address");
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

/// What mends a certificate that is refused, if that is what happened.
fn certificate_mend(cause: &str) -> Option<&'static str> {
    let cause = cause.to_lowercase();
    let is_about = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if !is_about(&["certificate"]) {
        return None;
    }
    Some(if is_about(&["expired", "not valid yet", "notvalidyet"]) {
        "check the clock of this machine, and the certificate of the server"
    } else if is_about(&["not valid for name", "notvalidforname"]) {
        "check the base URL: the certificate belongs to another name"
    } else {
        "if a proxy of your company is on the way, add its certificate with the setting `ca-certificates`"
    })
}

/// Why a certificate is refused, in words where the library has a name of its own code.
fn certificate_words(cause: &str) -> &str {
    if cause.contains("UnknownIssuer") {
        "nobody whom this machine trusts issued the certificate"
    } else if cause.contains("CaUsedAsEndEntity") {
        "the server issued its certificate itself"
    } else {
        cause
    }
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
    let request = http.client(url).ok()?.get(url.clone());
    small_answer(request, limit).await
}

/// The same from a server that wants to be asked with a document.
pub(crate) async fn ask_json(http: &Http, url: &Url, question: &Value, limit: Duration) -> Option<Value> {
    let request = http.client(url).ok()?.post(url.clone()).json(question);
    small_answer(request, limit).await
}

async fn small_answer(request: RequestBuilder, limit: Duration) -> Option<Value> {
    let fetching = async {
        let response = request.send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        serde_json::from_str(&read_text(response, LARGEST_ANSWER).await).ok()
    };
    tokio::time::timeout(limit, fetching).await.ok().flatten()
}

/// Sends a request of a login and reads the JSON of its answer. Nothing of a failed one but status, code and description
/// gets into the sentence.
pub(crate) async fn answer_json(
    name: &str,
    url: &Url,
    request: RequestBuilder,
    limit: Duration,
) -> Result<Value, ModelError> {
    let fetching = async {
        let response = request.send().await.map_err(|error| transport_error(name, url, &error))?;
        let status = response.status();
        let text = read_text(response, LARGEST_ERROR).await;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let field = |field: &str| answer.get(field).and_then(Value::as_str);
        let said = field("error_description").or(field("error")).map(sentence).unwrap_or_default();
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let message = format!("{name} answered with status {}{said}; log in again", status.as_u16());
        let kind = if status.is_server_error() { ErrorKind::Unavailable } else { ErrorKind::Auth };
        let retry = if status.is_server_error() { Retry::Backoff } else { Retry::Never };
        Err(ModelError { retry, status: Some(status.as_u16()), ..ModelError::new(kind, message) })
    };
    let slow = || ModelError::unavailable(format!("{name} did not answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, fetching).await.map_err(|_| slow())?
}

/// Fetches a document of a limited size, or says by its name why it cannot be had.
pub(crate) async fn fetch_text(
    http: &Http,
    name: &str,
    url: &Url,
    headers: HeaderMap,
    limit: Duration,
) -> Result<String, ModelError> {
    let origin = origin(url);
    let fetching = async {
        let response = http.client(url)?.get(url.clone()).headers(headers).send().await;
        let response = response.map_err(|error| transport_error(name, url, &error))?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            let message = format!(
                "{name} cannot be had: {origin} answered with status {status}; check the address, or try again later"
            );
            return Err(ModelError::unavailable(message));
        }
        Ok(read_text(response, LARGEST_ANSWER).await)
    };
    let seconds = limit.as_secs();
    let slow = || {
        let message = format!(
            "{name} cannot be had: {origin} did not answer within {seconds} s; check the network, or try again later"
        );
        ModelError::unavailable(message)
    };
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
    fn a_wrong_clock_is_told_by_how_much_it_is_wrong() {
        let skew = |date: &'static str| {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
            clock_skew(&headers, "2026-11-21T10:00:00Z".parse().unwrap())
        };
        let said = |said: &str| Some(format!("the clock of this machine is {said} the server's, set it"));
        assert_eq!(skew("Sat, 21 Nov 2026 09:57:00 GMT"), None);
        assert_eq!(skew("Sat, 21 Nov 2026 09:30:00 GMT"), said("30 minutes ahead of"));
        assert_eq!(skew("Sat, 21 Nov 2026 12:00:00 GMT"), said("120 minutes behind"));
        assert_eq!(skew("Sat, 21 Nov 2026 15:30:00 GMT"), said("5 hours behind"));
        assert_eq!(skew("Wed, 21 Nov 2018 10:00:00 GMT"), said("2922 days ahead of"));
        assert_eq!(skew("yesterday"), None);
    }

    #[test]
    fn a_certificate_that_is_refused_is_told_with_its_mend() {
        let mend = |cause| certificate_mend(cause).map(|mend| mend.split([':', ',']).next().unwrap());
        assert_eq!(mend("connection refused"), None);
        assert_eq!(
            mend("invalid peer certificate: certificate expired: verification time 1"),
            Some("check the clock of this machine")
        );
        assert_eq!(
            mend("invalid peer certificate: certificate not valid for name \"a\""),
            Some("check the base URL")
        );
        assert_eq!(
            mend("invalid peer certificate: UnknownIssuer"),
            Some("if a proxy of your company is on the way")
        );
    }

    #[test]
    fn an_origin_shows_no_path_and_no_user() {
        assert_eq!(origin(&"https://user:pass@host:1/v1?key=k".parse().unwrap()), "https://host:1");
    }
}
