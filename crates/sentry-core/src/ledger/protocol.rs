//! What an admission is asked, what it asks for, and how it ends.

use crate::limit::{Amounts, Dimension};
use crate::money::Rates;
use crate::month::Period;

use super::counters::{Counters, ItemKey};
use super::settlement::Reservation;
use super::update::Update;

/// What a request asks of its budgets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The period of the execution's start.
    pub period: Period,
    /// The execution's start in epoch seconds.
    pub start_seconds: i64,
    /// Upper bound of the input tokens.
    pub input: u64,
    /// The most output that the model may write.
    pub output: u64,
    /// What the tokens cost; `None` for a model without a price, which no budget in money sees.
    pub rates: Option<Rates>,
    /// What CloudWatch shows of the model for the month, or `None` when it cannot be read.
    pub observed: Option<Amounts>,
    /// Whether the workflow still has time to wait for reservations in flight.
    pub may_wait: bool,
    /// Whether the input's exact count can be had, in place of its upper bound.
    pub may_count: bool,
    /// Spreads requests over the shards of a budget.
    pub spread: u64,
    /// How long the request has waited, in seconds.
    pub waited: u64,
}

impl Ask {
    /// What is taken from each budget with this much output.
    #[must_use]
    pub fn amounts(&self, output: u64) -> Amounts {
        Amounts {
            input: self.input,
            output,
            cost: self.rates.map_or(0, |rates| rates.bound(self.input, output)),
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The write happened; the item after it.
    Applied(Counters),
    /// Its condition did not hold; the item that refused, empty when there is none.
    Refused(Counters),
    /// The items that were to be read, in their order.
    Read(Vec<Counters>),
    /// The writes of a transaction happened, all of them.
    Moved,
    /// None of the writes of a transaction happened.
    NotMoved,
    /// Nobody knows: the table did not answer.
    Unknown,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Do this write and record what became of it.
    Write(ItemKey, Update),
    /// Read these items.
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
        /// The first budget's item after the reservation.
        counters: Counters,
        /// Budgets that only observe and would have refused, with the dimension that is over.
        over: Vec<(usize, Dimension)>,
    },
    /// Only requests in flight hold what this one needs: try again in a moment.
    Wait(Refusal),
    /// As `Wait`, but the time for waiting is up.
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
    /// The item that refused; of a budget that is split, the sum of its items.
    pub counters: Counters,
}
