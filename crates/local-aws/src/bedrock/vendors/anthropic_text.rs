//! Anthropic's text completion, of Claude 1, 2 and Instant. No usage in the body.

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::{SimulatedRequest, StopCause};

const HUMAN: &str = "\n\nHuman:";
const ASSISTANT: &str = "\n\nAssistant:";

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.required("max_tokens_to_sample")?;
    fields.only(&[
        "prompt",
        "max_tokens_to_sample",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "anthropic_version",
    ])?;
    let prompt = fields.required_text("prompt")?;
    if !prompt.starts_with(HUMAN) {
        return Err(BedrockError::validation("prompt must start with \"\n\nHuman:\" turn"));
    }
    if !prompt.contains(ASSISTANT) {
        return Err(BedrockError::validation("prompt must end with \"\n\nAssistant:\" turn"));
    }
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.integer("top_k", 0, 500)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens_to_sample", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop_sequences", 8191)?,
        ..SimulatedRequest::default()
    };
    request.prompt(prompt, HUMAN, ASSISTANT);
    Ok(request)
}

/// Writes an answer.
pub fn write(answer: &SimulatedAnswer) -> Value {
    let stop = match &answer.content.stop {
        StopCause::Sequence(sequence) => Some(sequence.as_str()),
        StopCause::EndTurn => Some(HUMAN),
        _ => None,
    };
    json!({
        "type": "completion",
        "completion": format!(" {}", answer.content.text),
        "stop_reason": answer.content.stop.word(["stop_sequence", "max_tokens", "stop_sequence", "stop_sequence", "stop_sequence"]),
        "stop": stop,
    })
}
