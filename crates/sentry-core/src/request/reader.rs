//! Walking a JSON document with the path in hand.

use serde_json::{Map, Value};

use super::{MAX_LABEL_CHARS, RequestError};

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
            let short: String = field.chars().take(SHOWN_CHARS).collect();
            let path = join(&self.path, &short);
            let message = format!("`{path}` is not a known field; known here: {}.", known.join(", "));
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

    /// The value as a text.
    pub(super) fn text(&self) -> Result<&'a str, RequestError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong(format!("is {} where a text is needed", describe(self.value))))
    }

    /// The value as a label: some characters of a small set.
    pub(super) fn label(&self, allowed: impl Fn(char) -> bool, set: &str) -> Result<String, RequestError> {
        let text = self.text()?;
        if text.is_empty() || text.chars().count() > MAX_LABEL_CHARS || !text.chars().all(allowed) {
            return Err(self.wrong(format!("must have 1 to {MAX_LABEL_CHARS} characters: {set}")));
        }
        Ok(text.to_owned())
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
