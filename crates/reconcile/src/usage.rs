//! What CloudWatch shows of a family in an interval of a month.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sentry_aws::{DAY, MINUTE, SumMetrics, UsageQueries, sum_usage};
use sentry_core::error::SentryError;
use sentry_core::limit::Amounts;
use sentry_core::money::TokenUsage;

use crate::families::Family;

/// A day is not closed before CloudWatch has shown all of it, in seconds after its end.
const STILL_COMING: i64 = 3_600;
/// Entries before all are forgotten.
const CAPACITY: usize = 1_000;

/// The sums of closed days, which change no more: asked for once by a warm function, since
/// every metric of every call costs money.
#[derive(Debug, Default)]
pub struct ClosedDays(Mutex<HashMap<(String, i64, i64), TokenUsage>>);

impl ClosedDays {
    /// Usage from the start of a month to `end`, exclusive, as seen at `now`.
    ///
    /// # Errors
    /// `UsageUnavailable` when CloudWatch does not answer.
    pub async fn usage(
        &self,
        metrics: &impl SumMetrics,
        family: &Family,
        (start, end): (i64, i64),
        now: i64,
    ) -> Result<Amounts, SentryError> {
        let day = i64::from(DAY);
        let midnight = |time: i64| time.div_euclid(day) * day;
        let last_day = midnight(end - 1).min(midnight(now - STILL_COMING)).max(start);
        let key = (family.name.clone(), start, last_day);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let days = match known {
            Some(days) => days,
            None => {
                let queries = UsageQueries::of_ids(&family.ids);
                let days = sum_usage(metrics, &queries, start, last_day, DAY).await?;
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if all.len() >= CAPACITY {
                    all.clear();
                }
                all.insert(key, days);
                days
            }
        };
        let active = family.active.clone().unwrap_or_else(|| UsageQueries::of_ids(&family.ids));
        let usage = days.plus(&sum_usage(metrics, &active, last_day, end, MINUTE).await?);
        Ok(Amounts {
            input: usage.all_input(),
            output: usage.output_tokens,
            cost: family.rates.map_or(0, |rates| rates.cost(&usage)),
        })
    }
}
