//! DeepSeek R1's prompt: reasoning first, then the text, and no usage in the body.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-deepseek.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&["prompt", "temperature", "top_p", "max_tokens", "stop"])?;
    let prompt = fields.required_text("prompt")?;
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop", 10)?,
        ..SimulatedRequest::default()
    };
    request.prompt(prompt, "<｜User｜>", "<｜Assistant｜>");
    Ok(request)
}

/// Writes an answer; when the limit came while it was thinking, the thought has no end.
pub fn write(answer: &SimulatedAnswer) -> Value {
    let text = match &answer.content.reasoning {
        Some(thought) if answer.content.text.is_empty() => thought.clone(),
        Some(thought) => format!("{thought}\n</think>\n\n{}", answer.content.text),
        None => answer.content.text.clone(),
    };
    json!({ "choices": [{ "text": text, "stop_reason": answer.content.stop.word(["stop", "length", "stop", "stop", "stop"]) }] })
}
