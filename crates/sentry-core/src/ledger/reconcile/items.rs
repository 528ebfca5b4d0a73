//! The items of one budget in a run.

use crate::limit::{ACCOUNT_ITEM, Dimension, TENANT_PREFIX};

use super::super::buckets::Slot;
use super::super::counters::{Counters, ItemKey};
use super::super::lease;
use super::super::sums::{Sums, Totals};

/// The items of one budget, as they were read or as writes have left them since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Items {
    pub key: String,
    pub own: ItemKey,
    /// Its own item, then its shards.
    pub items: Vec<Counters>,
    /// What earlier runs remembered of a family.
    pub memory: Counters,
}

impl Items {
    pub fn keys(&self) -> Vec<ItemKey> {
        let shards = u16::try_from(self.items.len().saturating_sub(1)).unwrap_or(0);
        lease::items(&self.own, shards)
    }

    pub fn is_family(&self) -> bool {
        self.key != ACCOUNT_ITEM && !self.key.starts_with(TENANT_PREFIX)
    }

    pub fn own(&self) -> Counters {
        self.items.first().cloned().unwrap_or_default()
    }

    pub fn totals(&self) -> Totals {
        Totals::of(&self.items)
    }

    pub fn sum(&self, of: impl Fn(&Counters, Dimension) -> i64) -> Sums {
        Sums::from_fn(|d| self.items.iter().map(|item| of(item, d)).sum())
    }

    /// Held by requests of slots for which this is true.
    pub fn held(&self, slots: impl Fn(Slot) -> bool) -> Sums {
        self.sum(|item, d| {
            Slot::all().filter(|slot| slots(*slot)).map(|slot| item.reserved_in(slot, d)).sum()
        })
    }

    /// The start of the oldest bucket in which abandoned executions hold something.
    pub fn oldest_abandoned(&self, now: i64) -> Option<i64> {
        let holds = |slot: &Slot| Dimension::ALL.iter().any(|&d| self.held(|one| one == *slot).get(d) > 0);
        let ended = Slot::all().filter(|slot| slot.ended_at(now) <= now).filter(holds);
        ended.map(|slot| slot.bucket_start(now)).min()
    }

    pub fn named(&self) -> Vec<(ItemKey, Counters)> {
        self.keys().into_iter().zip(self.items.iter().cloned()).collect()
    }
}
