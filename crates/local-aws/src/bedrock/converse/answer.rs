//! The answer of Converse.

use serde_json::{Map, Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::request::{SimulatedRequest, StopCause};

/// The word for why the model stopped.
#[must_use]
pub fn stop_reason(stop: &StopCause) -> &str {
    match stop {
        StopCause::Refusal => "content_filtered",
        stop => stop.word(["end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filtered"]),
    }
}

/// The blocks of the answer.
#[must_use]
pub fn blocks(answer: &SimulatedAnswer) -> Vec<Value> {
    let written = &answer.content;
    let mut blocks = Vec::new();
    if let Some(thought) = &written.reasoning {
        let mut text = json!({ "text": thought });
        if let Some(signature) = &written.signature {
            text["signature"] = json!(signature);
        }
        blocks.push(json!({ "reasoningContent": { "reasoningText": text } }));
    }
    if let Some(redacted) = &written.redacted {
        blocks.push(json!({ "reasoningContent": { "redactedContent": redacted } }));
    }
    if !written.text.is_empty() {
        blocks.push(if written.cited {
            json!({ "citationsContent": {
                "content": [{ "text": written.text }],
                "citations": [citation(&written.text)],
            } })
        } else {
            json!({ "text": written.text })
        });
    }
    for call in &written.tool_calls {
        blocks.push(json!({ "toolUse": { "toolUseId": call.id, "name": call.name, "input": call.input } }));
    }
    blocks
}

/// A citation of the first document.
#[must_use]
pub fn citation(text: &str) -> Value {
    json!({
        "title": "Simulated document",
        "sourceContent": [{ "text": text }],
        "location": { "documentChar": { "documentIndex": 0, "start": 0, "end": text.chars().count() } },
    })
}

/// The usage of the answer.
#[must_use]
pub fn usage(answer: &SimulatedAnswer) -> Value {
    let mut usage = json!({
        "inputTokens": answer.usage.input,
        "outputTokens": answer.usage.output,
        "totalTokens": answer.usage.total(),
        "cacheReadInputTokenCount": answer.usage.cache_read,
        "cacheReadInputTokens": answer.usage.cache_read,
        "cacheWriteInputTokenCount": answer.usage.cache_write,
        "cacheWriteInputTokens": answer.usage.cache_write,
        "serverToolUsage": {},
    });
    if !answer.cache_writes.is_empty() {
        let details: Vec<Value> = answer
            .cache_writes
            .iter()
            .map(|(ttl, tokens)| json!({ "ttl": ttl.as_str(), "inputTokens": tokens }))
            .collect();
        usage["cacheDetails"] = Value::Array(details);
    }
    usage
}

/// The wanted fields of the model's own answer; nothing when it has none of them.
#[must_use]
pub fn response_fields(request: &SimulatedRequest, answer: &SimulatedAnswer) -> Option<Value> {
    let own = json!({
        "stop_sequence": match &answer.content.stop {
            StopCause::Sequence(sequence) => Some(sequence),
            _ => None,
        },
    });
    let mut fields = Map::new();
    for path in &request.converse.response_paths {
        if let (Some(value), Some(name)) = (own.pointer(path), path.strip_prefix('/')) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// Writes an answer.
#[must_use]
pub fn write(request: &SimulatedRequest, answer: &SimulatedAnswer) -> Value {
    let mut body = json!({
        "output": { "message": { "role": "assistant", "content": blocks(answer) } },
        "stopReason": stop_reason(&answer.content.stop),
        "usage": usage(answer),
        "metrics": { "latencyMs": answer.latency_ms },
    });
    if let Some(tier) = &answer.service_tier {
        body["serviceTier"] = json!({ "type": tier });
    }
    if let Some(latency) = &request.converse.latency {
        body["performanceConfig"] = json!({ "latency": latency });
    }
    if let Some(fields) = response_fields(request, answer) {
        body["additionalModelResponseFields"] = fields;
    }
    body
}
