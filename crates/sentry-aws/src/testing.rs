//! Scripted answers in the place of DynamoDB, EventBridge and CloudWatch.

use aws_smithy_http_client::test_util::{NeverClient, ReplayEvent, StaticReplayClient};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::Connection;

/// An answer: its status and its body.
pub(crate) fn answer(status: u16, body: &Value) -> ReplayEvent {
    let request = http::Request::builder().body(SdkBody::empty()).unwrap();
    let response = http::Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .body(SdkBody::from(body.to_string()))
        .unwrap();
    ReplayEvent::new(request, response)
}

/// An error of DynamoDB, with further fields of its document.
pub(crate) fn error(status: u16, name: &str, fields: Value) -> ReplayEvent {
    let mut body = fields;
    body["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{name}"));
    body["message"] = json!("scripted");
    answer(status, &body)
}

/// The error of a write whose condition did not hold, with the item that refused.
pub(crate) fn refused(item: Value) -> ReplayEvent {
    error(400, "ConditionalCheckFailedException", json!({"Item": item}))
}

/// A transaction that was cancelled for these reasons, one for each item.
pub(crate) fn cancelled(reasons: &[&str]) -> ReplayEvent {
    let reasons: Vec<_> = reasons.iter().map(|code| json!({"Code": code})).collect();
    error(400, "TransactionCanceledException", json!({"CancellationReasons": reasons}))
}

/// A service that answers with these events, one after another.
pub(crate) fn replay(events: Vec<ReplayEvent>) -> StaticReplayClient {
    StaticReplayClient::new(events)
}

/// A connection to such a service.
pub(crate) async fn connection(http: &StaticReplayClient) -> Connection {
    Connection::with(http.clone()).await
}

/// A connection to a service that takes requests and never answers.
pub(crate) async fn silent_connection() -> (Connection, NeverClient) {
    let http = NeverClient::new();
    (Connection::with(http.clone()).await, http)
}

/// The operations that the service was asked for, with the bodies of the requests.
pub(crate) fn asked(http: &StaticReplayClient) -> Vec<(String, Value)> {
    http.actual_requests()
        .map(|request| {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            (operation, serde_json::from_slice(request.body().bytes().unwrap()).unwrap())
        })
        .collect()
}
