//! Token usage out of Bedrock's metrics: which to ask for, in which period, and what their
//! sums mean.
//!
//! A datapoint carries its whole period and the time of the period's start. One-minute
//! points live 15 days, so closed days are read by the day and only the current one by the
//! minute: valid on the 31st as on the 1st. Metrics are named, because a search forgets what
//! was silent for two weeks.

use sentry_core::error::SentryError;
use sentry_core::money::TokenUsage;

use crate::{MetricQuery, SumMetrics};

/// Seconds of the period of closed days.
pub const DAY: i32 = 86_400;
/// Seconds of the period of the current day.
pub const MINUTE: i32 = 60;

/// The metrics of one model. The cache is counted under two spellings; a model has one of them.
pub(crate) const METRICS: [&str; 6] = [
    "InputTokenCount",
    "OutputTokenCount",
    "CacheReadInputTokenCount",
    "CacheReadInputTokens",
    "CacheWriteInputTokenCount",
    "CacheWriteInputTokens",
];

/// The metrics of a set of models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageQueries(Vec<MetricQuery>);

impl UsageQueries {
    /// Every metric of every id.
    #[must_use]
    pub fn of_ids(model_ids: &[String]) -> Self {
        let of_id = |id: &String| METRICS.map(|metric| MetricQuery { metric, model_id: id.clone() });
        Self(model_ids.iter().flat_map(of_id).collect())
    }

    /// Those of these metrics that belong to the ids.
    #[must_use]
    pub fn among(metrics: &[MetricQuery], model_ids: &[String]) -> Self {
        Self(metrics.iter().filter(|metric| model_ids.contains(&metric.model_id)).cloned().collect())
    }

    /// The sums of the queries, taken together.
    fn total(&self, sums: &[u64]) -> TokenUsage {
        let mut total = TokenUsage::default();
        // By id, since one of the two spellings is meant, not both.
        let mut ids: Vec<&str> = self.0.iter().map(|query| query.model_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let sum = |names: [&str; 2]| {
                let of = |(query, sum): (&MetricQuery, &u64)| {
                    (query.model_id == id && names.contains(&query.metric)).then_some(*sum)
                };
                self.0.iter().zip(sums).filter_map(of).max().unwrap_or(0)
            };
            total = total.plus(&TokenUsage {
                input_tokens: sum(["InputTokenCount"; 2]),
                output_tokens: sum(["OutputTokenCount"; 2]),
                cache_read_input_tokens: sum(["CacheReadInputTokenCount", "CacheReadInputTokens"]),
                cache_write_input_tokens: sum(["CacheWriteInputTokenCount", "CacheWriteInputTokens"]),
            });
        }
        total
    }
}

/// The usage between two points in time, the end exclusive. Nothing to ask is no usage.
///
/// # Errors
/// `UsageUnavailable` when CloudWatch does not answer.
pub async fn sum_usage(
    metrics: &impl SumMetrics,
    queries: &UsageQueries,
    start: i64,
    end: i64,
    period: i32,
) -> Result<TokenUsage, SentryError> {
    if start >= end || queries.0.is_empty() {
        return Ok(TokenUsage::default());
    }
    let sums = metrics.sum(&queries.0, start, end, period).await?;
    Ok(queries.total(&sums))
}
