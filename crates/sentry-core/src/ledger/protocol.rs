//! What an admission is asked, what it asks for, and how it ends.

use crate::limit::{Amounts, Dimension};
use crate::money::{Rates, TokenUsage};
use crate::month::Period;

use super::counters::{Counters, ItemKey};
use super::external::Shown;
use super::settlement::Reservation;
use super::sums::Totals;
use super::update::Update;
use super::waiting::may_wait;

/// What a request asks of its budgets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AdmissionRequest {
    /// The period of the execution's start.
    pub period: Period,
    /// The execution's start in epoch seconds.
    pub start_seconds: i64,
    /// The time of this attempt in epoch seconds.
    pub now_seconds: i64,
    /// Upper bound of the input tokens.
    pub input: u64,
    /// The most output that the model may write.
    pub output: u64,
    /// What the tokens cost; `None` for a model without a price, which no budget in money sees.
    pub rates: Option<Rates>,
    /// What CloudWatch shows of the model for the month, or `None` when it cannot be read.
    pub observed: Option<TokenUsage>,
    /// How long the request has waited, in seconds.
    pub waited_seconds: u64,
    /// Whether the input's exact count can be had, in place of its upper bound.
    pub may_count: bool,
    /// A hash of the request's id, which picks the shard of a split budget.
    pub request_hash: u64,
}

impl AdmissionRequest {
    /// What is taken from each budget with this much output.
    #[must_use]
    pub fn amounts(&self, output: u64) -> Amounts {
        Amounts {
            input: self.input,
            output,
            cost: self.rates.map_or(0, |rates| rates.bound(self.input, output)),
        }
    }

    /// Whether the workflow still has time to wait for reservations in flight.
    #[must_use]
    pub const fn may_wait(&self) -> bool {
        may_wait(self.waited_seconds)
    }

    /// What CloudWatch shows, with the prices of the request.
    #[must_use]
    pub fn shown(&self) -> Option<Shown> {
        self.observed.map(|tokens| Shown { tokens, rates: self.rates })
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LedgerOutcome {
    /// The write happened; the item after it.
    Applied(Counters),
    /// Its condition did not hold; the item that refused, empty when there is none.
    Refused(Counters),
    /// The items that were to be read, in their order, as they were at one moment.
    Read(Vec<Counters>),
    /// The writes of a transaction happened, all of them.
    Moved,
    /// None of the writes of a transaction happened.
    NotMoved,
    /// The table had no capacity for it: it certainly did not happen.
    Throttled,
    /// It may have happened or not: the table did not answer.
    Unknown,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Do this write and record what became of it.
    Write(ItemKey, Update),
    /// Read these items, all at one moment.
    Read(Vec<ItemKey>),
    /// Do these writes in one transaction.
    Transact(Vec<(ItemKey, Update)>),
    /// The verdict; nothing is left to do.
    Done(Verdict),
}

/// The end of an admission.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Reserved in every budget.
    Admit {
        /// What was reserved, to be settled after the call.
        reservation: Reservation,
        /// Each budget after the reservation.
        totals: Vec<Totals>,
        /// Budgets that only observe and would have refused, with the dimension that is over.
        over: Vec<(usize, Dimension)>,
        /// The budget for which the output was made shorter.
        shrunk_by: Option<usize>,
    },
    /// Only requests in flight hold what this one needs, or the table was short of capacity:
    /// try again in a moment.
    Wait,
    /// Requests in flight hold what this one needs, and the time for waiting is up.
    Busy(Refusal),
    /// The upper bound of the input does not fit; its exact count may.
    Count,
    /// The budget is spent.
    Exceeded(Refusal),
    /// A budget refuses everything; its index.
    Blocked(usize),
    /// The ledger did not answer.
    Unavailable,
}

/// Which budget refused, and what it had.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Index of the budget.
    pub budget: usize,
    /// The dimension that does not fit.
    pub dimension: Dimension,
    /// What was asked for in that dimension.
    pub requested: u64,
    /// The budget's totals.
    pub totals: Totals,
}
