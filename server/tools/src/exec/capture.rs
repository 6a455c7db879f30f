//! Bytes of a pipe to text: streamed as they come, kept as head and tail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::caps::{HeadTail, MAX_BYTES, MAX_LINES, grouped};
use crate::tool::OutputSink;

/// Bytes of one call that are streamed to clients; what comes later is in the result's tail.
const MAX_STREAMED: usize = 1024 * 1024;

/// Both streams of a call on their way to the clients.
pub(super) struct Streamed {
    output: OutputSink,
    bytes: AtomicUsize,
}

impl Streamed {
    pub(super) fn new(output: OutputSink) -> Self {
        Self { output, bytes: AtomicUsize::new(0) }
    }

    fn send(&self, text: &str, is_stderr: bool) {
        let before = self.bytes.fetch_add(text.len(), Ordering::Relaxed);
        if before >= MAX_STREAMED || text.is_empty() {
            return;
        }
        (self.output)(text.to_owned(), is_stderr);
        if before + text.len() >= MAX_STREAMED {
            let note =
                format!("\n[… more than {} bytes; the rest is not shown …]\n", grouped(MAX_STREAMED as u64));
            (self.output)(note, is_stderr);
        }
    }
}

/// What is kept of one pipe.
pub(super) struct Capture {
    decoder: Decoder,
    kept: HeadTail,
    is_stderr: bool,
}

impl Capture {
    pub(super) fn new(is_stderr: bool) -> Self {
        let kept = if is_stderr {
            HeadTail::new(MAX_LINES / 4, MAX_BYTES / 4)
        } else {
            HeadTail::new(MAX_LINES, MAX_BYTES)
        };
        Self { decoder: Decoder::default(), kept, is_stderr }
    }

    fn push(&mut self, bytes: &[u8], streamed: &Streamed) {
        let text = self.decoder.push(bytes);
        self.kept.push(&text);
        streamed.send(&text, self.is_stderr);
    }

    pub(super) fn into_text(mut self) -> String {
        self.kept.push(self.decoder.finish());
        self.kept.into_text()
    }
}

/// Reads the pipe until no process holds its other end.
pub(super) async fn pump(
    pipe: Option<impl AsyncRead + Unpin>,
    capture: &Mutex<Capture>,
    streamed: &Streamed,
) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(0) => return,
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                capture.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(bytes, streamed);
            }
            Err(error) => {
                tracing::debug!(%error, "the output of a command could not be read further");
                return;
            }
        }
    }
}

/// UTF-8 across chunk borders; what is no UTF-8 becomes U+FFFD.
#[derive(Default)]
struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut text = String::with_capacity(pending.len());
        let mut rest = pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    return text;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    match error.error_len() {
                        Some(length) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            rest = after.get(length..).unwrap_or_default();
                        }
                        None => {
                            self.pending = after.to_vec();
                            return text;
                        }
                    }
                }
            }
        }
    }

    fn finish(&mut self) -> &'static str {
        if std::mem::take(&mut self.pending).is_empty() { "" } else { "\u{fffd}" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_survive_every_chunk_border() {
        let bytes = "aä€😀b".as_bytes();
        for size in 1..=bytes.len() {
            let mut decoder = Decoder::default();
            let mut text: String = bytes.chunks(size).map(|chunk| decoder.push(chunk)).collect();
            text.push_str(decoder.finish());
            assert_eq!(text, "aä€😀b", "chunks of {size}");
        }
    }

    #[test]
    fn what_is_no_utf_8_is_marked_and_the_rest_is_kept() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(decoder.push(b"("), "\u{fffd}(");
        assert_eq!(decoder.push(b"\xe2\x82"), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }
}
