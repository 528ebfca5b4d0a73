//! Reading what a vendor gave. Unknown fields are ignored, known ones must have their type.

use serde_json::{Map, Value};

use crate::answer::Usage;
use crate::error::FormatError;

/// The body as an object.
pub(crate) fn object(body: &Value) -> Result<&Map<String, Value>, FormatError> {
    body.as_object().ok_or_else(|| FormatError::unreadable("body", "is not an object"))
}

/// The first item of a list that must have one. The vendor's own `index` goes before order.
pub(crate) fn first<'a>(body: &'a Value, list: &str) -> Result<&'a Value, FormatError> {
    object(body)?;
    let items = body
        .get(list)
        .and_then(Value::as_array)
        .ok_or_else(|| FormatError::unreadable(list, "is missing or not a list"))?;
    items
        .iter()
        .find(|item| item.get("index").and_then(Value::as_u64) == Some(0))
        .or_else(|| items.first())
        .ok_or_else(|| FormatError::unreadable(list, "is empty"))
}

/// A list, which may be absent, or a single element that stands for a list of one.
pub(crate) fn list<'a>(value: Option<&'a Value>, path: &str) -> Result<Vec<&'a Value>, FormatError> {
    match value {
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => Ok(loose_list(value)),
        Some(_) => Err(FormatError::unreadable(path, "is not a list")),
    }
}

/// The same where anything else counts as no list.
pub(crate) fn loose_list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(item @ Value::Object(_)) => vec![item],
        _ => Vec::new(),
    }
}

/// A text that may be null or absent.
pub(crate) fn text(value: Option<&Value>, path: &str) -> Result<Option<String>, FormatError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(FormatError::unreadable(path, "is not a text")),
    }
}

/// The vendor's word for why it stopped; anything but a text counts as none.
pub(crate) fn word(value: &Value, fields: &[&str]) -> Option<String> {
    fields.iter().find_map(|field| value.get(field)?.as_str().map(str::to_owned))
}

/// A count; anything but a whole number from 0 counts as none.
pub(crate) fn count(value: &Value, fields: &[&str]) -> Option<u64> {
    fields.iter().find_map(|field| whole(value.get(field)?))
}

/// A whole number from 0, also where it is written with a decimal point, as in `12.0`.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    /// The largest number below which a float still holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number =
            value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number))?;
        // By way of its text, since a cast would also take what does not fit.
        format!("{:.0}", number.abs()).parse().ok()
    })
}

/// Usage where input and output are both known. A malformed count is no usage: the request is
/// then settled at what it reserved, which is never too little.
pub(crate) fn usage(
    value: Option<&Value>,
    input: &[&str],
    output: &[&str],
    cache_read: &[&str],
    cache_write: &[&str],
) -> Option<Usage> {
    let value = value?;
    Some(Usage::new(
        count(value, input)?,
        count(value, output)?,
        optional_count(value, cache_read)?,
        optional_count(value, cache_write)?,
    ))
}

/// A count that is 0 where no field has one, and unknown where a field has something else.
fn optional_count(value: &Value, fields: &[&str]) -> Option<u64> {
    let mut present =
        fields.iter().filter_map(|field| value.get(field)).filter(|field| !field.is_null()).peekable();
    if present.peek().is_none() { Some(0) } else { present.find_map(whole) }
}

/// Sets a field where there is a value.
pub(crate) fn put(body: &mut Map<String, Value>, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

/// Stop sequences as a value.
pub(crate) fn stop(list: Option<&[String]>) -> Option<Value> {
    list.map(|list| list.iter().cloned().map(Value::String).collect())
}
