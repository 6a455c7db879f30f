//! What a model should know at its next request: what the user kept, undid, and changed.

use kit_text::{Text, diff};
use serde::{Deserialize, Serialize};

/// Longer patches are cut and say so.
const LONGEST_PATCH: usize = 8_000;

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Feedback {
    /// The user accepted a change.
    Kept {
        /// The file.
        uri: String,
        /// The accepted change, as a unified diff.
        patch: String,
    },
    /// The user took a change back.
    Undone {
        /// The file.
        uri: String,
        /// What taking it back did to the file, as a unified diff.
        patch: String,
        /// Why, in the user's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The user changed a file that the agent had changed.
    UserEdited {
        /// The file.
        uri: String,
        /// The user's change, as a unified diff.
        patch: String,
    },
}

/// A unified diff for a model; an absent file is an empty one.
pub(crate) fn patch(before: Option<&Text>, after: Option<&Text>) -> String {
    let empty = Text::default();
    let mut patch = diff::unified(before.unwrap_or(&empty), after.unwrap_or(&empty), 2);
    if patch.len() > LONGEST_PATCH {
        let keep = patch.floor_char_boundary(LONGEST_PATCH);
        let cut = patch.len() - keep;
        patch.truncate(keep);
        patch.push_str(&format!("\n… {cut} more bytes\n"));
    }
    patch
}
