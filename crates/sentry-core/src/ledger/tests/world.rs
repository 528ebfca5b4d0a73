//! A world around the ledger, in seconds: two tenants and two families, requests that crash at
//! any step, writes and replies that are lost, metrics that lag, calls that bypass the sentry,
//! clocks that differ, limits that are edited, reconcile runs that overlap, die or stay away.
//!
//! It drives the same code as the functions. What may happen next is a list of actions, so
//! that a random schedule and an exhaustive search walk through the same world.

use std::collections::BTreeMap;

use super::super::*;
use crate::limit::{ACCOUNT_ITEM, Amounts, Budget, Dimension, Limit, Mode, OnShortage};
use crate::money::{Rates, TokenUsage};
use crate::month::Period;
use crate::usage::MonthUsage;

/// CloudWatch shows a call within this time.
pub const METRIC_LAG: i64 = 300;
/// The start of the period's second day.
pub const START: i64 = 1_793_577_600;
/// What a settlement takes at most after its execution has ended.
const SETTLE_SECONDS: i64 = 20;
pub const FAMILIES: [&str; 2] = ["model-a", "model-b"];
/// Every budget that a request of this world can have.
const KEYS: [&str; 9] = [
    "tenant/one/model-a",
    "tenant/one/model-b",
    "tenant/two/model-a",
    "tenant/two/model-b",
    "tenant/one",
    "tenant/two",
    FAMILIES[0],
    FAMILIES[1],
    ACCOUNT_ITEM,
];
const ACCOUNT: usize = 8;

/// Whose request it is, and for which family: indices.
pub type Kind = (usize, usize);

/// The budgets of a request, as indices of [`KEYS`]: the tenant's for the family, the tenant's,
/// the family's, the account's.
const fn budgets_of((tenant, family): Kind) -> [usize; 4] {
    [2 * tenant + family, 4 + tenant, 6 + family, ACCOUNT]
}

fn index_of(key: &str) -> usize {
    KEYS.iter().position(|known| *known == key).unwrap()
}

/// What is the same all through a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// The limits, and what they are edited to, one after the other. Every budget is in each.
    pub limits: Vec<BTreeMap<String, Budget>>,
    /// The prices under each of the limits.
    pub rates: Vec<Option<Rates>>,
    pub kinds: Vec<Kind>,
    pub input: u64,
    pub output: u64,
    pub requests: usize,
    pub faults: usize,
    pub bypasses: usize,
    pub reconciles: usize,
    /// Seconds that the world lasts, and steps in which time passes.
    pub lasts: i64,
    pub steps: Vec<i64>,
    /// Seconds after which the month ends: no request starts any more, and calls are billed in the next.
    pub month_ends: i64,
    /// How far CloudWatch's clock and reconcile's are from that of Step Functions.
    pub skew: (i64, i64),
}

/// One call that was billed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Call {
    at: i64,
    shown_at: i64,
    usage: TokenUsage,
    /// Index of the family.
    family: usize,
    /// The tenant's index; `None` for a call that bypassed the sentry.
    tenant: Option<usize>,
    next_month: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Stage {
    Admitting(Box<Admission>),
    Calling(Reservation),
    Settling(Vec<(ItemKey, Update)>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Request {
    kind: Kind,
    start: i64,
    rates: Option<Rates>,
    enforced: BTreeMap<String, Limit>,
    stage: Stage,
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Start(usize),
    /// A request does its next step.
    Step(usize),
    /// As `Step`, but the reply is lost after the write happened.
    LoseReply(usize),
    /// As `Step`, but the write never arrives.
    LoseRequest(usize),
    /// The table has no capacity for the step.
    Throttle(usize),
    /// A settlement arrives late, after its execution has ended.
    Delay(usize),
    Deliver(usize),
    /// A request dies where it stands.
    Crash(usize),
    /// The model answers, having used all that was reserved, or half.
    Answer(usize, bool),
    /// The call fails, and was not billed.
    Fail(usize),
    /// Nobody knows what became of the call, and it was billed, or not.
    TimeOut(usize, bool),
    /// The execution dies during the call, which was billed.
    CrashBilled(usize),
    Bypass(usize),
    Pass(i64),
    Reconcile,
    /// A reconcile run does its next step.
    ReconcileStep(usize),
    /// A reconcile run dies.
    Abandon(usize),
    /// The administrator edits the limits.
    Edit,
}

/// What a budget must count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Billed in this month, through the sentry.
    pub billed: Sums,
    /// Billed in the next month although the execution started in this one.
    pub billed_later: Sums,
    /// Billed, and bypassed the sentry.
    pub bypassed: Sums,
    /// What faults may have made the ledger count too much.
    pub uncertain: Sums,
}

/// The world at one moment.
#[derive(Debug, Clone)]
pub struct World {
    pub items: BTreeMap<ItemKey, Counters>,
    requests: Vec<Request>,
    runs: Vec<Reconcile>,
    late: Vec<(i64, ItemKey, Update)>,
    calls: Vec<Call>,
    pub now: i64,
    started: usize,
    faults: usize,
    reconciled: usize,
    edits: usize,
    truth: [Truth; KEYS.len()],
    /// Which budgets have changed since the promises were checked.
    changed: [bool; KEYS.len()],
    broken: Option<String>,
    /// The longest expressions of a write, in attributes and conditions.
    pub widest: usize,
}

/// Two worlds are the same when they behave alike from now on.
impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl std::hash::Hash for World {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.essence().hash(hasher);
    }
}

pub fn period() -> Period {
    "2026-11".parse().unwrap()
}

pub fn budget(key: &str, input: u64, output: u64) -> Budget {
    Budget {
        key: key.to_owned(),
        item_id: "default".to_owned(),
        limited_by: std::collections::BTreeMap::new(),
        limit: Limit { input: Some(input), output: Some(output), cost: None },
        mode: Mode::Enforce,
        min_max_tokens: 4,
        on_shortage: OnShortage::Shrink,
        warn_at_percent: vec![50, 100],
        fallback_model_id: None,
        shards: 1,
        counts_external: FAMILIES.contains(&key),
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            items: BTreeMap::new(),
            requests: Vec::new(),
            runs: Vec::new(),
            late: Vec::new(),
            calls: Vec::new(),
            now: START,
            started: 0,
            faults: 0,
            reconciled: 0,
            edits: 0,
            truth: [Truth::default(); KEYS.len()],
            changed: [false; KEYS.len()],
            broken: None,
            widest: 0,
        }
    }

    pub fn actions(&self, setting: &Setting) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.started < setting.requests && !self.month_is_over(setting) {
            actions.extend((0..setting.kinds.len()).map(Action::Start));
        }
        let faulty = self.faults < setting.faults;
        for (index, request) in self.requests.iter().enumerate() {
            if matches!(request.stage, Stage::Calling(_)) {
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
                        Action::CrashBilled(index),
                    ]);
                }
                continue;
            }
            actions.push(Action::Step(index));
            if faulty {
                actions.extend([
                    Action::LoseReply(index),
                    Action::LoseRequest(index),
                    Action::Throttle(index),
                    Action::Crash(index),
                ]);
                if matches!(request.stage, Stage::Settling(_)) {
                    actions.push(Action::Delay(index));
                }
            }
        }
        actions.extend((0..self.late.len()).map(Action::Deliver));
        if self.calls.iter().filter(|call| call.tenant.is_none()).count() < setting.bypasses {
            let counted = |family: &usize| setting.limits[0].contains_key(FAMILIES[*family]);
            actions.extend((0..FAMILIES.len()).filter(counted).map(Action::Bypass));
        }
        if self.now < START + setting.lasts {
            actions.extend(setting.steps.iter().map(|step| Action::Pass(*step)));
        }
        if self.reconciled < setting.reconciles && self.runs.len() < 2 {
            actions.push(Action::Reconcile);
        }
        for index in 0..self.runs.len() {
            actions.push(Action::ReconcileStep(index));
            if faulty {
                actions.push(Action::Abandon(index));
            }
        }
        if self.edits + 1 < setting.limits.len() {
            actions.push(Action::Edit);
        }
        actions
    }

    pub fn act(&mut self, setting: &Setting, action: Action) {
        self.act_unchecked(setting, action);
        self.check(setting);
    }

    fn act_unchecked(&mut self, setting: &Setting, action: Action) {
        match action {
            Action::Start(kind) => self.start(setting, setting.kinds[kind]),
            Action::Step(index) => self.step(setting, index, Network::Works),
            Action::LoseReply(index) => self.fault(|world| world.step(setting, index, Network::LosesReply)),
            Action::LoseRequest(index) => {
                self.fault(|world| world.step(setting, index, Network::LosesRequest))
            }
            Action::Throttle(index) => self.fault(|world| world.step(setting, index, Network::Throttles)),
            Action::Delay(index) => self.fault(|world| {
                let request = world.requests.remove(index);
                if let Stage::Settling(mut writes) = request.stage {
                    let until = request.start + EXECUTION_SECONDS + SETTLE_SECONDS;
                    world.late.extend(writes.pop().map(|(item, update)| (until, item, update)));
                    world.note_uncertain(request.kind, bound(setting, request.rates));
                }
            }),
            Action::Deliver(index) => {
                let (_, item, update) = self.late.remove(index);
                self.write(&item, &update);
            }
            Action::Crash(index) => self.fault(|world| world.crash(setting, index)),
            Action::CrashBilled(index) => self.fault(|world| {
                let request = world.requests[index].clone();
                if let Stage::Calling(reservation) = &request.stage {
                    world.bill(setting, &request, reservation.amounts.input, reservation.amounts.output);
                }
                world.crash(setting, index);
            }),
            Action::Answer(index, all) => self.answer(setting, index, all),
            Action::Fail(index) => self.end_call(index, Amounts::default(), false),
            Action::TimeOut(index, billed) => self.fault(|world| {
                let request = world.requests[index].clone();
                let Stage::Calling(reservation) = &request.stage else { return };
                if billed {
                    world.bill(setting, &request, reservation.amounts.input, reservation.amounts.output);
                }
                world.note_uncertain(request.kind, reservation.amounts);
                world.end_call(index, reservation.amounts, true);
            }),
            Action::Bypass(family) => {
                let usage = tokens(setting.input / 2, setting.output / 2);
                self.call(setting, usage, setting.rates[self.edits], family, None);
            }
            Action::Pass(seconds) => self.pass(setting, seconds),
            Action::Reconcile => {
                self.reconciled += 1;
                let run = self.reconcile(setting);
                self.runs.push(run);
            }
            Action::ReconcileStep(index) => self.reconcile_step(setting, index),
            Action::Abandon(index) => self.fault(|world| drop(world.runs.remove(index))),
            Action::Edit => self.edits += 1,
        }
    }

    fn fault(&mut self, act: impl FnOnce(&mut Self)) {
        self.faults += 1;
        act(self);
    }

    fn budgets_of(setting: &Setting, edits: usize, kind: Kind) -> Vec<Budget> {
        budgets_of(kind).iter().filter_map(|index| setting.limits[edits].get(KEYS[*index])).cloned().collect()
    }

    fn note_uncertain(&mut self, kind: Kind, amounts: Amounts) {
        for index in budgets_of(kind) {
            self.truth[index].uncertain = self.truth[index].uncertain.plus(&Sums::from(amounts));
        }
    }

    fn start(&mut self, setting: &Setting, kind: Kind) {
        self.started += 1;
        let rates = setting.rates[self.edits];
        let budgets = Self::budgets_of(setting, self.edits, kind);
        let enforced = |budget: &Budget| (budget.key.clone(), budget.limit);
        let request = AdmissionRequest {
            period: period(),
            start_seconds: self.now,
            now_seconds: self.now,
            input: setting.input,
            output: setting.output,
            rates,
            observed: Some(self.shown(kind.1).total()),
            waited_seconds: MAX_WAIT_SECONDS,
            may_count: false,
            request_hash: self.started as u64,
        };
        self.requests.push(Request {
            kind,
            start: self.now,
            rates,
            enforced: budgets.iter().filter(|budget| budget.mode == Mode::Enforce).map(enforced).collect(),
            stage: Stage::Admitting(Box::new(Admission::new(budgets, request))),
        });
    }

    fn step(&mut self, setting: &Setting, index: usize, network: Network) {
        let mut request = self.requests.remove(index);
        let mut over = false;
        match &mut request.stage {
            Stage::Admitting(admission) => match admission.step() {
                Step::Done(Verdict::Admit { reservation, .. }) => request.stage = Stage::Calling(reservation),
                Step::Done(verdict) => {
                    self.check_refusal(setting, &request, &verdict);
                    over = true;
                }
                step => {
                    if network != Network::Works {
                        self.note_uncertain(request.kind, bound(setting, request.rates));
                    }
                    let outcome = match network {
                        Network::Throttles => LedgerOutcome::Throttled,
                        Network::LosesRequest => LedgerOutcome::Unknown,
                        Network::Works | Network::LosesReply => self.perform(&request.enforced, step),
                    };
                    let outcome =
                        if network == Network::LosesReply { LedgerOutcome::Unknown } else { outcome };
                    admission.record(outcome);
                }
            },
            Stage::Settling(writes) => {
                if network == Network::Throttles {
                    // Repeated by the workflow.
                } else if let Some((item, update)) = writes.pop() {
                    if network != Network::LosesRequest {
                        self.write(&item, &update);
                    }
                    if network != Network::Works {
                        self.note_uncertain(request.kind, bound(setting, request.rates));
                        writes.clear();
                    }
                }
                over = writes.is_empty();
            }
            Stage::Calling(_) => {}
        }
        if !over {
            self.requests.insert(index, request);
        }
    }

    fn perform(&mut self, enforced: &BTreeMap<String, Limit>, step: Step) -> LedgerOutcome {
        match step {
            Step::Write(item, update) => {
                let reserves =
                    update.add.keys().any(|name| name.starts_with('r')) && !update.conditions.is_empty();
                let outcome = self.write(&item, &update);
                if reserves && matches!(outcome, LedgerOutcome::Applied(_)) {
                    self.check_limit(enforced, &item);
                }
                outcome
            }
            Step::Read(items) => LedgerOutcome::Read(items.iter().map(|item| self.get(item)).collect()),
            Step::Transact(writes) => self.transact(&writes),
            Step::Done(_) => LedgerOutcome::Unknown,
        }
    }

    /// No write that reserves brings more than the limit into use, but for what bypasses the sentry.
    fn check_limit(&mut self, enforced: &BTreeMap<String, Limit>, item: &ItemKey) {
        let Some((_, key, _)) = item.parts() else { return };
        let Some(limit) = enforced.get(key) else { return };
        let ((committed, _), own) = (self.totals(key), self.get(&ItemKey::new(period(), key)));
        for (d, limit) in limit.each() {
            if self.edits == 0 && committed.get(d) - own.external(d) > limit as i64 {
                self.broken = Some(format!("{key}: more {d:?} is committed than the limit"));
            }
        }
    }

    fn write(&mut self, item: &ItemKey, update: &Update) -> LedgerOutcome {
        self.measure(update);
        let before = self.get(item);
        match update.apply(&before) {
            Some(after) => {
                self.put(item, update, after.clone());
                LedgerOutcome::Applied(after)
            }
            None => LedgerOutcome::Refused(before),
        }
    }

    fn transact(&mut self, writes: &[(ItemKey, Update)]) -> LedgerOutcome {
        assert!(writes.len() <= 100, "DynamoDB takes no more");
        let mut items = Vec::new();
        for (item, update) in writes {
            self.measure(update);
            match update.apply(&self.get(item)) {
                Some(after) => items.push(after),
                None => return LedgerOutcome::NotMoved,
            }
        }
        for ((item, update), after) in writes.iter().zip(items) {
            self.put(item, update, after);
        }
        LedgerOutcome::Moved
    }

    fn put(&mut self, item: &ItemKey, update: &Update, after: Counters) {
        if let Some(name) = update.add.keys().find(|name| after.get(name) < 0) {
            self.broken = Some(format!("{}: {name} is {}", item.as_str(), after.get(name)));
        }
        let (_, key, _) = item.parts().unwrap();
        self.changed[index_of(key)] = true;
        self.items.insert(item.clone(), after);
    }

    fn measure(&mut self, update: &Update) {
        let changed = update.add.len() + update.set.len() + update.remove.len();
        self.widest = self.widest.max(changed.max(update.conditions.len()));
    }

    fn get(&self, item: &ItemKey) -> Counters {
        self.items.get(item).cloned().unwrap_or_default()
    }

    /// `Exceeded` must be true: what is used leaves no room.
    fn check_refusal(&mut self, setting: &Setting, request: &Request, verdict: &Verdict) {
        let Verdict::Exceeded(refusal) = verdict else { return };
        if self.edits > 0 || self.reconciled > 0 {
            return;
        }
        let budgets = Self::budgets_of(setting, 0, request.kind);
        let budget = &budgets[refusal.budget];
        let least = setting.output.min(budget.min_max_tokens);
        let need = Amounts { output: least, ..bound(setting, request.rates) };
        let cost = request.rates.map_or(0, |rates| rates.bound(setting.input, least));
        let need = Amounts { cost, ..need };
        let (_, used) = self.totals(&budget.key);
        if budget.limit.each().all(|(d, limit)| used.get(d) + need.get(d) as i64 <= limit as i64) {
            self.broken = Some(format!("{}: refused although it is not spent", budget.key));
        }
    }

    fn answer(&mut self, setting: &Setting, index: usize, all: bool) {
        let request = self.requests[index].clone();
        let Stage::Calling(reservation) = &request.stage else { return };
        let bound = reservation.amounts;
        let (input, output) =
            if all { (bound.input, bound.output) } else { (bound.input / 2, bound.output / 2) };
        let usage = amounts(request.rates, &tokens(input, output));
        self.bill(setting, &request, input, output);
        self.end_call(index, usage, false);
    }

    fn month_is_over(&self, setting: &Setting) -> bool {
        self.now >= START + setting.month_ends
    }

    fn bill(&mut self, setting: &Setting, request: &Request, input: u64, output: u64) {
        let (tenant, family) = request.kind;
        self.call(setting, tokens(input, output), request.rates, family, Some(tenant));
    }

    fn call(
        &mut self,
        setting: &Setting,
        usage: TokenUsage,
        rates: Option<Rates>,
        family: usize,
        tenant: Option<usize>,
    ) {
        // Any lag up to the longest, in no order.
        let lag = (self.calls.len() as i64 * 137) % (METRIC_LAG + 1);
        let next_month = self.month_is_over(setting);
        let at = self.now + setting.skew.0;
        self.calls.push(Call { at, shown_at: self.now + lag, usage, family, tenant, next_month });
        let sums = Sums::from(amounts(rates, &usage));
        let budgets =
            tenant.map_or(vec![6 + family, ACCOUNT], |tenant| budgets_of((tenant, family)).to_vec());
        for index in budgets {
            let truth = &mut self.truth[index];
            let counted = match (tenant, next_month) {
                (Some(_), false) => &mut truth.billed,
                (Some(_), true) => &mut truth.billed_later,
                (None, false) => &mut truth.bypassed,
                (None, true) => continue,
            };
            *counted = counted.plus(&sums);
            self.changed[index] = true;
        }
    }

    fn end_call(&mut self, index: usize, actual: Amounts, estimated: bool) {
        let Stage::Calling(reservation) = &self.requests[index].stage else { return };
        let settle = |hold: &Hold| (hold.item.clone(), hold.settle(actual, estimated));
        let mut writes: Vec<_> = reservation.holds.iter().map(settle).collect();
        writes.reverse();
        self.requests[index].stage = Stage::Settling(writes);
    }

    fn crash(&mut self, setting: &Setting, index: usize) {
        let request = self.requests.remove(index);
        self.note_uncertain(request.kind, bound(setting, request.rates));
    }

    fn pass(&mut self, setting: &Setting, seconds: i64) {
        self.now += seconds;
        let now = self.now;
        // Step Functions ends an execution after five minutes; a call that was not answered was not billed.
        let (alive, dead) = std::mem::take(&mut self.requests)
            .into_iter()
            .partition::<Vec<_>, _>(|request| request.start + EXECUTION_SECONDS > now);
        self.requests = alive;
        for request in dead {
            self.note_uncertain(request.kind, bound(setting, request.rates));
        }
        self.late.retain(|(until, ..)| *until > now);
    }

    /// What CloudWatch shows of a family by now.
    fn shown(&self, family: usize) -> MonthUsage {
        let mut minutes: BTreeMap<i64, TokenUsage> = BTreeMap::new();
        let shown = |call: &&Call| call.family == family && call.shown_at <= self.now && !call.next_month;
        for call in self.calls.iter().filter(shown) {
            let minute = minutes.entry(call.at.div_euclid(60) * 60).or_default();
            *minute = minute.plus(&call.usage);
        }
        MonthUsage { minutes, ..MonthUsage::default() }
    }

    fn reconcile(&self, setting: &Setting) -> Reconcile {
        let rates = setting.rates[self.edits];
        let usage = |index: usize| FamilyUsage { usage: Some(self.shown(index)), rates, dearest: rates };
        Reconcile::new(Inputs {
            period: period(),
            keys: self.items.keys().cloned().collect(),
            listed_at: self.now + setting.skew.1,
            families: (0..FAMILIES.len()).map(|index| (FAMILIES[index].to_owned(), usage(index))).collect(),
            budgets: setting.limits[self.edits].clone(),
            metric_lag: METRIC_LAG,
        })
    }

    fn reconcile_step(&mut self, setting: &Setting, index: usize) {
        let step = self.runs[index].step();
        let outcome = match step {
            ReconcileStep::Done(_) => {
                self.runs.remove(index);
                return;
            }
            ReconcileStep::Read(items) => {
                assert!(items.len() <= 100, "DynamoDB reads no more at one moment");
                LedgerOutcome::Read(items.iter().map(|item| self.get(item)).collect())
            }
            ReconcileStep::Write(item, update) => self.write(&item, &update),
            ReconcileStep::Transact(writes) => self.transact(&writes),
        };
        let now = self.now + setting.skew.1;
        self.runs[index].record(outcome, now);
    }

    /// A whole run.
    pub fn run_reconcile(&mut self, setting: &Setting) {
        self.runs.clear();
        let run = self.reconcile(setting);
        self.runs.push(run);
        while !self.runs.is_empty() {
            self.reconcile_step(setting, 0);
        }
    }

    /// A budget's own item and its shards, in no order.
    fn items_of(&self, key: &str) -> impl Iterator<Item = (bool, &Counters)> {
        let own = ItemKey::new(period(), key);
        let of_budget = move |item: &ItemKey| item.as_str().strip_prefix(own.as_str()).map(str::len);
        self.items
            .range(ItemKey::new(period(), key)..)
            .map_while(move |(item, counters)| Some((of_budget(item)?, item, counters)))
            .filter_map(|(rest, item, counters)| {
                match item.as_str().as_bytes()[item.as_str().len() - rest..] {
                    [] => Some((true, counters)),
                    [b'#', b'0'..=b'9', ..] => Some((false, counters)),
                    _ => None,
                }
            })
    }

    /// What a budget has committed and used, from all of its items.
    pub fn totals(&self, key: &str) -> (Sums, Sums) {
        let (mut committed, mut used) = (Sums::default(), Sums::default());
        for (own, item) in self.items_of(key) {
            let commits = |d| if own { item.committed(d) } else { -item.free(d) };
            committed = committed.plus(&Sums::from_fn(commits));
            used = used.plus(&Sums::from_fn(|d| item.used(d)));
        }
        (committed, used)
    }

    /// What is held in a budget's items.
    pub fn reserved(&self, key: &str) -> i64 {
        self.items_of(key).flat_map(|(_, item)| Dimension::ALL.map(|d| item.reserved(d))).sum()
    }

    /// What a budget must count.
    pub fn truth(&self, key: &str) -> Truth {
        self.truth[index_of(key)]
    }

    /// The promise that is broken, if one is.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Checks the promises for the budgets that have changed.
    fn check(&mut self, setting: &Setting) {
        for (index, key) in KEYS.iter().enumerate() {
            if !std::mem::take(&mut self.changed[index]) || !setting.limits[0].contains_key(*key) {
                continue;
            }
            let (committed, _) = self.totals(key);
            // The largest limit that was ever enforced, if one always was.
            let limit = |d| {
                let limits = setting
                    .limits
                    .iter()
                    .map(|limits| limits[*key].limit.get(d).filter(|_| limits[*key].mode == Mode::Enforce));
                limits.collect::<Option<Vec<_>>>().and_then(|limits| limits.into_iter().max())
            };
            for d in Dimension::ALL {
                let (committed, billed) = (committed.get(d), self.truth[index].billed.get(d));
                if committed < billed {
                    self.broken = Some(format!("{key}: {committed} {d:?} committed, {billed} used"));
                } else if limit(d).is_some_and(|limit| billed > limit as i64) {
                    self.broken = Some(format!("{key}: {billed} {d:?} used, over the limit"));
                }
            }
        }
    }

    /// Ends all executions and lets reconcile run every five minutes, until nothing is held and it
    /// has nothing more to do, at most so many times.
    pub fn rest(&mut self, setting: &Setting, runs: usize) {
        self.pass(setting, EXECUTION_SECONDS);
        self.late.clear();
        for run in 0..runs {
            self.pass(setting, 300);
            let before = self.numbers();
            self.run_reconcile(setting);
            self.check(setting);
            let all_is_shown = i64::try_from(run).unwrap() * 300 > METRIC_LAG;
            let nothing_is_held = setting.limits[0].keys().all(|key| self.reserved(key) == 0);
            if all_is_shown && nothing_is_held && self.numbers() == before {
                break;
            }
        }
    }

    /// The items without what reconcile remembers.
    fn numbers(&self) -> Vec<Counters> {
        let counted = |(item, _): &(&ItemKey, &Counters)| !item.as_str().ends_with("#reconcile");
        self.items.iter().filter(counted).map(|(_, counters)| counters.clone()).collect()
    }

    /// What decides how the world goes on.
    fn essence(&self) -> impl Eq + std::hash::Hash + '_ {
        let counts = (self.now, self.started, self.faults, self.reconciled, self.edits);
        (&self.items, &self.requests, &self.runs, &self.late, &self.calls, counts, &self.broken)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Works,
    LosesReply,
    LosesRequest,
    Throttles,
}

fn tokens(input: u64, output: u64) -> TokenUsage {
    TokenUsage { input_tokens: input, output_tokens: output, ..TokenUsage::default() }
}

/// What a call uses and costs.
fn amounts(rates: Option<Rates>, usage: &TokenUsage) -> Amounts {
    Amounts {
        input: usage.all_input(),
        output: usage.output_tokens,
        cost: rates.map_or(0, |rates| rates.cost(usage)),
    }
}

fn bound(setting: &Setting, rates: Option<Rates>) -> Amounts {
    Amounts {
        input: setting.input,
        output: setting.output,
        cost: rates.map_or(0, |rates| rates.bound(setting.input, setting.output)),
    }
}
