//! What a model answers, written once for every wire.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::wait::deadline;

/// A point at which the model server waits until the test lets it go on.
#[derive(Clone, Debug)]
pub struct Gate {
    reached: Arc<watch::Sender<bool>>,
    open: Arc<watch::Sender<bool>>,
}

impl Default for Gate {
    fn default() -> Self {
        Gate::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Gate { reached: Arc::new(watch::channel(false).0), open: Arc::new(watch::channel(false).0) }
    }

    /// Waits until the model server stands before the gate: everything before it has been written.
    pub async fn reached(&self) {
        wait(&self.reached, "model server at the gate").await;
    }

    /// Lets the model server through.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(crate) async fn pass(&self) {
        self.reached.send_replace(true);
        let mut open = self.open.subscribe();
        let _gone = open.wait_for(|open| *open).await;
    }
}

async fn wait(flag: &watch::Sender<bool>, what: &str) {
    let mut receiver = flag.subscribe();
    let reached = timeout(deadline(), receiver.wait_for(|reached| *reached)).await;
    assert!(reached.is_ok(), "no {what} within {:?}", deadline());
}

/// Tokens that a reply says it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCount {
    /// Tokens of the prompt that were neither read from nor written to a cache.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// Tokens read from the cache.
    pub cache_read: u64,
    /// Tokens written to the cache.
    pub cache_write: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    Reasoning(String),
    Call {
        name: String,
        arguments: String,
    },
    Gate(Gate),
    /// An error in the middle of a stream that began well.
    Error {
        kind: String,
        message: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Whole,
    Cut,
    Stall,
}

/// One answer of the model.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) tokens: TokenCount,
    pub(crate) length_stop: bool,
    pub(crate) ending: Ending,
}

impl Default for Reply {
    fn default() -> Self {
        Reply::new()
    }
}

impl Reply {
    /// An empty answer that ends well.
    pub fn new() -> Self {
        Reply {
            status: 200,
            headers: Vec::new(),
            body: None,
            parts: Vec::new(),
            tokens: TokenCount { input: 10, output: 5, ..TokenCount::default() },
            length_stop: false,
            ending: Ending::Whole,
        }
    }

    /// An HTTP error with this status instead of a stream.
    pub fn status(status: u16) -> Self {
        Reply { status, ..Reply::new() }
    }

    /// The error with which both providers refuse a context that is too long.
    pub fn context_overflow() -> Self {
        Reply::status(400).body("prompt is too long: 250000 tokens > 200000 maximum")
    }

    /// A header of the answer.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The message in the body of an HTTP error.
    pub fn body(mut self, message: &str) -> Self {
        self.body = Some(message.into());
        self
    }

    /// One chunk of text.
    pub fn text(mut self, text: &str) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// One chunk of reasoning.
    pub fn reasoning(mut self, text: &str) -> Self {
        self.parts.push(Part::Reasoning(text.into()));
        self
    }

    /// A tool call; its arguments are streamed in two pieces.
    pub fn call(self, name: &str, arguments: Value) -> Self {
        self.call_with_text(name, &arguments.to_string())
    }

    /// A tool call whose arguments are this text, JSON or not.
    pub fn call_with_text(mut self, name: &str, arguments: &str) -> Self {
        self.parts.push(Part::Call { name: name.into(), arguments: arguments.into() });
        self
    }

    /// A call of the edit tool that replaces one text.
    pub fn edit(self, path: &str, old: &str, new: &str) -> Self {
        self.call("edit", json!({ "path": path, "edits": [{ "old_text": old, "new_text": new }] }))
    }

    /// Waits here until the gate is opened.
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.parts.push(Part::Gate(gate.clone()));
        self
    }

    /// An error in the stream.
    pub fn error(mut self, kind: &str, message: &str) -> Self {
        self.parts.push(Part::Error { kind: kind.into(), message: message.into() });
        self
    }

    /// What the answer costs.
    pub fn tokens(mut self, tokens: TokenCount) -> Self {
        self.tokens = tokens;
        self
    }

    /// The answer ends because it is too long.
    pub fn stopped_by_length(mut self) -> Self {
        self.length_stop = true;
        self
    }

    /// The connection is cut after the last part.
    pub fn cut(mut self) -> Self {
        self.ending = Ending::Cut;
        self
    }

    /// Nothing comes after the last part, and the connection stays open.
    pub fn stall(mut self) -> Self {
        self.ending = Ending::Stall;
        self
    }
}
