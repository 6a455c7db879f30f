//! The JSON schemas of the contract, one document for each table.
//!
//! Each document holds its types in `$defs`, and beside them the table's rows, whose types are references into it.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{
    Configuration, Door, EVENTS, INVOCATIONS, METHODS, Part, Permissions, Permit, Registration,
    SessionContext,
};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// `init`: configuration, registration and permissions.
pub fn registration() -> Value {
    let mut generator = generator();
    let rows = json!({
        "configuration": generator.subschema_for::<Configuration>(),
        "registration": generator.subschema_for::<Registration>(),
        "permissions": generator.subschema_for::<Permissions>(),
    });
    document("Kit extensions: init", "init", rows, generator)
}

/// The events with payload and answer.
pub fn events() -> Value {
    let mut generator = generator();
    let mut rows = Map::new();
    for event in EVENTS {
        let row = json!({
            "description": event.description,
            "intercepts": event.part == Part::Intercepts,
            "payload": (event.payload)(&mut generator),
            "answer": (event.answer)(&mut generator),
        });
        rows.insert(event.name.to_owned(), row);
    }
    let custom = json!({
        "description": "An event of an extension.",
        "intercepts": false,
        "payload": generator.subschema_for::<crate::CustomEvent>(),
        "answer": generator.subschema_for::<()>(),
    });
    rows.insert("custom:*".to_owned(), custom);
    let _context = generator.subschema_for::<SessionContext>();
    document("Kit extensions: events", "events", rows.into(), generator)
}

/// The kinds of `invoke` with input and output.
pub fn invocations() -> Value {
    let mut generator = generator();
    let mut rows = Map::new();
    for invocation in INVOCATIONS {
        let row = json!({
            "description": invocation.description,
            "input": (invocation.input)(&mut generator),
            "output": (invocation.output)(&mut generator),
        });
        rows.insert(invocation.name.to_owned(), row);
    }
    document("Kit extensions: invocations", "invocations", rows.into(), generator)
}

/// The methods of the host with parameters and result.
pub fn methods() -> Value {
    let mut generator = generator();
    let mut rows = Map::new();
    for method in METHODS {
        let door = match method.door {
            Door::Notify => "notify",
            Door::Get => "get",
            Door::Call => "call",
        };
        let permission = match method.permit {
            Permit::Free => Value::Null,
            Permit::Http => "http".into(),
            Permit::Exec => "exec".into(),
            Permit::Read => "fs.read".into(),
            Permit::Write => "fs.write".into(),
            Permit::Environment => "env".into(),
        };
        let row = json!({
            "description": method.description,
            "door": door,
            "arguments": method.arguments,
            "permission": permission,
            "parameters": (method.parameters)(&mut generator),
            "result": (method.result)(&mut generator),
        });
        rows.insert(method.name.to_owned(), row);
    }
    document("Kit extensions: methods of the host", "methods", rows.into(), generator)
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

fn document(title: &str, name: &str, rows: Value, mut generator: SchemaGenerator) -> Value {
    let definitions = generator.take_definitions(true);
    let mut document = json!({ "$schema": DIALECT, "title": title, "$defs": definitions });
    if let Some(fields) = document.as_object_mut() {
        fields.insert(name.to_owned(), rows);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_arguments_are_fields_of_the_parameters() {
        let methods = methods();
        let rows = methods["methods"].as_object().unwrap();
        assert_eq!(rows.len(), METHODS.len());
        assert_eq!(events()["events"].as_object().unwrap().len(), EVENTS.len() + 1);
        for (name, row) in rows {
            let reference = row["parameters"]["$ref"].as_str().unwrap();
            let parameters = methods.pointer(reference.trim_start_matches('#')).unwrap();
            for argument in row["arguments"].as_array().unwrap() {
                let field = &parameters["properties"][argument.as_str().unwrap()];
                assert!(!field.is_null(), "{name} has no parameter {argument}");
            }
        }
    }
}
