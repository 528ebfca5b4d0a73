//! Single cases of split budgets: shards that come and go, modes and limits that are edited.

use super::super::counters::SHARDS;
use super::super::*;
use super::table::{Table, request, tokens};
use super::world::{START, budget};
use crate::limit::{Budget, Dimension, Mode};
use crate::money::Rates;

const RATES: Rates = Rates { input: 1_000, output: 4_000, cache_read: 100, cache_write: 1_250 };

fn model(shards: u16, mode: Mode) -> Budget {
    Budget { shards, mode, ..budget("model-a", 100_000, 100_000) }
}

fn asking(hash: u64, input: u64) -> AdmissionRequest {
    AdmissionRequest { request_hash: hash, rates: Some(RATES), ..request(START, input, 10) }
}

/// Uses so much input of a budget, in requests that are spread over its shards.
fn use_up(table: &mut Table, budget: &Budget, requests: u64, input: u64) {
    for hash in 0..requests {
        let held = table.hold(std::slice::from_ref(budget), asking(hash, input));
        table.bill(START, 0, input, 10);
        let cost = RATES.cost(&crate::money::TokenUsage {
            input_tokens: input,
            output_tokens: 10,
            ..Default::default()
        });
        table.settle(&held, crate::limit::Amounts { cost, ..tokens(input, 10) }, false);
    }
}

#[test]
fn a_plain_request_takes_back_what_removed_shards_have_leased() {
    let mut table = Table::default();
    use_up(&mut table, &model(4, Mode::Enforce), 8, 100);
    assert!(table.own("model-a").committed(Dimension::Input) > 800, "shards have leased more than is used");
    let held = table.hold(&[model(1, Mode::Enforce)], asking(0, 99_200));
    assert_eq!((held.amounts.input, table.totals("model-a").committed.input), (99_200, 100_000));
}

#[test]
fn reconcile_folds_and_retires_shards_that_are_removed() {
    let mut table = Table::default();
    use_up(&mut table, &model(4, Mode::Enforce), 8, 100);
    table.reconcile(START + 300, &[model(4, Mode::Enforce)]);
    assert!(table.own("model-a").has(SHARDS), "still split");
    let plain = model(1, Mode::Enforce);
    table.reconcile(START + 600, std::slice::from_ref(&plain));
    table.reconcile(START + 900, std::slice::from_ref(&plain));
    let own = table.own("model-a");
    assert_eq!((own.committed(Dimension::Input), own.used(Dimension::Input)), (800, 800));
    assert!(!own.has(SHARDS));
    let Verdict::Admit { totals, .. } = table.admit(&[plain], asking(0, 1)) else { panic!() };
    assert!(!totals[0].approximate);
    assert_eq!((totals[0].committed.input, totals[0].used.input), (801, 800));
}

#[test]
fn leases_that_go_back_during_a_run_are_not_taken_for_usage_that_bypassed_the_sentry() {
    let mut table = Table::default();
    use_up(&mut table, &model(4, Mode::Enforce), 8, 100);
    table.bill(START, 0, 5_000, 0);
    let mut plain = Some([model(1, Mode::Enforce)]);
    table.reconcile_while(START + 900, &[model(4, Mode::Enforce)], |table, _, step| {
        if let (false, Some(plain)) = (matches!(step, ReconcileStep::Read(_)), plain.take()) {
            let held = table.hold(&plain, asking(0, 90_000));
            table.settle(&held, tokens(0, 0), false);
        }
    });
    assert_eq!(plain, None, "the leases went back");
    let own = table.own("model-a");
    assert_eq!((own.external(Dimension::Input), table.totals("model-a").used.input), (5_000, 5_800));
}

#[test]
fn shards_that_are_in_use_again_are_not_retired() {
    let mut table = Table::default();
    use_up(&mut table, &model(2, Mode::Enforce), 2, 100);
    let plain = [model(1, Mode::Enforce)];
    table.reconcile(START + 300, &plain);
    // Between two steps of the next run, a request that still knows the old limits comes.
    let held = table.hold(&[model(2, Mode::Enforce)], asking(0, 100));
    table.reconcile(START + 600, &plain);
    assert!(table.own("model-a").has(SHARDS), "a shard still holds something");
    table.settle(&held, tokens(50, 10), false);
    table.reconcile(START + 900, &plain);
    table.reconcile(START + 1_200, &plain);
    assert_eq!(table.own("model-a").used(Dimension::Input), 250);
    assert_eq!(table.own("model-a").committed(Dimension::Input), 250);
}

/// Requests that know an older limit item reach the shards between the read of a run and its
/// transaction that makes the budget plain.
#[test]
fn shards_that_are_used_again_while_they_are_retired_are_kept() {
    for (name, shards, hash, input, output, settles) in [
        ("a lease and settled usage", 2, 0, 100, 10, true),
        ("a request that holds the whole lease", 2, 0, 90_000, 90_000, false),
        ("a lease of another shard", 4, 3, 100, 10, false),
    ] {
        let mut table = Table::default();
        let own = ItemKey::new(super::world::period(), "model-a");
        use_up(&mut table, &model(2, Mode::Enforce), 2, 100);
        let plain = [model(1, Mode::Enforce)];
        table.reconcile(START + 300, &plain);
        let mut came = false;
        let report = table.reconcile_while(START + 600, &plain, |table, _, step| {
            let retires = |writes: &[(ItemKey, Update)]| {
                writes.iter().any(|(key, update)| *key == own && update.remove.contains(SHARDS))
            };
            if matches!(step, ReconcileStep::Transact(writes) if retires(writes)) {
                came = true;
                let asked = AdmissionRequest { request_hash: hash, ..request(START, input, output) };
                let held = table.hold(&[model(shards, Mode::Enforce)], asked);
                if settles {
                    table.settle(&held, tokens(input, output), false);
                }
            }
        });
        assert!(came, "the budget was to be plain again");
        assert_eq!((report.refused, table.own("model-a").shards()), (1, shards), "{name}");
    }
}

#[test]
fn a_lease_that_was_planned_under_fewer_shards_does_not_hide_the_others() {
    let mut table = Table::default();
    let mut slow = Admission::new(vec![model(2, Mode::Enforce)], asking(0, 100));
    let lease = loop {
        match slow.step() {
            Step::Transact(writes) => break writes,
            step => {
                let outcome = table.perform(step);
                slow.record(outcome);
            }
        }
    };
    table.hold(&[model(4, Mode::Enforce)], asking(3, 100));
    assert_eq!(table.transact(&lease), LedgerOutcome::NotMoved);
    assert_eq!(table.own("model-a").shards(), 4);
}

#[test]
fn a_lease_without_a_limit_is_not_one_under_a_limit_of_zero() {
    let mut table = Table::default();
    table.hold(&[model(2, Mode::Observe)], asking(0, 100));
    let nothing = crate::limit::Limit { input: Some(0), output: Some(0), cost: None };
    let verdict = table.admit(&[Budget { limit: nothing, ..model(2, Mode::Enforce) }], asking(0, 1));
    assert!(!matches!(verdict, Verdict::Admit { .. }), "{verdict:?}");
}

#[test]
fn the_steps_are_bounded_whatever_others_do() {
    for (mode, shards) in [(Mode::Observe, 1), (Mode::Observe, 4), (Mode::Enforce, 1), (Mode::Enforce, 4)] {
        let mut table = Table::default();
        use_up(&mut table, &model(4, mode), 8, 100);
        let mut admission = Admission::new(vec![model(shards, mode)], asking(1, 99_100));
        let mut steps = 0;
        loop {
            let outcome = match admission.step() {
                Step::Done(_) => break,
                // Others are always faster.
                Step::Transact(_) => LedgerOutcome::NotMoved,
                step => table.perform(step),
            };
            admission.record(outcome);
            steps += 1;
            assert!(steps <= 40, "{mode:?} with {shards} shards: no end");
        }
    }
}

/// Shards give out only what the own item has committed, however the budget was used before.
#[test]
fn nothing_is_admitted_beyond_what_was_used_while_observing() {
    let mut table = Table::default();
    use_up(&mut table, &model(64, Mode::Observe), 300, 1_000);
    assert_eq!(table.totals("model-a").used.get(Dimension::Input), 300_000);
    for (shards, reconciles) in [(64, false), (1, false), (64, true), (1, true), (1, true), (8, false)] {
        let enforced = [model(shards, Mode::Enforce)];
        if reconciles {
            table.reconcile(START + 300, &enforced);
        }
        for hash in 0..64 {
            let verdict = table.admit(&enforced, asking(hash, 1));
            assert!(matches!(verdict, Verdict::Exceeded(_)), "{shards} shards: {verdict:?}");
        }
    }
}

#[test]
fn a_limit_in_money_that_is_added_later_counts_what_was_spent_before() {
    let mut table = Table::default();
    use_up(&mut table, &model(16, Mode::Enforce), 90, 1_000);
    let spent = table.totals("model-a").used.get(Dimension::Cost);
    assert!(spent > 90_000, "{spent}");
    for (shards, reconciles) in [(16, false), (1, false), (1, true), (1, true)] {
        let limit = crate::limit::Limit {
            cost: Some(u64::try_from(spent).unwrap()),
            ..budget("", 100_000, 100_000).limit
        };
        let edited = [Budget { limit, ..model(shards, Mode::Enforce) }];
        if reconciles {
            table.reconcile(START + 300, &edited);
        }
        for hash in 0..16 {
            let verdict = table.admit(&edited, asking(hash, 1));
            assert!(
                matches!(&verdict, Verdict::Exceeded(refusal) if refusal.dimension == Dimension::Cost),
                "{verdict:?}"
            );
        }
    }
}

#[test]
fn a_threshold_that_a_fold_crosses_is_reported_once() {
    let mut table = Table::default();
    let split = model(2, Mode::Enforce);
    use_up(&mut table, &split, 6, 10_000);
    let crossed: Vec<_> = (1..5)
        .flat_map(|run| table.reconcile(START + run * 300, std::slice::from_ref(&split)).crossed)
        .collect();
    let inputs: Vec<_> =
        crossed.iter().map(|crossed| (crossed.dimension, crossed.percent, crossed.used)).collect();
    assert_eq!(inputs, [(Dimension::Input, 50, 60_000)]);
}

/// A request that was admitted before the budget was split settles in its own item.
#[test]
fn a_threshold_that_a_fold_crosses_beside_a_settlement_is_reported() {
    let mut table = Table::default();
    let plain = table.hold(&[model(1, Mode::Enforce)], request(START, 30_000, 10));
    let split = model(2, Mode::Enforce);
    use_up(&mut table, &split, 1, 30_000);
    let mut plain = Some(plain);
    let report = table.reconcile_while(START + 300, std::slice::from_ref(&split), |table, _, step| {
        if matches!(step, ReconcileStep::Transact(_))
            && let Some(plain) = plain.take()
        {
            table.settle(&plain, tokens(30_000, 10), false);
        }
    });
    let crossed: Vec<_> = report.crossed.iter().map(|one| (one.dimension, one.percent, one.used)).collect();
    assert_eq!(crossed, [(Dimension::Input, 50, 60_000)]);
}

#[test]
fn a_run_whose_time_is_over_reports_the_thresholds_of_what_it_wrote() {
    let mut table = Table::default();
    let split = model(2, Mode::Enforce);
    use_up(&mut table, &split, 1, 60_000);
    let mut run = table.begin_reconcile(START + 300, &[split]);
    let crossed = loop {
        match run.step() {
            ReconcileStep::Done(report) => break report.crossed,
            step => {
                let is_fold = matches!(step, ReconcileStep::Transact(_));
                let outcome = table.perform_reconcile(step);
                run.record(outcome, if is_fold { START + 900 } else { START + 300 });
            }
        }
    };
    let crossed: Vec<_> = crossed.iter().map(|one| (one.dimension, one.percent, one.used)).collect();
    assert_eq!(crossed, [(Dimension::Input, 50, 60_000)]);
}
