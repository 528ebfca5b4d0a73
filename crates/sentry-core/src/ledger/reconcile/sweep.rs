//! What abandoned executions hold comes back, but for what they may have been billed.
//!
//! Evidence bounds what they were billed from above; that much stays held until later evidence
//! is better, and becomes used when it has not become better within an hour. What is proven to
//! have been billed becomes external usage at once.

use std::collections::BTreeSet;

use crate::limit::Dimension;
use crate::month::Period;

use super::super::buckets::Slot;
use super::super::counters::{self, Counters, ItemKey};
use super::super::sums::Sums;
use super::super::update::{Condition, Update};
use super::evidence::Evidence;

/// How long after a bucket's start what may have been billed stays held. Its slot is used again
/// twenty minutes later.
const UNDECIDED_SECONDS: i64 = 3_600;
/// How long it stays held when runs since then have had no evidence. Before the slot is used
/// again it becomes used: mixed with later holds, it would be taken for younger than it is, and
/// what those runs remember would be taken for older.
const WITHOUT_EVIDENCE_SECONDS: i64 = 3_900;
/// A run this soon after a bucket's start counts as one since then.
const RUN_SOON_SECONDS: i64 = 900;

/// The writes that release what abandoned executions hold in the items of one budget. `runs` are
/// the times of earlier runs that are remembered.
#[must_use]
pub fn sweep(
    period: Period,
    items: &[(ItemKey, Counters)],
    evidence: Option<&Evidence>,
    runs: &BTreeSet<i64>,
    now: i64,
) -> Vec<(ItemKey, Update)> {
    let mut most = evidence.map(|evidence| evidence.most).unwrap_or_default();
    let mut least = evidence.map(|evidence| evidence.least).unwrap_or_default();
    let covered = |slot: Slot| evidence.is_some_and(|evidence| slot.ended_at(now) <= evidence.until);
    let mut writes = Vec::new();
    for (key, item) in items {
        let mut update = Update::in_period(period);
        for slot in Slot::all().filter(|slot| slot.ended_at(now) <= now) {
            let age = now - slot.bucket_start(now);
            let held = Sums::from_fn(|d| item.reserved_in(slot, d));
            let start = slot.bucket_start(now);
            let watched = runs.range(start..start + RUN_SOON_SECONDS).next().is_some();
            let kept = match (covered(slot), watched && age >= WITHOUT_EVIDENCE_SECONDS) {
                (true, _) => Sums::from_fn(|d| held.get(d).min(most.get(d)).max(0)),
                (false, true) => held,
                (false, false) => Sums::default(),
            };
            let released = if covered(slot) { held.beyond(&kept) } else { Sums::default() };
            let billed = if key.is_shard() || !covered(slot) {
                Sums::default()
            } else {
                Sums::from_fn(|d| kept.get(d).min(least.get(d)))
            };
            let charged = if age >= UNDECIDED_SECONDS { kept.beyond(&billed) } else { Sums::default() };
            most = most.beyond(&kept);
            least = least.beyond(&billed);
            for dimension in Dimension::ALL {
                let slot = Change { slot, dimension, held: item.reserved_in(slot, dimension) };
                slot.add_to(&mut update, key, item, &released, &billed, &charged);
            }
        }
        if update.changes_something() {
            writes.push((key.clone(), update));
        }
    }
    writes
}

/// What happens to one attribute.
struct Change {
    slot: Slot,
    dimension: Dimension,
    held: i64,
}

impl Change {
    fn add_to(
        &self,
        update: &mut Update,
        key: &ItemKey,
        item: &Counters,
        released: &Sums,
        billed: &Sums,
        charged: &Sums,
    ) {
        let attribute = counters::reserved_in(self.slot, self.dimension);
        let (released, billed, charged) =
            (released.get(self.dimension), billed.get(self.dimension), charged.get(self.dimension));
        let leaves = released + billed + charged;
        if !item.has(&attribute) || (self.held != 0 && leaves == 0) {
            return;
        }
        update.require(Condition::Equals(attribute.clone(), self.held));
        if leaves == self.held {
            update.remove.insert(attribute);
        } else {
            update.add(attribute, -leaves);
        }
        if key.is_shard() {
            update.add(counters::free(self.dimension), released);
        } else {
            update.add(counters::committed(self.dimension), -released);
        }
        update.add(counters::external(self.dimension), billed);
        update.add(counters::settled(self.dimension), charged);
        update.add(counters::estimated(self.dimension), charged);
    }
}
