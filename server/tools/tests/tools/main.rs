//! The built-in tools on real files, documents and processes, called as a session calls them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bash;
mod call;
mod change;
mod desk;
mod gate;
mod look;
mod permission;
