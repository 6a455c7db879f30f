//! What bad input gets: a typed error in bounded time and memory, one sentence with the mend, and a model that works on.

use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit_protocol::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::tests::{ANSWER, EVENTS, End, response, serve, serve_all, stream};
use super::*;
use crate::error::Retry;
use crate::http::Limits;
use crate::settings::{ConnectionSettings, ProviderSettings};
use crate::token::{Token, TokenSource};
use crate::wire::fixtures::{image, request, tool, user};
use crate::{Environment, Models};

async fn failure(pieces: Vec<Vec<u8>>) -> ModelError {
    let server = serve(pieces, End::Close).await;
    stream(&server.address, Limits::default()).await.pop().unwrap().unwrap_err()
}

fn models(address: &str, settings: &ProviderSettings) -> Models {
    let variables =
        [("OPENAI_BASE_URL", format!("{address}/v1")), ("OPENAI_API_KEY", "sk-planted".to_owned())];
    Models::new(settings, variables.into_iter().collect())
}

async fn ask(models: &Models, request: Request) -> Result<ModelEvent, ModelError> {
    let model = models.resolve(&"openai/gpt-4.1".parse().unwrap()).unwrap();
    model.stream(request, CancellationToken::new()).collect::<Vec<_>>().await.pop().unwrap()
}

fn refusal(status: &str, body: &str) -> Vec<Vec<u8>> {
    response(status, "content-type: application/json\r\n", body)
}

#[tokio::test]
async fn a_wrong_clock_is_told_where_it_makes_keys_fail() {
    let date = "date: Sat, 01 Jan 2000 00:00:00 GMT\r\n";
    let body = r#"{"error": {"message": "Signature not yet current"}}"#;
    let error = failure(response("403 Forbidden", date, body)).await;
    assert_eq!((error.kind, error.retry), (ErrorKind::Auth, Retry::Never));
    let start = "the key from OPENAI_API_KEY has no right to use gpt-4.1 at OpenAI: Signature not yet current; use another key, or choose another model; the clock of this machine is ";
    assert!(
        error.message.starts_with(start) && error.message.ends_with(" days ahead of the server's, set it")
    );
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_with_what_to_check() {
    let models = models("http://no-such-host.invalid", &ProviderSettings::default());
    let error = ask(&models, request(vec![user("go")])).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Backoff));
    assert!(
        error.message.starts_with("cannot connect to OpenAI at http://no-such-host.invalid ("),
        "{error}"
    );
    assert!(error.message.ends_with("check the network, the proxy and the base URL"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_failure_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // What comes is no request, and is answered like one that is wrong.
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(&response("400 Bad Request", "", "").concat()).await.unwrap();
    });
    let models = models(&format!("https://{address}"), &ProviderSettings::default());
    let error = ask(&models, request(vec![user("go")])).await.unwrap_err();
    server.await.unwrap();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Never));
    let expected = format!(
        "OpenAI at https://{address} speaks no TLS; begin its base URL with `http://` if that is meant"
    );
    assert_eq!(error.message, expected);
}

#[tokio::test]
async fn a_packed_answer_is_named() {
    let error = failure(response("200 OK", "content-encoding: gzip\r\n", "\u{1f}garbage")).await;
    assert_eq!(error.retry, Retry::Backoff);
    assert!(error.message.contains("sent a packed answer (gzip) that nobody asked for"), "{error}");
}

#[tokio::test]
async fn a_model_without_tools_is_told_in_the_providers_words() {
    let body = r#"{"error": {"message": "this model does not support tools"}}"#;
    let (address, _requests) = serve_all(vec![refusal("400 Bad Request", body); 4]).await;
    let mut request = request(vec![user("go")]);
    request.tools = [tool("read")].into();
    let error =
        ask(&models(&format!("http://{address}"), &ProviderSettings::default()), request).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::InvalidRequest, Retry::Never));
    assert_eq!(
        error.message,
        "OpenAI refused the request with status 400: this model does not support tools; choose a model that calls tools"
    );
}

#[tokio::test]
async fn a_model_that_reads_no_pictures_answers_without_them() {
    for status in ["400 Bad Request", "500 Internal Server Error"] {
        let refused = refusal(status, r#"{"error": {"message": "image input is not supported"}}"#);
        let answer = response("200 OK", EVENTS, ANSWER);
        let (address, requests) = serve_all(vec![refused, answer]).await;
        let shown = Message { role: kit_protocol::Role::User, parts: vec![image()] };
        let last =
            ask(&models(&format!("http://{address}"), &ProviderSettings::default()), request(vec![shown]))
                .await;
        assert!(matches!(last, Ok(ModelEvent::Finished(_))), "{status}: {last:?}");
        let bodies = requests.await.unwrap();
        let shows = |body: &String| body.contains("image_url");
        assert_eq!(bodies.iter().map(shows).collect::<Vec<_>>(), [true, false], "{status}");
    }
}

#[tokio::test]
async fn a_huge_schema_is_sent_and_its_refusal_is_typed() {
    let refused = refusal("413 Payload Too Large", r#"{"error": {"message": "request too large"}}"#);
    let (address, requests) = serve_all(vec![refused]).await;
    let mut huge = tool("read");
    huge.input_schema["description"] = "x".repeat(1 << 20).into();
    let mut request = request(vec![user("go")]);
    request.tools = [huge].into();
    let error =
        ask(&models(&format!("http://{address}"), &ProviderSettings::default()), request).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::ContextOverflow, Retry::Never));
    assert!(requests.await.unwrap()[0].len() > 1 << 20);
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_named_before_anything_is_sent() {
    let connections =
        ConnectionSettings { proxy: Some("::".to_owned().into()), ..ConnectionSettings::default() };
    let settings = ProviderSettings { connections, ..ProviderSettings::default() };
    let error = ask(&models("https://api.invalid", &settings), request(vec![user("go")])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.starts_with("the setting `proxy` is no URL"), "{error}");
}

/// A login whose tokens are numbered; each refusal makes the next.
#[derive(Debug, Default)]
struct Numbered(Mutex<u32>);

impl TokenSource for Numbered {
    fn is_available(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        "the login".to_owned()
    }

    fn token(&self) -> BoxFuture<'_, Result<Token, ModelError>> {
        let number = *self.0.lock().unwrap();
        std::future::ready(Ok(Token::new(format!("t{number}").into()))).boxed()
    }

    fn refused(&self, _token: &Token) {
        *self.0.lock().unwrap() += 1;
    }
}

#[tokio::test]
async fn a_login_that_expired_early_is_renewed_once_and_then_told() {
    let expired = || refusal("401 Unauthorized", r#"{"error": {"message": "token expired"}}"#);
    let answers = vec![expired(), response("200 OK", EVENTS, ANSWER), expired(), expired()];
    let (address, requests) = serve_all(answers).await;
    let variables = [("OPENAI_BASE_URL", format!("http://{address}/v1"))];
    let models = Models::new(&ProviderSettings::default(), variables.into_iter().collect::<Environment>());
    let models = models.with_tokens("openai", Arc::new(Numbered::default()));
    let first = ask(&models, request(vec![user("go")])).await;
    assert!(matches!(first, Ok(ModelEvent::Finished(_))), "{first:?}");
    let error = ask(&models, request(vec![user("go")])).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Auth, Retry::Never));
    assert!(error.message.starts_with("OpenAI refused the key from the login: token expired"), "{error}");
    let sent = requests.await.unwrap();
    let token = |request: &String| {
        request.lines().find_map(|line| line.strip_prefix("authorization: bearer ").map(str::to_owned))
    };
    let tokens: Vec<String> = sent.iter().filter_map(token).collect();
    assert_eq!(tokens, ["t0", "t1", "t1", "t2"]);
}
