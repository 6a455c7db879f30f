//! The shapes that the protocol's JSON schema uses, read into a closed type, so that each language only has to print.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// A type as the schema has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Reference(String),
    Constant(String),
    Text,
    Number,
    Boolean,
    Null,
    Anything,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    Map(Box<Shape>),
    Union(Vec<Variant>),
    /// Fields, and for a flattened enum the variants that add more of them.
    Object {
        fields: Vec<Field>,
        variants: Vec<Variant>,
    },
    /// A named type with more fields, as a tagged enum has it whose variant holds a type.
    Extended {
        name: String,
        fields: Vec<Field>,
    },
}

/// One alternative of a union.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variant {
    pub(super) doc: String,
    pub(super) shape: Shape,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) optional: bool,
    pub(super) shape: Shape,
}

/// A named type.
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) shape: Shape,
}

/// All named types in order of name.
pub(super) fn definitions(protocol: &Value) -> Result<Vec<Definition>> {
    let all = protocol["$defs"].as_object().context("the schema has no definitions")?;
    let mut definitions = Vec::new();
    for (name, schema) in all {
        let shape = shape(schema).with_context(|| format!("in the schema of {name}"))?;
        definitions.push(Definition { name: name.clone(), doc: doc(schema), shape });
    }
    definitions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(definitions)
}

fn doc(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

/// Reads one schema; a keyword that would be lost is an error.
pub(super) fn shape(schema: &Value) -> Result<Shape> {
    if schema == &Value::Bool(true) {
        return Ok(Shape::Anything);
    }
    let object = schema.as_object().with_context(|| format!("not a schema: {schema}"))?;
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        let name = reference
            .strip_prefix("#/$defs/")
            .with_context(|| format!("an outside reference {reference}"))?
            .to_owned();
        if !object.contains_key("properties") {
            return Ok(Shape::Reference(name));
        }
        return Ok(Shape::Extended { name, fields: fields(object)? });
    }
    if let Some(constant) = object.get("const") {
        let text = constant.as_str().with_context(|| format!("a constant that is no text: {constant}"))?;
        return Ok(Shape::Constant(text.to_owned()));
    }
    if let Some(values) = object.get("enum").and_then(Value::as_array) {
        let variant = |value: &Value| {
            let text = value.as_str().with_context(|| format!("a value that is no text: {value}"))?;
            Ok(Variant { doc: String::new(), shape: Shape::Constant(text.to_owned()) })
        };
        return Ok(Shape::Union(values.iter().map(variant).collect::<Result<_>>()?));
    }
    let alternatives = object.get("oneOf").or_else(|| object.get("anyOf")).and_then(Value::as_array);
    let variants = alternatives
        .into_iter()
        .flatten()
        .map(|schema| Ok(Variant { doc: doc(schema), shape: shape(schema)? }))
        .collect::<Result<Vec<_>>>()?;
    match object.get("type") {
        None if alternatives.is_some() => Ok(Shape::Union(variants)),
        None if object.contains_key("properties") => fields_of(object, variants),
        None => Ok(Shape::Anything),
        Some(Value::String(name)) => typed(name, object, variants),
        Some(Value::Array(names)) => {
            let mut union = Vec::new();
            for name in names {
                let name = name.as_str().context("a type that is no text")?;
                union.push(Variant { doc: String::new(), shape: typed(name, object, Vec::new())? });
            }
            Ok(Shape::Union(union))
        }
        Some(other) => bail!("a type that is neither text nor a list: {other}"),
    }
}

fn typed(name: &str, object: &Map<String, Value>, variants: Vec<Variant>) -> Result<Shape> {
    match name {
        "string" => Ok(Shape::Text),
        "integer" | "number" => Ok(Shape::Number),
        "boolean" => Ok(Shape::Boolean),
        "null" => Ok(Shape::Null),
        "array" => match object.get("prefixItems").and_then(Value::as_array) {
            Some(items) => Ok(Shape::Tuple(items.iter().map(shape).collect::<Result<_>>()?)),
            None => Ok(Shape::List(Box::new(object.get("items").map_or(Ok(Shape::Anything), shape)?))),
        },
        "object" => match object.get("additionalProperties") {
            Some(values) if !object.contains_key("properties") && values != &Value::Bool(false) => {
                Ok(Shape::Map(Box::new(shape(values)?)))
            }
            _ => fields_of(object, variants),
        },
        other => bail!("an unknown type {other}"),
    }
}

fn fields_of(object: &Map<String, Value>, variants: Vec<Variant>) -> Result<Shape> {
    Ok(Shape::Object { fields: fields(object)?, variants })
}

fn fields(object: &Map<String, Value>) -> Result<Vec<Field>> {
    let required: Vec<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut fields = Vec::new();
    for (name, schema) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let optional = !required.contains(&name.as_str());
        let shape = shape(schema).with_context(|| format!("in the field {name}"))?;
        // An absent field says the same as null, and the server never sends null for one.
        let shape = if optional { without_null(shape) } else { shape };
        fields.push(Field { name: name.clone(), doc: doc(schema), optional, shape });
    }
    Ok(fields)
}

fn without_null(shape: Shape) -> Shape {
    let Shape::Union(mut variants) = shape else { return shape };
    variants.retain(|variant| variant.shape != Shape::Null);
    match <[Variant; 1]>::try_from(variants) {
        Ok([variant]) => variant.shape,
        Err(variants) => Shape::Union(variants),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_optional_field_loses_its_null() {
        let read = shape(&json!({ "type": "object", "required": ["a"], "properties": {
            "a": { "type": ["string", "null"] },
            "b": { "type": ["integer", "null"], "description": "Count." },
            "c": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "null" }] },
        } }));
        let nullable = [Shape::Text, Shape::Null].map(|shape| Variant { doc: String::new(), shape });
        let field = |name: &str, doc: &str, optional, shape| Field {
            name: name.into(),
            doc: doc.into(),
            optional,
            shape,
        };
        let expected = Shape::Object {
            fields: vec![
                field("a", "", false, Shape::Union(nullable.into())),
                field("b", "Count.", true, Shape::Number),
                field("c", "", true, Shape::Reference("Mode".into())),
            ],
            variants: vec![],
        };
        assert_eq!(read.expect("a schema"), expected);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_a_gap() {
        assert!(shape(&json!({ "const": 3 })).is_err());
        assert!(shape(&json!({ "$ref": "other.json#/a" })).is_err());
    }
}
