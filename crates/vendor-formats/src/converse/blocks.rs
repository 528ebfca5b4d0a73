//! Content blocks, tools and system texts in the spelling of the Step Functions integration.
//!
//! Members that Bedrock's model names are in PascalCase. Documents (the input of a tool, its
//! schema, JSON results) are the caller's, and not a key of them is touched.

use sentry_core::request::{
    Block, CachePoint, CacheTtl, Document, DocumentSource, Image, ReasoningContent, ResultBlock, Tool,
    ToolChoice, ToolResult, ToolSpec,
};
use serde_json::{Map, Value, json};

use crate::read::put;
use crate::turns::{BlockTurn, Part};

/// The bytes of a picture, a document or redacted reasoning.
///
/// Step Functions hands a JSON document to the AWS SDK, whose blob members JSON cannot express.
/// Base64 text is what Converse itself has on the wire. That the integration decodes it has not
/// been seen on AWS, and no documentation says so; if it sends the characters as bytes, this is
/// the one place to change.
fn blob(base64: &str) -> Value {
    base64.into()
}

pub(super) fn message(turn: &BlockTurn<'_>) -> Value {
    let content: Vec<Value> = turn.parts.iter().map(part).collect();
    json!({ "Role": turn.role.as_str(), "Content": content })
}

/// A part of a message or of the system text.
pub(super) fn part(part: &Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({ "Text": text }),
        Part::Block(block) => self::block(block),
    }
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({ "Text": text }),
        Block::Image(image) => json!({ "Image": self::image(image) }),
        Block::Document(document) => json!({ "Document": self::document(document) }),
        Block::ToolUse(call) => json!({
            "ToolUse": { "ToolUseId": call.tool_use_id, "Name": call.name, "Input": call.input }
        }),
        Block::ToolResult(result) => json!({ "ToolResult": tool_result(result) }),
        Block::ReasoningContent(ReasoningContent::ReasoningText(reasoning)) => {
            let mut text = Map::new();
            text.insert("Text".to_owned(), reasoning.text.as_str().into());
            put(&mut text, "Signature", reasoning.signature.as_deref());
            json!({ "ReasoningContent": { "ReasoningText": text } })
        }
        Block::ReasoningContent(ReasoningContent::RedactedContent(bytes)) => {
            json!({ "ReasoningContent": { "RedactedContent": blob(bytes) } })
        }
        Block::CachePoint(point) => cache_point(point),
    }
}

fn image(image: &Image) -> Value {
    json!({ "Format": image.format, "Source": { "Bytes": blob(&image.source.bytes) } })
}

fn document(document: &Document) -> Value {
    let source = match &document.source {
        DocumentSource::Bytes(bytes) => json!({ "Bytes": blob(bytes) }),
        DocumentSource::Text(text) => json!({ "Text": text }),
        DocumentSource::Content(parts) => {
            let parts: Vec<Value> = parts.iter().map(|part| json!({ "Text": part.text })).collect();
            json!({ "Content": parts })
        }
    };
    let mut fields = Map::new();
    put(&mut fields, "Format", document.format);
    fields.insert("Name".to_owned(), document.name.as_str().into());
    fields.insert("Source".to_owned(), source);
    put(&mut fields, "Context", document.context.as_deref());
    put(
        &mut fields,
        "Citations",
        document.citations.map(|citations| json!({ "Enabled": citations.enabled })),
    );
    fields.into()
}

fn tool_result(result: &ToolResult) -> Value {
    let content: Vec<Value> = result
        .content
        .iter()
        .map(|part| match part {
            ResultBlock::Json(document) => json!({ "Json": document }),
            ResultBlock::Text(text) => json!({ "Text": text }),
            ResultBlock::Image(image) => json!({ "Image": self::image(image) }),
            ResultBlock::Document(document) => json!({ "Document": self::document(document) }),
        })
        .collect();
    let mut fields = Map::new();
    fields.insert("ToolUseId".to_owned(), result.tool_use_id.as_str().into());
    fields.insert("Content".to_owned(), content.into());
    // `success` is what Bedrock assumes, and not every model takes the member.
    put(&mut fields, "Status", result.status.filter(|status| *status != "success"));
    fields.into()
}

fn cache_point(point: &CachePoint) -> Value {
    let mut fields = Map::new();
    fields.insert("Type".to_owned(), "default".into());
    put(
        &mut fields,
        "Ttl",
        point.ttl.map(|ttl| match ttl {
            CacheTtl::FiveMinutes => "5m",
            CacheTtl::OneHour => "1h",
        }),
    );
    json!({ "CachePoint": fields })
}

pub(super) fn tool(tool: &Tool) -> Value {
    match tool {
        Tool::ToolSpec(spec) => tool_spec(spec),
        Tool::CachePoint(point) => cache_point(point),
    }
}

pub(super) fn tool_spec(spec: &ToolSpec) -> Value {
    let mut fields = Map::new();
    fields.insert("Name".to_owned(), spec.name.as_str().into());
    put(&mut fields, "Description", spec.description.as_deref());
    fields.insert("InputSchema".to_owned(), json!({ "Json": spec.input_schema.json }));
    put(&mut fields, "Strict", spec.strict.filter(|strict| *strict));
    json!({ "ToolSpec": fields })
}

/// The choice of a tool. `auto` is what its absence means, and not every model takes the member.
pub(super) fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto(_) => None,
        ToolChoice::Any(_) => Some(json!({ "Any": {} })),
        ToolChoice::Tool(tool) => Some(json!({ "Tool": { "Name": tool.name } })),
    }
}
