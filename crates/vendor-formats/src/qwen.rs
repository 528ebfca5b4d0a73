//! Qwen, in chat completions. Its reasoning, where it shows it, stands in `<think>` tags.

use serde_json::Value;

use crate::answer::NormalizedAnswer;
use crate::chat_completions as chat;
use crate::error::FormatError;
use crate::request::ChatRequest;
use crate::traits::Traits;

/// Whether a family is Qwen's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("qwen.")
}

/// What a family takes.
#[must_use]
pub fn traits(_family: &str) -> Traits {
    Traits { assistant_first: true, ..chat::TRAITS }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Qwen", owns)?;
    let talk = request.prepared(&traits(family))?;
    Ok(chat::body(request, &talk, chat::MAX_TOKENS))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it is not chat completions.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    chat::read_answer(body, "qwen.")
}
