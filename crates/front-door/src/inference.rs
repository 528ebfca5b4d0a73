//! `POST /v1/inference`: the sentry's own request and answer.

use serde_json::{Map, Value};

use crate::body;
use crate::response::{DoorResponse, Shape};
use crate::{DoorRequest, Execution, RunRateLimiter};

/// Fields that only the door sets.
const OF_THE_DOOR: [&str; 2] = ["tenant", "deliver"];

/// Answers a request.
pub async fn inference(request: &DoorRequest<'_>, rate_limiter: &impl RunRateLimiter) -> DoorResponse {
    let document = match read(request, Shape::Sentry) {
        Ok(document) => document,
        Err(refused) => return *refused,
    };
    if let Some(field) = OF_THE_DOOR.iter().find(|field| document.contains_key(**field)) {
        let message =
            format!("`{field}` is set by the door, from the caller's key; leave it out of the body.");
        return DoorResponse::refused(Shape::Sentry, 400, "InvalidRequest", &message);
    }
    match rate_limiter.run(&complete(document, request)).await {
        Execution::Succeeded(answer) => DoorResponse::answered(&answer, &answer),
        failed => DoorResponse::of_failure(Shape::Sentry, failed),
    }
}

/// Reads the body, or says what is wrong with it.
pub(crate) fn read(request: &DoorRequest<'_>, shape: Shape) -> Result<Map<String, Value>, Box<DoorResponse>> {
    let refuse = |status: u16, name: &str, message: &str| {
        Err(Box::new(DoorResponse::refused(shape, status, name, message)))
    };
    let kind =
        request.content_type.unwrap_or("application/json").split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return refuse(415, "InvalidRequest", "The content type must be application/json.");
    }
    if request.body.len() > body::MAX_BODY_BYTES {
        let message = format!(
            "The body has {} bytes, and {} are allowed. Send a shorter history or smaller pictures.",
            request.body.len(),
            body::MAX_BODY_BYTES
        );
        return refuse(413, "RequestTooLarge", &message);
    }
    match body::parse(request.body) {
        Ok(fields) => Ok(fields),
        Err(message) => refuse(400, "InvalidRequest", &message),
    }
}

/// The input of the rate-limiter: the document, and what the door knows of its sender.
pub(crate) fn complete(mut document: Map<String, Value>, request: &DoorRequest<'_>) -> Value {
    if let Some(tenant) = request.tenant {
        document.insert("tenant".to_owned(), tenant.into());
    }
    if let Some(key) = request.idempotency_key {
        document.insert("idempotencyKey".to_owned(), key.into());
    }
    document.into()
}
