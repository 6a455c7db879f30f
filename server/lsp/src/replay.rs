//! `--replay FILE`: plays a recording's inbound side against a fresh server.
//!
//! Inbound messages are sent in the recorded order. At each recorded request, response and end of a turn of the server
//! the replay waits until the server has produced the counterpart: a response by its id, a request by its method, the
//! end of a turn by being one. Other notifications are not waited for, because their number depends on timing. Ids that
//! the server makes anew (sessions, turns, its own requests) are taken from the counterparts and put into what is sent.
//! Every message of the server is handed to the caller; counterparts that never came are reported.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::record::{Direction, first_body};
use crate::serve::serve;
use crate::shared::Application;

const BUFFER: usize = 8 * 1024 * 1024;
/// How long a counterpart may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Members whose values the server makes anew in each run.
const FRESH: &[&str] = &["session", "turn", "token", "id"];

#[derive(Deserialize)]
struct Line {
    direction: String,
    message: Value,
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Inbound messages sent.
    pub sent: usize,
    /// Recorded requests and responses of the server that never came, each in a few words.
    pub missing: Vec<String>,
}

/// Plays the recording at `path`; `received` gets every message of the server.
pub async fn replay(
    path: &Path,
    application: Arc<dyn Application>,
    mut received: impl FnMut(&Value),
) -> std::io::Result<ReplayReport> {
    let recording = std::fs::read_to_string(path)?;
    let (near_in, far_in) = tokio::io::duplex(BUFFER);
    let (near_out, far_out) = tokio::io::duplex(BUFFER);
    let server = tokio::spawn(serve(far_in, far_out, application, None));
    let mut peer = Peer {
        input: near_in,
        output: near_out,
        raw: Vec::new(),
        fresh: HashMap::new(),
        seen: VecDeque::new(),
    };
    let mut report = ReplayReport::default();
    for (number, line) in recording.lines().enumerate() {
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            report.missing.push(format!("line {} is not a recorded message", number + 1));
            continue;
        };
        if line.direction == Direction::In.as_str() {
            peer.send(line.message).await?;
            report.sent += 1;
        } else if is_awaited(&line.message) && !peer.wait_for(&line.message, &mut received).await {
            let what = line.message.get("method").or_else(|| line.message.get("id"));
            report.missing.push(format!("line {}: {}", number + 1, what.unwrap_or(&Value::Null)));
        }
    }
    drop(peer.input);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, peer.output.read_to_end(&mut rest)).await;
    peer.raw.extend(rest);
    while let Some(message) = take(&mut peer.raw) {
        received(&message);
    }
    server.abort();
    if ended.is_err() {
        report.missing.push("the end of the server's output".to_owned());
    }
    Ok(report)
}

struct Peer {
    input: DuplexStream,
    output: DuplexStream,
    raw: Vec<u8>,
    /// Values of fresh members: recorded to current.
    fresh: HashMap<Value, Value>,
    seen: VecDeque<Value>,
}

impl Peer {
    async fn send(&mut self, mut message: Value) -> std::io::Result<()> {
        // The ids of the client's own requests are its own.
        let own = message.get("method").and(message.get("id")).cloned();
        renew(&mut message, &self.fresh);
        if let (Some(own), Some(members)) = (own, message.as_object_mut()) {
            members.insert("id".to_owned(), own);
        }
        // The editor of the recording is gone by now, and the server would follow it.
        if let Some(parent) = message.pointer_mut("/params/processId") {
            *parent = Value::Null;
        }
        let body = message.to_string();
        self.input.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
    }

    async fn wait_for(&mut self, expected: &Value, received: &mut impl FnMut(&Value)) -> bool {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(position) = self.seen.iter().position(|message| counterpart(expected, message)) {
                if let Some(message) = self.seen.remove(position) {
                    learn(expected, &message, &mut self.fresh);
                }
                return true;
            }
            let mut chunk = [0_u8; 8192];
            match tokio::time::timeout_at(deadline, self.output.read(&mut chunk)).await {
                Ok(Ok(count)) if count > 0 => {
                    self.raw.extend_from_slice(chunk.get(..count).unwrap_or_default())
                }
                Ok(_) | Err(_) => return false,
            }
            while let Some(message) = take(&mut self.raw) {
                received(&message);
                if is_awaited(&message) {
                    self.seen.push_back(message);
                }
            }
        }
    }
}

fn ends_turn(message: &Value) -> bool {
    message.pointer("/params/type").and_then(Value::as_str) == Some("turn_end")
}

fn is_awaited(message: &Value) -> bool {
    message.get("id").is_some() || ends_turn(message)
}

fn counterpart(expected: &Value, message: &Value) -> bool {
    match expected.get("method") {
        Some(method) => message.get("method") == Some(method) && ends_turn(expected) == ends_turn(message),
        None => message.get("method").is_none() && message.get("id") == expected.get("id"),
    }
}

/// Notes the fresh values of a recorded message and its counterpart.
fn learn(recorded: &Value, current: &Value, fresh: &mut HashMap<Value, Value>) {
    match (recorded, current) {
        (Value::Object(recorded), Value::Object(current)) => {
            for (name, value) in recorded {
                let Some(now) = current.get(name) else { continue };
                if FRESH.contains(&name.as_str()) && value != now {
                    fresh.insert(value.clone(), now.clone());
                } else {
                    learn(value, now, fresh);
                }
            }
        }
        (Value::Array(recorded), Value::Array(current)) => {
            for (value, now) in recorded.iter().zip(current) {
                learn(value, now, fresh);
            }
        }
        (_, _) => {}
    }
}

/// Puts current values in the place of recorded ones.
fn renew(message: &mut Value, fresh: &HashMap<Value, Value>) {
    match message {
        Value::Object(members) => {
            for (name, value) in members {
                match fresh.get(value) {
                    Some(now) if FRESH.contains(&name.as_str()) => *value = now.clone(),
                    Some(_) | None => renew(value, fresh),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| renew(item, fresh)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn take(raw: &mut Vec<u8>) -> Option<Value> {
    let (body, rest) = first_body(raw)?;
    let message = serde_json::from_slice(body).ok();
    let consumed = raw.len() - rest.len();
    raw.drain(..consumed);
    message
}
