//! Mistral: the `[INST]` prompt of the first models, and messages.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-mistral.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;
use super::chat;

/// Mistral Large 24.02 takes messages as well.
pub fn is_chat(model: &Model, body: &Value) -> bool {
    model.id.starts_with("mistral.mistral-large-2402") && body.get("messages").is_some()
}

/// Checks a body with a prompt.
pub fn read_prompt(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&["prompt", "max_tokens", "temperature", "top_p", "top_k", "stop"])?;
    let prompt = fields.required_text("prompt")?;
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.integer("top_k", 0, 200)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop", 10)?,
        ..SimulatedRequest::default()
    };
    request.prompt(prompt, "[INST]", "[/INST]");
    Ok(request)
}

/// Writes an answer to a prompt: no usage.
pub fn write_prompt(answer: &SimulatedAnswer) -> Value {
    json!({ "outputs": [{ "text": format!(" {}", answer.content.text), "stop_reason": answer.content.stop.word(["stop", "length", "stop", "stop", "stop"]) }] })
}

/// Checks a body with messages: plain strings, and no `top_k`.
pub fn read_chat(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.required("messages")?;
    fields.only(&[
        "messages",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "tools",
        "tool_choice",
        "random_seed",
        "response_format",
        "safe_prompt",
    ])?;
    fields.number("temperature", 0.0, model.max_temperature)?;
    fields.number("top_p", 0.0, 1.0)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop", 10)?,
        ..SimulatedRequest::default()
    };
    chat::messages(&fields, &["system", "user", "assistant", "tool"], chat::Order::Strict, &mut request)?;
    Ok(request)
}

/// Writes an answer to messages.
pub fn write_chat(model: &Model, answer: &SimulatedAnswer) -> Value {
    let mut body = chat::write(model, answer);
    body["choices"][0]["message"]["tool_calls"] = Value::Null;
    body
}
