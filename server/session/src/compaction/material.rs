//! What the model that writes a summary reads: the replaced messages as text, and the files that their calls touched.
//!
//! Results of tools are part of it, cut in the middle, because what they said is mostly why the conversation went on as
//! it did. The whole is capped to what fits the model; what is left out is said (I20).

use std::collections::BTreeSet;

use kit_protocol::{Message, Part, Role};
use serde_json::Value;

/// Bytes of one result, of the arguments of a call, or of a piece of reasoning.
const LARGEST_PIECE: usize = 2_000;
/// Bytes for one token when the whole is capped. Fewer than the estimate has, so that the cap is safe.
const BYTES_PER_TOKEN: u64 = 3;
/// The least that is given to a model whose window seems smaller.
const LEAST: u64 = 4_000;

/// The messages as text, of at most so many tokens.
pub(crate) fn text(messages: &[Message], tokens: u64) -> String {
    let mut text = String::new();
    for message in messages {
        let speaker = match message.role {
            Role::System => "System",
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
        };
        for part in &message.parts {
            match part {
                Part::Text(part) => push(&mut text, speaker, part.text.trim()),
                Part::Reasoning(reasoning) => {
                    push(
                        &mut text,
                        "Assistant, thinking",
                        &middle_cut(reasoning.thinking.trim(), LARGEST_PIECE),
                    );
                }
                Part::ToolCall(call) => {
                    push(
                        &mut text,
                        &format!("Call of {}", call.name),
                        &middle_cut(&call.input, LARGEST_PIECE),
                    );
                }
                Part::ToolResult(result) => {
                    let failed = if result.is_error { ", which failed" } else { "" };
                    let speaker = format!("Result of {}{failed}", result.name);
                    push(&mut text, &speaker, &middle_cut(result.content.trim(), LARGEST_PIECE));
                }
                Part::Image(image) => push(&mut text, speaker, &format!("(attached: {})", image.media_type)),
                Part::Finish(_) | Part::Unknown(_) => {}
            }
        }
    }
    let most = usize::try_from(tokens.max(LEAST).saturating_mul(BYTES_PER_TOKEN)).unwrap_or(usize::MAX);
    middle_cut(&text, most)
}

fn push(text: &mut String, speaker: &str, said: &str) {
    if !said.is_empty() {
        text.push_str(&format!("[{speaker}]\n{said}\n\n"));
    }
}

/// The beginning and the end of a text that is longer than `most` bytes.
fn middle_cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(most / 2);
    let tail = text.ceil_char_boundary(text.len() - most / 2);
    let (first, last) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{first}\n[{} bytes are left out]\n{last}", tail - head)
}

/// Files that were read and files that were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) read: BTreeSet<String>,
    pub(crate) modified: BTreeSet<String>,
}

impl Files {
    /// Adds the files that the calls of messages name.
    pub(crate) fn add(&mut self, messages: &[Message]) {
        let calls = messages.iter().flat_map(Message::tool_calls);
        for call in calls {
            let files = match call.name.as_str() {
                "read" | "grep" | "find" | "ls" => &mut self.read,
                "write" | "edit" => &mut self.modified,
                _ => continue,
            };
            let arguments = serde_json::from_str::<Value>(&call.input).unwrap_or_default();
            let path = arguments.get("path").and_then(Value::as_str).filter(|path| !path.is_empty());
            files.extend(path.map(str::to_owned));
        }
    }

    /// The lists as the summary carries them.
    pub(crate) fn tags(&self) -> String {
        let list = |name: &str, files: &BTreeSet<String>| {
            if files.is_empty() {
                return String::new();
            }
            let lines: String = files.iter().map(|file| format!("{file}\n")).collect();
            format!("\n\n<{name}>\n{lines}</{name}>")
        };
        list("read-files", &self.read) + &list("modified-files", &self.modified)
    }
}

#[cfg(test)]
mod tests {
    use kit_protocol::{TextPart, ToolCallPart, ToolResultPart};

    use super::*;

    fn call(name: &str, input: &str) -> Part {
        Part::ToolCall(ToolCallPart {
            id: "c".into(),
            name: name.into(),
            input: input.into(),
            finished: true,
        })
    }

    #[test]
    fn results_of_tools_are_part_of_the_material_and_capped() {
        let result = ToolResultPart {
            tool_call_id: "c".into(),
            name: "bash".into(),
            content: format!("first{}last", "x".repeat(3000)),
            is_error: true,
        };
        let assistant =
            vec![Part::Text(TextPart { text: "Look.".into() }), call("bash", "{\"command\":\"ls\"}")];
        let messages = [
            Message::text(Role::User, "Why?"),
            Message { role: Role::Assistant, parts: assistant },
            Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] },
        ];
        let half = "x".repeat(995);
        let expected = format!(
            "[User]\nWhy?\n\n[Assistant]\nLook.\n\n[Call of bash]\n{{\"command\":\"ls\"}}\n\n\
             [Result of bash, which failed]\nfirst{half}\n[1009 bytes are left out]\n{}last\n\n",
            "x".repeat(996)
        );
        assert_eq!(text(&messages, 100_000), expected);
    }

    #[test]
    fn the_whole_material_is_capped_in_its_middle() {
        let messages = [Message::text(Role::User, format!("begin {} end", "ä".repeat(20_000)))];
        let cut = text(&messages, 1);
        assert!(cut.starts_with("[User]\nbegin ä") && cut.ends_with("ä end\n\n"), "{cut}");
        assert!(cut.contains("\n[28") && cut.contains(" bytes are left out]\n"), "{}", cut.len());
    }

    #[test]
    fn files_are_those_that_calls_name() {
        let parts = vec![
            call("read", r#"{"path":"b"}"#),
            call("grep", r#"{"pattern":"x"}"#),
            call("edit", r#"{"path":"a"}"#),
            call("bash", r#"{"path":"c"}"#),
            call("read", "not json"),
        ];
        let mut files = Files { read: BTreeSet::from(["z".to_owned()]), modified: BTreeSet::new() };
        files.add(&[Message { role: Role::Assistant, parts }]);
        assert_eq!(
            files.tags(),
            "\n\n<read-files>\nb\nz\n</read-files>\n\n<modified-files>\na\n</modified-files>"
        );
        assert_eq!(Files::default().tags(), "");
    }
}
