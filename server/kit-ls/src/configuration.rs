//! Settings from all layers, merged.
//!
//! Permission rules are kept per layer, because a rule of one layer must not hide those of another.
//!
//! From low to high: the user's file (`~/.kit.yml`, `.yaml`, `.json`), the files of the trusted roots, from the last root to
//! the first and in each `.mcp.json` before `.kit.yml`, `KIT_*` environment variables, the client's
//! `initializationOptions`, the command line. For sessions that work in a root, the files of that root come above those
//! of all others. Maps are merged by key, everything else is replaced. A wrong value, rule or key is left out and reported
//! with its file and line; the rest holds.
//! `${env://NAME}` and `${env://NAME:-default}` in files are replaced by environment variables. What could be read before
//! and cannot now, be it a whole file or one value, holds as it was until it is mended.
//!
//! Merging keeps for every value which layer it is from and in which line it stands, so that the result can be explained.

mod explain;
mod keys;
mod lines;
mod servers;

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kit_protocol::{FileProblem, PermissionRules, Settings, field_names};
use kit_tools::{RuleLayer, RuleProblem};
use kit_workspace::search::check_glob;
use serde_json::{Map, Value};

use self::lines::Lines;
pub(crate) use self::servers::SHARED_FILE;
use crate::address::{self, Named};

/// Keys of upstream Kit that other parts of it read; they are no mistakes.
const FOREIGN_KEYS: &[&str] = &[
    "theme",
    "stream",
    "debug",
    "topK",
    "frequencyPenalty",
    "presencePenalty",
    "noCoreTools",
    "modelSettings",
];

/// Settings that decide whom Kit talks to and where secrets lie: a project cannot set them, trusted or not.
const USERS_ALONE: [&str; 4] = ["tlsSkipVerify", "caCertificates", "proxy", "credentialStore"];

/// The key of a provider, which anybody reads who gets the project's files.
const PROVIDER_KEY: &str = "providerApiKey";
/// What begins the name of an environment variable in a file.
const VARIABLE: &str = "${env://";

/// The names that a settings file can have.
pub(crate) const FILES: [&str; 3] = [".kit.yml", ".kit.yaml", ".kit.json"];

/// How often a file that became empty is looked at again before it counts as empty.
const EMPTY_LOOKS: u32 = 5;
/// How long after each look.
const EMPTY_PAUSE: Duration = Duration::from_millis(50);

/// One source of settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// What a person calls it: a path, `environment`, `editor` or `command line`.
    pub(crate) origin: String,
    /// Its settings under JSON names.
    pub(crate) values: Map<String, Value>,
    /// The file that it was read from.
    file: Option<PathBuf>,
    /// The root that the file is of.
    root: Option<PathBuf>,
    /// Where its keys stand in the file.
    lines: Lines,
    /// Whether the key of a provider is written in the file, and no variable that holds it.
    has_plain_key: bool,
}

impl Layer {
    /// A layer from a JSON object that is no file; `null` is an empty one.
    pub(crate) fn new(origin: &str, value: Value) -> Result<Self, Problem> {
        let wrong = || Problem::general(format!("the settings of {origin} must be a map of names to values"));
        let values = values_of(value).ok_or_else(wrong)?;
        Ok(Self { values, ..Self::of_no_file(origin) })
    }

    /// An empty layer that is no file.
    fn of_no_file(origin: &str) -> Self {
        let (values, lines) = (Map::new(), Lines::default());
        Self { origin: origin.to_owned(), values, file: None, root: None, lines, has_plain_key: false }
    }

    /// Where a key of the layer stands.
    fn place(&self, path: &str) -> Place {
        self.at(self.lines.line(path))
    }

    /// Where an item stands of the list at a path.
    fn place_of(&self, path: &str, item: &str) -> Place {
        self.at(self.lines.line_of(path, item))
    }

    fn at(&self, line: Option<u32>) -> Place {
        Place { origin: self.origin.clone(), file: self.file.clone(), line }
    }
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    origin: String,
    file: Option<PathBuf>,
    line: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.origin),
            None => formatter.write_str(&self.origin),
        }
    }
}

/// Something that was left out of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    place: Option<Place>,
    message: String,
}

impl Problem {
    /// A problem that stands in no file.
    pub(crate) fn general(message: String) -> Self {
        Self { place: None, message }
    }

    fn at(place: Place, message: String) -> Self {
        Self { place: Some(place), message }
    }

    /// The problem as a diagnostic, when it is about a file.
    pub(crate) fn in_file(&self) -> Option<FileProblem> {
        let place = self.place.as_ref()?;
        Some(FileProblem {
            path: place.file.as_ref()?.to_string_lossy().into_owned(),
            line: place.line.unwrap_or(1).saturating_sub(1),
            message: self.message.clone(),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

/// The merged settings and what was wrong with the layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Configuration {
    /// The merged settings.
    pub(crate) settings: Settings,
    /// The settings of sessions that work in a root, for roots where others hold.
    pub(crate) roots: Vec<(PathBuf, Settings)>,
    /// The permission rules of each layer that has some.
    pub(crate) rules: Vec<RuleLayer>,
    /// The layers that were read, lowest first.
    pub(crate) origins: Vec<String>,
    /// What was left out.
    pub(crate) problems: Vec<Problem>,
    /// The merged values under JSON names.
    merged: Map<String, Value>,
    /// What was good of each layer, by its origin.
    good: BTreeMap<String, Layer>,
    /// Where the values are from, by the path of the key.
    places: BTreeMap<String, Place>,
}

/// The settings file of a folder, if it has one.
pub(crate) fn path_in(folder: &Path) -> Option<PathBuf> {
    FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Reads one settings file; one that is broken says what it said before.
fn read(
    path: &Path,
    environment: &impl Fn(&str) -> Option<String>,
    before: &Configuration,
    problems: &mut Vec<Problem>,
) -> Option<Layer> {
    let held = before.good.get(&path.display().to_string()).cloned();
    let had_content = held.as_ref().is_some_and(|held| !held.values.is_empty());
    let mut found = file(path, environment);
    // Many programs empty a file before they write it: rules that deny must not vanish for that moment.
    for _ in 0..EMPTY_LOOKS {
        if !had_content || !found.as_ref().is_ok_and(|layer| layer.values.is_empty()) {
            break;
        }
        std::thread::sleep(EMPTY_PAUSE);
        found = file(path, environment);
    }
    let mut problem = match found {
        Ok(layer) => return Some(layer),
        Err(problem) => problem,
    };
    if held.is_some() {
        problem.message.push_str("; what it said before holds until it is mended");
    }
    problems.push(problem);
    held
}

/// Reads one settings file.
pub(crate) fn file(path: &Path, environment: &impl Fn(&str) -> Option<String>) -> Result<Layer, Problem> {
    let origin = path.display().to_string();
    let place = |line| Place { origin: origin.clone(), file: Some(path.to_owned()), line };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::at(place(None), format!("the settings file cannot be read: {error}")))?;
    let lines = Lines::of(&text, camel);
    let key_line = lines.line(PROVIDER_KEY).and_then(|line| usize::try_from(line).ok()?.checked_sub(1));
    let key = key_line.and_then(|line| text.lines().nth(line));
    let has_plain_key = key.is_some_and(|line| !line.contains(VARIABLE));
    let text = substitute(&text, environment).map_err(|name| {
        let line = (1..).zip(text.lines()).find(|(_, line)| line.contains(&name)).map(|(number, _)| number);
        Problem::at(
            place(line),
            format!("the environment variable {name} is not set; set it or give a default"),
        )
    })?;
    let value: Value = serde_yaml_ng::from_str(&text).map_err(|error| {
        let line = error.location().and_then(|location| u32::try_from(location.line()).ok());
        Problem::at(place(line), format!("the settings file is not valid YAML: {error}"))
    })?;
    let wrong = || Problem::at(place(None), "settings must be a map of names to values".to_owned());
    let values = values_of(value).ok_or_else(wrong)?;
    Ok(Layer { values, file: Some(path.to_owned()), lines, has_plain_key, ..Layer::of_no_file(&origin) })
}

/// The settings in a parsed file; `null` is an empty one.
fn values_of(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Null => Some(Map::new()),
        Value::Object(values) => Some(normalized(values)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// The settings among the environment variables.
pub(crate) fn from_environment(environment: &impl Fn(&str) -> Option<String>) -> Layer {
    let values = field_names::<Settings>()
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
    Layer { values, ..Layer::of_no_file("the environment") }
}

/// Merges layers, lowest first. Of a value that is wrong, what the layer said `before` holds.
pub(crate) fn merge(layers: Vec<Layer>, before: &Configuration) -> Configuration {
    let schema = LazyCell::new(kit_protocol::schema::settings);
    let known = field_names::<Settings>();
    let mut configuration = Configuration::default();
    for mut layer in layers {
        let earlier = before.good.get(&layer.origin);
        for (name, value) in std::mem::take(&mut layer.values) {
            if !known.contains(&name) {
                if !FOREIGN_KEYS.contains(&name.as_str()) {
                    configuration.problems.push(Problem::at(layer.place(&name), unknown(&name, &known)));
                }
                continue;
            }
            if name == servers::KEY && value.is_object() {
                configuration.problems.extend(servers::problems(&value, &layer));
            }
            let mut good = Vec::new();
            for value in servers::apart(&name, value) {
                let (value, rules) = match checked(&name, &value) {
                    Ok(rules) => (value, rules),
                    Err((path, why)) => {
                        let held = earlier.and_then(|earlier| earlier.values.get(&name));
                        let held = held.and_then(|held| servers::same_part(&name, &value, held));
                        let held = held.and_then(|value| {
                            let rules = checked(&name, &value).ok()?;
                            Some((value, rules))
                        });
                        let message = match &held {
                            Some(_) => format!("`{path}` is wrong, so what it was before holds: {why}"),
                            None => format!("`{path}` is left out, because it is wrong: {why}"),
                        };
                        configuration.problems.push(Problem::at(layer.place(&path), message));
                        let Some(held) = held else { continue };
                        held
                    }
                };
                if value.is_object() {
                    for (path, message) in keys::unknown(&schema, &name, &value) {
                        configuration.problems.push(Problem::at(layer.place(&path), message));
                    }
                }
                match rules {
                    Some(rules) => {
                        let (origin, project) = (layer.origin.clone(), layer.root.clone());
                        let rules = RuleLayer { origin, project, rules };
                        for problem in rules.problems() {
                            let RuleProblem { rule, list, error, .. } = problem;
                            let until = match list {
                                "allow" => "it allows nothing",
                                _ => "its tool asks until it is mended",
                            };
                            let place = layer.place_of(&format!("{name}.{list}"), &rule);
                            let message = format!("the rule `{rule}` cannot be read, so {until}: {error}");
                            configuration.problems.push(Problem::at(place, message));
                        }
                        configuration.rules.push(rules);
                        configuration.places.insert(name.clone(), layer.place(&name));
                    }
                    None => {
                        let into = configuration.merged.entry(name.clone()).or_insert(Value::Null);
                        if name == servers::KEY {
                            servers::give_way(into, &value);
                        }
                        combine(into, &value, &name, &layer, &mut configuration.places);
                    }
                }
                good.push(value);
            }
            if let Some(value) = servers::together(good) {
                layer.values.insert(name, value);
            }
        }
        configuration.origins.push(layer.origin.clone());
        configuration.good.insert(layer.origin.clone(), layer);
    }
    match serde_json::from_value(Value::Object(configuration.merged.clone())) {
        Ok(settings) => configuration.settings = settings,
        Err(error) => {
            configuration.problems.push(Problem::general(format!("the merged settings are wrong: {error}")));
        }
    }
    configuration
}

/// Whether a value fits its setting, with the rules where it is the one of permissions; otherwise where in it the mistake
/// is, and what it is.
fn checked(name: &str, value: &Value) -> Result<Option<PermissionRules>, (String, String)> {
    let mut alone = Map::new();
    alone.insert(name.to_owned(), value.clone());
    match serde_path_to_error::deserialize::<_, Settings>(Value::Object(alone)) {
        Ok(settings) => match settings.auto_keep.iter().flatten().find_map(|glob| check_glob(glob).err()) {
            Some(error) => Err((name.to_owned(), error.to_string())),
            None => Ok(settings.permissions),
        },
        Err(error) => Err((error.path().to_string(), in_words(&error.inner().to_string()))),
    }
}

/// What is wrong with a value, without names of our code.
fn in_words(why: &str) -> String {
    let Some((found, expected)) = why.rsplit_once("expected ") else { return why.to_owned() };
    let expected = match expected {
        "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a map of names to values",
        name if name.starts_with("struct ") => "a map of names to values",
        other => other,
    };
    format!("{found}expected {expected}")
}

/// Merges one value into another and remembers where each part is from.
fn combine(into: &mut Value, value: &Value, path: &str, layer: &Layer, places: &mut BTreeMap<String, Place>) {
    if into.is_null() && value.is_object() {
        *into = Value::Object(Map::new());
    }
    match (into, value) {
        (Value::Object(into), Value::Object(value)) => {
            for (name, value) in value {
                let path = format!("{path}.{name}");
                combine(into.entry(name.clone()).or_insert(Value::Null), value, &path, layer, places);
            }
        }
        (into, value) => {
            let inside = format!("{path}.");
            places.retain(|known, _| known != path && !known.starts_with(&inside));
            places.insert(path.to_owned(), layer.place(path));
            into.clone_from(value);
        }
    }
}

impl Configuration {
    /// The root whose file names the program or address of an MCP server.
    pub(crate) fn root_of_server(&self, name: &str) -> Option<&Path> {
        let place = |key: &str| self.places.get(&format!("{}.{name}.{key}", servers::KEY));
        let file = place("command").or_else(|| place("url"))?.file.as_deref();
        self.good.values().find(|layer| layer.file.as_deref() == file)?.root.as_deref()
    }
}

/// The path of a setting as it is merged, from how a person writes it; the error names what is near.
pub(crate) fn setting_path(written: &str) -> Result<String, String> {
    let (name, inside) = match written.split_once('.') {
        Some((name, inside)) => (name, format!(".{inside}")),
        None => (written, String::new()),
    };
    let (name, known) = (camel(name), field_names::<Settings>());
    if known.contains(&name) { Ok(format!("{name}{inside}")) } else { Err(unknown(&name, &known)) }
}

/// What is said about a key that is no setting.
fn unknown(name: &str, known: &[String]) -> String {
    match nearest(name, known) {
        Some(known) => format!("`{name}` is no setting of Kit; did you mean `{known}`?"),
        None => format!("`{name}` is no setting of Kit; `kit-ls config` lists what is set"),
    }
}

/// The known name that a wrong one may mean.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let distances = known.iter().map(|known| {
        let distance = strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
        (distance, known.len().abs_diff(name.len()), known)
    });
    let (distance, _, known) = distances.min()?;
    (distance <= known.len().max(4) / 4).then_some(known)
}

/// Kebab-case and snake_case names become camelCase: on the top level, inside each provider and inside each MCP server.
fn normalized(values: Map<String, Value>) -> Map<String, Value> {
    let mut normalized = camel_keys(values);
    servers::normalize(&mut normalized);
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
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(VARIABLE) {
        result.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            result.push_str(VARIABLE);
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

/// Everything that the server reads; problems with whole files are part of the result. `roots` are those that are
/// trusted, the first one first; `before` is what was read the last time.
pub(crate) fn load(
    user_folder: &Path,
    explicit: Option<&PathBuf>,
    roots: &[&Path],
    environment: &impl Fn(&str) -> Option<String>,
    editor: Value,
    command_line: Map<String, Value>,
    before: &Configuration,
) -> Configuration {
    let mut problems = Vec::new();
    let user = explicit.cloned().or_else(|| path_in(user_folder));
    let below = user.as_ref().and_then(|user| read(user, environment, before, &mut problems));
    let of_root = |root: &&Path| of_root(root, user.as_ref(), environment, before, &mut problems);
    let mut projects: Vec<Vec<Layer>> = roots.iter().map(of_root).collect();
    // Of several roots the first one wins.
    projects.reverse();
    let mut above = vec![from_environment(environment)];
    match Layer::new("the editor", editor) {
        Ok(layer) => above.push(layer),
        Err(problem) => problems.push(problem),
    }
    let named = if command_line.contains_key("model") { Named::Now } else { Named::Before };
    above.push(Layer { values: command_line, ..Layer::of_no_file("the command line") });
    let merged = |projects: &[Vec<Layer>]| {
        let layers = below.iter().chain(projects.iter().flatten()).chain(&above);
        let mut configuration = merge(layers.cloned().collect(), before);
        address::rewrite(&mut configuration.settings, named);
        configuration
    };
    let mut configuration = merged(&projects);
    // The first root is above the others already.
    for (at, root) in roots.iter().skip(1).rev().enumerate() {
        let mut own_above = projects.clone();
        let own = own_above.remove(at);
        own_above.push(own);
        let settings = merged(&own_above).settings;
        if settings != configuration.settings {
            configuration.roots.push((root.to_path_buf(), settings));
        }
    }
    configuration.problems.splice(0..0, problems);
    configuration
}

/// The files of a trusted root, lowest first.
fn of_root(
    root: &Path,
    user: Option<&PathBuf>,
    environment: &impl Fn(&str) -> Option<String>,
    before: &Configuration,
    problems: &mut Vec<Problem>,
) -> Vec<Layer> {
    let mut layers = Vec::new();
    match servers::shared_file(root) {
        Some(Ok(layer)) => layers.push(layer),
        Some(Err((origin, problem))) => {
            layers.extend(before.good.get(&origin).cloned());
            problems.push(problem);
        }
        None => {}
    }
    let file = path_in(root).filter(|file| Some(file) != user);
    if let Some(mut layer) = file.and_then(|file| read(&file, environment, before, problems)) {
        for name in USERS_ALONE {
            if layer.values.remove(name).is_some() {
                let text = format!("`{name}` is left out: a project cannot set it; set it in ~/.kit.yml");
                problems.push(Problem::at(layer.place(name), text));
            }
        }
        if layer.has_plain_key {
            let text = "`provider-api-key` stands here for everybody who gets the project's files; store the key with `kit-ls auth login PROVIDER`, or name a variable that holds it, as `${env://NAME}`";
            problems.push(Problem::at(layer.place(PROVIDER_KEY), text.to_owned()));
        }
        layers.push(layer);
    }
    for layer in &mut layers {
        layer.root = Some(root.to_owned());
    }
    layers
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
        let configuration =
            load(&user, None, &[&project], &environment, editor, Map::new(), &Configuration::default());
        let settings = configuration.settings;
        assert_eq!(configuration.problems, Vec::new());
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
        let configuration =
            load(folder.path(), None, &[], &nothing, Value::Null, Map::new(), &Configuration::default());
        assert_eq!(configuration.settings.max_steps, Some(3));
        assert_eq!(configuration.settings.mode, None);
        let said: Vec<String> = configuration
            .problems
            .iter()
            .filter_map(|problem| {
                problem.to_string().rsplit_once(".kit.yml:").map(|(_, said)| said.to_owned())
            })
            .collect();
        assert_eq!(said.len(), 2, "{:?}", configuration.problems);
        assert!(
            said[0].starts_with("1: `mode` is left out, because it is wrong: unknown variant"),
            "{said:?}"
        );
        assert_eq!(said[1], "2: `modle` is no setting of Kit; did you mean `model`?");
        let lines: Vec<u32> =
            configuration.problems.iter().filter_map(|problem| problem.in_file()).map(|at| at.line).collect();
        assert_eq!(lines, [0, 1]);
    }

    #[test]
    fn what_is_wrong_with_a_value_is_said_in_words() {
        let check = |name: &str, value: Value, expected: (&str, &str)| {
            let (path, why) = checked(name, &value).err().unwrap();
            assert_eq!((path.as_str(), why.as_str()), expected);
        };
        check(
            "maxSteps",
            "many".into(),
            ("maxSteps", "invalid type: string \"many\", expected a whole number"),
        );
        let server = serde_json::json!({ "bad": 7 });
        let expected = "invalid type: integer `7`, expected a map of names to values";
        check("mcpServers", server, ("mcpServers.bad", expected));
    }

    #[test]
    fn rules_that_cannot_be_read_and_keys_inside_settings_are_told_at_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let text = "permissions:\n  deny:\n    - Bash(rm\n    - Edit(secret/**)\n  denny: [Bash]\n  allow: [\"(x)\"]\n\
                    compaction:\n  keep-tokns: 5\n";
        std::fs::write(folder.path().join(".kit.yml"), text).unwrap();
        let configuration =
            load(folder.path(), None, &[], &nothing, Value::Null, Map::new(), &Configuration::default());
        let told: Vec<(u32, String)> = configuration
            .problems
            .iter()
            .filter_map(Problem::in_file)
            .map(|at| (at.line, at.message))
            .collect();
        let expected = [
            (4, "`denny` is no setting under `permissions`; did you mean `deny`?"),
            (
                2,
                "the rule `Bash(rm` cannot be read, so its tool asks until it is mended: write it as Tool or Tool(pattern)",
            ),
            (5, "the rule `(x)` cannot be read, so it allows nothing: it names no tool"),
            (7, "`keep-tokns` is no setting under `compaction`; did you mean `keepTokens`?"),
        ];
        assert_eq!(told, expected.map(|(line, message)| (line, message.to_owned())));
        assert_eq!(configuration.rules.len(), 1, "the rest of the file holds");
    }

    #[test]
    fn the_files_of_all_roots_hold_and_a_session_s_own_root_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let [user, one, two] = ["user", "one", "two"].map(|name| folder.path().join(name));
        for (at, text) in [
            (&user, "model: a/user\nmax-steps: 1\nmode: ask\n"),
            (&one, "model: a/one\npermissions:\n  allow: [Bash(make)]\n"),
            (&two, "model: a/two\nmax-steps: 2\n"),
        ] {
            std::fs::create_dir_all(at).unwrap();
            std::fs::write(at.join(".kit.yml"), text).unwrap();
        }
        let loaded = |roots: &[&Path], before: &Configuration| {
            load(&user, None, roots, &nothing, Value::Null, Map::new(), before)
        };
        let configuration = loaded(&[&one, &two], &Configuration::default());
        let of = |settings: &Settings| (settings.model.clone().unwrap(), settings.max_steps, settings.mode);
        assert_eq!(of(&configuration.settings), ("a/one".to_owned(), Some(2), Some(Mode::Ask)));
        let roots: Vec<_> = configuration.roots.iter().map(|(root, settings)| (root, of(settings))).collect();
        assert_eq!(roots, [(&two, ("a/two".to_owned(), Some(2), Some(Mode::Ask)))]);
        assert_eq!(configuration.rules[0].project.as_ref(), Some(&one));
        assert_eq!(configuration.problems, Vec::new());

        std::fs::write(two.join(".kit.yml"), "model: [").unwrap();
        let broken = loaded(&[&one, &two], &configuration);
        assert_eq!((&broken.settings, &broken.roots), (&configuration.settings, &configuration.roots));
        assert_eq!(broken.problems.len(), 1, "{:?}", broken.problems);
        assert_eq!(loaded(&[&two], &configuration).settings.model.as_deref(), Some("a/two"));
    }

    #[test]
    fn environment_references_are_replaced_or_named() {
        let environment = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(substitute("${env://A} ${env://B:-2} ${x}", &environment), Ok("1 2 ${x}".to_owned()));
        assert_eq!(substitute("${env://B}", &environment), Err("B".to_owned()));
    }

    #[test]
    fn what_was_good_before_holds_while_a_file_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = Configuration::default();
        let mut hold = |text: &str| {
            std::fs::write(folder.path().join(".kit.yml"), text).unwrap();
            before = load(folder.path(), None, &[], &nothing, Value::Null, Map::new(), &before);
            let said = before.problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>();
            (before.settings.mode, before.rules.len(), said.join("|"))
        };
        let good = "mode: plan\npermissions:\n  deny: [Bash]\n";
        assert_eq!(hold(good), (Some(Mode::Plan), 1, String::new()));
        let (mode, rules, said) = hold("mode: pl\npermissions: [");
        assert_eq!((mode, rules), (Some(Mode::Plan), 1));
        assert!(said.ends_with("what it said before holds until it is mended"), "{said}");
        let (mode, rules, said) = hold("mode: pl\npermissions: 3\n");
        assert_eq!((mode, rules), (Some(Mode::Plan), 1));
        assert!(said.contains("`mode` is wrong, so what it was before holds"), "{said}");
        assert_eq!(hold("mode: ask\n"), (Some(Mode::Ask), 0, String::new()));
        assert_eq!(hold(""), (None, 0, String::new()), "a file that stays empty says nothing");
    }

    #[test]
    fn a_project_cannot_say_whom_kit_talks_to() {
        let folder = tempfile::tempdir().unwrap();
        let [user, project] = ["user", "project"].map(|name| folder.path().join(name));
        for at in [&user, &project] {
            std::fs::create_dir_all(at).unwrap();
        }
        std::fs::write(project.join(".kit.yml"), "mode: ask\ntls-skip-verify: true\nproxy: http://x\n")
            .unwrap();
        let configuration =
            load(&user, None, &[&project], &nothing, Value::Null, Map::new(), &Configuration::default());
        let Settings { mode, tls_skip_verify, proxy, .. } = configuration.settings;
        assert_eq!((mode, tls_skip_verify, proxy), (Some(Mode::Ask), None, None));
        let lines: Vec<u32> =
            configuration.problems.iter().filter_map(Problem::in_file).map(|at| at.line).collect();
        assert_eq!(lines, [1, 2]);
    }

    #[test]
    fn a_key_in_a_file_of_the_project_is_marked_unless_it_is_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let [user, project] = ["user", "project"].map(|name| folder.path().join(name));
        let marks = |at: &Path, text: &str| {
            for folder in [&user, &project] {
                let _new = std::fs::remove_dir_all(folder);
                std::fs::create_dir_all(folder).unwrap();
            }
            std::fs::write(at.join(".kit.yml"), text).unwrap();
            let environment = |_: &str| Some("key".to_owned());
            let before = Configuration::default();
            let found = load(&user, None, &[&project], &environment, Value::Null, Map::new(), &before);
            assert!(found.settings.provider_api_key.is_some());
            found.problems.iter().filter_map(Problem::in_file).map(|at| at.line).collect::<Vec<u32>>()
        };
        assert_eq!(marks(&project, "mode: ask\nprovider-api-key: sk-key\n"), [1]);
        assert!(marks(&project, "provider-api-key: ${env://KEY}\n").is_empty());
        assert!(marks(&user, "provider-api-key: sk-key\n").is_empty());
    }

    #[test]
    fn a_broken_file_is_one_sentence_and_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".kit.yml"), "model: [").unwrap();
        let configuration =
            load(folder.path(), None, &[], &nothing, Value::Null, Map::new(), &Configuration::default());
        assert_eq!(configuration.problems.len(), 1);
        assert!(configuration.problems[0].to_string().contains("not valid YAML"));
    }
}
