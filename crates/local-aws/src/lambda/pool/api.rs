//! The Lambda Runtime API, as one child sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::mpsc;

/// The largest answer that Lambda takes from a function.
const ANSWER_BYTES: usize = 6_291_556;

/// One invocation, as it is handed to the child.
#[derive(Debug)]
pub(super) struct Work {
    pub id: String,
    pub trace: String,
    pub deadline_ms: u128,
    pub payload: Bytes,
}

/// What a child tells through its Runtime API.
#[derive(Debug)]
pub(super) enum RuntimeEvent {
    /// It has asked for an invocation for the first time.
    Ready,
    /// It could not be initialised.
    InitError(ReportedError),
    /// It has been handed the invocation.
    Taken,
    /// The invocation's end.
    FunctionAnswer(Result<Bytes, ReportedError>),
}

/// An error as a function names it.
#[derive(Debug)]
pub(super) struct ReportedError {
    pub error_type: String,
    pub error_message: String,
}

struct Api {
    // Asynchronous, as it is held while the child waits for its next invocation.
    work: tokio::sync::Mutex<mpsc::Receiver<Work>>,
    events: mpsc::UnboundedSender<RuntimeEvent>,
    // The invocation that the child has been handed and not answered. It also bounds the
    // events that a child can cause.
    current: Mutex<Option<String>>,
    heard: AtomicBool,
    arn: String,
}

impl Api {
    fn first_word(&self, event: RuntimeEvent) {
        if !self.heard.swap(true, Ordering::Relaxed) {
            let _ = self.events.send(event);
        }
    }

    /// The end of the invocation `id`, unless it is not the one at hand.
    fn finish(&self, id: &str, answer: Result<Bytes, ReportedError>) -> Response {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_deref() != Some(id) {
            return reply(
                StatusCode::BAD_REQUEST,
                r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
            );
        }
        *current = None;
        let status = match &answer {
            Err(failure) if failure.error_type == TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::ACCEPTED,
        };
        let _ = self.events.send(RuntimeEvent::FunctionAnswer(answer));
        reply(status, r#"{"status":"OK"}"#)
    }
}

/// The routes for one child.
pub(super) fn router(
    arn: String,
    work: mpsc::Receiver<Work>,
    events: mpsc::UnboundedSender<RuntimeEvent>,
) -> Router {
    let api = Api {
        work: tokio::sync::Mutex::new(work),
        events,
        current: Mutex::new(None),
        heard: AtomicBool::new(false),
        arn,
    };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(ANSWER_BYTES))
        .with_state(Arc::new(api))
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.first_word(RuntimeEvent::Ready);
    let Some(work) = api.work.lock().await.recv().await else {
        return reply(StatusCode::GONE, r#"{"errorMessage":"shutting down"}"#);
    };
    *api.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(work.id.clone());
    let _ = api.events.send(RuntimeEvent::Taken);
    let mut response = Response::new(Body::from(work.payload));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", &work.id),
        ("lambda-runtime-deadline-ms", &work.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", &api.arn),
        ("lambda-runtime-trace-id", &work.trace),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

async fn response(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    api.finish(&id, body.map_err(|rejection| unreadable(&rejection)))
}

async fn error(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    api.finish(&id, Err(failure(&headers, body)))
}

async fn init_error(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    api.first_word(RuntimeEvent::InitError(failure(&headers, body)));
    reply(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}

fn reply(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

fn unreadable(rejection: &BytesRejection) -> ReportedError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        ReportedError {
            error_type: TOO_LARGE.to_owned(),
            error_message: format!(
                "Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES} bytes)."
            ),
        }
    } else {
        ReportedError {
            error_type: "Runtime.TruncatedResponse".to_owned(),
            error_message: rejection.body_text(),
        }
    }
}

/// The error in a body `{"errorType", "errorMessage"}`. A runtime may also name it in a
/// header, or send a body of another form, which is then the message.
fn failure(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> ReportedError {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return unreadable(&rejection),
    };
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |field: &str| document.get(field).and_then(Value::as_str).map(str::to_owned);
    let header = headers.get("lambda-runtime-function-error-type");
    ReportedError {
        error_type: text("errorType")
            .or_else(|| header.and_then(|value| value.to_str().ok()).map(str::to_owned))
            .unwrap_or_else(|| "Unhandled".to_owned()),
        error_message: text("errorMessage").unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()),
    }
}
