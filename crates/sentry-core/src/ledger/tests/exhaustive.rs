//! Every schedule of small worlds, by a model checker.

use std::collections::BTreeMap;

use stateright::{Checker, Model, Property};

use super::super::CLOCK_SKEW_SECONDS;
use super::schedules::at_rest;
use super::world::{Action, Setting, World, budget};
use crate::limit::{Budget, Mode};

/// The world as the checker walks through it.
#[derive(Debug, Clone)]
struct Small(Setting);

impl Model for Small {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(world.actions(&self.0));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(&self.0, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the promises hold", |_: &Small, world: &World| world.broken().is_none()),
            Property::always("what is held comes back", |model: &Small, world: &World| {
                let mut later = world.clone();
                later.rest(&model.0, 14);
                at_rest(&model.0, &later).is_ok()
            }),
        ]
    }
}

/// The limits of one budget with room for two requests.
fn plain() -> BTreeMap<String, Budget> {
    limits([budget("model-a", 100, 20)])
}

fn split(shards: u16) -> BTreeMap<String, Budget> {
    limits([Budget { shards, ..budget("model-a", 100, 20) }])
}

fn limits<const N: usize>(budgets: [Budget; N]) -> BTreeMap<String, Budget> {
    budgets.into_iter().map(|budget| (budget.key.clone(), budget)).collect()
}

/// Two requests and one fault, at one moment, under limits that are edited one after the other.
fn small(limits: Vec<BTreeMap<String, Budget>>) -> Setting {
    Setting {
        rates: vec![None; limits.len()],
        limits,
        kinds: vec![(0, 0)],
        input: 10,
        output: 10,
        requests: 2,
        faults: 1,
        bypasses: 0,
        reconciles: 0,
        lasts: 0,
        steps: Vec::new(),
        month_ends: i64::from(u16::MAX) * 60,
        skew: (0, 0),
    }
}

/// Explores all of it. A state is no different from another that goes on in the same way.
fn explore(name: &str, setting: Setting) {
    let started = std::time::Instant::now();
    let checker = Small(setting.clone()).checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{name}: {states} states, {} steps deep, {:?}", checker.max_depth(), started.elapsed());
    if let Some((promise, path)) = checker.discoveries().into_iter().next() {
        let mut last = path.last_state().clone();
        let broken = last.broken().map(str::to_owned);
        last.rest(&setting, 14);
        let broken = broken.or_else(|| at_rest(&setting, &last).err());
        panic!("{name}: not true that {promise}: {broken:?} after {:?}", path.into_actions());
    }
    assert!(states >= 1_000, "{name}: only {states} states");
}

#[test]
fn three_requests() {
    explore("three requests", Setting { requests: 3, ..small(vec![plain()]) });
}

#[test]
fn two_budgets() {
    let both = limits([budget("tenant/one", 100, 15), budget("model-a", 100, 20)]);
    explore("two budgets", small(vec![both]));
}

#[test]
fn a_call_that_bypasses_the_sentry() {
    let bypassed = Setting { requests: 1, bypasses: 1, reconciles: 1, ..small(vec![plain()]) };
    explore("a call that bypasses the sentry", Setting { steps: vec![301], lasts: 301, ..bypassed });
}

#[test]
fn two_reconcile_runs() {
    let setting =
        Setting { requests: 1, reconciles: 2, steps: vec![660], lasts: 660, ..small(vec![plain()]) };
    explore("two reconcile runs", setting);
}

#[test]
fn wrong_clocks() {
    for skew in [(CLOCK_SKEW_SECONDS, 0), (0, CLOCK_SKEW_SECONDS), (-CLOCK_SKEW_SECONDS, 0)] {
        let setting = Setting { requests: 1, reconciles: 1, skew, ..small(vec![plain()]) };
        explore("wrong clocks", Setting { steps: vec![299, 601], lasts: 900, ..setting });
    }
}

#[test]
fn two_shards() {
    explore("two shards", small(vec![split(2)]));
}

#[test]
fn shards_that_are_removed_or_added() {
    explore("two shards become one", Setting { faults: 0, ..small(vec![split(2), split(1)]) });
    explore("one shard becomes two", small(vec![split(1), split(2)]));
    let reconciled = Setting { requests: 1, reconciles: 1, ..small(vec![split(2), split(1)]) };
    explore("shards are retired", reconciled);
}

#[test]
fn observed_shards_that_are_enforced() {
    let observed = limits([Budget { shards: 2, mode: Mode::Observe, ..budget("model-a", 100, 20) }]);
    explore("observed shards that are enforced", Setting { faults: 0, ..small(vec![observed, split(2)]) });
}

#[test]
fn a_limit_that_is_lowered() {
    explore("a limit that is lowered", small(vec![plain(), limits([budget("model-a", 50, 12)])]));
}
