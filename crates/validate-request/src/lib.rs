//! First step of the rate-limiter: is this a request that can be served, and what is the
//! most input that it can cost?

use sentry_core::error::{ErrorName, SentryError};
use sentry_core::model::ModelId;
use sentry_core::request::{Request, envelope};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The function's name.
pub const NAME: &str = "validate-request";

/// The fields of a checked request that make up the request document.
const DOCUMENT: [&str; 5] = ["prompt", "inference", "tags", "tenant", "idempotencyKey"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ValidateRequestEvent {
    /// The caller's document, the front door's envelope around it, or what this function made of it before.
    request: Value,
    /// The model to use instead: the budget of the one before is spent.
    #[serde(default)]
    fallback_model_id: Option<String>,
}

/// Checks a request and adds what the later steps need of it.
///
/// # Errors
/// `InvalidRequest` with a path, `UnsupportedModel`, `RequestTooLarge`; `ModelAccessDenied` for a model that the
/// caller's API key is not for.
pub async fn handle(event: Value) -> Result<Value, SentryError> {
    let ValidateRequestEvent { mut request, fallback_model_id } = sentry_lambda::read(&event)?;
    let mut allowed_models = None;
    if envelope::is_envelope(&request) {
        let opened = envelope::open(&request)?;
        (request, allowed_models) = (opened.request, opened.allowed_models);
    }
    if let Some(model_id) = fallback_model_id {
        request = with_model(&request, model_id);
    }
    let request = Request::parse(&request)?;
    let model = ModelId::parse(&request.model_id)?;
    if let Some(allowed) = allowed_models.filter(|allowed| !allowed.allows(&model)) {
        return Err(SentryError::new(
            ErrorName::ModelAccessDenied,
            format!("The API key is not for {:?}. It allows {}.", model.id, allowed.ids().join(", ")),
        )
        .with("modelId", model.id)
        .with("possiblyBilled", false));
    }
    let bound = request.input_bound(&model);
    Ok(json!({
        "modelId": request.model_id,
        "family": model.family,
        "prompt": request.prompt,
        "inference": request.inference,
        "tags": request.tags,
        "tenant": request.tenant,
        "idempotencyKey": request.idempotency_key,
        "inputBound": bound.tokens,
        "unbounded": bound.unbounded,
        "uncountedTokens": bound.uncounted,
        "mayCount": model.counts_tokens(),
        "countFirst": bound.count_first,
        "isPlain": request.is_plain(),
        "cache": request.cache(),
        "serviceTier": request.inference.service_tier,
        "usageIds": model.cloudwatch_ids(),
    }))
}

/// A checked request as a request document for another model.
fn with_model(request: &Value, model_id: String) -> Value {
    let mut document = Map::from_iter([("modelId".to_owned(), Value::String(model_id))]);
    for name in DOCUMENT {
        if let Some(value) = request.get(name).filter(|value| !value.is_null()) {
            document.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests;
