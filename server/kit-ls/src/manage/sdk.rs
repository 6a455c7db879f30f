//! The crates that an extension in Rust is built with, as `init` writes them beside it: they are of the same version as
//! this program, and nothing else is needed.

macro_rules! files {
    ($from:literal, $to:literal: $($name:literal),* $(,)?) => {
        &[$((concat!($to, $name), include_str!(concat!("../../../../", $from, $name)))),*]
    };
}

const CONTRACT: &[(&str, &str)] = files! {
    "server/contract/src/", "contract/src/":
    "data.rs",
    "event.rs",
    "invoke.rs",
    "lib.rs",
    "method.rs",
    "method/agent.rs",
    "method/session.rs",
    "method/system.rs",
    "method/text.rs",
    "method/ui.rs",
    "permission.rs",
    "registration.rs",
    "schema.rs",
    "table.rs",
};
const SDK: &[(&str, &str)] = files! {
    "extensions/sdk/rust/src/", "sdk/rust/src/":
    "context.rs",
    "dispatch.rs",
    "error.rs",
    "event.rs",
    "host.rs",
    "kit.rs",
    "lib.rs",
    "test.rs",
};
const INTERFACE: &[(&str, &str)] = files! { "extensions/wit/", "wit/": "kit-extension.wit" };
const SDK_MANIFEST: &str = include_str!("../../../../extensions/sdk/rust/Cargo.toml");
const CONTRACT_MANIFEST: &str = "\
[package]
name = \"kit-contract\"
version = \"0.1.0\"
edition = \"2024\"
publish = false

[dependencies]
schemars = \"1\"
serde = { version = \"1\", features = [\"derive\"] }
serde_json = \"1\"
";

/// The files by their paths below the folder that holds them.
pub(super) fn files() -> Vec<(&'static str, String)> {
    // They belong to the workspace of the extension and are none of their own.
    let sdk =
        SDK_MANIFEST.replace("../../../server/contract", "../../contract").replace("\n[workspace]\n", "");
    let manifests = [("contract/Cargo.toml", CONTRACT_MANIFEST.to_owned()), ("sdk/rust/Cargo.toml", sdk)];
    let sources = [CONTRACT, SDK, INTERFACE].concat();
    sources.into_iter().map(|(path, text)| (path, text.to_owned())).chain(manifests).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                below(&entry.path(), found);
            } else {
                found.insert(entry.path());
            }
        }
    }

    #[test]
    fn every_source_of_the_crates_is_written() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let parts = [
            ("server/contract/src", CONTRACT),
            ("extensions/sdk/rust/src", SDK),
            ("extensions/wit", INTERFACE),
        ];
        for (folder, written) in parts {
            let mut found = BTreeSet::new();
            below(&root.join(folder), &mut found);
            assert_eq!(found.len(), written.len(), "{folder}");
        }
        assert!(
            files()
                .iter()
                .any(|(path, text)| *path == "sdk/rust/Cargo.toml" && text.contains("\"../../contract\""))
        );
    }
}
