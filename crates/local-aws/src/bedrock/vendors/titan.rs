//! Amazon Titan Text.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-text.html>

use serde_json::{Value, json};

use super::super::answer::SimulatedAnswer;
use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::Model;
use super::super::request::SimulatedRequest;

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    let fields = RequestFields::root(body)?;
    fields.only(&["inputText", "textGenerationConfig"])?;
    let prompt = fields.required_text("inputText")?;
    let mut request = SimulatedRequest { limit: model.default_output, ..SimulatedRequest::default() };
    if let Some(config) = fields.object("textGenerationConfig")? {
        config.only(&["maxTokenCount", "temperature", "topP", "stopSequences"])?;
        request.limit = config.integer("maxTokenCount", 1, model.max_output)?.unwrap_or(request.limit);
        config.number("temperature", 0.0, 1.0)?;
        config.number("topP", 0.0, 1.0)?;
        request.stops = config.strings("stopSequences", 4)?;
    }
    request.prompt(prompt, "User:", "\nBot:");
    Ok(request)
}

/// Writes an answer.
pub fn write(answer: &SimulatedAnswer) -> Value {
    json!({
        "inputTextTokenCount": answer.usage.input,
        "results": [{
            "tokenCount": answer.usage.output,
            "outputText": format!("\n{}", answer.content.text),
            "completionReason": answer.content.stop.word(["FINISH", "LENGTH", "STOP_CRITERIA_MET", "FINISH", "CONTENT_FILTERED"]),
        }],
    })
}
