//! `POST /v1/chat/completions` and `GET /v1/models`: the sentry for OpenAI's clients.

use openai_format::{ChatRequest, Completion, DoorError, completion};
use serde_json::{Value, json};

use crate::inference::{input, read};
use crate::response::{DoorResponse, Shape};
use crate::{DoorRequest, Execution, RunRateLimiter};

/// Answers a request for a whole answer.
pub async fn chat_completion(request: &DoorRequest<'_>, rate_limiter: &impl RunRateLimiter) -> DoorResponse {
    let body = match read(request, Shape::OpenAi) {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    let ChatRequest { mut document, stream, .. } = match openai_format::read(&body) {
        Ok(request) => request,
        Err(error) => return refused(&DoorError::from(error)),
    };
    if stream {
        let message = "Answers are not streamed at this door yet; send `stream: false` or leave it out.";
        let mut error = DoorError::new(400, "InvalidRequest", message);
        error.body.param = Some("stream".to_owned());
        return refused(&error);
    }
    if let (Some(fields), Some(key)) = (document.as_object_mut(), request.idempotency_key) {
        fields.insert("idempotencyKey".to_owned(), key.into());
    }
    match rate_limiter.run(&input(request, document.to_string().as_bytes())).await {
        Execution::Succeeded(answer) => {
            let id = answer.get("requestId").and_then(Value::as_str).unwrap_or_default();
            let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
            let about =
                Completion { id: format!("chatcmpl-{id}"), model: model.to_owned(), created: request.now };
            DoorResponse::answered(&answer, &completion(&about, &answer))
        }
        failed => DoorResponse::of_failure(Shape::OpenAi, failed),
    }
}

fn refused(error: &DoorError) -> DoorResponse {
    let headers = vec![("x-should-retry", error.should_retry.to_string())];
    DoorResponse { status: error.status, headers, body: error.document().to_string() }
}

/// The models that have a limit item of their own, in OpenAI's form. With a default limit any
/// other model of Bedrock can be named too.
#[must_use]
pub fn models<'a>(ids: impl Iterator<Item = &'a str>) -> DoorResponse {
    let data: Vec<Value> = ids
        .map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": id.split('.').next().unwrap_or_default() }))
        .collect();
    DoorResponse {
        status: 200,
        headers: Vec::new(),
        body: json!({ "object": "list", "data": data }).to_string(),
    }
}
