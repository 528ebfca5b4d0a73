//! Reading a function's event: a wrong one is an error with a path, never a Rust type name.

use sentry_core::error::{ErrorName, SentryError};
use serde::de::DeserializeOwned;
use serde_json::Value;

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
