//! The two operations of a formatter function.

use sentry_core::request::{Inference, Prompt};
use serde_json::{Value, json};

use crate::Formatter;
use crate::answer::StopReason;
use crate::error::FormatError;
use crate::metadata;
use crate::request::ChatRequest;

/// Answers one event: `format` gives `{"body"}`, `normalize` gives the answer.
///
/// Fields of the event beyond those of the two operations are ignored, so that a state machine
/// may pass on what it has. `family` names the model behind the id, and `metadata` has labels by
/// which Bedrock's invocation log is filtered.
///
/// # Errors
/// `InvalidRequest` with the path of what is wrong with the event or of what the model does not
/// take, `UnsupportedModel`, or `UnreadableModelResponse`.
pub fn handle(formatter: &Formatter, event: &Value) -> Result<Value, FormatError> {
    let operation = text(event, "operation")?;
    let model_id = text(event, "modelId")?;
    let family = event.get("family").and_then(Value::as_str);
    match operation {
        "format" => {
            let prompt = Prompt::read(event.get("prompt").unwrap_or(&Value::Null), "prompt")?;
            let inference = match event.get("inference") {
                None | Some(Value::Null) => Inference::default(),
                Some(settings) => Inference::read(settings, "inference")?,
            };
            let mut request = ChatRequest::new(model_id, family, &prompt, &inference)?;
            request.metadata = metadata::read(event.get("metadata"));
            Ok(json!({ "body": (formatter.format)(&request)? }))
        }
        "normalize" => {
            let body = event.get("body").ok_or_else(|| FormatError::unreadable("body", "is missing"))?;
            let mut answer = (formatter.normalize)(family.unwrap_or(model_id), body)?;
            // Bedrock adds this to the body of every vendor, whose own stop reason does not change.
            if body.get("amazon-bedrock-guardrailAction").and_then(Value::as_str) == Some("INTERVENED") {
                answer.stop_reason = StopReason::ContentFiltered;
            }
            Ok(answer.document())
        }
        _ => Err(FormatError::invalid("operation", "`operation` must be \"format\" or \"normalize\".")),
    }
}

fn text<'a>(event: &'a Value, field: &str) -> Result<&'a str, FormatError> {
    event
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(|| FormatError::invalid(field, format!("`{field}` is missing or not a text; add it.")))
}
