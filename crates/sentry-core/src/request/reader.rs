//! Walking a JSON document with the path in hand.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{MAX_LABEL_CHARS, RequestError};

/// Members of Converse that are refused, and why: through each a caller could use more than was
/// reserved, or the answer would be another than the one that was asked for.
const REFUSED: &[(&str, &str)] = &[
    (
        "additionalModelRequestFields",
        "could set an output limit or tools that nothing was reserved for; use `inference`",
    ),
    ("additionalModelResponseFieldPaths", "is not carried; the answer has the fields of every model"),
    (
        "promptVariables",
        "belongs to prompts that Bedrock stores, whose length is not known before the call; send the text",
    ),
    ("guardrailConfig", "is set by the operator, since a guardrail is billed besides the tokens"),
    ("performanceConfig", "has a price that the price list does not have"),
    (
        "systemTool",
        "runs inside Bedrock and may loop, so that its tokens have no bound; use a tool of your own",
    ),
    (
        "s3Location",
        "is read by Bedrock after the budget was checked, so that its length is not known; send `bytes`",
    ),
    ("video", "has no bound of tokens that can be known from its bytes"),
    ("audio", "has no bound of tokens that can be known from its bytes"),
    ("guardContent", "belongs to guardrails, which the operator sets; send `text`"),
    ("searchResult", "is not carried; send its text as `text`"),
    ("citationsContent", "is not carried; send its text as `text`"),
    ("toolAddition", "is not carried; send `prompt.tools`"),
    ("toolRemoval", "is not carried; send `prompt.tools`"),
    ("toolConfig", "is spelt `prompt.tools` and `prompt.toolChoice` here"),
    ("inferenceConfig", "is spelt `inference` here"),
    ("outputConfig", "is spelt `inference.responseFormat` and `inference.reasoning` here"),
    ("system", "is a message with role \"system\" here"),
    ("requestMetadata", "is made of `tags`, the tenant and the request's id"),
];

/// Characters of a caller's text that an error may repeat.
const SHOWN_CHARS: usize = 40;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    path: String,
}

/// The fields of an object, none of them unknown.
#[derive(Debug)]
pub(super) struct RequestFields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

/// What a value is, in words.
#[must_use]
pub fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A short text in quotation marks, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The bytes of a base64 text, if it is one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self::at(value, "")
    }

    pub(super) fn at(value: &'a Value, path: &str) -> Self {
        Self { value, path: path.to_owned() }
    }

    /// A field below, for the path of an error.
    pub(super) fn child(&self, field: &str) -> Node<'a> {
        Node { value: self.value.get(field).unwrap_or(&Value::Null), path: join(&self.path, field) }
    }

    /// An error about this value: its path, and what is wrong with it.
    pub(super) fn wrong(&self, what: impl AsRef<str>) -> RequestError {
        let subject =
            if self.path.is_empty() { "The request".to_owned() } else { format!("`{}`", self.path) };
        RequestError::invalid(self.path.clone(), format!("{subject} {}.", what.as_ref()))
    }

    /// The value as an error may show it. Texts are not repeated: they may be prompts.
    pub(super) fn shown(&self) -> String {
        match self.value {
            Value::Number(number) => number.to_string(),
            other => describe(other).to_owned(),
        }
    }

    /// The value as an object with no fields but these.
    pub(super) fn object(&self, known: &[&str]) -> Result<RequestFields<'a>, RequestError> {
        let Value::Object(map) = self.value else {
            return Err(self.wrong(format!(
                "is {} where an object with {} is needed",
                describe(self.value),
                known.join(", ")
            )));
        };
        if let Some(field) = map.keys().find(|field| !known.contains(&field.as_str())) {
            let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
            let short: String = field.chars().take(SHOWN_CHARS).map(visible).collect();
            let path = join(&self.path, &short);
            let message = match REFUSED.iter().find(|(name, _)| name == field) {
                Some((_, reason)) => format!("`{path}` is refused: it {reason}."),
                None if known.is_empty() => format!("`{path}` is not a known field; none is known here."),
                None => format!("`{path}` is not a known field; known here: {}.", known.join(", ")),
            };
            return Err(RequestError::invalid(path, message));
        }
        Ok(RequestFields { map, path: self.path.clone() })
    }

    /// The value as a list.
    pub(super) fn list(&self) -> Result<Vec<Node<'a>>, RequestError> {
        let Value::Array(items) = self.value else {
            return Err(self.wrong(format!("is {} where a list is needed", describe(self.value))));
        };
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Node { value, path: format!("{}[{index}]", self.path) })
            .collect())
    }

    /// An entry of a list, for the path of an error.
    pub(super) fn item(&self, index: usize) -> Node<'a> {
        Node { value: self.value.get(index).unwrap_or(&Value::Null), path: format!("{}[{index}]", self.path) }
    }

    /// The one member of a union, by its name.
    pub(super) fn one_of<'k>(&self, known: &[&'k str]) -> Result<(&'k str, Node<'a>), RequestError> {
        let fields = self.object(known)?;
        let mut present = known.iter().filter_map(|name| Some((*name, fields.optional(name)?)));
        match (present.next(), present.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(self.wrong(format!("has none of {}; give one of them", known.join(", ")))),
            (Some((one, _)), Some((other, _))) => {
                Err(self.wrong(format!("is `{one}` and `{other}` at once; give one of them")))
            }
        }
    }

    /// The value as true or false.
    pub(super) fn truth(&self) -> Result<bool, RequestError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong(format!("is {} where true or false is needed", describe(self.value))))
    }

    /// The value as a whole number in a range.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Result<u64, RequestError> {
        match self.value.as_u64() {
            Some(number) if range.contains(&number) => Ok(number),
            _ => {
                let (least, most) = range.into_inner();
                Err(self.wrong(format!("is {}; give a whole number from {least} to {most}", self.shown())))
            }
        }
    }

    /// The bytes of a base64 text.
    pub(super) fn base64(&self) -> Result<Vec<u8>, RequestError> {
        decode(self.text()?).ok_or_else(|| {
            self.wrong("is no base64 text; encode the bytes with the standard alphabet and padding, without line breaks")
        })
    }

    /// The value as an identifier.
    pub(super) fn identifier(
        &self,
        allowed: impl Fn(char) -> bool,
        most: usize,
        set: &str,
    ) -> Result<String, RequestError> {
        let text = self.text()?;
        if text.is_empty() || text.chars().count() > most || !text.chars().all(allowed) {
            return Err(self.wrong(format!("must have 1 to {most} characters: {set}")));
        }
        Ok(text.to_owned())
    }

    /// The value as a text.
    pub(super) fn text(&self) -> Result<&'a str, RequestError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong(format!("is {} where a text is needed", describe(self.value))))
    }

    /// The value as a label: some characters of a small set.
    pub(super) fn label(&self, allowed: impl Fn(char) -> bool, set: &str) -> Result<String, RequestError> {
        self.identifier(allowed, MAX_LABEL_CHARS, set)
    }
}

impl<'a> RequestFields<'a> {
    /// A field that must be there.
    pub(super) fn required(&self, name: &str) -> Result<Node<'a>, RequestError> {
        let path = join(&self.path, name);
        match self.map.get(name) {
            Some(value) => Ok(Node { value, path }),
            None => {
                let message = format!("`{path}` is missing; add it.");
                Err(RequestError::invalid(path, message))
            }
        }
    }

    /// A field that may be absent; null counts as absent.
    pub(super) fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.map
            .get(name)
            .filter(|value| !value.is_null())
            .map(|value| Node { value, path: join(&self.path, name) })
    }
}
