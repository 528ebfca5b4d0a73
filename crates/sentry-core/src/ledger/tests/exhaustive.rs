//! Every schedule of small worlds, by a model checker.

use stateright::{Checker, Model, Property};

use super::world::{Action, Mutation, Setting, World, budget};
use crate::limit::Budget;

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
        next.forget_how_often();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the promises hold", |model: &Small, world: &World| {
                world.broken(&model.0).is_none()
            }),
            Property::always("what is held comes back", |model: &Small, world: &World| {
                let mut later = world.clone();
                later.rest(&model.0);
                model.0.budgets.iter().all(|budget| later.reserved(budget) == 0)
                    && later.broken(&model.0).is_none()
            }),
        ]
    }
}

/// One budget of two requests' size.
fn small() -> Setting {
    Setting {
        budgets: vec![budget("model", 100, 20)],
        edited: None,
        rates: None,
        input: 10,
        output: 10,
        requests: 2,
        faults: 1,
        bypasses: 0,
        reconciles: 0,
        ticks: 1,
        month_ends: i64::from(u16::MAX),
        skews: 1,
        mutation: Mutation::None,
    }
}

/// Explores all of it; gives the number of different states and whether a promise broke.
fn explore(name: &str, setting: Setting) -> (usize, bool) {
    let checker = Small(setting).checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    // Shown with `--nocapture`.
    println!("{name}: {states} states, {} steps deep", checker.max_depth());
    for (promise, path) in checker.discoveries() {
        println!("{name}: not true that {promise}: {:?}", path.into_actions());
    }
    (states, !checker.discoveries().is_empty())
}

#[test]
fn no_schedule_breaks_a_promise() {
    let split = |shards| Budget { shards, ..budget("model", 100, 20) };
    for (name, setting, least) in [
        ("three requests", Setting { requests: 3, ticks: 0, ..small() }, 1_000),
        (
            "two budgets",
            Setting { budgets: vec![budget("tenant", 100, 15), budget("model", 100, 20)], ..small() },
            1_000,
        ),
        ("a call around", Setting { bypasses: 1, ..small() }, 1_000),
        ("reconcile", Setting { requests: 1, reconciles: 2, ticks: 4, ..small() }, 1_000),
        (
            "a wrong clock",
            Setting { requests: 1, reconciles: 1, ticks: 3, bypasses: 1, skews: 3, ..small() },
            1_000,
        ),
        ("two shards", Setting { budgets: vec![split(2)], ticks: 0, ..small() }, 1_000),
        (
            "another number of shards",
            Setting { budgets: vec![split(2)], edited: Some(vec![split(1)]), ticks: 0, ..small() },
            1_000,
        ),
    ] {
        let started = std::time::Instant::now();
        let (states, broken) = explore(name, setting);
        println!("  {:?}", started.elapsed());
        assert!(!broken, "{name}");
        assert!(states >= least, "{name}: only {states} states");
    }
}

#[test]
fn a_broken_rule_is_found() {
    for mutation in [
        Mutation::AdmitWithoutCondition,
        Mutation::SettleTwice,
        Mutation::ReleaseUnknown,
        Mutation::IgnoreMaxTokens,
    ] {
        let (_, broken) = explore("a broken rule", Setting { requests: 3, ticks: 0, mutation, ..small() });
        assert!(broken, "nobody finds {mutation:?}");
    }
}
