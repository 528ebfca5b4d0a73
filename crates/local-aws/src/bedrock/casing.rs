//! Between the camelCase of the service and the PascalCase of the Step Functions integration.
//!
//! Only member names change. Documents whose keys are the caller's own (tool schemas and inputs,
//! request metadata, additional model fields) keep them.

use serde_json::{Map, Value};

/// Members whose value is the caller's own document.
const OPAQUE: [&str; 8] = [
    "additionalModelRequestFields",
    "additionalModelResponseFields",
    "requestMetadata",
    "promptVariables",
    "json",
    "input",
    "metadata",
    "trace",
];

/// Every member name with a capital first letter.
#[must_use]
pub fn to_pascal(value: Value) -> Value {
    rename(value, char::to_ascii_uppercase)
}

/// Every member name with a small first letter.
#[must_use]
pub fn to_camel(value: Value) -> Value {
    rename(value, char::to_ascii_lowercase)
}

fn rename(value: Value, first: fn(&char) -> char) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| rename(item, first)).collect(),
        Value::Object(map) => {
            let mut renamed = Map::new();
            for (key, value) in map {
                let mut letters = key.chars();
                let head = letters.next();
                let camel: String =
                    head.iter().map(char::to_ascii_lowercase).chain(letters.clone()).collect();
                let key: String = head.iter().map(first).chain(letters).collect();
                let value = if OPAQUE.contains(&camel.as_str()) { value } else { rename(value, first) };
                renamed.insert(key, value);
            }
            Value::Object(renamed)
        }
        other => other,
    }
}
