//! The attempt to reserve in a shard of a split budget, because one item of DynamoDB takes
//! 1,000 writes a second.
//!
//! The usual request costs one write to its shard, which admits from its lease. When the lease
//! is short the shard takes more from the budget's own item, and when that has too little, from
//! the other shards. Every dimension is leased, enforced or not, so the budget's own item
//! always has an upper bound of what is used committed, whatever is edited later.

use crate::limit::Dimension;

use super::attempt::{MAX_ATTEMPTS, Progress, Round, Work, raise};
use super::counters::{self, Counters, ItemKey};
use super::decide::{Decision, decide};
use super::lease;
use super::plain::tightest;
use super::protocol::LedgerOutcome;
use super::settlement::Hold;
use super::sums::{Totals, signed};
use super::update::{Condition, Update};

/// Totals that a shard remembers decide for so many seconds, so that one request a second
/// reads the whole of a budget that is short, and not each.
const KNOWN_SECONDS: i64 = 2;
/// Transactions that failed before a request that can wait does so.
const MAX_MOVES: u8 = 8;

/// Where the attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Split {
    /// Reserve in the shard.
    Reserve,
    /// Read the own item and the shard.
    ReadOwn,
    /// Add what bypassed the sentry to the own item that was seen so.
    AddExternal(Counters),
    /// Move capacity to the shard.
    Move(Vec<(ItemKey, Update)>, Totals),
    /// Read the own item and so many shards.
    ReadWhole(u16),
    /// Have the shard remember the totals by which this was decided.
    Remember(Update, Decision, Totals),
}

impl Split {
    pub fn new() -> Self {
        Self::Reserve
    }

    pub fn work(&self, round: &Round<'_>) -> Work {
        match self {
            Self::Reserve => Work::Write(round.item(), reserve(round)),
            Self::ReadOwn => Work::Read(vec![round.own(), round.item()]),
            Self::AddExternal(seen) => match raise(round, seen) {
                Some(update) => Work::Write(round.own(), update),
                None => Work::Read(vec![round.own(), round.item()]),
            },
            Self::Move(writes, _) => Work::Transact(writes.clone()),
            Self::ReadWhole(shards) => Work::Read(lease::items(&round.own(), *shards)),
            Self::Remember(update, ..) => Work::Write(round.item(), update.clone()),
        }
    }

    pub fn record(&mut self, round: &Round<'_>, attempts: u8, outcome: LedgerOutcome) -> Progress {
        let next = match (&*self, outcome) {
            (Self::Reserve, LedgerOutcome::Applied(shard)) => {
                return Progress::Reserved(round.item(), Totals::known_to(&shard));
            }
            (Self::Reserve, LedgerOutcome::Refused(shard)) => {
                let totals = Totals::known_to(&shard);
                if is_current(&shard, round.request.now_seconds) {
                    // What is used does not come back. What is held may have meanwhile, so a request
                    // that cannot wait looks for itself.
                    let may_wait = round.request.may_wait();
                    match decide(round.budget, round.request, round.output, &totals) {
                        decision @ Decision::Exceeded(_) => return Progress::Decided(decision, totals),
                        decision @ Decision::Held(_) if may_wait => {
                            return Progress::Decided(decision, totals);
                        }
                        Decision::Held(_) | Decision::Fits | Decision::Shrink(_) | Decision::Count => {}
                    }
                }
                if attempts >= MAX_ATTEMPTS {
                    return Progress::Decided(Decision::Held(tightest(round.budget, &totals)), totals);
                }
                Self::ReadOwn
            }
            (Self::ReadOwn | Self::AddExternal(_), LedgerOutcome::Read(items)) => {
                let own = items.first().cloned().unwrap_or_default();
                let shard = items.get(1).cloned().unwrap_or_default();
                if raise(round, &own).is_some() && attempts < MAX_ATTEMPTS {
                    Self::AddExternal(own)
                } else {
                    match lease::refill(round, &own, &shard) {
                        Some(writes) => Self::Move(writes, Totals::of(std::slice::from_ref(&own))),
                        None => Self::ReadWhole(own.shards().max(round.budget.shards)),
                    }
                }
            }
            (Self::AddExternal(_), LedgerOutcome::Applied(_) | LedgerOutcome::Refused(_)) => Self::ReadOwn,
            (Self::Move(..), LedgerOutcome::Moved) => Self::Reserve,
            (Self::Move(_, totals), LedgerOutcome::NotMoved) => {
                // Others move capacity at the same time.
                let most = if round.request.may_wait() { MAX_MOVES } else { MAX_ATTEMPTS };
                if attempts >= most {
                    return Progress::Decided(Decision::Held(tightest(round.budget, totals)), *totals);
                }
                Self::ReadOwn
            }
            (Self::ReadWhole(shards), LedgerOutcome::Read(items)) => {
                let leased = items.first().map_or(0, Counters::shards);
                if leased > *shards && attempts < MAX_ATTEMPTS {
                    Self::ReadWhole(leased)
                } else {
                    let totals = Totals::of(&items);
                    match decide(round.budget, round.request, round.output, &totals) {
                        Decision::Fits if attempts < MAX_ATTEMPTS => {
                            Self::Move(lease::reclaim(round, &items), totals)
                        }
                        Decision::Fits => {
                            let held = Decision::Held(tightest(round.budget, &totals));
                            return Progress::Decided(held, totals);
                        }
                        decision => {
                            let shard = round.shard().and_then(|shard| items.get(usize::from(shard) + 1));
                            let update = remember(round, &totals, &shard.cloned().unwrap_or_default());
                            Self::Remember(update, decision, totals)
                        }
                    }
                }
            }
            // Whatever becomes of it: it only saves others a look.
            (Self::Remember(_, decision, totals), _) => return Progress::Decided(*decision, *totals),
            (_, LedgerOutcome::Throttled) => return Progress::Throttled,
            _ => return Progress::Unknown,
        };
        *self = next;
        Progress::Going
    }
}

/// Whether the totals that a shard remembers are recent enough to decide by.
fn is_current(shard: &Counters, now: i64) -> bool {
    let age = now.saturating_sub(shard.get(counters::KNOWN_AT));
    (0..KNOWN_SECONDS).contains(&age)
}

/// The write that has the shard remember the totals of the budget.
fn remember(round: &Round<'_>, totals: &Totals, shard: &Counters) -> Update {
    let mut update = Update::in_period(round.request.period);
    update.set.insert(counters::KNOWN_AT.to_owned(), round.request.now_seconds);
    for d in Dimension::ALL {
        update.set.insert(counters::known_used(d).to_owned(), totals.used.get(d) - shard.settled(d));
        update.set.insert(counters::known_committed(d).to_owned(), totals.committed.get(d) + shard.free(d));
    }
    update
}

/// The write that reserves in the shard.
fn reserve(round: &Round<'_>) -> Update {
    let hold = Hold::new(round.item(), round.request.start_seconds, round.amounts());
    let mut update = hold.reserve(round.request.period);
    for dimension in Dimension::ALL {
        let asked = signed(round.amounts().get(dimension));
        if asked > 0 {
            update.require(Condition::AtLeast(counters::free(dimension).to_owned(), asked));
        }
        if let Some(limit) = round.enforced(dimension) {
            update.require(Condition::Equals(counters::lease_limit(dimension).to_owned(), limit));
        }
    }
    update
}
