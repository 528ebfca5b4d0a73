//! The front door's paths on the host: the same translation as behind API Gateway, in front of
//! the same workflow.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use front_door::{DoorRequest, DoorResponse, Execution, RunRateLimiter, Shape, chat_completion, inference};
use local_aws::Services;
use local_aws::http::MAX_BODY_BYTES;
use local_aws::stepfunctions::Finished;
use sentry_aws::{LimitsTable, ScanLimits};
use serde_json::Value;

use crate::names::RATE_LIMITER;

/// What the paths need.
pub(crate) struct Door {
    services: Arc<Services>,
    limits: LimitsTable,
}

impl Door {
    pub(crate) const fn new(services: Arc<Services>, limits: LimitsTable) -> Self {
        Self { services, limits }
    }
}

/// The paths, to stand in front of the host's others.
pub(crate) fn router(door: Door) -> Router {
    Router::new()
        .route("/v1/inference", post(native))
        .route("/v1/chat/completions", post(openai))
        .route("/v1/models", get(models))
        .with_state(Arc::new(door))
}

impl RunRateLimiter for Door {
    async fn run(&self, input: &Value) -> Execution {
        let workflow = &self.services.stepfunctions;
        match workflow.execute(RATE_LIMITER, None, &input.to_string(), None).await {
            Ok(finished) => ended(&finished),
            Err(refusal) if refusal.name == "InvalidExecutionInput" => Execution::TooLarge,
            Err(_) => Execution::NotStarted,
        }
    }
}

fn ended(finished: &Finished) -> Execution {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match (finished.status, &finished.output) {
        (asl::Status::Succeeded, Some(output)) => match serde_json::from_str(output) {
            Ok(answer) => Execution::Succeeded(answer),
            Err(_) => Execution::Failed { error: "InternalError".to_owned(), cause: String::new() },
        },
        (asl::Status::TimedOut, _) => Execution::TimedOut,
        _ => Execution::Failed { error: text(&finished.error), cause: text(&finished.cause) },
    }
}

async fn native(State(door): State<Arc<Door>>, request: Request) -> Response {
    answer(&door, request, Shape::Sentry).await
}

async fn openai(State(door): State<Arc<Door>>, request: Request) -> Response {
    answer(&door, request, Shape::OpenAi).await
}

async fn answer(door: &Door, request: Request, shape: Shape) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let message =
            format!("The body could not be read; it may have at most {} bytes.", front_door::MAX_BODY_BYTES);
        return send(DoorResponse::refused(shape, 413, "RequestTooLarge", &message));
    };
    let request = DoorRequest {
        tenant: None,
        content_type: text_of(&parts.headers, header::CONTENT_TYPE.as_str()),
        idempotency_key: text_of(&parts.headers, "idempotency-key"),
        body: &body,
        now: door.services.clock.now().timestamp(),
    };
    let response = match shape {
        Shape::Sentry => inference(&request, door).await,
        Shape::OpenAi => chat_completion(&request, door).await,
    };
    send(response)
}

async fn models(State(door): State<Arc<Door>>) -> Response {
    let Ok(items) = door.limits.scan().await else {
        let message = "The limits cannot be read at the moment. Try again shortly.";
        return send(DoorResponse::refused(Shape::OpenAi, 503, "SentryUnavailable", message));
    };
    let mut ids: Vec<&str> = items
        .iter()
        .filter_map(|item| item.get("modelId")?.as_str())
        .filter(|id| sentry_core::model::ModelId::parse(id).is_ok())
        .collect();
    ids.sort_unstable();
    send(front_door::models(ids.into_iter()))
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn send(response: DoorResponse) -> Response {
    let mut sent = Response::new(Body::from(response.body));
    *sent.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = ("content-type", "application/json".to_owned());
    for (name, value) in response.headers.into_iter().chain([json]) {
        if let Ok(value) = HeaderValue::try_from(value) {
            sent.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    sent
}
