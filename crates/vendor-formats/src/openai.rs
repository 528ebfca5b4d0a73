//! OpenAI: gpt-oss and GPT, in chat completions.
//!
//! Format: AWS's "OpenAI models" page of the Bedrock user guide. `max_completion_tokens` is
//! taken by all of them, `max_tokens` is refused by GPT-5 and later.

use serde_json::Value;

use crate::answer::NormalizedAnswer;
use crate::chat_completions as chat;
use crate::error::FormatError;
use crate::reasoning;
use crate::request::ChatRequest;
use crate::traits::{StopRule, Traits};

/// Whether a family is OpenAI's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("openai.")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    let version = version(family).unwrap_or((0, 0));
    let sampling = version < (5, 0);
    Traits {
        temperature: sampling.then_some(2.0),
        top_p: sampling,
        assistant_first: true,
        least_max_tokens: if version >= (5, 0) { 16 } else { 1 },
        stop: if version < (5, 6) { StopRule::UpTo(4) } else { StopRule::Never },
        ..chat::TRAITS
    }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("OpenAI", owns)?;
    let talk = request.prepared(&traits(family))?;
    Ok(chat::body(request, &talk, chat::MAX_COMPLETION_TOKENS))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it is not chat completions.
pub fn normalize(model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    chat::read_answer(body, &reasoning::family_of(model_id))
}

/// The version of a GPT, the first part of its name that is a number: `openai.gpt-6.1-sol` is 6.1.
/// gpt-oss has none that reaches 5.
fn version(family: &str) -> Option<(u32, u32)> {
    let name = family.strip_prefix("openai.")?;
    name.split(['-', ':']).find_map(|part| {
        let (major, minor) = part.split_once('.').unwrap_or((part, "0"));
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}
