//! The formatter functions: one binary for each of `vendor-formats`, which has what they do.

use sentry_core::error::SentryError;
use serde_json::Value;
use vendor_formats::{FORMATTERS, Formatter};

/// The names of the functions, `format-<name>` for every formatter.
pub fn function_names() -> impl Iterator<Item = String> {
    FORMATTERS.iter().map(|formatter| format!("format-{}", formatter.name))
}

/// Answers `format` and `normalize` for one vendor.
///
/// # Errors
/// `InvalidRequest` with a path, `UnsupportedModel`, `UnreadableModelResponse`.
pub async fn handle(event: Value, formatter: &Formatter) -> Result<Value, SentryError> {
    vendor_formats::handle(formatter, &event).map_err(SentryError::from)
}

/// Serves invocations of one vendor's formatter.
///
/// # Errors
/// When the Runtime API cannot be reached.
pub fn run(formatter: Formatter) -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(move || async move { Ok(formatter) }, handle)
}

#[cfg(test)]
mod tests;
