//! How long a JSON document is when it is written into a prompt.
//!
//! Templates write tools and schemas in their own ways: on one line, indented by up to four
//! spaces, with every character outside ASCII as `\uXXXX`, or with the characters escaped that
//! HTML reserves. The length here is at least that of each of these.

use serde_json::Value;

use super::bound::longest_char;
use super::reader::quoted;

/// The longest that a number can be which is no whole one, as JavaScript and Python write it:
/// a sign, seven characters up to the first digit that counts, and 17 digits.
const DECIMAL_BYTES: u64 = 26;
/// Spaces for each level.
const INDENT: u64 = 4;
/// References through which one reference may lead.
const MAX_DEPTH: usize = 64;

/// Why a schema has no length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SchemaError {
    /// A reference leads back to itself.
    #[error(
        "has the reference {}, which leads back to itself, so that its length has no bound; write the schema without \
         recursion",
        quoted(.0)
    )]
    Recursive(String),
    /// A reference leads out of the schema, or to nothing in it.
    #[error(
        "has the reference {} to nothing in it; refer to a path in the same schema, such as \"#/$defs/name\"",
        quoted(.0)
    )]
    NoTarget(String),
    /// A reference whose target depends on how it was reached.
    #[error("has the reference {}, of a kind that is not carried; use `$ref`", quoted(.0))]
    Dynamic(String),
    /// Longer than allowed.
    #[error(
        "has more than {0} bytes once its references are replaced by what they refer to; make it smaller"
    )]
    TooLong(u64),
}

/// Bytes of a document as text at most.
pub(super) fn json_bytes(document: &Value) -> u64 {
    let mut walk = Walk { root: document, most: u64::MAX, bytes: 0, references: None };
    // Without references and without a limit the walk has no way to fail.
    let _ = walk.value(document, 0);
    walk.bytes
}

/// Bytes of a schema as text at most, if every reference in it were replaced by its target.
/// The schema stands `level` levels below the top of the document that is written. No more of
/// it is read than `most` bytes.
pub(super) fn schema_bytes(schema: &Value, level: u64, most: u64) -> Result<u64, SchemaError> {
    let mut walk = Walk { root: schema, most, bytes: 0, references: Some(Vec::new()) };
    walk.value(schema, level)?;
    Ok(walk.bytes)
}

struct Walk<'a> {
    root: &'a Value,
    most: u64,
    bytes: u64,
    /// The references that are being followed; `None` where none is.
    references: Option<Vec<&'a str>>,
}

impl<'a> Walk<'a> {
    fn add(&mut self, bytes: u64) -> Result<(), SchemaError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.most { Err(SchemaError::TooLong(self.most)) } else { Ok(()) }
    }

    fn value(&mut self, value: &'a Value, level: u64) -> Result<(), SchemaError> {
        match value {
            Value::Null | Value::Bool(_) => self.add(5),
            Value::Number(number) if number.is_f64() => self.add(DECIMAL_BYTES),
            // Some writers add `.0` to a whole number.
            Value::Number(number) => self.add(number.to_string().len() as u64 + 2),
            Value::String(text) => self.add(string_bytes(text)),
            Value::Array(items) => {
                self.add(3 + INDENT * level)?;
                for item in items {
                    self.add(2 + INDENT * (level + 1))?;
                    self.value(item, level + 1)?;
                }
                Ok(())
            }
            Value::Object(fields) => {
                self.add(3 + INDENT * level)?;
                for (name, field) in fields {
                    self.add(4 + INDENT * (level + 1) + string_bytes(name))?;
                    self.value(field, level + 1)?;
                    if let Value::String(target) = field {
                        self.follow(name, target, level)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Adds what a reference refers to.
    fn follow(&mut self, name: &str, target: &'a str, level: u64) -> Result<(), SchemaError> {
        let Some(followed) = &self.references else { return Ok(()) };
        match name {
            "$ref" => {}
            "$dynamicRef" | "$recursiveRef" => return Err(SchemaError::Dynamic(target.to_owned())),
            _ => return Ok(()),
        }
        if followed.contains(&target) || followed.len() >= MAX_DEPTH {
            return Err(SchemaError::Recursive(target.to_owned()));
        }
        let found = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let found = found.ok_or_else(|| SchemaError::NoTarget(target.to_owned()))?;
        self.references.get_or_insert_default().push(target);
        self.value(found, level)?;
        if let Some(followed) = &mut self.references {
            followed.pop();
        }
        Ok(())
    }
}

/// Bytes of a text as a JSON string, with everything escaped that some writer escapes.
fn string_bytes(text: &str) -> u64 {
    let each = |c: char| match c {
        '"' | '\\' | '/' | '\n' | '\r' | '\t' => 2,
        '<' | '>' | '&' | '\'' => 6,
        c if c.is_ascii_control() => 6,
        c if c.is_ascii() => 1,
        c => (6 * c.len_utf16() as u64).max(longest_char(c)),
    };
    2 + text.chars().map(each).sum::<u64>()
}
