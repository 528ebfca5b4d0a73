//! A month's token usage as CloudWatch shows it.

use std::collections::BTreeMap;

use crate::money::TokenUsage;

/// The usage of one family in one month: closed days as one sum, the rest by the minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MonthUsage {
    /// The sum of the closed days.
    pub closed_days: TokenUsage,
    /// The end of the closed days, in epoch seconds.
    pub closed_until: i64,
    /// Usage after that, by the start of its minute.
    pub minutes: BTreeMap<i64, TokenUsage>,
}

impl MonthUsage {
    /// All that is shown.
    #[must_use]
    pub fn total(&self) -> TokenUsage {
        self.minutes.values().fold(self.closed_days, |sum, usage| sum.plus(usage))
    }

    /// What was used before a time, which must be the start of a minute; `None` for a time
    /// within the closed days, which are known as a sum only.
    #[must_use]
    pub fn until(&self, time: i64) -> Option<TokenUsage> {
        let shown = || self.minutes.range(..time).fold(self.closed_days, |sum, (_, usage)| sum.plus(usage));
        (time >= self.closed_until).then(shown)
    }
}
