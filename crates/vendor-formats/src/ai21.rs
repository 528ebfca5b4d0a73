//! AI21: Jamba takes chat completions, Jurassic-2 takes a prompt.
//!
//! Formats: AWS's "AI21 Labs Jamba models" and "AI21 Labs Jurassic-2 models" pages of the
//! Bedrock user guide. Jurassic's body carries no usage.

use serde_json::{Map, Value};

use crate::answer::{Draft, NormalizedAnswer, StopReason};
use crate::chat_completions as chat;
use crate::error::FormatError;
use crate::prompt::{Guard, Labels};
use crate::read;
use crate::request::ChatRequest;
use crate::traits::{StopRule, SystemRole, Traits};

const LABELS: Labels = Labels { user: "User:", assistant: "Assistant:", between: "\n" };
const GUARD: Guard = Guard { tokens: &["\nUser:", "\nAssistant:"], wrapped: None };

/// Whether a family is AI21's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("ai21.")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    if is_jurassic(family) {
        return Traits {
            system: SystemRole::FirstUserTurn,
            prefill: true,
            // Bedrock answers "expected maximum item count: 1" to more.
            stop: StopRule::UpTo(1),
            ..Traits::CHAT
        };
    }
    Traits { max_tokens: Some(4_096), ..chat::TRAITS }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("AI21", owns)?;
    let talk = request.prepared(&traits(family))?;
    if !is_jurassic(family) {
        return Ok(chat::body(request, &talk, chat::MAX_TOKENS));
    }
    let mut body = Map::new();
    body.insert("prompt".to_owned(), LABELS.transcript_or_text(request, &talk, &GUARD)?.into());
    body.insert("maxTokens".to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "topP", request.inference.top_p);
    read::put(&mut body, "stopSequences", read::stop(request.stop_sequences()));
    Ok(Value::Object(body))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    if !read::object(body)?.contains_key("completions") {
        return chat::read_answer(body, "ai21.");
    }
    let completion = read::first(body, "completions")?;
    let word = completion.get("finishReason").and_then(|reason| read::word(reason, &["reason"]));
    Draft {
        text: read::text(completion.pointer("/data/text"), "completions[0].data.text")?,
        text_path: "completions[0].data.text",
        reasoning: None,
        stop_reason: match word.as_deref() {
            Some("endoftext") => StopReason::EndTurn,
            Some("length") => StopReason::MaxTokens,
            Some("stop") => StopReason::StopSequence,
            _ => StopReason::Other,
        },
        vendor_stop_reason: word,
        usage: None,
    }
    .finish()
}

fn is_jurassic(family: &str) -> bool {
    family.starts_with("ai21.j2-")
}
