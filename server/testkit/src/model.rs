//! The model server: HTTP/1.1 on a loopback port, answering from scripts, with gates between chunks.
//!
//! Each connection carries one request. While a reply is held at a gate the connection is watched, so that a test can
//! tell that a cancelled request was really dropped. A request that nothing answers, that repeats a call without its
//! result or that shows a planted key in its body is a defect of the server under test: dropping the value reports it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::launch::PLANTED;
use crate::script::{Ending, Reply};
use crate::wait::{Missing, deadline, until};
use crate::wire::{Chunk, Item, Wire, orphans};

/// A request that the model server received.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The wire it came on.
    pub wire: Wire,
    /// The headers in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
    /// The conversation in it.
    pub items: Vec<Item>,
}

impl Recorded {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// All texts of the user in order.
    pub fn user_texts(&self) -> Vec<&str> {
        self.items
            .iter()
            .filter_map(|item| if let Item::User(text) = item { Some(text.as_str()) } else { None })
            .collect()
    }

    /// Text and error mark of all tool results in order.
    pub fn results(&self) -> Vec<(&str, bool)> {
        let mut results = Vec::new();
        for item in &self.items {
            if let Item::Result { text, is_error, .. } = item {
                results.push((text.as_str(), *is_error));
            }
        }
        results
    }

    /// The text of the last tool result.
    pub fn last_result(&self) -> &str {
        self.results().last().unwrap_or_else(|| panic!("no tool result in {:?}", self.items)).0
    }

    /// The names of the tools that are offered.
    pub fn tools(&self) -> Vec<&str> {
        let tools = self.body["tools"].as_array();
        tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["name"].as_str().or(tool["function"]["name"].as_str()))
            .collect()
    }
}

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    routed: Vec<(String, VecDeque<Reply>)>,
    requests: Vec<Recorded>,
    dropped: Vec<bool>,
    calls: usize,
    violations: Vec<String>,
    /// What a question for the models is answered with; with `None` the server is out of order for such questions.
    listed: Option<Value>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// A scripted model on a loopback port.
pub struct ModelServer {
    address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl ModelServer {
    /// Starts a server without replies, which speaks the wires that most servers have: messages and chat completions.
    pub async fn start() -> ModelServer {
        ModelServer::start_with(Wire::of_path).await
    }

    /// Starts a server without replies, which speaks every wire at the paths of every provider.
    pub async fn start_on_every_wire() -> ModelServer {
        ModelServer::start_with(Wire::of_any_path).await
    }

    async fn start_with(wire_of: fn(&str) -> Option<Wire>) -> ModelServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let listed = json!({ "object": "list", "data": [{ "id": "claude-sonnet-4-5" }, { "id": "gpt-4o" }], "has_more": false });
        let state = State { listed: Some(listed), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: watch::channel(0).0 });
        let accepted = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&accepted);
                tokio::spawn(async move {
                    if let Err(why) = serve(stream, &shared, wire_of).await {
                        shared.lock().violations.push(why);
                    }
                    shared.wake();
                });
            }
        });
        ModelServer { address, shared, accepting }
    }

    /// The address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.address.clone()
    }

    /// Adds the answer to the next request that has no answer of its own.
    pub fn reply(&self, reply: Reply) {
        self.shared.lock().replies.push_back(reply);
    }

    /// Adds an answer for requests whose conversation has this in a text of the user.
    pub fn reply_to(&self, needle: &str, reply: Reply) {
        let mut state = self.shared.lock();
        match state.routed.iter_mut().find(|(of, _)| of == needle) {
            Some((_, replies)) => replies.push_back(reply),
            None => state.routed.push((needle.to_owned(), VecDeque::from([reply]))),
        }
    }

    /// Lists these models from now on, in the form that the provider has; `None` makes the list fail.
    pub fn list(&self, listed: Option<Value>) {
        self.shared.lock().listed = listed;
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// Waits for a request and returns it; `nth` counts from 0.
    pub async fn request(&self, nth: usize) -> Recorded {
        self.wait(&format!("model request number {nth}"), |state| state.requests.get(nth).cloned()).await
    }

    /// Waits until the client has dropped the connection of a request before its reply was complete.
    pub async fn dropped(&self, nth: usize) {
        self.wait(&format!("end of the connection of request {nth}"), |state| {
            state.dropped.get(nth).copied().filter(|dropped| *dropped)
        })
        .await;
    }

    /// Asserts that every scripted reply was asked for.
    pub fn assert_used(&self) {
        let state = self.shared.lock();
        let left = state.replies.len() + state.routed.iter().map(|(_, replies)| replies.len()).sum::<usize>();
        assert_eq!(left, 0, "replies that nobody asked for after {} requests", state.requests.len());
    }

    /// What a provider would have refused so far, which is then no failure of the test any more.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().violations)
    }

    async fn wait<T>(&self, what: &str, mut find: impl FnMut(&State) -> Option<T>) -> T {
        match until(&self.shared.changed, || find(&self.shared.lock()).into()).await {
            Ok(found) => found,
            Err(Missing::Ended | Missing::Late) => {
                panic!("no {what} within {:?}; {} requests came", deadline(), self.requests().len())
            }
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.accepting.abort();
        if !std::thread::panicking() {
            let violations = self.shared.lock().violations.clone();
            assert_eq!(violations, Vec::<String>::new(), "requests that a model provider would refuse");
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    shared: &Shared,
    wire_of: fn(&str) -> Option<Wire>,
) -> Result<(), String> {
    let Some((line, headers, body)) = read_request(&mut stream).await? else { return Ok(()) };
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    if method == "GET" {
        let listed = shared.lock().listed.clone();
        let (status, models) = listed.map_or((503, json!({})), |listed| (200, listed));
        return write_whole(&mut stream, status, &[], "application/json", &models.to_string()).await;
    }
    let Some(wire) = wire_of(path) else {
        write_whole(&mut stream, 404, &[], "application/json", "{}").await?;
        return Err(format!("a request to {line}"));
    };
    let body: Value =
        serde_json::from_slice(&body).map_err(|error| format!("a body that is not JSON: {error}"))?;
    let items = wire.items(&body);
    let (index, reply, first_call) = {
        let mut state = shared.lock();
        let state = &mut *state;
        let index = state.requests.len();
        if let Some(why) = orphans(&items) {
            state.violations.push(format!("request {index}: {why}"));
        }
        let text = body.to_string();
        for (name, _) in PLANTED.iter().filter(|(_, secret)| text.contains(secret)) {
            state.violations.push(format!("request {index}: the value of {name} is in the conversation"));
        }
        let told =
            |needle: &str| items.iter().any(|item| matches!(item, Item::User(text) if text.contains(needle)));
        let routed = state.routed.iter_mut().find(|(needle, replies)| !replies.is_empty() && told(needle));
        let reply = routed.and_then(|(_, replies)| replies.pop_front()).or_else(|| state.replies.pop_front());
        state.requests.push(Recorded { wire, headers, body: body.clone(), items });
        state.dropped.push(false);
        let first_call = state.calls;
        state.calls += reply.as_ref().map_or(0, |reply| reply.parts.len()) + 1;
        if reply.is_none() {
            state
                .violations
                .push(format!("request {index} was not expected: {:?}", state.requests[index].items.last()));
        }
        (index, reply, first_call)
    };
    shared.wake();
    let Some(reply) = reply else {
        let body = wire.error_body(400, "the script of the test has no further reply");
        return write_whole(&mut stream, 400, &[], "application/json", &body).await;
    };
    if reply.status != 200 {
        let message = reply.body.as_deref().unwrap_or("scripted failure");
        let body = wire.error_body(reply.status, message);
        return write_whole(&mut stream, reply.status, &reply.headers, "application/json", &body).await;
    }
    let model = body["model"].as_str().unwrap_or_default();
    if !stream_reply(&mut stream, wire, &reply, model, first_call).await {
        shared.lock().dropped[index] = true;
    }
    Ok(())
}

/// Writes a reply; false when the client went away before its end.
async fn stream_reply(
    stream: &mut TcpStream,
    wire: Wire,
    reply: &Reply,
    model: &str,
    first_call: usize,
) -> bool {
    let mut head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\nrequest-id: req_test\r\n",
        wire.content_type()
    );
    reply.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    if stream.write_all(head.as_bytes()).await.is_err() {
        return false;
    }
    for chunk in wire.chunks(reply, model, first_call) {
        match chunk {
            Chunk::Bytes(bytes) => {
                let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
                framed.extend(bytes);
                framed.extend(b"\r\n");
                if stream.write_all(&framed).await.is_err() || stream.flush().await.is_err() {
                    return false;
                }
            }
            Chunk::Gate(gate) => {
                tokio::select! {
                    () = gate.pass() => {}
                    () = gone(stream) => return false,
                }
            }
        }
    }
    match reply.ending {
        Ending::Whole => stream.write_all(b"0\r\n\r\n").await.is_ok(),
        Ending::Cut => true,
        Ending::Stall => {
            gone(stream).await;
            false
        }
    }
}

/// Waits until the other side closes the connection.
async fn gone(stream: &mut TcpStream) {
    let mut byte = [0];
    while let Ok(1..) = stream.read(&mut byte).await {}
}

async fn write_whole(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(String, String)],
    kind: &str,
    body: &str,
) -> Result<(), String> {
    let mut head = format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    // A client that is gone already has cancelled; that is no fault of the request.
    let _gone = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
    Ok(())
}

type Request = (String, Vec<(String, String)>, Vec<u8>);

async fn read_request(stream: &mut TcpStream) -> Result<Option<Request>, String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let length: usize = length.parse().map_err(|_| format!("not a content-length: {length}"))?;
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(count) => body.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(Some((line, headers, body)))
}
