//! How an answer is cut into the pieces that a wire reads: events of an event stream, lines of JSON, or binary messages.

pub(crate) mod eventstream;

use std::borrow::Cow;

use crate::sse::{self, DEFAULT_LIMIT, DecodeError};

/// How a wire frames its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON document on each line.
    Lines,
    /// The binary event stream of Amazon Web Services.
    Messages,
}

/// Cuts bytes into frames, wherever they were split.
#[derive(Debug)]
pub(crate) enum Decoder {
    Events(sse::Decoder),
    Lines(Lines),
    Messages(eventstream::Messages),
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Events => Self::Events(sse::Decoder::default()),
            Framing::Lines => Self::Lines(Lines::default()),
            Framing::Messages => Self::Messages(eventstream::Messages::default()),
        }
    }

    /// Appends received bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Events(decoder) => decoder.push(bytes),
            Self::Lines(lines) => lines.push(bytes),
            Self::Messages(messages) => messages.push(bytes),
        }
    }

    /// Says that no byte follows: what is pending counts as complete.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Events(decoder) => decoder.finish(),
            Self::Lines(lines) => lines.at_end = true,
            Self::Messages(_) => {}
        }
    }

    /// The data of the next complete frame.
    pub(crate) fn next_data(&mut self) -> Result<Option<Cow<'_, str>>, DecodeError> {
        match self {
            Self::Events(decoder) => Ok(decoder.next_frame()?.map(|frame| frame.data)),
            Self::Lines(lines) => lines.next_line(),
            Self::Messages(messages) => messages.next_message(),
        }
    }
}

/// Lines, without their ends.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Everything before it is consumed.
    start: usize,
    /// Up to where the buffer is known to hold no line end.
    scanned: usize,
    at_end: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn next_line(&mut self) -> Result<Option<Cow<'_, str>>, DecodeError> {
        let rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == b'\n').map(|at| self.scanned + at);
        let end = found.unwrap_or(self.buffer.len());
        self.scanned = end;
        if end - self.start > DEFAULT_LIMIT {
            return Err(DecodeError::TooLong { limit: DEFAULT_LIMIT });
        }
        if found.is_none() && (!self.at_end || self.start == end) {
            return Ok(None);
        }
        let line = self.start..end;
        self.start = (end + 1).min(self.buffer.len());
        self.scanned = self.start;
        let line = self.buffer.get(line).unwrap_or_default();
        // An answer in one piece was made an event, see `http`.
        let line = line.strip_prefix(b"data:").unwrap_or(line);
        Ok(Some(String::from_utf8_lossy(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut decoder = Decoder::new(Framing::Lines);
        let mut lines = Vec::new();
        for piece in pieces {
            decoder.push(piece.as_bytes());
            while let Some(line) = decoder.next_data().unwrap() {
                lines.push(line.into_owned());
            }
        }
        decoder.finish();
        while let Some(line) = decoder.next_data().unwrap() {
            lines.push(line.into_owned());
        }
        lines
    }

    #[test]
    fn lines_are_whole_wherever_they_were_split() {
        assert_eq!(
            lines(&["{\"a\":1}\n{\"b\"", ":2}\r\n", "\nlast"]),
            ["{\"a\":1}", "{\"b\":2}\r", "", "last"]
        );
        assert_eq!(lines(&["one\n"]), ["one"]);
        assert_eq!(lines(&["data: {}\n\n"]), [" {}", ""]);
        assert_eq!(lines(&[]), [""; 0]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut decoder = Decoder::new(Framing::Lines);
        decoder.push(&vec![b'x'; DEFAULT_LIMIT + 1]);
        assert_eq!(decoder.next_data(), Err(DecodeError::TooLong { limit: DEFAULT_LIMIT }));
    }
}
