//! Connections to remote servers: streamable HTTP with the headers of the settings, and with a token where there is one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::transport::auth::{
    OAuthHttpClient, OAuthHttpClientError, OAuthHttpClientFuture, OAuthHttpRedirectPolicy, OAuthHttpRequest,
};
use rmcp::transport::common::client_side_sse::{ExponentialBackoff, SseRetryPolicy};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use super::hub::{HttpClients, Redirections};

/// How often a stream of events that broke off is opened again at once; later the whole connection is made again.
const STREAM_TRIES: usize = 3;
/// The largest answer of a server that gives logins.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// How long such an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What the connection to an address needs to know.
pub(super) fn configuration(
    url: &str,
    headers: &[(String, String)],
) -> Result<StreamableHttpClientTransportConfig, String> {
    let mut named = HashMap::new();
    for (name, value) in headers {
        let wrong = || format!("the header `{name}` of its settings cannot be sent; correct it");
        let header = name.parse::<HeaderName>().map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        named.insert(header, value);
    }
    let mut configuration = StreamableHttpClientTransportConfig::with_uri(url).custom_headers(named);
    let mut retries = ExponentialBackoff::default();
    retries.max_times = Some(STREAM_TRIES);
    configuration.retry_config = Arc::new(retries) as Arc<dyn SseRetryPolicy>;
    Ok(configuration)
}

/// A client for an address; making one reads certificates.
pub(super) async fn client(
    http: &HttpClients,
    url: &str,
    redirections: Redirections,
) -> Result<reqwest::Client, String> {
    let (http, url) = (Arc::clone(http), url.to_owned());
    match tokio::task::spawn_blocking(move || http(&url, redirections)).await {
        Ok(made) => made,
        Err(error) => Err(format!("the HTTP client could not be made: {error}")),
    }
}

/// Requests about logins.
pub(super) struct Web {
    http: HttpClients,
}

impl Web {
    pub(super) fn new(http: HttpClients) -> Self {
        Self { http }
    }

    async fn send(&self, asked: OAuthHttpRequest) -> Result<http::Response<Vec<u8>>, OAuthHttpClientError> {
        let redirections = match asked.redirect_policy {
            OAuthHttpRedirectPolicy::Follow => Redirections::SameOrigin,
            _ => Redirections::None,
        };
        let url = asked.request.uri().to_string();
        let client = client(&self.http, &url, redirections).await?;
        let response = client.execute(reqwest::Request::try_from(asked.request)?).await?;
        let mut builder = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            builder = builder.header(name, value);
        }
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(bytes) = stream.next().await {
            body.extend_from_slice(&bytes?);
            if body.len() > LARGEST_ANSWER {
                return Err("the answer is too large".into());
            }
        }
        Ok(builder.body(body)?)
    }
}

impl OAuthHttpClient for Web {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(async move {
            let limit = request.timeout.unwrap_or(ANSWER_LIMIT).min(ANSWER_LIMIT);
            match tokio::time::timeout(limit, self.send(request)).await {
                Ok(answered) => answered,
                Err(_) => Err(format!("no answer within {} s", limit.as_secs()).into()),
            }
        })
    }
}
