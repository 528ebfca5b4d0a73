//! A small world around the ledger: requests that crash at any step, messages that are lost,
//! metrics that lag, calls around the sentry, reconcile with a wrong clock.
//!
//! It drives the same code as the functions. What may happen next is a list of actions, so
//! that a random schedule and an exhaustive search walk through the same world.

use std::collections::BTreeMap;

use super::super::*;
use crate::limit::{Amounts, Budget, Dimension, Limit, Mode, OnShortage};
use crate::money::Rates;
use crate::month::Period;

/// Seconds of a tick, of one expiry bucket, and the most that an execution lives.
pub const TICK: i64 = 300;
/// CloudWatch shows a call after this at the latest; reconcile is told more, for its clock's sake.
const TRUE_LAG: i64 = 300;
const METRIC_LAG: i64 = 600;
/// How wrong the clock of a reconcile may be.
const SKEWS: [i64; 3] = [0, -240, 240];

/// A rule that is broken on purpose, to see that somebody notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutation {
    None,
    /// Reserve whatever is left.
    AdmitWithoutCondition,
    /// Let a shard draw without asking the budget's own item.
    DrawWithoutCondition,
    /// Settle a bucket that was swept.
    SettleWithoutCondition,
    /// Repeat a settlement.
    SettleTwice,
    /// Give a reservation back although the call may have been billed.
    ReleaseUnknown,
    /// Let the model write more than was reserved.
    IgnoreMaxTokens,
    /// Take it that CloudWatch shows everything at once.
    SweepEarly,
    /// Give back what the dead hold, and do not count what they were billed.
    SweepWithoutCounting,
}

/// What is the same all through a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// The budgets of each request; the first request meets the limits as they are before an edit.
    pub budgets: Vec<Budget>,
    /// What the budgets are edited to, once.
    pub edited: Option<Vec<Budget>>,
    pub rates: Option<Rates>,
    pub input: u64,
    pub output: u64,
    pub requests: usize,
    pub faults: usize,
    pub bypasses: usize,
    pub reconciles: usize,
    pub ticks: i64,
    /// After how many ticks the month ends: nothing starts in it any more, and calls are billed in the next.
    pub month_ends: i64,
    pub skews: usize,
    pub mutation: Mutation,
}

/// One call that was billed, as CloudWatch will show it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Call {
    at: i64,
    usage: Amounts,
    around: bool,
    /// CloudWatch counts it in the next month.
    next_month: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Request {
    Admitting { admission: Box<Admission>, start: i64 },
    Calling { reservation: Reservation, start: i64 },
    Settling { writes: Vec<(ItemKey, Update)>, start: i64 },
}

impl Request {
    fn start(&self) -> i64 {
        match self {
            Request::Admitting { start, .. }
            | Request::Calling { start, .. }
            | Request::Settling { start, .. } => *start,
        }
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Start,
    /// A request does its next step.
    Step(usize),
    /// As `Step`, but the reply is lost after the write happened.
    LoseReply(usize),
    /// As `Step`, but the write never arrives.
    LoseRequest(usize),
    /// A settlement stays on its way.
    Delay(usize),
    /// It arrives, however late.
    Deliver(usize),
    /// A request dies where it stands.
    Crash(usize),
    /// The model answers, having used all that was reserved, or half.
    Answer(usize, bool),
    /// The call fails, and was not billed.
    Fail(usize),
    /// Nobody knows what became of the call, and it was billed, or not.
    TimeOut(usize, bool),
    /// A call around the sentry.
    Bypass,
    /// CloudWatch shows one more call.
    Show,
    /// Five minutes pass.
    Tick,
    /// A reconcile reads everything, by a clock that is so wrong.
    Reconcile(usize),
    /// A reconcile does its next write.
    Write(usize),
    /// A reconcile dies.
    Abandon(usize),
    /// The administrator edits the limits.
    Edit,
}

/// The world at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub items: BTreeMap<ItemKey, Counters>,
    requests: Vec<Request>,
    reconciles: Vec<Vec<(ItemKey, Update)>>,
    /// Settlements on their way.
    late: Vec<(ItemKey, Update)>,
    calls: Vec<Call>,
    shown: usize,
    now: i64,
    started: usize,
    faults: usize,
    reconciled: usize,
    edited: bool,
    /// Billed through the sentry.
    pub truth: Amounts,
    /// A request was told that the budget is spent, and it is not.
    stingy: bool,
    pub writes: usize,
}

pub fn period() -> Period {
    "2026-11".parse().unwrap()
}

/// The start of the period's second day.
const START: i64 = 1_793_577_600;

pub fn budget(key: &str, input: u64, output: u64) -> Budget {
    Budget {
        key: key.to_owned(),
        item_id: "default".to_owned(),
        limit: Limit { input: Some(input), output: Some(output), cost: None },
        mode: Mode::Enforce,
        min_max_tokens: 4,
        on_shortage: OnShortage::Shrink,
        warn_at_percent: vec![50, 100],
        fallback_model_id: None,
        shards: 1,
        counts_external: key == "model",
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            items: BTreeMap::new(),
            requests: Vec::new(),
            reconciles: Vec::new(),
            late: Vec::new(),
            calls: Vec::new(),
            shown: 0,
            now: START,
            started: 0,
            faults: 0,
            reconciled: 0,
            edited: false,
            truth: Amounts::default(),
            stingy: false,
            writes: 0,
        }
    }

    pub fn actions(&self, setting: &Setting) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.started < setting.requests && !self.month_is_over(setting) {
            actions.push(Action::Start);
        }
        let faulty = self.faults < setting.faults;
        for (index, request) in self.requests.iter().enumerate() {
            if matches!(request, Request::Calling { .. }) {
                actions.extend([
                    Action::Answer(index, true),
                    Action::Answer(index, false),
                    Action::Fail(index),
                ]);
                if faulty {
                    actions.extend([
                        Action::TimeOut(index, true),
                        Action::TimeOut(index, false),
                        Action::Crash(index),
                    ]);
                }
                continue;
            }
            actions.push(Action::Step(index));
            if faulty {
                actions.extend([Action::LoseReply(index), Action::LoseRequest(index), Action::Crash(index)]);
                if matches!(request, Request::Settling { .. }) {
                    actions.push(Action::Delay(index));
                }
            }
        }
        actions.extend((0..self.late.len()).map(Action::Deliver));
        if self.calls.iter().filter(|call| call.around).count() < setting.bypasses {
            actions.push(Action::Bypass);
        }
        if self.shown < self.calls.len() {
            actions.push(Action::Show);
        }
        if self.now < START + setting.ticks * TICK {
            actions.push(Action::Tick);
        }
        if self.reconciled < setting.reconciles && self.reconciles.len() < 2 {
            actions.extend((0..setting.skews).map(Action::Reconcile));
        }
        for index in 0..self.reconciles.len() {
            actions.push(Action::Write(index));
            if faulty {
                actions.push(Action::Abandon(index));
            }
        }
        if setting.edited.is_some() && !self.edited {
            actions.push(Action::Edit);
        }
        actions
    }

    pub fn act(&mut self, setting: &Setting, action: Action) {
        match action {
            Action::Start => self.start(setting),
            Action::Step(index) => self.step(setting, index, true, true),
            Action::LoseReply(index) => {
                self.faults += 1;
                self.step(setting, index, true, false);
            }
            Action::LoseRequest(index) => {
                self.faults += 1;
                self.step(setting, index, false, false);
            }
            Action::Delay(index) => {
                self.faults += 1;
                if let Request::Settling { writes, .. } = &mut self.requests[index] {
                    self.late.extend(writes.pop());
                    self.requests.remove(index);
                }
            }
            Action::Deliver(index) => {
                let (item, update) = self.late.remove(index);
                self.settle(setting, &item, update);
            }
            Action::Crash(index) => {
                self.faults += 1;
                self.requests.remove(index);
            }
            Action::Answer(index, all) => self.answer(setting, index, all),
            Action::Fail(index) => self.end_call(index, Amounts::default(), false),
            Action::TimeOut(index, billed) => {
                self.faults += 1;
                let Request::Calling { reservation, .. } = &self.requests[index] else { return };
                let bound = reservation.amounts;
                if billed {
                    self.bill(setting, bound, false);
                }
                let released = setting.mutation == Mutation::ReleaseUnknown;
                self.end_call(index, if released { Amounts::default() } else { bound }, true);
            }
            Action::Bypass => {
                let usage = Amounts { input: setting.input / 2, output: setting.output / 2, cost: 0 };
                let cost = setting.rates.map_or(0, |rates| rates.bound(usage.input, usage.output));
                self.bill(setting, Amounts { cost, ..usage }, true);
            }
            Action::Show => self.shown += 1,
            Action::Tick => self.tick(),
            Action::Reconcile(skew) => self.reconcile(setting, SKEWS[skew]),
            Action::Write(index) => self.reconcile_write(index),
            Action::Abandon(index) => {
                self.faults += 1;
                self.reconciles.remove(index);
            }
            Action::Edit => self.edited = true,
        }
    }

    fn start(&mut self, setting: &Setting) {
        self.started += 1;
        let budgets = match (&setting.edited, self.edited) {
            (Some(edited), true) => edited.clone(),
            _ => setting.budgets.clone(),
        };
        let shown =
            self.calls[..self.shown].iter().fold(Amounts::default(), |sum, call| sum.plus(&call.usage));
        let ask = Ask {
            period: period(),
            start_seconds: self.now,
            input: setting.input,
            output: setting.output,
            rates: setting.rates,
            observed: Some(shown),
            may_wait: false,
            may_count: false,
            spread: self.started as u64,
            waited: 0,
        };
        let admission = Box::new(Admission::new(budgets, ask));
        self.requests.push(Request::Admitting { admission, start: self.now });
    }

    /// One step of one request; the network lets it arrive and reply, or not.
    fn step(&mut self, setting: &Setting, index: usize, arrives: bool, reply: bool) {
        let mut request = self.requests[index].clone();
        let mut done = false;
        match &mut request {
            Request::Admitting { admission, start } => match admission.step() {
                Step::Done(Verdict::Admit { reservation, .. }) => {
                    request = Request::Calling { reservation, start: *start };
                }
                Step::Done(verdict) => {
                    self.note_refusal(setting, &verdict);
                    done = true;
                }
                step => {
                    let outcome = if arrives { self.perform(setting, step) } else { Outcome::Unknown };
                    admission.record(if reply { outcome } else { Outcome::Unknown });
                }
            },
            Request::Settling { writes, .. } => {
                if let (Some((item, update)), true) = (writes.pop(), arrives) {
                    self.settle(setting, &item, update);
                }
                if !(arrives && reply) {
                    writes.clear();
                }
                done = writes.is_empty();
            }
            Request::Calling { .. } => {}
        }
        if done {
            self.requests.remove(index);
        } else {
            self.requests[index] = request;
        }
    }

    fn settle(&mut self, setting: &Setting, item: &ItemKey, mut update: Update) {
        if setting.mutation == Mutation::SettleWithoutCondition {
            update.conditions.clear();
        }
        for _ in 0..if setting.mutation == Mutation::SettleTwice { 2 } else { 1 } {
            self.write(item, &update);
        }
    }

    fn perform(&mut self, setting: &Setting, step: Step) -> Outcome {
        match step {
            Step::Write(item, mut update) => {
                if setting.mutation == Mutation::AdmitWithoutCondition {
                    update.conditions.retain(|condition| matches!(condition, Condition::Equals(..)));
                }
                self.write(&item, &update)
            }
            Step::Read(items) => Outcome::Read(items.iter().map(|item| self.get(item)).collect()),
            Step::Transact(mut updates) => {
                if setting.mutation == Mutation::DrawWithoutCondition {
                    updates.iter_mut().for_each(|(_, update)| update.conditions.clear());
                }
                let after: Option<Vec<_>> = updates
                    .iter()
                    .map(|(item, update)| Some((item.clone(), update.apply(&self.get(item))?)))
                    .collect();
                let Some(after) = after else { return Outcome::NotMoved };
                self.items.extend(after);
                Outcome::Moved
            }
            Step::Done(_) => Outcome::Unknown,
        }
    }

    fn write(&mut self, item: &ItemKey, update: &Update) -> Outcome {
        self.writes += 1;
        let before = self.get(item);
        match update.apply(&before) {
            Some(after) => {
                self.items.insert(item.clone(), after.clone());
                Outcome::Applied(after)
            }
            None => Outcome::Refused(before),
        }
    }

    fn get(&self, item: &ItemKey) -> Counters {
        self.items.get(item).cloned().unwrap_or_default()
    }

    /// `Exceeded` must be true: what is used never comes back, unless reconcile corrects it.
    fn note_refusal(&mut self, setting: &Setting, verdict: &Verdict) {
        let Verdict::Exceeded(refusal) = verdict else { return };
        if self.edited || self.reconciled > 0 {
            return;
        }
        let budget = &setting.budgets[refusal.budget];
        let least = setting.output.min(budget.min_max_tokens);
        let need = |d| match d {
            Dimension::Input => setting.input,
            Dimension::Output => least,
            Dimension::Cost => setting.rates.map_or(0, |rates| rates.bound(setting.input, least)),
        };
        let total = self.total(budget);
        self.stingy |= budget.limit.each().all(|(d, limit)| total.used(d) + need(d) as i64 <= limit as i64);
    }

    fn answer(&mut self, setting: &Setting, index: usize, all: bool) {
        let Request::Calling { reservation, .. } = &self.requests[index] else { return };
        let bound = reservation.amounts;
        let mut usage =
            if all { bound } else { Amounts { input: bound.input / 2, output: bound.output / 2, cost: 0 } };
        if setting.mutation == Mutation::IgnoreMaxTokens {
            usage.output = setting.output * 2;
        }
        usage.cost = setting.rates.map_or(0, |rates| rates.bound(usage.input, usage.output));
        self.bill(setting, usage, false);
        self.end_call(index, usage, false);
    }

    fn month_is_over(&self, setting: &Setting) -> bool {
        self.now >= START + setting.month_ends * TICK
    }

    fn bill(&mut self, setting: &Setting, usage: Amounts, around: bool) {
        let next_month = self.month_is_over(setting);
        self.calls.push(Call { at: self.now, usage, around, next_month });
        if !around {
            self.truth = self.truth.plus(&usage);
        }
    }

    fn end_call(&mut self, index: usize, actual: Amounts, estimated: bool) {
        let Request::Calling { reservation, start } = &self.requests[index] else { return };
        let mut writes = reservation.settle(actual, estimated);
        writes.reverse();
        self.requests[index] = Request::Settling { writes, start: *start };
    }

    fn tick(&mut self) {
        self.now += TICK;
        let now = self.now;
        // Step Functions ends an execution after five minutes.
        self.requests.retain(|request| request.start() + TICK > now);
        let due = self.calls.iter().take_while(|call| call.at + TRUE_LAG <= now).count();
        self.shown = self.shown.max(due);
    }

    fn sum(calls: &[Call], before: i64) -> Amounts {
        calls
            .iter()
            .filter(|call| call.at < before && !call.next_month)
            .fold(Amounts::default(), |sum, call| sum.plus(&call.usage))
    }

    /// Reads everything and plans the writes, as the function does.
    fn reconcile(&mut self, setting: &Setting, skew: i64) {
        self.reconciled += 1;
        let now = self.now + skew;
        let lag = if setting.mutation == Mutation::SweepEarly { -CLOSE_AT_ONCE } else { METRIC_LAG };
        let shown = &self.calls[..self.shown];
        let mut plan = Vec::new();
        let mut explained = None;
        let (models, others): (Vec<_>, Vec<_>) =
            setting.budgets.iter().partition(|budget| budget.key != "tenant");
        for budget in models.into_iter().chain(others) {
            let items = self.of(budget);
            let snapshot = closed_snapshot(&items[0], now, lag);
            let latest = Self::sum(shown, i64::MAX);
            let closed = snapshot.map(|time| Self::sum(shown, time));
            // CloudWatch tells the models apart and shows the account, but knows no tenants.
            let evidence = if budget.key != "tenant" {
                if budget.counts_external {
                    explained = snapshot
                        .zip(closed)
                        .map(|(time, amounts)| (time, is_explained(&items[0], time, amounts)));
                }
                Evidence::Shown { latest, closed }
            } else {
                match explained {
                    Some((until, explained)) => Evidence::Indirect { until, explained },
                    None => Evidence::None,
                }
            };
            let evidence = match (setting.mutation, snapshot) {
                (Mutation::SweepWithoutCounting, Some(until)) => {
                    Evidence::Indirect { until, explained: true }
                }
                _ => evidence,
            };
            let item = ItemKey::new(period(), &budget.key);
            let reconciliation =
                Reconciliation { period: period(), item: &item, items: &items, now, metric_lag: lag };
            plan.extend(reconciliation.writes(&evidence));
        }
        plan.reverse();
        if !plan.is_empty() {
            self.reconciles.push(plan);
        }
    }

    fn reconcile_write(&mut self, index: usize) {
        let Some((item, update)) = self.reconciles[index].pop() else { return };
        let refused = matches!(self.write(&item, &update), Outcome::Refused(_));
        if refused || self.reconciles[index].is_empty() {
            self.reconciles.remove(index);
        }
    }

    /// A budget's own item, then its shards.
    fn of(&self, budget: &Budget) -> Vec<Counters> {
        let own = ItemKey::new(period(), &budget.key);
        let shards = budget.shards.max(self.get(&own).shards());
        let mut items = vec![self.get(&own)];
        items.extend((0..if shards > 1 { shards } else { 0 }).map(|shard| self.get(&own.shard(shard))));
        items
    }

    /// A budget as if it were not split.
    pub fn total(&self, budget: &Budget) -> Counters {
        let item = ItemKey::new(period(), &budget.key);
        let items = self.of(budget);
        shards::Survey { item, items: &items, home: None }.total()
    }

    /// What is reserved anywhere in a budget.
    pub fn reserved(&self, budget: &Budget) -> i64 {
        self.of(budget).iter().flat_map(Counters::reservations).map(|(_, _, number)| number).sum()
    }

    /// What went through the sentry and was billed in the next month.
    pub fn billed_next_month(&self) -> u64 {
        let next = self.calls.iter().filter(|call| call.next_month && !call.around);
        next.map(|call| call.usage.output).sum()
    }

    /// External usage of a budget, and what truly went around the sentry.
    pub fn external(&self, budget: &Budget) -> (i64, i64) {
        let around = self.calls.iter().filter(|call| call.around && !call.next_month);
        let truth: u64 = around.map(|call| call.usage.output).sum();
        (self.total(budget).external(Dimension::Output), truth as i64)
    }

    /// The promise that is broken, if one is.
    pub fn broken(&self, setting: &Setting) -> Option<&'static str> {
        for (index, budget) in setting.budgets.iter().enumerate() {
            let edited = setting.edited.as_ref().map(|edited| &edited[index]);
            let total = self.total(budget);
            for (dimension, limit) in budget.limit.each() {
                let limit = limit.max(edited.and_then(|budget| budget.limit.get(dimension)).unwrap_or(0));
                let truth = self.truth.get(dimension);
                if truth > limit {
                    return Some("over the limit");
                }
                // What a dead request was billed in the next month counts there.
                let next = self.calls.iter().filter(|call| call.next_month && !call.around);
                let next: u64 = next.map(|call| call.usage.get(dimension)).sum();
                if total.committed(dimension) < truth.saturating_sub(next) as i64 {
                    return Some("the ledger is too low");
                }
                // Only calls around the sentry can push a budget over.
                if total.committed(dimension) - total.external(dimension) > limit as i64 {
                    return Some("more is committed than the limit");
                }
                if total.explained(dimension) != total.used(dimension) {
                    return Some("explained is not settled and external");
                }
            }
            let items = self.of(budget);
            if items.iter().flat_map(Counters::reservations).any(|(_, _, number)| number < 0) {
                return Some("a reservation is negative");
            }
            if items.iter().skip(1).any(|shard| budget.limit.each().any(|(d, _)| shard.free(d) < 0)) {
                return Some("a shard gave out more than it has drawn");
            }
        }
        self.stingy.then_some("refused although the budget is not spent")
    }

    /// Drops what only counts, so that states which differ in nothing else are one.
    pub fn forget_how_often(&mut self) {
        self.writes = 0;
    }

    /// Lets half an hour pass with nothing but reconcile.
    pub fn rest(&mut self, setting: &Setting) {
        self.requests.clear();
        self.reconciles.clear();
        self.late.clear();
        let setting = Setting { ticks: i64::MAX / TICK - START, ..setting.clone() };
        // Reconcile takes longer to believe CloudWatch than in life, by the length of a tick.
        for _ in 0..8 {
            self.tick();
            self.reconcile(&setting, 0);
            while !self.reconciles.is_empty() {
                self.reconcile_write(0);
            }
        }
    }
}

/// Makes every snapshot count as closed.
const CLOSE_AT_ONCE: i64 = 3_600;
