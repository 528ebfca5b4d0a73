//! Anthropic Messages.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::{Format, Model};
use super::super::request::{SimulatedRequest, StopCause};

const KEYS: [&str; 15] = [
    "anthropic_version",
    "anthropic_beta",
    "max_tokens",
    "messages",
    "system",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "output_config",
    "context_management",
];

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.required("anthropic_version")?;
    fields.required("max_tokens")?;
    fields.required("messages")?;
    fields.only(&KEYS)?;
    if fields.text("anthropic_version")? != Some("bedrock-2023-05-31") {
        return Err(BedrockError::validation(
            "anthropic_version: this version is not supported; use \"bedrock-2023-05-31\"",
        ));
    }
    let limit = fields.integer("max_tokens", 1, u64::MAX)?.unwrap_or(1);
    if limit > model.max_output {
        return Err(BedrockError::validation(format!(
            "max_tokens: {limit} > {}, which is the maximum allowed number of output tokens for {}",
            model.max_output, model.id
        )));
    }
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.integer("top_k", 0, 500)?;
    super::sampling(model, &fields, &["temperature", "top_p", "top_k"])?;
    let stops = fields.strings("stop_sequences", 8191)?;
    if stops.iter().any(|stop| stop.trim().is_empty()) {
        return Err(BedrockError::validation(
            "stop_sequences: each stop sequence must contain non-whitespace",
        ));
    }
    let mut request = SimulatedRequest { limit, stops, ..SimulatedRequest::default() };
    match fields.raw("system") {
        None => {}
        Some(Value::String(text)) => request.hear(text),
        Some(_) => {
            for block in fields.objects("system")? {
                if block.text("type")? != Some("text") {
                    return Err(BedrockError::validation("system: only text blocks are permitted"));
                }
                request.hear(block_text(&block, "system")?);
            }
        }
    }
    read_messages(model, &fields, &mut request)?;
    Ok(request)
}

fn read_messages(
    model: &Model,
    fields: &RequestFields<'_>,
    request: &mut SimulatedRequest,
) -> Result<(), BedrockError> {
    let messages = fields.objects("messages")?;
    let last = messages.len() - 1;
    let mut before = "";
    for (index, message) in messages.iter().enumerate() {
        message.required("role")?;
        message.required("content")?;
        message.only(&["role", "content"])?;
        let role = match message.text("role")?.unwrap_or_default() {
            role @ ("user" | "assistant") => role,
            "system" => {
                return Err(BedrockError::validation(
                    "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
                ));
            }
            other => {
                return Err(BedrockError::validation(format!(
                    "messages.{index}.role: Input should be 'user' or 'assistant', not '{other}'"
                )));
            }
        };
        // Later models take a conversation that begins with the assistant.
        if index == 0 && role != "user" && model.format == Format::ClaudeLegacy {
            return Err(BedrockError::validation("messages: first message must use the \"user\" role"));
        }
        if role == before {
            return Err(BedrockError::validation(format!(
                "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"{role}\" roles in a row"
            )));
        }
        before = role;
        let text = content(message, index)?;
        if index == last && role == "assistant" {
            if !model.prefill {
                return Err(BedrockError::validation(
                    "This model does not support assistant message prefill. The conversation must end with a user message.",
                ));
            }
            if text.ends_with(char::is_whitespace) {
                return Err(BedrockError::validation(
                    "messages: final assistant content cannot end with trailing whitespace",
                ));
            }
        }
        request.message(role, &text);
    }
    Ok(())
}

/// The text of a message: a string, or blocks.
fn content(message: &RequestFields<'_>, index: usize) -> Result<String, BedrockError> {
    let place = format!("messages.{index}");
    if let Some(Value::String(text)) = message.raw("content") {
        return Ok(super::spoken(text, &place)?.to_owned());
    }
    let mut texts = Vec::new();
    for block in message.objects("content")? {
        match block.required("type").and_then(|_| block.text("type"))?.unwrap_or_default() {
            "text" => texts.push(block_text(&block, &place)?.to_owned()),
            // Their bytes count as input; what they hold is not looked at.
            kind @ ("image" | "document" | "tool_use" | "tool_result" | "thinking" | "redacted_thinking") => {
                texts.push(
                    block
                        .raw(kind)
                        .or(block.raw("content"))
                        .or(block.raw("input"))
                        .map(Value::to_string)
                        .unwrap_or_default(),
                );
            }
            other => {
                return Err(BedrockError::validation(format!(
                    "{place}.content: Input tag '{other}' found using 'type' does not match any of the expected tags: 'text', 'image', 'document', 'tool_use', 'tool_result', 'thinking', 'redacted_thinking'"
                )));
            }
        }
    }
    Ok(texts.join("\n"))
}

fn block_text<'a>(block: &RequestFields<'a>, place: &str) -> Result<&'a str, BedrockError> {
    block.required("text")?;
    block.only(&["type", "text", "cache_control", "citations"])?;
    super::spoken(block.text("text")?.unwrap_or_default(), place)
}

/// Writes an answer.
pub fn write(model: &Model, answer: &SimulatedAnswer) -> Value {
    let mut content = Vec::new();
    if let Some(thought) = &answer.content.reasoning {
        content.push(json!({ "type": "thinking", "thinking": thought, "signature": "c2ltdWxhdGVk" }));
    }
    if !answer.content.text.is_empty() {
        content.push(json!({ "type": "text", "text": answer.content.text }));
    }
    let (reason, sequence) = match &answer.content.stop {
        StopCause::Sequence(sequence) => ("stop_sequence", Some(sequence)),
        StopCause::Refusal | StopCause::Filtered => ("refusal", None),
        stop => (stop.word(["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]), None),
    };
    json!({
        "id": format!("msg_bdrk_{}", answer.id.replace('-', "")),
        "type": "message",
        "role": "assistant",
        "model": model.id.trim_start_matches("anthropic."),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": {
            "input_tokens": answer.usage.input,
            "cache_creation_input_tokens": answer.usage.cache_write,
            "cache_read_input_tokens": answer.usage.cache_read,
            "output_tokens": answer.usage.output,
        },
    })
}
