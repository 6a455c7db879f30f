//! `kit-ls extensions init`: an extension to begin with, which passes its own test.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use super::{Place, say, sdk};

const TEMPLATE: &str = include_str!("../../../../extensions/sdk/js/template.js");
const TEST: &str = include_str!("../../../../extensions/sdk/js/template.test.js");
/// What editors check the file with.
const TYPES: [(&str, &str); 2] = [
    ("kit-extension.d.ts", include_str!("../../../../extensions/sdk/js/kit-extension.d.ts")),
    ("api.d.ts", include_str!("../../../../extensions/sdk/js/api.d.ts")),
];
const CRATE: &str = include_str!("../../../../extensions/examples/rust-protected-paths/src/lib.rs");

/// Writes it below this folder.
pub(super) fn run(place: &Place, name: &str, rust: bool) -> anyhow::Result<i32> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        bail!("{name} cannot be the name of a file; use letters, digits, - and _");
    }
    if rust {
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            bail!("{name} cannot be the name of a crate; it begins with a letter");
        }
        let folder = place.cwd.join(name);
        must_be_free(&folder)?;
        write(&folder.join("Cargo.toml"), &manifest(name))?;
        write(&folder.join("src/lib.rs"), CRATE)?;
        for (path, text) in sdk::files() {
            write(&folder.join("kit").join(path), &text)?;
        }
        say(&format!(
            "wrote {name}/, a crate that becomes a component, and in {name}/kit what it is built with"
        ))?;
        say(&format!(
            "\n  cd {name} && cargo test && cargo build --release --target wasm32-wasip2\n\nputs it into target/wasm32-wasip2/release; copy it into .kit/extensions. The target comes from\n`rustup target add wasm32-wasip2`."
        ))?;
        return Ok(0);
    }
    let folder = place.project();
    let (file, test) = (folder.join(format!("{name}.js")), folder.join(format!("{name}.test.js")));
    must_be_free(&file)?;
    must_be_free(&test)?;
    write(&file, TEMPLATE)?;
    write(&test, TEST)?;
    for (name, text) in TYPES {
        write(&folder.join("types").join(name), text)?;
    }
    say(&format!("wrote {} and its test", place.shown(&file)))?;
    say(
        "\n  kit-ls extensions test\n\nruns the test. The extension is live in every editor that has this folder open and trusts it.",
    )?;
    Ok(0)
}

fn manifest(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\n\
         kit-extension-sdk = {{ path = \"kit/sdk/rust\" }}\nglobset = {{ version = \"0.4\", default-features = false }}\n\n\
         [profile.release]\nopt-level = \"s\"\nlto = true\ncodegen-units = 1\nstrip = true\n\n[workspace]\n"
    )
}

/// Nothing is written over.
fn must_be_free(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        bail!("{} is there already; choose another name: `kit-ls extensions init NAME`", path.display());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
