//! Settings from all layers, merged.
//!
//! Permission rules are kept per layer, because a rule of one layer must not hide those of another.
//!
//! From low to high: the user's file (`~/.kit.yml`, `.yaml`, `.json`), the project's file in the first root when that root
//! is trusted, `KIT_*` environment variables, the client's `initializationOptions`, the command line. Maps are merged by
//! key, everything else is replaced. A wrong value is left out and reported with its file and key; the rest holds.
//! `${env://NAME}` and `${env://NAME:-default}` in files are replaced by environment variables.

use std::path::{Path, PathBuf};

use kit_protocol::Settings;
use kit_tools::RuleLayer;
use serde_json::{Map, Value};

use crate::address::{self, Named};

/// Keys of upstream Kit that other parts of it read; they are no mistakes.
const FOREIGN_KEYS: &[&str] = &[
    "theme",
    "stream",
    "debug",
    "topK",
    "frequencyPenalty",
    "presencePenalty",
    "noExtensions",
    "extension",
    "options",
    "noCoreTools",
    "noAgents",
    "mcpServers",
    "modelSettings",
];

/// One source of settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// What a person calls it: a path, `environment`, `editor` or `command line`.
    pub(crate) origin: String,
    /// Its settings under JSON names.
    pub(crate) values: Map<String, Value>,
}

/// The merged settings and what was wrong with the layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Configuration {
    /// The merged settings.
    pub(crate) settings: Settings,
    /// The permission rules of each layer that has some.
    pub(crate) rules: Vec<RuleLayer>,
    /// The layers that were read, lowest first.
    pub(crate) origins: Vec<String>,
    /// One sentence for each thing that was left out.
    pub(crate) problems: Vec<String>,
}

/// Reads the settings file of a folder, if it has one.
pub(crate) fn file_in(
    folder: &Path,
    environment: &impl Fn(&str) -> Option<String>,
) -> Option<Result<Layer, String>> {
    let path = [".kit.yml", ".kit.yaml", ".kit.json"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())?;
    Some(file(&path, environment))
}

/// Reads one settings file; the error is one sentence.
pub(crate) fn file(path: &Path, environment: &impl Fn(&str) -> Option<String>) -> Result<Layer, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the settings file {} cannot be read: {error}", path.display()))?;
    let text = substitute(&text, environment).map_err(|name| {
        format!("{} needs the environment variable {name}, which is not set", path.display())
    })?;
    let value: Value = serde_yaml_ng::from_str(&text)
        .map_err(|error| format!("the settings file {} is not valid YAML: {error}", path.display()))?;
    layer(path.display().to_string(), value)
}

/// A layer from a JSON object; `null` is an empty one.
pub(crate) fn layer(origin: String, value: Value) -> Result<Layer, String> {
    match value {
        Value::Null => Ok(Layer { origin, values: Map::new() }),
        Value::Object(values) => Ok(Layer { values: normalized(values), origin }),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(format!("the settings of {origin} must be a map of names to values"))
        }
    }
}

/// The settings among the environment variables.
pub(crate) fn from_environment(environment: &impl Fn(&str) -> Option<String>) -> Layer {
    let values = setting_names()
        .into_iter()
        .filter_map(|name| {
            let text = environment(&format!("KIT_{}", upper_snake(&name))).filter(|text| !text.is_empty())?;
            let value = match serde_json::from_str(&text) {
                Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_))) => value,
                Ok(Value::Null | Value::String(_)) | Err(_) => Value::String(text),
            };
            Some((name, value))
        })
        .collect();
    Layer { origin: "environment".to_owned(), values }
}

/// Merges layers, lowest first.
pub(crate) fn merge(layers: Vec<Layer>) -> Configuration {
    let known = setting_names();
    let mut configuration = Configuration::default();
    let mut merged = Map::new();
    for layer in layers {
        for (name, value) in layer.values {
            if !known.contains(&name) {
                if !FOREIGN_KEYS.contains(&name.as_str()) {
                    let problem = format!("{} sets `{name}`, which is no setting of Kit", layer.origin);
                    configuration.problems.push(problem);
                }
                continue;
            }
            let mut alone = Map::new();
            alone.insert(name.clone(), value.clone());
            match serde_path_to_error::deserialize::<_, Settings>(Value::Object(alone)) {
                Ok(Settings { permissions: Some(rules), .. }) => {
                    configuration.rules.push(RuleLayer { origin: layer.origin.clone(), rules });
                }
                Ok(_) => combine(merged.entry(name).or_insert(Value::Null), value),
                Err(error) => configuration.problems.push(format!(
                    "{} sets `{}` to something wrong: {}",
                    layer.origin,
                    error.path(),
                    error.inner()
                )),
            }
        }
        configuration.origins.push(layer.origin);
    }
    match serde_json::from_value(Value::Object(merged)) {
        Ok(settings) => configuration.settings = settings,
        Err(error) => configuration.problems.push(format!("the merged settings are wrong: {error}")),
    }
    configuration
}

fn combine(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(value)) => {
            for (name, value) in value {
                combine(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}

/// The names of all settings, as JSON has them.
fn setting_names() -> Vec<String> {
    let schema = kit_protocol::schema::settings();
    schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// Kebab-case and snake_case names become camelCase: on the top level and inside each provider.
fn normalized(values: Map<String, Value>) -> Map<String, Value> {
    let mut normalized = camel_keys(values);
    if let Some(Value::Object(providers)) = normalized.get_mut("providers") {
        for provider in providers.values_mut() {
            if let Value::Object(members) = provider {
                *members = camel_keys(std::mem::take(members));
            }
        }
    }
    normalized
}

fn camel_keys(values: Map<String, Value>) -> Map<String, Value> {
    values.into_iter().map(|(name, value)| (camel(&name), value)).collect()
}

fn camel(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut raise = false;
    for character in name.chars() {
        if character == '-' || character == '_' {
            raise = true;
        } else if raise {
            result.extend(character.to_uppercase());
            raise = false;
        } else {
            result.push(character);
        }
    }
    result
}

fn upper_snake(name: &str) -> String {
    let mut result = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            result.push('_');
        }
        result.extend(character.to_uppercase());
    }
    result
}

/// Replaces `${env://NAME}` and `${env://NAME:-default}`; the error names a variable that is not set.
fn substitute(text: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    const OPENING: &str = "${env://";
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        result.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            result.push_str(OPENING);
            rest = after;
            continue;
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        match (environment(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => result.push_str(&value),
            (None, Some(default)) => result.push_str(default),
            (None, None) => return Err(name.to_owned()),
        }
        rest = tail;
    }
    result.push_str(rest);
    Ok(result)
}

/// Everything that the server reads at start, lowest first; problems with whole files are part of the result.
pub(crate) fn load(
    user_folder: &Path,
    explicit: Option<&PathBuf>,
    trusted_project: Option<&Path>,
    environment: &impl Fn(&str) -> Option<String>,
    editor: Value,
    command_line: Map<String, Value>,
) -> Configuration {
    let mut problems = Vec::new();
    let mut layers = Vec::new();
    let user = match explicit {
        Some(path) => Some(file(path, environment)),
        None => file_in(user_folder, environment),
    };
    let project = trusted_project.and_then(|folder| file_in(folder, environment));
    for read in [user, project].into_iter().flatten() {
        match read {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    layers.push(from_environment(environment));
    match layer("the editor".to_owned(), editor) {
        Ok(layer) => layers.push(layer),
        Err(problem) => problems.push(problem),
    }
    let named = if command_line.contains_key("model") { Named::Now } else { Named::Before };
    layers.push(Layer { origin: "the command line".to_owned(), values: command_line });
    let mut configuration = merge(layers);
    address::rewrite(&mut configuration.settings, named);
    configuration.problems.splice(0..0, problems);
    configuration
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_protocol::{Mode, ThinkingLevel};
    use serde_json::json;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn later_layers_win_and_maps_merge_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("user");
        let project = folder.path().join("project");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(
            user.join(".kit.yml"),
            "model: a/one\nmode: ask\nthinking-level: low\nproviders:\n  x:\n    base-url: http://one\n",
        )
        .unwrap();
        std::fs::write(project.join(".kit.yml"), "model: a/two\nproviders:\n  x:\n    name: X\n").unwrap();
        let environment = |name: &str| (name == "KIT_MODE").then(|| "plan".to_owned());
        let editor = json!({"thinkingLevel": "high"});
        let configuration = load(&user, None, Some(&project), &environment, editor, Map::new());
        let settings = configuration.settings;
        assert_eq!(configuration.problems, Vec::<String>::new());
        assert_eq!(settings.model.as_deref(), Some("a/two"));
        assert_eq!(settings.mode, Some(Mode::Plan));
        assert_eq!(settings.thinking_level, Some(ThinkingLevel::High));
        let x = &settings.providers.unwrap()["x"];
        assert_eq!((x.base_url.as_deref(), x.name.as_deref()), (Some("http://one"), Some("X")));
    }

    #[test]
    fn wrong_and_unknown_keys_are_reported_and_the_rest_holds() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".kit.yml"), "mode: fast\nmodle: x\ntheme: dark\nmax-steps: 3\n")
            .unwrap();
        let configuration = load(folder.path(), None, None, &nothing, Value::Null, Map::new());
        assert_eq!(configuration.settings.max_steps, Some(3));
        assert_eq!(configuration.settings.mode, None);
        assert_eq!(configuration.problems.len(), 2);
        assert!(
            configuration.problems[0].contains("`mode`") && configuration.problems[0].contains(".kit.yml")
        );
        assert!(configuration.problems[1].contains("`modle`"));
    }

    #[test]
    fn environment_references_are_replaced_or_named() {
        let environment = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(substitute("${env://A} ${env://B:-2} ${x}", &environment), Ok("1 2 ${x}".to_owned()));
        assert_eq!(substitute("${env://B}", &environment), Err("B".to_owned()));
    }

    #[test]
    fn a_broken_file_is_one_sentence_and_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".kit.yml"), "model: [").unwrap();
        let configuration = load(folder.path(), None, None, &nothing, Value::Null, Map::new());
        assert_eq!(configuration.problems.len(), 1);
        assert!(configuration.problems[0].contains("not valid YAML"));
    }
}
