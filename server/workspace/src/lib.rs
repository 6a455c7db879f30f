//! Open documents, disk, roots, snapshots, compare-and-swap writes, walking and searching.
//!
//! The open document is the truth: whoever reads a file through [`Workspace`] gets the editor's text where there is
//! one and the disk's otherwise, and whoever edits names the text that the edit was made for. An edit of an open
//! document goes through the [`Editor`] port and counts once its echo is seen in [`Documents`]; any other file is
//! replaced on disk if it still has the content that was read. Both are told to the [`ChangeObserver`].
//!
//! Nothing here knows models, sessions or LSP.

mod change;
mod documents;
mod echo;
mod editor;
mod paths;
mod real_path;
mod uri;

pub use change::{Author, Change, ChangeObserver};
pub use documents::{ContentChange, Desync, Document, Documents};
pub use editor::{ApplyAnswer, DiskEditor, DocumentEdit, Editor};
pub use paths::{Paths, PathsError};
pub use uri::DocumentUri;
