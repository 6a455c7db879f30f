//! Open documents, disk, roots, snapshots, compare-and-swap writes, walking and searching.
//!
//! The open document is the truth: whoever reads a file through [`Workspace`] gets the editor's text where there is
//! one and the disk's otherwise, and whoever edits names the text that the edit was made for. An edit of an open
//! document goes through the [`Editor`] port and counts once its echo is seen in [`Documents`]; any other file is
//! replaced on disk if it still has the content that was read. Both are told to the [`ChangeObserver`].
//!
//! Nothing here knows models, sessions or LSP.

mod blocking;
mod census;
mod change;
mod disk;
mod documents;
mod echo;
mod edit;
mod editor;
mod paths;
mod real_path;
mod roots;
pub mod search;
mod shown;
mod snapshot;
mod trust;
mod uri;
mod watch;
mod workspace;

pub use census::{Census, FileChange, Found};
pub use change::{Author, Change, ChangeObserver};
pub use documents::{ContentChange, Desync, Document, Documents};
pub use edit::{Applied, EditError, Plan};
pub use editor::{ApplyAnswer, DiskEditor, DocumentEdit, Editor, FilePut, Shown};
pub use paths::{Paths, PathsError};
pub use roots::{Location, Root};
pub use snapshot::{Base, FileHash, MAX_FILE_BYTES, Snapshot, WorkspaceError, same_lines};
pub use trust::Trust;
pub use uri::DocumentUri;
pub use watch::{Watch, WatchError, Watched};
pub use workspace::{RootChanges, Workspace};
