//! Server-sent events, decoded without I/O: bytes go in, frames come out.
//!
//! `push` appends whatever the network delivered, `next_frame` takes the complete frames out, `finish` says that no
//! byte follows. Lines end with LF, CR or CRLF, a byte order mark at the start is skipped, comments are dropped, several
//! `data` lines are joined with a line feed. Two decisions differ from the specification on purpose:
//!
//! - An event that is pending at the end of input is delivered. Many servers omit the last blank line, and the
//!   wire adapters decide by content whether an answer is complete.
//! - `id` and `retry` are ignored, because an answer is never resumed in the middle.
//!
//! The result does not depend on where the input was split. A line, and the data of one event, is limited, so that a
//! server which never ends a line costs bounded memory.

use std::borrow::Cow;

use thiserror::Error;

/// The longest line and the longest event that a decoder accepts unless told otherwise.
pub const DEFAULT_LIMIT: usize = 16 * 1024 * 1024;

/// One decoded event. The text borrows from the decoder until the next call.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event` field; empty when the server sent none.
    pub event: Cow<'a, str>,
    /// The `data` lines joined with line feeds; invalid UTF-8 is replaced, never an error.
    pub data: Cow<'a, str>,
}

/// Why a stream cannot be decoded further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A line or the data of one event is longer than the limit.
    #[error("the server sent an event of more than {} MiB", .limit >> 20)]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The checksum of a binary message is wrong.
    #[error("the server sent a damaged message")]
    Damaged,
}

/// Incremental decoder of one event stream.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// Received bytes; everything before `line` is consumed.
    buffer: Vec<u8>,
    /// Where the current line starts in `buffer`.
    line: usize,
    /// Up to where `buffer` is known to hold no line end, so that no byte is looked at twice.
    scanned: usize,
    /// The last line ended with CR, so a LF that follows belongs to it.
    after_return: bool,
    at_start: bool,
    at_end: bool,
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// `event` and `data` were handed out and must be cleared before the next line.
    delivered: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl Decoder {
    /// A decoder that fails on lines and events of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            buffer: Vec::new(),
            line: 0,
            scanned: 0,
            after_return: false,
            at_start: true,
            at_end: false,
            event: Vec::new(),
            data: Vec::new(),
            has_data: false,
            delivered: false,
        }
    }

    /// Appends received bytes. Take all frames out before pushing more, to keep the buffer small.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.line);
        self.scanned -= self.line;
        self.line = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that the input ended: an unterminated line and a pending event count as complete.
    pub fn finish(&mut self) {
        self.at_end = true;
    }

    /// The next complete frame, or `None` until more bytes are pushed.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, DecodeError> {
        if self.delivered {
            self.event.clear();
            self.data.clear();
            self.has_data = false;
            self.delivered = false;
        }
        while let Some(end) = self.line_end()? {
            let start = self.line;
            self.line = (end + 1).min(self.buffer.len());
            self.scanned = self.line;
            self.after_return = self.buffer.get(end) == Some(&b'\r');
            let blank = self.take_line(start, end)?;
            if blank && self.has_data {
                self.delivered = true;
                break;
            }
            if blank {
                self.event.clear();
            }
        }
        if self.at_end && self.has_data && self.line == self.buffer.len() {
            self.delivered = true;
        }
        Ok(self.delivered.then(|| Frame {
            event: String::from_utf8_lossy(&self.event),
            data: String::from_utf8_lossy(&self.data),
        }))
    }

    /// The index of the byte that ends the current line, or the end of the buffer for the last, unterminated one.
    fn line_end(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.after_return && self.buffer.get(self.line) == Some(&b'\n') {
            self.line += 1;
            self.scanned = self.scanned.max(self.line);
            self.after_return = false;
        }
        let rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let found = line_end(rest).map(|at| self.scanned + at);
        let end = found.unwrap_or(self.buffer.len());
        self.scanned = end;
        if end - self.line > self.limit {
            return Err(DecodeError::TooLong { limit: self.limit });
        }
        Ok(found.or_else(|| (self.at_end && self.line < self.buffer.len()).then_some(end)))
    }

    /// Applies one line to the pending event and tells whether the line was blank.
    fn take_line(&mut self, start: usize, end: usize) -> Result<bool, DecodeError> {
        let mut line = self.buffer.get(start..end).unwrap_or_default();
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        let (field, value) = match line.strip_prefix(b"data:") {
            Some(value) => (b"data".as_slice(), value),
            None => {
                let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
                let (field, rest) = line.split_at(colon);
                (field, rest.strip_prefix(b":").unwrap_or(rest))
            }
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
                if self.data.len() > self.limit {
                    return Err(DecodeError::TooLong { limit: self.limit });
                }
            }
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(value);
            }
            _ => {}
        }
        Ok(line.is_empty())
    }
}

/// The first line feed or carriage return. Looks at whole blocks first, which the compiler turns into vector code.
fn line_end(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let ends = |byte: &u8| (*byte == b'\n') | (*byte == b'\r');
    let without = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| !block.iter().fold(false, |found, byte| found | ends(byte)));
    let skipped = without.count() * BLOCK;
    let rest = bytes.get(skipped..).unwrap_or_default();
    rest.iter().position(ends).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]], limit: usize) -> (Vec<(String, String)>, Option<DecodeError>) {
        let mut decoder = Decoder::with_limit(limit);
        let mut frames = Vec::new();
        let mut drain = |decoder: &mut Decoder| loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push((frame.event.into_owned(), frame.data.into_owned())),
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        };
        for chunk in chunks {
            decoder.push(chunk);
            if let Some(error) = drain(&mut decoder) {
                return (frames, Some(error));
            }
        }
        decoder.finish();
        let error = drain(&mut decoder);
        (frames, error)
    }

    fn check(input: &str, expected: &[(&str, &str)]) {
        let (frames, error) = decode(&[input.as_bytes()], DEFAULT_LIMIT);
        let frames: Vec<_> = frames.iter().map(|(event, data)| (event.as_str(), data.as_str())).collect();
        assert_eq!((frames.as_slice(), error), (expected, None), "input {input:?}");
    }

    #[test]
    fn accepts_every_line_end() {
        check("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]);
        check("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]);
        check("data: a\r\n\ndata: b\n\r\n", &[("", "a"), ("", "b")]);
    }

    #[test]
    fn joins_data_lines_and_strips_one_space() {
        check("data: a\ndata:b\ndata:  c\n\n", &[("", "a\nb\n c")]);
        check("data\ndata:\n\n", &[("", "\n")]);
        check("data:\n\n", &[("", "")]);
    }

    #[test]
    fn names_belong_to_their_event_only() {
        check("event: x\ndata: 1\n\ndata: 2\n\n", &[("x", "1"), ("", "2")]);
        check("event: lost\n\ndata: 2\n\n", &[("", "2")]);
    }

    #[test]
    fn drops_comments_and_unknown_fields() {
        check(": OPENROUTER PROCESSING\n\nid: 7\nretry: 1\nfoo: bar\ndata: x\n\n", &[("", "x")]);
    }

    #[test]
    fn skips_a_byte_order_mark_at_the_start_only() {
        check("\u{feff}data: a\n\n\u{feff}data: b\n\ndata: c\n\n", &[("", "a"), ("", "c")]);
    }

    #[test]
    fn delivers_the_event_that_is_pending_at_the_end() {
        check("data: a", &[("", "a")]);
        check("data: a\n", &[("", "a")]);
        check("event: stop\ndata: a\r", &[("stop", "a")]);
        check("event: stop\n", &[]);
        check("", &[]);
    }

    #[test]
    fn replaces_invalid_utf8() {
        let (frames, error) = decode(&[b"data: a\xFFb\n\n"], DEFAULT_LIMIT);
        assert_eq!((frames, error), (vec![(String::new(), "a\u{fffd}b".to_owned())], None));
    }

    #[test]
    fn a_line_without_end_fails_at_the_limit() {
        let mut decoder = Decoder::with_limit(1024);
        let mut pushed = 0;
        let error = loop {
            decoder.push(&[b'x'; 100]);
            pushed += 100;
            match decoder.next_frame() {
                Ok(frame) => assert_eq!(frame, None),
                Err(error) => break error,
            }
        };
        assert_eq!((error, pushed), (DecodeError::TooLong { limit: 1024 }, 1100));
    }

    #[test]
    fn an_event_of_endless_lines_fails_at_the_limit() {
        let (frames, error) = decode(&[b"data: ok\n\n", &b"data: 0123456789\n".repeat(20)], 100);
        assert_eq!((frames.len(), error), (1, Some(DecodeError::TooLong { limit: 100 })));
    }

    /// Inputs made of pieces that matter to the decoder, so that most of them decode to something.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("data: ".to_owned()),
            Just("data".to_owned()),
            Just("event: e".to_owned()),
            Just(": comment".to_owned()),
            Just("\u{feff}".to_owned()),
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\n\n".to_owned()),
            "[a-zä😀:]{0,12}",
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn splits_do_not_change_the_result(input in stream(), cuts in prop::collection::vec(0usize..400, 0..12), limit in 5usize..60) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.push(input.len());
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&input[from..cut]);
                from = cut;
            }
            let single: Vec<&[u8]> = input.chunks(1).collect();
            for limit in [limit, DEFAULT_LIMIT] {
                let whole = decode(&[&input], limit);
                prop_assert_eq!(&decode(&chunks, limit), &whole);
                prop_assert_eq!(&decode(&single, limit), &whole);
            }
        }
    }
}
