//! `--record FILE`: both directions of the traffic as JSON lines, for bug reports.
//!
//! Each line is `{"at": milliseconds since start, "direction": "in" | "out", "message": …}`. Values under keys that
//! name a secret are replaced before they reach the file. [`RecordingWriter`] cuts the outbound stream into bodies.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::AsyncWrite;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

impl Direction {
    /// The word in the file.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Writes messages to the recording.
pub(crate) struct Recorder {
    file: Mutex<File>,
    started: Instant,
}

impl Recorder {
    /// Creates or replaces the file; on Unix only its owner can read it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: Mutex::new(options.open(path)?), started: Instant::now() })
    }

    /// Adds one message; a failing disk is logged and does not disturb the session.
    pub(crate) fn record(&self, direction: Direction, body: &[u8]) {
        let Ok(mut message) = serde_json::from_slice::<Value>(body) else { return };
        redact(&mut message);
        let at = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = json!({ "at": at, "direction": direction.as_str(), "message": message });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{line}") {
            tracing::warn!(%error, "the recording cannot be written");
        }
    }
}

fn names_secret(key: &str) -> bool {
    let key: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    ["apikey", "authorization", "password", "secret", "accesstoken", "refreshtoken"]
        .iter()
        .any(|word| key.contains(word))
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if names_secret(key) && !member.is_null() {
                    *member = Value::String("[redacted]".to_owned());
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An [`AsyncWrite`] that passes everything on and records each whole body.
pub(crate) struct RecordingWriter<W> {
    inner: W,
    pending: Vec<u8>,
    recorder: Option<Arc<Recorder>>,
}

impl<W> RecordingWriter<W> {
    /// Writes to `inner`; without a recorder it only passes on.
    pub(crate) fn new(inner: W, recorder: Option<Arc<Recorder>>) -> Self {
        Self { inner, pending: Vec::new(), recorder }
    }

    fn note(&mut self, bytes: &[u8]) {
        let Some(recorder) = &self.recorder else { return };
        self.pending.extend_from_slice(bytes);
        while let Some((body, rest)) = first_body(&self.pending) {
            recorder.record(Direction::Out, body);
            let consumed = self.pending.len() - rest.len();
            self.pending.drain(..consumed);
        }
    }
}

/// The first whole body of a framed stream and what follows it.
pub(crate) fn first_body(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = stream.windows(4).position(|window| window == b"\r\n\r\n")?;
    let length: usize = std::str::from_utf8(stream.get(..header)?)
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length:"))?
        .trim()
        .parse()
        .ok()?;
    let start = header + 4;
    Some((stream.get(start..start + length)?, stream.get(start + length..)?))
}

impl<W: AsyncWrite + Unpin> AsyncWrite for RecordingWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            let count = *count;
            self.note(bytes.get(..count).unwrap_or_default());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn records_bodies_cut_anywhere_and_hides_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traffic.jsonl");
        let recorder = Arc::new(Recorder::create(&path).unwrap());
        let mut writer = RecordingWriter::new(Vec::new(), Some(Arc::clone(&recorder)));
        let body = r#"{"a":1,"settings":{"provider-api-key":"sk-123","model":"x/y"}}"#;
        let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        for byte in frame.as_bytes() {
            writer.write_all(&[*byte]).await.unwrap();
        }
        assert_eq!(writer.inner, frame.as_bytes());
        let line: Value = serde_json::from_str(std::fs::read_to_string(&path).unwrap().trim()).unwrap();
        assert_eq!(line["direction"], "out");
        let expected = json!({"a": 1, "settings": {"provider-api-key": "[redacted]", "model": "x/y"}});
        assert_eq!(line["message"], expected);
    }
}
