//! The notices that a settlement gives reason for.

use sentry_core::ledger::{Counters, Sums, crossed_thresholds};
use sentry_core::limit::{Amounts, Budget};
use sentry_core::money::usd;
use sentry_core::month::Period;
use sentry_core::notice::{Notice, NoticeType};
use serde_json::{Value, json};

/// The notices of one settlement.
pub struct Notices {
    period: Period,
    entries: Vec<Value>,
}

impl Notices {
    pub const fn new(period: Period) -> Self {
        Self { period, entries: Vec::new() }
    }

    /// Notes the thresholds that a budget's own item has crossed by `actual`.
    pub fn crossed(&mut self, budget: &Budget, after: &Counters, actual: Amounts) {
        let used = Sums::from_fn(|d| after.used(d));
        let before = Sums::from_fn(|d| used.get(d).saturating_sub_unsigned(actual.get(d)));
        for (dimension, percent) in crossed_thresholds(&before, &used, &budget.limit, &budget.warn_at_percent)
        {
            let notice =
                Notice::threshold_crossed(budget, self.period, dimension, percent, used.get(dimension));
            self.entries.push(notice.entry());
        }
    }

    /// Notes that a request used more than was reserved for it.
    pub fn bound_exceeded(&mut self, request_id: &str, budgets: &[Budget], bound: Amounts, actual: Amounts) {
        let detail = json!({
            "requestId": request_id,
            "period": self.period.to_string(),
            "budgets": budgets.iter().map(|budget| budget.key.as_str()).collect::<Vec<_>>(),
            "bound": {"input": bound.input, "output": bound.output, "costUsd": usd(bound.cost)},
            "used": {"input": actual.input, "output": actual.output, "costUsd": usd(actual.cost)},
        });
        self.entries.push(Notice::new(NoticeType::BoundExceeded, detail).entry());
    }

    pub fn entries(self) -> Vec<Value> {
        self.entries
    }
}
