//! One write to a ledger item, as a value.
//!
//! The same value is applied to a [`Counters`] in tests and models, and translated to a
//! DynamoDB `UpdateItem` at the edge. It can say only what one conditional `UpdateItem` can.

use std::collections::{BTreeMap, BTreeSet};

use super::Counters;

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
