//! Virtual documents: the reviewed baseline of a file, a proposal, a transcript.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `workspace/textDocumentContent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentArguments {
    /// A `kit-base:`, `kit-after:` or `kit-session:` address.
    pub uri: String,
}

/// Answer of `workspace/textDocumentContent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentAnswer {
    /// The text.
    pub text: String,
}
