//! Converse: one format for every chat model.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

use serde_json::{Value, json};

use super::error::BedrockError;
use super::fields::RequestFields;
use super::models::{Format, Model, Sampling};
use super::request::{SimulatedAnswer, SimulatedRequest, StopCause};

type Result<T> = std::result::Result<T, BedrockError>;

const KEYS: [&str; 13] = [
    "modelId",
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];
const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(BedrockError::validation(message))
}

/// Checks a body.
///
/// # Errors
/// Converse, or this model through it, would refuse the body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest> {
    if !model.converse {
        return Err(BedrockError::not_a_text_model());
    }
    let fields = RequestFields::root(body)?;
    fields.only(&KEYS)?;
    let mut request = SimulatedRequest { limit: model.default_output, ..SimulatedRequest::default() };
    inference(model, &fields, &mut request)?;
    additional(model, &fields)?;
    for (index, block) in blocks(&fields, "system")?.iter().enumerate() {
        if !model.system {
            return refuse(
                "This model doesn't support system messages. Try again without a system message or use a model that supports system messages.",
            );
        }
        block.only(&["text", "guardContent", "cachePoint"])?;
        if let Some(text) = block.text("text")? {
            request.hear(filled(text, "SystemContentBlock", &format!("system.{index}"))?);
        }
    }
    let messages = blocks(&fields, "messages")?;
    let Some(last) = messages.len().checked_sub(1) else {
        return refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    };
    let mut before = "";
    for (index, message) in messages.iter().enumerate() {
        let (role, text) = read_message(message, index)?;
        if index == 0 && role != "user" {
            return refuse(
                "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
            );
        }
        if role == before {
            return refuse(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
            );
        }
        if index == last && role == "assistant" && !model.prefill {
            return refuse(if model.format == Format::Claude {
                "The model returned the following errors: This model does not support assistant message prefill. The conversation must end with a user message."
            } else {
                "A conversation must end with a user message. Try again with a conversation that ends with a user message."
            });
        }
        before = role;
        request.message(role, &text);
    }
    if last > 0 && !model.history {
        return refuse(
            "This model doesn't support conversation history. Try again with input that only consists of one user message.",
        );
    }
    Ok(request)
}

fn read_message<'a>(message: &RequestFields<'a>, index: usize) -> Result<(&'a str, String)> {
    message.only(&["role", "content"])?;
    message.required("role")?;
    message.required("content")?;
    let role = message.text("role")?.unwrap_or_default();
    if !matches!(role, "user" | "assistant") {
        return refuse(format!(
            "1 validation error detected: Value '{role}' at 'messages.{}.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]",
            index + 1
        ));
    }
    let content = blocks(message, "content")?;
    if content.is_empty() {
        return refuse(format!(
            "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
        ));
    }
    let mut texts = Vec::new();
    for (at, block) in content.iter().enumerate() {
        block.only(&BLOCKS)?;
        let place = format!("messages.{index}.content.{at}");
        let kinds: Vec<_> = BLOCKS.iter().filter(|kind| block.has(kind)).collect();
        match kinds[..] {
            [&"text"] => texts
                .push(filled(block.text("text")?.unwrap_or_default(), "ContentBlock", &place)?.to_owned()),
            [kind] => texts.extend(block.raw(kind).filter(|_| *kind != "cachePoint").map(Value::to_string)),
            _ => {
                return refuse(format!(
                    "The ContentBlock object at {place} must set exactly one of the following keys: {}.",
                    BLOCKS.join(", ")
                ));
            }
        }
    }
    Ok((role, texts.join("\n")))
}

fn inference(model: &Model, fields: &RequestFields<'_>, request: &mut SimulatedRequest) -> Result<()> {
    let Some(config) = fields.object("inferenceConfig")? else {
        return Ok(());
    };
    config.only(&["maxTokens", "temperature", "topP", "stopSequences"])?;
    for key in ["temperature", "topP"] {
        let Some(number) = config.number(key, f64::MIN, f64::MAX)? else {
            continue;
        };
        let bound = if number < 0.0 { "greater than or equal to 0" } else { "less than or equal to 1" };
        if !(0.0..=1.0).contains(&number) {
            return refuse(format!(
                "1 validation error detected: Value '{number}' at 'inferenceConfig.{key}' failed to satisfy constraint: Member must have value {bound}"
            ));
        }
        if model.sampling == Sampling::Refused {
            let name = if key == "topP" { "top_p" } else { key };
            return refuse(format!(
                "The model returned the following errors: `{name}` is deprecated for this model."
            ));
        }
    }
    if model.sampling == Sampling::OneOf && config.has("temperature") && config.has("topP") {
        return refuse(
            "The model returned the following errors: `temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        );
    }
    if let Some(value) = config.raw("maxTokens") {
        if value.as_i64().is_some_and(|limit| limit < 1) {
            return refuse(format!(
                "1 validation error detected: Value '{value}' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1"
            ));
        }
        let limit = config.integer("maxTokens", 1, u64::MAX)?.unwrap_or(1);
        if limit > model.max_output {
            return refuse(format!(
                "The maximum tokens you requested exceeds the model limit of {0}. Try again with a maximum tokens value that is lower than {0}.",
                model.max_output
            ));
        }
        request.limit = limit;
    }
    request.stops = config.strings("stopSequences", 2500)?;
    if !model.stops && !request.stops.is_empty() {
        return refuse(
            "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
        );
    }
    Ok(())
}

/// Fields that go to the model past Converse: each must be one that the model takes.
fn additional(model: &Model, fields: &RequestFields<'_>) -> Result<()> {
    let Some(extra) = fields.object("additionalModelRequestFields")? else {
        return Ok(());
    };
    let allowed: &[&str] = match model.format {
        Format::Claude | Format::ClaudeLegacy => &[
            "top_k",
            "thinking",
            "anthropic_beta",
            "tools",
            "tool_choice",
            "output_config",
            "metadata",
            "context_management",
        ],
        Format::Nova => &["inferenceConfig", "reasoningConfig"],
        Format::MistralPrompt => &["top_k"],
        Format::CohereCommand => &["k", "return_likelihoods", "logit_bias", "truncate", "num_generations"],
        Format::CohereChat => {
            &["k", "seed", "frequency_penalty", "presence_penalty", "documents", "search_queries_only"]
        }
        Format::Jurassic => &["countPenalty", "presencePenalty", "frequencyPenalty"],
        Format::Jamba => &["frequency_penalty", "presence_penalty", "n"],
        Format::MistralChat => &["random_seed", "safe_prompt"],
        Format::Chat | Format::Writer => &[
            "seed",
            "user",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "response_format",
            "reasoning_effort",
            "parallel_tool_calls",
            "top_k",
        ],
        Format::Titan | Format::Llama | Format::DeepSeekR1 => &[],
    };
    let model_says = |error: BedrockError| {
        BedrockError::validation(format!("The model returned the following errors: {}", error.message))
    };
    extra.only(allowed).map_err(model_says)?;
    if extra.has("top_k") && !model.top_k {
        return Err(if model.sampling == Sampling::Refused && model.format == Format::Claude {
            model_says(BedrockError::validation("`top_k` is deprecated for this model."))
        } else {
            model_says(extra.extraneous("top_k"))
        });
    }
    extra.integer("top_k", 0, 500).map_err(model_says)?;
    extra.integer("k", 0, 500).map_err(model_says)?;
    if let Some(config) = extra.object("inferenceConfig").map_err(model_says)? {
        config.only(&["topK", "top_k"]).map_err(model_says)?;
        config.integer("topK", 0, 128).map_err(model_says)?;
        config.integer("top_k", 0, 128).map_err(model_says)?;
    }
    Ok(())
}

/// A list of objects that may be absent or empty.
fn blocks<'a>(fields: &RequestFields<'a>, key: &str) -> Result<Vec<RequestFields<'a>>> {
    match fields.list(key)? {
        None | Some([]) => Ok(Vec::new()),
        Some(_) => fields.objects(key),
    }
}

fn filled<'a>(text: &'a str, object: &str, place: &str) -> Result<&'a str> {
    if text.trim().is_empty() {
        return refuse(format!(
            "The text field in the {object} object at {place} is blank. Add text to the text field, and try again."
        ));
    }
    Ok(text)
}

/// Writes an answer.
#[must_use]
pub fn write(answer: &SimulatedAnswer) -> Value {
    let mut content = Vec::new();
    if let Some(thought) = &answer.reasoning {
        content.push(json!({ "reasoningContent": { "reasoningText": { "text": thought } } }));
    }
    if !answer.text.is_empty() {
        content.push(json!({ "text": answer.text }));
    }
    let reason = match &answer.stop {
        StopCause::Refusal => "content_filtered",
        stop => stop.word(["end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filtered"]),
    };
    json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": reason,
        "usage": {
            "inputTokens": answer.usage.input,
            "outputTokens": answer.usage.output,
            "totalTokens": answer.usage.total(),
            "cacheReadInputTokenCount": answer.usage.cache_read,
            "cacheReadInputTokens": answer.usage.cache_read,
            "cacheWriteInputTokenCount": answer.usage.cache_write,
            "cacheWriteInputTokens": answer.usage.cache_write,
            "serverToolUsage": {},
        },
        "metrics": { "latencyMs": answer.latency_ms },
    })
}
