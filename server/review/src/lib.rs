//! x
#![allow(dead_code)]
mod align;
mod file;
mod operation;
mod splice;
pub use file::{Hunk, ReviewFile, LARGEST_BYTES, MOST_LINES};
