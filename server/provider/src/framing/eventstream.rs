//! The binary event stream of Amazon Web Services, decoded without I/O.
//!
//! A message is its total length, the length of its headers, a checksum of these two, the headers, the payload, and a
//! checksum of everything before. Each message becomes one JSON object with its event's name as the only field, which is
//! how the same events look in JSON; an exception becomes an `error` with its type and message.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::sse::{DEFAULT_LIMIT, DecodeError};

/// Total length, length of the headers, and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end of a message.
const TRAILER: usize = 4;

/// Cuts bytes into messages, wherever they were split.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    buffer: Vec<u8>,
    /// Everything before it is consumed.
    start: usize,
}

impl Messages {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message as JSON text. A message that the end of the input cut off is left out: without it the
    /// answer is incomplete, and that is for the reader of the events to say.
    pub(super) fn next_message(&mut self) -> Result<Option<Cow<'static, str>>, DecodeError> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            // An answer in one piece was made an event, see `http`.
            if let Some(text) = rest.strip_prefix(b"data:") {
                let text = String::from_utf8_lossy(text).trim().to_owned();
                self.start = self.buffer.len();
                return Ok(Some(Cow::Owned(text)));
            }
            let (Some(total), Some(headers)) = (number(rest, 0), number(rest, 4)) else { return Ok(None) };
            let (Some(prelude), Some(checksum)) = (rest.get(..8), number(rest, 8)) else { return Ok(None) };
            if !is_checksum(checksum, prelude) || PRELUDE + headers + TRAILER > total {
                return Err(DecodeError::Damaged);
            }
            if total > DEFAULT_LIMIT {
                return Err(DecodeError::TooLong { limit: DEFAULT_LIMIT });
            }
            let Some(message) = rest.get(..total) else { return Ok(None) };
            let (content, trailer) = message.split_at(total - TRAILER);
            if !number(trailer, 0).is_some_and(|checksum| is_checksum(checksum, content)) {
                return Err(DecodeError::Damaged);
            }
            let headers_end = PRELUDE + headers;
            let named = content.get(PRELUDE..headers_end).unwrap_or_default();
            let text = text(&Headers::read(named), content.get(headers_end..).unwrap_or_default());
            self.start += total;
            if let Some(text) = text {
                return Ok(Some(Cow::Owned(text)));
            }
        }
    }
}

/// A big-endian number of four bytes.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

fn is_checksum(checksum: usize, of: &[u8]) -> bool {
    usize::try_from(crc32fast::hash(of)).is_ok_and(|own| own == checksum)
}

/// The headers that say what a message is.
#[derive(Debug, Default)]
struct Headers {
    message: String,
    event: String,
    exception: String,
    error_code: String,
    error_message: String,
}

impl Headers {
    /// Reads headers until one has a type of unknown length.
    fn read(mut bytes: &[u8]) -> Self {
        let mut headers = Self::default();
        while let Some((name, value, rest)) = header(bytes) {
            let field = match name {
                b":message-type" => Some(&mut headers.message),
                b":event-type" => Some(&mut headers.event),
                b":exception-type" => Some(&mut headers.exception),
                b":error-code" => Some(&mut headers.error_code),
                b":error-message" => Some(&mut headers.error_message),
                _ => None,
            };
            if let Some(field) = field {
                *field = String::from_utf8_lossy(value).into_owned();
            }
            bytes = rest;
        }
        headers
    }
}

/// Name and value of the first header, and what follows it. Its value is the raw bytes, whatever their type.
fn header(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let (length, rest) = match kind {
        0 | 1 => (0, rest),
        2 => (1, rest),
        3 => (2, rest),
        4 => (4, rest),
        5 | 8 => (8, rest),
        9 => (16, rest),
        6 | 7 => {
            let (length, rest) = rest.split_at_checked(2)?;
            (usize::from(u16::from_be_bytes(length.try_into().ok()?)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((name, value, rest))
}

/// The message as JSON; `None` for one that says nothing.
fn text(headers: &Headers, payload: &[u8]) -> Option<String> {
    let payload: Value = serde_json::from_slice(payload).unwrap_or(Value::Null);
    let said = || payload.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    let object = match headers.message.as_str() {
        "exception" => json!({"error": {"type": headers.exception, "message": said()}}),
        "error" => json!({"error": {"type": headers.error_code, "message": headers.error_message}}),
        _ if headers.event.is_empty() => return None,
        _ => Value::Object(Map::from_iter([(headers.event.clone(), payload)])),
    };
    Some(object.to_string())
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! Messages as a server writes them.

    /// One message with these headers, all of them texts.
    pub(crate) fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
        let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
        let mut named = Vec::new();
        for (name, value) in headers {
            named.push(u8::try_from(name.len()).unwrap());
            named.extend(name.as_bytes());
            named.push(7);
            named.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            named.extend(value.as_bytes());
        }
        let total = super::PRELUDE + named.len() + payload.len() + super::TRAILER;
        let mut message = [length(total), length(named.len())].concat();
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message.extend(named);
        message.extend(payload.as_bytes());
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message
    }

    /// An event of that name.
    pub(crate) fn event(name: &str, payload: &str) -> Vec<u8> {
        let headers =
            [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
        message(&headers, payload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fixtures::{event, message};
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<String>, DecodeError> {
        let mut messages = Messages::default();
        let mut texts = Vec::new();
        for piece in pieces {
            messages.push(piece);
            while let Some(text) = messages.next_message()? {
                texts.push(text.into_owned());
            }
        }
        Ok(texts)
    }

    #[test]
    fn events_and_exceptions_become_objects() {
        let exception = [(":message-type", "exception"), (":exception-type", "throttlingException")];
        let error =
            [(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "oops")];
        let stream = [
            event("messageStart", r#"{"role":"assistant"}"#),
            message(&[], "{}"),
            message(&exception, r#"{"message":"slow"}"#),
            message(&error, ""),
        ]
        .concat();
        let expected = [
            r#"{"messageStart":{"role":"assistant"}}"#,
            r#"{"error":{"type":"throttlingException","message":"slow"}}"#,
            r#"{"error":{"type":"InternalError","message":"oops"}}"#,
        ];
        assert_eq!(decode(&[&stream]).unwrap(), expected);
    }

    #[test]
    fn damage_is_noticed_and_a_cut_message_is_none() {
        let whole = event("messageStop", r#"{"stopReason":"end_turn"}"#);
        assert_eq!(decode(&[&whole[..whole.len() - 1]]).unwrap(), [""; 0]);
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            assert_eq!(decode(&[&broken]), Err(DecodeError::Damaged), "{at}");
        }
        let mut long = [u32::MAX.to_be_bytes(), [0; 4]].concat();
        long.extend(crc32fast::hash(&long).to_be_bytes());
        assert_eq!(decode(&[&long]), Err(DecodeError::TooLong { limit: DEFAULT_LIMIT }));
    }

    #[test]
    fn headers_of_every_type_are_passed_over() {
        let values: [(u8, &[u8]); 9] = [
            (0, b""),
            (1, b""),
            (2, b"1"),
            (3, b"12"),
            (4, b"1234"),
            (5, b"12345678"),
            (6, b"\0\x03abc"),
            (8, b"12345678"),
            (9, b"1234567890123456"),
        ];
        let mut bytes = Vec::new();
        for (kind, value) in values {
            bytes.extend([1, b'x', kind]);
            bytes.extend(value);
        }
        bytes.extend(b"\x0b:event-type\x07\0\x04stop");
        assert_eq!(Headers::read(&bytes).event, "stop");
    }

    proptest! {
        #[test]
        fn splits_change_nothing(cuts in prop::collection::vec(0usize..200, 0..6)) {
            let stream = [event("a", "{}"), event("b", r#"{"text":"ü"}"#), event("c", "{}")].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([stream.len()]) {
                pieces.push(&stream[from..cut]);
                from = cut;
            }
            prop_assert_eq!(decode(&pieces), decode(&[&stream]));
        }
    }
}
