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

/// The variable of the environment that keeps labels of requests out of Bedrock's invocation log
/// when it is `off`.
pub const REQUEST_METADATA: &str = "REQUEST_METADATA";

/// An event as the formatter is to see it: without the labels for Bedrock's invocation log where
/// `setting`, the value of [`REQUEST_METADATA`], says so.
fn with_setting(mut event: Value, setting: Option<&str>) -> Value {
    if setting == Some("off")
        && let Some(fields) = event.as_object_mut()
    {
        fields.remove("metadata");
    }
    event
}

/// Serves invocations of one vendor's formatter.
///
/// # Errors
/// When the Runtime API cannot be reached.
pub fn run(formatter: Formatter) -> Result<(), lambda_runtime::Error> {
    let prepare = move || async move { Ok((formatter, std::env::var(REQUEST_METADATA).ok())) };
    sentry_lambda::run(prepare, |event, (formatter, setting)| {
        handle(with_setting(event, setting.as_deref()), formatter)
    })
}

#[cfg(test)]
mod tests;
