//! One module per vendor, each with the same two functions: `read` checks a native request body
//! as strictly as the model does, `write` puts an answer into the vendor's shape.

pub mod ai21;
pub mod anthropic;
pub mod anthropic_text;
pub mod chat;
pub mod cohere;
pub mod deepseek;
pub mod meta;
pub mod mistral;
pub mod nova;
pub mod stream;
pub mod titan;
pub mod writer;

use serde_json::Value;

use super::answer::SimulatedAnswer;
use super::error::BedrockError;
use super::fields::RequestFields;
use super::models::{Format, Model, Sampling};
use super::request::SimulatedRequest;

/// Checks a native body and says what it asks.
///
/// # Errors
/// The model would refuse it.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    match model.format {
        Format::ClaudeLegacy if body.get("prompt").is_some() => anthropic_text::read(model, body),
        Format::Claude | Format::ClaudeLegacy => anthropic::read(model, body),
        Format::Nova => nova::read(model, body),
        Format::Titan => titan::read(model, body),
        Format::Llama => meta::read(model, body),
        Format::MistralPrompt if mistral::is_chat(model, body) => mistral::read_chat(model, body),
        Format::MistralPrompt => mistral::read_prompt(model, body),
        Format::MistralChat => mistral::read_chat(model, body),
        Format::CohereCommand => cohere::read_command(model, body),
        Format::CohereChat => cohere::read_chat(model, body),
        Format::Jurassic => ai21::read_jurassic(model, body),
        Format::Jamba => ai21::read_jamba(model, body),
        Format::DeepSeekR1 => deepseek::read(model, body),
        Format::Chat => chat::read(model, body),
        Format::Writer => writer::read(model, body),
    }
}

/// The answer to this body in the vendor's shape.
#[must_use]
pub fn write(model: &Model, body: &Value, answer: &SimulatedAnswer) -> Value {
    match model.format {
        Format::ClaudeLegacy if body.get("prompt").is_some() => anthropic_text::write(answer),
        Format::Claude | Format::ClaudeLegacy => anthropic::write(model, answer),
        Format::Nova => nova::write(answer),
        Format::Titan => titan::write(answer),
        Format::Llama => meta::write(answer),
        Format::MistralPrompt if mistral::is_chat(model, body) => mistral::write_chat(model, answer),
        Format::MistralPrompt => mistral::write_prompt(answer),
        Format::MistralChat => mistral::write_chat(model, answer),
        Format::CohereCommand => cohere::write_command(body, answer),
        Format::CohereChat => cohere::write_chat(body, answer),
        Format::Jurassic => ai21::write_jurassic(body, answer),
        Format::Jamba => ai21::write_jamba(answer),
        Format::DeepSeekR1 => deepseek::write(answer),
        Format::Chat => chat::write(model, answer),
        Format::Writer => writer::write(model, body, answer),
    }
}

/// Does this model think aloud before each answer?
#[must_use]
pub fn thinks(model: &Model) -> bool {
    model.format == Format::DeepSeekR1 || model.id.starts_with("openai.gpt-oss-")
}

/// Refuses the sampling parameters among these keys that the model does not take.
fn sampling(model: &Model, fields: &RequestFields<'_>, keys: &[&str]) -> Result<(), BedrockError> {
    let given: Vec<_> = keys.iter().filter(|key| fields.has(key)).collect();
    match (model.sampling, &given[..]) {
        (Sampling::Refused, [key, ..]) if model.format == Format::Claude => {
            Err(BedrockError::validation(format!("`{key}` is deprecated for this model.")))
        }
        (Sampling::Refused, [key, ..]) => Err(unsupported(key, "this model")),
        (Sampling::OneOf, given) if given.contains(&&"temperature") && given.contains(&&"top_p") => {
            Err(BedrockError::validation(
                "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
            ))
        }
        _ => Ok(()),
    }
}

/// A parameter of the format that this model does not take.
fn unsupported(key: &str, by: &str) -> BedrockError {
    BedrockError::validation(format!("Unsupported parameter: '{key}' is not supported with {by}."))
}

/// A text that says something, at this place.
fn spoken<'a>(text: &'a str, place: &str) -> Result<&'a str, BedrockError> {
    if text.trim().is_empty() {
        return Err(BedrockError::validation(format!("{place}: text content must be non-empty")));
    }
    Ok(text)
}
