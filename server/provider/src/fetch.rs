//! Requests that are not for a model: those of extensions, to hosts that the user granted.
//!
//! Redirections are followed by hand, because every host on the way must be allowed. Headers that name who asks do not
//! follow to another host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode, Url};

/// How many redirections are followed.
const REDIRECTIONS: usize = 10;

/// A request.
pub struct FetchRequest {
    /// The address.
    pub url: String,
    /// The method.
    pub method: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The time for all of it.
    pub timeout: Duration,
    /// The largest body of an answer.
    pub largest: usize,
    /// Where it, and what it is redirected to, may go.
    pub allowed: AddressGate,
}

/// Whether a request may go to a host and port; the last argument says whether the port is the usual one of the scheme.
pub type AddressGate = Arc<dyn Fn(&str, u16, bool) -> bool + Send + Sync>;

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// Where it comes from after redirections.
    pub url: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// A host that is not allowed.
    #[error("requests to {0} are not allowed")]
    Denied(String),
    /// Address, method or header cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// It took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Sends requests that are not for a model.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
}

impl Fetcher {
    /// A client of its own, without cookies.
    pub fn new() -> Result<Self, FetchError> {
        let client = Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("kit-ls/", env!("CARGO_PKG_VERSION")));
        let client = client.build().map_err(|error| FetchError::Failed(error.to_string()))?;
        Ok(Self { client })
    }

    /// Sends a request and reads its answer.
    pub async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let timeout = request.timeout;
        tokio::time::timeout(timeout, self.follow(request))
            .await
            .unwrap_or(Err(FetchError::TimedOut(timeout)))
    }

    async fn follow(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let FetchRequest { url, method, headers, body, largest, allowed, timeout: _ } = request;
        let invalid = |why: String| FetchError::Invalid(why);
        let mut url = Url::parse(&url).map_err(|error| invalid(format!("`{url}` is no address: {error}")))?;
        let mut method: Method =
            method.to_ascii_uppercase().parse().map_err(|_| invalid(format!("`{method}` is no method")))?;
        let mut headers = header_map(headers)?;
        let mut body = body;
        for _ in 0..=REDIRECTIONS {
            check(&url, &*allowed)?;
            let sending =
                self.client.request(method.clone(), url.clone()).headers(headers.clone()).body(body.clone());
            let response = sending.send().await.map_err(|error| FetchError::Failed(sentence(&error)))?;
            let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
            let target = target
                .and_then(|target| url.join(target).ok())
                .filter(|_| response.status().is_redirection());
            let Some(target) = target else { return read(response, largest).await };
            if target.origin() != url.origin() {
                headers.remove(AUTHORIZATION);
                headers.remove(COOKIE);
            }
            let keeps =
                matches!(response.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
            if !keeps && method != Method::HEAD {
                method = Method::GET;
                body = Vec::new();
            }
            url = target;
        }
        Err(FetchError::Failed(format!("more than {REDIRECTIONS} redirections")))
    }
}

fn check(url: &Url, allowed: &(dyn Fn(&str, u16, bool) -> bool + Send + Sync)) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Invalid(format!("`{}` is neither http nor https", url.scheme())));
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(FetchError::Invalid(format!("`{url}` names no host")));
    };
    // `port` is told only where it is not the usual one of the scheme.
    if allowed(host, port, url.port().is_none()) {
        return Ok(());
    }
    Err(FetchError::Denied(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))))
}

fn header_map(headers: Vec<(String, String)>) -> Result<HeaderMap, FetchError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = || FetchError::Invalid(format!("the header {name} cannot be sent"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        map.append(parsed, HeaderValue::from_str(&value).map_err(|_| wrong())?);
    }
    Ok(map)
}

async fn read(response: reqwest::Response, largest: usize) -> Result<FetchResponse, FetchError> {
    let status = response.status().as_u16();
    let url = response.url().to_string();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let entry = headers.entry(name.as_str().to_owned()).or_default();
        if !entry.is_empty() {
            entry.push_str(", ");
        }
        entry.push_str(&value);
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| FetchError::Failed(sentence(&error)))?);
        if body.len() > largest {
            return Err(FetchError::Failed(format!("the answer has more than {largest} bytes")));
        }
    }
    Ok(FetchResponse { status, headers, body, url })
}

/// The innermost cause, which names what happened.
fn sentence(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("the request failed: {cause}")
}
