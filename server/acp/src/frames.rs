//! The inbound wire without I/O: bytes become lines, lines become messages.
//!
//! One line is one JSON-RPC message. A line that is too long is skipped up to its end, and one that is no message is told
//! as such; neither ends the connection. What can be known of the id of a bad message goes into the answer.

use agent_client_protocol_schema::v1::{Error, ErrorCode, RequestId};
use serde_json::{Map, Value};

/// The longest line; images and documents are base64 within it.
const LONGEST_LINE: usize = 64 * 1024 * 1024;

/// One line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes, without the line end.
    Whole(Vec<u8>),
    /// It was longer than allowed; its bytes are gone.
    TooLong,
}

/// Cuts bytes into lines.
pub(crate) struct Splitter {
    received: Vec<u8>,
    /// How much of it is known to hold no line end.
    searched: usize,
    /// Whether the rest of a line that is too long is on its way.
    skips: bool,
    longest: usize,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::with_limit(LONGEST_LINE)
    }
}

impl Splitter {
    fn with_limit(longest: usize) -> Self {
        Self { received: Vec::new(), searched: 0, skips: false, longest }
    }

    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// The next whole line.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let fresh = self.received.get(self.searched..).unwrap_or_default();
            let Some(end) = fresh.iter().position(|byte| *byte == b'\n').map(|at| at + self.searched) else {
                self.searched = self.received.len();
                if self.searched > self.longest {
                    self.received = Vec::new();
                    self.searched = 0;
                    if !std::mem::replace(&mut self.skips, true) {
                        return Some(Line::TooLong);
                    }
                }
                return None;
            };
            let rest = self.received.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.received, rest);
            self.searched = 0;
            if std::mem::take(&mut self.skips) {
                continue;
            }
            line.truncate(end);
            if line.len() > self.longest {
                return Some(Line::TooLong);
            }
            return Some(Line::Whole(line));
        }
    }

    /// What is left when the input ends: a last line without a line end.
    pub(crate) fn rest(self) -> Option<Line> {
        (!self.received.is_empty() && !self.skips).then_some(Line::Whole(self.received))
    }
}

/// One message of the client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// It wants an answer.
    Request { id: RequestId, method: String, params: Value },
    /// It wants none.
    Notification { method: String, params: Value },
    /// It answers a request of ours.
    Answer { id: i64, outcome: Result<Value, Error> },
    /// It is no message; this is to be answered.
    Malformed { id: RequestId, error: Error },
}

/// Reads one line; `None` for an empty one.
pub(crate) fn read(line: &Line) -> Option<Incoming> {
    let bytes = match line {
        Line::Whole(bytes) => bytes,
        Line::TooLong => {
            let sentence = format!("a message exceeds {} MiB", LONGEST_LINE / (1024 * 1024));
            return Some(malformed(RequestId::Null, ErrorCode::InvalidRequest, sentence));
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    Some(match serde_json::from_slice(bytes) {
        Ok(Value::Object(message)) => message_of(message),
        Ok(Value::Array(_)) => malformed(
            RequestId::Null,
            ErrorCode::InvalidRequest,
            "batches are not taken; send one message a line",
        ),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            malformed(RequestId::Null, ErrorCode::InvalidRequest, "a message must be an object")
        }
        Err(error) => {
            malformed(RequestId::Null, ErrorCode::ParseError, format!("the line is no JSON: {error}"))
        }
    })
}

fn message_of(mut message: Map<String, Value>) -> Incoming {
    let id = message.remove("id");
    let known = id.as_ref().and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    let wrong = |sentence: &str| {
        malformed(known.clone().unwrap_or(RequestId::Null), ErrorCode::InvalidRequest, sentence)
    };
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return wrong("`jsonrpc` must be \"2.0\"");
    }
    match message.remove("method") {
        Some(Value::String(method)) => {
            let params = message.remove("params").unwrap_or(Value::Null);
            match (id, known.clone()) {
                (None, _) => Incoming::Notification { method, params },
                (Some(_), Some(id)) => Incoming::Request { id, method, params },
                (Some(_), None) => wrong("`id` must be a whole number or a text"),
            }
        }
        Some(_) => wrong("`method` must be a text"),
        None => {
            let Some(RequestId::Number(id)) = known else {
                return wrong("the message has neither `method` nor an `id` of ours");
            };
            match (message.remove("result"), message.remove("error")) {
                (Some(result), None | Some(Value::Null)) => Incoming::Answer { id, outcome: Ok(result) },
                (_, Some(error)) => {
                    let error = serde_json::from_value(error).unwrap_or_else(|_| Error::internal_error());
                    Incoming::Answer { id, outcome: Err(error) }
                }
                (None, None) => wrong("the message has neither `method` nor `result` nor `error`"),
            }
        }
    }
}

fn malformed(id: RequestId, code: ErrorCode, sentence: impl Into<String>) -> Incoming {
    let error = Error::new(code.into(), sentence);
    Incoming::Malformed { id, error: error.data(serde_json::json!({"kind": "invalid_request"})) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(chunks: &[&str]) -> Vec<Line> {
        let mut splitter = Splitter::with_limit(8);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk.as_bytes());
            lines.extend(std::iter::from_fn(|| splitter.next()));
        }
        lines.extend(splitter.rest());
        lines
    }

    #[test]
    fn bytes_become_lines_however_they_are_cut() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(lines(&["a\nb", "c\n", "\nd"]), [whole("a"), whole("bc"), whole(""), whole("d")]);
        assert_eq!(lines(&["123456789\nx\n"]), [Line::TooLong, whole("x")]);
        assert_eq!(lines(&["12345", "6789", "12345678901", "\nx\n"]), [Line::TooLong, whole("x")]);
        assert_eq!(lines(&["1234567890"]), [Line::TooLong]);
    }

    fn reading(text: &str) -> Incoming {
        read(&Line::Whole(text.into())).unwrap()
    }

    #[test]
    fn messages_are_told_apart() {
        let request = reading(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":2}}"#);
        let expected =
            Incoming::Request { id: RequestId::Number(1), method: "a".into(), params: json!({"b": 2}) };
        assert_eq!(request, expected);
        let notification = reading(r#"{"jsonrpc":"2.0","method":"a"}"#);
        assert_eq!(notification, Incoming::Notification { method: "a".into(), params: Value::Null });
        let answer = reading(r#"{"jsonrpc":"2.0","id":7,"result":null}"#);
        assert_eq!(answer, Incoming::Answer { id: 7, outcome: Ok(Value::Null) });
        let refusal = reading(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"}}"#);
        assert_eq!(refusal, Incoming::Answer { id: 7, outcome: Err(Error::new(-32601, "no")) });
        assert_eq!(read(&Line::Whole(b" \r".to_vec())), None);
    }

    #[test]
    fn what_is_no_message_is_answered_with_what_is_wrong() {
        let check = |text: &str, id: RequestId, code: ErrorCode, sentence: &str| {
            let Incoming::Malformed { id: told, error } = reading(text) else { panic!("{text}") };
            assert_eq!((told, error.code), (id, code), "{text}");
            assert!(error.message.contains(sentence), "{text}: {error}");
        };
        check("{", RequestId::Null, ErrorCode::ParseError, "no JSON");
        check("[]", RequestId::Null, ErrorCode::InvalidRequest, "batches");
        check("7", RequestId::Null, ErrorCode::InvalidRequest, "object");
        check(r#"{"id":3,"method":"a"}"#, RequestId::Number(3), ErrorCode::InvalidRequest, "jsonrpc");
        check(
            r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
            RequestId::Null,
            ErrorCode::InvalidRequest,
            "`id`",
        );
        check(r#"{"jsonrpc":"2.0","id":"x"}"#, RequestId::Str("x".into()), ErrorCode::InvalidRequest, "ours");
        check(
            r#"{"jsonrpc":"2.0","id":3,"method":4}"#,
            RequestId::Number(3),
            ErrorCode::InvalidRequest,
            "text",
        );
        check(r#"{"jsonrpc":"2.0","id":3}"#, RequestId::Number(3), ErrorCode::InvalidRequest, "neither");
        let deep = "[".repeat(10_000);
        check(&deep, RequestId::Null, ErrorCode::ParseError, "no JSON");
    }
}
