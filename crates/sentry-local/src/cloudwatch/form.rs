//! The Query protocol: forms in, XML out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};

/// CloudWatch's XML namespace.
pub const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// The JSON document of a form: `A.member.1.B=x` is `{"A":[{"B":"x"}]}`. None where a name is
/// both a value and a structure, or the encoding is broken.
#[must_use]
pub fn read(form: &str) -> Option<Value> {
    let mut root = Node::default();
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        let path: Vec<_> = name.split('.').collect();
        // Deeper than any member of the service.
        if path.len() > 16 {
            return None;
        }
        let mut node = &mut root;
        for part in path {
            node = node.parts.entry(part.to_owned()).or_default();
        }
        node.value = Some(value);
    }
    to_json(root)
}

#[derive(Default)]
struct Node {
    value: Option<String>,
    parts: BTreeMap<String, Node>,
}

fn to_json(mut node: Node) -> Option<Value> {
    if node.parts.is_empty() {
        return Some(Value::String(node.value.unwrap_or_default()));
    }
    if node.value.is_some() {
        return None;
    }
    if node.parts.len() == 1
        && let Some(members) = node.parts.remove("member")
    {
        let mut items = members
            .parts
            .into_iter()
            .map(|(number, item)| Some((number.parse::<u32>().ok()?, to_json(item)?)))
            .collect::<Option<Vec<_>>>()?;
        items.sort_by_key(|(number, _)| *number);
        return Some(items.into_iter().map(|(_, item)| item).collect());
    }
    let map = node
        .parts
        .into_iter()
        .map(|(name, part)| Some((name, to_json(part)?)))
        .collect::<Option<Map<_, _>>>()?;
    Some(Value::Object(map))
}

/// Undoes the encoding of a form.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The answer to an action.
#[must_use]
pub fn write(action: &str, output: &Value, request_id: &str) -> String {
    let mut xml = format!("<{action}Response xmlns=\"{NAMESPACE}\">");
    if output.as_object().is_some_and(|map| !map.is_empty()) {
        let _ = write!(xml, "<{action}Result>");
        element(&mut xml, output, false);
        let _ = write!(xml, "</{action}Result>");
    }
    let _ = write!(
        xml,
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    );
    xml
}

/// An error.
#[must_use]
pub fn write_error(code: &str, status: u16, message: &str, request_id: &str) -> String {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{fault}</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        escape(message)
    )
}

fn element(xml: &mut String, value: &Value, times: bool) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                let _ = write!(xml, "<{key}>");
                element(xml, value, key == "Timestamps");
                let _ = write!(xml, "</{key}>");
            }
        }
        Value::Array(items) => {
            for item in items {
                xml.push_str("<member>");
                element(xml, item, times);
                xml.push_str("</member>");
            }
        }
        Value::String(text) => xml.push_str(&escape(text)),
        Value::Number(number) if times => {
            let time = number.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            xml.push_str(
                &time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default(),
            );
        }
        other => {
            let _ = write!(xml, "{other}");
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
