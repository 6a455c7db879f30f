//! The inbound side of the transport: cuts the byte stream into frames before the codec sees it.
//!
//! tower-lsp's codec ends the session at the first body that it cannot parse. [`FrameReader`] therefore checks each body,
//! passes good frames through unchanged, and replaces a bad one by a `kit/malformed` notification that the guard answers
//! with a JSON-RPC error. It also tells when the stream ended, which tower-lsp does not report, and hands each body to
//! the recorder. Header lines that are no header (a stray print of a wrapper script, say) are skipped.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;

use crate::record::{Direction, Recorder};

/// The notification that stands for a frame that could not be understood.
pub(crate) const MALFORMED: &str = "kit/malformed";

const HEADER_LIMIT: usize = 64 * 1024;
const BODY_LIMIT: usize = 512 * 1024 * 1024;
const READ_SIZE: usize = 16 * 1024;

/// An [`AsyncRead`] that delivers only whole, well-formed frames.
pub(crate) struct FrameReader<R> {
    inner: R,
    received: Vec<u8>,
    ready: Vec<u8>,
    delivered: usize,
    ended: Arc<Notify>,
    recorder: Option<Arc<Recorder>>,
}

impl<R> FrameReader<R> {
    /// Reads from `inner`; `ended` is notified once when it ends or fails.
    pub(crate) fn new(inner: R, ended: Arc<Notify>, recorder: Option<Arc<Recorder>>) -> Self {
        Self { inner, received: Vec::new(), ready: Vec::new(), delivered: 0, ended, recorder }
    }

    /// Moves the next whole frame from `received` to `ready`; false when more bytes are needed.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(header) = find(&self.received, b"\r\n\r\n") else {
            if self.received.len() > HEADER_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a header block exceeds 64 KiB"));
            }
            return Ok(false);
        };
        let body_start = header + 4;
        let length = self.received.get(..header).and_then(content_length);
        let Some(length) = length else {
            self.received.drain(..body_start);
            self.deliver_malformed(json!({ "reason": "a header block without Content-Length" }));
            return Ok(true);
        };
        if length > BODY_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message exceeds 512 MiB"));
        }
        let Some(body) = self.received.get(body_start..body_start + length) else {
            let missing = (body_start + length).saturating_sub(self.received.len());
            self.received.reserve(missing);
            return Ok(false);
        };
        match check(body) {
            Ok(()) => {
                if let Some(recorder) = &self.recorder {
                    recorder.record(Direction::In, body);
                }
                self.ready = format!("Content-Length: {length}\r\n\r\n").into_bytes();
                self.ready.extend_from_slice(body);
                self.delivered = 0;
            }
            Err(problem) => self.deliver_malformed(problem),
        }
        self.received.drain(..body_start + length);
        Ok(true)
    }

    fn deliver_malformed(&mut self, problem: Value) {
        let body = json!({ "jsonrpc": "2.0", "method": MALFORMED, "params": problem }).to_string();
        self.ready = format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        self.delivered = 0;
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for FrameReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let waiting = this.ready.get(this.delivered..).unwrap_or_default();
            if !waiting.is_empty() {
                let count = waiting.len().min(buffer.remaining());
                buffer.put_slice(waiting.get(..count).unwrap_or_default());
                this.delivered += count;
                return Poll::Ready(Ok(()));
            }
            match this.advance() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "the input cannot be read any further");
                    this.ended.notify_one();
                    return Poll::Ready(Ok(()));
                }
            }
            let mut chunk = [0_u8; READ_SIZE];
            let mut chunk = ReadBuf::new(&mut chunk);
            match Pin::new(&mut this.inner).poll_read(context, &mut chunk) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !chunk.filled().is_empty() => {
                    this.received.extend_from_slice(chunk.filled());
                }
                Poll::Ready(result) => {
                    this.ended.notify_one();
                    return Poll::Ready(result);
                }
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn content_length(header: &[u8]) -> Option<usize> {
    let header = std::str::from_utf8(header).ok()?;
    header.lines().rev().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.trim().eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    })
}

#[derive(Deserialize)]
struct Envelope {
    jsonrpc: Option<Value>,
    method: Option<Value>,
    id: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    result: bool,
    #[serde(default, deserialize_with = "present")]
    error: bool,
    params: Option<Shape>,
}

/// Notes that a member is there, even when it is null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// What kind of JSON value a member is, without keeping it.
enum Shape {
    Structured,
    Scalar,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Shape;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("any JSON value")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Shape::Structured)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Shape, A::Error> {
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Shape::Structured)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Scalar)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Scalar)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::Scalar)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Scalar)
            }

            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::Scalar)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Whether the codec will take the body as a JSON-RPC message; the error is the parameters of [`MALFORMED`].
fn check(body: &[u8]) -> Result<(), Value> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
            let reason = if batch { "batches are not part of LSP".to_owned() } else { error.to_string() };
            return Err(json!({ "reason": reason }));
        }
    };
    let usable_id = matches!(envelope.id, None | Some(Value::Null | Value::String(_)))
        || envelope.id.as_ref().is_some_and(Value::is_i64);
    let problem = if envelope.jsonrpc.as_ref().and_then(Value::as_str) != Some("2.0") {
        Some("`jsonrpc` must be \"2.0\"")
    } else if !usable_id {
        Some("`id` must be an integer, a string or null")
    } else if matches!(envelope.params, Some(Shape::Scalar)) {
        Some("`params` must be an object or an array")
    } else {
        match (&envelope.method, envelope.result ^ envelope.error) {
            (Some(Value::String(_)), _) => None,
            (Some(_), _) => Some("`method` must be a string"),
            (None, true) if envelope.id.is_some() => None,
            (None, _) => Some("neither a request nor a response"),
        }
    };
    match problem {
        None => Ok(()),
        Some(reason) => {
            let id = if usable_id { envelope.id.unwrap_or(Value::Null) } else { Value::Null };
            Err(json!({ "reason": reason, "id": id, "invalidRequest": true }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn frame(body: &str) -> Vec<u8> {
        format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    async fn read_all(input: Vec<u8>) -> String {
        let ended = Arc::new(Notify::new());
        let mut reader = FrameReader::new(std::io::Cursor::new(input), Arc::clone(&ended), None);
        let mut output = String::new();
        reader.read_to_string(&mut output).await.unwrap();
        ended.notified().await;
        output
    }

    #[tokio::test]
    async fn good_frames_pass_through_unchanged() {
        let mut input = frame(r#"{"jsonrpc":"2.0","id":1,"method":"shutdown","params":null}"#);
        input.extend(frame(r#"{"jsonrpc":"2.0","id":"x","result":null}"#));
        input.extend(frame(r#"{"jsonrpc":"2.0","method":"exit"}"#));
        assert_eq!(read_all(input.clone()).await.into_bytes(), input);
    }

    #[tokio::test]
    async fn bad_bodies_become_one_notification_each_and_later_frames_survive() {
        let good = frame(r#"{"jsonrpc":"2.0","method":"exit"}"#);
        for bad in [
            "{not json",
            "[]",
            "17",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"1.0","method":"a"}"#,
            r#"{"jsonrpc":"2.0","method":3}"#,
            r#"{"jsonrpc":"2.0","method":"a","params":3}"#,
            r#"{"jsonrpc":"2.0","method":"a","id":1.5}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#,
        ] {
            let mut input = frame(bad);
            input.extend(&good);
            let output = read_all(input).await;
            assert_eq!(output.matches(MALFORMED).count(), 1, "{bad}: {output}");
            assert!(output.ends_with(std::str::from_utf8(&good).unwrap()), "{bad}");
        }
    }

    #[tokio::test]
    async fn stray_text_before_a_header_is_skipped() {
        let good = frame(r#"{"jsonrpc":"2.0","method":"exit"}"#);
        let mut input = b"debug print\n".to_vec();
        input.extend(&good);
        assert_eq!(read_all(input).await.into_bytes(), good);
    }
}
