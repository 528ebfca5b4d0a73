//! The answer of InvokeModelWithResponseStream: chunks in the vendor's own shape, the last of
//! which carries Bedrock's metrics.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::event_stream::{StreamEvent, pieces};
use super::super::models::{Format, Model};

/// The events of an answer to this body.
#[must_use]
pub fn events(model: &Model, body: &Value, answer: &SimulatedAnswer) -> Vec<StreamEvent> {
    let whole = super::write(model, body, answer);
    let mut chunks = match model.format {
        Format::Claude | Format::ClaudeLegacy if body.get("prompt").is_none() => anthropic(&whole),
        Format::Nova => nova(&whole),
        Format::Chat | Format::MistralChat | Format::Jamba => chat(&whole),
        // Each of these sends documents of the shape of its answer; here the whole is one of them.
        _ => vec![whole],
    };
    if let Some(last) = chunks.last_mut() {
        last["amazon-bedrock-invocationMetrics"] = json!({
            "inputTokenCount": answer.usage.input,
            "outputTokenCount": answer.usage.output,
            "cacheReadInputTokenCount": answer.usage.cache_read,
            "cacheWriteInputTokenCount": answer.usage.cache_write,
            "invocationLatency": answer.latency_ms,
            "firstByteLatency": answer.latency_ms,
        });
    }
    let chunk = |document: Value| {
        StreamEvent::new("chunk", json!({ "bytes": STANDARD.encode(document.to_string()) }))
    };
    chunks.into_iter().map(chunk).collect()
}

/// <https://platform.claude.com/docs/en/build-with-claude/streaming>
fn anthropic(whole: &Value) -> Vec<Value> {
    let mut message = whole.clone();
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    message["stop_sequence"] = Value::Null;
    message["usage"]["output_tokens"] = json!(1);
    let mut chunks = vec![json!({ "type": "message_start", "message": message })];
    for (index, block) in whole["content"].as_array().into_iter().flatten().enumerate() {
        let thinking = block["type"] == "thinking";
        let start = if thinking {
            json!({ "type": "thinking", "thinking": "", "signature": "" })
        } else {
            json!({ "type": "text", "text": "" })
        };
        chunks.push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
        let mut delta = |delta: Value| {
            chunks.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        };
        let text = block[if thinking { "thinking" } else { "text" }].as_str().unwrap_or_default();
        for piece in pieces(text) {
            delta(if thinking {
                json!({ "type": "thinking_delta", "thinking": piece })
            } else {
                json!({ "type": "text_delta", "text": piece })
            });
        }
        if thinking {
            delta(json!({ "type": "signature_delta", "signature": block["signature"] }));
        }
        chunks.push(json!({ "type": "content_block_stop", "index": index }));
    }
    chunks.push(json!({
        "type": "message_delta",
        "delta": { "stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"] },
        "usage": { "output_tokens": whole["usage"]["output_tokens"] },
    }));
    chunks.push(json!({ "type": "message_stop" }));
    chunks
}

/// <https://docs.aws.amazon.com/nova/latest/userguide/using-invoke-api.html>
fn nova(whole: &Value) -> Vec<Value> {
    let mut chunks = vec![json!({ "messageStart": { "role": "assistant" } })];
    let blocks = whole["output"]["message"]["content"].as_array().into_iter().flatten();
    for (index, block) in blocks.enumerate() {
        let thought = block["reasoningContent"]["reasoningText"]["text"].as_str();
        for piece in pieces(thought.or(block["text"].as_str()).unwrap_or_default()) {
            let delta = if thought.is_some() {
                json!({ "reasoningContent": { "reasoningText": { "text": piece } } })
            } else {
                json!({ "text": piece })
            };
            chunks.push(json!({ "contentBlockDelta": { "delta": delta, "contentBlockIndex": index } }));
        }
        chunks.push(json!({ "contentBlockStop": { "contentBlockIndex": index } }));
    }
    chunks.push(json!({ "messageStop": { "stopReason": whole["stopReason"] } }));
    chunks.push(json!({ "metadata": { "usage": whole["usage"], "metrics": {}, "trace": {} } }));
    chunks
}

/// <https://platform.openai.com/docs/api-reference/chat-streaming>
fn chat(whole: &Value) -> Vec<Value> {
    let choice = &whole["choices"][0];
    let chunk = |delta: Value, finish: &Value| {
        let mut chunk = json!({
            "object": "chat.completion.chunk",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        });
        for key in ["id", "created", "model"] {
            if let Some(value) = whole.get(key) {
                chunk[key] = value.clone();
            }
        }
        chunk
    };
    let message = &choice["message"];
    let mut chunks = vec![chunk(json!({ "role": "assistant", "content": "" }), &Value::Null)];
    for key in ["reasoning_content", "content"] {
        for piece in pieces(message[key].as_str().unwrap_or_default()) {
            chunks.push(chunk(json!({ key: piece }), &Value::Null));
        }
    }
    let finish = choice.get("finish_reason").or(choice.get("stop_reason")).unwrap_or(&Value::Null);
    let mut last = chunk(json!({}), finish);
    if let Some(usage) = whole.get("usage") {
        last["usage"] = usage.clone();
    }
    chunks.push(last);
    chunks
}
