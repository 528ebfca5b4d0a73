//! From OpenAI's messages to the sentry's: one of these for each of those.

use serde_json::{Map, Value, json};

use crate::fields::{list, object, only, present, required_text, text, wrong};
use crate::request::RequestError;

/// Messages in the sentry's form.
pub(crate) struct Messages {
    pub(crate) messages: Vec<Value>,
    /// Whether there are calls of tools, or results.
    pub(crate) has_calls: bool,
}

pub(crate) fn read(given: &[Value]) -> Result<Messages, RequestError> {
    let mut messages = Vec::with_capacity(given.len());
    let mut has_calls = false;
    for (index, message) in given.iter().enumerate() {
        let at = format!("messages[{index}]");
        let fields = object(message, &at)?;
        let (role, content) = match required_text(fields, "role", &at)? {
            "system" | "developer" => {
                only(fields, &["role", "content", "name", "cache_control"], &at)?;
                ("system", content(fields, &at, &[])?)
            }
            "user" => {
                only(fields, &["role", "content", "name", "cache_control"], &at)?;
                ("user", content(fields, &at, &["image_url", "file"])?)
            }
            "assistant" => {
                let (content, called) = assistant(fields, &at)?;
                has_calls |= called;
                ("assistant", content)
            }
            "tool" => {
                has_calls = true;
                ("user", tool(fields, &at)?)
            }
            "function" => {
                return Err(wrong(
                    &format!("{at}.role"),
                    "is \"function\", which is deprecated; use \"tool\"",
                ));
            }
            _ => {
                return Err(wrong(
                    &format!("{at}.role"),
                    "must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\"",
                ));
            }
        };
        messages.push(json!({ "role": role, "content": content }));
    }
    Ok(Messages { messages, has_calls })
}

/// The content of a message: a text where there is nothing else, else blocks.
fn content(fields: &Map<String, Value>, at: &str, media: &[&str]) -> Result<Value, RequestError> {
    let at = format!("{at}.content");
    let mut blocks = match present(fields, "content") {
        None => return Err(wrong(&at, "is missing; add it")),
        Some(Value::String(text)) => vec![json!({ "text": text })],
        Some(parts) => parts_of(parts, &at, media)?,
    };
    blocks.extend(cache_point(fields, &at)?);
    Ok(simplest(blocks))
}

/// A single text as a text.
fn simplest(mut blocks: Vec<Value>) -> Value {
    match blocks.as_mut_slice() {
        [only] if only.get("text").is_some() => only.get_mut("text").map(Value::take).unwrap_or_default(),
        _ => blocks.into(),
    }
}

fn parts_of(parts: &Value, at: &str, media: &[&str]) -> Result<Vec<Value>, RequestError> {
    let mut blocks = Vec::new();
    for (index, part) in list(parts, at)?.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let part = object(part, &at)?;
        let block = match required_text(part, "type", &at)? {
            "text" => {
                only(part, &["type", "text", "cache_control"], &at)?;
                json!({ "text": required_text(part, "text", &at)? })
            }
            "refusal" if media.contains(&"refusal") => {
                json!({ "text": required_text(part, "refusal", &at)? })
            }
            "image_url" if media.contains(&"image_url") => image(part, &at)?,
            "file" if media.contains(&"file") => file(part, &at, blocks.len())?,
            "input_audio" => {
                return Err(wrong(&at, "is audio, whose tokens have no bound before the call; send text"));
            }
            _ => return Err(wrong(&format!("{at}.type"), "is not supported in this message")),
        };
        // An empty part says nothing, and Bedrock refuses it.
        if block.get("text").and_then(Value::as_str).is_none_or(|text| !text.trim().is_empty()) {
            blocks.push(block);
        }
        blocks.extend(cache_point(part, &at)?);
    }
    if blocks.is_empty() {
        return Err(wrong(at, "is empty; write something or leave the message out"));
    }
    Ok(blocks)
}

/// The cache point that stands after what `cache_control` is a field of.
pub(crate) fn cache_point(fields: &Map<String, Value>, at: &str) -> Result<Option<Value>, RequestError> {
    let Some(control) = present(fields, "cache_control") else { return Ok(None) };
    let at = format!("{at}.cache_control");
    let control = object(control, &at)?;
    only(control, &["type", "ttl"], &at)?;
    if required_text(control, "type", &at)? != "ephemeral" {
        return Err(wrong(&format!("{at}.type"), "must be \"ephemeral\""));
    }
    let mut point = Map::from_iter([("type".to_owned(), Value::from("default"))]);
    if let Some(ttl) = present(control, "ttl") {
        point.insert("ttl".to_owned(), ttl.clone());
    }
    Ok(Some(json!({ "cachePoint": point })))
}

/// The media type and the base64 text of a data URI.
fn data_uri<'a>(uri: &'a str, at: &str) -> Result<(&'a str, &'a str), RequestError> {
    let Some(rest) = uri.strip_prefix("data:") else {
        return Err(wrong(
            at,
            "is no data URI. Nothing is fetched from other places: its size would not be known before the call; send \"data:<type>;base64,<bytes>\"",
        ));
    };
    rest.split_once(";base64,")
        .ok_or_else(|| wrong(at, "is a data URI that is not base64; send \"data:<type>;base64,<bytes>\""))
}

fn image(part: &Map<String, Value>, at: &str) -> Result<Value, RequestError> {
    let at = format!("{at}.image_url");
    let given = object(part.get("image_url").unwrap_or(&Value::Null), &at)?;
    only(given, &["url", "detail"], &at)?;
    let (_, bytes) = data_uri(required_text(given, "url", &at)?, &format!("{at}.url"))?;
    // By the first bytes, as base64: clients name the type wrongly.
    let format = match bytes {
        _ if bytes.starts_with("iVBORw0KGgo") => "png",
        _ if bytes.starts_with("/9j/") => "jpeg",
        _ if bytes.starts_with("R0lGOD") => "gif",
        _ if bytes.starts_with("UklGR") => "webp",
        _ => return Err(wrong(&format!("{at}.url"), "is no png, jpeg, gif or webp")),
    };
    Ok(json!({ "image": { "format": format, "source": { "bytes": bytes } } }))
}

const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
];

fn file(part: &Map<String, Value>, at: &str, position: usize) -> Result<Value, RequestError> {
    let at = format!("{at}.file");
    let given = object(part.get("file").unwrap_or(&Value::Null), &at)?;
    if present(given, "file_id").is_some() {
        return Err(wrong(
            &format!("{at}.file_id"),
            "is not supported: no files are stored here; send `file_data`",
        ));
    }
    only(given, &["file_data", "filename"], &at)?;
    let (media, bytes) = data_uri(required_text(given, "file_data", &at)?, &format!("{at}.file_data"))?;
    let media = media.split(';').next().unwrap_or_default();
    let Some((_, format)) = DOCUMENTS.iter().find(|(known, _)| *known == media) else {
        return Err(wrong(
            &format!("{at}.file_data"),
            "has a media type that is not supported; use PDF, text, Markdown, CSV, HTML or an Office type",
        ));
    };
    let name = present(given, "filename").map(|name| text(name, &format!("{at}.filename"))).transpose()?;
    let name = document_name(name.unwrap_or("document"), position);
    Ok(json!({ "document": { "format": format, "name": name, "source": { "bytes": bytes } } }))
}

/// A file's name in the characters that Bedrock takes, with its place, so that each has its own.
fn document_name(name: &str, position: usize) -> String {
    let clean: String =
        name.chars().take(150).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { ' ' }).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    format!("{} {}", if words.is_empty() { "document".to_owned() } else { words.join(" ") }, position + 1)
}

/// What the assistant said: reasoning with its signature, text, calls.
fn assistant(fields: &Map<String, Value>, at: &str) -> Result<(Value, bool), RequestError> {
    let known = [
        "role",
        "content",
        "name",
        "refusal",
        "tool_calls",
        "thinking_blocks",
        "reasoning_content",
        "annotations",
        "cache_control",
    ];
    only(fields, &known, at)?;
    let mut blocks = Vec::new();
    if let Some(thinking) = present(fields, "thinking_blocks") {
        for (index, block) in list(thinking, &format!("{at}.thinking_blocks"))?.iter().enumerate() {
            blocks.push(thinking_block(block, &format!("{at}.thinking_blocks[{index}]"))?);
        }
    }
    match present(fields, "content") {
        None => {}
        Some(Value::String(text)) if text.trim().is_empty() => {}
        Some(Value::String(text)) => blocks.push(json!({ "text": text })),
        Some(Value::Array(parts)) if parts.is_empty() => {}
        Some(parts) => blocks.extend(parts_of(parts, &format!("{at}.content"), &["refusal"])?),
    }
    if let Some(refusal) = present(fields, "refusal") {
        blocks.push(json!({ "text": text(refusal, &format!("{at}.refusal"))? }));
    }
    let mut called = false;
    if let Some(calls) = present(fields, "tool_calls") {
        for (index, call) in list(calls, &format!("{at}.tool_calls"))?.iter().enumerate() {
            called = true;
            blocks.push(tool_use(call, &format!("{at}.tool_calls[{index}]"))?);
        }
    }
    blocks.extend(cache_point(fields, at)?);
    if blocks.is_empty() {
        return Err(wrong(&format!("{at}.content"), "is empty; write something or leave the message out"));
    }
    Ok((simplest(blocks), called))
}

fn thinking_block(block: &Value, at: &str) -> Result<Value, RequestError> {
    let fields = object(block, at)?;
    match required_text(fields, "type", at)? {
        "thinking" => {
            let mut reasoning = Map::new();
            reasoning.insert("text".to_owned(), required_text(fields, "thinking", at)?.into());
            if let Some(signature) = present(fields, "signature") {
                reasoning.insert("signature".to_owned(), signature.clone());
            }
            Ok(json!({ "reasoningContent": { "reasoningText": reasoning } }))
        }
        "redacted_thinking" => {
            Ok(json!({ "reasoningContent": { "redactedContent": required_text(fields, "data", at)? } }))
        }
        _ => Err(wrong(&format!("{at}.type"), "must be \"thinking\" or \"redacted_thinking\"")),
    }
}

fn tool_use(call: &Value, at: &str) -> Result<Value, RequestError> {
    let fields = object(call, at)?;
    if present(fields, "type").is_some_and(|kind| kind != "function") {
        return Err(wrong(&format!("{at}.type"), "must be \"function\""));
    }
    let function_at = format!("{at}.function");
    let function = object(fields.get("function").unwrap_or(&Value::Null), &function_at)?;
    let arguments = match present(function, "arguments") {
        None => "",
        Some(arguments) => text(arguments, &format!("{function_at}.arguments"))?,
    };
    let input = if arguments.trim().is_empty() { Ok(json!({})) } else { serde_json::from_str(arguments) };
    match input {
        Ok(input @ Value::Object(_)) => Ok(json!({ "toolUse": {
            "toolUseId": required_text(fields, "id", at)?,
            "name": required_text(function, "name", &function_at)?,
            "input": input,
        } })),
        _ => Err(wrong(&format!("{function_at}.arguments"), "is no JSON object; send what the model gave")),
    }
}

/// What a tool gave back.
fn tool(fields: &Map<String, Value>, at: &str) -> Result<Value, RequestError> {
    only(fields, &["role", "content", "tool_call_id", "name", "cache_control"], at)?;
    let id = required_text(fields, "tool_call_id", at)?;
    let content = match present(fields, "content") {
        None => Vec::new(),
        Some(Value::String(text)) if text.trim().is_empty() => Vec::new(),
        Some(Value::String(text)) => vec![json!({ "text": text })],
        Some(parts) => parts_of(parts, &format!("{at}.content"), &["image_url"])?,
    };
    let mut blocks = vec![json!({ "toolResult": { "toolUseId": id, "content": content } })];
    blocks.extend(cache_point(fields, at)?);
    Ok(blocks.into())
}
