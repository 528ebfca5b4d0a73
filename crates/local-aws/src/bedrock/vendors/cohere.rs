//! Cohere Command, and Command R and R+. Neither carries usage in the body.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-cohere-command-r-plus.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;

/// Checks a body of Command.
pub fn read_command(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&[
        "prompt",
        "max_tokens",
        "temperature",
        "p",
        "k",
        "stop_sequences",
        "return_likelihoods",
        "stream",
        "num_generations",
        "logit_bias",
        "truncate",
    ])?;
    let prompt = fields.required_text("prompt")?;
    fields.number("temperature", 0.0, 5.0)?;
    fields.number("p", 0.0, 1.0)?;
    fields.number("k", 0.0, 500.0)?;
    fields.boolean("stream")?;
    fields.integer("num_generations", 1, 5)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop_sequences", 4)?,
        ..SimulatedRequest::default()
    };
    request.prompt(prompt, "", "");
    Ok(request)
}

/// Writes an answer of Command. All generations say the same, and are counted once.
pub fn write_command(body: &Value, answer: &SimulatedAnswer) -> Value {
    let count = body.get("num_generations").and_then(Value::as_u64).unwrap_or(1);
    let generations: Vec<_> = (0..count)
        .map(|_| {
            json!({
                "id": crate::http::new_id(),
                "text": format!(" {}", answer.content.text),
                "finish_reason": answer.content.stop.word(["COMPLETE", "MAX_TOKENS", "COMPLETE", "COMPLETE", "ERROR_TOXIC"]),
            })
        })
        .collect();
    json!({ "id": answer.id, "generations": generations, "prompt": body["prompt"] })
}

/// Checks a body of Command R.
pub fn read_chat(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&[
        "message",
        "chat_history",
        "preamble",
        "max_tokens",
        "temperature",
        "p",
        "k",
        "stop_sequences",
        "seed",
        "documents",
        "search_queries_only",
        "prompt_truncation",
        "frequency_penalty",
        "presence_penalty",
        "return_prompt",
        "tools",
        "tool_results",
        "raw_prompting",
    ])?;
    let message = fields.required_text("message")?;
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("p", 0.01, 0.99)?;
    fields.integer("k", 0, 500)?;
    fields.number("frequency_penalty", 0.0, 1.0)?;
    fields.number("presence_penalty", 0.0, 1.0)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop_sequences", 5)?,
        ..SimulatedRequest::default()
    };
    if let Some(preamble) = fields.text("preamble")? {
        request.hear(preamble);
    }
    for (index, _) in fields.list("chat_history")?.unwrap_or_default().iter().enumerate() {
        let turn = &fields.objects("chat_history")?[index];
        turn.only(&["role", "message", "tool_calls"])?;
        turn.required("role")?;
        let role = turn.one_of("role", &["USER", "CHATBOT"])?.unwrap_or_default();
        let text = turn.required_text("message")?;
        request.message(if role == "USER" { "user" } else { "assistant" }, text);
    }
    request.message("user", message);
    Ok(request)
}

/// Writes an answer of Command R.
pub fn write_chat(body: &Value, answer: &SimulatedAnswer) -> Value {
    let mut history = body.get("chat_history").and_then(Value::as_array).cloned().unwrap_or_default();
    history.push(json!({ "role": "USER", "message": body["message"] }));
    history.push(json!({ "role": "CHATBOT", "message": answer.content.text }));
    json!({
        "response_id": answer.id,
        "generation_id": crate::http::new_id(),
        "text": answer.content.text,
        "chat_history": history,
        "finish_reason": answer.content.stop.word(["COMPLETE", "MAX_TOKENS", "STOP_SEQUENCE", "COMPLETE", "ERROR_TOXIC"]),
    })
}
