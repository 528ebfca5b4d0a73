//! The request document: what a caller sends, checked field by field.
//!
//! Fails closed. A field that is unknown, of the wrong type or out of range refuses the whole
//! request with the field's path, since a setting that is dropped in silence changes what the
//! caller pays for. The document is walked by hand rather than derived, so that every sentence
//! is written for the person who sent the request.

mod bound;
mod conversation;
mod reader;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;

pub use bound::REQUEST_ALLOWANCE;
pub use conversation::{Conversation, Turn};
pub use reader::describe;
use reader::{Node, RequestFields};

use crate::error::{ErrorName, SentryError};
use crate::model::PromptTemplate;

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
    /// What is said.
    pub content: String,
}

/// The conversation so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// System messages first, then user and assistant; at least one of the user's.
    pub messages: Vec<Message>,
}

/// What the caller wants of the model's writing. Nothing here has a default: a parameter that
/// was not given is not sent, since newer models refuse some of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inference {
    /// Most output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Sampling temperature, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, above 0 and at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sampling among the k likeliest tokens; 0 is no limit, where the vendor takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Texts at which the model stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_sequences: Option<Vec<String>>,
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
    },
}

/// A request that cannot be served, and where it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// Which of the two ways.
    pub kind: RequestErrorKind,
    /// The offending field, for example `prompt.messages[1].role`; empty for the document itself.
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
            RequestErrorKind::RequestTooLarge { bytes, limit } => {
                SentryError::new(ErrorName::RequestTooLarge, error.message)
                    .with("bytes", bytes)
                    .with("limit", limit)
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
                .map_or(Ok(Inference::default()), |node| read_inference(&node))?,
            tags: fields.optional("tags").map_or(Ok(Tags::default()), |node| read_tags(&node))?,
            tenant: fields.optional("tenant").map(|node| read_tenant(&node)).transpose()?,
            idempotency_key: fields
                .optional("idempotencyKey")
                .map(|node| read_idempotency_key(&node))
                .transpose()?,
        };
        let bytes = request.escaped_bytes();
        if bytes > MAX_ESCAPED_BYTES {
            return Err(RequestError {
                kind: RequestErrorKind::RequestTooLarge { bytes, limit: MAX_ESCAPED_BYTES },
                path: "prompt.messages".to_owned(),
                message: format!(
                    "The request has {bytes} bytes in the form in which the workflows pass it on, and \
                     {MAX_ESCAPED_BYTES} are allowed; send a shorter prompt or fewer messages."
                ),
            });
        }
        Ok(request)
    }

    /// Bytes of the request as a JSON text inside a JSON text.
    #[must_use]
    pub fn escaped_bytes(&self) -> u64 {
        // A request is plain data with text keys; its serialisation has no way to fail.
        let text = serde_json::to_string(self).unwrap_or_default();
        let escapes = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        (text.len() + escapes + 2) as u64
    }

    /// An upper bound of the request's input tokens, for a model with this template.
    #[must_use]
    pub fn input_bound(&self, template: &PromptTemplate) -> u64 {
        self.prompt.input_bound(template)
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

    /// An upper bound of the prompt's input tokens, for a model with this template.
    #[must_use]
    pub fn input_bound(&self, template: &PromptTemplate) -> u64 {
        bound::of(self, template)
    }
}

impl Inference {
    /// Reads and checks the inference settings that stand at `path`.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the first offending field.
    pub fn read(document: &Value, path: &str) -> Result<Self, RequestError> {
        read_inference(&Node::at(document, path))
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
    let fields = node.object(&["messages"])?;
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
    Ok(Prompt { messages })
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
    let content_node = fields.required("content")?;
    let content = content_node.text()?;
    if content.trim().is_empty() {
        return Err(content_node.wrong("is empty; write something or leave the message out"));
    }
    if content.contains('\0') {
        return Err(content_node.wrong("contains a NUL character; remove it"));
    }
    Ok(Message { role, content: content.to_owned() })
}

fn read_inference(node: &Node<'_>) -> Result<Inference, RequestError> {
    let fields = node.object(&["maxTokens", "temperature", "topP", "topK", "stopSequences"])?;
    Ok(Inference {
        max_tokens: whole(&fields, "maxTokens", 1..=MAX_MAX_TOKENS)?,
        temperature: decimal(&fields, "temperature", 2.0, true)?,
        top_p: decimal(&fields, "topP", 1.0, false)?,
        top_k: whole(&fields, "topK", 0..=MAX_TOP_K)?,
        stop_sequences: fields
            .optional("stopSequences")
            .map(|node| read_stop_sequences(&node))
            .transpose()?,
    })
}

fn whole(
    fields: &RequestFields<'_>,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, RequestError> {
    let Some(node) = fields.optional(name) else { return Ok(None) };
    match node.value.as_u64() {
        Some(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let (least, most) = range.into_inner();
            Err(node.wrong(format!("is {}; give a whole number from {least} to {most}", node.shown())))
        }
    }
}

fn decimal(
    fields: &RequestFields<'_>,
    name: &str,
    most: f64,
    zero: bool,
) -> Result<Option<f64>, RequestError> {
    let Some(node) = fields.optional(name) else { return Ok(None) };
    match node.value.as_f64() {
        Some(number) if number.is_finite() && number <= most && (number > 0.0 || (zero && number == 0.0)) => {
            // Negative zero is zero, and no vendor needs to see its sign.
            Ok(Some(number + 0.0))
        }
        _ => {
            let range =
                if zero { format!("from 0 to {most}") } else { format!("above 0 and at most {most}") };
            Err(node.wrong(format!("is {}; give a number {range}", node.shown())))
        }
    }
}

fn read_stop_sequences(node: &Node<'_>) -> Result<Vec<String>, RequestError> {
    let items = node.list()?;
    if items.len() > MAX_STOP_SEQUENCES {
        return Err(node.wrong(format!("has {} entries, and {MAX_STOP_SEQUENCES} are allowed", items.len())));
    }
    items
        .iter()
        .map(|item| {
            let text = item.text()?;
            if text.is_empty() {
                Err(item.wrong("is empty; a stop sequence has at least one character"))
            } else if text.len() > MAX_STOP_SEQUENCE_BYTES {
                Err(item
                    .wrong(format!("has {} bytes, and {MAX_STOP_SEQUENCE_BYTES} are allowed", text.len())))
            } else if text.contains('\0') {
                Err(item.wrong("contains a NUL character; remove it"))
            } else {
                Ok(text.to_owned())
            }
        })
        .collect()
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
