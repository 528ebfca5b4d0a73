//! The Query protocol: forms in, XML out.

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, SecondsFormat};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde_json::{Map, Value, json};

/// CloudWatch's XML namespace.
pub const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// The JSON document of a form: `A.member.1.B=x` is `{"A":[{"B":"x"}]}`. None where a name is
/// both a value and a structure.
#[must_use]
pub fn read(form: &[u8]) -> Option<Value> {
    let mut root = FormNode::default();
    for (name, value) in form_urlencoded::parse(form) {
        let path: Vec<_> = name.split('.').collect();
        // Deeper than any member of the service.
        if path.len() > 16 {
            return None;
        }
        let mut node = &mut root;
        for part in path {
            node = node.parts.entry(part.to_owned()).or_default();
        }
        node.value = Some(value.into_owned());
    }
    to_json(root)
}

#[derive(Default)]
struct FormNode {
    value: Option<String>,
    parts: BTreeMap<String, FormNode>,
}

fn to_json(mut node: FormNode) -> Option<Value> {
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

/// The answer to an action.
#[must_use]
pub fn write(action: &str, output: &Value, request_id: &str) -> Vec<u8> {
    document(&format!("{action}Response"), |xml| {
        if output.as_object().is_some_and(|map| !map.is_empty()) {
            element(xml, &format!("{action}Result"), output)?;
        }
        element(xml, "ResponseMetadata", &json!({"RequestId": request_id}))
    })
}

/// An error.
#[must_use]
pub fn write_error(code: &str, status: u16, message: &str, request_id: &str) -> Vec<u8> {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    document("ErrorResponse", |xml| {
        element(xml, "Error", &json!({"Type": fault, "Code": code, "Message": message}))?;
        element(xml, "RequestId", &json!(request_id))
    })
}

type Xml = Writer<Vec<u8>>;

/// An element of the service's namespace around others.
fn document(name: &str, write: impl FnOnce(&mut Xml) -> io::Result<()>) -> Vec<u8> {
    let mut xml = Writer::new(Vec::new());
    let written =
        xml.create_element(name).with_attribute(("xmlns", NAMESPACE)).write_inner_content(write).is_ok();
    // Writing into memory does not fail; if it did, an empty body is what the client would see.
    if written { xml.into_inner() } else { Vec::new() }
}

fn element(xml: &mut Xml, name: &str, value: &Value) -> io::Result<()> {
    xml.write_event(Event::Start(BytesStart::new(name)))?;
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                element(xml, key, value)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                match item.as_i64().filter(|_| name == "Timestamps") {
                    Some(seconds) => element(xml, "member", &json!(iso_8601(seconds)))?,
                    None => element(xml, "member", item)?,
                }
            }
        }
        Value::String(text) => xml.write_event(Event::Text(BytesText::new(text)))?,
        other => xml.write_event(Event::Text(BytesText::new(&other.to_string())))?,
    }
    xml.write_event(Event::End(BytesEnd::new(name)))
}

fn iso_8601(seconds: i64) -> Option<String> {
    Some(DateTime::from_timestamp(seconds, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}
