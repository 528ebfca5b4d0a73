//! Files that a model reads.

use serde::Serialize;

use super::super::RequestError;
use super::super::reader::{Node, quoted};
use super::{read_any_text, read_text};

/// Bytes of one file, as Bedrock has it (4.5 MB).
const MAX_DOCUMENT_BYTES: usize = 4_500_000;
/// Characters of a document's name.
const MAX_NAME_CHARS: usize = 200;

/// Formats whose bytes are the text that the model reads.
const TEXT_FORMATS: [&str; 4] = ["txt", "md", "csv", "html"];
/// Formats of which nobody can say from their bytes how much text they hold.
const OTHER_FORMATS: [&str; 5] = ["pdf", "doc", "docx", "xls", "xlsx"];

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its format; needed with `source.bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'static str>,
    /// Its name, which the model sees.
    pub name: String,
    /// What is in it.
    pub source: DocumentSource,
    /// What the model is told about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether the answer is to cite it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citations: Option<Citations>,
}

/// Whether an answer is to cite a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Citations {
    /// Whether it is.
    pub enabled: bool,
}

/// What is in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DocumentSource {
    /// The file, as base64 text.
    Bytes(String),
    /// A text.
    Text(String),
    /// A text in parts, each of which can be cited.
    Content(Vec<TextPart>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextPart {
    /// The part.
    pub text: String,
}

impl Document {
    /// The texts that the model reads; `None` where the file's bytes do not say how much text it holds.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<String>> {
        match &self.source {
            DocumentSource::Text(text) => Some(vec![text.clone()]),
            DocumentSource::Content(parts) => Some(parts.iter().map(|part| part.text.clone()).collect()),
            DocumentSource::Bytes(bytes) => {
                let format = self.format?;
                if !TEXT_FORMATS.contains(&format) {
                    return None;
                }
                let bytes = super::super::reader::decode(bytes)?;
                Some(vec![String::from_utf8_lossy(&bytes).into_owned()])
            }
        }
    }

    /// Whether the answer is to cite it.
    #[must_use]
    pub fn cited(&self) -> bool {
        self.citations.is_some_and(|citations| citations.enabled)
    }
}

pub(super) fn read(node: &Node<'_>) -> Result<Document, RequestError> {
    let fields = node.object(&["format", "name", "source", "context", "citations"])?;
    let format = fields.optional("format").map(|node| read_format(&node)).transpose()?;
    let name = read_name(&fields.required("name")?)?;
    let (kind, value) = fields.required("source")?.one_of(&["bytes", "text", "content"])?;
    let source = match kind {
        "bytes" => {
            let Some(format) = format else {
                return Err(node.child("format").wrong("is missing; `source.bytes` needs a format"));
            };
            let bytes = value.base64()?;
            if bytes.is_empty() || bytes.len() > MAX_DOCUMENT_BYTES {
                return Err(value.wrong(format!(
                    "is a file of {} bytes; a document has 1 to {MAX_DOCUMENT_BYTES}",
                    bytes.len()
                )));
            }
            if !is_of_format(format, &bytes) {
                return Err(value.wrong(format!("is no file in the format \"{format}\"")));
            }
            DocumentSource::Bytes(value.text()?.to_owned())
        }
        "text" => DocumentSource::Text(read_text(&value)?),
        _ => {
            let items = value.list()?;
            if items.is_empty() {
                return Err(value.wrong("is empty; give at least one part"));
            }
            let part = |item: &Node<'_>| {
                Ok(TextPart { text: read_text(&item.object(&["text"])?.required("text")?)? })
            };
            DocumentSource::Content(items.iter().map(part).collect::<Result<_, RequestError>>()?)
        }
    };
    let citations = match fields.optional("citations") {
        None => None,
        Some(node) => Some(Citations { enabled: node.object(&["enabled"])?.required("enabled")?.truth()? }),
    };
    let context = fields.optional("context").map(|node| read_any_text(&node)).transpose()?;
    Ok(Document { format, name, source, context, citations })
}

fn read_format(node: &Node<'_>) -> Result<&'static str, RequestError> {
    let text = node.text()?;
    TEXT_FORMATS.into_iter().chain(OTHER_FORMATS).find(|format| *format == text).ok_or_else(|| {
        node.wrong(format!(
            "is {}; use one of {}, {}",
            quoted(text),
            TEXT_FORMATS.join(", "),
            OTHER_FORMATS.join(", ")
        ))
    })
}

/// Whether a file begins as files of its format do.
fn is_of_format(format: &str, bytes: &[u8]) -> bool {
    match format {
        "pdf" => bytes.starts_with(b"%PDF-"),
        "docx" | "xlsx" => bytes.starts_with(b"PK\x03\x04"),
        "doc" | "xls" => bytes.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
        _ => std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')),
    }
}

fn read_name(node: &Node<'_>) -> Result<String, RequestError> {
    let name = node.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
    if name.is_empty()
        || name.chars().count() > MAX_NAME_CHARS
        || !name.chars().all(allowed)
        || name.contains("  ")
    {
        return Err(node.wrong(format!(
            "must have 1 to {MAX_NAME_CHARS} characters: letters, digits, single spaces and - ( ) [ ]"
        )));
    }
    Ok(name.to_owned())
}
