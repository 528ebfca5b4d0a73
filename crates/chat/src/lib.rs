//! OpenAI's paths behind API Gateway: `POST /v1/chat/completions` and `GET /v1/models`.
//!
//! Format: events and answers of API Gateway's proxy integration for REST APIs.

mod machine;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use front_door::{DoorRequest, DoorResponse, RunRateLimiter, Shape, chat_completion, models};
use sentry_aws::{Connection, LimitsTable, ScanLimits, required_variable};
use sentry_core::error::SentryError;
use sentry_core::model::ModelId;
use serde_json::{Map, Value, json};

pub use machine::RateLimiter;

/// The function's name.
pub const NAME: &str = "chat";

/// The workflow, the limits and the clock.
pub struct Context<R, L> {
    rate_limiter: R,
    limits: L,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl<R, L> Context<R, L> {
    /// These.
    pub fn new(
        rate_limiter: R,
        limits: L,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        Self { rate_limiter, limits, clock: Box::new(clock) }
    }
}

/// What the environment names.
///
/// # Errors
/// `InternalError` when the variable `RATE_LIMITER_ARN` or `LIMITS_TABLE` is missing.
pub async fn prepare() -> Result<Context<RateLimiter, LimitsTable>, SentryError> {
    let connection = Connection::from_env().await;
    let rate_limiter = RateLimiter::new(&connection, required_variable("RATE_LIMITER_ARN")?);
    let limits = LimitsTable::new(&connection, required_variable("LIMITS_TABLE")?);
    Ok(Context::new(rate_limiter, limits, Utc::now))
}

/// Answers an HTTP request.
///
/// # Errors
/// None: what goes wrong is an HTTP status.
pub async fn handle(
    event: Value,
    context: &Context<impl RunRateLimiter, impl ScanLimits>,
) -> Result<Value, SentryError> {
    Ok(proxied(answer(&event, context).await))
}

async fn answer(event: &Value, context: &Context<impl RunRateLimiter, impl ScanLimits>) -> DoorResponse {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    // Without an authorizer in front of it this function would serve anybody.
    let Some(tenant) = text("/requestContext/authorizer/tenant") else {
        let message = "The front door did not say whose request it is. Its authorizer must set `tenant`.";
        return DoorResponse::refused(Shape::OpenAi, 500, "InternalError", message);
    };
    match (text("/httpMethod"), text("/path")) {
        (Some("POST"), Some("/v1/chat/completions")) => {
            let Some(body) = body_of(event) else {
                let message = "The body cannot be read.";
                return DoorResponse::refused(Shape::OpenAi, 400, "InvalidRequest", message);
            };
            let request = DoorRequest {
                tenant: Some(tenant),
                allowed_models: text("/requestContext/authorizer/allowedModels"),
                content_type: header(event, "content-type"),
                idempotency_key: header(event, "idempotency-key"),
                body: &body,
                now: (context.clock)().timestamp(),
            };
            chat_completion(&request, &context.rate_limiter).await
        }
        (Some("GET"), Some("/v1/models")) => list(&context.limits).await,
        _ => DoorResponse::refused(Shape::OpenAi, 404, "not_found", "There is no such path."),
    }
}

async fn list(limits: &impl ScanLimits) -> DoorResponse {
    let Ok(items) = limits.scan().await else {
        let message = "The limits cannot be read at the moment. Try again shortly.";
        return DoorResponse::refused(Shape::OpenAi, 503, "SentryUnavailable", message);
    };
    let keys = items.iter().filter_map(|item| item.get("modelId")?.as_str());
    let mut ids: Vec<&str> = keys.filter(|key| ModelId::parse(key).is_ok()).collect();
    ids.sort_unstable();
    models(ids.into_iter())
}

fn body_of(event: &Value) -> Option<Vec<u8>> {
    let body = event.get("body").and_then(Value::as_str).unwrap_or_default();
    match event.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => STANDARD.decode(body).ok(),
        _ => Some(body.as_bytes().to_vec()),
    }
}

/// A header, whatever the case of its name.
fn header<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    let headers = event.get("headers")?.as_object()?;
    headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name))?.1.as_str()
}

fn proxied(response: DoorResponse) -> Value {
    let mut headers: Map<String, Value> =
        response.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    headers.insert("content-type".to_owned(), "application/json".into());
    json!({ "statusCode": response.status, "headers": headers, "body": response.body, "isBase64Encoded": false })
}
