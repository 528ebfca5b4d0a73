//! The attempt to reserve in a budget that is not split: one conditional write to its item.
//!
//! Where the budget was split before, its shards may still hold a lease that nobody uses. A
//! request that is short then reads all items and takes those leases back.

use crate::limit::{Budget, Dimension};

use super::attempt::{MAX_ATTEMPTS, Progress, Round, Work, raise};
use super::counters::{self, Counters};
use super::decide::{Decision, decide};
use super::lease;
use super::protocol::LedgerOutcome;
use super::settlement::Hold;
use super::sums::{Totals, signed};
use super::update::{Condition, Update};

/// Where the attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Plain {
    /// Reserve; `heeding` says whether what CloudWatch shows is a condition.
    Reserve { heeding: bool },
    /// Add what bypassed the sentry to the item that was seen so.
    AddExternal(Counters),
    /// Read the own item and so many shards.
    ReadWhole(u16),
    /// Take back what shards have leased.
    Reclaim(Vec<(super::ItemKey, Update)>),
}

impl Plain {
    pub fn new() -> Self {
        Self::Reserve { heeding: true }
    }

    /// Reserves on no condition: for a budget that does not refuse.
    pub fn unconditional() -> Self {
        Self::Reserve { heeding: false }
    }

    pub fn work(&self, round: &Round<'_>) -> Work {
        match self {
            Self::Reserve { heeding } => Work::Write(round.own(), reserve(round, *heeding)),
            Self::AddExternal(seen) => raise(round, seen).map_or_else(
                || Work::Write(round.own(), reserve(round, true)),
                |update| Work::Write(round.own(), update),
            ),
            Self::ReadWhole(shards) => Work::Read(lease::items(&round.own(), *shards)),
            Self::Reclaim(writes) => Work::Transact(writes.clone()),
        }
    }

    pub fn record(&mut self, round: &Round<'_>, attempts: u8, outcome: LedgerOutcome) -> Progress {
        let next = match (&*self, outcome) {
            (Self::Reserve { .. }, LedgerOutcome::Applied(own)) => {
                return Progress::Reserved(round.own(), Totals::of(std::slice::from_ref(&own)));
            }
            (Self::AddExternal(_), LedgerOutcome::Applied(_))
            | (Self::Reclaim(_), LedgerOutcome::Moved | LedgerOutcome::NotMoved) => Self::new(),
            (Self::Reserve { .. } | Self::AddExternal(_), LedgerOutcome::Refused(own)) => {
                if attempts >= MAX_ATTEMPTS {
                    let totals = Totals::of(std::slice::from_ref(&own));
                    return Progress::Decided(Decision::Held(tightest(round.budget, &totals)), totals);
                } else if raise(round, &own).is_some() {
                    Self::AddExternal(own)
                } else if own.shards() > 0 {
                    Self::ReadWhole(own.shards())
                } else {
                    let totals = Totals::of(std::slice::from_ref(&own));
                    match decide(round.budget, round.request, round.output, &totals) {
                        // Something was given back since the write was refused.
                        Decision::Fits => Self::new(),
                        decision => return Progress::Decided(decision, totals),
                    }
                }
            }
            (Self::ReadWhole(_), LedgerOutcome::Read(items)) => {
                let totals = Totals::of(&items);
                match decide(round.budget, round.request, round.output, &totals) {
                    Decision::Fits if attempts < MAX_ATTEMPTS => {
                        let writes = lease::reclaim(round, &items);
                        if writes.is_empty() { Self::new() } else { Self::Reclaim(writes) }
                    }
                    Decision::Fits => {
                        return Progress::Decided(Decision::Held(tightest(round.budget, &totals)), totals);
                    }
                    decision => return Progress::Decided(decision, totals),
                }
            }
            (_, LedgerOutcome::Throttled) => return Progress::Throttled,
            _ => return Progress::Unknown,
        };
        *self = next;
        Progress::Going
    }
}

/// The write that reserves in the budget's own item.
fn reserve(round: &Round<'_>, heeding: bool) -> Update {
    let hold = Hold::new(round.own(), round.request.start_seconds, round.amounts());
    let mut update = hold.reserve(round.request.period);
    let shown = round.shown().filter(|_| heeding).map(|shown| shown.sums()).unwrap_or_default();
    for dimension in Dimension::ALL {
        let committed = counters::committed(dimension).to_owned();
        if let Some(limit) = round.enforced(dimension) {
            let most = limit.saturating_sub(signed(round.amounts().get(dimension)));
            update.require(Condition::AtMost(committed.clone(), most));
        }
        if shown.get(dimension) > 0 {
            update.require(Condition::AtLeast(committed, shown.get(dimension)));
        }
    }
    update
}

/// The dimension with the least room.
pub(super) fn tightest(budget: &Budget, totals: &Totals) -> Dimension {
    let room = |(d, limit): &(Dimension, u64)| signed(*limit).saturating_sub(totals.committed.get(*d));
    budget.limit.each().min_by_key(room).map_or(Dimension::Output, |(dimension, _)| dimension)
}
