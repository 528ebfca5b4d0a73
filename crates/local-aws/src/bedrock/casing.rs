//! Between the camelCase of the service and the PascalCase of the Step Functions integration.
//!
//! Only member names and blobs change. Documents whose keys are the caller's own (tool schemas and
//! inputs, request metadata, additional model fields) stay as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// Members that are blobs: of a picture or a document, of hidden thoughts, and the body that
/// CountTokens takes.
const BLOBS: [&str; 3] = ["bytes", "redactedContent", "body"];

/// The blob that a text in the integration's arguments stands for, as the service's own JSON
/// carries it.
///
/// This assumes that the integration takes base64 and decodes it, as the SDK's JSON does, and that
/// it gives blobs back the same way. No source proves that. Should it send the text's characters
/// as the bytes instead, this function is the one to change: to `STANDARD.encode(text)`.
fn wire_blob(text: &str) -> Option<String> {
    STANDARD.decode(text).ok().map(|bytes| STANDARD.encode(bytes))
}

/// A document of the integration as the service takes it.
///
/// # Errors
/// A member's name does not begin with a capital letter, or a blob is not base64; the text says
/// which.
pub fn from_integration(mut value: Value) -> Result<Value, String> {
    if let Some(name) = small_member(&value) {
        return Err(format!(
            "The field '{name}' is not supported by Step Functions; the names of members are in PascalCase."
        ));
    }
    value = to_camel(value);
    read_blobs(&mut value)?;
    Ok(value)
}

/// The first member's name that begins with a small letter.
fn small_member(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(small_member),
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            if key.starts_with(|letter: char| letter.is_ascii_lowercase()) {
                return Some(key.as_str());
            }
            if is_opaque(key) { None } else { small_member(value) }
        }),
        _ => None,
    }
}

fn read_blobs(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(read_blobs),
        Value::Object(map) => map.iter_mut().try_for_each(|(key, value)| match value {
            Value::String(text) if BLOBS.contains(&key.as_str()) => {
                *text =
                    wire_blob(text).ok_or_else(|| format!("The blob in the field '{key}' is not base64."))?;
                Ok(())
            }
            _ if is_opaque(key) => Ok(()),
            value => read_blobs(value),
        }),
        _ => Ok(()),
    }
}

/// Is the value of this member, in either spelling, the caller's own document?
fn is_opaque(key: &str) -> bool {
    let mut letters = key.chars();
    let camel: String = letters.next().iter().map(char::to_ascii_lowercase).chain(letters).collect();
    OPAQUE.contains(&camel.as_str())
}

/// Every member name with a capital first letter.
#[must_use]
pub fn to_pascal(value: Value) -> Value {
    rename(value, char::to_ascii_uppercase)
}

/// Every member name with a small first letter.
fn to_camel(value: Value) -> Value {
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
                let value = if is_opaque(&key) { value } else { rename(value, first) };
                let key: String = head.iter().map(first).chain(letters).collect();
                renamed.insert(key, value);
            }
            Value::Object(renamed)
        }
        other => other,
    }
}
