//! Reading a request that any of the three protocols has turned into one JSON document.
//! In the Query protocol every leaf is a string, so numbers and truth values are read from
//! strings as well.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use serde_json::Value;

/// An error of CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shape}: {message}")]
pub struct CloudWatchError {
    /// The name in the JSON and CBOR protocols.
    pub shape: &'static str,
    /// The name in the Query protocol.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong.
    pub message: String,
}

type Result<T> = std::result::Result<T, CloudWatchError>;

impl CloudWatchError {
    /// A request that does not make sense.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self { shape: "ValidationError", code: "ValidationError", status: 400, message: message.into() }
    }

    /// A parameter that must be there.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self {
            shape: "MissingRequiredParameterException",
            code: "MissingParameter",
            status: 400,
            message: format!("The parameter {name} is required."),
        }
    }

    /// A parameter with a value that cannot be.
    #[must_use]
    pub fn value(message: impl Into<String>) -> Self {
        Self {
            shape: "InvalidParameterValueException",
            code: "InvalidParameterValue",
            status: 400,
            message: message.into(),
        }
    }

    /// A paging token that is not ours, or belongs to another request.
    #[must_use]
    pub fn token() -> Self {
        Self {
            shape: "InvalidNextToken",
            code: "InvalidNextToken",
            status: 400,
            message: "The next token is not valid for this request.".into(),
        }
    }
}

/// The text of this member.
pub fn text<'a>(input: &'a Value, name: &str) -> Result<Option<&'a str>> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(CloudWatchError::value(format!("The parameter {name} must be a string."))),
    }
}

/// The text of this member, which must be there and not empty.
pub fn required_text<'a>(input: &'a Value, name: &str) -> Result<&'a str> {
    text(input, name)?.filter(|text| !text.is_empty()).ok_or_else(|| CloudWatchError::missing(name))
}

/// The whole number of this member.
pub fn integer(input: &Value, name: &str) -> Result<Option<i64>> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
            .map(Some)
            .ok_or_else(|| CloudWatchError::value(format!("The parameter {name} must be an integer."))),
    }
}

/// The number of this member.
pub fn number(input: &Value, name: &str) -> Result<Option<f64>> {
    match input.get(name) {
        None => Ok(None),
        Some(value) => float(value).map(Some).ok_or_else(|| {
            CloudWatchError::value(format!("The value for the parameter {name} must be a finite number."))
        }),
    }
}

/// A finite number.
pub fn float(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        .filter(|number| number.is_finite())
}

/// The truth value of this member.
pub fn boolean(input: &Value, name: &str) -> Result<Option<bool>> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(_) => Err(CloudWatchError::value(format!("The parameter {name} must be true or false."))),
    }
}

/// The items of this member; none where it is absent.
pub fn list<'a>(input: &'a Value, name: &str) -> Result<&'a [Value]> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        // An empty list has no other form in the Query protocol.
        Some(Value::String(text)) if text.is_empty() => Ok(&[]),
        Some(_) => Err(CloudWatchError::value(format!("The parameter {name} must be a list."))),
    }
}

/// The time of this member: seconds since 1970, or ISO 8601.
pub fn time(input: &Value, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(value) = input.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let wrong = || CloudWatchError::value(format!("The parameter {name} must be a timestamp."));
    let time = match value {
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Some(time.with_timezone(&Utc)),
            Err(_) => text.parse::<f64>().ok().and_then(from_seconds),
        },
        other => other.as_f64().and_then(from_seconds),
    };
    time.map(Some).ok_or_else(wrong)
}

/// The time of this member, which must be there.
pub fn required_time(input: &Value, name: &str) -> Result<DateTime<Utc>> {
    time(input, name)?.ok_or_else(|| CloudWatchError::missing(name))
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before the cast")]
fn from_seconds(seconds: f64) -> Option<DateTime<Utc>> {
    let milliseconds = (seconds * 1000.0).round();
    (milliseconds.abs() < 1e15).then(|| DateTime::from_timestamp_millis(milliseconds as i64))?
}

/// Dimensions as pairs; `values` says whether each must have a value.
pub fn dimensions(input: &Value, most: usize) -> Result<Vec<(String, String)>> {
    let items = list(input, "Dimensions")?;
    if items.len() > most {
        return Err(CloudWatchError::value(format!(
            "The collection Dimensions must not have a size greater than {most}."
        )));
    }
    items
        .iter()
        .map(|item| Ok((required_text(item, "Name")?.to_owned(), required_text(item, "Value")?.to_owned())))
        .collect()
}

/// A mark of a request, so that a paging token belongs to one.
#[must_use]
pub fn fingerprint(input: &Value) -> u64 {
    let mut input = input.clone();
    if let Some(map) = input.as_object_mut() {
        map.remove("NextToken");
    }
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    hasher.finish()
}
