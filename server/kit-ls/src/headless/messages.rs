//! The messages of a run, read from its session file, whose lines have the shape that upstream prints.

use std::path::Path;

use serde_json::{Value, json};

/// How long a session file was before the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    lines: usize,
}

impl Mark {
    /// The present length of a file; one that is not there has none.
    pub(super) fn of(path: &Path) -> Self {
        Self { lines: read(path).lines().count() }
    }

    /// The messages that were added since: `{role, parts: [{type, data}]}`.
    pub(super) fn messages_since(self, path: &Path) -> Vec<Value> {
        let text = read(path);
        let entries = text.lines().skip(self.lines).filter_map(|line| serde_json::from_str(line).ok());
        entries
            .filter(|entry: &Value| entry.get("type").is_some_and(|kind| kind == "message"))
            .map(|entry| json!({"role": entry.get("role"), "parts": entry.get("parts")}))
            .collect()
    }
}

fn read(path: &Path) -> String {
    // A file that cannot be read has nothing to tell; the run itself has said why.
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_after_the_mark_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        assert_eq!(Mark::of(&path), Mark { lines: 0 });
        let message = |role: &str| json!({"type": "message", "role": role, "parts": []}).to_string();
        std::fs::write(&path, format!("{{}}\n{}\n", message("user"))).unwrap();
        let mark = Mark::of(&path);
        let added = format!("{{}}\n{}\n{{\"type\":\"label\"}}\n{}\n", message("user"), message("assistant"));
        std::fs::write(&path, added).unwrap();
        assert_eq!(mark.messages_since(&path), [json!({"role": "assistant", "parts": []})]);
    }
}
