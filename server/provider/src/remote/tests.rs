use std::io::ErrorKind as IoErrorKind;
use std::time::Duration;

use kit_protocol::{ErrorKind, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::error::Retry;
use crate::http::Limits;
use crate::settings::ProviderSettings;
use crate::wire::fixtures::{request, user};
use crate::{Environment, Models};

/// A server for one connection: it reads one request, sends the pieces and then does what `End` says.
pub(super) struct Server {
    pub(super) address: String,
    /// The head and the body of the request.
    request: oneshot::Receiver<(String, String)>,
    pub(super) task: JoinHandle<()>,
}

pub(super) enum End {
    Close,
    /// Keeps the connection open until the client closes it, then tells.
    Stall(oneshot::Sender<()>),
}

pub(super) async fn serve(pieces: Vec<Vec<u8>>, end: End) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, request) = oneshot::channel();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let received = read_request(&mut stream).await;
        let _ = sender.send(received);
        for piece in pieces {
            if stream.write_all(&piece).await.is_err() {
                return;
            }
        }
        match end {
            End::Close => stream.shutdown().await.unwrap_or_default(),
            End::Stall(closed) => {
                let read = stream.read(&mut [0; 16]).await;
                assert!(
                    matches!(read, Ok(0))
                        || read.is_err_and(|error| error.kind() == IoErrorKind::ConnectionReset)
                );
                let _ = closed.send(());
            }
        }
    });
    Server { address, request, task }
}

async fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the request is cut off");
        bytes.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return (head, body.to_owned());
        }
    }
}

pub(super) fn response(status: &str, headers: &str, body: &str) -> Vec<Vec<u8>> {
    vec![format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()]
}

pub(super) const EVENTS: &str = "content-type: text/event-stream\r\nx-request-id: req-9\r\n";
pub(super) const ANSWER: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const BEGUN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";

fn model(address: &str, limits: Limits) -> Arc<dyn Model> {
    let variables =
        [("OPENAI_BASE_URL", format!("http://{address}/v1")), ("OPENAI_API_KEY", "sk-planted".to_owned())];
    let environment = variables.into_iter().collect::<Environment>();
    let models = Models::with_limits(&ProviderSettings::default(), environment, limits);
    models.resolve(&"openai/gpt-4.1".parse().unwrap()).unwrap()
}

pub(super) async fn stream(address: &str, limits: Limits) -> Vec<Result<ModelEvent, ModelError>> {
    model(address, limits).stream(request(vec![user("go")]), CancellationToken::new()).collect().await
}

async fn failure(pieces: Vec<Vec<u8>>) -> ModelError {
    let server = serve(pieces, End::Close).await;
    stream(&server.address, Limits::default()).await.pop().unwrap().unwrap_err()
}

#[tokio::test]
async fn a_prompt_becomes_a_request_and_its_stream_events() {
    let server = serve(response("200 OK", EVENTS, ANSWER), End::Close).await;
    let events = stream(&server.address, Limits::default()).await;
    let (head, body) = server.request.await.unwrap();
    assert!(head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer sk-planted"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["model"], &body["messages"][1]["content"]), (&"gpt-4.1".into(), &"go".into()));
    let [
        Ok(ModelEvent::Connected { request_id }),
        Ok(ModelEvent::TextDelta(text)),
        Ok(ModelEvent::Finished(completion)),
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((request_id.as_deref(), text.as_str()), (Some("req-9"), "hi"));
    assert_eq!(
        (completion.message.role, completion.message.joined_text()),
        (Role::Assistant, "hi".to_owned())
    );
    assert_eq!(
        (completion.model.to_string().as_str(), completion.request_id.as_deref()),
        ("openai/gpt-4.1", Some("req-9"))
    );
}

#[tokio::test]
async fn one_byte_at_a_time_makes_no_difference() {
    let pieces = response("200 OK", EVENTS, ANSWER).concat().chunks(1).map(<[u8]>::to_vec).collect();
    let server = serve(pieces, End::Close).await;
    let last = stream(&server.address, Limits::default()).await.pop();
    assert!(matches!(last, Some(Ok(ModelEvent::Finished(_)))), "{last:?}");
}

#[tokio::test]
async fn a_connection_that_ends_early_is_a_failure_that_a_retry_may_mend() {
    let error = failure(response("200 OK", EVENTS, BEGUN)).await;
    assert_eq!(
        (error.retry, error.started, error.request_id.as_deref()),
        (Retry::Backoff, true, Some("req-9"))
    );
    let chunked = format!("transfer-encoding: chunked\r\n{EVENTS}");
    let error =
        failure(response("200 OK", &chunked, &format!("{:x}\r\n{BEGUN}\r\n5\r\nda", BEGUN.len()))).await;
    assert_eq!((error.retry, error.started), (Retry::Backoff, true));
    assert!(error.message.starts_with("the connection to OpenAI broke"), "{error}");
    let error = failure(vec![b"HTTP/1.1 ".to_vec()]).await;
    assert_eq!((error.kind, error.retry, error.started), (ErrorKind::Unavailable, Retry::Backoff, false));
}

#[tokio::test]
async fn an_empty_success_is_a_failure() {
    let error = failure(response("200 OK", "content-length: 0\r\n", "")).await;
    assert_eq!((error.message.as_str(), error.retry), ("OpenAI sent an empty answer", Retry::Backoff));
    let error = failure(response("200 OK", "content-type: application/json\r\n", "")).await;
    assert_eq!(error.message, "OpenAI sent an empty answer");
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    let error = failure(response("200 OK", "content-type: text/html\r\n", "<html>Welcome</html>")).await;
    assert!(
        error
            .message
            .ends_with(" answered with a web page and not with a model's answer; check the base URL"),
        "{error}"
    );
    assert_eq!((error.status, error.retry), (Some(200), Retry::Never));
    let error =
        failure(response("502 Bad Gateway", "content-type: text/html\r\n", "<html>proxy</html>")).await;
    assert_eq!(
        (error.message.as_str(), error.retry),
        ("OpenAI is unavailable with status 502", Retry::Backoff)
    );
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let error =
        failure(response("307 Temporary Redirect", "location: https://other.example/v1?key=planted\r\n", ""))
            .await;
    assert!(
        error.message.ends_with(
            " answered with a redirect to https://other.example; set the base URL to where it leads"
        ),
        "{error}"
    );
    assert_eq!((error.status, error.retry), (Some(307), Retry::Never));
}

#[tokio::test]
async fn failures_carry_status_delay_and_request_but_never_the_key() {
    let headers = "content-type: application/json\r\nretry-after-ms: 40\r\nx-request-id: req-7\r\n";
    let body = r#"{"error": {"message": "Slow down, sk-planted.", "type": "requests"}}"#;
    let error = failure(response("429 Too Many Requests", headers, body)).await;
    let expected = ModelError {
        kind: ErrorKind::RateLimit,
        message: "OpenAI asks to slow down: Slow down, [key]".into(),
        retry: Retry::After(Duration::from_millis(40)),
        started: false,
        status: Some(429),
        request_id: Some("req-7".into()),
    };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = "{\n \"choices\": [{\"message\": {\"content\": \"a\\nb\"}, \"finish_reason\": \"stop\"}]\n}";
    let server = serve(response("200 OK", "content-type: application/json\r\n", body), End::Close).await;
    let Some(Ok(ModelEvent::Finished(completion))) = stream(&server.address, Limits::default()).await.pop()
    else {
        panic!("no answer")
    };
    assert_eq!(completion.message.joined_text(), "a\nb");
    let error =
        failure(response("200 OK", "content-type: application/json\r\n", r#"{"error": {"code": 401}}"#))
            .await;
    assert_eq!((error.kind, error.status), (ErrorKind::Auth, Some(401)));
}

#[tokio::test]
async fn waiting_has_limits() {
    let limits = Limits {
        first_byte: Duration::from_millis(500),
        idle: Duration::from_millis(100),
        ..Limits::default()
    };
    let (closed, close) = oneshot::channel();
    let server = serve(vec![], End::Stall(closed)).await;
    let error = stream(&server.address, limits).await.pop().unwrap().unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.retry),
        ("OpenAI did not begin to answer within 0 s", Retry::Backoff)
    );
    close.await.unwrap();
    let (closed, close) = oneshot::channel();
    let server = serve(response("200 OK", EVENTS, BEGUN), End::Stall(closed)).await;
    let error = stream(&server.address, Limits { first_byte: Duration::from_secs(60), ..limits })
        .await
        .pop()
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.started),
        ("OpenAI sent nothing for 0 s in the middle of its answer", true)
    );
    close.await.unwrap();
}

#[tokio::test]
async fn cancelling_and_dropping_close_the_connection() {
    let (closed, close) = oneshot::channel();
    let server = serve(response("200 OK", EVENTS, BEGUN), End::Stall(closed)).await;
    let cancel = CancellationToken::new();
    let mut events =
        model(&server.address, Limits::default()).stream(request(vec![user("go")]), cancel.clone());
    assert!(matches!(events.next().await, Some(Ok(ModelEvent::Connected { .. }))));
    assert_eq!(events.next().await, Some(Ok(ModelEvent::TextDelta("hi".into()))));
    cancel.cancel();
    assert_eq!(events.next().await, Some(Err(ModelError::cancelled())));
    assert_eq!(events.next().await, None);
    close.await.unwrap();

    let (closed, close) = oneshot::channel();
    let server = serve(response("200 OK", EVENTS, BEGUN), End::Stall(closed)).await;
    let mut events =
        model(&server.address, Limits::default()).stream(request(vec![user("go")]), CancellationToken::new());
    assert!(events.next().await.is_some());
    drop(events);
    close.await.unwrap();
    server.task.await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_run_is_named_and_not_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = stream(&address, Limits::default()).await.pop().unwrap().unwrap_err();
    assert!(
        error.message.starts_with(&format!("no server for OpenAI answers at http://{address} (")),
        "{error}"
    );
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Never));
}

#[tokio::test]
async fn without_key_nothing_is_sent() {
    let models = Models::new(&ProviderSettings::default(), Environment::default());
    let model = models.resolve(&"anthropic/claude-sonnet-latest".parse().unwrap()).unwrap();
    let events = model.stream(request(vec![user("go")]), CancellationToken::new()).collect::<Vec<_>>().await;
    let [Err(error)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((error.kind, error.retry), (ErrorKind::Auth, Retry::Never));
    assert!(error.message.contains("ANTHROPIC_API_KEY"), "{error}");
}

/// A server that answers each connection with the next of the responses; the requests come back, heads in lower case.
pub(super) async fn serve_all(responses: Vec<Vec<Vec<u8>>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for response in responses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (head, body) = read_request(&mut stream).await;
            requests.push(format!("{head}\r\n\r\n{body}"));
            stream.write_all(&response.concat()).await.unwrap();
            stream.shutdown().await.unwrap_or_default();
        }
        requests
    });
    (address, task)
}

/// The same; the bodies of the requests come back.
async fn serve_in_turn(responses: Vec<Vec<u8>>) -> (String, impl Future<Output = Vec<serde_json::Value>>) {
    let (address, requests) = serve_all(responses.into_iter().map(|response| vec![response]).collect()).await;
    let body = |request: &String| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    (address, async move { requests.await.unwrap().iter().map(body).collect() })
}

#[tokio::test]
async fn a_refused_schema_is_sent_again_in_its_plain_form_and_stays_plain() {
    let refusal =
        response("400 Bad Request", "", r#"{"error": {"message": "unknown keyword `format`"}}"#).concat();
    let fine = response("200 OK", EVENTS, ANSWER).concat();
    let (address, server) = serve_in_turn(vec![refusal, fine.clone(), fine]).await;
    let schema =
        serde_json::json!({"type": "object", "properties": {"at": {"type": "string", "format": "uri"}}});
    let tool = crate::ToolDefinition { input_schema: schema.clone(), ..crate::wire::fixtures::tool("go") };
    let request = Request { tools: Arc::new([tool]), ..request(vec![user("go")]) };
    let model = model(&address, Limits::default());
    for _ in 0..2 {
        let last = model.stream(request.clone(), CancellationToken::new()).collect::<Vec<_>>().await.pop();
        assert!(matches!(last, Some(Ok(ModelEvent::Finished(_)))), "{last:?}");
    }
    let sent: Vec<serde_json::Value> =
        server.await.iter().map(|body| body["tools"][0]["function"]["parameters"].clone()).collect();
    let plain = serde_json::json!({"type": "object", "properties": {"at": {"type": "string"}}});
    assert_eq!(sent, [schema, plain.clone(), plain]);
}

#[tokio::test]
async fn a_refusal_that_nothing_mends_is_reported_as_it_came_first() {
    let refusal =
        |text: &str| response("400 Bad Request", "", &format!("{{\"error\": {{\"message\": \"{text}\"}}}}"));
    let (address, server) = serve_in_turn(vec![refusal("first").concat(), refusal("second").concat()]).await;
    let tool = crate::ToolDefinition {
        input_schema: serde_json::json!({"type": "object", "title": "x"}),
        ..crate::wire::fixtures::tool("go")
    };
    let request = Request { tools: Arc::new([tool]), ..request(vec![user("go")]) };
    let events = model(&address, Limits::default())
        .stream(request, CancellationToken::new())
        .collect::<Vec<_>>()
        .await;
    let [Err(error)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        error.message,
        "OpenAI refused the request with status 400: first; change the prompt or the settings, or choose another model"
    );
    assert_eq!(server.await.len(), 2);
}

#[tokio::test]
async fn what_is_left_of_the_limits_is_kept() {
    let headers = "x-ratelimit-limit-requests: 9\r\nx-ratelimit-remaining-requests: 8\r\n";
    let server = serve(response("429 Too Many Requests", headers, "{}"), End::Close).await;
    let variables =
        [("OPENAI_BASE_URL", format!("http://{}/v1", server.address)), ("OPENAI_API_KEY", "k".to_owned())];
    let models = Models::new(&ProviderSettings::default(), variables.into_iter().collect());
    assert_eq!(models.rate_limits("openai"), None);
    let model = models.resolve(&"openai/gpt-4.1".parse().unwrap()).unwrap();
    let last =
        model.stream(request(vec![user("go")]), CancellationToken::new()).collect::<Vec<_>>().await.pop();
    assert!(matches!(last, Some(Err(_))), "{last:?}");
    let requests = crate::Allowance { limit: 9, remaining: 8, reset: None };
    let expected = crate::RateLimits { requests: Some(requests), ..crate::RateLimits::default() };
    assert_eq!(models.rate_limits("openai"), Some(expected));
}
