//! Identifiers. Each is a newtype over its wire string, so that a session can never be passed where a turn is meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! identifiers {
    ($($(#[$documentation:meta])* $name:ident;)*) => {$(
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the wire form.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The wire form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }
    )*};
}

identifiers! {
    /// A session: 32 lower-case hexadecimal digits.
    SessionId;
    /// One turn of a session: from a prompt to its `turn_end`.
    TurnId;
    /// One entry of a session file: 16 lower-case hexadecimal digits.
    EntryId;
    /// A tool call, named by the model that made it; unique within a session's branch.
    ToolCallId;
    /// An agent: `main` for the session itself, else the subagent's id.
    AgentId;
    /// A hunk under review: 16 hexadecimal digits derived from its file and texts, stable until they change.
    HunkId;
    /// A question or permission request that waits for the user.
    QuestionId;
}

fn random_hex(digits: usize) -> String {
    let mut text = uuid::Uuid::new_v4().simple().to_string();
    text.truncate(digits);
    text
}

impl SessionId {
    /// A new random session id.
    pub fn random() -> Self {
        Self(random_hex(32))
    }
}

impl TurnId {
    /// A new random turn id.
    pub fn random() -> Self {
        Self(random_hex(16))
    }
}

impl EntryId {
    /// A new random entry id.
    pub fn random() -> Self {
        Self(random_hex(16))
    }
}

impl QuestionId {
    /// A new random question id.
    pub fn random() -> Self {
        Self(random_hex(16))
    }
}

impl AgentId {
    /// The agent that the session's own prompts run in.
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}
