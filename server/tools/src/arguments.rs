//! Arguments of a model: JSON text to a typed input, and the schema that the model is shown.
//!
//! Models err in known ways, and a call that says clearly what it wants should run. So no text means no arguments, a
//! JSON text inside a JSON text is unpacked, `null` means absent, and where the schema wants a number, a boolean, a
//! list or an object, a text that holds one is taken for it; a single object stands for a list of one. Everything else
//! that does not fit is an error which names the field.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::tool::ToolError;

/// JSON text to an object.
pub(crate) fn parse(text: &str) -> Result<Value, ToolError> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value = serde_json::from_str(text).map_err(|error| {
        ToolError::Arguments(format!("they are not valid JSON ({error}); send one JSON object"))
    })?;
    match value {
        Value::Object(_) => Ok(value),
        Value::Null => Ok(Value::Object(Map::new())),
        Value::String(inner) if inner.trim_start().starts_with('{') => parse(&inner),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(ToolError::Arguments("send one JSON object".to_owned()))
        }
    }
}

/// An object to a typed input.
pub(crate) fn typed<T: DeserializeOwned + JsonSchema>(mut value: Value) -> Result<T, ToolError> {
    mend(&mut value, &schema::<T>());
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        ToolError::Arguments(if path == "." { message } else { format!("{path}: {message}") })
    })
}

/// The schema of an input as providers take it: without references, titles and formats.
pub(crate) fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema);
    // The tool has a description of its own.
    if let Some(object) = schema.as_object_mut() {
        object.remove("description");
    }
    schema
}

/// Removes what says nothing to a model, and `null` from optional fields, which are absent instead.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for key in ["$schema", "title", "format", "default"] {
                if object.get(key).is_some_and(|value| !value.is_object()) {
                    object.remove(key);
                }
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            object.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mend(value: &mut Value, schema: &Value) {
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if let Value::String(text) = value {
        let parsed = match wanted {
            "integer" | "number" | "boolean" => serde_json::from_str(text.trim()).ok(),
            "array" | "object" => serde_json::from_str(text).ok(),
            _ => None,
        };
        if let Some(parsed) = parsed.filter(|parsed: &Value| fits(parsed, wanted)) {
            *value = parsed;
        }
    }
    if wanted == "array" && value.is_object() {
        *value = Value::Array(vec![value.take()]);
    }
    if wanted == "integer"
        && let Some(number) = value.as_f64()
        && number.fract() == 0.0
        && (0.0..1e15).contains(&number)
        && let Ok(whole) = format!("{number:.0}").parse::<u64>()
    {
        *value = Value::from(whole);
    }
    match (value, wanted) {
        (Value::Object(object), "object") => {
            object.retain(|_, value| !value.is_null());
            for (name, value) in object {
                if let Some(property) = schema.pointer(&format!("/properties/{name}")) {
                    mend(value, property);
                }
            }
        }
        (Value::Array(items), "array") => {
            if let Some(item) = schema.get("items") {
                items.iter_mut().for_each(|value| mend(value, item));
            }
        }
        _ => {}
    }
}

fn fits(value: &Value, wanted: &str) -> bool {
    match wanted {
        "integer" | "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array() || value.is_object(),
        _ => value.is_object(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// What it takes.
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Input {
        /// A name.
        name: String,
        /// How many.
        #[serde(default)]
        count: Option<u32>,
        /// Whether.
        #[serde(default)]
        flag: bool,
        /// Parts.
        #[serde(default)]
        parts: Vec<Part>,
    }

    /// A part.
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Part {
        /// Its text.
        text: String,
    }

    fn read(text: &str) -> Result<Input, String> {
        parse(text).and_then(typed).map_err(|error| error.to_string())
    }

    fn input(name: &str, count: Option<u32>, flag: bool, parts: &[&str]) -> Input {
        let parts = parts.iter().map(|text| Part { text: (*text).to_owned() }).collect();
        Input { name: name.to_owned(), count, flag, parts }
    }

    #[test]
    fn what_is_clearly_meant_is_taken() {
        let expected = input("n", Some(3), true, &["a"]);
        for text in [
            r#"{"name":"n","count":3,"flag":true,"parts":[{"text":"a"}]}"#,
            r#"{"name":"n","count":"3","flag":"true","parts":{"text":"a"}}"#,
            r#"{"name":"n","count":3.0,"flag":true,"parts":"[{\"text\":\"a\"}]"}"#,
            r#""{\"name\":\"n\",\"count\":3,\"flag\":true,\"parts\":[{\"text\":\"a\"}]}""#,
        ] {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(read(r#"{"name":"12","count":null}"#), Ok(input("12", None, false, &[])));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |text: &str, expected: &str| assert_eq!(read(text).unwrap_err(), expected);
        check("", "invalid arguments: missing field `name`");
        check(r#"{"name":1}"#, "invalid arguments: name: invalid type: integer `1`, expected a string");
        check(
            r#"{"name":"n","size":1}"#,
            "invalid arguments: size: unknown field `size`, expected one of `name`, `count`, `flag`, `parts`",
        );
        check(
            r#"{"name":"n","parts":[{"text":"a"},{}]}"#,
            "invalid arguments: parts[1]: missing field `text`",
        );
        check(
            r#"{"name":"n","count":-1}"#,
            "invalid arguments: count: invalid value: integer `-1`, expected u32",
        );
        check("[1]", "invalid arguments: send one JSON object");
        assert!(read("{").unwrap_err().starts_with("invalid arguments: they are not valid JSON"));
    }

    #[test]
    fn the_schema_says_what_a_model_needs() {
        insta::assert_json_snapshot!(schema::<Input>(), @r#"
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "name": {
              "type": "string",
              "description": "A name."
            },
            "count": {
              "type": "integer",
              "description": "How many.",
              "minimum": 0
            },
            "flag": {
              "type": "boolean",
              "description": "Whether."
            },
            "parts": {
              "type": "array",
              "items": {
                "description": "A part.",
                "type": "object",
                "properties": {
                  "text": {
                    "description": "Its text.",
                    "type": "string"
                  }
                },
                "additionalProperties": false,
                "required": [
                  "text"
                ]
              },
              "description": "Parts."
            }
          },
          "required": [
            "name"
          ]
        }
        "#);
    }
}
