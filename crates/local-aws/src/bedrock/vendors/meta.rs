//! Meta Llama's prompt.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    let visual = ["llama3-2-11b", "llama3-2-90b", "llama4"].iter().any(|name| model.id.contains(name));
    fields.only(&["prompt", "max_gen_len", "temperature", "top_p"]).or_else(|refusal| {
        if visual {
            fields.only(&["prompt", "max_gen_len", "temperature", "top_p", "images"])
        } else {
            Err(refusal)
        }
    })?;
    let prompt = fields.required_text("prompt")?;
    fields.number("temperature", 0.0, 1.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    let mut request = SimulatedRequest {
        limit: fields.integer("max_gen_len", 1, model.max_output)?.unwrap_or(model.default_output),
        ..SimulatedRequest::default()
    };
    let (open, close) = if prompt.contains("<|start_header_id|>") {
        ("<|start_header_id|>user<|end_header_id|>", "<|eot_id|>")
    } else if prompt.contains("<|header_start|>") {
        ("<|header_start|>user<|header_end|>", "<|eot|>")
    } else {
        ("[INST]", "[/INST]")
    };
    request.prompt(prompt, open, close);
    Ok(request)
}

/// Writes an answer.
pub fn write(answer: &SimulatedAnswer) -> Value {
    json!({
        "generation": answer.content.text,
        "prompt_token_count": answer.usage.input,
        "generation_token_count": answer.usage.output,
        "stop_reason": answer.content.stop.word(["stop", "length", "stop", "stop", "stop"]),
    })
}
