//! What reconcile remembers of a family from one run to the next, in an item of its own.
//!
//! CloudWatch shows a call some minutes later. To tell what it shows beyond the ledger, it is
//! compared with what the ledger had settled at that time, so each run writes that down.

use std::collections::{BTreeMap, BTreeSet};

use crate::limit::Dimension;
use crate::money::{Rates, TokenUsage};
use crate::month::Period;

use super::super::buckets::{CLOCK_SKEW_SECONDS, CYCLE_SECONDS};
use super::super::counters::{Counters, remembered, remembered_time};
use super::super::sums::{Sums, signed};
use super::super::update::Update;

/// Points of CloudWatch are a minute long.
const MINUTE: i64 = 60;
/// How long a snapshot is kept. What abandoned executions may have been billed is decided within
/// 90 minutes of their bucket's start, and [`Memory::certainly_before`] looks one cycle of slots
/// further back.
const KEPT_SECONDS: i64 = CYCLE_SECONDS + 5_400;
/// When no two runs are further apart than this, at least one run empties a slot between the time
/// at which its undecided holds become used and the time at which the slot is used again.
const UNINTERRUPTED_SECONDS: i64 = 900;
/// Snapshots that one write forgets at most, so that its expression stays short.
const FORGOTTEN_AT_ONCE: usize = 12;
/// The dimensions that CloudWatch shows.
const TOKENS: [Dimension; 2] = [Dimension::Input, Dimension::Output];

/// The first letters of a snapshot's attributes: settled, estimated, unexplained; the prices of
/// input and output; those of reading and writing a cache.
const LETTERS: [char; 5] = ['s', 'e', 'u', 'p', 'c'];

/// What was known of a family at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Settled usage, estimates included. Everything in it was billed before the snapshot's time.
    pub settled: Sums,
    /// The part of it that is an upper bound.
    pub estimated: Sums,
    /// At least this much had been billed that is not in `settled`, or is estimated there.
    pub unexplained: Sums,
    /// What the family's tokens cost then.
    pub rates: Option<Rates>,
}

impl Snapshot {
    /// What was settled and is known exactly.
    #[must_use]
    pub fn exact(&self) -> Sums {
        self.settled.beyond(&self.estimated)
    }
}

/// The snapshots of a family by their times, which are starts of minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory(BTreeMap<i64, Snapshot>);

impl Memory {
    /// Reads the item.
    #[must_use]
    pub fn read(item: &Counters) -> Self {
        let times: BTreeSet<i64> = item.iter().filter_map(|(name, _)| remembered_time(name)).collect();
        let of = |letter, time| Sums::from_fn(|d| item.get(&remembered(letter, time, d)));
        let price = |letter, time, d| u64::try_from(item.get(&remembered(letter, time, d))).unwrap_or(0);
        let rates = |time| {
            item.has(&remembered('p', time, Dimension::Input)).then(|| Rates {
                input: price('p', time, Dimension::Input),
                output: price('p', time, Dimension::Output),
                cache_read: price('c', time, Dimension::Input),
                cache_write: price('c', time, Dimension::Output),
            })
        };
        let snapshot = |time| Snapshot {
            settled: of('s', time),
            estimated: of('e', time),
            unexplained: of('u', time),
            rates: rates(time),
        };
        Self(times.into_iter().map(|time| (time, snapshot(time))).collect())
    }

    /// The times of all snapshots.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        self.0.keys().copied()
    }

    /// The latest snapshot at a time.
    #[must_use]
    pub fn latest_until(&self, time: i64) -> Option<(i64, Snapshot)> {
        self.0.range(..=time).next_back().map(|(time, snapshot)| (*time, *snapshot))
    }

    /// The dearest prices among those of now and those in force since a time; `None` when those
    /// at that time are not remembered.
    #[must_use]
    pub fn dearest_since(&self, time: i64, now: Option<Rates>) -> Option<Option<Rates>> {
        let (first, _) = self.latest_until(time)?;
        let dearest = |one: Option<Rates>, other: Option<Rates>| match (one, other) {
            (Some(one), Some(other)) => Some(one.dearest(&other)),
            (one, other) => one.or(other),
        };
        Some(self.0.range(first..).fold(now, |rates, (_, snapshot)| dearest(rates, snapshot.rates)))
    }

    /// The time of a snapshot that is older than every execution counted in the slot of the bucket
    /// that started at `started`. Such an execution may have started one cycle of slots before the
    /// bucket, but not earlier if runs have followed each other without interruption since then.
    /// `None` when that is not remembered or there was an interruption.
    #[must_use]
    pub fn certainly_before(&self, started: i64, now: i64) -> Option<i64> {
        let (first, _) = self.latest_until(started - CYCLE_SECONDS)?;
        let times: Vec<i64> = self.0.range(first..).map(|(time, _)| *time).chain([now]).collect();
        let follow = |pair: &[i64]| matches!(pair, [one, next] if next - one <= UNINTERRUPTED_SECONDS);
        times.windows(2).all(follow).then_some(first)
    }

    /// The latest snapshot that can be compared with what CloudWatch showed when it was read, at
    /// `read_at` or later: by then CloudWatch showed all that was settled in the snapshot, and all
    /// calls of executions whose slots had ended by the snapshot's time.
    ///
    /// This needs no allowance for clocks that differ beyond those that the times have already.
    /// Such calls had ended [`CLOCK_SKEW_SECONDS`] before the snapshot's time by the clock of
    /// their start, and what was settled was billed that long before it by this clock. So both had
    /// ended by the snapshot's time, whichever of the clocks is meant, and were shown `metric_lag`
    /// later.
    #[must_use]
    pub fn closed(&self, read_at: i64, metric_lag: i64) -> Option<(i64, Snapshot)> {
        self.latest_until(read_at - metric_lag)
    }

    /// The write that remembers what was read of a family before `now`, and forgets what is old.
    #[must_use]
    pub fn remember(&self, period: Period, now: i64, snapshot: &Snapshot) -> Update {
        let mut update = Update::in_period(period);
        let time = label(now);
        let earlier = self.latest_until(time).map(|(_, earlier)| earlier.unexplained).unwrap_or_default();
        for d in TOKENS {
            update.set.insert(remembered('s', time, d), snapshot.settled.get(d));
            update.set.insert(remembered('e', time, d), snapshot.estimated.get(d));
            update.set.insert(remembered('u', time, d), snapshot.unexplained.get(d).max(earlier.get(d)));
        }
        if let Some(rates) = snapshot.rates {
            for (letter, d, price) in [
                ('p', Dimension::Input, rates.input),
                ('p', Dimension::Output, rates.output),
                ('c', Dimension::Input, rates.cache_read),
                ('c', Dimension::Output, rates.cache_write),
            ] {
                update.set.insert(remembered(letter, time, d), signed(price));
            }
        }
        for time in self.0.range(..now - KEPT_SECONDS).map(|(time, _)| *time).take(FORGOTTEN_AT_ONCE) {
            for letter in LETTERS {
                update.remove.extend(TOKENS.map(|d| remembered(letter, time, d)));
            }
        }
        update
    }
}

/// The start of the first minute that certainly begins after `now` by CloudWatch's clock.
const fn label(now: i64) -> i64 {
    ((now + CLOCK_SKEW_SECONDS).div_euclid(MINUTE) + 1) * MINUTE
}

/// Tokens by dimension, without money.
#[must_use]
pub fn tokens(usage: &TokenUsage) -> Sums {
    Sums::from_fn(|d| match d {
        Dimension::Input => signed(usage.all_input()),
        Dimension::Output => signed(usage.output_tokens),
        Dimension::Cost => 0,
    })
}
