//! Admission: reserve the worst case of a request in every budget that applies, narrowest
//! first, or say exactly why not.
//!
//! A state machine without input and output. [`Admission::step`] gives the step to do or the
//! verdict; the caller reports what became of the step with [`Admission::record`]. When it
//! cannot know the outcome of a write it gives up: what may have been reserved stays reserved
//! until reconcile releases it, and nothing is admitted on a guess.

use crate::limit::{Budget, Dimension, Mode};

use super::attempt::{Attempt, Progress, Round, Work};
use super::counters::ItemKey;
use super::decide::Decision;
use super::protocol::{AdmissionRequest, LedgerOutcome, Refusal, Step, Verdict};
use super::settlement::{Hold, Reservation};
use super::sums::{Totals, signed};

/// The admission of one request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Admission {
    budgets: Vec<Budget>,
    request: AdmissionRequest,
    /// The output that is asked for, after it was made shorter.
    output: u64,
    shrunk_by: Option<usize>,
    held: Vec<Held>,
    phase: Phase,
}

/// What is held in one budget, and the budget right after.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Held {
    hold: Hold,
    totals: Totals,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Reserve in the budget after those held.
    Attempt(Attempt),
    /// Give back what is held, then go on with this.
    Release(AfterRelease),
    Done(Verdict),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum AfterRelease {
    /// Begin again with the first budget.
    Again,
    End(Verdict),
}

impl Admission {
    /// Starts the admission of a request. Budgets are tried in order.
    #[must_use]
    pub fn new(budgets: Vec<Budget>, request: AdmissionRequest) -> Self {
        let output = request.output;
        let blocked = budgets.iter().position(|budget| budget.mode == Mode::Block);
        let mut this = Self {
            budgets,
            request,
            output,
            shrunk_by: None,
            held: Vec::new(),
            phase: Phase::Release(AfterRelease::Again),
        };
        match blocked {
            Some(budget) => this.phase = Phase::Done(Verdict::Blocked(budget)),
            None => this.next_budget(),
        }
        this
    }

    /// The next step, or the verdict.
    #[must_use]
    pub fn step(&mut self) -> Step {
        loop {
            match &self.phase {
                Phase::Done(verdict) => return Step::Done(verdict.clone()),
                Phase::Attempt(attempt) => {
                    let Some(round) = self.round() else { return Step::Done(Verdict::Unavailable) };
                    return match attempt.work(&round) {
                        Work::Write(item, update) => Step::Write(item, update),
                        Work::Read(items) => Step::Read(items),
                        Work::Transact(writes) => Step::Transact(writes),
                    };
                }
                Phase::Release(after) => {
                    if let Some(held) = self.held.last() {
                        return Step::Write(held.hold.item.clone(), held.hold.release());
                    }
                    match after.clone() {
                        AfterRelease::Again => self.next_budget(),
                        AfterRelease::End(verdict) => self.phase = Phase::Done(verdict),
                    }
                }
            }
        }
    }

    /// Records what became of the step that [`Admission::step`] gave.
    pub fn record(&mut self, outcome: LedgerOutcome) {
        let mut attempt = match &self.phase {
            Phase::Done(_) => return,
            // A release is not repeated: if it happened unseen, a second one would give back too much.
            Phase::Release(_) => {
                self.held.pop();
                return;
            }
            Phase::Attempt(attempt) => attempt.clone(),
        };
        let Some(round) = self.round() else { return };
        match attempt.record(&round, outcome) {
            Progress::Going => self.phase = Phase::Attempt(attempt),
            Progress::Reserved(item, totals) => self.hold(item, totals),
            Progress::Decided(decision, totals) => self.decided(decision, totals),
            Progress::Throttled if self.request.may_wait() => self.end(Verdict::Wait),
            Progress::Throttled | Progress::Unknown => self.end(Verdict::Unavailable),
        }
    }

    fn round(&self) -> Option<Round<'_>> {
        let budget = self.budgets.get(self.held.len())?;
        Some(Round { budget, request: &self.request, output: self.output })
    }

    /// Goes on with the budget after those held.
    fn next_budget(&mut self) {
        self.phase = match self.round() {
            Some(round) => Phase::Attempt(Attempt::new(&round)),
            None => Phase::Done(self.admit()),
        };
    }

    fn hold(&mut self, item: ItemKey, totals: Totals) {
        let hold = Hold::new(item, self.request.start_seconds, self.request.amounts(self.output));
        self.held.push(Held { hold, totals });
        self.next_budget();
    }

    fn decided(&mut self, decision: Decision, totals: Totals) {
        let budget = self.held.len();
        let refusal = |dimension| Refusal {
            budget,
            dimension,
            requested: self.request.amounts(self.output).get(dimension),
            totals,
        };
        match decision {
            // The attempt goes on by itself where a request fits.
            Decision::Fits => self.end(Verdict::Unavailable),
            Decision::Count => self.end(Verdict::Count),
            Decision::Exceeded(dimension) => self.end(Verdict::Exceeded(refusal(dimension))),
            Decision::Held(_) if self.request.may_wait() => self.end(Verdict::Wait),
            Decision::Held(dimension) => self.end(Verdict::Busy(refusal(dimension))),
            Decision::Shrink(output) => {
                self.output = output;
                self.shrunk_by = Some(budget);
                self.phase = Phase::Release(AfterRelease::Again);
            }
        }
    }

    fn end(&mut self, verdict: Verdict) {
        self.phase = Phase::Release(AfterRelease::End(verdict));
    }

    fn admit(&self) -> Verdict {
        let is_over = |(index, held): (usize, &Held)| {
            let budget = self.budgets.get(index).filter(|budget| budget.mode == Mode::Observe)?;
            let over = |(d, limit): &(Dimension, u64)| held.totals.committed.get(*d) > signed(*limit);
            budget.limit.each().find(over).map(|(dimension, _)| (index, dimension))
        };
        Verdict::Admit {
            reservation: Reservation {
                holds: self.held.iter().map(|held| held.hold.clone()).collect(),
                amounts: self.request.amounts(self.output),
            },
            totals: self.held.iter().map(|held| held.totals).collect(),
            over: self.held.iter().enumerate().filter_map(is_over).collect(),
            shrunk_by: self.shrunk_by,
        }
    }
}
