//! MCP servers among the settings: other spellings, `.mcp.json`, unknown keys, and how layers merge.
//!
//! A server that a layer names with a command or an address is another server than one of the same name below it, so it
//! takes its place as a whole: its variables and headers go nowhere else. An entry without either changes the one below,
//! as `{disabled: true}` does.

use std::path::Path;

use kit_protocol::{McpServer, field_names};
use serde_json::{Map, Value};

use super::keys::hint;
use super::lines::Lines;
use super::{Layer, Place, Problem, camel, camel_keys};

/// The setting.
pub(super) const KEY: &str = "mcpServers";
/// The file that other programs share servers in.
pub(crate) const SHARED_FILE: &str = ".mcp.json";
/// Other names of the keys of a server.
const SPELLINGS: [(&str, &str); 4] =
    [("noOAuth", "noOauth"), ("environment", "env"), ("transport", "type"), ("serverUrl", "url")];
/// Keys that upstream Kit reads; they are no mistakes.
const FOREIGN_KEYS: [&str; 1] = ["tasksMode"];

/// Lets the keys of servers have one spelling.
pub(super) fn normalize(settings: &mut Map<String, Value>) {
    let Some(Value::Object(servers)) = settings.get_mut(KEY) else { return };
    for server in servers.values_mut() {
        if let Value::Object(members) = server {
            *members = camel_keys(std::mem::take(members));
            for (other, name) in SPELLINGS {
                if let Some(value) = members.shift_remove(other) {
                    members.entry(name).or_insert(value);
                }
            }
            members.retain(|name, _| !FOREIGN_KEYS.contains(&name.as_str()));
        }
    }
}

/// A setting in the parts that can be wrong each for itself: servers one by one, everything else as it is.
pub(super) fn apart(name: &str, value: Value) -> Vec<Value> {
    match value {
        Value::Object(servers) if name == KEY => {
            let alone = |server| Value::Object(Map::from_iter([server]));
            servers.into_iter().map(alone).collect()
        }
        value @ (Value::Object(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => vec![value],
    }
}

/// What an earlier value of the setting says in the place of one such part.
pub(super) fn same_part(name: &str, part: &Value, earlier: &Value) -> Option<Value> {
    if name != KEY {
        return Some(earlier.clone());
    }
    let server = part.as_object()?.keys().next()?;
    Some(Value::Object(Map::from_iter([(server.clone(), earlier.get(server)?.clone())])))
}

/// The parts in one again; `None` where there are none.
pub(super) fn together(parts: Vec<Value>) -> Option<Value> {
    parts.into_iter().reduce(|mut whole, part| {
        if let (Value::Object(whole), Value::Object(part)) = (&mut whole, part) {
            whole.extend(part);
        }
        whole
    })
}

/// Takes those servers out that others take the place of.
pub(super) fn give_way(into: &mut Value, layer: &Value) {
    let (Value::Object(into), Value::Object(layer)) = (into, layer) else { return };
    for (name, server) in layer {
        if server.get("command").is_some() || server.get("url").is_some() {
            into.shift_remove(name);
        }
    }
}

/// What is said about keys of servers that are none.
pub(super) fn problems(servers: &Value, layer: &Layer) -> Vec<Problem> {
    let known = field_names::<McpServer>();
    let mut problems = Vec::new();
    for (server, members) in servers.as_object().into_iter().flatten() {
        for key in members.as_object().into_iter().flat_map(Map::keys).filter(|key| !known.contains(key)) {
            let hint = hint(key, &known);
            let message = format!("`{key}` is no setting of the MCP server `{server}`{hint}");
            problems.push(Problem::at(layer.place(&format!("{KEY}.{}.{key}", camel(server))), message));
        }
    }
    problems
}

/// The servers of the file that other programs share, if a folder has it; an error comes with what the layer is called.
/// What else stands there is theirs.
pub(super) fn shared_file(folder: &Path) -> Option<Result<Layer, (String, Problem)>> {
    let path = folder.join(SHARED_FILE);
    path.is_file().then(|| read(&path).map_err(|problem| (path.display().to_string(), problem)))
}

fn read(path: &Path) -> Result<Layer, Problem> {
    let origin = path.display().to_string();
    let place = |line| Place { origin: origin.clone(), file: Some(path.to_owned()), line };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::at(place(None), format!("the file cannot be read: {error}")))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let line = u32::try_from(error.line()).ok();
        Problem::at(place(line), format!("the file is not valid JSON: {error}"))
    })?;
    let mut values = Map::new();
    if let Some(servers) = value.get(KEY) {
        values.insert(KEY.to_owned(), servers.clone());
    }
    normalize(&mut values);
    // Programs have keys of their own here.
    let known = field_names::<McpServer>();
    if let Some(Value::Object(servers)) = values.get_mut(KEY) {
        for server in servers.values_mut().filter_map(Value::as_object_mut) {
            server.retain(|key, _| known.contains(key));
        }
    }
    let (file, lines) = (Some(path.to_owned()), Lines::of(&text, camel));
    Ok(Layer { values, file, lines, ..Layer::of_no_file(&origin) })
}

#[cfg(test)]
mod tests {
    use kit_protocol::{McpCommand, McpServer, Secret};
    use serde_json::json;

    use super::super::{Configuration, load};
    use super::*;

    fn loaded(user: &str, shared: Option<&str>, project: &str) -> Configuration {
        let folder = tempfile::tempdir().unwrap();
        let [home, root] = ["home", "root"].map(|name| folder.path().join(name));
        for at in [&home, &root] {
            std::fs::create_dir_all(at).unwrap();
        }
        std::fs::write(home.join(".kit.yml"), user).unwrap();
        std::fs::write(root.join(".kit.yml"), project).unwrap();
        if let Some(shared) = shared {
            std::fs::write(root.join(".mcp.json"), shared).unwrap();
        }
        load(&home, None, &[&root], &|_| None, Value::Null, Map::new(), &Configuration::default())
    }

    fn server(configuration: &Configuration, name: &str) -> McpServer {
        configuration.settings.mcp_servers.as_ref().unwrap()[name].clone()
    }

    #[test]
    fn a_server_takes_the_place_of_one_with_its_name_and_a_part_changes_it() {
        let user = "mcpServers:\n  a: {command: [one], env: {TOKEN: planted}}\n  b: {command: two}\n";
        let project = "mcp-servers:\n  a: {url: \"http://elsewhere\"}\n  b: {disabled: true}\n";
        let configuration = loaded(user, None, project);
        assert_eq!(configuration.problems, Vec::new());
        let expected = McpServer { url: Some("http://elsewhere".into()), ..McpServer::default() };
        assert_eq!(server(&configuration, "a"), expected);
        let expected = McpServer {
            command: Some(McpCommand::Program("two".into())),
            disabled: Some(true),
            ..McpServer::default()
        };
        assert_eq!(server(&configuration, "b"), expected);
    }

    #[test]
    fn spellings_of_upstream_and_of_others_mean_the_same() {
        let user = "mcpServers:\n  a:\n    type: local\n    command: [x]\n    environment: {A_B: c}\n    allowed-tools: [t]\n    noOAuth: true\n    tasksMode: never\n";
        let shared = r#"{"inputs": [], "mcpServers": {"a": {"type": "stdio", "command": ["x"], "env": {"A_B": "c"}, "allowedTools": ["t"], "noOauth": true, "alwaysAllow": []}}}"#;
        let one = server(&loaded(user, None, ""), "a");
        assert_eq!(one, server(&loaded("", Some(shared), ""), "a"));
        assert_eq!(one.env.unwrap()["A_B"], Secret::from("c".to_owned()));
        assert_eq!((one.no_oauth, one.allowed_tools), (Some(true), Some(vec!["t".to_owned()])));
    }

    #[test]
    fn unknown_keys_and_wrong_servers_are_named_with_their_lines_and_the_others_hold() {
        let user = "mcpServers:\n  my-server:\n    comand: [x]\n    url: http://x\n  bad:\n    command: 7\n  good:\n    command: y\n";
        let configuration = loaded(user, None, "");
        let said: Vec<String> = configuration
            .problems
            .iter()
            .map(|problem| problem.to_string().rsplit_once(".kit.yml:").unwrap().1.to_owned())
            .collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(
            said[0],
            "3: `comand` is no setting of the MCP server `my-server`; did you mean `command`?"
        );
        assert!(said[1].starts_with("6: `mcpServers.bad.command` is left out"), "{said:?}");
        assert_eq!(server(&configuration, "good").command, Some(McpCommand::Program("y".into())));
        assert!(!configuration.settings.mcp_servers.unwrap().contains_key("bad"));
    }

    #[test]
    fn what_may_be_secret_is_not_explained() {
        let user = "mcpServers:\n  a: {command: [x], env: {TOKEN: planted}}\n  b: {url: \"http://x\", headers: [\"A: planted\"], oauthClientSecret: planted}\n";
        let explained = loaded(user, None, "").explain(None);
        let shown = json!(explained.iter().map(|one| json!([one.name, one.value])).collect::<Vec<_>>());
        assert!(!shown.to_string().contains("planted"), "{shown}");
    }
}
