//! How the program is linked: its relocations are packed where the loader can unpack them.
//!
//! The program has some ninety thousand addresses that the loader fills in at start. As a table of full entries they are
//! two megabytes, all of which are read and stay resident; packed (`DT_RELR`) they are a fraction of that. glibc
//! unpacks them since its version 2.36, and a program is only built for the libc that it is built with.

use std::process::Command;

/// The first glibc that knows `DT_RELR`.
const UNPACKS: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let builds_for_itself = variable("HOST") == variable("TARGET");
    let is_glibc = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    if builds_for_itself && is_glibc && glibc().is_some_and(|version| version >= UNPACKS) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this system's glibc.
fn glibc() -> Option<(u32, u32)> {
    let asked = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let answer = String::from_utf8(asked.stdout).ok()?;
    let (major, minor) = answer.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
