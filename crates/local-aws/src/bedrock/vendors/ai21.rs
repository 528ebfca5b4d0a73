//! AI21: Jurassic-2's prompt (no usage in the body), and Jamba's messages.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-ai21.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;
use super::chat;

/// Checks a body of Jurassic-2.
pub fn read_jurassic(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&[
        "prompt",
        "maxTokens",
        "temperature",
        "topP",
        "stopSequences",
        "countPenalty",
        "presencePenalty",
        "frequencyPenalty",
        "numResults",
        "minTokens",
        "topKReturn",
    ])?;
    let prompt = fields.required_text("prompt")?;
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("topP", 0.0, 1.0)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("maxTokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stopSequences", 16)?,
        ..SimulatedRequest::default()
    };
    request.prompt(prompt, "", "");
    Ok(request)
}

/// Writes an answer of Jurassic-2.
pub fn write_jurassic(body: &Value, answer: &SimulatedAnswer) -> Value {
    let reason = answer.content.stop.word(["endoftext", "length", "stop", "endoftext", "endoftext"]);
    json!({
        "id": 1234,
        "prompt": { "text": body["prompt"], "tokens": [] },
        "completions": [{
            "data": { "text": answer.content.text, "tokens": [] },
            "finishReason": { "reason": reason, "length": answer.usage.output },
        }],
    })
}

/// Checks a body of Jamba.
pub fn read_jamba(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.required("messages")?;
    fields.only(&[
        "messages",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "n",
        "frequency_penalty",
        "presence_penalty",
        "tools",
        "documents",
        "response_format",
    ])?;
    fields.number("temperature", 0.0, 2.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.integer("n", 1, 1)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop", 64)?,
        ..SimulatedRequest::default()
    };
    chat::messages(&fields, &["system", "user", "assistant", "tool"], chat::Order::Strict, &mut request)?;
    Ok(request)
}

/// Writes an answer of Jamba.
pub fn write_jamba(answer: &SimulatedAnswer) -> Value {
    json!({
        "id": format!("chat-{}", answer.id),
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": answer.content.text, "tool_calls": null },
            "finish_reason": answer.content.stop.word(["stop", "length", "stop", "tool_calls", "stop"]),
        }],
        "usage": {
            "prompt_tokens": answer.usage.input,
            "completion_tokens": answer.usage.output,
            "total_tokens": answer.usage.input + answer.usage.output,
        },
    })
}
