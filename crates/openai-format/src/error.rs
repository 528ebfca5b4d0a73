//! Errors in the form that OpenAI's clients read.

use serde_json::{Value, json};

use crate::request::{RequestError, param_of};

/// An error of the sentry, or of the door itself.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorError {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: ErrorBody,
    /// Whether to ask again, for `x-should-retry`.
    pub should_retry: bool,
    /// Seconds to wait before, for `Retry-After`.
    pub retry_after: Option<u64>,
}

/// The members of `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// A sentence for people.
    pub message: String,
    /// OpenAI's group of errors.
    pub kind: &'static str,
    /// The field.
    pub param: Option<String>,
    /// The sentry's name for the error.
    pub code: String,
}

/// The HTTP status for a name of an error.
#[must_use]
pub fn http_status(name: &str) -> u16 {
    match name {
        "InvalidRequest" | "ModelRejectedRequest" => 400,
        "ModelAccessDenied" => 403,
        "UnsupportedModel" | "ModelNotFound" => 404,
        "RequestInProgress" => 409,
        "RequestTooLarge" => 413,
        "BudgetExceeded" | "BudgetBusy" | "ModelThrottled" => 429,
        "UnreadableModelResponse" => 502,
        "LimitNotConfigured" | "SentryUnavailable" | "ModelUnavailable" => 503,
        "ModelTimeout" => 504,
        _ => 500,
    }
}

/// Whether asking again can help, where the model was certainly not billed.
#[must_use]
pub fn retryable(name: &str, cause: &Value) -> bool {
    let certainly_not_billed = match name {
        "BudgetBusy" | "SentryUnavailable" | "RequestInProgress" => true,
        "ModelThrottled" | "ModelUnavailable" => cause.get("possiblyBilled") == Some(&json!(false)),
        _ => false,
    };
    certainly_not_billed && cause.get("possiblyBilled") != Some(&json!(true))
}

fn kind(name: &str, status: u16) -> &'static str {
    match (name, status) {
        ("BudgetExceeded", _) => "insufficient_quota",
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (_, 409) => "conflict_error",
        (_, 429) => "rate_limit_error",
        (_, 400..=499) => "invalid_request_error",
        _ => "server_error",
    }
}

impl DoorError {
    /// From a failed execution: its error's name and its cause.
    #[must_use]
    pub fn of(name: &str, cause: &Value) -> Self {
        let status = http_status(name);
        let message = cause.get("message").and_then(Value::as_str).unwrap_or("The request failed.");
        let path = cause.get("path").and_then(Value::as_str).filter(|path| !path.is_empty());
        let param = path.map(param_of);
        Self {
            status,
            body: ErrorBody {
                message: message.to_owned(),
                kind: kind(name, status),
                param,
                code: name.to_owned(),
            },
            should_retry: retryable(name, cause),
            retry_after: cause.get("retryAfterSeconds").and_then(Value::as_u64),
        }
    }

    /// Of the door itself.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            message: message.into(),
            kind: kind(code, status),
            param: None,
            code: code.to_owned(),
        };
        Self { status, body, should_retry: false, retry_after: None }
    }

    /// The body as a document.
    #[must_use]
    pub fn document(&self) -> Value {
        let ErrorBody { message, kind, param, code } = &self.body;
        json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
    }
}

impl From<RequestError> for DoorError {
    fn from(error: RequestError) -> Self {
        let body = ErrorBody {
            message: error.message,
            kind: "invalid_request_error",
            param: error.param,
            code: "InvalidRequest".to_owned(),
        };
        Self { status: 400, body, should_retry: false, retry_after: None }
    }
}
