//! Everything that is written from the protocol types: JSON schema, TypeScript and Lua types, the settings of VS Code.
//!
//! Each output is a pure function of the schema that `kit-protocol` derives, and of the manifest for what is edited in
//! place. Writing and checking share it, so a check fails exactly when writing would change a file.

mod extension;
mod guide;
mod lua;
mod manifest;
mod schema;
mod typescript;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;

const MANIFEST: &str = "editors/vscode/package.json";

/// A file and the text that it should have.
struct Output {
    path: &'static str,
    text: String,
}

/// Writes every file that is not current.
pub(crate) fn write() -> Result<()> {
    for output in outputs()? {
        let path = run::root().join(output.path);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(&output.text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, &output.text).with_context(|| format!("cannot write {}", output.path))?;
        println!("wrote {}", output.path);
    }
    Ok(())
}

/// Fails when a file is not current.
pub(crate) fn check() -> Result<()> {
    let stale = stale()?;
    if !stale.is_empty() {
        bail!("not current, run `cargo xtask codegen`: {}", stale.join(", "));
    }
    println!("codegen: every generated file is current");
    Ok(())
}

/// The files that are not current.
pub(crate) fn stale() -> Result<Vec<&'static str>> {
    let differs = |output: &Output| {
        let text = std::fs::read_to_string(run::root().join(output.path)).unwrap_or_default();
        // Git may check files out with the line ends of the system.
        text.replace("\r\n", "\n") != output.text
    };
    Ok(outputs()?.into_iter().filter(differs).map(|output| output.path).collect())
}

fn outputs() -> Result<Vec<Output>> {
    let protocol = kit_protocol::schema::protocol();
    let settings = kit_protocol::schema::settings();
    let manifest = std::fs::read_to_string(run::root().join(MANIFEST))
        .with_context(|| format!("cannot read {MANIFEST}"))?;
    let mut outputs = vec![
        Output { path: "server/protocol/schema/protocol.json", text: pretty(&protocol)? },
        Output { path: "server/protocol/schema/settings.json", text: pretty(&settings)? },
        Output { path: "editors/vscode/src/protocol.gen.ts", text: typescript::render(&protocol)? },
        Output { path: "editors/nvim/lua/kit/protocol_gen.lua", text: lua::render(&protocol)? },
        Output { path: MANIFEST, text: manifest::update(&manifest, &settings)? },
    ];
    outputs.extend(extension::outputs()?);
    Ok(outputs)
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
