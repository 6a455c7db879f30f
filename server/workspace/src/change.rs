//! What happens to documents and files, as one stream.
//!
//! Every change reaches the observer exactly once, with the text before and after it and whose work it is: what the
//! user types, the editor's echo of our own edits, and files that we write ourselves. For each document the calls
//! come in the order of the wire, and each `before` is the `after` of the call before it.

use kit_protocol::Attribution;
use kit_text::Text;

use crate::DocumentUri;

/// Whose work a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// The user, or another program that the editor let in.
    User,
    /// An agent.
    Agent(Attribution),
    /// The review: an undo, a rewind, or the reversal of one.
    Review,
}

/// One change of one document or file.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which one.
    pub uri: DocumentUri,
    /// The document version after it; `None` for a file that is not open.
    pub version: Option<i32>,
    /// The text before.
    pub before: Text,
    /// The text after.
    pub after: Text,
    /// Whether it existed before.
    pub existed: bool,
    /// Whether it exists after.
    pub exists: bool,
    /// Whose work it is.
    pub author: Author,
}

/// Listens to changes. Calls come one at a time and must return at once; they may read the
/// [`Documents`](crate::Documents) but must not change them.
pub trait ChangeObserver: Send + Sync {
    /// A text changed.
    fn changed(&self, change: Change);
    /// A document was opened.
    fn opened(&self, uri: &DocumentUri, text: &Text, version: i32);
    /// A document was closed.
    fn closed(&self, uri: &DocumentUri);
}
