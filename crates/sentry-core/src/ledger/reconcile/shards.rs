//! Split budgets: what shards have settled moves to the budget's own item, and shards that are
//! no longer configured are emptied and retired.

use crate::limit::Dimension;
use crate::month::Period;

use super::super::buckets::Slot;
use super::super::counters::{self, Counters, ItemKey};
use super::super::update::{Condition, Update};

/// The transaction that moves what a shard has settled to the own item, and what is left of its
/// lease too when the shard is no longer configured; `None` where there is nothing to move.
#[must_use]
pub fn fold(
    period: Period,
    own: &ItemKey,
    index: u16,
    shard: &Counters,
    configured: bool,
) -> Option<Vec<(ItemKey, Update)>> {
    let mut moved = Update::in_period(period);
    let mut gained = Update::in_period(period);
    for d in Dimension::ALL {
        let settled = shard.settled(d);
        let estimated = shard.estimated(d);
        moved.add(counters::settled(d), -settled);
        moved.add(counters::estimated(d), -estimated);
        moved.add(counters::known_used(d), settled);
        gained.add(counters::settled(d), settled);
        gained.add(counters::estimated(d), estimated);
        for (attribute, number) in [(counters::settled(d), settled), (counters::estimated(d), estimated)] {
            if number > 0 {
                moved.require(Condition::AtLeast(attribute.to_owned(), number));
            }
        }
        let free = shard.free(d);
        if !configured && free != 0 {
            moved.add(counters::free(d), -free);
            moved.require(Condition::Equals(counters::free(d).to_owned(), free));
            gained.add(counters::committed(d), -free);
        }
    }
    (!moved.add.is_empty()).then(|| vec![(own.shard(index), moved), (own.clone(), gained)])
}

/// The transaction that makes a budget plain again once its shards are empty; `None` while they
/// are not. A shard that was used since does not let it happen.
#[must_use]
pub fn retire(period: Period, own: &ItemKey, items: &[Counters]) -> Option<Vec<(ItemKey, Update)>> {
    let (budget, shards) = items.split_first()?;
    let holds_nothing = |shard: &Counters| {
        Dimension::ALL.iter().all(|&d| shard.free(d) == 0 && shard.settled(d) == 0 && shard.reserved(d) == 0)
    };
    if budget.shards() == 0
        || shards.len() < usize::from(budget.shards())
        || !shards.iter().all(holds_nothing)
    {
        return None;
    }
    let mut writes = Vec::with_capacity(items.len());
    for (index, shard) in (0..).zip(shards) {
        let mut update = Update::in_period(period);
        for d in Dimension::ALL {
            for attribute in [counters::free(d), counters::settled(d)] {
                update.require(Condition::Equals(attribute.to_owned(), 0));
            }
            for attribute in [counters::lease_limit(d), counters::known_used(d), counters::known_committed(d)]
            {
                update.remove.insert(attribute.to_owned());
            }
        }
        for slot in Slot::all() {
            let attribute = counters::reserved_in(slot, Dimension::Input);
            update.require(Condition::Equals(attribute, shard.reserved_in(slot, Dimension::Input)));
        }
        writes.push((own.shard(index), update));
    }
    let mut update = Update::in_period(period);
    update.require(Condition::Equals(counters::SHARDS.to_owned(), i64::from(budget.shards())));
    update.remove.insert(counters::SHARDS.to_owned());
    writes.push((own.clone(), update));
    Some(writes)
}
