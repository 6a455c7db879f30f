//! `cargo xtask engine`: builds the JavaScript engine of extensions, and says whether the built one is current.
//!
//! The component is committed, so that nobody needs a C compiler for WebAssembly who does not change the engine. The
//! file beside it pins what was built from what: the hash of the component and the hash of its sources.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use kit_testkit::cache::{Installed, install};
use sha2::{Digest, Sha256};

use crate::run::{output, program, root, succeed};

const FOLDER: &str = "extensions/js-engine";
const COMPONENT: &str = "extensions/js-engine/js-engine.wasm";
const PINS: &str = "extensions/js-engine/js-engine.sha256";
const TARGET: &str = "wasm32-unknown-unknown";
/// What a change of makes another component.
const SOURCES: &[&str] = &[
    "extensions/js-engine/Cargo.toml",
    "extensions/js-engine/Cargo.lock",
    "extensions/js-engine/src",
    "extensions/js-engine/prelude",
    "extensions/js-engine/assemble",
    "extensions/wit",
];

/// Builds the component and pins it.
pub(crate) fn build() -> Result<()> {
    let clang = match install("wasm-clang") {
        Installed::At(folder) => folder,
        Installed::Unsupported(why) => bail!("no clang for WebAssembly: {why}"),
    };
    succeed(program("rustup", &["target", "add", TARGET]).stdout(std::process::Stdio::null()))?;
    let folder = root().join(FOLDER);
    // Beside what cargo builds of the workspace, where a place is set for that.
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.map_or_else(|| folder.join("target"), |target| target.join("engine"));
    // No path of this machine gets into the component.
    let homes = [("HOME", "home"), ("CARGO_HOME", "cargo"), ("RUSTUP_HOME", "rustup")];
    let homes = homes.iter().filter_map(|(name, short)| Some((std::env::var(name).ok()?, *short)));
    // The last of the flags that fits is taken, so those of deeper folders come after.
    let homes = homes.map(|(home, short)| (home, short.to_owned())).chain(registries());
    let mut rust_flags = vec![format!("--remap-path-prefix={}=engine", folder.display())];
    let mut c_flags = vec![format!("-ffile-prefix-map={}=engine", folder.display())];
    for (home, short) in homes {
        rust_flags.push(format!("--remap-path-prefix={home}={short}"));
        c_flags.push(format!("-ffile-prefix-map={home}={short}"));
    }
    succeed(
        cargo()
            .args(["build", "--release", "--locked", "--target", TARGET])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_ENCODED_RUSTFLAGS", rust_flags.join("\u{1f}"))
            .env("CFLAGS_wasm32_unknown_unknown", c_flags.join(" "))
            .env("CC_wasm32_unknown_unknown", clang.join("cc"))
            .env("AR_wasm32_unknown_unknown", clang.join("ar")),
    )?;
    let module = target.join(TARGET).join("release/kit_js_engine.wasm");
    succeed(
        cargo()
            .args(["run", "--quiet", "--locked", "--"])
            .args([&module, &root().join(COMPONENT)])
            .current_dir(folder.join("assemble"))
            .env("CARGO_TARGET_DIR", &target),
    )?;
    let pins = pins()?;
    std::fs::write(root().join(PINS), &pins).with_context(|| format!("cannot write {PINS}"))?;
    print!("{pins}");
    Ok(())
}

/// The folders in which cargo keeps the sources of crates; their names tell where they came from.
fn registries() -> impl Iterator<Item = (String, String)> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = cargo.and_then(|cargo| std::fs::read_dir(cargo.join("registry/src")).ok());
    let folders = folders.into_iter().flatten().flatten();
    folders.map(|folder| (folder.path().display().to_string(), "crates".to_owned()))
}

/// Another workspace's cargo: it must not see what this one was started with.
fn cargo() -> Command {
    let mut command = crate::run::cargo();
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" || name == "RUSTFLAGS" {
            command.env_remove(name);
        }
    }
    command
}

/// What is wrong with the committed component, if anything.
pub(crate) fn stale() -> Result<Option<&'static str>> {
    let pinned = std::fs::read_to_string(root().join(PINS)).unwrap_or_default();
    let current = pins()?;
    let line = |text: &str, number: usize| text.lines().nth(number).map(str::to_owned);
    Ok(if line(&pinned, 0) != line(&current, 0) {
        Some("is not the component that was pinned; run `cargo xtask engine`")
    } else if line(&pinned, 1) != line(&current, 1) {
        Some("was built from other sources; run `cargo xtask engine`")
    } else {
        None
    })
}

/// The path of the component, for findings.
pub(crate) const fn component() -> &'static str {
    COMPONENT
}

/// The hashes of the component and of its sources, one a line.
fn pins() -> Result<String> {
    let component = std::fs::read(root().join(COMPONENT)).unwrap_or_default();
    let mut sources = Sha256::new();
    for path in listed()? {
        let text = std::fs::read_to_string(root().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        // Git may check files out with the line ends of the system.
        let text = text.replace("\r\n", "\n");
        sources.update(format!("{}\n{}\n{text}", path.display(), text.len()));
    }
    let pin = |hash: &[u8], name: &str| {
        let mut line = String::new();
        for byte in hash {
            let _ = write!(line, "{byte:02x}");
        }
        format!("{line}  {name}\n")
    };
    Ok(pin(&Sha256::digest(component), "js-engine.wasm") + &pin(&sources.finalize(), "sources"))
}

/// The sources as git has them or would add them, in order.
fn listed() -> Result<Vec<PathBuf>> {
    let mut arguments = vec!["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"];
    arguments.extend(SOURCES);
    let listed = output(&mut program("git", &arguments))?;
    let mut paths: Vec<PathBuf> =
        listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    paths.retain(|path| root().join(path).is_file());
    paths.sort();
    paths.dedup();
    Ok(paths)
}
