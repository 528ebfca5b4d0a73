//! Reconciliation: what requests that died hold comes back, and what CloudWatch shows beyond
//! the ledger counts.
//!
//! Every write is conditional on what was read, so that it may run twice, late or beside
//! itself. Whenever something is not known the ledger stays too high: nothing is given back
//! before CloudWatch has shown all that the dead may have been billed.

use std::collections::BTreeSet;

use crate::limit::{Amounts, Dimension};
use crate::month::Period;

use super::admission::signed;
use super::counters::{self, BUCKET_SECONDS, Counters, ItemKey};
use super::shards::Survey;
use super::update::{Condition, Update};

/// How far the clocks of functions, of Step Functions and of CloudWatch may differ.
const CLOCK_SKEW_SECONDS: i64 = 300;
/// An Express execution ends after this at the latest.
const EXECUTION_SECONDS: i64 = 300;
/// Points of CloudWatch are a minute long.
const MINUTE: i64 = 60;
/// How long what was settled stays written down, beyond the lag of metrics.
const SNAPSHOTS_SECONDS: i64 = 3_600;

/// What is known of a budget's true usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// CloudWatch shows it.
    Shown {
        /// From the start of the period until now; the last minutes are incomplete.
        latest: Amounts,
        /// From the start of the period until [`closed_snapshot`], complete.
        closed: Option<Amounts>,
    },
    /// CloudWatch cannot tell this budget's usage from that of others, but shows everything up
    /// to a time. `explained` says that the ledger accounts for all of it.
    Indirect {
        /// The end of what CloudWatch shows completely.
        until: i64,
        /// Whether nothing was billed that the ledger does not know.
        explained: bool,
    },
    /// CloudWatch does not answer.
    None,
}

/// The items of one budget in one period, as they were read.
#[derive(Debug)]
pub struct Reconciliation<'a> {
    /// The period.
    pub period: Period,
    /// The budget's own item.
    pub item: &'a ItemKey,
    /// What stands in it, then in its shards.
    pub items: &'a [Counters],
    /// The time after the items were read, in epoch seconds.
    pub now: i64,
    /// How long CloudWatch may take to show a call.
    pub metric_lag: i64,
}

/// The latest point in time for which it is written down what was settled, and up to which
/// CloudWatch shows everything.
#[must_use]
pub fn closed_snapshot(own: &Counters, now: i64, metric_lag: i64) -> Option<i64> {
    own.snapshots().range(..=now.saturating_sub(metric_lag)).next_back().copied()
}

/// Whether requests whose usage is known account for all that CloudWatch shows until a
/// snapshot, so that nobody who died was billed. An estimate could hide what was.
#[must_use]
pub fn is_explained(own: &Counters, snapshot: i64, closed: Amounts) -> bool {
    Dimension::ALL.into_iter().all(|dimension| {
        let settled = own.get(&counters::settled_before(snapshot, dimension));
        signed(closed.get(dimension)) <= settled.saturating_sub(own.get(counters::estimated(dimension)))
    })
}

impl Reconciliation<'_> {
    /// The writes, to be done in this order until one is refused: the rest would rest on it.
    #[must_use]
    pub fn writes(&self, evidence: &Evidence) -> Vec<(ItemKey, Update)> {
        let Some(own) = self.items.first() else { return Vec::new() };
        let mut update = Update::default();
        let snapshot = closed_snapshot(own, self.now, self.metric_lag);
        if let Evidence::Shown { latest, closed } = evidence {
            let closed = snapshot.zip(*closed);
            self.external(own, *latest, closed, &mut update);
            self.write_down(own, snapshot, &mut update);
        }
        let dead_before = match evidence {
            Evidence::Shown { closed: Some(_), .. } => snapshot,
            Evidence::Indirect { until, .. } => Some(*until),
            _ => None,
        };
        let charge = matches!(evidence, Evidence::Indirect { explained: false, .. });
        let Some(dead_before) = dead_before else { return self.with_own(update, Vec::new()) };
        sweep(self.item, own, dead_before, charge, &mut update);
        let mut of_shards = Vec::new();
        for (index, shard) in (0..).zip(self.items.iter().skip(1)) {
            let item = self.item.shard(index);
            let mut update = Update::default();
            sweep(&item, shard, dead_before, charge, &mut update);
            // What is known of the rest may be too much now; whoever is short looks anew.
            for dimension in Dimension::ALL {
                for known in [counters::used_elsewhere(dimension), counters::committed_elsewhere(dimension)] {
                    if shard.get(known) != 0 {
                        update.remove.insert(known.to_owned());
                    }
                }
            }
            if !update.remove.is_empty() {
                of_shards.push((item, update));
            }
        }
        self.with_own(update, of_shards)
    }

    fn with_own(&self, mut own: Update, rest: Vec<(ItemKey, Update)>) -> Vec<(ItemKey, Update)> {
        let mut writes = Vec::with_capacity(1 + rest.len());
        if !(own.add.is_empty() && own.set.is_empty() && own.remove.is_empty()) {
            own.set.insert(counters::EXPIRES_AT.to_owned(), self.period.expires_at());
            writes.push((self.item.clone(), own));
        }
        writes.extend(rest);
        writes
    }

    /// Raises external usage to what CloudWatch shows by now, and by as much of what the dead
    /// hold as it shows of a closed interval; lowers it only to what it shows of that.
    ///
    /// The closed interval ends after the snapshot that it is compared with, so traffic in
    /// between looks like usage around the sentry: reason to keep a number, not to raise it.
    fn external(&self, own: &Counters, latest: Amounts, closed: Option<(i64, Amounts)>, update: &mut Update) {
        let total = Survey { item: self.item.clone(), items: self.items, home: None }.total();
        for dimension in Dimension::ALL {
            let external = own.external(dimension);
            // A lower bound: CloudWatch lags behind the ledger.
            let by_now = signed(latest.get(dimension)).saturating_sub(total.settled(dimension));
            let target = closed.map_or(external, |(time, amounts)| {
                let floor = signed(amounts.get(dimension))
                    .saturating_sub(own.get(&counters::settled_before(time, dimension)));
                floor.min(external.saturating_add(self.held_by_the_dead(time, dimension)))
            });
            let change = by_now.max(target).max(0).saturating_sub(external);
            if change != 0 {
                update.add(counters::committed(dimension), change);
                update.add(counters::external(dimension), change);
                update.add(counters::explained(dimension), change);
            }
            if change != 0 || closed.is_some() {
                update.require(Condition::Equals(counters::external(dimension).to_owned(), external));
            }
        }
    }

    /// What the sweep gives back in one dimension.
    fn held_by_the_dead(&self, dead_before: i64, of: Dimension) -> i64 {
        let reservations = self.items.iter().flat_map(Counters::reservations);
        let dead =
            reservations.filter(|(bucket, dimension, _)| *dimension == of && is_dead(*bucket, dead_before));
        dead.map(|(_, _, held)| held).sum()
    }

    /// Writes down what is settled now, under a time that is certainly later, and forgets what
    /// was written down long ago.
    fn write_down(&self, own: &Counters, in_use: Option<i64>, update: &mut Update) {
        let total = Survey { item: self.item.clone(), items: self.items, home: None }.total();
        let time = (self.now + CLOCK_SKEW_SECONDS).div_euclid(MINUTE).saturating_add(1) * MINUTE;
        let old = self.now.saturating_sub(self.metric_lag + SNAPSHOTS_SECONDS);
        let forget: BTreeSet<i64> =
            own.snapshots().range(..old).copied().filter(|time| Some(*time) != in_use).collect();
        for dimension in Dimension::ALL {
            update.set.insert(counters::settled_before(time, dimension), total.settled(dimension));
            for time in &forget {
                update.remove.insert(counters::settled_before(*time, dimension));
            }
        }
    }
}

/// Whether every execution that started in a bucket has ended before a time.
const fn is_dead(bucket: i64, before: i64) -> bool {
    (bucket + 1) * BUCKET_SECONDS + EXECUTION_SECONDS <= before
}

/// Gives back what the dead hold, or charges it; removes what is empty.
fn sweep(item: &ItemKey, counters: &Counters, dead_before: i64, charge: bool, update: &mut Update) {
    for (bucket, dimension, held) in counters.reservations() {
        if !is_dead(bucket, dead_before) {
            continue;
        }
        let attribute = counters::reserved_in(bucket, dimension);
        update.require(Condition::Equals(attribute.clone(), held));
        update.remove.insert(attribute);
        if charge {
            update.add(counters::settled(dimension), held);
            update.add(counters::explained(dimension), held);
            update.add(counters::estimated(dimension), held);
        } else {
            update.add(counters::committed(dimension), -held);
            if item.is_shard() {
                update.add(counters::free(dimension), held);
            }
        }
    }
}
