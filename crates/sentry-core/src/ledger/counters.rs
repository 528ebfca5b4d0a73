//! The numbers of one ledger item, and the names of its attributes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limit::Dimension;
use crate::month::Period;

/// Seconds of one expiry bucket. An execution lives at most as long.
const BUCKET_SECONDS: i64 = 300;

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

/// Settled + reserved + external: the number that admission looks at.
pub(super) const fn committed(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Input => "input",
        Dimension::Output => "output",
    }
}

/// The true usage of settled requests.
pub(super) const fn settled(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Input => "settledInput",
        Dimension::Output => "settledOutput",
    }
}

/// Usage that CloudWatch shows and the ledger does not explain.
pub(super) const fn external(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Input => "externalInput",
        Dimension::Output => "externalOutput",
    }
}

/// Settled + external, kept as a sum: while it is no less than what CloudWatch shows,
/// there is nothing new to learn, and the admission's own condition can say so.
pub(super) const fn explained(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Input => "explainedInput",
        Dimension::Output => "explainedOutput",
    }
}

/// Reserved by requests that started in a bucket and have not settled.
pub(super) fn reserved_in(bucket: i64, dimension: Dimension) -> String {
    match dimension {
        Dimension::Input => format!("r{bucket}Input"),
        Dimension::Output => format!("r{bucket}Output"),
    }
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
