//! Tool schemas in the subset that every provider takes.
//!
//! Schemas come from anywhere, and providers differ in the keywords that they refuse. The plain form keeps what a model
//! needs to write correct arguments (types, names, descriptions, choices, which are required) and leaves out what only
//! a validator needs. It is used when a provider refused the full form.

use serde_json::{Map, Value, json};

/// How deep references and nested schemas are followed; deeper ones accept anything.
const DEEPEST: usize = 24;

/// The plain form of a schema whose root describes an object.
pub(crate) fn plain(schema: &Value) -> Value {
    let mut root = reduce(schema, schema, DEEPEST);
    root.insert("type".into(), "object".into());
    root.entry("properties").or_insert_with(|| json!({}));
    Value::Object(root)
}

fn reduce(schema: &Value, root: &Value, depth: usize) -> Map<String, Value> {
    let mut reduced = Map::new();
    let Some(fields) = schema.as_object().filter(|_| depth > 0) else { return reduced };
    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        reduced = target.map(|target| reduce(target, root, depth - 1)).unwrap_or_default();
    }
    for part in fields.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        merge(&mut reduced, reduce(part, root, depth - 1));
    }
    for choice in ["anyOf", "oneOf"] {
        let choices = fields.get(choice).and_then(Value::as_array).into_iter().flatten();
        let mut choices = choices.map(|part| reduce(part, root, depth - 1)).filter(|part| !is_null(part));
        if let Some(first) = choices.next() {
            merge(&mut reduced, choices.fold(first, join));
        }
    }
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("description", Value::String(_)) | ("enum", Value::Array(_)) => {
                reduced.insert(name.clone(), value.clone());
            }
            ("const", value) => {
                reduced.insert("enum".into(), json!([value]));
            }
            ("type", Value::String(_)) => {
                reduced.insert(name.clone(), value.clone());
            }
            ("type", Value::Array(types)) => {
                if let Some(first) = types.iter().find(|kind| *kind != "null") {
                    reduced.insert(name.clone(), first.clone());
                }
            }
            ("properties", Value::Object(properties)) => {
                let plain = properties.iter().map(|(name, value)| (name.clone(), inner(value, root, depth)));
                let properties: Map<String, Value> = plain.collect();
                merge(&mut reduced, [("properties".to_owned(), properties.into())].into_iter().collect());
            }
            ("required", Value::Array(_)) => {
                merge(&mut reduced, [(name.clone(), value.clone())].into_iter().collect());
            }
            ("items", Value::Object(_)) => {
                reduced.insert(name.clone(), inner(value, root, depth));
            }
            _ => {}
        }
    }
    if reduced.get("type").is_some_and(|kind| kind == "array") {
        reduced.entry("items").or_insert_with(|| json!({"type": "string"}));
    }
    reduced
}

fn inner(schema: &Value, root: &Value, depth: usize) -> Value {
    Value::Object(reduce(schema, root, depth - 1))
}

fn is_null(schema: &Map<String, Value>) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

/// Adds the fields of one schema to another one; properties and required names are united.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(more)) if name == "properties" => known.extend(more),
            (Some(Value::Array(known)), Value::Array(more)) if name == "required" => {
                known.extend(more.into_iter().filter(|name| !known.contains(name)).collect::<Vec<_>>());
            }
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// One schema for two choices: equal types are united, and what only one of them requires is not required.
fn join(mut left: Map<String, Value>, mut right: Map<String, Value>) -> Map<String, Value> {
    if left.get("type") != right.get("type") {
        return left;
    }
    let names = |schema: &mut Map<String, Value>| match schema.remove("required") {
        Some(Value::Array(names)) => names,
        Some(_) | None => Vec::new(),
    };
    let (own, others) = (names(&mut left), names(&mut right));
    let both: Vec<Value> = own.into_iter().filter(|name| others.contains(name)).collect();
    let choices = match (left.remove("enum"), right.remove("enum")) {
        (Some(Value::Array(mut choices)), Some(Value::Array(more))) => {
            choices.extend(more);
            Some(Value::Array(choices))
        }
        (Some(_), Some(_) | None) | (None, Some(_) | None) => None,
    };
    let description = left.get("description").cloned();
    merge(&mut left, right);
    left.extend(description.map(|text| ("description".to_owned(), text)));
    left.extend(choices.map(|choices| ("enum".to_owned(), choices)));
    if !both.is_empty() {
        left.insert("required".into(), both.into());
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_a_model_needs_and_drops_the_rest() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Input",
            "type": "object",
            "additionalProperties": false,
            "required": ["path"],
            "properties": {
                "path": {"type": "string", "description": "The file.", "format": "uri", "minLength": 1},
                "mode": {"const": "fast"},
                "limit": {"type": ["integer", "null"], "minimum": 0, "default": 3},
                "edits": {"type": "array", "items": {"$ref": "#/$defs/Edit"}, "minItems": 1},
                "any": {"type": "array"},
            },
            "$defs": {"Edit": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
        });
        let expected = json!({
            "type": "object",
            "required": ["path"],
            "properties": {
                "path": {"type": "string", "description": "The file."},
                "mode": {"enum": ["fast"]},
                "limit": {"type": "integer"},
                "edits": {"type": "array", "items":
                    {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
                "any": {"type": "array", "items": {"type": "string"}},
            },
        });
        assert_eq!(plain(&schema), expected);
        assert_eq!(plain(&expected), expected);
    }

    #[test]
    fn choices_become_one_schema() {
        let schema = json!({"oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "kind": {"const": "x"}}, "required": ["a", "kind"]},
            {"type": "object", "properties": {"b": {"type": "string"}, "kind": {"const": "x"}}, "required": ["kind"]},
        ]});
        let expected = json!({
            "properties": {"a": {"type": "string"}, "kind": {"enum": ["x"]}, "b": {"type": "string"}},
            "required": ["kind"],
            "type": "object",
        });
        assert_eq!(plain(&schema), expected);
        let optional = json!({"type": "object", "properties": {"n": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}});
        assert_eq!(plain(&optional)["properties"]["n"], json!({"type": "integer"}));
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({"type": "object", "properties": {"child": {"$ref": "#"}}});
        assert!(plain(&schema).to_string().len() < 2000);
        assert_eq!(plain(&json!(true)), json!({"type": "object", "properties": {}}));
    }
}
