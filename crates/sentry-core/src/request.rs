//! The request document: what a caller sends, checked field by field.
//!
//! Fails closed. A field that is unknown, of the wrong type or out of range refuses the whole
//! request with the field's path, since a setting that is dropped in silence changes what the
//! caller pays for. The document is walked by hand rather than derived, so that every sentence
//! is written for the person who sent the request.

mod bound;
mod content;
mod conversation;
pub mod envelope;
mod inference;
mod reader;
mod schema;
mod size;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use crate::price::{CacheTtl, ServiceTier};
pub use bound::REQUEST_ALLOWANCE;
pub use content::{
    Block, CachePoint, CachePointType, Content, Document, DocumentSource, Image, ImageSource, InputSchema,
    MAX_BLOCKS, MAX_CACHE_POINTS, MAX_DOCUMENTS, MAX_EXPANDED_SCHEMA_BYTES, MAX_IMAGE_BYTES, MAX_IMAGE_EDGE,
    MAX_IMAGES, MAX_TOOLS, NoFields, ReasoningContent, ReasoningText, ResultBlock, TextPart, Tool,
    ToolChoice, ToolName, ToolResult, ToolSpec, ToolUse,
};
pub use conversation::{Conversation, Turn};
pub use inference::{Effort, Inference, MIN_REASONING_TOKENS, ReasoningSetting, ResponseFormat};
use reader::Node;
pub use reader::describe;

use crate::error::{ErrorName, SentryError};
use crate::model::{ModelId, context_window};

/// Bytes that a request may have as a JSON text inside a JSON text, the form in which one
/// workflow hands it to the next. Step Functions carries 262,144 bytes per state; the rest is
/// left for limits, budgets, prompt templates and the envelope around them.
pub const MAX_ESCAPED_BYTES: u64 = 200_000;
/// Messages in one conversation. A prompt template adds about 50 bytes to each, and all of
/// them together must still fit into one state of Step Functions.
pub const MAX_MESSAGES: usize = 2_000;
/// The longest model id that Bedrock's runtime accepts.
pub const MAX_MODEL_ID_BYTES: usize = 2_048;
/// The largest output limit that can be asked for; no model writes that much.
pub const MAX_MAX_TOKENS: u64 = 1_000_000;
/// The largest `topK`; vendors allow 500 at most. Whether 0, for no limit, is taken is the vendor's.
pub const MAX_TOP_K: u64 = 500;
/// Stop sequences in one request. Vendors allow between 4 and 2,500.
pub const MAX_STOP_SEQUENCES: usize = 16;
/// Bytes of one stop sequence.
pub const MAX_STOP_SEQUENCE_BYTES: usize = 128;
/// The longest context window of any model on Bedrock, in tokens.
const LARGEST_CONTEXT_WINDOW: u64 = 10_000_000;
/// Characters of a tag's value, of a tenant and of an idempotency key.
pub const MAX_LABEL_CHARS: usize = 128;

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand before the conversation.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The role as it stands in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content: Content,
}

/// The conversation so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prompt {
    /// System messages first, then user and assistant; at least one of the user's.
    pub messages: Vec<Message>,
    /// What the model may call; empty for none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether it must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
}

/// Labels by which usage is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tags {
    /// The application that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// Who pays inside the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<String>,
    /// For example `dev` or `prod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// The most input tokens that a request can cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputBound {
    /// So many.
    pub tokens: u64,
    /// The part of them that CountTokens does not count: the schema of the answer.
    pub uncounted: u64,
    /// Whether `tokens` is the model's context window and CountTokens knows better.
    pub count_first: bool,
    /// The path of a part that has no bound, where the context window is not known either.
    pub unbounded: Option<String>,
}

/// A request that passed every check.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The model as the caller named it.
    pub model_id: String,
    /// The conversation.
    pub prompt: Prompt,
    /// Output limit and sampling.
    pub inference: Inference,
    /// Labels for reports.
    pub tags: Tags,
    /// The tenant whose budgets apply too; set by the front door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// By which a caller marks a repeated request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// How a request failed its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestErrorKind {
    /// A field is missing, unknown, of the wrong type or out of range.
    InvalidRequest,
    /// More than the workflows can carry.
    RequestTooLarge {
        /// Bytes of the request in the form in which it is passed on.
        bytes: u64,
        /// How many are allowed.
        limit: u64,
        /// Bytes of its largest part, which the error's path names.
        part_bytes: u64,
    },
}

/// A request that cannot be served, and where it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// Which of the two ways.
    pub kind: RequestErrorKind,
    /// The offending field, for example `prompt.messages[1].role`, or the largest part of a request
    /// that is too large; empty for the document itself.
    pub path: String,
    /// A sentence that says what is wrong and what to do.
    pub message: String,
}

impl RequestError {
    /// An `InvalidRequest` at a path.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: RequestErrorKind::InvalidRequest, path: path.into(), message: message.into() }
    }
}

impl From<RequestError> for SentryError {
    fn from(error: RequestError) -> Self {
        match error.kind {
            RequestErrorKind::InvalidRequest => {
                SentryError::new(ErrorName::InvalidRequest, error.message).with("path", error.path)
            }
            RequestErrorKind::RequestTooLarge { bytes, limit, part_bytes } => {
                SentryError::new(ErrorName::RequestTooLarge, error.message)
                    .with("bytes", bytes)
                    .with("limit", limit)
                    .with("path", error.path)
                    .with("pathBytes", part_bytes)
            }
        }
    }
}

impl Request {
    /// Reads and checks a request document.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the first offending field, or `RequestTooLarge`.
    pub fn parse(document: &Value) -> Result<Self, RequestError> {
        let root = Node::root(document);
        let fields = root.object(&["modelId", "prompt", "inference", "tags", "tenant", "idempotencyKey"])?;
        let request = Self {
            model_id: read_model_id(&fields.required("modelId")?)?,
            prompt: read_prompt(&fields.required("prompt")?)?,
            inference: fields
                .optional("inference")
                .map_or(Ok(Inference::default()), |node| inference::read_asked(&node))?,
            tags: fields.optional("tags").map_or(Ok(Tags::default()), |node| read_tags(&node))?,
            tenant: fields.optional("tenant").map(|node| read_tenant(&node)).transpose()?,
            idempotency_key: fields
                .optional("idempotencyKey")
                .map(|node| read_idempotency_key(&node))
                .transpose()?,
        };
        size::check(&request)?;
        Ok(request)
    }

    /// Bytes of the request as a JSON text inside a JSON text.
    #[must_use]
    pub fn escaped_bytes(&self) -> u64 {
        size::escaped_bytes(self)
    }

    /// Whether any vendor's own format can carry the request: texts, and nothing that only
    /// Converse has.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.prompt.is_plain() && self.inference.is_plain()
    }

    /// How long the longest-kept part of the prompt is to be cached; `None` for not at all.
    #[must_use]
    pub fn cache(&self) -> Option<CacheTtl> {
        self.prompt.cache_points().map(|point| point.ttl.unwrap_or(CacheTtl::FiveMinutes)).max()
    }

    /// The most input tokens that the request can cost with a model.
    #[must_use]
    pub fn input_bound(&self, model: &ModelId) -> InputBound {
        let bound = bound::of(&self.prompt, &self.inference, &model.family, model.template());
        let window = if model.opaque { None } else { context_window(&model.family) };
        let tokens = match (&bound.unbounded, window) {
            // A longer input is refused by Bedrock, without being billed.
            (_, Some(window)) if bound.unbounded.is_some() => window,
            (_, Some(window)) => bound.tokens.min(window),
            (None, None) => bound.tokens,
            (Some(_), None) => LARGEST_CONTEXT_WINDOW,
        };
        InputBound {
            tokens,
            uncounted: bound.uncounted,
            count_first: bound.unbounded.is_some() && model.counts_tokens(),
            unbounded: bound.unbounded.filter(|_| window.is_none()),
        }
    }
}

impl Prompt {
    /// Reads and checks a prompt that stands at `path`.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the first offending field.
    pub fn read(document: &Value, path: &str) -> Result<Self, RequestError> {
        read_prompt(&Node::at(document, path))
    }

    /// The same conversation in the one shape that all vendors take.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        Conversation::of(self)
    }

    /// Whether there is nothing but text.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.tools.is_empty() && self.messages.iter().all(|message| message.content.plain().is_some())
    }

    /// Every cache point.
    pub fn cache_points(&self) -> impl Iterator<Item = &CachePoint> {
        let of_tools = self.tools.iter().filter_map(|tool| match tool {
            Tool::CachePoint(point) => Some(point),
            Tool::ToolSpec(_) => None,
        });
        let blocks = self.messages.iter().flat_map(|message| message.content.blocks());
        of_tools.chain(blocks.filter_map(|block| match block {
            Block::CachePoint(point) => Some(point),
            _ => None,
        }))
    }
}

fn read_model_id(node: &Node<'_>) -> Result<String, RequestError> {
    let text = node.text()?;
    if text.is_empty() {
        return Err(node.wrong("is empty; name the model, for example \"amazon.nova-2-lite-v1:0\""));
    }
    if text.len() > MAX_MODEL_ID_BYTES {
        return Err(
            node.wrong(format!("has {} bytes, and a model id has at most {MAX_MODEL_ID_BYTES}", text.len()))
        );
    }
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(node.wrong(
            "has spaces or characters that no model id has; copy the id from Bedrock's list of models",
        ));
    }
    Ok(text.to_owned())
}

fn read_prompt(node: &Node<'_>) -> Result<Prompt, RequestError> {
    let fields = node.object(&["messages", "tools", "toolChoice"])?;
    let list = fields.required("messages")?;
    let items = list.list()?;
    if items.is_empty() {
        return Err(list.wrong("is empty; send at least one message with role \"user\""));
    }
    if items.len() > MAX_MESSAGES {
        return Err(list.wrong(format!(
            "has {} messages, and {MAX_MESSAGES} are allowed; shorten the history",
            items.len()
        )));
    }
    let mut messages: Vec<Message> = Vec::with_capacity(items.len());
    for item in &items {
        let message = read_message(item)?;
        let spoken = messages.iter().any(|earlier: &Message| earlier.role != Role::System);
        if message.role == Role::System && spoken {
            return Err(item.child("role").wrong(
                "is \"system\" after the conversation has begun; put system messages before all others",
            ));
        }
        messages.push(message);
    }
    if !messages.iter().any(|message| message.role == Role::User) {
        return Err(list.wrong("has no message with role \"user\"; add one"));
    }
    content::check_messages(&messages, &list)?;
    content::check_calls(&messages, &list)?;
    let tools = fields.optional("tools").map_or(Ok(Vec::new()), |node| content::read_tools(&node))?;
    if tools.is_empty() && content::mentions_tools(&messages) {
        return Err(node.child("tools").wrong(
            "is missing, and the history has tool calls or results; send the tools with every turn of the conversation",
        ));
    }
    content::check_cache_points(&tools, &messages, node)?;
    let tool_choice = match fields.optional("toolChoice") {
        Some(choice) if tools.is_empty() => {
            return Err(choice.wrong("needs `prompt.tools`; add the tools or leave it out"));
        }
        Some(choice) => Some(content::read_tool_choice(&choice, &tools)?),
        None => None,
    };
    Ok(Prompt { messages, tools, tool_choice })
}

fn read_message(node: &Node<'_>) -> Result<Message, RequestError> {
    let fields = node.object(&["role", "content"])?;
    let role_node = fields.required("role")?;
    let role = match role_node.text()? {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            return Err(role_node.wrong(format!(
                "is {}; use one of \"system\", \"user\", \"assistant\"",
                reader::quoted(other)
            )));
        }
    };
    let content = content::read(&fields.required("content")?, role)?;
    Ok(Message { role, content })
}

fn read_tags(node: &Node<'_>) -> Result<Tags, RequestError> {
    let fields = node.object(&["applicationId", "costCenter", "environment"])?;
    let tag = |name: &str| fields.optional(name).map(|node| read_tag(&node)).transpose();
    Ok(Tags {
        application_id: tag("applicationId")?,
        cost_center: tag("costCenter")?,
        environment: tag("environment")?,
    })
}

fn read_tag(node: &Node<'_>) -> Result<String, RequestError> {
    node.label(
        |c| c.is_ascii_alphanumeric() || " ._:/=+@-".contains(c),
        "letters, digits, spaces and . _ : / = + @ -",
    )
}

fn read_tenant(node: &Node<'_>) -> Result<String, RequestError> {
    node.label(|c| c.is_ascii_alphanumeric() || "._-".contains(c), "letters, digits and . _ -")
}

fn read_idempotency_key(node: &Node<'_>) -> Result<String, RequestError> {
    node.label(|c| c.is_ascii_graphic(), "visible ASCII characters without spaces")
}
