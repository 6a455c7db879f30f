//! The settings in the manifest of the VS Code extension.
//!
//! The first group of `contributes.configuration` is the server's and is written from the schema; the other groups are
//! the client's own. No generated setting works in an untrusted workspace: a repository that could choose the address
//! of the provider would be sent the user's key.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::pretty;

/// A key in a file that is synchronized between machines is no secret any more.
const NOT_IN_THE_EDITOR: &[&str] = &["providerApiKey"];

/// The manifest with current settings.
pub(super) fn update(manifest: &str, settings: &Value) -> Result<String> {
    let mut manifest: Value = serde_json::from_str(manifest)?;
    let mut properties = Map::new();
    for (name, schema) in settings["properties"].as_object().context("the settings have no properties")? {
        if !NOT_IN_THE_EDITOR.contains(&name.as_str()) {
            properties.insert(format!("kit.{name}"), property(schema, settings));
        }
    }
    let keys: Vec<String> = properties.keys().cloned().collect();
    let groups =
        manifest["contributes"]["configuration"].as_array_mut().context("no list of configuration groups")?;
    let group = groups.first_mut().context("no first group")?;
    let own: Vec<String> = groups_keys(group);
    group["properties"] = Value::Object(properties);

    let trust = &mut manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"];
    let listed = trust.as_array().cloned().unwrap_or_default();
    let others =
        listed.iter().filter_map(Value::as_str).filter(|key| !own.iter().chain(&keys).any(|own| own == key));
    let mut restricted: Vec<String> = others.map(str::to_owned).chain(keys.iter().cloned()).collect();
    restricted.sort();
    *trust = json!(restricted);
    pretty(&manifest)
}

fn groups_keys(group: &Value) -> Vec<String> {
    group["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect()
}

fn property(schema: &Value, settings: &Value) -> Value {
    let mut property = inlined(schema, settings);
    let description = property.as_object_mut().and_then(|object| object.remove("description"));
    property["scope"] = json!("machine-overridable");
    property["markdownDescription"] = description.unwrap_or_default();
    property
}

/// The schema without references, numbers formats and nulls, in the subset that VS Code's settings editor renders.
fn inlined(schema: &Value, settings: &Value) -> Value {
    let description = &schema["description"];
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        return described(inlined(&settings["$defs"][name], settings), description);
    }
    let alternatives = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(alternatives) = alternatives {
        let some: Vec<&Value> = alternatives.iter().filter(|schema| schema["type"] != "null").collect();
        if let [only] = some[..] {
            return described(inlined(only, settings), description);
        }
        if some.iter().all(|schema| schema["const"].is_string()) {
            let values: Vec<&Value> = some.iter().map(|schema| &schema["const"]).collect();
            let docs: Vec<&Value> = some.iter().map(|schema| &schema["description"]).collect();
            let property = json!({ "type": "string", "enum": values, "enumDescriptions": docs });
            return described(property, description);
        }
    }
    let mut property = Map::new();
    for (key, value) in schema.as_object().into_iter().flatten() {
        match key.as_str() {
            "format" => {}
            "type" => {
                let first = value.as_array().and_then(|names| names.iter().find(|name| *name != "null"));
                property.insert(key.clone(), first.unwrap_or(value).clone());
            }
            "items" | "additionalProperties" if value.is_object() => {
                property.insert(key.clone(), inlined(value, settings));
            }
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                let fields: Map<String, Value> =
                    fields.map(|(name, schema)| (name.clone(), inlined(schema, settings))).collect();
                property.insert(key.clone(), Value::Object(fields));
            }
            _ => {
                property.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(property)
}

fn described(mut property: Value, description: &Value) -> Value {
    if !description.is_null() {
        property["description"] = description.clone();
    }
    property
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_is_written_and_the_rest_of_the_manifest_kept() {
        let manifest = json!({
            "name": "kit",
            "capabilities": { "untrustedWorkspaces": { "restrictedConfigurations": ["kit.old", "kit.server.path"] } },
            "contributes": { "configuration": [{ "title": "Agent", "properties": { "kit.old": {} } }, { "title": "Editor", "properties": { "kit.server.path": {} } }] },
        });
        let settings = json!({
            "properties": {
                "mode": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "null" }], "description": "What may happen." },
                "maxSteps": { "type": ["integer", "null"], "format": "uint32", "minimum": 0, "description": "Calls." },
                "providerApiKey": { "type": "string" },
            },
            "$defs": { "Mode": { "description": "A mode.", "oneOf": [{ "const": "ask", "description": "Asks." }, { "const": "edit", "description": "Edits." }] } },
        });
        let updated: Value =
            serde_json::from_str(&update(&manifest.to_string(), &settings).expect("a manifest"))
                .expect("JSON");
        assert_eq!(
            updated,
            json!({
                "name": "kit",
                "capabilities": { "untrustedWorkspaces": { "restrictedConfigurations": ["kit.maxSteps", "kit.mode", "kit.server.path"] } },
                "contributes": { "configuration": [
                    { "title": "Agent", "properties": {
                        "kit.mode": { "type": "string", "enum": ["ask", "edit"], "enumDescriptions": ["Asks.", "Edits."], "scope": "machine-overridable", "markdownDescription": "What may happen." },
                        "kit.maxSteps": { "type": "integer", "minimum": 0, "scope": "machine-overridable", "markdownDescription": "Calls." },
                    } },
                    { "title": "Editor", "properties": { "kit.server.path": {} } },
                ] },
            })
        );
    }
}
