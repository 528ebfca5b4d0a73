//! One port for everything: finds out which service a request is for.
//!
//! AWS's protocols tell by the header `X-Amz-Target` (DynamoDB, Step Functions, EventBridge,
//! CloudWatch's JSON), by the path (Bedrock, Lambda, CloudWatch's CBOR), or by a form
//! (CloudWatch's Query protocol). Signatures are not checked, so any credentials work.

mod control;
pub mod forward;
mod reply;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::bedrock::Operation;
use crate::bedrock::backend::Backend;
use crate::clock::Clock;
use crate::cloudwatch::CloudWatch;
use crate::dynamodb::DynamoDb;
use crate::eventbridge::EventBridge;
use crate::faults::Faults;
use crate::lambda::{self, Lambda};
use crate::stepfunctions::{self, StepFunctions};
pub use reply::{Reply, new_id};
pub use server::{Server, listen, url_of};

/// The largest body of a request: as much as Bedrock takes.
pub const MAX_BODY_BYTES: usize = 25_000_000;

/// The header in which every service names the request that it answers.
const REQUEST_ID: &str = "x-amzn-requestid";

const PATHS: [&str; 8] = [
    "POST / with X-Amz-Target DynamoDB_20120810.*, AWSStepFunctions.*, AWSEvents.*, GraniteServiceVersion20100801.*",
    "POST / with a form (CloudWatch's Query protocol)",
    "POST /service/GraniteServiceVersion20100801/operation/{operation} (CloudWatch in CBOR)",
    "POST /model/{modelId}/invoke|converse|count-tokens|converse-stream|invoke-with-response-stream (Bedrock)",
    "POST /2015-03-31/functions/{name}/invocations (Lambda)",
    "GET /_local/usage, /_local/events, /_local/executions, /_local/executions/{name}",
    "GET, POST, DELETE /_local/faults",
    "GET /_local/health",
];

/// The services behind the port.
#[derive(Debug)]
pub struct Services {
    /// The tables.
    pub dynamodb: DynamoDb,
    /// The metrics.
    pub cloudwatch: Arc<CloudWatch>,
    /// The models.
    pub bedrock: Arc<Backend>,
    /// The events.
    pub eventbridge: Arc<EventBridge>,
    /// The functions.
    pub lambda: Arc<Lambda>,
    /// The state machines.
    pub stepfunctions: Arc<StepFunctions>,
    /// The faults in force.
    pub faults: Arc<Faults>,
    /// The time.
    pub clock: Clock,
}

impl Services {
    /// What the models have billed, and how many calls of each kind there were.
    #[must_use]
    pub fn usage(&self) -> serde_json::Value {
        let mut usage = self.bedrock.usage();
        usage["dynamodb"] = self.dynamodb.calls();
        usage
    }
}

/// The host's router: every request that no route in front of it takes.
pub fn router(services: Arc<Services>) -> Router {
    Router::new().fallback(serve).with_state(services)
}

async fn serve(State(services): State<Arc<Services>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(_) => {
            return respond(error(
                413,
                "RequestEntityTooLarge",
                &format!("The body could not be read; it may have at most {MAX_BODY_BYTES} bytes."),
            ));
        }
    };
    let mut reply = dispatch(&services, &parts.method, parts.uri.path(), &parts.headers, body).await;
    if reply.header(REQUEST_ID).is_none() {
        reply = reply.with_header(REQUEST_ID, new_id());
    }
    respond(reply)
}

async fn dispatch(
    services: &Services,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Reply {
    let now = services.clock.now();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    if *method == Method::POST && path == "/" {
        return dispatch_root(services, headers, body).await;
    }
    match (method, segments.as_slice()) {
        (&Method::POST, ["service", "GraniteServiceVersion20100801", "operation", operation]) => {
            services.cloudwatch.handle_cbor(operation, &body, now)
        }
        (&Method::POST, ["model", model @ .., operation]) if !model.is_empty() => {
            match Operation::of_path(operation) {
                // An ARN may come with its slash as it is.
                Some(operation) => match percent_decode(&model.join("/")) {
                    Some(model) => services.bedrock.handle(operation, &model, &body, now).await,
                    None => error(400, "ValidationException", "The model id in the path is not valid."),
                },
                None => nothing_here(method, path),
            }
        }
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => match percent_decode(name) {
            Some(name) => lambda::api::invoke(&services.lambda, &name, headers, &body).await,
            None => {
                error(400, "InvalidParameterValueException", "The function's name in the path is not valid.")
            }
        },
        (_, ["_local", rest @ ..]) => {
            control::handle(services, method, rest, &body).unwrap_or_else(|| nothing_here(method, path))
        }
        _ => nothing_here(method, path),
    }
}

async fn dispatch_root(services: &Services, headers: &HeaderMap, body: Bytes) -> Reply {
    let now = services.clock.now();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let target = header("x-amz-target");
    match target.split_once('.') {
        Some(("DynamoDB_20120810" | "DynamoDBStreams_20120810", _)) => {
            services.dynamodb.handle(target, headers, body.to_vec()).await
        }
        Some(("AWSStepFunctions", operation)) => {
            stepfunctions::api::handle(&services.stepfunctions, operation, &body).await
        }
        Some(("AWSEvents", operation)) => services.eventbridge.handle(operation, &body, now),
        Some(("GraniteServiceVersion20100801", operation)) => {
            services.cloudwatch.handle_json(operation, &body, now)
        }
        Some((service, _)) => error(
            400,
            "UnknownOperationException",
            &format!("There is no service {service:?} here. {}", what_there_is()),
        ),
        None if header("content-type").starts_with("application/x-www-form-urlencoded") => {
            services.cloudwatch.handle_query(&body, now)
        }
        None => error(
            400,
            "MissingAction",
            &format!(
                "The request says neither by the header X-Amz-Target nor by a form what it wants. {}",
                what_there_is()
            ),
        ),
    }
}

fn what_there_is() -> String {
    format!("Here are: {}.", PATHS.join("; "))
}

fn nothing_here(method: &Method, path: &str) -> Reply {
    error(404, "UnknownOperationException", &format!("There is no {method} {path}. {}", what_there_is()))
}

/// An error in the shape that AWS's JSON protocols share.
pub(crate) fn error(status: u16, name: &str, message: &str) -> Reply {
    Reply::json(status, "application/json", &json!({"__type": name, "message": message}))
        .with_header("x-amzn-errortype", name)
}

/// A part of a path; nothing where a percent sign stands for no byte, or the bytes for no text.
fn percent_decode(text: &str) -> Option<String> {
    let encoded = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let whole = text.split('%').skip(1).all(encoded);
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok().filter(|_| whole)?;
    Some(decoded.into_owned())
}

fn respond(reply: Reply) -> Response {
    if reply.lost {
        // A body that breaks off, so that the connection closes without an answer.
        let broken = futures_util::stream::once(async {
            Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
        });
        return Response::new(Body::from_stream(broken));
    }
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
