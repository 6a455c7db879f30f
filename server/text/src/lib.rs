//! Pure text: rope, positions, edit sets, matching, diffs, three-way merge, line ends.
//!
//! A [`Text`] is a shared rope; lines end in LF, CRLF or CR. Everything that changes text goes through the same steps:
//!
//! 1. [`line_end::decode`] reads the bytes of a file and sets the byte order mark aside; other encodings are refused.
//! 2. [`find::locate`] turns what a model asked for into an [`EditSet`] on that text, or [`EditSet::between`] does for
//!    a whole new text. An edit set is sorted, disjoint, minimal, and bound to the text it was computed on.
//! 3. [`rebase`] moves it over what the user typed in the meantime, or says which lines overlap.
//! 4. [`Text::position_of`] and [`Text::offset_of`] convert to and from LSP positions at the edge.
//! 5. [`diff::hunks`] finds the changed lines again, and [`merge::three_way`] takes a change back out of a text that
//!    went on changing.
//!
//! Two promises hold throughout and are property-tested (invariant I17): applying the edits gives exactly the new text,
//! and lines that were not changed keep their bytes, whatever line ends they have. There is no I/O, no clock and no
//! serialization here.

mod anchor;
pub mod diff;
mod edit;
pub mod find;
pub mod line_end;
mod lines;
pub mod merge;
mod position;
mod rebase;
mod text;
mod unified;

pub use diff::Block;
pub use edit::{Bias, Edit, EditError, EditSet};
pub use lines::LineRange;
pub use position::{Encoding, Position};
pub use rebase::{Overlap, rebase};
pub use text::{ByteOffset, ContentHash, LineIndex, Text};
