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

/// An error that a handler ends in.
pub trait HandlerError: From<SentryError> + Into<FunctionFailure> {
    /// A sentence for the log. It holds no secret, no prompt and no answer.
    fn explanation(&self) -> String;
}

impl HandlerError for SentryError {
    fn explanation(&self) -> String {
        self.message.clone()
    }
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
pub async fn answer<F, E>(invocation: &Invocation, handler: F) -> Result<Value, FunctionFailure>
where
    F: Future<Output = Result<Value, E>>,
    E: HandlerError,
{
    let result = AssertUnwindSafe(handler).catch_unwind().await.unwrap_or_else(|_| {
        let error = SentryError::new(
            ErrorName::InternalError,
            format!(
                "The function {} stopped unexpectedly. Find the request id {} in its log.",
                invocation.function, invocation.request_id
            ),
        );
        Err(error.into())
    });
    match result {
        Ok(answer) => {
            tracing::debug!(function = invocation.function, request_id = invocation.request_id, "answered");
            Ok(answer)
        }
        Err(error) => {
            let (function, request_id) = (&invocation.function, &invocation.request_id);
            let explanation = error.explanation();
            let failure: FunctionFailure = error.into();
            tracing::warn!(function, request_id, error = failure.error_type, "{explanation}");
            Err(failure)
        }
    }
}
