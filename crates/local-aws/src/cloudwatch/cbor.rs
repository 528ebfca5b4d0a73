//! Between CBOR and JSON, for Smithy's rpc-v2-cbor protocol: a timestamp is a tagged number.
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use ciborium::Value as Cbor;
use serde_json::{Map, Value};

const TIMESTAMP: u64 = 1;

/// The JSON document of CBOR bytes; none where they are not CBOR, or hold what JSON cannot say.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Object(Map::new()));
    }
    ciborium::from_reader(bytes).ok().and_then(to_json)
}

fn to_json(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Integer(number) => {
            i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).ok()?
        }
        Cbor::Float(number) => Value::from(number),
        Cbor::Text(text) => Value::from(text),
        Cbor::Bool(value) => Value::from(value),
        Cbor::Null => Value::Null,
        Cbor::Tag(TIMESTAMP, inner) => to_json(*inner)?,
        Cbor::Array(items) => items.into_iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        Cbor::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key.into_text().ok()?, to_json(value)?);
            }
            Value::Object(map)
        }
        _ => return None,
    })
}

/// The CBOR bytes of a JSON document; the members called `Timestamps` are times.
#[must_use]
pub fn write(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory does not fail; if it did, an empty body is what the client would see.
    if ciborium::into_writer(&to_cbor(value, false), &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

fn to_cbor(value: &Value, times: bool) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(*value),
        Value::Number(number) => {
            let number =
                number.as_i64().map_or_else(|| Cbor::Float(number.as_f64().unwrap_or_default()), Cbor::from);
            if times { Cbor::Tag(TIMESTAMP, Box::new(number)) } else { number }
        }
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(|item| to_cbor(item, times)).collect()),
        Value::Object(map) => Cbor::Map(
            map.iter()
                .map(|(key, value)| (Cbor::Text(key.clone()), to_cbor(value, key == "Timestamps")))
                .collect(),
        ),
    }
}
