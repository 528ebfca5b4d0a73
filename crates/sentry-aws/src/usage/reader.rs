//! Asks CloudWatch for a month's usage, as little as possible: every metric of every call costs money.

use std::collections::BTreeMap;

use sentry_core::error::SentryError;
use sentry_core::money::TokenUsage;
use sentry_core::usage::MonthUsage;

use super::{DAY, MINUTE, ModelIds, Points, Slots};
use crate::ReadMetrics;

/// A day is not closed before CloudWatch has shown all of it, in seconds after its end.
const STILL_COMING: i64 = 3_600;

/// Reads months' usage and caches that of closed days, which no longer changes.
#[derive(Debug)]
pub struct UsageReader<M> {
    metrics: M,
    closed: Slots<Option<(i64, TokenUsage)>>,
}

impl<M> UsageReader<M> {
    /// A reader of these metrics.
    pub fn new(metrics: M) -> Self {
        Self { metrics, closed: Slots::default() }
    }

    /// The metrics that it reads.
    pub const fn metrics(&self) -> &M {
        &self.metrics
    }
}

impl<M: ReadMetrics> UsageReader<M> {
    /// The usage of a model in the month between two instants, as far as CloudWatch shows it at `now`.
    /// All times are epoch seconds.
    ///
    /// # Errors
    /// `UsageUnavailable` when CloudWatch does not answer.
    pub async fn read(
        &self,
        ids: &ModelIds,
        start_of_month: i64,
        end_of_month: i64,
        now: i64,
    ) -> Result<MonthUsage, SentryError> {
        let (day, minute) = (i64::from(DAY), i64::from(MINUTE));
        let midnight = (now - STILL_COMING).div_euclid(day) * day;
        let open_from = midnight.min(end_of_month).max(start_of_month);
        let end = ((now.div_euclid(minute) + 1) * minute).min(end_of_month);
        let closed_days = if start_of_month < open_from {
            self.closed_days(ids, start_of_month, open_from).await?
        } else {
            TokenUsage::default()
        };
        let minutes = self.points(ids, true, (open_from, end), MINUTE).await?;
        Ok(MonthUsage { closed_days, closed_until: open_from, minutes })
    }

    async fn closed_days(&self, ids: &ModelIds, start: i64, end: i64) -> Result<TokenUsage, SentryError> {
        let slot = self.closed.get(&format!("{start} {}", ids.ids.join(" ")));
        let mut slot = slot.lock().await;
        if let Some((_, usage)) = slot.filter(|(known, _)| *known == end) {
            return Ok(usage);
        }
        // ListMetrics forgets a metric after two weeks of silence, so it says nothing of the first days.
        let days = self.points(ids, false, (start, end), DAY).await?;
        let usage = days.values().fold(TokenUsage::default(), |sum, usage| sum.plus(usage));
        *slot = Some((end, usage));
        Ok(usage)
    }

    async fn points(
        &self,
        ids: &ModelIds,
        use_list: bool,
        (start, end): (i64, i64),
        period: i32,
    ) -> Result<BTreeMap<i64, TokenUsage>, SentryError> {
        let mut points = Points::default();
        if start >= end {
            return Ok(points.by_time());
        }
        for round in 0..2 {
            let queries = if round == 0 { ids.first(use_list) } else { ids.second(use_list, &points) };
            if queries.is_empty() {
                break;
            }
            let series = self.metrics.points(&queries, start, end, period).await?;
            for (query, series) in queries.iter().zip(series) {
                points.add(query, &series);
            }
        }
        Ok(points.by_time())
    }
}
