//! The month's token usage as CloudWatch shows it: late by minutes, but it also sees calls
//! that bypass the sentry.
//!
//! Fails open towards the ledger: without CloudWatch the workflow goes on, since the ledger
//! alone keeps what went through the sentry within the limit.

mod cache;
mod plan;

use std::time::Duration;

use sentry_aws::{BedrockMetrics, Connection, DAY, MINUTE, SumMetrics, UsageQueries, sum_usage};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::money::TokenUsage;
use sentry_core::month::{MonthRange, parse_time};
use serde::Deserialize;
use serde_json::{Value, json};

use cache::Cache;
use plan::Plan;

/// The function's name.
pub const NAME: &str = "usage-query";
/// How long a warm function keeps what it read, unless `USAGE_CACHE_SECONDS` says otherwise.
const DEFAULT_CACHE: Duration = Duration::from_secs(300);

/// The metrics and what a warm function remembers of them.
#[derive(Debug)]
pub struct Context<M> {
    metrics: M,
    cache: Cache,
}

impl<M> Context<M> {
    /// Keeps what was read for `keep`; zero asks CloudWatch every time.
    #[must_use]
    pub fn new(metrics: M, keep: Duration) -> Self {
        Self { metrics, cache: Cache::new(keep) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    model_ids: Vec<String>,
    range: MonthRange,
}

/// As the environment says.
///
/// # Errors
/// `InternalError` when `USAGE_CACHE_SECONDS` is not a whole number.
pub async fn prepare() -> Result<Context<BedrockMetrics>, SentryError> {
    let keep = match std::env::var("USAGE_CACHE_SECONDS") {
        Err(_) => DEFAULT_CACHE,
        Ok(text) => Duration::from_secs(text.parse().map_err(|_| {
            SentryError::new(
                ErrorName::InternalError,
                format!("The environment variable USAGE_CACHE_SECONDS is {text:?}; it must be a whole number of seconds."),
            )
        })?),
    };
    Ok(Context::new(BedrockMetrics::new(&Connection::from_env().await), keep))
}

/// Tokens, by how they are billed, of all ids of a family since the month began.
///
/// # Errors
/// `UsageUnavailable` when CloudWatch does not answer.
pub async fn handle<M: SumMetrics>(event: Value, context: &Context<M>) -> Result<Value, SentryError> {
    let Event { model_ids, range } = sentry_lambda::read(&event)?;
    let time = |text: &str, field: &str| {
        parse_time(text).map_err(|error| {
            SentryError::new(ErrorName::InternalError, error.to_string())
                .with("path", format!("range.{field}"))
        })
    };
    let start = time(&range.start, "start")?;
    let plan = Plan::new(start, time(&range.now, "now")?);
    let queries = UsageQueries::of_ids(&model_ids);
    let slot = context.cache.slot(&format!("{} {}", start.timestamp(), model_ids.join(" ")));
    let mut slot = slot.lock().await;
    if let Some(usage) = slot.fresh(&context.cache) {
        return Ok(document(usage, &range.now));
    }
    let mut usage = TokenUsage::default();
    if let Some((start, end)) = plan.closed_days() {
        // Closed days change no more: one query for a day's worth of requests.
        let closed = match slot.closed_days(start, end) {
            Some(usage) => usage,
            None => {
                let closed = sum_usage(&context.metrics, &queries, start, end, DAY).await?;
                slot.keep_closed_days(start, end, closed)
            }
        };
        usage = usage.plus(&closed);
    }
    if let Some((start, end)) = plan.current_day() {
        usage = usage.plus(&sum_usage(&context.metrics, &queries, start, end, MINUTE).await?);
    }
    slot.keep(usage);
    Ok(document(usage, &range.now))
}

fn document(usage: TokenUsage, as_of: &str) -> Value {
    json!({
        "available": true,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cacheReadInputTokens": usage.cache_read_input_tokens,
        "cacheWriteInputTokens": usage.cache_write_input_tokens,
        "asOf": as_of,
    })
}

#[cfg(test)]
mod tests;
