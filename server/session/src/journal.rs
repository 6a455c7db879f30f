//! The session file: its lines, reading it in spite of damage, appending to it, finding and listing sessions.

pub(crate) mod entry;
pub(crate) mod read;
