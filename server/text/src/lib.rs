//! Pure text: rope, positions, edit sets, matching, diffs, three-way merge, line ends.

pub mod diff;
mod edit;
mod lines;
mod position;
mod rebase;
mod text;

pub use diff::Block;
pub use edit::{Bias, Edit, EditError, EditSet};
pub use lines::LineRange;
pub use position::{Encoding, Position};
pub use rebase::{Overlap, rebase};
pub use text::{ByteOffset, ContentHash, LineIndex, Text};
