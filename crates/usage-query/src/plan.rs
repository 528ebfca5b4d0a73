//! Which interval of the month to ask CloudWatch for, in which period.

use chrono::{DateTime, Utc};
use sentry_aws::{DAY, MINUTE};

/// A day is not closed before CloudWatch has shown all of it, in seconds after its end.
const STILL_COMING: i64 = 3_600;

/// The intervals of a month up to a point in time.
pub struct Plan {
    start: i64,
    now: i64,
}

impl Plan {
    /// From the start of the month until now.
    pub fn new(start: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { start: start.timestamp(), now: now.timestamp() }
    }

    /// The first second of the UTC day that CloudWatch may still add to.
    fn today(&self) -> i64 {
        let settled = self.now - STILL_COMING;
        settled - settled.rem_euclid(i64::from(DAY))
    }

    /// The closed days of the month, end exclusive; none on the first.
    pub fn closed_days(&self) -> Option<(i64, i64)> {
        (self.start < self.today()).then(|| (self.start, self.today()))
    }

    /// The rest up to and with the current minute, end exclusive.
    pub fn current_day(&self) -> Option<(i64, i64)> {
        let start = self.today().max(self.start);
        let minute = i64::from(MINUTE);
        let end = (self.now.div_euclid(minute) + 1) * minute;
        (start < end).then_some((start, end))
    }
}
