//! Amazon: Nova takes messages, Titan Text takes a prompt.
//!
//! Formats: the "Complete request schema" of the Amazon Nova user guide, and AWS's "Amazon
//! Titan Text models" page of the Bedrock user guide.

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

/// Titan's own labels, by which its guide writes conversations.
const LABELS: Labels = Labels { user: "User:", assistant: "Bot:", between: "\n" };
const GUARD: Guard = Guard { tokens: &["\nUser:", "\nBot:"], wrapped: None };

/// Whether a family is Amazon's.
#[must_use]
pub fn owns(family: &str) -> bool {
    is_titan(family) || family.starts_with("amazon.nova-")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    if is_titan(family) {
        return Traits {
            system: SystemRole::FirstUserTurn,
            prefill: true,
            stop: StopRule::TitanWords,
            ..Traits::CHAT
        };
    }
    Traits { prefill: true, top_k: Some(0), ..Traits::CHAT }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Amazon", owns)?;
    let pictures = Features::of(Some(family)).images > ImageSupport::No;
    let prepare = if pictures { ChatRequest::prepared_with_pictures } else { ChatRequest::prepared };
    let talk = prepare(request, &traits(family))?;
    let titan = is_titan(family);
    let mut config = Map::new();
    let max_field = if titan { "maxTokenCount" } else { "maxTokens" };
    config.insert(max_field.to_owned(), request.max_tokens().into());
    read::put(&mut config, "temperature", request.inference.temperature);
    read::put(&mut config, "topP", request.inference.top_p);
    read::put(&mut config, "topK", request.inference.top_k);
    read::put(&mut config, "stopSequences", read::stop(request.stop_sequences()));

    let mut body = Map::new();
    if titan {
        let prompt = LABELS.transcript_or_text(request, &talk, &GUARD)?;
        body.insert("inputText".to_owned(), prompt.into());
        body.insert("textGenerationConfig".to_owned(), config.into());
    } else {
        let messages: Vec<Value> = turns(&request.prompt, None).iter().map(message).collect();
        body.insert("schemaVersion".to_owned(), "messages-v1".into());
        read::put(&mut body, "system", talk.system.map(|text| json!([{ "text": text }])));
        body.insert("messages".to_owned(), messages.into());
        body.insert("inferenceConfig".to_owned(), config.into());
    }
    Ok(Value::Object(body))
}

/// A turn of Nova's.
fn message(turn: &BlockTurn<'_>) -> Value {
    let content: Vec<Value> = turn
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(json!({ "text": text })),
            Part::Block(Block::Image(image)) => Some(
                json!({ "image": { "format": image.format, "source": { "bytes": image.source.bytes } } }),
            ),
            // Other blocks were refused.
            Part::Block(_) => None,
        })
        .collect();
    json!({ "role": turn.role.as_str(), "content": content })
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    if read::object(body)?.contains_key("results") { read_titan(body) } else { read_nova(body) }
}

fn read_nova(body: &Value) -> Result<NormalizedAnswer, FormatError> {
    let path = "output.message.content";
    let content = body.pointer("/output/message/content").filter(|content| !content.is_null());
    let mut text = content.map(|_| String::new());
    let mut reasoning: Option<String> = None;
    let mut parts = AnswerParts::default();
    for (index, block) in read::list(content, path)?.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        if !block.is_object() {
            return Err(FormatError::unreadable(path, "is not an object"));
        }
        if let Some(piece) = read::text(block.get("text"), &format!("{path}.text"))? {
            text.get_or_insert_default().push_str(&piece);
        }
        if let Some(call) = block.get("toolUse") {
            parts.tool_uses.push(read_call(call, &format!("{path}.toolUse"))?);
        }
        if let Some(thought) = block.pointer("/reasoningContent/reasoningText/text").and_then(Value::as_str) {
            reasoning.get_or_insert_default().push_str(thought);
            let signature =
                block.pointer("/reasoningContent/reasoningText/signature").and_then(Value::as_str);
            parts.reasoning.push(ReasoningBlock {
                text: Some(thought.to_owned()),
                signature: signature.map(str::to_owned),
                redacted: None,
            });
        }
    }
    let word = read::word(body, &["stopReason"]);
    Draft {
        text,
        text_path: path,
        reasoning,
        stop_reason: match word.as_deref() {
            Some("end_turn") => StopReason::EndTurn,
            Some("max_tokens") => StopReason::MaxTokens,
            Some("stop_sequence") => StopReason::StopSequence,
            Some("tool_use") => StopReason::ToolUse,
            Some("content_filtered" | "guardrail_intervened") => StopReason::ContentFiltered,
            _ => StopReason::Other,
        },
        vendor_stop_reason: word,
        usage: read::usage(
            body.get("usage"),
            &["inputTokens"],
            &["outputTokens"],
            &["cacheReadInputTokenCount", "cacheReadInputTokens"],
            &["cacheWriteInputTokenCount", "cacheWriteInputTokens"],
        ),
    }
    .finish_with(parts)
}

fn read_call(call: &Value, path: &str) -> Result<ToolUse, FormatError> {
    let member = |name: &str| {
        let path = format!("{path}.{name}");
        read::text(call.get(name), &path)?.ok_or_else(|| FormatError::unreadable(path, "is missing"))
    };
    Ok(ToolUse {
        tool_use_id: member("toolUseId")?,
        name: member("name")?,
        input: call.get("input").cloned().unwrap_or_else(|| json!({})),
    })
}

fn read_titan(body: &Value) -> Result<NormalizedAnswer, FormatError> {
    let result = read::first(body, "results")?;
    let word = read::word(result, &["completionReason"]);
    Draft {
        text: read::text(result.get("outputText"), "results[0].outputText")?,
        text_path: "results[0].outputText",
        reasoning: None,
        stop_reason: match word.as_deref() {
            Some("FINISH" | "FINISHED") => StopReason::EndTurn,
            Some("LENGTH") => StopReason::MaxTokens,
            Some("STOP_CRITERIA_MET") => StopReason::StopSequence,
            Some("CONTENT_FILTERED" | "RAG_QUERY_WHEN_RAG_DISABLED") => StopReason::ContentFiltered,
            _ => StopReason::Other,
        },
        vendor_stop_reason: word,
        usage: titan_usage(body),
    }
    .finish()
}

/// Every result was written and billed, also where only the first is read.
fn titan_usage(body: &Value) -> Option<Usage> {
    let input = read::count(body, &["inputTextTokenCount"])?;
    let mut output: u64 = 0;
    for result in body.get("results")?.as_array()? {
        output = output.saturating_add(read::count(result, &["tokenCount"])?);
    }
    Some(Usage::new(input, output, 0, 0))
}

fn is_titan(family: &str) -> bool {
    family.starts_with("amazon.titan-t")
}
