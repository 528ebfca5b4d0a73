//! Converse: one form for every vendor, in the spelling of the Step Functions integration.
//!
//! Format: the API reference of `Converse` with every member in PascalCase, which is how
//! `aws-sdk:bedrockruntime:converse` takes arguments and gives results. What stands inside
//! `AdditionalModelRequestFields` is the vendor's own and keeps its spelling.
//!
//! Bedrock writes the prompt template here, so special tokens in a text are its concern.

use serde_json::{Map, Value, json};

use crate::FORMATTERS;
use crate::answer::{Draft, NormalizedAnswer, StopReason};
use crate::error::FormatError;
use crate::read;
use crate::reasoning;
use crate::request::ChatRequest;
use crate::traits::{StopRule, SystemRole, Traits};

/// The traits of an opaque id without a known model: everything but `topK`, whose spelling depends on the vendor.
const UNKNOWN: Traits = Traits { prefill: true, ..Traits::CHAT };

/// How a vendor spells `topK` among its own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TopK {
    Field(&'static str),
    InInferenceConfig(&'static str),
}

const TOP_K: &[(&str, TopK)] = &[
    ("anthropic.", TopK::Field("top_k")),
    ("amazon.nova-", TopK::InInferenceConfig("topK")),
    ("cohere.", TopK::Field("k")),
    ("mistral.", TopK::Field("top_k")),
];

/// Families of which Converse says "This model doesn't support the stopSequences field".
const NO_STOP: &[&str] = &["meta.", "openai.", "qwen.", "xai."];
/// Families with which Converse continues an assistant turn, where the model does.
const PREFILL: &[&str] = &["anthropic.", "amazon.nova-"];
/// Families that take a system text through Converse and not in their own prompt.
const SYSTEM: &[&str] = &["mistral.mistral-small-2402-", "mistral.mistral-large-2402-"];
/// Families with which Converse takes a single user message.
const SINGLE_TURN: &[&str] = &["cohere.command-text-", "cohere.command-light-", "ai21.j2-"];

/// Converse takes every model.
#[must_use]
pub fn owns(_family: &str) -> bool {
    true
}

/// What a family takes through Converse.
#[must_use]
pub fn traits(family: &str) -> Traits {
    let is = |list: &[&str]| list.iter().any(|prefix| family.starts_with(prefix));
    let own = FORMATTERS.iter().find(|formatter| formatter.name != "converse" && (formatter.owns)(family));
    let Some(own) = own else { return UNKNOWN };
    let mut traits = (own.traits)(family);
    // Converse itself takes no more, whatever the model does.
    traits.temperature = traits.temperature.map(|most| most.min(1.0));
    traits.prefill = traits.prefill && is(PREFILL);
    traits.assistant_first = false;
    traits.top_k = traits.top_k.filter(|_| top_k(family).is_some());
    if is(NO_STOP) {
        traits.stop = StopRule::Never;
    }
    if is(SYSTEM) {
        traits.system = SystemRole::Own;
    }
    if is(SINGLE_TURN) {
        traits.several_turns = false;
        traits.system = SystemRole::FirstUserTurn;
    }
    traits
}

/// Writes the arguments of a call, without `ModelId`.
///
/// # Errors
/// `InvalidRequest` for what the model does not take through Converse.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family.as_deref();
    let talk = request.prepared(&family.map_or(UNKNOWN, traits))?;
    let inference = &request.inference;
    let messages: Vec<Value> = talk
        .turns
        .iter()
        .map(|turn| json!({ "Role": turn.role.as_str(), "Content": [{ "Text": turn.content }] }))
        .collect();
    let mut config = Map::new();
    config.insert("MaxTokens".to_owned(), request.max_tokens().into());
    read::put(&mut config, "Temperature", inference.temperature);
    read::put(&mut config, "TopP", inference.top_p);
    read::put(&mut config, "StopSequences", read::stop(request.stop_sequences()));

    let mut body = Map::new();
    body.insert("Messages".to_owned(), messages.into());
    read::put(&mut body, "System", talk.system.map(|text| json!([{ "Text": text }])));
    body.insert("InferenceConfig".to_owned(), config.into());
    if let (Some(number), Some(spelling)) = (inference.top_k, family.and_then(top_k)) {
        let fields = match spelling {
            TopK::Field(name) => json!({ name: number }),
            TopK::InInferenceConfig(name) => json!({ "inferenceConfig": { name: number } }),
        };
        body.insert("AdditionalModelRequestFields".to_owned(), fields);
    }
    Ok(Value::Object(body))
}

fn top_k(family: &str) -> Option<TopK> {
    TOP_K.iter().find(|(prefix, _)| family.starts_with(prefix)).map(|(_, spelling)| *spelling)
}

/// Reads the result of a call.
///
/// # Errors
/// `UnreadableModelResponse` where it is not Converse's.
pub fn normalize(model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    read::object(body)?;
    let word = read::word(body, &["StopReason"]);
    let stop_reason = stop_reason(word.as_deref());
    let message =
        body.get("Output").and_then(|output| output.get("Message")).filter(|message| !message.is_null());
    let (text, thought) = match message.map(|message| message.get("Content")) {
        None | Some(None | Some(Value::Null)) => (None, None),
        Some(Some(Value::Array(blocks))) => read_blocks(blocks)?,
        Some(Some(_)) => return Err(FormatError::unreadable("Output.Message.Content", "is not a list")),
    };
    // Some models leave their reasoning in the text, and Converse does not take it out.
    let (text, leaked) = match text {
        Some(text) => {
            let (text, leaked) = reasoning::split_for(&reasoning::family_of(model_id), text, stop_reason);
            (Some(text), leaked)
        }
        None => (None, None),
    };
    Draft {
        text,
        text_path: "Output.Message.Content",
        reasoning: reasoning::joined(thought, leaked),
        stop_reason,
        vendor_stop_reason: word,
        usage: read::usage(
            body.get("Usage"),
            &["InputTokens"],
            &["OutputTokens"],
            &["CacheReadInputTokens", "CacheReadInputTokenCount"],
            &["CacheWriteInputTokens", "CacheWriteInputTokenCount"],
        ),
    }
    .finish()
}

/// Text of all text blocks, also of those with citations, and of all reasoning blocks; blocks of
/// other kinds hold no text for the caller.
fn read_blocks(blocks: &[Value]) -> Result<(Option<String>, Option<String>), FormatError> {
    let mut text = String::new();
    let mut thought: Option<String> = None;
    for (index, block) in blocks.iter().enumerate() {
        if !block.is_object() {
            return Err(FormatError::unreadable(
                format!("Output.Message.Content[{index}]"),
                "is not an object",
            ));
        }
        let path = format!("Output.Message.Content[{index}].Text");
        text.push_str(&read::text(block.get("Text"), &path)?.unwrap_or_default());
        let cited = block.pointer("/CitationsContent/Content").and_then(Value::as_array);
        for (part, piece) in cited.into_iter().flatten().enumerate() {
            let path = format!("Output.Message.Content[{index}].CitationsContent.Content[{part}].Text");
            text.push_str(&read::text(piece.get("Text"), &path)?.unwrap_or_default());
        }
        if let Some(piece) = block.pointer("/ReasoningContent/ReasoningText/Text").and_then(Value::as_str) {
            thought.get_or_insert_default().push_str(piece);
        }
    }
    Ok((Some(text), thought))
}

fn stop_reason(word: Option<&str>) -> StopReason {
    match word {
        Some("end_turn") => StopReason::EndTurn,
        Some("max_tokens" | "model_context_window_exceeded") => StopReason::MaxTokens,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("tool_use") => StopReason::ToolUse,
        Some("content_filtered" | "guardrail_intervened") => StopReason::ContentFiltered,
        Some("refusal") => StopReason::Refusal,
        _ => StopReason::Other,
    }
}
