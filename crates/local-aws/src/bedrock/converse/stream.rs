//! The answer of ConverseStream.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::event_stream::{StreamEvent, pieces};
use super::super::request::SimulatedRequest;
use super::answer::{blocks, citation, response_fields, stop_reason, usage};

/// The events of an answer.
#[must_use]
pub fn events(request: &SimulatedRequest, answer: &SimulatedAnswer) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::new("messageStart", json!({ "role": "assistant" }))];
    for (index, block) in blocks(answer).iter().enumerate() {
        if let Some(call) = block.get("toolUse") {
            let start = json!({ "toolUse": { "toolUseId": call["toolUseId"], "name": call["name"] } });
            events.push(StreamEvent::new(
                "contentBlockStart",
                json!({ "start": start, "contentBlockIndex": index }),
            ));
        }
        for delta in deltas(block) {
            events.push(StreamEvent::new(
                "contentBlockDelta",
                json!({ "delta": delta, "contentBlockIndex": index }),
            ));
        }
        events.push(StreamEvent::new("contentBlockStop", json!({ "contentBlockIndex": index })));
    }
    let mut stop = json!({ "stopReason": stop_reason(&answer.content.stop) });
    if let Some(fields) = response_fields(request, answer) {
        stop["additionalModelResponseFields"] = fields;
    }
    events.push(StreamEvent::new("messageStop", stop));
    let mut metadata = json!({ "usage": usage(answer), "metrics": { "latencyMs": answer.latency_ms } });
    if let Some(tier) = &answer.service_tier {
        metadata["serviceTier"] = json!({ "type": tier });
    }
    if let Some(latency) = &request.converse.latency {
        metadata["performanceConfig"] = json!({ "latency": latency });
    }
    events.push(StreamEvent::new("metadata", metadata));
    events
}

/// The parts in which a block comes.
fn deltas(block: &Value) -> Vec<Value> {
    let texts = |text: &Value, wrap: fn(&str) -> Value| {
        pieces(text.as_str().unwrap_or_default()).into_iter().map(wrap).collect::<Vec<_>>()
    };
    if let Some(reasoning) = block.get("reasoningContent") {
        if let Some(redacted) = reasoning.get("redactedContent") {
            return vec![json!({ "reasoningContent": { "redactedContent": redacted } })];
        }
        let shown = &reasoning["reasoningText"];
        let mut deltas = texts(&shown["text"], |text| json!({ "reasoningContent": { "text": text } }));
        if let Some(signature) = shown.get("signature") {
            deltas.push(json!({ "reasoningContent": { "signature": signature } }));
        }
        return deltas;
    }
    if let Some(call) = block.get("toolUse") {
        let input = call["input"].to_string();
        return pieces(&input).into_iter().map(|part| json!({ "toolUse": { "input": part } })).collect();
    }
    if let Some(cited) = block.get("citationsContent") {
        let text = &cited["content"][0]["text"];
        let mut deltas = texts(text, |text| json!({ "text": text }));
        deltas.push(json!({ "citation": citation(text.as_str().unwrap_or_default()) }));
        return deltas;
    }
    texts(&block["text"], |text| json!({ "text": text }))
}
