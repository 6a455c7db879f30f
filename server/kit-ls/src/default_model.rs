//! The default model in the user's settings file, changed without touching anything else there.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kit_protocol::ModelId;
use serde_json::{Map, Value};

use crate::configuration;

/// Makes a model the default one in the user's file and returns the file.
pub(crate) fn set(folder: &Path, model: &ModelId) -> anyhow::Result<PathBuf> {
    let path = configuration::path_in(folder).unwrap_or_else(|| folder.join(".kit.yml"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let text = if path.extension().is_some_and(|extension| extension == "json") {
        let mut values: Map<String, Value> =
            serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", path.display()))?;
        values.insert("model".to_owned(), Value::String(model.to_string()));
        serde_json::to_string_pretty(&values)? + "\n"
    } else {
        with_model(&text, model)
    };
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(&path).map_err(|error| error.error)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// The text of a YAML file with another model, in the place of the old one or else before everything.
fn with_model(text: &str, model: &ModelId) -> String {
    let line = format!("model: {model}");
    let is_model = |line: &str| line.starts_with("model:") || line.starts_with("\"model\":");
    if !text.lines().any(is_model) {
        return format!("{line}\n{text}");
    }
    let lines = text.split_inclusive('\n').map(|old| {
        let end = if old.ends_with("\r\n") { "\r\n" } else { "\n" };
        if is_model(old) { format!("{line}{end}") } else { old.to_owned() }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_changes_one_line() {
        let model: ModelId = "openai/gpt".parse().unwrap();
        let cases = [
            ("", "model: openai/gpt\n"),
            ("# mine\nmode: ask\n", "model: openai/gpt\n# mine\nmode: ask\n"),
            ("mode: ask\nmodel: a/b # old\nx: 1", "mode: ask\nmodel: openai/gpt\nx: 1"),
            ("agents:\n  model: a/b\n", "model: openai/gpt\nagents:\n  model: a/b\n"),
        ];
        for (before, after) in cases {
            assert_eq!(with_model(before, &model), after);
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".kit.json"), r#"{"mode": "ask"}"#).unwrap();
        let file = set(folder.path(), &model).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let expected = serde_json::json!({"mode": "ask", "model": "openai/gpt"});
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }
}
