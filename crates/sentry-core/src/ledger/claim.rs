//! Idempotency: while a request that carries a key may hold a reservation, another one with
//! the same key is refused, so that both together do not reserve twice.

use super::counters::{EXPIRES_AT, ItemKey};
use super::update::{Condition, Update};

/// How long a reservation can live at most: until it is settled, released or swept.
const LIFE_SECONDS: i64 = 2_100;
/// How long an item that nobody needs stays in the table.
const KEPT_SECONDS: i64 = 86_400;
/// Until when the key is taken, in epoch seconds.
const TAKEN_UNTIL: &str = "takenUntil";

/// A request's claim to its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The item that stands for the key.
    pub item: ItemKey,
    start: i64,
}

impl Claim {
    /// The claim of a request to a key of its tenant's. `start` is the execution's, in epoch seconds.
    #[must_use]
    pub fn new(tenant: Option<&str>, key: &str, start: i64) -> Self {
        Self { item: ItemKey::from_table(format!("idempotency/{}/{key}", tenant.unwrap_or("-"))), start }
    }

    const fn until(&self) -> i64 {
        self.start.saturating_add(LIFE_SECONDS)
    }

    /// Takes the key, if it is free.
    #[must_use]
    pub fn take(&self) -> Update {
        let mut update = Update::default();
        update.require(Condition::AtMost(TAKEN_UNTIL.to_owned(), self.start));
        update.set.insert(TAKEN_UNTIL.to_owned(), self.until());
        update.set.insert(EXPIRES_AT.to_owned(), self.until().saturating_add(KEPT_SECONDS));
        update
    }

    /// Gives the key back, unless another request has taken it since.
    #[must_use]
    pub fn give_back(&self) -> Update {
        let mut update = Update::default();
        update.require(Condition::Equals(TAKEN_UNTIL.to_owned(), self.until()));
        update.remove.insert(TAKEN_UNTIL.to_owned());
        update
    }

    /// Seconds until the key is free at the latest, by the item that refused.
    #[must_use]
    pub fn seconds_left(&self, item: &super::Counters) -> u64 {
        u64::try_from(item.get(TAKEN_UNTIL).saturating_sub(self.start)).unwrap_or(0)
    }
}
