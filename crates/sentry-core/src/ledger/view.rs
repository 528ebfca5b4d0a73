//! A budget as callers see it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limit::{Budget, Dimension, Mode, Unit};
use crate::money::usd;
use crate::month::Period;

use super::sums::Totals;

/// The `budget` of an answer or a refusal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// What the budget does.
    pub mode: Mode,
    /// `unavailable` while CloudWatch cannot be read, so that calls which bypass the sentry go unseen.
    pub external_usage: String,
    /// Whether the numbers are those of a moment ago: the budget is split into several items.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approximate: bool,
    /// Input tokens, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<DimensionDocument>,
    /// Output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<DimensionDocument>,
    /// Dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<DimensionDocument>,
}

/// One dimension of a budget, in tokens or dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DimensionDocument {
    /// The limit of the month.
    pub limit: Value,
    /// Spent, through the sentry or bypassing it.
    pub used: Value,
    /// Held by requests in flight.
    pub reserved: Value,
    /// What the next request may take.
    pub remaining: Value,
}

impl BudgetDocument {
    /// A budget with its totals.
    #[must_use]
    pub fn new(budget: &Budget, period: Period, totals: &Totals, external_usage_known: bool) -> Self {
        let range = Period::range(period.start());
        let used = |d: Dimension| whole(totals.used.get(d));
        let committed = |d: Dimension| whole(totals.committed.get(d));
        let dimension = |d: Dimension| {
            let limit = budget.limit.get(d)?;
            Some(DimensionDocument {
                limit: shown(d, limit),
                used: shown(d, used(d)),
                reserved: shown(d, committed(d).saturating_sub(used(d))),
                remaining: shown(d, limit.saturating_sub(committed(d))),
            })
        };
        let warn = budget.warn_at_percent.first().is_some_and(|percent| {
            let reached = |(d, limit)| u128::from(used(d)) * 100 >= u128::from(limit) * u128::from(*percent);
            budget.limit.each().any(reached)
        });
        Self {
            key: budget.key.clone(),
            period: range.period,
            resets_at: range.end,
            status: if warn { "warning" } else { "ok" }.to_owned(),
            mode: budget.mode,
            external_usage: if external_usage_known { "current" } else { "unavailable" }.to_owned(),
            approximate: totals.approximate,
            input: dimension(Dimension::Input),
            output: dimension(Dimension::Output),
            cost_usd: dimension(Dimension::Cost),
        }
    }

    /// One dimension, where the budget limits it.
    #[must_use]
    pub const fn dimension(&self, dimension: Dimension) -> Option<&DimensionDocument> {
        match dimension {
            Dimension::Input => self.input.as_ref(),
            Dimension::Output => self.output.as_ref(),
            Dimension::Cost => self.cost_usd.as_ref(),
        }
    }
}

/// A number as callers see it: tokens, or decimal dollars.
#[must_use]
pub fn shown(dimension: Dimension, number: u64) -> Value {
    match dimension.unit() {
        Unit::Money => usd(number),
        Unit::Tokens => Value::from(number),
    }
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
