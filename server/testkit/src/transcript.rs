//! The traffic of one server process, as lines that a reader of a failed test can follow.

use std::fmt::Write;

use serde_json::Value;

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Editor,
    Server,
}

/// All messages in the order in which they passed the fake editor.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    lines: Vec<(From, String)>,
}

impl Transcript {
    pub(crate) fn record(&mut self, from: From, body: &Value) {
        self.lines.push((from, body.to_string()));
    }

    /// The whole text of both directions, to be searched.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|(_, line)| line.as_str())
    }

    /// The last messages, each cut to a line.
    pub(crate) fn tail(&self, count: usize) -> String {
        const WIDTH: usize = 600;
        let mut text = String::new();
        for (from, line) in &self.lines[self.lines.len().saturating_sub(count)..] {
            let arrow = match from {
                From::Editor => "->",
                From::Server => "<-",
            };
            let shown: String = line.chars().take(WIDTH).collect();
            let cut = if shown.len() < line.len() { " …" } else { "" };
            let _ = writeln!(text, "  {arrow} {shown}{cut}");
        }
        text
    }
}
