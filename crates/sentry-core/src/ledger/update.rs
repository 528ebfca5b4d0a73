//! One write to a ledger item, as a value.
//!
//! The same value is applied to a [`Counters`] in tests and models, and translated to a
//! DynamoDB `UpdateItem` at the edge. It can say only what one conditional `UpdateItem` can.

use std::collections::{BTreeMap, BTreeSet};

use crate::limit::Dimension;
use crate::month::Period;

use super::counters::{self, Counters};

/// A conditional write: all of it happens, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Update {
    /// Numbers to add to attributes. A missing attribute counts as zero.
    pub add: BTreeMap<String, i64>,
    /// Attributes to set.
    pub set: BTreeMap<String, i64>,
    /// Attributes to remove.
    pub remove: BTreeSet<String>,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
}

/// What must be true of the item before the write. A missing attribute counts as zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The attribute is at most the number.
    AtMost(String, i64),
    /// The attribute is at least the number.
    AtLeast(String, i64),
    /// The attribute is exactly the number.
    Equals(String, i64),
}

impl Condition {
    /// Whether it holds for an item.
    #[must_use]
    pub fn holds(&self, item: &Counters) -> bool {
        match self {
            Condition::AtMost(name, number) => item.get(name) <= *number,
            Condition::AtLeast(name, number) => item.get(name) >= *number,
            Condition::Equals(name, number) => item.get(name) == *number,
        }
    }
}

impl Update {
    /// A write that may create its item: it sets by which index the item is found, and when it
    /// expires.
    #[must_use]
    pub fn in_period(period: Period) -> Self {
        let mut update = Self::default();
        update.set.insert(counters::PERIOD.to_owned(), period.number());
        update.set.insert(counters::EXPIRES_AT.to_owned(), period.expires_at());
        update
    }

    /// Whether the write changes a number: more than the attributes of [`Update::in_period`].
    #[must_use]
    pub fn changes_something(&self) -> bool {
        let own = |name: &String| name == counters::PERIOD || name == counters::EXPIRES_AT;
        !self.add.is_empty() || !self.remove.is_empty() || !self.set.keys().all(own)
    }

    /// By how much the write raises what is used.
    #[must_use]
    pub fn adds_to_used(&self, dimension: Dimension) -> i64 {
        let added = |attribute| self.add.get(attribute).copied().unwrap_or(0);
        added(counters::settled(dimension)) + added(counters::external(dimension))
    }

    /// Adds to an attribute; nothing is written for a zero.
    pub fn add(&mut self, attribute: impl Into<String>, number: i64) {
        if number != 0 {
            let sum = self.add.entry(attribute.into()).or_default();
            *sum = sum.saturating_add(number);
        }
    }

    /// Requires something of the item.
    pub fn require(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    /// The item after the write, or `None` when a condition does not hold.
    #[must_use]
    pub fn apply(&self, item: &Counters) -> Option<Counters> {
        if !self.conditions.iter().all(|condition| condition.holds(item)) {
            return None;
        }
        let mut after = item.clone();
        for (name, number) in &self.add {
            after.set(name, item.get(name).saturating_add(*number));
        }
        for (name, number) in &self.set {
            after.set(name, *number);
        }
        for name in &self.remove {
            after.remove(name);
        }
        Some(after)
    }
}
