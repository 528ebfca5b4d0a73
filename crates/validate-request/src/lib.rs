//! First step of the rate-limiter: is this a request that can be served, and what is the
//! most input that it can cost?

use sentry_core::error::SentryError;
use sentry_core::model::ModelId;
use sentry_core::request::Request;
use serde::Deserialize;
use serde_json::{Value, json};

/// The function's name.
pub const NAME: &str = "validate-request";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    request: Value,
}

/// Checks a request and adds what the later steps need of it.
///
/// # Errors
/// `InvalidRequest` with a path, `UnsupportedModel`, `RequestTooLarge`.
pub async fn handle(event: Value) -> Result<Value, SentryError> {
    let Event { request } = sentry_lambda::read(&event)?;
    let request = Request::parse(&request)?;
    let model = ModelId::parse(&request.model_id)?;
    Ok(json!({
        "modelId": request.model_id,
        "family": model.family,
        "vendor": model.vendor.map(|vendor| vendor.as_str()),
        "prompt": request.prompt,
        "inference": request.inference,
        "tags": request.tags,
        "tenant": request.tenant,
        "idempotencyKey": request.idempotency_key,
        "inputBound": request.input_bound(),
        "usageIds": model.cloudwatch_ids(),
    }))
}

#[cfg(test)]
mod tests;
