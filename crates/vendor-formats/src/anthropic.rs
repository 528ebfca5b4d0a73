//! Anthropic's Claude: the Messages format since Claude 2 and Instant, and the text completion of Claude 1.
//!
//! Formats: AWS's "Anthropic Claude Messages API" and "Anthropic Claude Text Completions API"
//! pages of the Bedrock user guide.

use serde_json::{Map, Value, json};

use crate::answer::{Draft, NormalizedAnswer, StopReason};
use crate::error::FormatError;
use crate::prompt::{Guard, Labels};
use crate::read;
use crate::request::ChatRequest;
use crate::traits::{StopRule, SystemRole, Traits};

const VERSION: &str = "bedrock-2023-05-31";
/// How the families begin that take only text completion.
const COMPLETION: &str = "anthropic.claude-v1";
/// How the families begin that take Messages since after their time.
const EARLY: &[&str] = &["anthropic.claude-v", "anthropic.claude-instant-"];
/// Before a turn of the user's in text completion. Where the model stops at it, it has ended its turn.
const HUMAN: &str = "\n\nHuman:";
const LABELS: Labels = Labels { user: HUMAN, assistant: "\n\nAssistant:", between: "" };
const GUARD: Guard = Guard { tokens: &[HUMAN, "\n\nAssistant:"], wrapped: None };

/// Whether a family is Anthropic's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("anthropic.")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    if is_completion(family) {
        return Traits {
            system: SystemRole::Own,
            prefill: true,
            prefill_ends_blank: false,
            top_k: Some(0),
            stop: StopRule::VisibleUpTo(16),
            ..Traits::CHAT
        };
    }
    // A name without a version is newer than this table; Bedrock itself then says what it takes.
    let version = version(family).unwrap_or((0, 0));
    let opus = family.contains("opus");
    let sampling = !(version >= (5, 0) || opus && version >= (4, 7));
    Traits {
        assistant_first: !EARLY.iter().any(|early| family.starts_with(early)),
        prefill: version < (4, 6),
        prefill_ends_blank: false,
        temperature: sampling.then_some(1.0),
        top_p: sampling,
        temperature_with_top_p: version < (4, 5) && !(opus && version >= (4, 1)),
        top_k: sampling.then_some(0),
        stop: StopRule::VisibleUpTo(16),
        ..Traits::CHAT
    }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Anthropic", owns)?;
    let talk = request.prepared(&traits(family))?;
    let inference = &request.inference;
    let mut body = Map::new();
    if is_completion(family) {
        GUARD.check(request, &talk)?;
        body.insert("prompt".to_owned(), LABELS.transcript(&talk).into());
        body.insert("max_tokens_to_sample".to_owned(), request.max_tokens().into());
    } else {
        let messages: Vec<Value> = talk
            .turns
            .iter()
            .map(|turn| json!({ "role": turn.role.as_str(), "content": turn.content }))
            .collect();
        body.insert("anthropic_version".to_owned(), VERSION.into());
        body.insert("max_tokens".to_owned(), request.max_tokens().into());
        read::put(&mut body, "system", talk.system);
        body.insert("messages".to_owned(), messages.into());
    }
    read::put(&mut body, "temperature", inference.temperature);
    read::put(&mut body, "top_p", inference.top_p);
    read::put(&mut body, "top_k", inference.top_k);
    read::put(&mut body, "stop_sequences", read::stop(request.stop_sequences()));
    Ok(Value::Object(body))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    let object = read::object(body)?;
    let word = read::word(body, &["stop_reason"]);
    let stop_reason = stop_reason(word.as_deref());
    if object.contains_key("completion") {
        let at_turn = body.get("stop").and_then(Value::as_str) == Some(HUMAN);
        let stop_reason = if stop_reason == StopReason::StopSequence && at_turn {
            StopReason::EndTurn
        } else {
            stop_reason
        };
        return Draft {
            text: read::text(body.get("completion"), "completion")?,
            text_path: "completion",
            reasoning: None,
            stop_reason,
            vendor_stop_reason: word,
            usage: None,
        }
        .finish();
    }
    let (text, reasoning) = match body.get("content") {
        Some(Value::Array(blocks)) => read_blocks(blocks)?,
        Some(Value::String(text)) => (Some(text.clone()), None),
        None | Some(Value::Null) => (None, None),
        Some(_) => return Err(FormatError::unreadable("content", "is not a list")),
    };
    Draft {
        text,
        text_path: "content",
        reasoning,
        stop_reason,
        vendor_stop_reason: word,
        usage: read::usage(
            body.get("usage"),
            &["input_tokens"],
            &["output_tokens"],
            &["cache_read_input_tokens"],
            &["cache_creation_input_tokens"],
        ),
    }
    .finish()
}

/// Text of all text blocks, and of all thinking blocks. Tool calls and blocks of kinds that are
/// not known hold no text for the caller.
fn read_blocks(blocks: &[Value]) -> Result<(Option<String>, Option<String>), FormatError> {
    let mut text = String::new();
    let mut reasoning: Option<String> = None;
    for (index, block) in blocks.iter().enumerate() {
        let field = match block.get("type").and_then(Value::as_str) {
            Some("text") => "text",
            Some("thinking") => "thinking",
            Some(_) => continue,
            None => return Err(FormatError::unreadable(format!("content[{index}].type"), "is missing")),
        };
        let piece = block.get(field).and_then(Value::as_str).ok_or_else(|| {
            FormatError::unreadable(format!("content[{index}].{field}"), "is missing or not a text")
        })?;
        if field == "text" {
            text.push_str(piece);
        } else {
            reasoning.get_or_insert_default().push_str(piece);
        }
    }
    Ok((Some(text), reasoning))
}

fn stop_reason(word: Option<&str>) -> StopReason {
    match word {
        Some("end_turn") => StopReason::EndTurn,
        Some("max_tokens" | "model_context_window_exceeded") => StopReason::MaxTokens,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("tool_use") => StopReason::ToolUse,
        Some("refusal") => StopReason::Refusal,
        Some("content_filtered" | "guardrail_intervened") => StopReason::ContentFiltered,
        _ => StopReason::Other,
    }
}

fn is_completion(family: &str) -> bool {
    family.starts_with(COMPLETION)
}

/// The version in a family's name: `claude-3-5-sonnet-…` is 3.5, `claude-opus-4-20250514-…` is
/// 4.0. Numbers of more than two digits are dates.
fn version(family: &str) -> Option<(u32, u32)> {
    let mut parts = family.split(['-', '.', ':']).skip_while(|part| !is_version(part));
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().filter(|part| is_version(part)).and_then(|part| part.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

fn is_version(part: &str) -> bool {
    (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
}
