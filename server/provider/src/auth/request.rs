//! Requests to the endpoints of a login: forms and JSON out, a status and JSON in, in bounded time and size.
//!
//! What goes out and what comes back holds secrets, so neither is logged nor quoted. Of an answer that reports an error
//! only the fields that the standards define get into a sentence.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::error::AuthError;
use super::service::{Encoding, Service};
use crate::classify::sentence;
use crate::http::{Http, Lease, read_text, transport_error};

/// How long an endpoint may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;
/// Longer words of an error report are not quoted.
const LONGEST_WORD: usize = 30;

/// An answer that came whole.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The JSON of the body; `None` when it is none.
    pub(super) body: Option<Value>,
    /// What the server takes the time for.
    pub(super) date: Option<Timestamp>,
}

/// The endpoints of one service.
#[derive(Clone, Copy)]
pub(super) struct Endpoints<'a> {
    pub(super) http: &'a Http,
    pub(super) service: &'a Service,
}

impl Endpoints<'_> {
    /// Posts fields as the service wants them.
    pub(super) async fn post(
        &self,
        address: &str,
        encoding: Encoding,
        fields: &[(&str, &str)],
    ) -> Result<Reply, AuthError> {
        let url = self.url(address)?;
        let (content_type, body) = match encoding {
            // A form is encoded as a query is.
            Encoding::Form => {
                let mut form = url.clone();
                form.set_query(None);
                form.query_pairs_mut().extend_pairs(fields);
                ("application/x-www-form-urlencoded", form.query().unwrap_or_default().to_owned())
            }
            Encoding::Json => {
                let object = fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
                ("application/json", Value::Object(object.collect::<Map<String, Value>>()).to_string())
            }
        };
        let request = self.client(&url)?.post(url.clone()).header(CONTENT_TYPE, content_type).body(body);
        self.send(&url, request).await
    }

    /// Gets a document with these headers.
    pub(super) async fn get(&self, address: &str, headers: HeaderMap) -> Result<Reply, AuthError> {
        let url = self.url(address)?;
        let request = self.client(&url)?.get(url.clone()).headers(headers);
        self.send(&url, request).await
    }

    async fn send(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Reply, AuthError> {
        let exchange = async {
            let sent = request.header(ACCEPT, "application/json").send().await;
            let response = sent.map_err(|error| {
                self.unreachable(transport_error(&self.service.provider, url, &error).message)
            })?;
            let status = response.status().as_u16();
            let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            let text = read_text(response, LARGEST).await;
            Ok(Reply {
                status,
                body: serde_json::from_str(&text).ok(),
                date: date.map(|date| date.timestamp()),
            })
        };
        let late = || self.unreachable(format!("no answer within {} s", LIMIT.as_secs()));
        tokio::time::timeout(LIMIT, exchange).await.map_err(|_| late())?
    }

    fn url(&self, address: &str) -> Result<Url, AuthError> {
        let url = address.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| self.answer("one of its addresses is not an http or https URL"))
    }

    fn client(&self, url: &Url) -> Result<Lease, AuthError> {
        self.http.client(url).map_err(|error| self.unreachable(error.message))
    }

    /// An answer that cannot be used.
    pub(super) fn answer(&self, reason: impl Into<String>) -> AuthError {
        AuthError::Answer { provider: self.provider(), reason: reason.into() }
    }

    /// A failure that may pass.
    pub(super) fn unreachable(&self, reason: impl Into<String>) -> AuthError {
        AuthError::Unreachable { provider: self.provider(), reason: reason.into() }
    }

    pub(super) fn provider(&self) -> String {
        self.service.provider.clone().into_owned()
    }
}

impl Reply {
    /// A field of the body that is a text and not empty.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.field(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// A field of the body.
    pub(super) fn field(&self, field: &str) -> Option<&Value> {
        self.body.as_ref()?.get(field).filter(|value| !value.is_null())
    }

    /// The error that the body reports: its code alone, or what Anthropic has in its place.
    pub(super) fn error(&self) -> Option<&str> {
        self.text("error").or_else(|| self.field("error")?.get("type")?.as_str())
    }

    /// What went wrong, for a sentence.
    pub(super) fn reason(&self) -> String {
        let message = || self.field("error")?.get("message")?.as_str();
        let told = self.text("error_description").or_else(message).or_else(|| self.text("message"));
        match (self.error(), told) {
            (Some(error), Some(told)) => format!("{}: {}", quoted(error), quoted(told)),
            (Some(error), None) => quoted(error),
            (None, Some(told)) => format!("status {}: {}", self.status, quoted(told)),
            (None, None) if self.body.is_none() => format!("status {} without JSON", self.status),
            (None, None) => format!("status {}", self.status),
        }
    }

    /// Whether the same request may do better in a while.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..=599)
    }
}

/// A text of a provider for a sentence. Some servers repeat what they were sent, and a word that long may be a token.
fn quoted(text: &str) -> String {
    let word = |word: &str| {
        let shown = word.chars().count() < LONGEST_WORD || word.starts_with("https://");
        if shown { word.to_owned() } else { "[…]".to_owned() }
    };
    sentence(&text.split_whitespace().map(word).collect::<Vec<_>>().join(" "))
}

/// Headers of that text; what no header can carry is left out, because the tables hold none such.
pub(super) fn headers(texts: &[(&'static str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &str)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(*name == "authorization");
        Some((HeaderName::from_static(name), value))
    };
    texts.iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sentence_quotes_what_the_standards_define_and_nothing_else() {
        let check = |status: u16, body: Option<Value>, expected: &str| {
            assert_eq!(Reply { status, body, date: None }.reason(), expected);
        };
        check(400, Some(json!({"error": "invalid_grant"})), "invalid_grant");
        check(
            400,
            Some(json!({"error": "invalid_grant", "error_description": "The token is\nrevoked."})),
            "invalid_grant: The token is revoked",
        );
        check(
            401,
            Some(json!({"type": "error", "error": {"type": "authentication_error", "message": "No."}})),
            "authentication_error: No",
        );
        check(404, Some(json!({"message": "Not Found"})), "status 404: Not Found");
        check(502, None, "status 502 without JSON");
        check(200, Some(json!({"access_token": "planted"})), "status 200");
        check(
            400,
            Some(
                json!({"error": "invalid_grant", "error_description": "no such token: gho_0123456789abcdefghijklmnopqrstuvwxyz"}),
            ),
            "invalid_grant: no such token: […]",
        );
    }
}
