//! The month's token usage as CloudWatch shows it: late by minutes, but it also sees calls
//! that bypass the sentry.
//!
//! Fails open towards the ledger: without CloudWatch the workflow goes on, since the ledger
//! alone keeps what went through the sentry within the limit.

use std::time::{Duration, Instant};

use sentry_aws::{BedrockMetrics, Connection, ModelIds, ReadMetrics, Slots, UsageReader};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::money::TokenUsage;
use sentry_core::month::{MonthRange, parse_time};
use serde::Deserialize;
use serde_json::{Value, json};

/// The function's name.
pub const NAME: &str = "usage-query";
/// How long a warm function keeps what it read, unless `USAGE_CACHE_SECONDS` says otherwise.
const DEFAULT_CACHE: Duration = Duration::from_secs(300);

/// The metrics and what a warm function remembers of them: GetMetricData costs money and is limited
/// to 50 calls a second, while the ledger is exact in between.
#[derive(Debug)]
pub struct Context<M> {
    usage: UsageReader<M>,
    keep: Duration,
    /// A family's month and when it was read.
    kept: Slots<Option<(Instant, TokenUsage)>>,
}

impl<M> Context<M> {
    /// Keeps what was read for `keep`; zero asks CloudWatch every time.
    #[must_use]
    pub fn new(metrics: M, keep: Duration) -> Self {
        Self { usage: UsageReader::new(metrics), keep, kept: Slots::default() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UsageQueryEvent {
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
pub async fn handle<M: ReadMetrics>(event: Value, context: &Context<M>) -> Result<Value, SentryError> {
    let UsageQueryEvent { model_ids, range } = sentry_lambda::read(&event)?;
    let time = |text: &str, field: &str| {
        parse_time(text).map_err(|error| {
            SentryError::new(ErrorName::InternalError, error.to_string())
                .with("path", format!("range.{field}"))
        })
    };
    let start = time(&range.start, "start")?.timestamp();
    let end = time(&range.end, "end")?.timestamp();
    let now = time(&range.now, "now")?.timestamp();
    let slot = context.kept.get(&format!("{start} {}", model_ids.join(" ")));
    let mut slot = slot.lock().await;
    if let Some((read, usage)) = *slot
        && read.elapsed() < context.keep
    {
        return Ok(document(usage, &range.now));
    }
    let ids = ModelIds { ids: model_ids, listed: None };
    let usage = context.usage.read(&ids, start, end, now).await?.total();
    *slot = Some((Instant::now(), usage));
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
