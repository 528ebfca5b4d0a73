//! Tools: what the model may call, what it called, and what came back.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::super::reader::{Node, quoted};
use super::super::{Message, RequestError, Role, schema};
use super::{Block, CachePoint, Document, Image, document, image, read_cache_point, read_text};

/// Tools in one request.
pub const MAX_TOOLS: usize = 256;
/// Bytes of a schema in which every reference is replaced by what it refers to.
pub const MAX_EXPANDED_SCHEMA_BYTES: u64 = 65_536;
/// Characters of a tool's name, and of the id of a call.
const MAX_NAME_CHARS: usize = 64;

/// An entry of `prompt.tools`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tool {
    /// A tool that the model may call.
    ToolSpec(ToolSpec),
    /// The end of a part of the tools that is to be cached.
    CachePoint(CachePoint),
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does and when to call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it takes.
    pub input_schema: InputSchema,
    /// Whether the model must keep exactly to the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// What a tool takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputSchema {
    /// A JSON schema of type `object`.
    pub json: Value,
}

/// Whether the model must call a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolChoice {
    /// It may.
    Auto(NoFields),
    /// It must call one.
    Any(NoFields),
    /// It must call this one.
    Tool(ToolName),
}

/// An object without members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NoFields {}

/// The name of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolName {
    /// As in its `toolSpec`.
    pub name: String,
}

/// A call that the model made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse {
    /// By which the result names the call.
    pub tool_use_id: String,
    /// The tool.
    pub name: String,
    /// What the model gave it; an object.
    pub input: Value,
}

/// What a call gave back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    /// The call.
    pub tool_use_id: String,
    /// What it gave back.
    pub content: Vec<ResultBlock>,
    /// `success` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

/// One part of what a call gave back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ResultBlock {
    /// A JSON object.
    Json(Value),
    /// A text.
    Text(String),
    /// A picture.
    Image(Image),
    /// A file.
    Document(Document),
}

impl ToolChoice {
    /// The member of the union, as it stands in a request.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            ToolChoice::Auto(_) => "auto",
            ToolChoice::Any(_) => "any",
            ToolChoice::Tool(_) => "tool",
        }
    }
}

pub(in super::super) fn read_tools(node: &Node<'_>) -> Result<Vec<Tool>, RequestError> {
    let items = node.list()?;
    if items.is_empty() {
        return Err(node.wrong("is empty; name at least one tool or leave the field out"));
    }
    if items.len() > MAX_TOOLS {
        return Err(node.wrong(format!("has {} entries, and {MAX_TOOLS} are allowed", items.len())));
    }
    let mut names = BTreeSet::new();
    let mut tools = Vec::with_capacity(items.len());
    for item in &items {
        let (kind, value) = item.one_of(&["toolSpec", "cachePoint"])?;
        if kind == "cachePoint" {
            tools.push(Tool::CachePoint(read_cache_point(&value)?));
            continue;
        }
        let spec = read_tool_spec(&value)?;
        if !names.insert(spec.name.clone()) {
            return Err(value.child("name").wrong("is the name of another tool too; give each its own"));
        }
        tools.push(Tool::ToolSpec(spec));
    }
    if names.is_empty() {
        return Err(node.wrong("has no `toolSpec`; name at least one tool or leave the field out"));
    }
    Ok(tools)
}

fn read_tool_spec(node: &Node<'_>) -> Result<ToolSpec, RequestError> {
    let fields = node.object(&["name", "description", "inputSchema", "strict"])?;
    let schema = fields.required("inputSchema")?.object(&["json"])?.required("json")?;
    let json = read_schema(&schema)?;
    if json.get("type").and_then(Value::as_str) != Some("object") {
        return Err(schema.child("type").wrong("must be \"object\": a tool takes an object"));
    }
    Ok(ToolSpec {
        name: read_name(&fields.required("name")?)?,
        description: fields.optional("description").map(|node| read_text(&node)).transpose()?,
        input_schema: InputSchema { json },
        strict: fields.optional("strict").map(|node| node.truth()).transpose()?,
    })
}

/// A JSON schema: an object whose references end.
pub(in super::super) fn read_schema(node: &Node<'_>) -> Result<Value, RequestError> {
    if !node.value.is_object() {
        return Err(node.wrong("is no JSON schema; give an object"));
    }
    match schema::schema_bytes(node.value, 0, MAX_EXPANDED_SCHEMA_BYTES) {
        Ok(_) => Ok(node.value.clone()),
        Err(error) => Err(node.wrong(error.to_string())),
    }
}

pub(in super::super) fn read_tool_choice(
    node: &Node<'_>,
    tools: &[Tool],
) -> Result<ToolChoice, RequestError> {
    let (kind, value) = node.one_of(&["auto", "any", "tool"])?;
    Ok(match kind {
        "auto" => {
            value.object(&[])?;
            ToolChoice::Auto(NoFields {})
        }
        "any" => {
            value.object(&[])?;
            ToolChoice::Any(NoFields {})
        }
        _ => {
            let name_node = value.object(&["name"])?.required("name")?;
            let name = read_name(&name_node)?;
            let known = |tool: &Tool| matches!(tool, Tool::ToolSpec(spec) if spec.name == name);
            if !tools.iter().any(known) {
                return Err(
                    name_node.wrong(format!("is {}, and `prompt.tools` has no such tool", quoted(&name)))
                );
            }
            ToolChoice::Tool(ToolName { name })
        }
    })
}

pub(super) fn read_tool_use(node: &Node<'_>) -> Result<ToolUse, RequestError> {
    let fields = node.object(&["toolUseId", "name", "input"])?;
    let input = fields.required("input")?;
    if !input.value.is_object() {
        return Err(input.wrong("is no object; give what the model gave, `{}` for nothing"));
    }
    Ok(ToolUse {
        tool_use_id: read_id(&fields.required("toolUseId")?)?,
        name: read_name(&fields.required("name")?)?,
        input: input.value.clone(),
    })
}

pub(super) fn read_tool_result(node: &Node<'_>) -> Result<ToolResult, RequestError> {
    let fields = node.object(&["toolUseId", "content", "status"])?;
    let content = fields.required("content")?;
    let status = match fields.optional("status") {
        None => None,
        Some(status) => Some(match status.text()? {
            "success" => "success",
            "error" => "error",
            other => {
                return Err(status.wrong(format!("is {}; use \"success\" or \"error\"", quoted(other))));
            }
        }),
    };
    Ok(ToolResult {
        tool_use_id: read_id(&fields.required("toolUseId")?)?,
        content: content.list()?.iter().map(read_result_block).collect::<Result<_, RequestError>>()?,
        status,
    })
}

fn read_result_block(node: &Node<'_>) -> Result<ResultBlock, RequestError> {
    let (kind, value) = node.one_of(&["json", "text", "image", "document"])?;
    Ok(match kind {
        "json" if value.value.is_object() => ResultBlock::Json(value.value.clone()),
        "json" => return Err(value.wrong("is no object; give an object, or the result as `text`")),
        "text" => ResultBlock::Text(read_text(&value)?),
        "image" => ResultBlock::Image(image::read(&value)?),
        _ => ResultBlock::Document(document::read(&value)?),
    })
}

/// The name of a tool or of a schema.
pub(in super::super) fn read_name(node: &Node<'_>) -> Result<String, RequestError> {
    node.identifier(
        |c| c.is_ascii_alphanumeric() || "_-".contains(c),
        MAX_NAME_CHARS,
        "letters, digits, _ and -",
    )
}

fn read_id(node: &Node<'_>) -> Result<String, RequestError> {
    node.identifier(
        |c| c.is_ascii_alphanumeric() || "_.:-".contains(c),
        MAX_NAME_CHARS,
        "letters, digits and _ . : -",
    )
}

/// Holds calls and results against each other. Each call of an assistant's turn has its result
/// at the beginning of the user's turn that follows, and no result is without a call.
pub(in super::super) fn check_calls(messages: &[Message], list: &Node<'_>) -> Result<(), RequestError> {
    // The calls whose results are still to come, with their places.
    let mut open: Vec<(&str, Node<'_>)> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut before = Role::System;
    for (index, message) in messages.iter().enumerate() {
        let content = list.item(index).child("content");
        let turn_begins = message.role != before;
        before = message.role;
        if match message.role {
            Role::User => message.content.plain().is_some(),
            Role::Assistant => turn_begins,
            Role::System => false,
        } {
            unanswered(&open)?;
        }
        for (position, block) in message.content.blocks().iter().enumerate() {
            let node = content.item(position);
            match block {
                Block::ToolUse(call) => {
                    let id = node.child("toolUse").child("toolUseId");
                    if !seen.insert(&call.tool_use_id) {
                        return Err(id.wrong("is the id of another call too; each call has its own"));
                    }
                    open.push((&call.tool_use_id, id));
                }
                Block::ToolResult(result) => {
                    let id = node.child("toolResult").child("toolUseId");
                    let Some(found) = open.iter().position(|(open, _)| *open == result.tool_use_id) else {
                        return Err(id.wrong(
                            "answers no call of the assistant's turn before it; a result follows the turn with its `toolUse`, once",
                        ));
                    };
                    open.remove(found);
                }
                Block::Text(_) | Block::Image(_) | Block::Document(_) if message.role == Role::User => {
                    unanswered(&open)?;
                }
                _ => {}
            }
        }
    }
    unanswered(&open)
}

fn unanswered(open: &[(&str, Node<'_>)]) -> Result<(), RequestError> {
    match open.first() {
        Some((_, node)) => Err(node.wrong(
            "has no result; begin the next user's turn with a `toolResult` for each call of the turn before",
        )),
        None => Ok(()),
    }
}

/// Whether a conversation has calls or results, for which Bedrock wants the tools too.
pub(in super::super) fn mentions_tools(messages: &[Message]) -> bool {
    messages
        .iter()
        .flat_map(|message| message.content.blocks())
        .any(|block| matches!(block, Block::ToolUse(_) | Block::ToolResult(_)))
}
