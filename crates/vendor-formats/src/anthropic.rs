//! Anthropic's Claude: the Messages format since Claude 2 and Instant, and the text completion of Claude 1.
//!
//! Formats: AWS's "Anthropic Claude Messages API" and "Anthropic Claude Text Completions API"
//! pages of the Bedrock user guide.

use sentry_core::request::{Block, ToolUse};
use serde_json::{Map, Value, json};

use crate::answer::{AnswerParts, Draft, NormalizedAnswer, ReasoningBlock, StopReason, Usage};
use crate::error::FormatError;
use crate::features::{Features, ImageSupport};
use crate::prompt::{Guard, Labels};
use crate::read;
use crate::request::ChatRequest;
use crate::traits::{StopRule, SystemRole, Traits};
use crate::turns::{BlockTurn, Part, turns};

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
    let pictures = Features::of(Some(family)).images > ImageSupport::No;
    let prepare = if pictures { ChatRequest::prepared_with_pictures } else { ChatRequest::prepared };
    let talk = prepare(request, &traits(family))?;
    let inference = &request.inference;
    let mut body = Map::new();
    if is_completion(family) {
        GUARD.check(request, &talk)?;
        body.insert("prompt".to_owned(), LABELS.transcript(&talk).into());
        body.insert("max_tokens_to_sample".to_owned(), request.max_tokens().into());
    } else {
        let messages: Vec<Value> = turns(&request.prompt, None).iter().map(message).collect();
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

/// A turn: its text, or its blocks where it has pictures.
fn message(turn: &BlockTurn<'_>) -> Value {
    let content: Value = match turn.parts.as_slice() {
        [Part::Text(text)] => text.as_str().into(),
        parts => parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(json!({ "type": "text", "text": text })),
                Part::Block(Block::Image(image)) => Some(json!({
                    "type": "image",
                    "source": {
                        "type": "base64",
                        "media_type": format!("image/{}", image.format),
                        "data": image.source.bytes,
                    },
                })),
                // Other blocks were refused.
                Part::Block(_) => None,
            })
            .collect(),
    };
    json!({ "role": turn.role.as_str(), "content": content })
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
    let (text, reasoning, parts) = match body.get("content") {
        Some(Value::String(text)) => (Some(text.clone()), None, AnswerParts::default()),
        None | Some(Value::Null) => (None, None, AnswerParts::default()),
        content => read_blocks(&read::list(content, "content")?)?,
    };
    Draft {
        text,
        text_path: "content",
        reasoning,
        stop_reason,
        vendor_stop_reason: word,
        usage: usage(body.get("usage")),
    }
    .finish_with(parts)
}

/// Text of all text blocks, text of all thinking blocks, and the calls of tools. Blocks of kinds
/// that are not known hold nothing for the caller.
fn read_blocks(blocks: &[&Value]) -> Result<(Option<String>, Option<String>, AnswerParts), FormatError> {
    let mut text = String::new();
    let mut reasoning: Option<String> = None;
    let mut parts = AnswerParts::default();
    for (index, block) in blocks.iter().enumerate() {
        let member = |field: &str| {
            block.get(field).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
                FormatError::unreadable(format!("content[{index}].{field}"), "is missing or not a text")
            })
        };
        match member("type")?.as_str() {
            "text" => text.push_str(&member("text")?),
            "thinking" => {
                let thought = member("thinking")?;
                reasoning.get_or_insert_default().push_str(&thought);
                parts.reasoning.push(ReasoningBlock {
                    text: Some(thought),
                    signature: member("signature").ok(),
                    redacted: None,
                });
            }
            "redacted_thinking" => {
                let redacted = Some(member("data")?);
                parts.reasoning.push(ReasoningBlock { redacted, ..ReasoningBlock::default() });
            }
            "tool_use" => parts.tool_uses.push(ToolUse {
                tool_use_id: member("id")?,
                name: member("name")?,
                input: block.get("input").cloned().unwrap_or_else(|| json!({})),
            }),
            _ => {}
        }
    }
    Ok((Some(text), reasoning, parts))
}

fn usage(value: Option<&Value>) -> Option<Usage> {
    let usage = read::usage(
        value,
        &["input_tokens"],
        &["output_tokens"],
        &["cache_read_input_tokens"],
        &["cache_creation_input_tokens"],
    )?;
    let hour = value
        .and_then(|value| value.pointer("/cache_creation/ephemeral_1h_input_tokens"))
        .filter(|count| !count.is_null());
    Some(usage.with_one_hour_writes(hour.map_or(Some(0), read::whole)?))
}

fn stop_reason(word: Option<&str>) -> StopReason {
    match word {
        Some("end_turn") => StopReason::EndTurn,
        Some("max_tokens") => StopReason::MaxTokens,
        Some("model_context_window_exceeded") => StopReason::ContextWindowExceeded,
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
