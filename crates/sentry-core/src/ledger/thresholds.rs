//! Percentages of a limit at which a notice is due.

use crate::limit::{Dimension, Limit};

use super::sums::Sums;

/// The thresholds, in percent of the limit, that lie above what was used before and not above
/// what is used after. Where each change of an item is reported once, so is each threshold.
#[must_use]
pub fn crossed_thresholds(
    before: &Sums,
    after: &Sums,
    limit: &Limit,
    percents: &[u8],
) -> Vec<(Dimension, u8)> {
    let mut crossed = Vec::new();
    for (dimension, limit) in limit.each() {
        let (before, after) = (i128::from(before.get(dimension)), i128::from(after.get(dimension)));
        for percent in percents {
            let threshold = i128::from(limit) * i128::from(*percent);
            if before * 100 < threshold && threshold <= after * 100 {
                crossed.push((dimension, *percent));
            }
        }
    }
    crossed
}
