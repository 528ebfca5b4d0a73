//! Amazon Titan Text.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-text.html>

use serde_json::{Value, json};

use super::super::ask::{Answer, Ask};
use super::super::error::BedrockError;
use super::super::fields::Fields;
use super::super::models::Model;

/// Checks a body.
pub fn read(model: &Model, body: &Value) -> Result<Ask, BedrockError> {
    let fields = Fields::root(body)?;
    fields.only(&["inputText", "textGenerationConfig"])?;
    let prompt = fields.required_text("inputText")?;
    let mut ask = Ask { limit: model.default_output, ..Ask::default() };
    if let Some(config) = fields.object("textGenerationConfig")? {
        config.only(&["maxTokenCount", "temperature", "topP", "stopSequences"])?;
        ask.limit = config.integer("maxTokenCount", 1, model.max_output)?.unwrap_or(ask.limit);
        config.number("temperature", 0.0, 1.0)?;
        config.number("topP", 0.0, 1.0)?;
        ask.stops = config.strings("stopSequences", 4)?;
    }
    ask.prompt(prompt, "User:", "\nBot:");
    Ok(ask)
}

/// Writes an answer.
pub fn write(answer: &Answer) -> Value {
    json!({
        "inputTextTokenCount": answer.usage.input,
        "results": [{
            "tokenCount": answer.usage.output,
            "outputText": format!("\n{}", answer.text),
            "completionReason": answer.stop.word(["FINISH", "LENGTH", "STOP_CRITERIA_MET", "FINISH", "CONTENT_FILTERED"]),
        }],
    })
}
