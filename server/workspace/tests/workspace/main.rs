//! The workspace as its users see it: real files, and an editor that really applies edits and echoes them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking")]

mod closed_files;
mod documents;
mod editor;
mod open_files;
mod properties;
mod search;
