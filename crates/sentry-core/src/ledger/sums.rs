//! Signed sums of one budget in each dimension, and the totals of a whole budget.

use crate::limit::{Amounts, Dimension, PerDimension};

use super::counters::{self, Counters};

/// A signed number for each dimension.
pub type Sums = PerDimension<i64>;

impl PerDimension<i64> {
    /// The sum of two.
    #[must_use]
    pub fn plus(&self, other: &Sums) -> Sums {
        Sums::from_fn(|d| self.get(d).saturating_add(other.get(d)))
    }

    /// The difference, and zero where it is negative.
    #[must_use]
    pub fn beyond(&self, other: &Sums) -> Sums {
        Sums::from_fn(|d| self.get(d).saturating_sub(other.get(d)).max(0))
    }
}

impl From<Amounts> for Sums {
    fn from(amounts: Amounts) -> Self {
        Self::from_fn(|d| signed(amounts.get(d)))
    }
}

/// A budget as a whole, shards included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    /// Settled + external.
    pub used: Sums,
    /// Settled + external + reserved.
    pub committed: Sums,
    /// Whether a part of the budget was not read just now.
    pub approximate: bool,
}

impl Totals {
    /// The totals of a budget from its own item, then its shards, as they were at one moment.
    #[must_use]
    pub fn of(items: &[Counters]) -> Self {
        let Some((own, shards)) = items.split_first() else { return Self::default() };
        let sum = |of: &dyn Fn(&Counters) -> i64| shards.iter().map(of).sum::<i64>();
        Self {
            used: Sums::from_fn(|d| own.used(d) + sum(&|shard| shard.settled(d))),
            committed: Sums::from_fn(|d| own.committed(d) - sum(&|shard| shard.free(d))),
            approximate: shards.len() < usize::from(own.shards()),
        }
    }

    /// The totals as a shard knows them from its last look at the whole budget.
    #[must_use]
    pub fn known_to(shard: &Counters) -> Self {
        Self {
            used: Sums::from_fn(|d| shard.get(counters::known_used(d)) + shard.settled(d)),
            committed: Sums::from_fn(|d| shard.get(counters::known_committed(d)) - shard.free(d)),
            approximate: true,
        }
    }

    /// What requests in flight hold.
    #[must_use]
    pub fn reserved(&self, dimension: Dimension) -> i64 {
        self.committed.get(dimension).saturating_sub(self.used.get(dimension))
    }
}

/// Limits and requests are checked to be far below this; a larger number saturates and
/// so can only make a request harder to admit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
