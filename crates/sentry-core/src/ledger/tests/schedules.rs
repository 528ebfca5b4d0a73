//! Random schedules through the world, and what each rule of the ledger is for.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::world::{Mutation, Setting, World, budget};
use crate::limit::{Budget, Limit};
use crate::money::Rates;

const RATES: Rates = Rates { input: 1_000, output: 4_000, cache_read: 100, cache_write: 1_250 };

/// A model's, a tenant's and the account's budget, of some ten requests.
fn three_budgets() -> Setting {
    let account = Budget {
        limit: Limit { input: None, output: None, cost: Some(2_300) },
        counts_external: false,
        ..budget("account", 0, 0)
    };
    Setting {
        budgets: vec![budget("tenant", 300, 250), budget("model", 200, 300), account],
        edited: None,
        rates: Some(RATES),
        input: 20,
        output: 50,
        requests: 30,
        faults: 6,
        bypasses: 3,
        reconciles: 12,
        ticks: 20,
        month_ends: i64::from(u16::MAX),
        skews: 3,
        mutation: Mutation::None,
    }
}

/// A budget in shards, and no other, edited to other numbers and another number of shards.
fn shards(before: u16, after: u16, limit: u64) -> Setting {
    let split = |shards, limit| Budget { shards, ..budget("model", 1_000, limit) };
    Setting {
        budgets: vec![split(before, 300)],
        edited: Some(vec![split(after, limit)]),
        rates: None,
        ..three_budgets()
    }
}

fn settings() -> Vec<Setting> {
    let lossless = Setting { faults: 0, bypasses: 0, reconciles: 0, ..three_budgets() };
    vec![
        three_budgets(),
        lossless,
        Setting {
            edited: Some(vec![budget("model", 100, 100)]),
            budgets: vec![budget("model", 200, 300)],
            ..three_budgets()
        },
        shards(4, 4, 300),
        shards(4, 2, 300),
        shards(1, 3, 300),
        shards(3, 1, 200),
        shards(2, 5, 500),
        Setting { faults: 0, bypasses: 0, reconciles: 0, edited: None, ..shards(4, 4, 300) },
        Setting { month_ends: 3, ..three_budgets() },
    ]
}

/// Walks through the world, choice by choice; says which promise breaks.
fn walk(setting: &Setting, choices: &[u16]) -> Result<World, &'static str> {
    let mut world = World::new();
    for choice in choices {
        let actions = world.actions(setting);
        let Some(action) = actions.get(usize::from(*choice) % actions.len().max(1)) else { break };
        world.act(setting, *action);
        if let Some(broken) = world.broken(setting) {
            return Err(broken);
        }
    }
    Ok(world)
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_promises_hold_whatever_happens(which in 0..10_usize, choices in choices()) {
        let setting = &settings()[which];
        let mut world = match walk(setting, &choices) {
            Ok(world) => world,
            Err(broken) => return Err(TestCaseError::fail(broken)),
        };
        world.rest(setting);
        prop_assert_eq!(world.broken(setting), None);
        for budget in &setting.budgets {
            prop_assert_eq!(world.reserved(budget), 0, "something stays reserved in {}", budget.key);
        }
        // What went around the sentry counts once, and what went through it not at all: but for
        // requests whose usage nobody knows, which are counted at their bound.
        let model = setting.budgets.iter().find(|budget| budget.counts_external).unwrap();
        let (external, around) = world.external(model);
        let total = world.total(model).used(crate::limit::Dimension::Output);
        let truth = world.truth.output as i64 + around;
        let billed_here = truth - world.billed_next_month() as i64;
        prop_assert!(external <= truth && total >= billed_here, "used {total}, external {external}, truth {truth}");
    }
}

/// Whether random schedules notice a broken rule.
fn is_noticed(setting: &Setting) -> bool {
    let config = Config { cases: 6_000, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let run = runner.run(&choices(), |choices| match walk(setting, &choices) {
        Ok(mut world) => {
            world.rest(setting);
            world.broken(setting).map_or(Ok(()), |broken| Err(TestCaseError::fail(broken)))
        }
        Err(broken) => Err(TestCaseError::fail(broken)),
    });
    run.is_err()
}

#[test]
fn every_rule_is_needed() {
    for mutation in [
        Mutation::AdmitWithoutCondition,
        Mutation::SettleWithoutCondition,
        Mutation::SettleTwice,
        Mutation::ReleaseUnknown,
        Mutation::IgnoreMaxTokens,
        Mutation::SweepEarly,
        Mutation::SweepWithoutCounting,
    ] {
        let setting = Setting { budgets: vec![budget("model", 200, 300)], mutation, ..three_budgets() };
        assert!(is_noticed(&setting), "nobody notices {mutation:?}");
    }
    let setting = Setting { mutation: Mutation::DrawWithoutCondition, ..shards(4, 2, 300) };
    assert!(is_noticed(&setting), "nobody notices a draw without condition");
}
