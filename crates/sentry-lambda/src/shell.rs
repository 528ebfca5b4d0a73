//! One invocation, from the event to the answer or the named failure.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sentry_core::error::{ErrorName, SentryError};
use serde::Serialize;
use serde_json::Value;

/// The function that is invoked and the id of the invocation; both are in the log line.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// The id of the invocation.
    pub request_id: String,
}

/// A failed invocation as Lambda reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionFailure {
    /// The stable name of the error.
    pub error_type: String,
    /// The cause document as JSON, for the state machine to pass on.
    pub error_message: String,
}

impl From<SentryError> for FunctionFailure {
    fn from(error: SentryError) -> Self {
        Self { error_type: error.name.as_str().to_owned(), error_message: error.document().to_string() }
    }
}

/// Calls a handler, turns a panic into `InternalError`, and logs how it ended.
///
/// # Errors
/// The handler's error by its stable name.
pub async fn answer<F>(invocation: &Invocation, handler: F) -> Result<Value, FunctionFailure>
where
    F: Future<Output = Result<Value, SentryError>>,
{
    let result = AssertUnwindSafe(handler).catch_unwind().await.unwrap_or_else(|_| {
        Err(SentryError::new(
            ErrorName::InternalError,
            format!(
                "The function {} stopped unexpectedly. Find the request id {} in its log.",
                invocation.function, invocation.request_id
            ),
        ))
    });
    match &result {
        Ok(_) => {
            tracing::debug!(function = invocation.function, request_id = invocation.request_id, "answered");
        }
        Err(error) => {
            tracing::warn!(
                function = invocation.function,
                request_id = invocation.request_id,
                error = error.name.as_str(),
                "{}",
                error.message
            );
        }
    }
    result.map_err(FunctionFailure::from)
}
