//! Chat completions, as OpenAI, Qwen, DeepSeek V3 and others speak them on Bedrock.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::{RequestFields, wrong_type};
use super::super::models::Model;
use super::super::request::{SimulatedRequest, StopCause};

const KEYS: [&str; 22] = [
    "messages",
    "model",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "stream",
    "n",
    "seed",
    "user",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "service_tier",
];

/// Whether turns of one role may follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// System first, then user and assistant in turns, the user last.
    Strict,
    /// As it comes.
    Free,
}

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.required("messages")?;
    fields.only(&KEYS)?;
    if fields.text("model")?.is_some_and(|name| name != model.id && name != model.metric_id) {
        return Err(BedrockError::validation(
            "The model in the request body does not match the model identifier in the request path.",
        ));
    }
    if fields.boolean("stream")? == Some(true) {
        return Err(BedrockError::validation(
            "stream: InvokeModel does not stream; use InvokeModelWithResponseStream.",
        ));
    }
    if model.completion_tokens && fields.has("max_tokens") {
        return Err(BedrockError::validation(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ));
    }
    super::sampling(model, &fields, &["temperature", "top_p"])?;
    if !model.stops && fields.has("stop") {
        return Err(super::unsupported("stop", "this model"));
    }
    fields.number("temperature", 0.0, model.max_temperature)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.number("frequency_penalty", -2.0, 2.0)?;
    fields.number("presence_penalty", -2.0, 2.0)?;
    fields.integer("n", 1, 1)?;
    fields.one_of("reasoning_effort", &["none", "minimal", "low", "medium", "high", "xhigh"])?;
    let limits = (
        fields.integer("max_completion_tokens", 1, model.max_output)?,
        fields.integer("max_tokens", 1, model.max_output)?,
    );
    let stops = match fields.raw("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        _ => fields.strings("stop", 4)?,
    };
    let mut request = SimulatedRequest {
        limit: limits.0.or(limits.1).unwrap_or(model.default_output),
        stops,
        ..SimulatedRequest::default()
    };
    messages(&fields, &["system", "developer", "user", "assistant", "tool"], Order::Free, &mut request)?;
    Ok(request)
}

/// Checks the list of messages.
pub fn messages(
    fields: &RequestFields<'_>,
    roles: &[&str],
    order: Order,
    request: &mut SimulatedRequest,
) -> Result<(), BedrockError> {
    let mut before = "";
    for (index, message) in fields.objects("messages")?.iter().enumerate() {
        message.required("role")?;
        message.only(&["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "prefix"])?;
        let role = message.one_of("role", roles)?.unwrap_or_default();
        let text = content(message, index, role)?;
        match role {
            "system" | "developer" if order == Order::Strict && !matches!(before, "" | "system") => {
                return Err(BedrockError::validation(format!(
                    "messages[{index}]: a system message must come first"
                )));
            }
            "assistant" if order == Order::Strict && matches!(before, "" | "system") => {
                return Err(BedrockError::validation(
                    "Conversation must start with a user message, after an optional system message.",
                ));
            }
            "user" | "assistant" if order == Order::Strict && role == before => {
                return Err(BedrockError::validation(
                    "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
                ));
            }
            "system" | "developer" => request.hear(&text),
            _ => request.message(role, &text),
        }
        before = role;
    }
    match before {
        "user" | "tool" => Ok(()),
        _ if order == Order::Free && request.messages > 0 => Ok(()),
        _ => Err(BedrockError::validation("Expected last role to be user or tool.")),
    }
}

/// The text of a message: a string, or parts of text.
fn content(message: &RequestFields<'_>, index: usize, role: &str) -> Result<String, BedrockError> {
    let place = format!("messages[{index}].content");
    let text = match message.raw("content") {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) if role == "assistant" && message.has("tool_calls") => {
            return Ok(message.raw("tool_calls").map(Value::to_string).unwrap_or_default());
        }
        None => {
            return Err(message
                .required("content")
                .err()
                .unwrap_or_else(|| super::unsupported("content", "this model")));
        }
        Some(Value::Array(_)) => {
            let mut texts = Vec::new();
            for part in message.objects("content")? {
                match part.text("type")? {
                    Some("text") => texts.push(part.required_text("text")?.to_owned()),
                    Some("image_url") => {}
                    _ => {
                        return Err(BedrockError::validation(format!(
                            "{place}: a part's type must be text or image_url"
                        )));
                    }
                }
            }
            texts.join("\n")
        }
        Some(other) => return Err(wrong_type(&message.path("content"), "String", other)),
    };
    super::spoken(&text, &place)?;
    Ok(text)
}

/// Writes an answer. When the limit came while it was thinking, the content is null.
pub fn write(model: &Model, answer: &SimulatedAnswer) -> Value {
    let mut message = json!({ "role": "assistant", "content": answer.content.text });
    match &answer.content.reasoning {
        Some(_) if answer.content.text.is_empty() => message["content"] = Value::Null,
        Some(thought) if model.id.starts_with("openai.gpt-oss-") => {
            message["content"] = json!(format!("<reasoning>{thought}</reasoning>{}", answer.content.text));
        }
        Some(thought) => message["reasoning_content"] = json!(thought),
        None => {}
    }
    if answer.content.stop == StopCause::Refusal {
        message["refusal"] = json!(answer.content.text);
        message["content"] = Value::Null;
    }
    let mut usage = json!({
        "prompt_tokens": answer.usage.input + answer.usage.cache_read,
        "completion_tokens": answer.usage.output,
        "total_tokens": answer.usage.input + answer.usage.cache_read + answer.usage.output,
    });
    if answer.usage.cache_read > 0 {
        usage["prompt_tokens_details"] = json!({ "cached_tokens": answer.usage.cache_read });
    }
    json!({
        "id": format!("chatcmpl-{}", answer.id),
        "object": "chat.completion",
        "created": answer.created,
        "model": model.id,
        "choices": [{
            "index": 0,
            "message": message,
            "finish_reason": answer.content.stop.word(["stop", "length", "stop", "tool_calls", "content_filter"]),
        }],
        "usage": usage,
    })
}
