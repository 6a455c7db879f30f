//! `--replay FILE`: plays a recording's inbound side against a fresh server.
//!
//! Inbound messages are sent in the recorded order. Before a message that answers a request of the server, and at each
//! recorded outbound response or request, the replay waits until the server has produced its counterpart: a response by
//! its id, a request by its method. Notifications are not waited for, because their number depends on timing. Every
//! message that the server sends is handed to the caller; counterparts that never came are reported.

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
const PATIENCE: Duration = Duration::from_secs(5);

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
        ids: HashMap::new(),
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
        } else if line.message.get("id").is_some() && !peer.wait_for(&line.message, &mut received).await {
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
    /// Ids of the server's requests: recorded to current.
    ids: HashMap<String, Value>,
    seen: VecDeque<Value>,
}

impl Peer {
    async fn send(&mut self, mut message: Value) -> std::io::Result<()> {
        let answers = message.get("method").is_none();
        if answers
            && let Some(id) = message.get("id")
            && let Some(current) = self.ids.get(&id.to_string())
        {
            let current = current.clone();
            if let Some(members) = message.as_object_mut() {
                members.insert("id".to_owned(), current);
            }
        }
        let body = message.to_string();
        self.input.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
    }

    async fn wait_for(&mut self, expected: &Value, received: &mut impl FnMut(&Value)) -> bool {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(position) = self.seen.iter().position(|message| counterpart(expected, message)) {
                if let Some(message) = self.seen.remove(position)
                    && expected.get("method").is_some()
                    && let (Some(recorded), Some(current)) = (expected.get("id"), message.get("id"))
                {
                    self.ids.insert(recorded.to_string(), current.clone());
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
                if message.get("id").is_some() {
                    self.seen.push_back(message);
                }
            }
        }
    }
}

fn counterpart(expected: &Value, message: &Value) -> bool {
    match expected.get("method") {
        Some(method) => message.get("method") == Some(method),
        None => message.get("method").is_none() && message.get("id") == expected.get("id"),
    }
}

fn take(raw: &mut Vec<u8>) -> Option<Value> {
    let (body, rest) = first_body(raw)?;
    let message = serde_json::from_slice(body).ok();
    let consumed = raw.len() - rest.len();
    raw.drain(..consumed);
    message
}
