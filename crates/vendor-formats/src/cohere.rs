//! Cohere: Command R takes a message and its history, Command takes a prompt.
//!
//! Formats: AWS's "Cohere Command R" and "Cohere Command" pages of the Bedrock user guide.
//! Neither body carries usage.

use sentry_core::request::Role;
use serde_json::{Map, Value, json};

use crate::answer::{Draft, NormalizedAnswer, StopReason};
use crate::error::FormatError;
use crate::prompt::{Guard, Labels};
use crate::read;
use crate::request::ChatRequest;
use crate::traits::{SystemRole, Traits};

const LABELS: Labels = Labels { user: "User:", assistant: "Chatbot:", between: "\n" };
const GUARD: Guard = Guard { tokens: &["\nUser:", "\nChatbot:"], wrapped: None };

/// Whether a family is Cohere's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("cohere.command-")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    if is_r(family) {
        return Traits { assistant_first: true, top_k: Some(0), ..Traits::CHAT };
    }
    Traits {
        system: SystemRole::FirstUserTurn,
        prefill: true,
        temperature: Some(2.0),
        top_k: Some(0),
        ..Traits::CHAT
    }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Cohere", owns)?;
    let talk = request.prepared(&traits(family))?;
    let mut body = Map::new();
    if is_r(family) {
        // The last turn is the user's: an assistant turn at the end was refused before.
        let (history, last) = talk.turns.split_at(talk.turns.len().saturating_sub(1));
        let message = last.first().map(|turn| turn.content.clone()).unwrap_or_default();
        let history: Vec<Value> = history
            .iter()
            .map(|turn| {
                let role = if turn.role == Role::Assistant { "CHATBOT" } else { "USER" };
                json!({ "role": role, "message": turn.content })
            })
            .collect();
        body.insert("message".to_owned(), message.into());
        read::put(&mut body, "chat_history", Some(history).filter(|list| !list.is_empty()));
        read::put(&mut body, "preamble", talk.system);
    } else {
        let prompt = LABELS.transcript_or_text(request, &talk, &GUARD)?;
        body.insert("prompt".to_owned(), prompt.into());
    }
    body.insert("max_tokens".to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "p", request.inference.top_p);
    read::put(&mut body, "k", request.inference.top_k);
    read::put(&mut body, "stop_sequences", read::stop(request.stop_sequences()));
    Ok(Value::Object(body))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    let (from, path) = if read::object(body)?.contains_key("generations") {
        (read::first(body, "generations")?, "generations[0].text")
    } else {
        (body, "text")
    };
    let word = read::word(from, &["finish_reason"]);
    Draft {
        text: read::text(from.get("text"), path)?,
        text_path: path,
        reasoning: None,
        stop_reason: match word.as_deref() {
            Some("COMPLETE") => StopReason::EndTurn,
            Some("MAX_TOKENS" | "ERROR_LIMIT") => StopReason::MaxTokens,
            Some("STOP_SEQUENCE") => StopReason::StopSequence,
            Some("ERROR_TOXIC") => StopReason::ContentFiltered,
            _ => StopReason::Other,
        },
        vendor_stop_reason: word,
        usage: None,
    }
    .finish()
}

fn is_r(family: &str) -> bool {
    family.starts_with("cohere.command-r")
}
