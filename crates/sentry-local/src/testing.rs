//! What the tests of the host share.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::forward::Forwarder;
use crate::reply::Reply;
use crate::{Config, Host};

/// A state machine of one task that takes its arguments from the input.
pub(crate) fn one_task(resource: &str) -> String {
    json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Call",
        "States": {"Call": {
            "Type": "Task",
            "Resource": resource,
            "TimeoutSeconds": 20,
            "Arguments": "{% $states.input %}",
            "End": true,
        }},
    })
    .to_string()
}

/// Small state machines: `echo`, `refuse`, and one for each integration.
pub(crate) fn small_machines() -> Vec<(String, String)> {
    let echo = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Echo",
        "States": {"Echo": {"Type": "Pass", "Output": {"said": "{% $states.input %}", "by": "${EchoArn}"}, "End": true}},
    });
    let refuse = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Refuse",
        "States": {"Refuse": {"Type": "Fail", "Error": "BudgetExceeded", "Cause": "{\"message\":\"no\"}"}},
    });
    let machine = |name: &str, definition: String| (name.to_owned(), definition);
    vec![
        machine("echo", echo.to_string()),
        machine("refuse", refuse.to_string()),
        machine("lambda", one_task("arn:aws:states:::lambda:invoke")),
        machine("invoke-model", one_task("arn:aws:states:::bedrock:invokeModel")),
        machine("converse", one_task("arn:aws:states:::aws-sdk:bedrockruntime:converse")),
        machine("nested", one_task("arn:aws:states:::aws-sdk:sfn:startSyncExecution")),
        machine("put-events", one_task("arn:aws:states:::events:putEvents")),
        machine("sdk-put-events", one_task("arn:aws:states:::aws-sdk:eventbridge:putEvents")),
        machine("unknown", one_task("arn:aws:states:::sqs:sendMessage")),
    ]
}

/// Settings of a host with the small machines and instantaneous models.
pub(crate) fn small_config() -> Config {
    Config { machines: small_machines(), model_latency: Some(Duration::ZERO), ..Config::default() }
}

/// A host with the small machines.
pub(crate) async fn small_host() -> Host {
    crate::start(small_config()).await.unwrap()
}

/// Sends a request; `None` when the connection closes without an answer.
pub(crate) async fn try_send(
    host: &Host,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: Vec<u8>,
) -> Option<Reply> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let client = Forwarder::new(&host.url(), Duration::from_secs(20)).unwrap();
    client.send(method, path, &map, body).await.ok()
}

/// Sends a request and takes the answer.
pub(crate) async fn send(
    host: &Host,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &Value,
) -> Reply {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    try_send(host, method, path, headers, body).await.unwrap()
}

/// Gets a path.
pub(crate) async fn get(host: &Host, path: &str) -> Reply {
    send(host, Method::GET, path, &[], &Value::Null).await
}

/// Calls an operation of a service that is told by its target.
pub(crate) async fn call(host: &Host, target: &str, body: &Value) -> Reply {
    let headers = [
        ("x-amz-target", target),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20260101T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    send(host, Method::POST, "/", &headers, body).await
}

/// Runs a machine and gives its output.
pub(crate) async fn output(host: &Host, machine: &str, input: &Value) -> Value {
    let finished = host.execute(machine, None, &input.to_string()).await.unwrap();
    assert_eq!(finished.status.as_str(), "SUCCEEDED", "{:?}: {:?}", finished.error, finished.cause);
    serde_json::from_str(finished.output.as_deref().unwrap()).unwrap()
}

/// Runs a machine that fails and gives the error and the cause.
pub(crate) async fn failure(host: &Host, machine: &str, input: &Value) -> (String, String) {
    let finished = host.execute(machine, None, &input.to_string()).await.unwrap();
    assert_eq!(finished.status.as_str(), "FAILED", "{:?}", finished.output);
    (finished.error.clone().unwrap(), finished.cause.clone().unwrap())
}
