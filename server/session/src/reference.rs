//! What a prompt refers to that somebody else has, and that is fetched within the turn because they may take long.

use kit_tools::mcp::McpContent;
use serde::{Deserialize, Serialize};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reference {
    /// A resource that the prompt mentions, by scheme and name.
    Resource(String),
    /// The command that the prompt is. There is at most one.
    Command(CommandReference),
}

/// A command with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandReference {
    /// Its name, as its source listed it.
    pub(crate) name: String,
    /// What stands behind the name, word by word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) words: Vec<String>,
    /// The same as it was typed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) line: String,
}

/// What tells the content of a resource from another, also after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(content: &McpContent) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(content.text.as_bytes())
            .chain(content.media.iter().map(|part| part.data.as_bytes()))
        {
            hasher.update(&part.len().to_le_bytes()).update(part);
        }
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        Self(u64::from_le_bytes(first))
    }
}
