//! Writer Palmyra: messages, or a plain prompt.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-palmyra-x5.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;
use super::chat;

const KEYS: [&str; 12] = [
    "messages",
    "prompt",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "stream",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "min_tokens",
];

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&KEYS)?;
    fields.number("temperature", 0.0, 2.0)?;
    fields.number("top_p", 0.0, 1.0)?;
    fields.integer("n", 1, 1)?;
    if fields.boolean("stream")? == Some(true) {
        return Err(BedrockError::validation(
            "stream: InvokeModel does not stream; use InvokeModelWithResponseStream.",
        ));
    }
    let mut request = SimulatedRequest {
        limit: fields.integer("max_tokens", 1, model.max_output)?.unwrap_or(model.default_output),
        stops: fields.strings("stop", 4)?,
        ..SimulatedRequest::default()
    };
    if fields.has("prompt") && !fields.has("messages") {
        request.prompt(fields.required_text("prompt")?, "", "");
        return Ok(request);
    }
    fields.required("messages")?;
    if fields.has("prompt") {
        return Err(fields.extraneous("prompt"));
    }
    let turns = fields.objects("messages")?;
    if turns.iter().all(|turn| turn.raw("content").is_none_or(|content| !content.is_object())) {
        chat::messages(&fields, &["system", "user", "assistant", "tool"], chat::Order::Free, &mut request)?;
        return Ok(request);
    }
    for turn in turns {
        turn.only(&["role", "content"])?;
        turn.required("role")?;
        turn.required("content")?;
        let role = turn.one_of("role", &["system", "user", "assistant"])?.unwrap_or_default();
        let text = match turn.text("content") {
            Ok(text) => text.unwrap_or_default(),
            Err(wrong) => {
                let content = turn.object("content").ok().flatten().ok_or(wrong)?;
                content.only(&["text"])?;
                content.required_text("text")?
            }
        };
        super::spoken(text, "messages")?;
        if role == "system" {
            request.hear(text);
        } else {
            request.message(role, text);
        }
    }
    Ok(request)
}

/// Writes an answer in the shape that the request asks for.
pub fn write(model: &Model, body: &Value, answer: &SimulatedAnswer) -> Value {
    let mut document = chat::write(model, answer);
    if body.get("messages").is_none() {
        let reason = document["choices"][0]["finish_reason"].take();
        document["object"] = json!("text_completion");
        document["choices"] = json!([{ "index": 0, "text": answer.content.text, "logprobs": null, "finish_reason": reason, "stop_reason": null }]);
    }
    document
}
