//! The answer over HTTP: status, headers, body.

use openai_format::{DoorError, http_status, retryable};
use sentry_core::request::envelope::MAX_BODY_BYTES;
use serde_json::{Value, json};

use crate::Execution;

/// Whose form errors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"error": {"type", "message", …}}`, with every field of the cause.
    Sentry,
    /// As OpenAI's clients read it.
    OpenAi,
}

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content's type and length.
    pub headers: Vec<(&'static str, String)>,
    /// A JSON document.
    pub body: String,
}

impl DoorResponse {
    /// A whole answer: the sentry's own, from which the headers are, and what is sent of it.
    pub(crate) fn answered(answer: &Value, body: &Value) -> Self {
        let mut headers = budget_headers(answer.get("budget").unwrap_or(&Value::Null));
        if let Some(id) = answer.get("requestId").and_then(Value::as_str) {
            headers.push(("x-request-id", id.to_owned()));
        }
        Self { status: 200, headers, body: body.to_string() }
    }

    /// An error of the door itself: nothing was started.
    #[must_use]
    pub fn refused(shape: Shape, status: u16, name: &str, message: &str) -> Self {
        let cause = json!({ "type": name, "message": message });
        let mut response = Self::failed(shape, name, &cause);
        response.status = status;
        response.body = match shape {
            Shape::Sentry => json!({ "error": cause }),
            Shape::OpenAi => DoorError::new(status, name, message).document(),
        }
        .to_string();
        response
    }

    /// An error by its name and cause.
    pub(crate) fn failed(shape: Shape, name: &str, cause: &Value) -> Self {
        let mut headers = budget_headers(cause.get("budget").unwrap_or(&Value::Null));
        if let Some(id) = cause.get("requestId").and_then(Value::as_str) {
            headers.push(("x-request-id", id.to_owned()));
        }
        // Always: without it clients repeat a refusal, or sleep for as long as Retry-After says.
        headers.push(("x-should-retry", retryable(name, cause).to_string()));
        if let Some(seconds) = cause.get("retryAfterSeconds").and_then(Value::as_u64) {
            headers.push(("retry-after", seconds.to_string()));
        }
        let body = match shape {
            Shape::Sentry => json!({ "error": cause }),
            Shape::OpenAi => DoorError::of(name, cause).document(),
        };
        Self { status: http_status(name), headers, body: body.to_string() }
    }

    /// The end of an execution without an answer.
    pub(crate) fn of_failure(shape: Shape, execution: Execution) -> Self {
        let (name, cause) = match execution {
            Execution::Failed { error, cause } => match serde_json::from_str(&cause) {
                Ok(cause @ Value::Object(_)) if http_status(&error) != 500 || error == "InternalError" => {
                    (error, cause)
                }
                // Step Functions' own words may name functions and states.
                _ => ("InternalError".to_owned(), internal()),
            },
            Execution::TimedOut => ("ModelTimeout".to_owned(), timed_out()),
            Execution::TooLarge => ("RequestTooLarge".to_owned(), too_large()),
            Execution::NotStarted => ("SentryUnavailable".to_owned(), not_started()),
            Execution::Succeeded(_) => ("InternalError".to_owned(), internal()),
        };
        Self::failed(shape, &name, &cause)
    }
}

fn internal() -> Value {
    json!({ "type": "InternalError", "message": "The request failed for a reason of the sentry's own; its log has the details.",
        "possiblyBilled": true })
}

fn timed_out() -> Value {
    json!({ "type": "ModelTimeout", "message": "The model did not answer in time. Ask for a shorter answer with a smaller maxTokens.",
        "possiblyBilled": true })
}

fn too_large() -> Value {
    json!({ "type": "RequestTooLarge", "message": format!("The request is larger than the workflows carry. Send at most {} bytes.", MAX_BODY_BYTES),
        "limit": MAX_BODY_BYTES })
}

fn not_started() -> Value {
    json!({ "type": "SentryUnavailable", "message": "The request could not be started, so nothing was reserved. Try again shortly.",
        "possiblyBilled": false, "retryAfterSeconds": 1 })
}

/// What is left of the narrowest budget.
fn budget_headers(budget: &Value) -> Vec<(&'static str, String)> {
    let number = |dimension: &str, field: &str| {
        budget.get(dimension).and_then(|amounts| amounts.get(field)).filter(|number| number.is_number())
    };
    [
        ("x-budget-limit-input-tokens", "input", "limit"),
        ("x-budget-remaining-input-tokens", "input", "remaining"),
        ("x-budget-limit-output-tokens", "output", "limit"),
        ("x-budget-remaining-output-tokens", "output", "remaining"),
        ("x-budget-limit-usd", "costUsd", "limit"),
        ("x-budget-remaining-usd", "costUsd", "remaining"),
    ]
    .into_iter()
    .filter_map(|(header, dimension, field)| Some((header, number(dimension, field)?.to_string())))
    .collect()
}
