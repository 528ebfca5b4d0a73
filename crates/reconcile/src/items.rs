//! The items of one month, by budget.

use std::collections::BTreeMap;

use sentry_core::ledger::{Counters, ItemKey};
use sentry_core::limit::{ACCOUNT_ITEM, TENANT_PREFIX};
use sentry_core::month::Period;

/// The items of one month, by budget: its own, and its shards by their numbers.
#[derive(Debug, Default)]
pub struct Items(BTreeMap<String, BTreeMap<Option<u16>, Counters>>);

impl Items {
    /// Those of a period.
    pub fn of(period: Period, all: &[(ItemKey, Counters)]) -> Self {
        let mut items = Self::default();
        for (key, counters) in all {
            if let Some((of, budget, shard)) = key.parts()
                && of == period
            {
                items.0.entry(budget.to_owned()).or_default().insert(shard, counters.clone());
            }
        }
        items
    }

    /// The budgets of models.
    pub fn models(&self) -> Vec<String> {
        let of_model = |budget: &&String| *budget != ACCOUNT_ITEM && !budget.starts_with(TENANT_PREFIX);
        self.0.keys().filter(of_model).cloned().collect()
    }

    /// The budgets of tenants.
    pub fn tenants(&self) -> Vec<String> {
        self.0.keys().filter(|budget| budget.starts_with(TENANT_PREFIX)).cloned().collect()
    }

    /// Whether a budget has been used.
    pub fn is_known(&self, budget: &str) -> bool {
        self.0.contains_key(budget)
    }

    /// A budget's own item.
    pub fn own(&self, budget: &str) -> Counters {
        self.0.get(budget).and_then(|items| items.get(&None)).cloned().unwrap_or_default()
    }

    /// A budget's own item, then its shards in the order of their numbers.
    pub fn all(&self, budget: &str) -> Vec<Counters> {
        let mut all = vec![self.own(budget)];
        let items = self.0.get(budget);
        let last = items.and_then(|items| items.keys().flatten().max().copied());
        for shard in (0..=last.unwrap_or(0)).take_while(|_| last.is_some()) {
            all.push(items.and_then(|items| items.get(&Some(shard))).cloned().unwrap_or_default());
        }
        all
    }
}
