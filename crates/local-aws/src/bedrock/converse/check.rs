//! The rules that hold between the messages of a conversation.

use super::super::error::BedrockError;
use super::super::models::{Format, Model};
use super::billing::InputMeter;
use super::features::{Features, ReasoningControl};
use super::media::MediaCheck;
use super::reasoning::{self, ReasoningMode};
use super::wire::{
    CachePoint, CacheTtl, ContentBlock, ConverseMessage, ReasoningBlock, ResultPart, Role, ToolResultBlock,
    ToolUseBlock, model_error, unsupported_block, unsupported_field,
};

type Result<T> = std::result::Result<T, BedrockError>;

/// The most cache points of a request.
const MAX_CACHE_POINTS: usize = 4;

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(BedrockError::validation(message))
}

/// The cache points of a request so far.
#[derive(Debug, Default)]
pub struct CachePointCheck {
    count: usize,
    short: bool,
}

impl CachePointCheck {
    /// Checks a cache point and marks its place.
    ///
    /// # Errors
    /// The model takes none, or no such one.
    pub fn take(&mut self, features: &Features, point: &CachePoint, meter: &mut InputMeter) -> Result<()> {
        let Some(rule) = features.cache else {
            return refuse(
                "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.",
            );
        };
        if point.explicit && point.ttl == CacheTtl::OneHour && !rule.one_hour {
            return Err(unsupported_field("cachePoint.ttl"));
        }
        self.count += 1;
        if self.count > MAX_CACHE_POINTS {
            return Err(model_error(format!(
                "A maximum of {MAX_CACHE_POINTS} blocks with cache_control may be provided. Found {}.",
                self.count
            )));
        }
        if point.ttl == CacheTtl::OneHour && self.short {
            return Err(model_error(
                "A ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
            ));
        }
        self.short |= point.ttl == CacheTtl::FiveMinutes;
        meter.cache_point(point.ttl);
        Ok(())
    }
}

/// What the checks need to know of the rest of the request.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The model.
    pub model: &'a Model,
    /// What it takes.
    pub features: &'a Features,
    /// How it thinks.
    pub reasoning: ReasoningMode,
    /// The request has a `toolConfig`.
    pub has_tools: bool,
}

/// Checks the roles of the messages and what each may hold.
///
/// # Errors
/// The service or the model would refuse the conversation.
pub fn conversation(messages: &[ConverseMessage], setting: Setting<'_>) -> Result<()> {
    roles(messages, setting)?;
    for (index, message) in messages.iter().enumerate() {
        blocks(message, index, setting)?;
    }
    tool_turns(messages, setting)?;
    if setting.reasoning.demands_blocks {
        begins_with_reasoning(messages)?;
    }
    Ok(())
}

fn roles(messages: &[ConverseMessage], setting: Setting<'_>) -> Result<()> {
    let model = setting.model;
    let spoken: Vec<&ConverseMessage> =
        messages.iter().filter(|message| message.role != Role::System).collect();
    if messages.first().is_none_or(|message| message.role != Role::User) {
        return refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    if spoken.windows(2).any(|pair| pair[0].role == pair[1].role) {
        return refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
        );
    }
    if let Some(last) = spoken.last().filter(|last| last.role == Role::Assistant) {
        if !model.prefill || setting.reasoning.on {
            return refuse(if model.format == Format::Claude {
                "The model returned the following errors: This model does not support assistant message prefill. The conversation must end with a user message."
            } else {
                "A conversation must end with a user message. Try again with a conversation that ends with a user message."
            });
        }
        if let Some(ContentBlock::Text(text)) = last.content.last()
            && model.format == Format::Claude
            && text.ends_with(char::is_whitespace)
        {
            return Err(model_error("messages: final assistant content cannot end with trailing whitespace"));
        }
    }
    if messages.len() > 1 && !model.history {
        return refuse(
            "This model doesn't support conversation history. Try again with input that only consists of one user message.",
        );
    }
    Ok(())
}

/// What a message of a role may hold.
fn blocks(message: &ConverseMessage, index: usize, setting: Setting<'_>) -> Result<()> {
    let has_text = message.content.iter().any(|block| matches!(block, ContentBlock::Text(_)));
    for (at, block) in message.content.iter().enumerate() {
        let place = format!("messages.{index}.content.{at}");
        match (message.role, block) {
            (_, ContentBlock::Text(_) | ContentBlock::CachePoint(_))
            | (Role::User, ContentBlock::Image(_) | ContentBlock::ToolResult(_))
            | (Role::Assistant, ContentBlock::ToolUse(_)) => {}
            (Role::User, ContentBlock::Document(_)) => {
                if !has_text {
                    return refuse(format!(
                        "The content field in the Message object at messages.{index} must include a text block when it includes a document block. Add a text block and try again."
                    ));
                }
            }
            (Role::Assistant, ContentBlock::Reasoning(block)) => returned_reasoning(block, &place, setting)?,
            (Role::User | Role::System, ContentBlock::ToolUse(_)) => {
                return refuse(format!("User messages cannot contain tool uses: {place}."));
            }
            (Role::Assistant | Role::System, ContentBlock::ToolResult(_)) => {
                return refuse(format!("Assistant messages cannot contain tool results: {place}."));
            }
            (Role::User | Role::System, ContentBlock::Reasoning(_)) => {
                return refuse(format!("User messages cannot contain reasoning content: {place}."));
            }
            (_, ContentBlock::Image(_)) => {
                return refuse(format!("Only user messages can contain images: {place}."));
            }
            (_, ContentBlock::Document(_)) => {
                return refuse(format!("Only user messages can contain documents: {place}."));
            }
        }
    }
    Ok(())
}

fn returned_reasoning(block: &ReasoningBlock, place: &str, setting: Setting<'_>) -> Result<()> {
    match setting.features.reasoning {
        ReasoningControl::None => Err(unsupported_block("reasoningContent")),
        ReasoningControl::Thinking(_) => {
            if let ReasoningBlock::Text { signature: None, .. } = block {
                return Err(model_error(format!("{place}.thinking.signature: Field required")));
            }
            let kind = match block {
                ReasoningBlock::Text { .. } => "`signature` in `thinking` block",
                ReasoningBlock::Redacted(_) => "`data` in `redacted_thinking` block",
            };
            match reasoning::verify(block) {
                Some(_) => Ok(()),
                None => Err(model_error(format!("{place}: Invalid {kind}"))),
            }
        }
        _ => match block {
            ReasoningBlock::Redacted(_) => Err(unsupported_block("reasoningContent.redactedContent")),
            ReasoningBlock::Text { .. } => Ok(()),
        },
    }
}

fn calls(message: &ConverseMessage) -> Vec<&ToolUseBlock> {
    message
        .content
        .iter()
        .filter_map(|block| match block {
            ContentBlock::ToolUse(call) => Some(call),
            _ => None,
        })
        .collect()
}

fn results(message: &ConverseMessage) -> Vec<&ToolResultBlock> {
    message
        .content
        .iter()
        .filter_map(|block| match block {
            ContentBlock::ToolResult(result) => Some(result),
            _ => None,
        })
        .collect()
}

/// Each call is answered once, directly after it, and nothing stands before the answers.
fn tool_turns(messages: &[ConverseMessage], setting: Setting<'_>) -> Result<()> {
    let used = messages.iter().any(|message| !calls(message).is_empty() || !results(message).is_empty());
    if used && !setting.features.tools {
        return refuse("This model doesn't support tool use.");
    }
    if used && !setting.has_tools {
        return refuse(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        );
    }
    let mut open: Vec<&str> = Vec::new();
    let mut opened_at = 0;
    let mut seen: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let found = results(message);
        if message.role == Role::System {
            if !open.is_empty() {
                return missing_results(opened_at, &open);
            }
            continue;
        }
        let mut ids: Vec<&str> = Vec::new();
        for result in &found {
            if result.has_status && !setting.features.result_status {
                return Err(unsupported_field("toolResult.status"));
            }
            if ids.contains(&result.id.as_str()) {
                return refuse(format!(
                    "The toolResult blocks at messages.{index}.content contain duplicate Ids: {}.",
                    result.id
                ));
            }
            ids.push(&result.id);
        }
        if ids.len() > open.len() {
            return refuse(format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of previous turn."
            ));
        }
        if !open.is_empty() && (ids.len() < open.len() || ids.iter().any(|id| !open.contains(id))) {
            let missing: Vec<&str> = open.iter().copied().filter(|id| !ids.contains(id)).collect();
            let found =
                if ids.is_empty() { String::new() } else { format!(", but found: {}", ids.join(", ")) };
            return refuse(format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {}{found}.",
                missing.join(", ")
            ));
        }
        let first_other = message
            .content
            .iter()
            .position(|block| !matches!(block, ContentBlock::ToolResult(_) | ContentBlock::CachePoint(_)));
        let last_result =
            message.content.iter().rposition(|block| matches!(block, ContentBlock::ToolResult(_)));
        if let (Some(other), Some(result)) = (first_other, last_result)
            && other < result
        {
            return missing_results(opened_at, &open);
        }
        open = Vec::new();
        for call in calls(message) {
            if seen.contains(&call.id.as_str()) {
                return refuse(format!(
                    "The toolUse blocks at messages.{index}.content contain duplicate Ids: {}.",
                    call.id
                ));
            }
            seen.push(&call.id);
            open.push(&call.id);
        }
        opened_at = index;
    }
    if open.is_empty() { Ok(()) } else { missing_results(opened_at, &open) }
}

fn missing_results<T>(index: usize, ids: &[&str]) -> Result<T> {
    Err(model_error(format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        ids.join(", ")
    )))
}

fn begins_with_reasoning(messages: &[ConverseMessage]) -> Result<()> {
    let last = messages.iter().enumerate().rev().find(|(_, message)| message.role == Role::Assistant);
    let Some((index, message)) = last.filter(|(_, message)| !calls(message).is_empty()) else {
        return Ok(());
    };
    let found = match message.content.first() {
        Some(ContentBlock::Reasoning(_)) | None => return Ok(()),
        Some(ContentBlock::ToolUse(_)) => "tool_use",
        Some(_) => "text",
    };
    Err(model_error(format!(
        "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`."
    )))
}

/// Checks the media of the messages and counts everything that the model reads of them.
///
/// # Errors
/// A picture, a document or a cache point is refused.
pub fn count(
    messages: &[ConverseMessage],
    setting: Setting<'_>,
    media: &mut MediaCheck,
    points: &mut CachePointCheck,
    meter: &mut InputMeter,
) -> Result<()> {
    let features = setting.features;
    for (index, message) in messages.iter().enumerate() {
        meter.add(0, if message.role == Role::Assistant { b"assistant" } else { b"user" });
        for (at, block) in message.content.iter().enumerate() {
            let place = format!("messages.{index}.content.{at}");
            match block {
                ContentBlock::Text(text) => meter.text(text),
                ContentBlock::Image(image) => {
                    media.image(image, features, false, &format!("{place}.image"), meter)?;
                }
                ContentBlock::Document(document) => {
                    media.document(document, features, &format!("{place}.document"), meter)?;
                }
                ContentBlock::ToolUse(call) => {
                    meter.text(&call.id);
                    meter.text(&call.name);
                    meter.text(&call.input.to_string());
                }
                ContentBlock::ToolResult(result) => {
                    meter.text(&result.id);
                    for (part, content) in result.content.iter().enumerate() {
                        let place = format!("{place}.toolResult.content.{part}");
                        match content {
                            ResultPart::Text(text) => meter.text(text),
                            ResultPart::Json(value) => meter.text(&value.to_string()),
                            ResultPart::Image(image) => {
                                media.image(image, features, true, &format!("{place}.image"), meter)?;
                            }
                            ResultPart::Document(document) => {
                                media.document(document, features, &format!("{place}.document"), meter)?;
                            }
                        }
                    }
                }
                ContentBlock::Reasoning(block) => returned_tokens(block, meter),
                ContentBlock::CachePoint(point) => {
                    points.take(features, point, meter)?;
                    continue;
                }
            }
            meter.end_block();
        }
    }
    Ok(())
}

/// Thoughts that come back are read again: as text, or as many tokens as their signature stands for.
fn returned_tokens(block: &ReasoningBlock, meter: &mut InputMeter) {
    match block {
        ReasoningBlock::Text { text, signature } if text.is_empty() => {
            meter.add(
                reasoning::verify(block).unwrap_or(0),
                signature.as_deref().unwrap_or_default().as_bytes(),
            );
        }
        ReasoningBlock::Text { text, .. } => meter.text(text),
        ReasoningBlock::Redacted(bytes) => meter.add(reasoning::verify(block).unwrap_or(0), bytes),
    }
}
