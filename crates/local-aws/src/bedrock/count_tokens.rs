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
    match (input.object("invokeModel")?, input.object("converse")?) {
        (Some(invoke), None) => {
            invoke.only(&["body"])?;
            invoke.required_text("body")?;
            let bytes = converse::wire::blob(&invoke, "body")?.unwrap_or_default();
            let body: Value = serde_json::from_slice(&bytes)
                .map_err(|_| BedrockError::malformed("#/input/invokeModel/body", "not JSON"))?;
            vendors::read(model, &body)
        }
        (None, Some(counted)) => converse::read_counted(model, &counted),
        _ => Err(one()),
    }
}
