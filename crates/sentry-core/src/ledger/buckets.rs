//! Reservations are counted by the time at which their execution started, in buckets of five
//! minutes. A bucket whose executions have all ended can only hold abandoned reservations.
//!
//! An item has sixteen slots, used in turn, so its size is bounded however long reconcile is
//! away. A slot that is used again after eighty minutes counts as the later bucket: what an
//! older execution left in it is then released later, never earlier.

/// Seconds of one bucket.
const BUCKET_SECONDS: i64 = 300;
/// Slots of an item.
const SLOTS: i64 = 16;
/// A slot is used for another bucket after this many seconds.
pub const CYCLE_SECONDS: i64 = SLOTS * BUCKET_SECONDS;
/// An execution has ended this long after its start: Express workflows live five minutes, and
/// the call of the model is given no more time than its execution has left.
pub const EXECUTION_SECONDS: i64 = 300;
/// How far the clocks of Lambda, Step Functions, Bedrock and CloudWatch may differ.
pub const CLOCK_SKEW_SECONDS: i64 = 60;

/// Where an item counts the reservations of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u8);

impl Slot {
    /// The slot of an execution's start, in epoch seconds.
    #[must_use]
    pub const fn of(start_seconds: i64) -> Self {
        Self::of_bucket(start_seconds.div_euclid(BUCKET_SECONDS))
    }

    const fn of_bucket(bucket: i64) -> Self {
        Self(bucket.rem_euclid(SLOTS) as u8)
    }

    /// Every slot.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..SLOTS).map(Self::of_bucket)
    }

    /// The number in the names of attributes.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The start of the latest bucket of this slot that can have begun by a clock that says `now`.
    #[must_use]
    pub const fn bucket_start(self, now: i64) -> i64 {
        let latest = (now + CLOCK_SKEW_SECONDS).div_euclid(BUCKET_SECONDS);
        let back = (latest - self.0 as i64).rem_euclid(SLOTS);
        (latest - back) * BUCKET_SECONDS
    }

    /// The time by which every execution that reserved in this slot has ended, by any clock.
    #[must_use]
    pub const fn ended_at(self, now: i64) -> i64 {
        self.bucket_start(now) + BUCKET_SECONDS + EXECUTION_SECONDS + CLOCK_SKEW_SECONDS
    }
}

/// Reconcile runs this often.
const RECONCILE_SECONDS: i64 = 300;

/// How long after its execution's start an abandoned reservation is released at the latest, in
/// seconds, but for what may have been billed: its bucket's executions have ended, CloudWatch has
/// shown what they were billed, and reconcile has come by.
#[must_use]
pub const fn reservation_life(metric_lag: i64) -> i64 {
    // A run remembers what is settled under a time up to two minutes later. A later run takes it
    // as evidence once CloudWatch shows everything until then.
    let until_closed = metric_lag.saturating_add(2 * CLOCK_SKEW_SECONDS);
    let runs = until_closed.saturating_add(RECONCILE_SECONDS - 1) / RECONCILE_SECONDS;
    BUCKET_SECONDS + EXECUTION_SECONDS + RECONCILE_SECONDS + runs * RECONCILE_SECONDS
}
