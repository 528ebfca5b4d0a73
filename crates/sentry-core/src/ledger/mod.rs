//! The ledger: how a budget holds under concurrency, lag and crashes.
//!
//! One item for each budget and month keeps the committed sum (settled + reserved +
//! external), because a DynamoDB condition can compare an attribute but not add two. A
//! request takes its worst case from the budget in one conditional write before the model
//! is called ([`Admission`]) and gives back what it did not use in one write after
//! ([`Reservation::settle`]).
//!
//! Fails closed: without an answer from the ledger nothing is admitted. Whatever goes
//! wrong leaves the item too high, never too low.

mod admission;
mod claim;
mod counters;
mod protocol;
mod reconcile;
mod settlement;
mod shards;
mod update;
mod view;

pub use admission::Admission;
pub use claim::Claim;
pub use counters::{Counters, ItemKey};
pub use protocol::{Ask, Outcome, Refusal, Step, Verdict};
pub use reconcile::{Evidence, Reconciliation, closed_snapshot, is_explained};
pub use settlement::{Reservation, Reserved, crossed_thresholds};
pub use update::{Condition, Update};
pub use view::{BudgetDocument, DimensionDocument, shown};

#[cfg(test)]
mod tests;
