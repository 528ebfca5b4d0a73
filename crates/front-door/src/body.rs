//! The body of a request: one JSON object, read strictly.
//!
//! A field that stands twice is refused: whoever checked the first and whoever obeys the last
//! would read two requests.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Bytes of a body at the door. With its base64 text and the tenant it fits what Step Functions carries.
pub const MAX_BODY_BYTES: usize = 190_000;

/// Reads a body.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse(body: &[u8]) -> Result<Map<String, Value>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "The body is not UTF-8 text.".to_owned())?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut reader).map_err(|error| sentence(&error))?;
    reader.end().map_err(|_| "The body has something after its JSON document.".to_owned())?;
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err("The body must be a JSON object.".to_owned()),
    }
}

fn sentence(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "The body is empty, or its JSON document is cut off.".to_owned();
    }
    format!("The body is no valid JSON document: {error}.")
}

/// Any JSON value, of whose objects no field stands twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut seen = BTreeSet::new();
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                let shown: String = name.chars().take(40).collect();
                return Err(A::Error::custom(format!("the field {shown:?} stands twice")));
            }
            let value = fields.next_value_seed(Strict)?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}
