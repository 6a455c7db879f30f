//! Keys inside of settings that are none, found by the schema.
//!
//! The names of settings themselves are checked where layers are merged, those of MCP servers in `servers`, since people
//! and other programs spell them in more ways.

use serde_json::{Map, Value};

use super::{camel, nearest, servers};

/// Keys that upstream Kit reads inside of a setting; they are no mistakes.
const FOREIGN_KEYS: [(&str, &[&str]); 1] =
    [("customModels", &["family", "attachment", "temperature", "params"])];

/// The keys in a setting that are unknown: the path of each, and what is said about it.
pub(super) fn unknown(schema: &Value, name: &str, value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if name != servers::KEY
        && let Some(part) = schema.pointer(&format!("/properties/{name}"))
    {
        search(schema, part, name, value, &mut found);
    }
    found
}

fn search(schema: &Value, part: &Value, path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    let Value::Object(members) = value else { return };
    let Some(part) = object(schema, part) else { return };
    let properties = part.get("properties").and_then(Value::as_object);
    let others = part.get("additionalProperties").filter(|others| others.is_object());
    for (key, value) in members {
        let name = camel(key);
        let inside = format!("{path}.{name}");
        match (properties.and_then(|properties| properties.get(&name)), others, properties) {
            (Some(part), _, _) => search(schema, part, &inside, value, found),
            // Here every key is a name that the user chose.
            (None, Some(part), _) => search(schema, part, &format!("{path}.{key}"), value, found),
            (None, None, Some(_)) if is_foreign(path, key) => {}
            (None, None, Some(_)) => {
                let hint = hint(&name, &property_names(part));
                found.push((inside, format!("`{key}` is no setting under `{path}`{hint}")));
            }
            (None, None, None) => {}
        }
    }
}

/// The end of a sentence about a wrong name: the known one that it may mean, or all of them.
pub(super) fn hint(name: &str, known: &[String]) -> String {
    match nearest(name, known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// The names of the properties of a schema.
fn property_names(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(Map::keys).cloned().collect()
}

fn is_foreign(path: &str, key: &str) -> bool {
    let setting = path.split('.').next().unwrap_or_default();
    FOREIGN_KEYS.iter().any(|(name, keys)| *name == setting && keys.contains(&key))
}

/// The schema of an object behind references and alternatives; `None` where it may have any keys or is none.
fn object<'a>(schema: &'a Value, part: &'a Value) -> Option<&'a Value> {
    if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
        return object(schema, schema.pointer(reference.strip_prefix('#')?)?);
    }
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|name| part.get(name).and_then(Value::as_array));
    if let Some(alternatives) = alternatives {
        let mut objects = alternatives.iter().filter_map(|part| object(schema, part));
        // Which of several is meant only their reader knows.
        return objects.next().filter(|_| objects.next().is_none());
    }
    let keys: Option<&Map<String, Value>> = part.get("properties").and_then(Value::as_object);
    (keys.is_some() || part.get("additionalProperties").is_some()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_searched_as_deep_as_the_schema_goes() {
        let schema = kit_protocol::schema::settings();
        let check = |name: &str, value: Value, expected: &[&str]| {
            let found: Vec<String> = unknown(&schema, name, &value)
                .into_iter()
                .map(|(path, message)| format!("{path}: {}", message.split("; there are").next().unwrap()))
                .collect();
            assert_eq!(found, expected, "{name} {value}");
        };
        check(
            "permissions",
            json!({"denny": ["Bash"], "allow": []}),
            &["permissions.denny: `denny` is no setting under `permissions`; did you mean `deny`?"],
        );
        check("compaction", json!({"reserve-tokens": 1, "keepTokens": 2}), &[]);
        check(
            "budget",
            json!({"turn": {"usdd": 1}, "year": {}}),
            &[
                "budget.turn.usdd: `usdd` is no setting under `budget.turn`; did you mean `usd`?",
                "budget.year: `year` is no setting under `budget`",
            ],
        );
        check("providers", json!({"mine": {"base-url": "http://x"}}), &[]);
        check(
            "providers",
            json!({"mine": {"baseUrll": "http://x"}}),
            &[
                "providers.mine.baseUrll: `baseUrll` is no setting under `providers.mine`; did you mean `baseUrl`?",
            ],
        );
        check(
            "customModels",
            json!({"m": {"family": "x", "limit": {"context": 1}, "params": {"a": 1}}}),
            &[],
        );
        check("options", json!({"whatever": "x"}), &[]);
        check("mcpServers", json!({"a": {"whatever": "x"}}), &[]);
        check("model", json!("a/b"), &[]);
    }
}
