//! `POST /v1/inference`: the sentry's own request and answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sentry_core::error::SentryError;
use sentry_core::request::envelope;
use serde_json::{Value, json};

use crate::response::{DoorResponse, Shape};
use crate::{DoorRequest, Execution, RunRateLimiter};

/// Answers a request.
pub async fn inference(request: &DoorRequest<'_>, rate_limiter: &impl RunRateLimiter) -> DoorResponse {
    if let Err(refused) = read(request, Shape::Sentry) {
        return *refused;
    }
    match rate_limiter.run(&input(request, request.body)).await {
        Execution::Succeeded(answer) => DoorResponse::answered(&answer, &answer),
        failed => DoorResponse::of_failure(Shape::Sentry, failed),
    }
}

/// Reads the body, or says what is wrong with it.
pub(crate) fn read(request: &DoorRequest<'_>, shape: Shape) -> Result<Value, Box<DoorResponse>> {
    let kind =
        request.content_type.unwrap_or("application/json").split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let message = "The content type must be application/json.";
        return Err(Box::new(DoorResponse::refused(shape, 415, "InvalidRequest", message)));
    }
    envelope::read_body(request.body).map_err(|error| {
        let error = SentryError::from(error);
        let mut cause = error.document();
        cause["type"] = error.name.as_str().into();
        Box::new(DoorResponse::failed(shape, error.name.as_str(), &cause))
    })
}

/// The input of the rate-limiter: a document in the envelope that API Gateway makes too, or as it is
/// where the door is open and nobody is known.
pub(crate) fn input(request: &DoorRequest<'_>, document: &[u8]) -> Value {
    match request.tenant {
        Some(tenant) => json!({ "door": "inference", "tenant": tenant,
            "allowedModels": request.allowed_models.unwrap_or_default(), "bodyBase64": STANDARD.encode(document) }),
        // It was read before.
        None => serde_json::from_slice(document).unwrap_or_default(),
    }
}
