//! A budget as callers see it.

use serde::{Deserialize, Serialize};

use crate::limit::{Amounts, Budget, Dimension};
use crate::month::Period;

use super::counters::Counters;

/// The `budget` of an answer or a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetDocument {
    /// The budget's key.
    pub key: String,
    /// The month.
    pub period: String,
    /// When the next month begins.
    pub resets_at: String,
    /// `warning` once the use has reached the first of the limit's percentages.
    pub status: String,
    /// `unavailable` while CloudWatch cannot be read, so that calls which bypass the sentry go unseen.
    pub external_usage: String,
    /// Input tokens, cached ones included.
    pub input: DimensionDocument,
    /// Output tokens.
    pub output: DimensionDocument,
}

/// One dimension of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DimensionDocument {
    /// The limit of the month.
    pub limit: u64,
    /// Spent, through the sentry or around it.
    pub used: u64,
    /// Held by requests in flight.
    pub reserved: u64,
    /// What the next request may take.
    pub remaining: u64,
}

impl BudgetDocument {
    /// A budget with the numbers of its item.
    #[must_use]
    pub fn new(budget: &Budget, period: Period, counters: &Counters, external_usage_known: bool) -> Self {
        let range = Period::range(period.start());
        let dimension = |d: Dimension| DimensionDocument {
            limit: budget.limit.get(d),
            used: whole(counters.used(d)),
            reserved: whole(counters.reserved(d)),
            remaining: budget.limit.get(d).saturating_sub(whole(counters.committed(d))),
        };
        let (input, output) = (dimension(Dimension::Input), dimension(Dimension::Output));
        let used = Amounts { input: input.used, output: output.used };
        let warn = Dimension::ALL.iter().any(|&d| {
            budget.warn_at_percent.first().is_some_and(|percent| {
                u128::from(used.get(d)) * 100 >= u128::from(budget.limit.get(d)) * u128::from(*percent)
            })
        });
        Self {
            key: budget.key.clone(),
            period: range.period,
            resets_at: range.end,
            status: if warn { "warning" } else { "ok" }.to_owned(),
            external_usage: if external_usage_known { "current" } else { "unavailable" }.to_owned(),
            input,
            output,
        }
    }

    /// One dimension.
    #[must_use]
    pub const fn dimension(&self, dimension: Dimension) -> &DimensionDocument {
        match dimension {
            Dimension::Input => &self.input,
            Dimension::Output => &self.output,
        }
    }
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
