//! Mistral: chat completions since July 2024, and one text in the instruct prompt before.
//!
//! Formats: AWS's "Mistral AI chat completion" and "Mistral AI text completion" pages of the
//! Bedrock user guide. Texts of the instruct prompt have no system role.

use sentry_core::model::{Route, UsageSource};
use sentry_core::request::{Conversation, Role};
use serde_json::{Map, Value};

use crate::answer::{Draft, NormalizedAnswer};
use crate::chat_completions as chat;
use crate::error::FormatError;
use crate::meta::INSTRUCT_GUARD;
use crate::read;
use crate::request::ChatRequest;
use crate::traits::{StopRule, SystemRole, Traits};

/// Whether a family is Mistral's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("mistral.")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    if takes_text(family) {
        return Traits {
            system: SystemRole::FirstUserTurn,
            prefill: true,
            top_k: Some(1),
            stop: StopRule::UpTo(10),
            ..Traits::CHAT
        };
    }
    Traits { stop: StopRule::UpTo(10), ..Traits::CHAT }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Mistral", owns)?;
    let talk = request.prepared(&traits(family))?;
    if !takes_text(family) {
        return Ok(chat::body(request, &talk, chat::MAX_TOKENS));
    }
    INSTRUCT_GUARD.check(request, &talk)?;
    let mut body = Map::new();
    body.insert("prompt".to_owned(), prompt(&talk).into());
    body.insert("max_tokens".to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "top_p", request.inference.top_p);
    read::put(&mut body, "top_k", request.inference.top_k);
    read::put(&mut body, "stop", read::stop(request.stop_sequences()));
    Ok(Value::Object(body))
}

fn prompt(talk: &Conversation) -> String {
    let mut text = "<s>".to_owned();
    for (index, turn) in talk.turns.iter().enumerate() {
        match turn.role {
            Role::Assistant if talk.prefill() == Some(turn) => text.push_str(&format!(" {}", turn.content)),
            Role::Assistant => text.push_str(&format!(" {}</s>", turn.content)),
            Role::User | Role::System => {
                let space = if index == 0 { "" } else { " " };
                text.push_str(&format!("{space}[INST] {} [/INST]", turn.content));
            }
        }
    }
    text
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    if !read::object(body)?.contains_key("outputs") {
        return chat::read_answer(body, "mistral.");
    }
    let output = read::first(body, "outputs")?;
    let word = read::word(output, &["stop_reason", "finish_reason"]);
    Draft {
        text: read::text(output.get("text"), "outputs[0].text")?,
        text_path: "outputs[0].text",
        reasoning: None,
        stop_reason: chat::stop_reason(word.as_deref()),
        vendor_stop_reason: word,
        usage: chat::usage(body.get("usage")),
    }
    .finish()
}

/// Whether the family is of the time before chat, whose body carries no usage.
fn takes_text(family: &str) -> bool {
    Route::of(family).usage == UsageSource::HeadersOnly
}
