//! From the events of ConverseStream to the chunks of a chat completion.

use serde_json::{Value, json};

use crate::answer::{Completion, finish_reason, usage};

/// Makes chunks. OpenAI's clients want a role in the first, an index in each part of a tool
/// call, and no choices in the one with the usage.
#[derive(Debug, Clone)]
pub struct Chunks {
    about: Completion,
    /// The tool whose input is the answer itself, where a schema of the answer was asked for.
    answer_tool: Option<String>,
    /// The blocks of tool calls so far, by the index of their block; none for the answer's tool.
    calls: Vec<(u64, Option<usize>)>,
    called: bool,
    stop_reason: Option<String>,
}

impl Chunks {
    /// For an answer.
    #[must_use]
    pub fn new(about: Completion, answer_tool: Option<String>) -> Self {
        Self { about, answer_tool, calls: Vec::new(), called: false, stop_reason: None }
    }

    fn chunk(&self, choices: &Value) -> Value {
        json!({ "id": self.about.id, "object": "chat.completion.chunk", "created": self.about.created,
            "model": self.about.model, "choices": choices })
    }

    fn delta(&self, delta: &Value, finish: Option<&str>) -> Value {
        self.chunk(&json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]))
    }

    /// The first chunk.
    #[must_use]
    pub fn first(&self) -> Value {
        self.delta(&json!({ "role": "assistant", "content": "" }), None)
    }

    /// The chunks for an event, by its name and its members in Converse's spelling.
    pub fn event(&mut self, name: &str, event: &Value) -> Vec<Value> {
        match name {
            "contentBlockStart" => self.start(event).into_iter().collect(),
            "contentBlockDelta" => self.part(event).into_iter().collect(),
            "messageStop" => {
                let reason = event.get("stopReason").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.stop_reason = Some(reason);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn start(&mut self, event: &Value) -> Option<Value> {
        let call = event.pointer("/start/toolUse")?;
        let block = event.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or(0);
        let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
        if self.answer_tool.as_deref() == Some(name) {
            self.calls.push((block, None));
            return None;
        }
        let index = self.calls.iter().filter(|(_, call)| call.is_some()).count();
        self.calls.push((block, Some(index)));
        self.called = true;
        Some(self.delta(
            &json!({ "tool_calls": [{ "index": index, "id": call.get("toolUseId"), "type": "function",
                "function": { "name": name, "arguments": "" } }] }),
            None,
        ))
    }

    fn part(&self, event: &Value) -> Option<Value> {
        let delta = event.get("delta")?;
        if let Some(text) = delta.get("text") {
            return Some(self.delta(&json!({ "content": text }), None));
        }
        if let Some(input) = delta.pointer("/toolUse/input") {
            let block = event.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or(0);
            return match self.calls.iter().rev().find(|(at, _)| *at == block)?.1 {
                None => Some(self.delta(&json!({ "content": input }), None)),
                Some(index) => Some(self.delta(
                    &json!({ "tool_calls": [{ "index": index, "function": { "arguments": input } }] }),
                    None,
                )),
            };
        }
        let reasoning = delta.get("reasoningContent")?;
        if let Some(text) = reasoning.get("text") {
            return Some(self.delta(&json!({ "reasoning_content": text }), None));
        }
        if let Some(signature) = reasoning.get("signature") {
            let block = json!({ "type": "thinking", "thinking": "", "signature": signature });
            return Some(self.delta(&json!({ "thinking_blocks": [block] }), None));
        }
        let redacted = reasoning.get("redactedContent")?;
        let block = json!({ "type": "redacted_thinking", "data": redacted });
        Some(self.delta(&json!({ "thinking_blocks": [block] }), None))
    }

    /// The chunk that says why the answer ended; `None` where the model did not say.
    #[must_use]
    pub fn last(&self) -> Option<Value> {
        let reason = self.stop_reason.as_deref()?;
        let finish = match finish_reason(reason) {
            "tool_calls" if !self.called => "stop",
            finish => finish,
        };
        Some(self.delta(&json!({}), Some(finish)))
    }

    /// The chunk with the usage.
    #[must_use]
    pub fn usage(&self, tokens: &Value) -> Value {
        let mut chunk = self.chunk(&json!([]));
        if let Some(fields) = chunk.as_object_mut() {
            fields.insert("usage".to_owned(), usage(tokens));
        }
        chunk
    }
}
