//! From the sentry's answer to a chat completion.

use serde_json::{Map, Value, json};

/// What every part of an answer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The answer's id, `chatcmpl-…`.
    pub id: String,
    /// The model, as the caller named it.
    pub model: String,
    /// When the answer began, in seconds since 1970.
    pub created: i64,
}

/// The whole answer.
#[must_use]
pub fn completion(about: &Completion, answer: &Value) -> Value {
    let given = answer.get("message").unwrap_or(&Value::Null);
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    let calls = tool_calls(given);
    let content = given.get("content").filter(|text| calls.is_empty() || *text != "");
    message.insert("content".to_owned(), content.cloned().unwrap_or_default());
    message.insert("refusal".to_owned(), Value::Null);
    if let Some(reasoning) = answer.get("reasoning").filter(|text| text.is_string()) {
        message.insert("reasoning_content".to_owned(), reasoning.clone());
    }
    let thinking = thinking_blocks(given);
    if !thinking.is_empty() {
        message.insert("thinking_blocks".to_owned(), thinking.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    let reason = answer.get("stopReason").and_then(Value::as_str).unwrap_or_default();
    json!({
        "id": about.id,
        "object": "chat.completion",
        "created": about.created,
        "model": about.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reason) }],
        "usage": usage(answer.get("usage").unwrap_or(&Value::Null)),
    })
}

/// Why an answer ended, in OpenAI's words.
pub(crate) fn finish_reason(reason: &str) -> &'static str {
    match reason {
        "tool_use" => "tool_calls",
        "max_tokens" | "context_window_exceeded" | "model_context_window_exceeded" => "length",
        "content_filtered" | "guardrail_intervened" | "refusal" => "content_filter",
        _ => "stop",
    }
}

/// Usage in OpenAI's words: there the prompt includes what was read from a cache.
pub(crate) fn usage(usage: &Value) -> Value {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (read, written) = (count("cacheReadInputTokens"), count("cacheWriteInputTokens"));
    let prompt = count("inputTokens").saturating_add(read).saturating_add(written);
    let output = count("outputTokens");
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt.saturating_add(output),
        "prompt_tokens_details": { "cached_tokens": read, "cache_creation_tokens": written },
    })
}

fn tool_calls(message: &Value) -> Vec<Value> {
    let calls = message.get("toolUses").and_then(Value::as_array).into_iter().flatten();
    calls
        .map(|call| {
            let arguments = call.get("input").map(ToString::to_string).unwrap_or_else(|| "{}".to_owned());
            json!({ "id": call.get("toolUseId"), "type": "function",
                "function": { "name": call.get("name"), "arguments": arguments } })
        })
        .collect()
}

fn thinking_blocks(message: &Value) -> Vec<Value> {
    let blocks = message.get("reasoning").and_then(Value::as_array).into_iter().flatten();
    blocks
        .map(|block| match block.get("redacted") {
            Some(redacted) => json!({ "type": "redacted_thinking", "data": redacted }),
            None => json!({ "type": "thinking", "thinking": block.get("text").cloned().unwrap_or_else(|| "".into()),
                "signature": block.get("signature") }),
        })
        .collect()
}
