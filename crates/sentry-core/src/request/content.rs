//! What a message holds: a text, or a list of content blocks in the names of Bedrock's Converse.
//!
//! Format: the members of `ContentBlock` in the API reference of Converse, in camelCase, with
//! bytes as base64 text. Members through which a caller could reach data or settings that the
//! reservation does not cover are refused by name.

mod document;
mod image;
mod limits;
mod tools;

use serde::Serialize;
use serde_json::Value;

use super::reader::{Node, quoted};
use super::{RequestError, Role};
use crate::price::CacheTtl;

pub use document::{Document, DocumentSource, TextPart};
pub use image::{Image, ImageSource, MAX_IMAGE_BYTES, MAX_IMAGE_EDGE};
pub(super) use limits::{check_cache_points, check_messages};
pub use tools::{
    InputSchema, MAX_EXPANDED_SCHEMA_BYTES, MAX_TOOLS, NoFields, ResultBlock, Tool, ToolChoice, ToolName,
    ToolResult, ToolSpec, ToolUse,
};
pub(super) use tools::{check_calls, mentions_tools, read_name, read_schema, read_tool_choice, read_tools};

/// Content blocks in one request, those inside tool results included.
pub const MAX_BLOCKS: usize = 2_000;
/// Images in one request, as Bedrock has it.
pub const MAX_IMAGES: usize = 20;
/// Documents in one request, as Bedrock has it.
pub const MAX_DOCUMENTS: usize = 5;
/// Cache points in one request, as Bedrock has it.
pub const MAX_CACHE_POINTS: usize = 4;

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A text.
    Text(String),
    /// Blocks, at least one of which is not a text.
    Blocks(Vec<Block>),
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Block {
    /// A text.
    Text(String),
    /// A picture.
    Image(Image),
    /// A file that the model reads as text or as pages.
    Document(Document),
    /// A call of a tool that the model made in an earlier turn.
    ToolUse(ToolUse),
    /// What a tool gave back.
    ToolResult(ToolResult),
    /// Reasoning of an earlier turn, given back unmodified.
    ReasoningContent(ReasoningContent),
    /// The end of a part of the prompt that is to be cached.
    CachePoint(CachePoint),
}

/// Reasoning of an earlier answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasoningContent {
    /// Text with the model's signature.
    ReasoningText(ReasoningText),
    /// Reasoning that only the model can read, as base64 text.
    RedactedContent(String),
}

/// Reasoning that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasoningText {
    /// The text; empty where the model shows none.
    pub text: String,
    /// By which the model knows its own reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// The end of a part of the prompt that is to be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CachePoint {
    /// Always `default`.
    #[serde(rename = "type")]
    pub kind: CachePointType,
    /// For how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<CacheTtl>,
}

/// The one type of cache point that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CachePointType {
    /// `default`.
    Default,
}

impl Content {
    /// The text, where there is nothing else.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match self {
            Content::Text(text) => Some(text),
            Content::Blocks(_) => None,
        }
    }

    /// All texts, joined by a blank line.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Blocks(blocks) => join(blocks.iter().filter_map(Block::text)),
        }
    }

    /// The blocks, if there is anything but text.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        match self {
            Content::Text(_) => &[],
            Content::Blocks(blocks) => blocks,
        }
    }
}

impl Block {
    /// The text of a text block.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Block::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member of the union, as it stands in a request.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Block::Text(_) => "text",
            Block::Image(_) => "image",
            Block::Document(_) => "document",
            Block::ToolUse(_) => "toolUse",
            Block::ToolResult(_) => "toolResult",
            Block::ReasoningContent(_) => "reasoningContent",
            Block::CachePoint(_) => "cachePoint",
        }
    }
}

fn join<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<Vec<_>>().join("\n\n")
}

/// Reads what a message of a role holds: a text, or blocks. A list of nothing but texts is the
/// text that they make, joined by a blank line.
pub(super) fn read(node: &Node<'_>, role: Role) -> Result<Content, RequestError> {
    match node.value {
        Value::String(_) => Ok(Content::Text(read_text(node)?)),
        Value::Array(_) => {
            let items = node.list()?;
            if items.is_empty() {
                return Err(node.wrong("is empty; write something or leave the message out"));
            }
            let blocks =
                items.iter().map(|item| read_block(item, role)).collect::<Result<Vec<_>, RequestError>>()?;
            if blocks.iter().all(|block| block.text().is_some()) {
                return Ok(Content::Text(join(blocks.iter().filter_map(Block::text))));
            }
            if blocks.iter().all(|block| matches!(block, Block::CachePoint(_))) {
                return Err(node.wrong("has nothing but cache points; put each behind what is to be cached"));
            }
            Ok(Content::Blocks(blocks))
        }
        _ => Err(node.wrong(format!(
            "is {} where a text or a list of content blocks is needed",
            super::describe(node.value)
        ))),
    }
}

fn read_block(node: &Node<'_>, role: Role) -> Result<Block, RequestError> {
    let known: &[&str] = match role {
        Role::System => &["text", "cachePoint"],
        Role::User => &["text", "image", "document", "toolResult", "cachePoint"],
        Role::Assistant => &["text", "toolUse", "reasoningContent", "cachePoint"],
    };
    let (name, value) = node.one_of(known)?;
    Ok(match name {
        "text" => Block::Text(read_text(&value)?),
        "image" => Block::Image(image::read(&value)?),
        "document" => Block::Document(document::read(&value)?),
        "toolUse" => Block::ToolUse(tools::read_tool_use(&value)?),
        "toolResult" => Block::ToolResult(tools::read_tool_result(&value)?),
        "reasoningContent" => Block::ReasoningContent(read_reasoning(&value)?),
        _ => Block::CachePoint(read_cache_point(&value)?),
    })
}

/// A text with at least one visible character.
fn read_text(node: &Node<'_>) -> Result<String, RequestError> {
    let text = read_any_text(node)?;
    if text.trim().is_empty() {
        return Err(node.wrong("is empty; write something or leave it out"));
    }
    Ok(text)
}

/// A text that may be empty.
pub(super) fn read_any_text(node: &Node<'_>) -> Result<String, RequestError> {
    let text = node.text()?;
    if text.contains('\0') {
        return Err(node.wrong("contains a NUL character; remove it"));
    }
    Ok(text.to_owned())
}

fn read_reasoning(node: &Node<'_>) -> Result<ReasoningContent, RequestError> {
    let (name, value) = node.one_of(&["reasoningText", "redactedContent"])?;
    if name == "redactedContent" {
        if value.base64()?.is_empty() {
            return Err(value.wrong("is empty; give back what the model gave, or leave it out"));
        }
        return Ok(ReasoningContent::RedactedContent(value.text()?.to_owned()));
    }
    let fields = value.object(&["text", "signature"])?;
    let text = fields.required("text")?;
    let signature = fields.optional("signature").map(|node| read_text(&node)).transpose()?;
    Ok(ReasoningContent::ReasoningText(ReasoningText {
        // A model that does not show its reasoning gives a signature with an empty text.
        text: if signature.is_some() { read_any_text(&text)? } else { read_text(&text)? },
        signature,
    }))
}

pub(super) fn read_cache_point(node: &Node<'_>) -> Result<CachePoint, RequestError> {
    let fields = node.object(&["type", "ttl"])?;
    let kind = fields.required("type")?;
    if kind.text()? != "default" {
        return Err(kind.wrong(format!("is {}; the only type is \"default\"", quoted(kind.text()?))));
    }
    let ttl = match fields.optional("ttl") {
        None => None,
        Some(ttl) => Some(match ttl.text()? {
            "5m" => CacheTtl::FiveMinutes,
            "1h" => CacheTtl::OneHour,
            other => return Err(ttl.wrong(format!("is {}; use \"5m\" or \"1h\"", quoted(other)))),
        }),
    };
    Ok(CachePoint { kind: CachePointType::Default, ttl })
}
