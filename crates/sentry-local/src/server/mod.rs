//! One port for everything: finds out which service a request is for.
//!
//! AWS's protocols tell by the header `X-Amz-Target` (DynamoDB, Step Functions, EventBridge,
//! CloudWatch's JSON), by the path (Bedrock, Lambda, CloudWatch's CBOR), or by a form
//! (CloudWatch's Query protocol). Signatures are not looked at: any credentials do.

mod lambda;
mod local;
mod stepfunctions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::serve::{Listener, ListenerExt as _};
use serde_json::json;
use tokio::net::TcpListener;

use crate::bedrock::Operation;
use crate::clock::Clock;
use crate::cloudwatch::CloudWatch;
use crate::events::EventStore;
use crate::faults::Faults;
use crate::functions::Functions;
use crate::models::Models;
use crate::reply::Reply;
use crate::tables::Tables;
use crate::workflows::Workflows;

/// The largest body of a request.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

const PATHS: [&str; 8] = [
    "POST / with X-Amz-Target DynamoDB_20120810.*, AWSStepFunctions.*, AWSEvents.*, GraniteServiceVersion20100801.*",
    "POST / with a form (CloudWatch's Query protocol)",
    "POST /service/GraniteServiceVersion20100801/operation/{operation} (CloudWatch in CBOR)",
    "POST /model/{modelId}/invoke|converse|count-tokens (Bedrock)",
    "POST /2015-03-31/functions/{name}/invocations (Lambda)",
    "GET /_local/usage, /_local/events, /_local/executions, /_local/executions/{name}",
    "GET, POST, DELETE /_local/faults",
    "GET /_local/health",
];

/// The services behind the port.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) tables: Tables,
    pub(crate) cloudwatch: Arc<CloudWatch>,
    pub(crate) models: Arc<Models>,
    pub(crate) events: Arc<EventStore>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Clock,
}

impl Services {
    /// What the models have billed, and how many calls of each kind there were.
    pub(crate) fn usage(&self) -> serde_json::Value {
        let mut usage = self.models.usage();
        usage["dynamodb"] = self.tables.calls();
        usage
    }
}

/// The router over the services.
pub(crate) fn router(services: Arc<Services>) -> Router {
    Router::new().fallback(serve).with_state(services)
}

/// A listener whose small answers are not held back for more.
pub(crate) fn without_delay(
    listener: TcpListener,
) -> impl Listener<Io = tokio::net::TcpStream, Addr = std::net::SocketAddr> {
    listener.tap_io(|stream| {
        // Without it everything works, only slower.
        let _ = stream.set_nodelay(true);
    })
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
    respond(dispatch(&services, &parts.method, parts.uri.path(), &parts.headers, body).await)
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
                    Some(model) => services.models.handle(operation, &model, &body, now).await,
                    None => error(400, "ValidationException", "The model id in the path is not valid."),
                },
                None => nothing_here(method, path),
            }
        }
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => match percent_decode(name) {
            Some(name) => lambda::invoke(&services.functions, &name, headers, &body).await,
            None => {
                error(400, "InvalidParameterValueException", "The function's name in the path is not valid.")
            }
        },
        (_, ["_local", rest @ ..]) => {
            local::handle(services, method, rest, &body).unwrap_or_else(|| nothing_here(method, path))
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
            services.tables.handle(target, headers, body.to_vec()).await
        }
        Some(("AWSStepFunctions", operation)) => {
            stepfunctions::handle(&services.workflows, operation, &body).await
        }
        Some(("AWSEvents", operation)) => services.events.handle(operation, &body, now),
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

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        rest = tail;
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
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
