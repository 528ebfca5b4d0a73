//! A strict reader of request bodies: what a model's schema does not name is refused, in the
//! words that Bedrock uses for it.

use serde_json::{Map, Value};

use super::error::BedrockError;

type Result<T> = std::result::Result<T, BedrockError>;

/// An object of a request body, and where it is.
#[derive(Debug, Clone)]
pub struct RequestFields<'a> {
    pointer: String,
    map: &'a Map<String, Value>,
}

impl<'a> RequestFields<'a> {
    /// The body itself.
    pub fn root(body: &'a Value) -> Result<Self> {
        Self::at("#", body)
    }

    /// The object at this place.
    pub fn at(pointer: &str, value: &'a Value) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| wrong_type(pointer, "JSONObject", value))?;
        Ok(Self { pointer: pointer.to_owned(), map })
    }

    /// Refuses every key that is not among these.
    pub fn only(&self, allowed: &[&str]) -> Result<()> {
        match self.map.keys().find(|key| !allowed.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(self.extraneous(key)),
        }
    }

    /// The error for a key that this model does not take.
    #[must_use]
    pub fn extraneous(&self, key: &str) -> BedrockError {
        BedrockError::malformed(&self.pointer, &format!("extraneous key [{key}] is not permitted"))
    }

    /// Is this key there?
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The value as it is.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    /// The value, which must be there.
    pub fn required(&self, key: &str) -> Result<&'a Value> {
        self.map
            .get(key)
            .ok_or_else(|| BedrockError::malformed(&self.pointer, &format!("required key [{key}] not found")))
    }

    /// A string.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.map
            .get(key)
            .map(|value| value.as_str().ok_or_else(|| wrong_type(&self.path(key), "String", value)))
            .transpose()
    }

    /// A string that must be there and say something.
    pub fn required_text(&self, key: &str) -> Result<&'a str> {
        self.required(key)?;
        let text = self.text(key)?.unwrap_or_default();
        if text.trim().is_empty() {
            return Err(BedrockError::malformed(&self.path(key), "expected minLength: 1, actual: 0"));
        }
        Ok(text)
    }

    /// A string among these.
    pub fn one_of(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>> {
        let text = self.text(key)?;
        match text {
            Some(text) if !words.contains(&text) => {
                Err(BedrockError::malformed(&self.path(key), &format!("{text} is not a valid enum value")))
            }
            _ => Ok(text),
        }
    }

    /// A whole number in these bounds.
    pub fn integer(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(value) = self.map.get(key) else {
            return Ok(None);
        };
        let path = self.path(key);
        if let Some(number) = value.as_i64().filter(|number| *number < 0) {
            return Err(below(&path, &number.to_string(), &least.to_string()));
        }
        let number = value.as_u64().ok_or_else(|| wrong_type(&path, "Integer", value))?;
        if number < least {
            return Err(below(&path, &number.to_string(), &least.to_string()));
        }
        if number > most {
            return Err(above(&path, &number.to_string(), &most.to_string()));
        }
        Ok(Some(number))
    }

    /// A number in these bounds.
    pub fn number(&self, key: &str, least: f64, most: f64) -> Result<Option<f64>> {
        let Some(value) = self.map.get(key) else {
            return Ok(None);
        };
        let path = self.path(key);
        let number = value.as_f64().ok_or_else(|| wrong_type(&path, "Number", value))?;
        if number < least {
            return Err(below(&path, &number.to_string(), &least.to_string()));
        }
        if number > most {
            return Err(above(&path, &number.to_string(), &most.to_string()));
        }
        Ok(Some(number))
    }

    /// A truth value.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>> {
        self.map
            .get(key)
            .map(|value| value.as_bool().ok_or_else(|| wrong_type(&self.path(key), "Boolean", value)))
            .transpose()
    }

    /// A list of strings, none of them empty, at most this many.
    pub fn strings(&self, key: &str, most: usize) -> Result<Vec<String>> {
        let Some(items) = self.list(key)? else {
            return Ok(Vec::new());
        };
        let path = self.path(key);
        if items.len() > most {
            return Err(BedrockError::malformed(
                &path,
                &format!("expected maximum item count: {most}, found: {}", items.len()),
            ));
        }
        items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{path}/{index}");
                let text = item.as_str().ok_or_else(|| wrong_type(&path, "String", item))?;
                if text.is_empty() {
                    return Err(BedrockError::malformed(&path, "expected minLength: 1, actual: 0"));
                }
                Ok(text.to_owned())
            })
            .collect()
    }

    /// A list.
    pub fn list(&self, key: &str) -> Result<Option<&'a [Value]>> {
        self.map
            .get(key)
            .map(|value| {
                value
                    .as_array()
                    .map(Vec::as_slice)
                    .ok_or_else(|| wrong_type(&self.path(key), "JSONArray", value))
            })
            .transpose()
    }

    /// A list that must be there and hold something, each item an object with its place.
    pub fn objects(&self, key: &str) -> Result<Vec<RequestFields<'a>>> {
        self.required(key)?;
        let items = self.list(key)?.unwrap_or_default();
        let path = self.path(key);
        if items.is_empty() {
            return Err(BedrockError::malformed(&path, "expected minimum item count: 1, found: 0"));
        }
        items
            .iter()
            .enumerate()
            .map(|(index, item)| RequestFields::at(&format!("{path}/{index}"), item))
            .collect()
    }

    /// An object inside this one.
    pub fn object(&self, key: &str) -> Result<Option<RequestFields<'a>>> {
        self.map.get(key).map(|value| RequestFields::at(&self.path(key), value)).transpose()
    }

    /// Where the value of this key is.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        format!("{}/{key}", self.pointer)
    }
}

/// The error for a value of another type.
#[must_use]
pub fn wrong_type(pointer: &str, expected: &str, found: &Value) -> BedrockError {
    let found = match found {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Double",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    };
    BedrockError::malformed(pointer, &format!("expected type: {expected}, found: {found}"))
}

fn below(path: &str, number: &str, least: &str) -> BedrockError {
    BedrockError::malformed(path, &format!("{number} is not greater or equal to {least}"))
}

fn above(path: &str, number: &str, most: &str) -> BedrockError {
    BedrockError::malformed(path, &format!("{number} is not less or equal to {most}"))
}
