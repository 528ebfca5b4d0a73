//! Writer's Palmyra: messages whose content is an object with a text, and answers in the chat
//! or in the text form of chat completions.
//!
//! Format: AWS's "Writer AI Palmyra" pages of the Bedrock user guide.

use serde_json::{Map, Value, json};

use crate::answer::NormalizedAnswer;
use crate::chat_completions as chat;
use crate::error::FormatError;
use crate::read;
use crate::request::ChatRequest;
use crate::traits::Traits;

/// Whether a family is Writer's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("writer.")
}

/// What a family takes.
#[must_use]
pub fn traits(_family: &str) -> Traits {
    chat::TRAITS
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Writer", owns)?;
    let talk = request.prepared(&traits(family))?;
    let message = |role: &str, text: &str| json!({ "role": role, "content": { "text": text } });
    let system = talk.system.iter().map(|text| message("system", text));
    let turns = talk.turns.iter().map(|turn| message(turn.role.as_str(), &turn.content));
    let mut body = Map::new();
    body.insert("messages".to_owned(), system.chain(turns).collect::<Vec<_>>().into());
    body.insert(chat::MAX_TOKENS.to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "top_p", request.inference.top_p);
    read::put(&mut body, "stop", read::stop(request.stop_sequences()));
    Ok(Value::Object(body))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    chat::read_answer(body, "writer.")
}
