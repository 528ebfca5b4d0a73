//! Reservation and settlement: the worst case goes in, the true usage replaces it.

use serde::{Deserialize, Serialize};

use crate::limit::{Amounts, Dimension};
use crate::month::Period;

use super::buckets::Slot;
use super::counters::{self, ItemKey};
use super::sums::signed;
use super::update::{Condition, Update};

/// What one request holds, in every budget that admitted it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reservation {
    /// What it holds in each budget, narrowest first.
    pub holds: Vec<Hold>,
    /// The upper bound of what the request takes, in each of them.
    pub amounts: Amounts,
}

/// What one request holds in one budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hold {
    /// The ledger item.
    pub item: ItemKey,
    /// The execution's start in epoch seconds.
    pub start_seconds: i64,
    /// What is held.
    pub amounts: Amounts,
}

impl Hold {
    /// A hold of amounts in an item.
    #[must_use]
    pub const fn new(item: ItemKey, start_seconds: i64, amounts: Amounts) -> Self {
        Self { item, start_seconds, amounts }
    }

    /// Takes capacity from the item: commits it in a budget's own, uses the lease of a shard.
    fn take(&self, update: &mut Update, dimension: Dimension, number: i64) {
        if self.item.is_shard() {
            update.add(counters::free(dimension), -number);
        } else {
            update.add(counters::committed(dimension), number);
        }
    }

    /// The write that takes it, yet without a condition.
    #[must_use]
    pub fn reserve(&self, period: Period) -> Update {
        let mut update = Update::in_period(period);
        for dimension in Dimension::ALL {
            let amount = signed(self.amounts.get(dimension));
            self.take(&mut update, dimension, amount);
            update.add(counters::reserved_in(Slot::of(self.start_seconds), dimension), amount);
        }
        update
    }

    /// The write that puts `actual` in the place of the hold; nothing actual is a release.
    /// `estimated` says that the true usage is not known.
    ///
    /// It applies only while the bucket still holds the amounts: what reconcile has released
    /// takes no late settlement.
    #[must_use]
    pub fn settle(&self, actual: Amounts, estimated: bool) -> Update {
        let mut update = Update::default();
        for dimension in Dimension::ALL {
            let held = signed(self.amounts.get(dimension));
            let actual = signed(actual.get(dimension));
            self.take(&mut update, dimension, actual.saturating_sub(held));
            update.add(counters::settled(dimension), actual);
            if estimated {
                update.add(counters::estimated(dimension), actual);
            }
            if held > 0 {
                let bucket = counters::reserved_in(Slot::of(self.start_seconds), dimension);
                update.add(bucket.clone(), -held);
                update.require(Condition::AtLeast(bucket, held));
            }
        }
        update
    }

    /// The write that gives it back.
    #[must_use]
    pub fn release(&self) -> Update {
        self.settle(Amounts::default(), false)
    }
}
