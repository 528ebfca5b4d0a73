//! Lambda's Invoke API.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{InvocationFailure, Lambda, MAX_PAYLOAD_BYTES};
use crate::arn::{function_arn, function_name};
use crate::http::Reply;

const JSON: &str = "application/json";
/// Lambda's limit of the payload of an asynchronous invocation.
const MAX_EVENT_BYTES: usize = 262_144;

/// Invokes the function that a name or an ARN names.
pub(crate) async fn invoke(
    functions: &Arc<Lambda>,
    reference: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Reply {
    let name = function_name(reference);
    if !functions.has(name) {
        return refuse(
            404,
            "ResourceNotFoundException",
            &format!("Function not found: {}", function_arn(name)),
        );
    }
    let kind = headers
        .get("x-amz-invocation-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("RequestResponse");
    let limit = if kind == "Event" { MAX_EVENT_BYTES } else { MAX_PAYLOAD_BYTES };
    if body.len() > limit {
        return refuse(
            413,
            "RequestTooLargeException",
            &format!(
                "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
                body.len()
            ),
        );
    }
    let payload = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice::<Value>(body) };
    let payload = match payload {
        Ok(payload) => payload,
        Err(error) => {
            return refuse(
                400,
                "InvalidRequestContentException",
                &format!("Could not parse request body into json: {error}"),
            );
        }
    };
    match kind {
        "RequestResponse" => answer(functions.invoke(name, payload).await),
        "Event" => {
            let (functions, name) = (Arc::clone(functions), name.to_owned());
            tokio::spawn(async move { functions.invoke(&name, payload).await });
            Reply::new(202, JSON, Vec::new())
        }
        "DryRun" => Reply::new(204, JSON, Vec::new()),
        other => refuse(
            400,
            "InvalidParameterValueException",
            &format!("Unknown invocation type {other:?}; use RequestResponse, Event or DryRun."),
        ),
    }
}

fn answer(result: Result<Value, InvocationFailure>) -> Reply {
    let executed =
        |document: &Value| Reply::json(200, JSON, document).with_header("x-amz-executed-version", "$LATEST");
    match result {
        Ok(value) => executed(&value),
        Err(failure @ InvocationFailure::Function { .. }) => {
            executed(&failure.document()).with_header("x-amz-function-error", "Unhandled")
        }
        Err(InvocationFailure::Service { name, status, message }) => refuse(status, &name, &message),
        Err(InvocationFailure::Lost) => {
            let mut reply = Reply::new(200, JSON, Vec::new());
            reply.lost = true;
            reply
        }
    }
}

fn refuse(status: u16, name: &str, message: &str) -> Reply {
    let side = if status < 500 { "User" } else { "Service" };
    Reply::json(status, JSON, &json!({"Type": side, "Message": message, "message": message}))
        .with_header("x-amzn-errortype", name)
}
