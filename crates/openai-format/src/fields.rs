//! Walking OpenAI's request with the name of each field in hand.

use serde_json::{Map, Value};

use crate::request::RequestError;

/// What a value is, in words.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// An error about a field.
pub(crate) fn wrong(param: &str, what: &str) -> RequestError {
    RequestError { param: Some(param.to_owned()), message: format!("`{param}` {what}.") }
}

pub(crate) fn object<'a>(value: &'a Value, param: &str) -> Result<&'a Map<String, Value>, RequestError> {
    value
        .as_object()
        .ok_or_else(|| wrong(param, &format!("is {} where an object is needed", describe(value))))
}

pub(crate) fn list<'a>(value: &'a Value, param: &str) -> Result<&'a [Value], RequestError> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| wrong(param, &format!("is {} where a list is needed", describe(value))))
}

pub(crate) fn text<'a>(value: &'a Value, param: &str) -> Result<&'a str, RequestError> {
    value.as_str().ok_or_else(|| wrong(param, &format!("is {} where a text is needed", describe(value))))
}

/// A field that is there and not null.
pub(crate) fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A text that must be there.
pub(crate) fn required_text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    param: &str,
) -> Result<&'a str, RequestError> {
    let param = format!("{param}.{name}");
    match present(fields, name) {
        Some(value) => text(value, &param),
        None => Err(wrong(&param, "is missing; add it")),
    }
}

/// Refuses every field but these.
pub(crate) fn only(fields: &Map<String, Value>, known: &[&str], param: &str) -> Result<(), RequestError> {
    match fields.iter().find(|(name, value)| !value.is_null() && !known.contains(&name.as_str())) {
        Some((name, _)) => {
            let name: String = name.chars().take(40).collect();
            let param = if param.is_empty() { name } else { format!("{param}.{name}") };
            Err(wrong(&param, "is not supported here; leave it out"))
        }
        None => Ok(()),
    }
}
