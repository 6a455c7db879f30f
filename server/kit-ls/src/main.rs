//! The `kit-ls` binary.
fn main() {}
