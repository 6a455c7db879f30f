//! The component by which components are measured, built by the bench that needs it.
#![allow(clippy::disallowed_methods, reason = "a bench builds what it measures")]

use std::path::Path;
use std::process::Command;

/// Its bytes; nothing where its target is not installed.
pub(crate) fn component() -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/components/quick");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-wasip2"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: components in Rust: rustup target add wasm32-wasip2");
        return None;
    }
    let file = target.join("wasm32-wasip2/release/quick.wasm");
    Some(std::fs::read(file).expect("the component"))
}
