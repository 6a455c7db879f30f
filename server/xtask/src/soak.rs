//! `cargo xtask soak [EVENTS]`: many events through ten extensions, and whether the memory stays.

use anyhow::Result;

use crate::run::{cargo, succeed};

/// Runs it; a million events where nobody says how many.
pub(crate) fn run(events: &str) -> Result<()> {
    succeed(cargo().args(["run", "--release", "-p", "kit-extension", "--example", "soak", "--", events]))
}
