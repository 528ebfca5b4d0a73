//! Reading a function's event: a wrong one is an error with a path, never a Rust type name.

use sentry_core::error::{ErrorName, SentryError};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// How deep a document may be nested, the limit of `serde_json`.
const DEEPEST: usize = 127;

/// Reads the payload of an invocation, which the runtime hands over unparsed.
///
/// If the runtime parsed it, a payload that cannot be parsed would fail with the name of a Rust
/// type, which the state machines would report as an outage and callers would retry. Here it
/// gets a documented error name.
///
/// # Errors
/// [`ErrorName::InvalidRequest`] for a document that has half of a surrogate pair or is nested
/// too deep. Both are JSON to Lambda and to Step Functions, so they come from the caller.
pub fn parse(payload: &RawValue) -> Result<Value, SentryError> {
    serde_json::from_str(payload.get()).map_err(|error| {
        let problem = error.to_string();
        let message = if problem.starts_with("recursion limit") {
            format!("The request is nested deeper than {DEEPEST} levels; a request needs five.")
        } else {
            format!(
                "The request cannot be read as JSON: {problem}. Write each character as itself, or as a whole surrogate pair \
                 where it is escaped."
            )
        };
        SentryError::new(ErrorName::InvalidRequest, message).with("path", "")
    })
}

/// Reads the event of a function that only the state machines call.
///
/// # Errors
/// [`ErrorName::InternalError`] with the `path` of the field: the caller of the sentry has
/// no part in this document, so a wrong one is a fault of the deployment.
pub fn read<T: DeserializeOwned>(event: &Value) -> Result<T, SentryError> {
    serde_path_to_error::deserialize(event).map_err(|error| {
        let path = error.path().to_string();
        SentryError::new(
            ErrorName::InternalError,
            format!(
                "The function was called with a document that it does not understand, at {path:?}. Deploy the state machines and the functions of one version together."
            ),
        )
        .with("path", path)
    })
}
