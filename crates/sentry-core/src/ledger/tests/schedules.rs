//! Random schedules through the world.
//!
//! `LEDGER_CASES=2000 LEDGER_SEED=7 cargo test --release -p sentry-core schedules` walks for longer,
//! and along others.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::super::CLOCK_SKEW_SECONDS;
use super::world::{Action, FAMILIES, Kind, START, Setting, World, budget};
use crate::limit::{Budget, Dimension, Limit, Mode};
use crate::money::Rates;

const RATES: Rates = Rates { input: 1_000, output: 4_000, cache_read: 100, cache_write: 1_250 };

fn by_key(budgets: Vec<Budget>) -> BTreeMap<String, Budget> {
    budgets.into_iter().map(|budget| (budget.key.clone(), budget)).collect()
}

fn in_money(key: &str, cost: u64) -> Budget {
    Budget { limit: Limit { input: None, output: None, cost: Some(cost) }, ..budget(key, 0, 0) }
}

/// Every kind of budget, each of some ten requests.
fn limits() -> BTreeMap<String, Budget> {
    by_key(vec![
        budget("tenant/one/model-a", 200, 250),
        budget("tenant/one", 300, 250),
        in_money("tenant/two", 1_800),
        budget(FAMILIES[0], 250, 400),
        Budget {
            limit: Limit { cost: Some(2_000), ..budget("", 300, 350).limit },
            ..budget(FAMILIES[1], 0, 0)
        },
        in_money("account", 2_300),
    ])
}

const KINDS: [Kind; 3] = [(0, 0), (1, 0), (1, 1)];

fn base() -> Setting {
    Setting {
        limits: vec![limits()],
        rates: vec![Some(RATES)],
        kinds: KINDS.to_vec(),
        input: 20,
        output: 50,
        requests: 30,
        faults: 6,
        bypasses: 3,
        reconciles: 14,
        lasts: 10_800,
        steps: vec![1, 20, 90, 300],
        month_ends: i64::from(u16::MAX) * 60,
        skew: (0, 0),
    }
}

fn edited(edit: impl Fn(&mut Budget)) -> BTreeMap<String, Budget> {
    let mut limits = limits();
    limits.values_mut().for_each(edit);
    limits
}

fn with(edits: Vec<BTreeMap<String, Budget>>) -> Setting {
    let rates = vec![Some(RATES); edits.len()];
    Setting { limits: edits, rates, ..base() }
}

fn shards(shards: u16) -> BTreeMap<String, Budget> {
    edited(|budget| budget.shards = shards)
}

fn faultless(setting: Setting) -> Setting {
    Setting { faults: 0, ..setting }
}

fn cheaper() -> Setting {
    let cheap = Rates { input: 100, output: 400, cache_read: 10, cache_write: 125 };
    Setting { rates: vec![Some(RATES), Some(cheap)], ..with(vec![limits(), limits()]) }
}

/// A test of its own for each setting, so that they run side by side.
macro_rules! the_promises_hold {
    ($($name:ident: $setting:expr;)+) => { $(#[test] fn $name() { hold(stringify!($name), &$setting); })+ };
}

the_promises_hold! {
    with_faults: base();
    without_faults: faultless(base());
    with_metrics_ahead: Setting { skew: (CLOCK_SKEW_SECONDS, 0), ..base() };
    with_reconcile_ahead: Setting { skew: (0, CLOCK_SKEW_SECONDS), ..base() };
    with_metrics_behind_and_reconcile_ahead:
        Setting { skew: (-CLOCK_SKEW_SECONDS / 2, CLOCK_SKEW_SECONDS / 2), ..base() };
    at_the_end_of_a_month: Setting { month_ends: 600, ..base() };
    while_reconcile_is_away_for_hours: Setting { steps: vec![1, 60, 1_800], lasts: 30_000, ..base() };
    when_a_limit_is_lowered:
        with(vec![limits(), edited(|b| b.limit.output = b.limit.output.map(|limit| limit / 2))]);
    when_observed_budgets_are_enforced: with(vec![edited(|b| b.mode = Mode::Observe), limits()]);
    when_enforced_budgets_are_observed_for_a_while:
        with(vec![limits(), edited(|b| b.mode = Mode::Observe), limits()]);
    when_prices_fall: cheaper();
    with_shards: with(vec![shards(3)]);
    with_shards_without_faults: faultless(with(vec![shards(3)]));
    when_shards_become_fewer: with(vec![shards(4), shards(2), shards(1)]);
    when_shards_come_and_go: with(vec![shards(1), shards(3), shards(1)]);
    when_observed_shards_are_enforced: with(vec![
        edited(|b| (b.shards, b.mode) = (3, Mode::Observe)),
        shards(3),
        edited(|b| b.limit.input = b.limit.input.map(|limit| limit * 2)),
    ]);
    when_shards_are_removed_without_faults: faultless(with(vec![shards(2), shards(1)]));
}

/// Whether an action continues a request or a run, unlike a fault or a pause.
fn goes_on(action: &Action) -> bool {
    matches!(action, Action::Start(_) | Action::Step(_) | Action::Answer(..) | Action::ReconcileStep(_))
}

/// Walks through the world, choice by choice, and lets it come to rest; says which promise breaks.
fn walk(
    setting: &Setting,
    choices: &[u16],
    mut seen: impl FnMut(&World, Option<Action>),
) -> Result<(), String> {
    let mut world = World::new();
    for choice in choices {
        let mut actions = world.actions(setting);
        // Three of four choices continue a request or a run, so that most requests end and many
        // are in flight at once.
        if choice % 4 != 0 && actions.iter().any(goes_on) {
            actions.retain(goes_on);
        }
        let Some(action) = actions.get(usize::from(*choice / 4) % actions.len().max(1)) else { break };
        seen(&world, Some(*action));
        world.act(setting, *action);
        if let Some(broken) = world.broken() {
            return Err(broken.to_owned());
        }
    }
    if world.widest >= 100 {
        return Err(format!("a write of {} attributes or conditions", world.widest));
    }
    world.rest(setting, 20);
    seen(&world, None);
    at_rest(setting, &world)
}

/// What must hold once everything has come to rest. Without faults, what is used is exactly what
/// was used in truth.
pub fn at_rest(setting: &Setting, world: &World) -> Result<(), String> {
    if let Some(broken) = world.broken() {
        return Err(broken.to_owned());
    }
    for key in setting.limits[0].keys() {
        let ((committed, used), truth) = (world.totals(key), world.truth(key));
        for d in Dimension::ALL {
            let (used, committed) = (used.get(d), committed.get(d));
            if world.reserved(key) != 0 || committed != used {
                return Err(format!("{key}: {committed} {d:?} committed, {used} used, at rest"));
            }
            // What bypasses is priced when it is found.
            if d == Dimension::Cost && setting.rates.iter().any(|rates| *rates != setting.rates[0]) {
                continue;
            }
            let least = truth.billed.get(d) + truth.bypassed.get(d);
            let most = least + truth.billed_later.get(d) + truth.uncertain.get(d);
            if !(least..=most).contains(&used) {
                return Err(format!("{key}: {used} {d:?} used at rest, {least} to {most} in truth"));
            }
        }
    }
    Ok(())
}

/// Prints the schedule that broke a promise.
fn trace(setting: &Setting, choices: &[u16]) {
    let _ = walk(setting, choices, |world, action| match action {
        Some(action) => println!("{:>6} s {action:?}", world.now - START),
        None => {
            for (item, counters) in &world.items {
                println!("{} {:?}", item.as_str(), counters.iter().collect::<Vec<_>>());
            }
        }
    });
}

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn hold(name: &str, setting: &Setting) {
    let cases = from_environment("LEDGER_CASES").unwrap_or(60);
    let mut seed = [from_environment("LEDGER_SEED").unwrap_or(0_u8); 32];
    seed.iter_mut().zip(name.bytes()).for_each(|(seed, letter)| *seed ^= letter);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let choices = proptest::collection::vec(any::<u16>(), 1..500);
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
        .run(&choices, |choices| walk(setting, &choices, |_, _| ()).map_err(TestCaseError::fail))
        .unwrap_or_else(|error| {
            if let TestError::Fail(_, choices) = &error {
                trace(setting, choices);
            }
            panic!("{error}")
        });
}
