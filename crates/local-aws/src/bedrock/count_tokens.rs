//! CountTokens: free, and for some Claude models under their bare id only.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>

use serde_json::Value;

use super::error::BedrockError;
use super::fields::RequestFields;
use super::models::Model;
use super::request::SimulatedRequest;
use super::{converse, vendors};

/// What the body's input would be read as.
///
/// # Errors
/// The model does not count, or would refuse the input.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest, BedrockError> {
    if !model.counts_tokens {
        return Err(BedrockError::validation("The provided model doesn't support counting tokens."));
    }
    let fields = RequestFields::root(body)?;
    fields.only(&["input", "modelId"])?;
    fields.required("input")?;
    let one = || {
        BedrockError::validation(
            "The input object must set exactly one of the following keys: invokeModel, converse.",
        )
    };
    let input = fields.object("input")?.ok_or_else(one)?;
    input.only(&["invokeModel", "converse"])?;
    match (input.object("invokeModel")?, input.raw("converse")) {
        (Some(invoke), None) => {
            invoke.only(&["body"])?;
            let bytes = from_base64(invoke.required_text("body")?)
                .ok_or_else(|| BedrockError::malformed("#/input/invokeModel/body", "not base64"))?;
            let body: Value = serde_json::from_slice(&bytes)
                .map_err(|_| BedrockError::malformed("#/input/invokeModel/body", "not JSON"))?;
            vendors::read(model, &body)
        }
        (None, Some(body)) => converse::read(model, body),
        _ => Err(one()),
    }
}

/// Decodes base64, with or without padding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0x3fff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}
