//! The numbers of one ledger item, and the names of its attributes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limit::Dimension;
use crate::month::Period;

use super::buckets::Slot;

/// The numeric attributes of a ledger item. A missing attribute counts as zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Counters(BTreeMap<String, i64>);

/// The key of a ledger item: `<period>/<budget key>`, with a suffix for the items beside a
/// budget's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemKey(String);

/// Which of a budget's items a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The budget's own item.
    Own,
    /// One of the shards of a split budget.
    Shard(u16),
    /// What reconcile remembers from one run to the next.
    Memory,
}

/// Between a budget's key and the part. No model id and no tenant contains it.
const PART_MARK: char = '#';
const MEMORY: &str = "reconcile";

impl ItemKey {
    /// The key of a budget's own item in a period.
    #[must_use]
    pub fn new(period: Period, budget: &str) -> Self {
        Self(format!("{period}/{budget}"))
    }

    /// The key as it stands in the table.
    #[must_use]
    pub fn from_table(key: String) -> Self {
        Self(key)
    }

    /// The period, the budget's key and the part; `None` for a key of another form.
    #[must_use]
    pub fn parts(&self) -> Option<(Period, &str, Part)> {
        let (period, rest) = self.0.split_once('/')?;
        let period = period.parse().ok()?;
        match rest.split_once(PART_MARK) {
            None => Some((period, rest, Part::Own)),
            Some((budget, MEMORY)) => Some((period, budget, Part::Memory)),
            Some((budget, shard)) => Some((period, budget, Part::Shard(shard.parse().ok()?))),
        }
    }

    /// The key of a shard of the budget whose own item this is.
    #[must_use]
    pub fn shard(&self, index: u16) -> Self {
        Self(format!("{}{PART_MARK}{index}", self.0))
    }

    /// The key of what reconcile remembers of the budget whose own item this is.
    #[must_use]
    pub fn memory(&self) -> Self {
        Self(format!("{}{PART_MARK}{MEMORY}", self.0))
    }

    /// Whether this is a shard.
    #[must_use]
    pub fn is_shard(&self) -> bool {
        self.0.contains(PART_MARK)
    }

    /// The key as it stands in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The partition key of the index by which reconcile finds the items of a month.
pub(super) const PERIOD: &str = "period";
/// When DynamoDB may delete the item.
pub(super) const EXPIRES_AT: &str = "expiresAt";
/// On a budget's own item: the largest number of shards that have leased from it.
pub(super) const SHARDS: &str = "shards";
/// On a shard: when the totals that it remembers were read, in epoch seconds.
pub(super) const KNOWN_AT: &str = "knownAt";

/// Defines the attribute that stands for a quantity in each dimension.
macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident: $input:literal, $output:literal, $cost:literal;)+) => {
        $($(#[$doc])* pub(super) const fn $name(dimension: Dimension) -> &'static str {
            match dimension {
                Dimension::Input => $input,
                Dimension::Output => $output,
                Dimension::Cost => $cost,
            }
        })+
    };
}

attributes! {
    /// On a budget's own item: settled + reserved + external + leased to shards. Admission
    /// compares this number with the limit.
    committed: "input", "output", "cost";
    /// The usage of settled requests, estimates included.
    settled: "settledInput", "settledOutput", "settledCost";
    /// The part of `settled` that is an upper bound because the true usage is unknown.
    estimated: "estimatedInput", "estimatedOutput", "estimatedCost";
    /// On a budget's own item: usage that CloudWatch shows and the sentry did not admit.
    external: "externalInput", "externalOutput", "externalCost";
    /// On a shard: what is leased from the budget and neither reserved nor settled.
    free: "freeInput", "freeOutput", "freeCost";
    /// On a shard: the limit under which the lease was taken; [`UNLIMITED`] for none.
    lease_limit: "leaseLimitInput", "leaseLimitOutput", "leaseLimitCost";
    /// On a shard: what the rest of the budget had used when the shard last read it.
    known_used: "knownUsedInput", "knownUsedOutput", "knownUsedCost";
    /// On a shard: what the budget had committed, this shard's free lease included.
    known_committed: "knownInput", "knownOutput", "knownCost";
}

/// The limit of a lease in a dimension that was not enforced.
pub(super) const UNLIMITED: i64 = -1;

/// Reserved by requests that started in a bucket of this slot and have not settled.
pub(super) fn reserved_in(slot: Slot, dimension: Dimension) -> String {
    format!("r{}{}", slot.number(), dimension.suffix())
}

/// An attribute of reconcile's memory: a letter, a time in epoch seconds, a dimension.
pub(super) fn remembered(letter: char, time: i64, dimension: Dimension) -> String {
    format!("{letter}{time}{}", dimension.suffix())
}

/// The time of an attribute of reconcile's memory.
pub(super) fn remembered_time(attribute: &str) -> Option<i64> {
    let number = |d: Dimension| attribute.strip_suffix(d.suffix())?.get(1..)?.parse().ok();
    Dimension::ALL.into_iter().find_map(number)
}

impl Counters {
    /// The number of an attribute.
    #[must_use]
    pub fn get(&self, attribute: &str) -> i64 {
        self.0.get(attribute).copied().unwrap_or(0)
    }

    /// Whether the item has the attribute.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        self.0.contains_key(attribute)
    }

    /// Sets an attribute.
    pub fn set(&mut self, attribute: &str, number: i64) {
        self.0.insert(attribute.to_owned(), number);
    }

    pub(super) fn remove(&mut self, attribute: &str) {
        self.0.remove(attribute);
    }

    /// Every attribute with its number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, number)| (name.as_str(), *number))
    }

    /// On a budget's own item: settled + reserved + external + leased to shards.
    #[must_use]
    pub fn committed(&self, dimension: Dimension) -> i64 {
        self.get(committed(dimension))
    }

    /// The usage of settled requests.
    #[must_use]
    pub fn settled(&self, dimension: Dimension) -> i64 {
        self.get(settled(dimension))
    }

    /// The part of the settled usage that is an upper bound.
    #[must_use]
    pub fn estimated(&self, dimension: Dimension) -> i64 {
        self.get(estimated(dimension))
    }

    /// Usage that bypassed the sentry.
    #[must_use]
    pub fn external(&self, dimension: Dimension) -> i64 {
        self.get(external(dimension))
    }

    /// Settled + external: what is spent, whoever spent it.
    #[must_use]
    pub fn used(&self, dimension: Dimension) -> i64 {
        self.settled(dimension).saturating_add(self.external(dimension))
    }

    /// On a shard: what it may still give out.
    #[must_use]
    pub fn free(&self, dimension: Dimension) -> i64 {
        self.get(free(dimension))
    }

    /// How many shards have ever leased from this budget's own item.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.get(SHARDS)).unwrap_or(0)
    }

    /// What requests that started in a bucket of this slot hold.
    #[must_use]
    pub fn reserved_in(&self, slot: Slot, dimension: Dimension) -> i64 {
        self.get(&reserved_in(slot, dimension))
    }

    /// What all requests hold.
    #[must_use]
    pub fn reserved(&self, dimension: Dimension) -> i64 {
        Slot::all().map(|slot| self.reserved_in(slot, dimension)).sum()
    }
}

impl FromIterator<(String, i64)> for Counters {
    fn from_iter<I: IntoIterator<Item = (String, i64)>>(attributes: I) -> Self {
        Self(attributes.into_iter().collect())
    }
}
