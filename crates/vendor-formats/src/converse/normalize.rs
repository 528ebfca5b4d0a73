//! The result of a call.
//!
//! Members that are not known are ignored, also inside known ones. A list of one element may
//! arrive as the element itself, since JSONata does not tell the two apart.

use sentry_core::request::ToolUse;
use serde_json::{Map, Value};

use crate::answer::{AnswerParts, Draft, NormalizedAnswer, ReasoningBlock, StopReason, Usage};
use crate::error::FormatError;
use crate::features::ANSWER_TOOL;
use crate::read;
use crate::reasoning;

const CONTENT: &str = "Output.Message.Content";

/// Reads the result of a call.
///
/// # Errors
/// `UnreadableModelResponse` where it is not Converse's.
pub fn normalize(model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    read::object(body)?;
    let word = read::word(body, &["StopReason"]);
    let mut stop_reason = stop_reason(word.as_deref());
    let content = body
        .get("Output")
        .and_then(|output| output.get("Message"))
        .and_then(|message| message.get("Content"))
        .filter(|content| !content.is_null());
    let mut blocks = Blocks::default();
    if let Some(content) = content {
        for (index, block) in read::list(Some(content), CONTENT)?.into_iter().enumerate() {
            blocks.add(block, &format!("{CONTENT}[{index}]"))?;
        }
    }
    // Some models leave their reasoning in the text, and Converse does not take it out.
    let (text, leaked) = match content {
        Some(_) => {
            let (text, leaked) =
                reasoning::split_for(&reasoning::family_of(model_id), blocks.text, stop_reason);
            (Some(text), leaked)
        }
        None => (None, None),
    };
    // A call of the tool that stands for a schema is the answer itself.
    let text = match blocks.parts.tool_uses.iter().find(|call| call.name == ANSWER_TOOL) {
        Some(call) => {
            let answer = call.input.to_string();
            if stop_reason == StopReason::ToolUse {
                stop_reason = StopReason::EndTurn;
            }
            blocks.parts.tool_uses.retain(|call| call.name != ANSWER_TOOL);
            Some(answer)
        }
        None => text,
    };
    blocks.parts.service_tier = body.pointer("/ServiceTier/Type").and_then(Value::as_str).map(str::to_owned);
    Draft {
        text,
        text_path: CONTENT,
        reasoning: reasoning::joined(blocks.thought, leaked),
        stop_reason,
        vendor_stop_reason: word,
        usage: usage(body.get("Usage")),
    }
    .finish_with(blocks.parts)
}

/// What the blocks of an answer hold.
#[derive(Default)]
struct Blocks {
    text: String,
    thought: Option<String>,
    parts: AnswerParts,
}

impl Blocks {
    fn add(&mut self, block: &Value, path: &str) -> Result<(), FormatError> {
        if !block.is_object() {
            return Err(FormatError::unreadable(path, "is not an object"));
        }
        self.text.push_str(&read::text(block.get("Text"), &format!("{path}.Text"))?.unwrap_or_default());
        if let Some(cited) = block.get("CitationsContent") {
            self.add_cited(cited, path)?;
        }
        if let Some(call) = block.get("ToolUse").filter(|call| !call.is_null()) {
            let member = |name: &str| {
                let path = format!("{path}.ToolUse.{name}");
                read::text(call.get(name), &path)?.ok_or_else(|| FormatError::unreadable(path, "is missing"))
            };
            self.parts.tool_uses.push(ToolUse {
                tool_use_id: member("ToolUseId")?,
                name: member("Name")?,
                input: call
                    .get("Input")
                    .filter(|input| !input.is_null())
                    .cloned()
                    .unwrap_or_else(|| Map::new().into()),
            });
        }
        if let Some(reasoning) = block.get("ReasoningContent") {
            self.add_reasoning(reasoning);
        }
        Ok(())
    }

    /// A text with citations, which is not repeated in a text block.
    fn add_cited(&mut self, cited: &Value, path: &str) -> Result<(), FormatError> {
        let mut text = String::new();
        for (index, piece) in read::loose_list(cited.get("Content")).into_iter().enumerate() {
            let path = format!("{path}.CitationsContent.Content[{index}].Text");
            text.push_str(&read::text(piece.get("Text"), &path)?.unwrap_or_default());
        }
        for citation in read::loose_list(cited.get("Citations")) {
            let Value::Object(mut fields) = camel_case(citation) else { continue };
            fields.insert("text".to_owned(), text.as_str().into());
            self.parts.citations.push(fields.into());
        }
        self.text.push_str(&text);
        Ok(())
    }

    fn add_reasoning(&mut self, reasoning: &Value) {
        let member = |pointer: &str| reasoning.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let text = member("/ReasoningText/Text");
        if let Some(text) = &text {
            self.thought.get_or_insert_default().push_str(text);
        }
        let block = ReasoningBlock {
            text,
            signature: member("/ReasoningText/Signature"),
            redacted: member("/RedactedContent"),
        };
        if block != ReasoningBlock::default() {
            self.parts.reasoning.push(block);
        }
    }
}

/// A citation in the spelling of Converse itself. All of its members are modelled.
fn camel_case(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(camel_case).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                (first.into_iter().chain(letters).collect::<String>(), camel_case(field))
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn usage(value: Option<&Value>) -> Option<Usage> {
    let usage = read::usage(
        value,
        &["InputTokens"],
        &["OutputTokens"],
        &["CacheReadInputTokens", "CacheReadInputTokenCount"],
        &["CacheWriteInputTokens", "CacheWriteInputTokenCount"],
    )?;
    let mut hour: u64 = 0;
    for detail in read::loose_list(value?.get("CacheDetails")) {
        if detail.get("Ttl").and_then(Value::as_str) == Some("1h") {
            hour = hour.saturating_add(read::count(detail, &["InputTokens"])?);
        }
    }
    Some(usage.with_one_hour_writes(hour))
}

fn stop_reason(word: Option<&str>) -> StopReason {
    match word {
        Some("end_turn") => StopReason::EndTurn,
        Some("max_tokens") => StopReason::MaxTokens,
        Some("model_context_window_exceeded") => StopReason::ContextWindowExceeded,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("tool_use") => StopReason::ToolUse,
        Some("content_filtered" | "guardrail_intervened") => StopReason::ContentFiltered,
        Some("refusal") => StopReason::Refusal,
        // Among them `malformed_model_output` and `malformed_tool_use`, whose own words stay.
        _ => StopReason::Other,
    }
}
