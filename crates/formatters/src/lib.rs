//! The formatter functions: one binary for each vendor that is called in its own format, and
//! one for Converse. What they do is in `vendor-formats`.

use sentry_core::error::SentryError;
use serde_json::Value;
use vendor_formats::{FORMATTERS, Formatter};

/// The formatters that are deployed as functions, `format-<name>` each. The others belong to
/// formats that do not carry the usage in the body; the router calls those models by Converse.
pub const DEPLOYED: &[&str] =
    &["anthropic", "amazon", "meta", "mistral", "ai21", "openai", "qwen", "converse"];

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
/// When there is no such formatter or the Runtime API cannot be reached.
pub fn run(name: &str) -> Result<(), lambda_runtime::Error> {
    let formatter = FORMATTERS
        .iter()
        .find(|formatter| formatter.name == name)
        .ok_or_else(|| format!("there is no formatter {name}"))?;
    sentry_lambda::run(move || async move { Ok(formatter) }, |event, formatter| handle(event, formatter))
}

#[cfg(test)]
mod tests;
