//! The `xtask` automation.
fn main() {}
