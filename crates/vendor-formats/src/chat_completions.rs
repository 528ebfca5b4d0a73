//! The chat-completions format, shared by the vendors that speak it; and as a formatter of its
//! own for those that have no module: Google, MiniMax, Moonshot, NVIDIA, Z.ai and xAI.
//!
//! Format: OpenAI's chat completions without `model`, which Bedrock takes from the call.

use sentry_core::request::Conversation;
use serde_json::{Map, Value, json};

use crate::answer::{Draft, NormalizedAnswer, StopReason, Usage};
use crate::error::FormatError;
use crate::read;
use crate::reasoning;
use crate::request::ChatRequest;
use crate::traits::{StopRule, Traits};

/// Beginnings of the families that have no module of their own.
const OWN: &[&str] = &["google.", "minimax.", "moonshot.", "moonshotai.", "nvidia.", "zai.", "xai."];

/// A chat-completions model: temperature to 2, at most four stop sequences.
pub(crate) const TRAITS: Traits = Traits { temperature: Some(2.0), stop: StopRule::UpTo(4), ..Traits::CHAT };

/// The field that limits the output.
pub(crate) const MAX_TOKENS: &str = "max_tokens";
/// The same where reasoning counts too.
pub(crate) const MAX_COMPLETION_TOKENS: &str = "max_completion_tokens";

/// Whether a family is served by this format and no module of its own.
#[must_use]
pub fn owns(family: &str) -> bool {
    OWN.iter().any(|prefix| family.starts_with(prefix))
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    // Grok refuses a request that has stop sequences.
    let grok = family.starts_with("xai.");
    Traits {
        stop: if grok { StopRule::Never } else { TRAITS.stop },
        least_max_tokens: if grok || family.starts_with("moonshotai.kimi-k3") { 16 } else { 1 },
        ..TRAITS
    }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("chat-completions", owns)?;
    let talk = request.prepared(&traits(family))?;
    Ok(body(request, &talk, MAX_TOKENS))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it is not chat completions.
pub fn normalize(model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    read_answer(body, &reasoning::family_of(model_id))
}

/// The body of a conversation that passed the family's checks.
pub(crate) fn body(request: &ChatRequest, talk: &Conversation, max_field: &str) -> Value {
    let mut body = Map::new();
    body.insert("messages".to_owned(), messages(talk).into());
    body.insert(max_field.to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "top_p", request.inference.top_p);
    read::put(&mut body, "stop", read::stop(request.stop_sequences()));
    Value::Object(body)
}

/// Messages with the system text as the first.
fn messages(talk: &Conversation) -> Vec<Value> {
    let system = talk.system.iter().map(|text| json!({ "role": "system", "content": text }));
    let turns = talk.turns.iter().map(|turn| json!({ "role": turn.role.as_str(), "content": turn.content }));
    system.chain(turns).collect()
}

/// Reads an answer; `family` decides which tags hold reasoning.
pub(crate) fn read_answer(body: &Value, family: &str) -> Result<NormalizedAnswer, FormatError> {
    let choice = read::first(body, "choices")?;
    if !choice.is_object() {
        return Err(FormatError::unreadable("choices[0]", "is not an object"));
    }
    let word = read::word(choice, &["finish_reason", "stop_reason"]);
    let mut reason = stop_reason(word.as_deref());
    let (text, text_path, mut thought, refusal) =
        match choice.get("message").filter(|message| !message.is_null()) {
            Some(message) => (
                content(message.get("content"))?,
                "choices[0].message.content",
                read::word(message, &["reasoning_content", "reasoning"]),
                read::word(message, &["refusal"]),
            ),
            None => (read::text(choice.get("text"), "choices[0].text")?, "choices[0].text", None, None),
        };
    let text = match text {
        Some(text) => {
            let (text, tagged) = reasoning::split_for(family, text, reason);
            thought = reasoning::joined(thought, tagged);
            Some(text)
        }
        None => None,
    };
    // A refusal stands where the text would be.
    let text = match refusal.filter(|words| !words.is_empty()) {
        Some(words) if text.as_deref().unwrap_or_default().is_empty() => {
            reason = StopReason::Refusal;
            Some(words)
        }
        _ => text,
    };
    Draft {
        text,
        text_path,
        reasoning: thought,
        stop_reason: reason,
        vendor_stop_reason: word,
        usage: usage(body.get("usage")),
    }
    .finish()
}

/// Content is a text, null, or a list of parts.
fn content(value: Option<&Value>) -> Result<Option<String>, FormatError> {
    let path = "choices[0].message.content";
    let Some(Value::Array(parts)) = value else { return read::text(value, path) };
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        match part.get("text") {
            Some(Value::String(piece)) => text.push_str(piece),
            // A part of another kind holds no text for the caller.
            None if part.is_object() => {}
            _ => return Err(FormatError::unreadable(format!("{path}[{index}].text"), "is not a text")),
        }
    }
    Ok(Some(text))
}

/// `prompt_tokens` includes the cached ones, unlike Bedrock's count.
pub(crate) fn usage(value: Option<&Value>) -> Option<Usage> {
    let whole = read::usage(value, &["prompt_tokens"], &["completion_tokens"], &[], &[])?;
    let cached = value
        .and_then(|usage| usage.pointer("/prompt_tokens_details/cached_tokens"))
        .and_then(read::whole)
        .unwrap_or(0)
        .min(whole.input_tokens);
    Some(Usage::new(whole.input_tokens - cached, whole.output_tokens, cached, 0))
}

pub(crate) fn stop_reason(word: Option<&str>) -> StopReason {
    match word {
        Some("stop" | "end_turn" | "eos" | "endoftext") => StopReason::EndTurn,
        Some("length" | "max_tokens" | "model_length") => StopReason::MaxTokens,
        Some("model_context_window_exceeded") => StopReason::ContextWindowExceeded,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("tool_calls" | "function_call" | "tool_use") => StopReason::ToolUse,
        Some("content_filter" | "content_filtered") => StopReason::ContentFiltered,
        Some("refusal") => StopReason::Refusal,
        _ => StopReason::Other,
    }
}
