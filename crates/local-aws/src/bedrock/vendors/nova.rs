//! Amazon Nova.
//! <https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.required("messages")?;
    fields.only(&["schemaVersion", "system", "messages", "inferenceConfig", "toolConfig"])?;
    fields.one_of("schemaVersion", &["messages-v1"])?;
    let mut request = SimulatedRequest { limit: model.default_output, ..SimulatedRequest::default() };
    if let Some(config) = fields.object("inferenceConfig")? {
        config.only(&[
            "maxTokens",
            "max_new_tokens",
            "temperature",
            "topP",
            "top_p",
            "topK",
            "top_k",
            "stopSequences",
            "reasoningConfig",
        ])?;
        for key in ["maxTokens", "max_new_tokens"] {
            if let Some(limit) = config.integer(key, 1, model.max_output)? {
                request.limit = limit;
            }
        }
        config.number("temperature", 0.0, 1.0)?;
        config.number("topP", 0.0, 1.0)?;
        config.number("top_p", 0.0, 1.0)?;
        config.integer("topK", 0, 128)?;
        config.integer("top_k", 0, 128)?;
        request.stops = config.strings("stopSequences", 4)?;
    }
    for block in fields.has("system").then(|| fields.objects("system")).transpose()?.unwrap_or_default() {
        block.only(&["text", "cachePoint"])?;
        if let Some(text) = block.text("text")? {
            request.hear(super::spoken(text, "system")?);
        }
    }
    let mut before = "";
    for (index, message) in fields.objects("messages")?.iter().enumerate() {
        message.only(&["role", "content"])?;
        message.required("role")?;
        let role = message.one_of("role", &["user", "assistant"])?.unwrap_or_default();
        if index == 0 && role != "user" {
            return Err(BedrockError::validation(
                "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
            ));
        }
        if role == before {
            return Err(BedrockError::validation(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
            ));
        }
        before = role;
        let mut texts = Vec::new();
        for block in message.objects("content")? {
            block.only(&[
                "text",
                "image",
                "document",
                "video",
                "toolUse",
                "toolResult",
                "cachePoint",
                "reasoningContent",
            ])?;
            match block.text("text")? {
                Some(text) => texts.push(super::spoken(text, &format!("messages.{index}"))?.to_owned()),
                None => texts.extend(
                    ["toolUse", "toolResult"].iter().filter_map(|key| block.raw(key).map(Value::to_string)),
                ),
            }
        }
        request.message(role, &texts.join("\n"));
    }
    Ok(request)
}

/// Writes an answer.
pub fn write(answer: &SimulatedAnswer) -> Value {
    let mut content = Vec::new();
    if let Some(thought) = &answer.content.reasoning {
        content.push(json!({ "reasoningContent": { "reasoningText": { "text": thought } } }));
    }
    if !answer.content.text.is_empty() {
        content.push(json!({ "text": answer.content.text }));
    }
    json!({
        "output": { "message": { "content": content, "role": "assistant" } },
        "stopReason": answer.content.stop.word(["end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filtered"]),
        "usage": {
            "inputTokens": answer.usage.input,
            "outputTokens": answer.usage.output,
            "totalTokens": answer.usage.total(),
            "cacheReadInputTokenCount": answer.usage.cache_read,
            "cacheWriteInputTokenCount": answer.usage.cache_write,
        },
    })
}
