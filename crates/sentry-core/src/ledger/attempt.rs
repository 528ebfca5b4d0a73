//! The attempt to reserve in one budget, plain or split: what both have in common.

use crate::limit::{Amounts, Budget, Dimension, Mode};

use super::counters::{Counters, ItemKey};
use super::decide::Decision;
use super::external::{Shown, add_external};
use super::plain::Plain;
use super::protocol::{AdmissionRequest, LedgerOutcome};
use super::split::Split;
use super::sums::{Sums, Totals, signed};
use super::update::Update;

/// Steps that are refused before the attempt counts as held by others.
pub const MAX_ATTEMPTS: u8 = 16;

/// One budget and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    pub budget: &'a Budget,
    pub request: &'a AdmissionRequest,
    pub output: u64,
}

impl Round<'_> {
    /// The budget's own item.
    pub fn own(&self) -> ItemKey {
        ItemKey::new(self.request.period, &self.budget.key)
    }

    /// The shard of a split budget in which this request reserves.
    pub fn shard(&self) -> Option<u16> {
        let shards = u64::from(self.budget.shards);
        (shards > 1).then(|| u16::try_from(self.request.request_hash % shards).unwrap_or(0))
    }

    /// The item in which this request reserves.
    pub fn item(&self) -> ItemKey {
        self.shard().map_or_else(|| self.own(), |shard| self.own().shard(shard))
    }

    pub fn amounts(&self) -> Amounts {
        self.request.amounts(self.output)
    }

    /// The limit of a dimension, where it is enforced.
    pub fn enforced(&self, dimension: Dimension) -> Option<i64> {
        match self.budget.mode {
            Mode::Enforce => self.budget.limit.get(dimension).map(signed),
            Mode::Observe | Mode::Block => None,
        }
    }

    /// What CloudWatch shows, where it counts against this budget.
    pub fn shown(&self) -> Option<Shown> {
        self.request.shown().filter(|_| self.budget.counts_external)
    }
}

/// The write that adds what bypassed the sentry to the budget's own item; `None` where
/// everything that CloudWatch shows is committed.
pub fn raise(round: &Round<'_>, own: &Counters) -> Option<Update> {
    let news = round.shown()?.news(&Sums::from_fn(|d| own.committed(d)), own);
    add_external(round.request.period, own, &news)
}

/// What an attempt wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Write(ItemKey, Update),
    Read(Vec<ItemKey>),
    Transact(Vec<(ItemKey, Update)>),
}

/// How far an attempt has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Going,
    /// Reserved in this item; the budget after it.
    Reserved(ItemKey, Totals),
    /// Not reserved, for this reason and by these totals.
    Decided(Decision, Totals),
    /// The table had no capacity.
    Throttled,
    /// The table did not answer.
    Unknown,
}

/// An attempt at one budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    steps: u8,
    way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Way {
    Plain(Plain),
    Split(Split),
}

impl Attempt {
    /// Starts at a budget.
    pub fn new(round: &Round<'_>) -> Self {
        let way = if round.shard().is_some() { Way::Split(Split::new()) } else { Way::Plain(Plain::new()) };
        Self { steps: 0, way }
    }

    /// What to do next.
    pub fn work(&self, round: &Round<'_>) -> Work {
        match &self.way {
            Way::Plain(plain) => plain.work(round),
            Way::Split(split) => split.work(round),
        }
    }

    /// Takes in what became of it.
    pub fn record(&mut self, round: &Round<'_>, outcome: LedgerOutcome) -> Progress {
        self.steps = self.steps.saturating_add(1);
        let progress = match &mut self.way {
            Way::Plain(plain) => plain.record(round, self.steps, outcome),
            Way::Split(split) => split.record(round, self.steps, outcome),
        };
        match progress {
            // A budget that does not refuse cannot be held by others either. Reconcile adds what
            // CloudWatch shows.
            Progress::Decided(..) if round.budget.mode != Mode::Enforce => {
                self.way = Way::Plain(Plain::unconditional());
                Progress::Going
            }
            progress => progress,
        }
    }
}
