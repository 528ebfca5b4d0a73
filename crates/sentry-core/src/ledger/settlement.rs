//! Settlement: the true usage goes in, the rest of the reservation goes back.

use serde::{Deserialize, Serialize};

use crate::limit::{Amounts, Dimension, Limit};

use super::counters::{self, Counters, ItemKey};
use super::update::{Condition, Update};

/// What one request holds, in every budget that admitted it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reservation {
    /// The reservation in each budget, narrowest first.
    pub reserved: Vec<Reserved>,
    /// The upper bound of what the request takes, in each of them.
    pub amounts: Amounts,
}

/// A reservation in one budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reserved {
    /// The ledger item.
    pub item: ItemKey,
    /// The expiry bucket.
    pub bucket: i64,
    /// What was taken.
    pub amounts: Amounts,
}

impl Reserved {
    /// The write that puts `actual` in the place of the reservation; nothing actual is a release.
    /// `estimated` says that the true usage is not known.
    ///
    /// It applies only while the bucket still holds the reservation: a bucket that was swept
    /// takes no late settlement.
    #[must_use]
    pub fn settle(&self, actual: Amounts, estimated: bool) -> Update {
        let mut update = Update::default();
        for dimension in Dimension::ALL {
            let taken = i64::try_from(self.amounts.get(dimension)).unwrap_or(i64::MAX);
            let actual = i64::try_from(actual.get(dimension)).unwrap_or(i64::MAX);
            let bucket = counters::reserved_in(self.bucket, dimension);
            update.add(counters::committed(dimension), actual.saturating_sub(taken));
            update.add(counters::settled(dimension), actual);
            update.add(counters::explained(dimension), actual);
            if estimated {
                update.add(counters::estimated(dimension), actual);
            }
            if self.item.is_shard() {
                update.add(counters::free(dimension), taken.saturating_sub(actual));
            }
            update.add(bucket.clone(), -taken);
            if taken > 0 {
                update.require(Condition::AtLeast(bucket, taken));
            }
        }
        update
    }
}

impl Reservation {
    /// The writes that settle it, one for each budget. In this order, and none after one whose
    /// outcome is unknown: a tenant's budget is settled before its model's.
    #[must_use]
    pub fn settle(&self, actual: Amounts, estimated: bool) -> Vec<(ItemKey, Update)> {
        let write = |reserved: &Reserved| (reserved.item.clone(), reserved.settle(actual, estimated));
        self.reserved.iter().map(write).collect()
    }
}

/// The thresholds, in percent of the limit, that the write of `actual` crossed. Of all the
/// writes to an item exactly one crosses each.
#[must_use]
pub fn crossed_thresholds(
    after: &Counters,
    actual: Amounts,
    limit: &Limit,
    percents: &[u8],
) -> Vec<(Dimension, u8)> {
    let mut crossed = Vec::new();
    for (dimension, limit) in limit.each() {
        let now = i128::from(after.used(dimension));
        let before = now - i128::from(actual.get(dimension));
        for percent in percents {
            let threshold = i128::from(limit) * i128::from(*percent);
            if before * 100 < threshold && threshold <= now * 100 {
                crossed.push((dimension, *percent));
            }
        }
    }
    crossed
}
