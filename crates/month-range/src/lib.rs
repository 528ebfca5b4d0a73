//! The calendar month, in UTC, in which an execution started.

use sentry_core::error::{ErrorName, SentryError};
use sentry_core::month::{Period, parse_time};
use serde::Deserialize;
use serde_json::{Value, json};

/// The function's name.
pub const NAME: &str = "month-range";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MonthRangeEvent {
    start_time: String,
}

/// The month of the execution's start time. The function does not read its own clock, since a
/// request belongs to the month in which its execution started.
///
/// # Errors
/// `InternalError` when the start time is not a timestamp.
pub async fn handle(event: Value) -> Result<Value, SentryError> {
    let MonthRangeEvent { start_time } = sentry_lambda::read(&event)?;
    let now = parse_time(&start_time).map_err(|error| {
        SentryError::new(ErrorName::InternalError, error.to_string()).with("path", "startTime")
    })?;
    Ok(json!(Period::range(now)))
}

#[cfg(test)]
mod tests;
