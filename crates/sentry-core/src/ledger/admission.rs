//! Admission: reserve the worst case of a request in every budget that applies, or say
//! exactly why not.
//!
//! A state machine without input and output. [`Admission::step`] gives the write to do or
//! the verdict; the caller reports what became of the write with [`Admission::record`].
//! When it cannot know the outcome of a write it gives up: what may have been reserved
//! stays reserved until the sweep, and nobody is admitted on a guess.

use crate::limit::{Amounts, Budget, Dimension, OnShortage};
use crate::month::Period;

use super::counters::{self, Counters, ItemKey};
use super::settlement::{Reservation, Reserved};
use super::update::{Condition, Update};

/// Writes that one admission may try on one budget before it calls the item too contended.
const MAX_ATTEMPTS: u8 = 16;

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
    /// What CloudWatch shows for the month, or `None` when it cannot be read. It belongs to
    /// the first budget.
    pub observed: Option<Amounts>,
    /// Whether the workflow still has time to wait for reservations in flight.
    pub may_wait: bool,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened; the item after it.
    Applied(Counters),
    /// Its condition did not hold; the item that refused, empty when there is none.
    Refused(Counters),
    /// Nobody knows: the table did not answer.
    Unknown,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Do this write and record what became of it.
    Write(ItemKey, Update),
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
    },
    /// Only requests in flight hold what this one needs: try again in a moment.
    Wait(Refusal),
    /// As `Wait`, but the time for waiting is up.
    Busy(Refusal),
    /// The budget is spent.
    Exceeded(Refusal),
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
    /// The item that refused.
    pub counters: Counters,
}

/// The admission of one request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Admission {
    budgets: Vec<Budget>,
    ask: Ask,
    output: u64,
    held: Vec<Reserved>,
    first: Option<Counters>,
    attempts: u8,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Reserve in the budget after those held.
    Reserve,
    /// Learn from CloudWatch first: raise the external usage of an item that shows this.
    Raise(Counters),
    /// Give back what is held, then go on with this.
    Release(After),
    Done(Verdict),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum After {
    /// Try every budget again with this much output.
    Reserve(u64),
    End(Verdict),
}

impl Admission {
    /// Starts the admission of a request. Budgets are tried in order.
    #[must_use]
    pub fn new(budgets: Vec<Budget>, ask: Ask) -> Self {
        let output = ask.output;
        Self { budgets, ask, output, held: Vec::new(), first: None, attempts: 0, phase: Phase::Reserve }
    }

    /// The next write, or the verdict.
    #[must_use]
    pub fn step(&mut self) -> Step {
        loop {
            match &self.phase {
                Phase::Done(verdict) => return Step::Done(verdict.clone()),
                Phase::Reserve => match self.budgets.get(self.held.len()) {
                    None => self.phase = Phase::Done(self.admit()),
                    Some(budget) => return Step::Write(self.item(budget), self.reserve(budget)),
                },
                Phase::Raise(seen) => match self.budgets.get(self.held.len()) {
                    None => self.phase = Phase::Reserve,
                    Some(budget) => return Step::Write(self.item(budget), self.raise(seen)),
                },
                Phase::Release(after) => match self.held.last() {
                    Some(reserved) => {
                        return Step::Write(reserved.item.clone(), reserved.settle(Amounts::default()));
                    }
                    None => {
                        self.phase = match after {
                            After::Reserve(output) => {
                                self.output = *output;
                                Phase::Reserve
                            }
                            After::End(verdict) => Phase::Done(verdict.clone()),
                        };
                    }
                },
            }
        }
    }

    /// Records what became of the write that [`Admission::step`] gave.
    pub fn record(&mut self, outcome: Outcome) {
        match (&self.phase, outcome) {
            (Phase::Done(_), _) => {}
            // A release is not repeated: if it happened unseen, a second one would give back too much.
            (Phase::Release(_), _) => {
                self.held.pop();
            }
            (_, Outcome::Unknown) => self.end(Verdict::Unavailable),
            (Phase::Reserve, Outcome::Applied(counters)) => self.hold(counters),
            (Phase::Reserve, Outcome::Refused(counters)) => self.judge(counters),
            (Phase::Raise(_), Outcome::Applied(_)) => self.phase = Phase::Reserve,
            (Phase::Raise(_), Outcome::Refused(counters)) => self.judge(counters),
        }
    }

    fn item(&self, budget: &Budget) -> ItemKey {
        ItemKey::new(self.ask.period, &budget.key)
    }

    fn bucket(&self) -> i64 {
        counters::bucket_of(self.ask.start_seconds)
    }

    fn asked(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Input => self.ask.input,
            Dimension::Output => self.output,
        }
    }

    /// What CloudWatch shows for the budget whose turn it is.
    fn observed(&self) -> Amounts {
        if self.held.is_empty() { self.ask.observed.unwrap_or_default() } else { Amounts::default() }
    }

    /// The least output that makes sense for this request under a budget.
    fn least_output(&self, budget: &Budget) -> u64 {
        match budget.on_shortage {
            OnShortage::Shrink => self.output.min(budget.min_max_tokens),
            OnShortage::Refuse => self.output,
        }
    }

    fn reserve(&self, budget: &Budget) -> Update {
        let mut update = Update::default();
        for dimension in Dimension::ALL {
            let asked = signed(self.asked(dimension));
            update.add(counters::committed(dimension), asked);
            update.add(counters::reserved_in(self.bucket(), dimension), asked);
            let room = signed(budget.limit.get(dimension)).saturating_sub(asked);
            update.require(Condition::AtMost(counters::committed(dimension).to_owned(), room));
            let observed = signed(self.observed().get(dimension));
            if observed > 0 {
                update.require(Condition::AtLeast(counters::explained(dimension).to_owned(), observed));
            }
        }
        update.set.insert(counters::EXPIRES_AT.to_owned(), self.ask.period.expires_at());
        update
    }

    /// Raises external usage to what CloudWatch shows. The condition makes sure that no
    /// settlement has meanwhile explained a part of it.
    fn raise(&self, seen: &Counters) -> Update {
        let mut update = Update::default();
        for dimension in Dimension::ALL {
            let explained = seen.explained(dimension);
            let news = signed(self.observed().get(dimension)).saturating_sub(explained);
            if news > 0 {
                update.add(counters::committed(dimension), news);
                update.add(counters::external(dimension), news);
                update.add(counters::explained(dimension), news);
                update.require(Condition::Equals(counters::explained(dimension).to_owned(), explained));
            }
        }
        update.set.insert(counters::EXPIRES_AT.to_owned(), self.ask.period.expires_at());
        update
    }

    fn hold(&mut self, counters: Counters) {
        if let Some(budget) = self.budgets.get(self.held.len()) {
            let reserved = Reserved {
                item: self.item(budget),
                bucket: self.bucket(),
                amounts: Amounts { input: self.ask.input, output: self.output },
            };
            self.held.push(reserved);
            self.first.get_or_insert(counters);
            self.attempts = 0;
        }
    }

    /// Decides after a refused write, from the numbers that came with the refusal.
    fn judge(&mut self, item: Counters) {
        self.attempts += 1;
        let Some(budget) = self.budgets.get(self.held.len()) else { return };
        if Dimension::ALL.iter().any(|&d| signed(self.observed().get(d)) > item.explained(d)) {
            if self.attempts < MAX_ATTEMPTS {
                self.phase = Phase::Raise(item);
            } else {
                let refusal = self.refusal(Dimension::Input, item);
                self.hold_off(refusal);
            }
            return;
        }
        let free = |d: Dimension| signed(budget.limit.get(d)).saturating_sub(item.committed(d));
        let unspent = |d: Dimension| signed(budget.limit.get(d)).saturating_sub(item.used(d));
        let least = signed(self.least_output(budget));
        let (input, output) = (signed(self.ask.input), signed(self.output));
        let spent = if input > unspent(Dimension::Input) {
            Some(Dimension::Input)
        } else if least > unspent(Dimension::Output) {
            Some(Dimension::Output)
        } else {
            None
        };
        if let Some(dimension) = spent {
            let refusal = self.refusal(dimension, item);
            return self.end(Verdict::Exceeded(refusal));
        }
        let fits = input <= free(Dimension::Input) && output <= free(Dimension::Output);
        let in_flight = Dimension::ALL.iter().any(|&d| item.reserved(d) > 0);
        let shrunk = u64::try_from(free(Dimension::Output)).unwrap_or(0);
        let fits_shrunk = input <= free(Dimension::Input) && signed(shrunk) >= least && shrunk > 0;
        if fits && self.attempts < MAX_ATTEMPTS {
            // Something was given back since the refusal was decided.
            self.phase = Phase::Reserve;
        } else if (in_flight && self.ask.may_wait) || !fits_shrunk || self.attempts >= MAX_ATTEMPTS {
            let dimension = if input > free(Dimension::Input) { Dimension::Input } else { Dimension::Output };
            let refusal = self.refusal(dimension, item);
            self.hold_off(refusal);
        } else {
            self.phase = Phase::Release(After::Reserve(shrunk.min(self.output)));
        }
    }

    fn hold_off(&mut self, refusal: Refusal) {
        self.end(if self.ask.may_wait { Verdict::Wait(refusal) } else { Verdict::Busy(refusal) });
    }

    fn refusal(&self, dimension: Dimension, counters: Counters) -> Refusal {
        Refusal { budget: self.held.len(), dimension, requested: self.asked(dimension), counters }
    }

    fn end(&mut self, verdict: Verdict) {
        self.phase = Phase::Release(After::End(verdict));
    }

    fn admit(&self) -> Verdict {
        Verdict::Admit {
            reservation: Reservation {
                reserved: self.held.clone(),
                input: self.ask.input,
                output: self.output,
            },
            counters: self.first.clone().unwrap_or_default(),
        }
    }
}

/// Limits and requests are checked to be far below this; a larger number saturates and
/// so can only make a request harder to admit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
