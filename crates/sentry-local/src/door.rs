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
use local_aws::arn::{ACCOUNT, REGION};
use local_aws::http::MAX_BODY_BYTES;
use local_aws::stepfunctions::Finished;
use sentry_aws::{KeysTable, LimitsTable, ScanLimits};
use sentry_core::request::envelope;
use serde_json::{Value, json};

use crate::names::RATE_LIMITER;

/// What the paths need.
pub(crate) struct Door {
    services: Arc<Services>,
    limits: LimitsTable,
    keys: KeysTable,
}

/// Who sent a request; nobody in particular where the host has no keys.
#[derive(Default)]
struct Sender {
    tenant: Option<String>,
    allowed_models: Option<String>,
}

/// An answer to a sender who was not let in, in the shape of the door.
type Refused = fn(Shape) -> DoorResponse;

impl Door {
    pub(crate) const fn new(services: Arc<Services>, limits: LimitsTable, keys: KeysTable) -> Self {
        Self { services, limits, keys }
    }

    /// Asks the authorizer, as API Gateway does. A host that has no keys lets everybody in.
    async fn sender(&self, headers: &HeaderMap, path: &str) -> Result<Sender, Refused> {
        match self.keys.list().await {
            Ok(keys) if keys.is_empty() => return Ok(Sender::default()),
            Ok(_) => {}
            Err(_) => return Err(keys_unavailable),
        }
        let mut given = serde_json::Map::new();
        for name in ["authorization", "x-api-key"] {
            let values: Vec<_> =
                headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            if !values.is_empty() {
                given.insert(name.to_owned(), json!(values));
            }
        }
        let arn = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:local/local/POST{path}");
        let event = json!({ "type": "REQUEST", "methodArn": arn, "multiValueHeaders": given });
        match self.services.lambda.invoke(authorize::NAME, event).await {
            Ok(policy) => {
                let text =
                    |name: &str| policy.pointer(&format!("/context/{name}"))?.as_str().map(str::to_owned);
                Ok(Sender { tenant: text("tenant"), allowed_models: text("allowedModels") })
            }
            Err(failure) if failure.document().to_string().contains("\"Unauthorized\"") => Err(unauthorized),
            Err(_) => Err(keys_unavailable),
        }
    }
}

fn unauthorized(shape: Shape) -> DoorResponse {
    let message = "No valid API key. Send one as \"Authorization: Bearer <key>\" or as \"x-api-key: <key>\".";
    DoorResponse::refused(shape, 401, "invalid_api_key", message)
}

fn keys_unavailable(shape: Shape) -> DoorResponse {
    let message = "The API keys cannot be read at the moment, so nothing was started. Try again shortly.";
    DoorResponse::refused(shape, 503, "SentryUnavailable", message)
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
            format!("The body could not be read; it may have at most {} bytes.", envelope::MAX_BODY_BYTES);
        return send(DoorResponse::refused(shape, 413, "RequestTooLarge", &message));
    };
    let sender = match door.sender(&parts.headers, parts.uri.path()).await {
        Ok(sender) => sender,
        Err(refused) => return send(refused(shape)),
    };
    let request = DoorRequest {
        tenant: sender.tenant.as_deref(),
        allowed_models: sender.allowed_models.as_deref(),
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

async fn models(State(door): State<Arc<Door>>, request: Request) -> Response {
    if let Err(refused) = door.sender(request.headers(), request.uri().path()).await {
        return send(refused(Shape::OpenAi));
    }
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
