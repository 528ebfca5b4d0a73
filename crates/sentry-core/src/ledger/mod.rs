//! The ledger: how a budget holds under concurrency, lag and crashes.
//!
//! One item for each budget and month keeps the committed sum (settled + reserved +
//! external), because a DynamoDB condition can compare an attribute but not add two. A
//! request takes its worst case from the budget in one conditional write before the model
//! is called ([`Admission`]) and gives back what it did not use in one write after
//! ([`Hold::settle`]). Every five minutes [`Reconcile`] does what requests cannot.
//!
//! Fails closed: without an answer from the ledger nothing is admitted. Whatever goes
//! wrong leaves the item too high, never too low.

mod admission;
mod attempt;
mod buckets;
mod claim;
mod counters;
mod decide;
mod external;
mod lease;
mod plain;
mod protocol;
mod reconcile;
mod settlement;
mod split;
mod sums;
mod thresholds;
mod update;
mod view;
mod waiting;

pub use admission::Admission;
pub use buckets::{CLOCK_SKEW_SECONDS, EXECUTION_SECONDS, Slot, reservation_life};
pub use claim::Claim;
pub use counters::{Counters, ItemKey, Part};
pub use decide::{Decision, decide};
pub use protocol::{AdmissionRequest, LedgerOutcome, Refusal, Step, Verdict};
pub use reconcile::{Crossed, FamilyUsage, Inputs, Reconcile, ReconcileStep, Report};
pub use settlement::{Hold, Reservation};
pub use sums::{Sums, Totals};
pub use thresholds::crossed_thresholds;
pub use update::{Condition, Update};
pub use view::{BudgetDocument, DimensionDocument, shown};
pub use waiting::{LONGEST_WAIT_SECONDS, MAX_WAIT_SECONDS, next_wait};

#[cfg(test)]
mod tests;
