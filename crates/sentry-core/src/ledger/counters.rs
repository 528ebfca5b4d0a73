//! The numbers of one ledger item, and the names of its attributes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::limit::Dimension;
use crate::month::Period;

/// Seconds of one expiry bucket. An execution lives at most as long.
pub(super) const BUCKET_SECONDS: i64 = 300;

/// Between a budget's key and the number of a shard. No model id and no tenant has it.
const SHARD_MARK: char = '#';

/// The numeric attributes of a ledger item. A missing attribute counts as zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Counters(BTreeMap<String, i64>);

/// The key of a ledger item: `<period>/<budget key>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemKey(String);

impl ItemKey {
    /// The key of a budget's item in a period.
    #[must_use]
    pub fn new(period: Period, budget: &str) -> Self {
        Self(format!("{period}/{budget}"))
    }

    /// The key as it stands in the table, of whatever kind.
    #[must_use]
    pub fn from_table(key: String) -> Self {
        Self(key)
    }

    /// The period, the budget's key and the number of the shard; `None` for what is no budget's item.
    #[must_use]
    pub fn parts(&self) -> Option<(Period, &str, Option<u16>)> {
        let (period, rest) = self.0.split_once('/')?;
        let period = period.parse().ok()?;
        match rest.split_once(SHARD_MARK) {
            None => Some((period, rest, None)),
            Some((budget, shard)) => Some((period, budget, Some(shard.parse().ok()?))),
        }
    }

    /// The key of one of the shards that the budget of this item is split into.
    #[must_use]
    pub fn shard(&self, index: u16) -> Self {
        Self(format!("{}{SHARD_MARK}{index}", self.0))
    }

    /// Whether this is a shard.
    #[must_use]
    pub fn is_shard(&self) -> bool {
        self.0.contains(SHARD_MARK)
    }

    /// The key as it stands in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The bucket of a start time, in epoch seconds.
pub(super) const fn bucket_of(start_seconds: i64) -> i64 {
    start_seconds.div_euclid(BUCKET_SECONDS)
}

/// When DynamoDB may delete the item.
pub(super) const EXPIRES_AT: &str = "expiresAt";

/// On the item of a budget: how many shards have ever drawn from it.
pub(super) const SHARDS: &str = "shards";

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
    /// Settled + reserved + external: the number that admission looks at. On the item of a
    /// budget that is split, what its shards have drawn counts too.
    committed: "input", "output", "cost";
    /// The true usage of settled requests.
    settled: "settledInput", "settledOutput", "settledCost";
    /// Of what is settled, the upper bounds of requests whose true usage nobody knows.
    estimated: "estimatedInput", "estimatedOutput", "estimatedCost";
    /// Usage that CloudWatch shows and the ledger does not explain.
    external: "externalInput", "externalOutput", "externalCost";
    /// Settled + external, kept as a sum: while it is no less than what CloudWatch shows,
    /// there is nothing new to learn, and the admission's own condition can say so.
    explained: "explainedInput", "explainedOutput", "explainedCost";
    /// On a shard: what it has drawn from the budget and not committed.
    free: "freeInput", "freeOutput", "freeCost";
    /// On a shard: the limit under which it has drawn.
    drawn_under: "limitInput", "limitOutput", "limitCost";
    /// On a shard: what the rest of the budget had used when the shard last drew.
    used_elsewhere: "elsewhereUsedInput", "elsewhereUsedOutput", "elsewhereUsedCost";
    /// On a shard: what the rest of the budget had committed when the shard last drew.
    committed_elsewhere: "elsewhereInput", "elsewhereOutput", "elsewhereCost";
}

const fn suffix(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Input => "Input",
        Dimension::Output => "Output",
        Dimension::Cost => "Cost",
    }
}

/// Reserved by requests that started in a bucket and have not settled.
pub(super) fn reserved_in(bucket: i64, dimension: Dimension) -> String {
    format!("r{bucket}{}", suffix(dimension))
}

/// What was settled before a point in time, in epoch seconds.
pub(super) fn settled_before(time: i64, dimension: Dimension) -> String {
    format!("s{time}{}", suffix(dimension))
}

/// The number and dimension of an attribute that consists of a letter and these.
fn numbered(attribute: &str, letter: char) -> Option<(i64, Dimension)> {
    let rest = attribute.strip_prefix(letter)?;
    Dimension::ALL
        .into_iter()
        .find_map(|dimension| Some((rest.strip_suffix(suffix(dimension))?.parse().ok()?, dimension)))
}

impl Counters {
    /// The number of an attribute.
    #[must_use]
    pub fn get(&self, attribute: &str) -> i64 {
        self.0.get(attribute).copied().unwrap_or(0)
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

    /// Settled + reserved + external.
    #[must_use]
    pub fn committed(&self, dimension: Dimension) -> i64 {
        self.get(committed(dimension))
    }

    /// Settled + external: what is spent, whoever spent it.
    #[must_use]
    pub fn used(&self, dimension: Dimension) -> i64 {
        self.get(settled(dimension)).saturating_add(self.get(external(dimension)))
    }

    /// Held by requests in flight.
    #[must_use]
    pub fn reserved(&self, dimension: Dimension) -> i64 {
        self.committed(dimension).saturating_sub(self.used(dimension))
    }

    /// The true usage of settled requests.
    #[must_use]
    pub fn settled(&self, dimension: Dimension) -> i64 {
        self.get(settled(dimension))
    }

    /// Usage around the sentry.
    #[must_use]
    pub fn external(&self, dimension: Dimension) -> i64 {
        self.get(external(dimension))
    }

    /// On a shard: what it may still give out.
    #[must_use]
    pub fn free(&self, dimension: Dimension) -> i64 {
        self.get(free(dimension))
    }

    /// How many shards have ever drawn from this budget's item.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.get(SHARDS)).unwrap_or(0)
    }

    /// Every attribute of a reservation: its bucket, its dimension and its number.
    pub fn reservations(&self) -> impl Iterator<Item = (i64, Dimension, i64)> {
        self.iter().filter_map(|(name, number)| {
            let (bucket, dimension) = numbered(name, 'r')?;
            Some((bucket, dimension, number))
        })
    }

    /// The points in time at which what was settled was written down, ascending.
    pub(super) fn snapshots(&self) -> BTreeSet<i64> {
        self.iter().filter_map(|(name, _)| numbered(name, 's')).map(|(time, _)| time).collect()
    }

    /// What CloudWatch may show without telling anything new.
    #[must_use]
    pub fn explained(&self, dimension: Dimension) -> i64 {
        self.get(explained(dimension))
    }
}

impl FromIterator<(String, i64)> for Counters {
    fn from_iter<I: IntoIterator<Item = (String, i64)>>(attributes: I) -> Self {
        Self(attributes.into_iter().collect())
    }
}
