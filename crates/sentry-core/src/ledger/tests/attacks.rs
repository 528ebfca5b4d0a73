//! Attacks on single sentences of `docs/budgets.md`, with a simulator of its own: a table in
//! memory, a CloudWatch that shows calls late, and one clock. Each attack names the sentence.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::limit::{Amounts, Budget, Dimension, Limit, Mode, OnShortage};
use crate::money::{Rates, TokenUsage};
use crate::month::Period;
use crate::usage::MonthUsage;

const MODEL: &str = "model-a";
const OTHER_MODEL: &str = "model-b";
const TENANT: &str = "tenant/acme";
const ACCOUNT: &str = "account";
/// The start of November 2026.
const MONTH: i64 = 1_793_491_200;
const DAY: i64 = 86_400;
/// Noon of a day in the middle of the month, the start of a bucket.
const NOON: i64 = MONTH + 9 * DAY + DAY / 2;
const LAG: i64 = 660;
/// Prices that differ much between the kinds of tokens: 10 nano-dollars for an input token.
const RATES: Rates = Rates { input: 10_000, output: 40_000, cache_read: 1_000, cache_write: 12_500 };

fn budget(key: &str, limit: Limit) -> Budget {
    Budget {
        key: key.to_owned(),
        item_id: key.to_owned(),
        limit,
        limited_by: BTreeMap::new(),
        mode: Mode::Enforce,
        min_max_tokens: 1,
        on_shortage: OnShortage::Refuse,
        warn_at_percent: vec![80],
        fallback_model_id: None,
        shards: 1,
        counts_external: key != ACCOUNT && !key.starts_with("tenant/"),
    }
}

fn in_tokens(key: &str, tokens: u64) -> Budget {
    budget(key, Limit { input: Some(tokens), output: Some(tokens), cost: None })
}

fn in_money(key: &str, cost: u64) -> Budget {
    budget(key, Limit { input: None, output: None, cost: Some(cost) })
}

fn plain(input: u64) -> TokenUsage {
    TokenUsage { input_tokens: input, ..TokenUsage::default() }
}

fn cached(input: u64) -> TokenUsage {
    TokenUsage { cache_read_input_tokens: input, ..TokenUsage::default() }
}

fn cache_written(input: u64) -> TokenUsage {
    TokenUsage { cache_write_input_tokens: input, ..TokenUsage::default() }
}

/// A call as CloudWatch counts it.
struct Call {
    family: &'static str,
    at: i64,
    shown_at: i64,
    usage: TokenUsage,
}

struct World {
    items: BTreeMap<ItemKey, Counters>,
    calls: Vec<Call>,
    now: i64,
    /// The time that reconcile's clock is ahead.
    reconcile_ahead: i64,
    /// Seconds that each step of reconcile takes.
    step_seconds: i64,
    rates: Rates,
    /// Families whose usage cannot be read.
    blind: BTreeSet<&'static str>,
    budgets: Vec<Budget>,
    crossed: Vec<Crossed>,
}

impl World {
    fn new(budgets: Vec<Budget>) -> Self {
        Self {
            items: BTreeMap::new(),
            calls: Vec::new(),
            now: NOON,
            reconcile_ahead: 0,
            step_seconds: 0,
            rates: RATES,
            blind: BTreeSet::new(),
            budgets,
            crossed: Vec::new(),
        }
    }

    fn get(&self, key: &ItemKey) -> Counters {
        self.items.get(key).cloned().unwrap_or_default()
    }

    fn write(&mut self, key: &ItemKey, update: &Update) -> LedgerOutcome {
        let before = self.get(key);
        match update.apply(&before) {
            Some(after) => {
                self.items.insert(key.clone(), after.clone());
                LedgerOutcome::Applied(after)
            }
            None => LedgerOutcome::Refused(before),
        }
    }

    fn transact(&mut self, writes: &[(ItemKey, Update)]) -> LedgerOutcome {
        let keys: BTreeSet<_> = writes.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), writes.len(), "a transaction names an item twice");
        assert!(writes.len() <= 100, "a transaction of {} items", writes.len());
        let after: Option<Vec<_>> =
            writes.iter().map(|(key, update)| Some((key.clone(), update.apply(&self.get(key))?))).collect();
        let Some(after) = after else { return LedgerOutcome::NotMoved };
        self.items.extend(after);
        LedgerOutcome::Moved
    }

    fn read(&self, keys: &[ItemKey]) -> LedgerOutcome {
        assert!(keys.len() <= 100, "a read of {} items", keys.len());
        LedgerOutcome::Read(keys.iter().map(|key| self.get(key)).collect())
    }

    fn step(&mut self, admission: &mut Admission) -> Option<Verdict> {
        let outcome = match admission.step() {
            Step::Done(verdict) => return Some(verdict),
            Step::Write(key, update) => self.write(&key, &update),
            Step::Read(keys) => self.read(&keys),
            Step::Transact(writes) => self.transact(&writes),
        };
        admission.record(outcome);
        None
    }

    /// A request that starts now. CloudWatch cannot be read by it.
    fn asks(&self, input: u64, output: u64) -> AdmissionRequest {
        AdmissionRequest {
            period: period(self.now),
            start_seconds: self.now,
            now_seconds: self.now,
            input,
            output,
            rates: Some(self.rates),
            observed: None,
            waited_seconds: 20,
            may_count: false,
            request_hash: 0,
        }
    }

    fn admit_to(&mut self, budgets: Vec<Budget>, request: AdmissionRequest) -> Verdict {
        let mut admission = Admission::new(budgets, request);
        for _ in 0..200 {
            if let Some(verdict) = self.step(&mut admission) {
                return verdict;
            }
        }
        panic!("an admission does not end");
    }

    fn admit(&mut self, input: u64, output: u64) -> Option<Reservation> {
        let request = self.asks(input, output);
        match self.admit_to(self.budgets.clone(), request) {
            Verdict::Admit { reservation, .. } => Some(reservation),
            _ => None,
        }
    }

    fn settle(&mut self, reservation: &Reservation, actual: Amounts, estimated: bool) {
        for hold in &reservation.holds {
            self.write(&hold.item, &hold.settle(actual, estimated));
        }
    }

    /// Bedrock bills a call that ends at a time; CloudWatch shows it as late as it may.
    fn bills(&mut self, family: &'static str, at: i64, usage: TokenUsage) {
        self.calls.push(Call { family, at, shown_at: at + LAG, usage });
    }

    fn shown(&self, family: &str, period: Period, now: i64) -> MonthUsage {
        let (start, end) = (period.start().timestamp(), period.end().timestamp());
        let midnight = (now - 3_600).div_euclid(DAY) * DAY;
        let closed_until = midnight.min(end).max(start);
        let mut usage = MonthUsage { closed_until, ..MonthUsage::default() };
        for call in &self.calls {
            if call.family != family || call.shown_at > self.now || !(start..end).contains(&call.at) {
                continue;
            }
            let sum = match call.at < closed_until {
                true => &mut usage.closed_days,
                false => usage.minutes.entry(call.at.div_euclid(60) * 60).or_default(),
            };
            *sum = sum.plus(&call.usage);
        }
        usage
    }

    fn run(&self, period: Period) -> Reconcile {
        let listed_at = self.now + self.reconcile_ahead;
        let keys: Vec<ItemKey> = self.items.keys().cloned().collect();
        let keys: Vec<_> =
            keys.into_iter().filter(|key| key.parts().is_some_and(|(of, ..)| of == period)).collect();
        let families = [MODEL, OTHER_MODEL].into_iter().filter(|family| {
            let has_items =
                keys.iter().any(|key| key.parts().is_some_and(|(_, budget, _)| budget == *family));
            has_items || self.calls.iter().any(|call| call.family == *family)
        });
        let usage = |family: &'static str| FamilyUsage {
            usage: (!self.blind.contains(family)).then(|| self.shown(family, period, listed_at)),
            rates: Some(self.rates),
            dearest: Some(self.rates),
        };
        Reconcile::new(Inputs {
            period,
            families: families.map(|family| (family.to_owned(), usage(family))).collect(),
            keys,
            listed_at,
            budgets: self.budgets.iter().map(|budget| (budget.key.clone(), budget.clone())).collect(),
            metric_lag: LAG,
        })
    }

    /// One run over the month of now.
    fn reconcile(&mut self) {
        self.reconcile_month(period(self.now));
    }

    fn reconcile_month(&mut self, period: Period) {
        let mut run = self.run(period);
        for _ in 0..10_000 {
            let step = run.step();
            self.now += self.step_seconds;
            let outcome = match step {
                ReconcileStep::Done(report) => {
                    self.crossed.extend(report.crossed);
                    return;
                }
                ReconcileStep::Write(key, update) => self.write(&key, &update),
                ReconcileStep::Read(keys) => self.read(&keys),
                ReconcileStep::Transact(writes) => self.transact(&writes),
            };
            run.record(outcome, self.now + self.reconcile_ahead);
        }
        panic!("a run of reconcile does not end");
    }

    /// Runs every five minutes until a time.
    fn reconcile_until(&mut self, end: i64) {
        while self.now + 300 <= end {
            self.now += 300;
            self.reconcile();
        }
        self.now = end;
    }

    fn totals(&self, key: &str) -> Totals {
        let own = ItemKey::new(period(self.now), key);
        let shards = self.get(&own).shards().max(64);
        let all: Vec<_> = super::super::lease::items(&own, shards).iter().map(|key| self.get(key)).collect();
        Totals::of(&all)
    }

    fn own(&self, key: &str) -> Counters {
        self.get(&ItemKey::new(period(self.now), key))
    }
}

fn period(at: i64) -> Period {
    Period::of(chrono::DateTime::from_timestamp(at, 0).unwrap())
}

fn amounts(rates: Rates, usage: &TokenUsage) -> Amounts {
    Amounts { input: usage.all_input(), output: usage.output_tokens, cost: rates.cost(usage) }
}

// "The true usage of requests that went through the sentry never exceeds a limit", with "clocks
// differ by no more than a minute, and CloudWatch shows a call within MetricLagSeconds of its end".
// A run took CloudWatch's account as complete up to the lag before the time of its writes, though
// it had read CloudWatch up to two minutes before.
#[test]
fn a_slow_run_takes_no_account_for_complete_that_was_read_too_early() {
    let mut world = World::new(vec![in_tokens(MODEL, 100)]);
    world.reconcile_ahead = 60;
    world.now = NOON - 600;
    world.reconcile_until(NOON);
    world.now = NOON + 299;
    assert!(world.admit(100, 100).is_some());
    // By reconcile's clock this is 657 seconds after the bucket's start.
    world.bills(MODEL, NOON + 597, TokenUsage { output_tokens: 100, ..plain(100) });
    world.now = NOON + 480;
    world.reconcile();
    world.now = NOON + 1_250;
    world.step_seconds = 80;
    world.reconcile();
    world.step_seconds = 0;
    assert!(world.admit(100, 100).is_none(), "200 tokens were used, the limit is 100");
}

// "Shortened. … a quarter of it, or 1,024 tokens of output if that is more, but at least
// `minMaxTokens`." A request was refused as busy though more than `minMaxTokens` was free.
#[test]
fn a_shortened_answer_has_the_least_that_is_worth_it() {
    let limit = Budget { min_max_tokens: 2_000, on_shortage: OnShortage::Shrink, ..in_tokens(MODEL, 10_000) };
    let mut world = World::new(vec![limit]);
    assert!(world.admit(10, 7_000).is_some());
    let request = AdmissionRequest { waited_seconds: 6, ..world.asks(10, 4_000) };
    match world.admit_to(world.budgets.clone(), request) {
        Verdict::Admit { reservation, shrunk_by: Some(0), .. } => {
            assert_eq!(reservation.amounts.output, 2_000)
        }
        other => panic!("{other:?}"),
    }
}

/// An abandoned execution of so many tokens at one price, and bypassing usage; then a request
/// that takes all that is left of the limit.
fn truth_in_money(world: &mut World, limit: u64, abandoned: TokenUsage) -> u64 {
    let mut truth = world.rates.cost(&abandoned);
    for _ in 0..40 {
        if world.admit(10, 0).is_some() {
            truth += world.rates.bound(10, 0);
        }
    }
    assert!(limit > 0);
    truth
}

// "The true usage of requests that went through the sentry never exceeds a limit", in money. Tokens
// that bypassed were counted at the price of cache reads; the cache writes of an abandoned
// execution were then valued as if the bypassing ones had been the dear ones.
#[test]
fn cheap_bypassing_tokens_do_not_hide_the_price_of_an_abandoned_execution() {
    let mut world = World::new(vec![in_money(MODEL, 16_000)]);
    world.bills(MODEL, NOON - 3_000, cached(1_000));
    world.now = NOON - 2_000;
    world.reconcile_until(NOON + 10);
    assert_eq!(world.own(MODEL).external(Dimension::Cost), 1_000);
    assert!(world.admit(1_000, 0).is_some());
    world.bills(MODEL, NOON + 100, cache_written(1_000));
    world.reconcile_until(NOON + 3_000);
    let truth = truth_in_money(&mut world, 16_000, cache_written(1_000));
    assert!(truth <= 16_000, "{truth} nano-dollars were used, the limit is 16000");
}

// The same for usage that bypasses: "Bypassing usage … is added to the model's budget", here a
// part first at the low price of cache reads, then a part at the high price of cache writes.
#[test]
fn bypassing_usage_is_worth_what_all_of_it_can_have_cost() {
    let mut world = World::new(vec![in_money(MODEL, 1_000_000)]);
    world.bills(MODEL, NOON - 3_000, cached(1_000));
    world.now = NOON - 2_000;
    world.reconcile();
    world.bills(MODEL, NOON - 1_000, cache_written(1_000));
    world.reconcile_until(NOON);
    assert_eq!(world.own(MODEL).external(Dimension::Cost), 13_500);
}

// As above. Bypassing tokens that were used after the abandoned execution ended were taken for its own.
#[test]
fn later_bypassing_tokens_do_not_hide_the_price_of_an_abandoned_execution() {
    let mut world = World::new(vec![in_money(MODEL, 16_000)]);
    world.now = NOON - 600;
    world.reconcile_until(NOON + 10);
    assert!(world.admit(1_000, 0).is_some());
    world.bills(MODEL, NOON + 100, cache_written(1_000));
    world.bills(MODEL, NOON + 800, cached(1_000));
    world.now = NOON + 300;
    world.reconcile_until(NOON + 3_000);
    let truth = truth_in_money(&mut world, 16_000, cache_written(1_000));
    assert!(truth <= 16_000, "{truth} nano-dollars were used, the limit is 16000");
}

// As above, with "A price that is edited during a month counts from then on". Tokens that were
// estimated at a low price and never used hid those of an abandoned execution at a higher one.
#[test]
fn cheap_estimates_do_not_hide_the_price_of_an_abandoned_execution() {
    let mut world = World::new(vec![in_money(MODEL, 16_000)]);
    world.rates = Rates { input: 100, output: 100, cache_read: 100, cache_write: 100 };
    world.now = NOON - 3_000;
    world.reconcile();
    let estimated = world.admit(2_000, 0).unwrap();
    world.settle(&estimated, estimated.amounts, true);
    world.reconcile_until(NOON - 900);
    world.rates = RATES;
    world.reconcile_until(NOON + 10);
    assert!(world.admit(1_000, 0).is_some());
    world.bills(MODEL, NOON + 100, cache_written(1_000));
    world.reconcile_until(NOON + 3_000);
    let truth = truth_in_money(&mut world, 16_000, cache_written(1_000));
    assert!(truth <= 16_000, "{truth} nano-dollars were used, the limit is 16000");
}

/// Attacks that succeed.
mod open_findings {
    use super::*;

    // "The true usage … never exceeds a limit", of a tenant, while "CloudWatch does not answer" for
    // another family for more than eighty minutes. The slot of the tenant's hold is used again, so its
    // execution seems to have started after what it was billed had become the family's external usage.
    #[test]
    fn a_hold_that_outlives_its_slot_is_not_released_for_what_came_before_its_second_bucket() {
        let mut world = World::new(vec![in_tokens(TENANT, 100), in_tokens(MODEL, 1_000)]);
        let seen = in_tokens(OTHER_MODEL, 1_000);
        let request = world.asks(1, 1);
        assert!(matches!(world.admit_to(vec![seen], request), Verdict::Admit { .. }));
        world.now = NOON - 600;
        world.reconcile_until(NOON + 10);
        assert!(world.admit(100, 100).is_some());
        world.bills(MODEL, NOON + 100, TokenUsage { output_tokens: 100, ..plain(100) });
        world.blind.insert(OTHER_MODEL);
        world.reconcile_until(NOON + 4_900);
        world.blind.clear();
        world.reconcile_until(NOON + 4_900 + 3_000);
        assert!(world.admit(100, 100).is_none(), "200 tokens were used, the limit is 100");
    }

    // "Abandoned executions count at the dearest price since they started, as far as reconcile's runs
    // saw it." CloudWatch is silent for eighty minutes, and the price is lowered in the last of them.
    #[test]
    fn a_hold_that_outlives_its_slot_keeps_the_price_of_its_start() {
        let mut world = World::new(vec![in_money(MODEL, 16_000)]);
        world.now = NOON - 600;
        world.reconcile_until(NOON + 10);
        assert!(world.admit(1_000, 0).is_some());
        world.bills(MODEL, NOON + 100, cache_written(1_000));
        world.reconcile_until(NOON + 320);
        world.blind.insert(MODEL);
        world.reconcile_until(NOON + 4_000);
        world.rates = Rates { input: 100, output: 100, cache_read: 100, cache_write: 100 };
        world.blind.clear();
        world.reconcile_until(NOON + 4_780);
        world.blind.insert(MODEL);
        world.reconcile_until(NOON + 4_900);
        world.blind.clear();
        world.reconcile_until(NOON + 4_900 + 3_000);
        assert!(world.totals(MODEL).committed.get(Dimension::Cost) >= 12_500);
    }

    // "Every call of the sentry is committed before it is made, so this never counts a call twice."
    // An execution that crosses the end of the month is settled in the old month, and CloudWatch shows
    // its call in the new one.
    #[test]
    #[ignore = "CloudWatch does not say in which month the execution of a call started"]
    fn a_call_across_the_end_of_the_month_is_counted_once() {
        let mut world = World::new(vec![in_tokens(MODEL, 1_000)]);
        let end = period(NOON).end().timestamp();
        world.now = end - 10;
        let reservation = world.admit(100, 100).unwrap();
        let usage = TokenUsage { output_tokens: 100, ..plain(100) };
        world.bills(MODEL, end + 30, usage);
        world.now = end + 31;
        world.settle(&reservation, amounts(RATES, &usage), false);
        world.reconcile_until(end + 3_600);
        assert_eq!(world.own(MODEL).external(Dimension::Output), 0);
    }
}
