//! What stands beside the workspace: the Rust SDK of extensions, and the extensions in Rust.
//!
//! The crates are tested as their authors would, with `cargo test`. Then they are built as components, and their tests in
//! JavaScript run against those in the sandbox of the built server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Outcome;
use super::count::{Count, Counts, counted};
use crate::run::{program, root, succeed};

const SDK: &str = "extensions/sdk/rust";
const EXAMPLES: [&str; 2] = ["rust-protected-paths", "rust-code-search"];
const TARGET: &str = "wasm32-wasip2";

/// Tests the crates.
pub(super) fn crates() -> Result<Outcome> {
    let mut sum = Count::default();
    let examples = EXAMPLES.iter().map(|name| format!("extensions/examples/{name}"));
    for folder in std::iter::once(SDK.to_owned()).chain(examples) {
        let count = counted(cargo(&root().join(folder)).arg("test"), Counts::Harness)?;
        sum.passed += count.passed;
        sum.failed += count.failed;
    }
    Ok(Outcome::Ran(sum))
}

/// Installs what components are compiled for; black-box tests build some of their own.
pub(super) fn add_target() -> Result<()> {
    succeed(program("rustup", &["target", "add", TARGET]).stdout(std::process::Stdio::null()))
}

/// Builds the components and runs the tests beside them in the sandbox.
pub(super) fn components(server: &Path) -> Result<Outcome> {
    add_target()?;
    let place = target().join("components");
    fs::create_dir_all(&place)?;
    for name in EXAMPLES {
        let folder = root().join("extensions/examples").join(name);
        succeed(cargo(&folder).args(["build", "--quiet", "--release", "--target", TARGET]))?;
        let built = target().join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
        let copied = |from: &Path, to: &str| {
            fs::copy(from, place.join(to)).with_context(|| format!("{} is missing", from.display()))
        };
        copied(&built, &format!("{name}.wasm"))?;
        copied(&folder.join("component.test.js"), &format!("{name}.test.js"))?;
    }
    let home = place.join("home");
    let mut command = Command::new(server);
    command.args(["extensions", "test"]).arg(&place).env("KIT_HOME", home);
    let count = counted(&mut command, Counts::Plain)?;
    Ok(Outcome::Ran(count))
}

/// Another workspace's cargo, which builds beside what this one builds.
fn cargo(folder: &Path) -> Command {
    let mut command = crate::run::cargo();
    command.current_dir(folder).env("CARGO_TARGET_DIR", target());
    command
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root().join("target")).join("extensions")
}
