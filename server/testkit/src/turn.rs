//! One turn as the event stream tells it.

use serde_json::{Value, json};

/// A turn that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The session.
    pub session: String,
    /// The turn's own id.
    pub turn: String,
    /// Whether it waits for another.
    pub queued: bool,
}

impl Turn {
    pub(crate) fn from_answer(answer: &Value) -> Turn {
        let text =
            |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned();
        Turn { session: text("session"), turn: text("turn"), queued: answer["queued"] == true }
    }

    /// Whether an event is one of this turn.
    pub fn owns(&self, event: &Value) -> bool {
        event["session"] == json!(self.session) && event["turn"] == json!(self.turn)
    }
}

/// A finished turn: all its events in order, the last of them `turn_end`.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnReport {
    /// The events.
    pub events: Vec<Value>,
}

impl TurnReport {
    /// The `turn_end` event.
    pub fn end(&self) -> &Value {
        self.events.last().expect("a report has events")
    }

    /// Why the turn ended.
    pub fn stop_reason(&self) -> &str {
        self.end()["stopReason"].as_str().unwrap_or_default()
    }

    /// The final answer.
    pub fn response(&self) -> &str {
        self.end()["response"].as_str().unwrap_or_default()
    }

    /// The events of one type.
    pub fn all(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["type"] == kind).collect()
    }

    /// The only event of one type.
    pub fn only(&self, kind: &str) -> &Value {
        let all = self.all(kind);
        assert_eq!(all.len(), 1, "exactly one {kind} among {:?}", self.types());
        all[0]
    }

    /// The types of all events, in order.
    pub fn types(&self) -> Vec<&str> {
        self.events.iter().filter_map(|event| event["type"].as_str()).collect()
    }

    /// The text of the last answer as a reader of the stream has it: resets drop what came before them.
    pub fn streamed_text(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            match event["type"].as_str() {
                Some("message_start" | "stream_reset") => text.clear(),
                Some("message_update") => text.push_str(event["chunk"].as_str().unwrap_or_default()),
                Some(_) | None => {}
            }
        }
        text
    }

    /// All streamed text of the turn over all its answers, with what resets took back left out.
    pub fn all_streamed_text(&self) -> String {
        let mut texts: Vec<String> = Vec::new();
        for event in &self.events {
            match event["type"].as_str() {
                Some("message_start") => texts.push(String::new()),
                Some("stream_reset") => texts.last_mut().into_iter().for_each(String::clear),
                Some("message_update") => {
                    let chunk = event["chunk"].as_str().unwrap_or_default();
                    texts.last_mut().expect("text comes after message_start").push_str(chunk);
                }
                Some(_) | None => {}
            }
        }
        texts.concat()
    }

    /// `(tool name, result, is error)` of every tool call, in order of completion.
    pub fn tool_results(&self) -> Vec<(&str, &str, bool)> {
        self.all("tool_result")
            .into_iter()
            .map(|event| {
                (
                    event["toolName"].as_str().unwrap_or_default(),
                    event["result"].as_str().unwrap_or_default(),
                    event["isError"] == true,
                )
            })
            .collect()
    }

    /// The result of the only tool call.
    pub fn tool_result(&self) -> (&str, bool) {
        let results = self.tool_results();
        assert_eq!(results.len(), 1, "exactly one tool call: {results:?}");
        (results[0].1, results[0].2)
    }
}
