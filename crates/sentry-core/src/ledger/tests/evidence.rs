//! Requests that are in flight or settle while reconcile looks for what abandoned ones were billed.

use super::super::*;
use super::table::{Table, request, tokens};
use super::world::{START, budget};
use crate::limit::{Budget, Dimension};
use crate::money::TokenUsage;

fn budgets() -> [Budget; 2] {
    ["model-a", "account"].map(|key| budget(key, 10_000_000, 10_000_000))
}

fn used(table: &Table, key: &str) -> i64 {
    table.totals(key).used.get(Dimension::Output)
}

fn committed(table: &Table, key: &str) -> i64 {
    table.totals(key).committed.get(Dimension::Output)
}

#[test]
fn what_a_request_in_flight_was_billed_is_not_charged_to_abandoned_ones() {
    let mut table = Table { lag: Some(60), ..Table::default() };
    let model = [budget("model-a", 10_000_000, 10_000_000)];
    let now = START + 7_200;
    table.hold(&model, request(now - 2_000, 100, 1_000));
    table.bill(now - 1_990, 0, 100, 1_000);
    // Abandoned as well, in another slot, and not billed.
    table.hold(&model, request(now - 1_600, 100, 1_000));
    let in_flight = table.hold(&model, request(now - 10, 100, 1_000));
    table.bill(now, 0, 100, 1_000);
    // A run while the request is in flight, and another one that has evidence until after its call.
    table.reconcile(now + 5, &model);
    table.reconcile(now + 260, &model);
    assert_eq!(used(&table, "model-a"), 1_000);
    table.settle(&in_flight, tokens(100, 1_000), false);
    for run in 2..6 {
        table.reconcile(now + run * 300, &model);
    }
    assert_eq!((used(&table, "model-a"), committed(&table, "model-a")), (2_000, 2_000));
}

#[test]
fn what_a_request_in_flight_was_billed_did_not_bypass_the_sentry() {
    let mut table = Table { lag: Some(60), ..Table::default() };
    let in_flight = table.hold(&budgets(), request(START, 100, 1_000));
    table.bill(START + 10, 0, 100, 1_000);
    table.reconcile(START + 100, &budgets());
    table.settle(&in_flight, tokens(100, 1_000), false);
    assert_eq!((used(&table, "model-a"), used(&table, "account")), (1_000, 1_000));
}

/// Requests settle in the account's budget after their family's.
#[test]
fn what_only_the_family_has_settled_yet_is_not_charged_to_the_account() {
    let mut table = Table::default();
    let mut settled = 0;
    for run in 0..24 {
        let now = START + run * 300;
        if run == 12 {
            // Abandoned, and not billed.
            table.hold(&budgets(), request(now, 100, 1_000));
        }
        let held = table.hold(&budgets(), request(now - 10, 100, 300));
        table.bill(now - 5, 0, 100, 300);
        let [family, account] = held.holds.as_slice() else { panic!("{held:?}") };
        table.write(&family.item, &family.settle(tokens(100, 300), false));
        table.reconcile(now, &budgets());
        table.write(&account.item, &account.settle(tokens(100, 300), false));
        settled += 300;
        for key in ["model-a", "account"] {
            assert_eq!(used(&table, key), settled, "{key} after run {run}");
        }
    }
    // Once nobody works for a moment, it is certain that the abandoned request was not billed.
    for run in 24..36 {
        table.reconcile(START + run * 300, &budgets());
    }
    assert_eq!((used(&table, "account"), committed(&table, "account")), (settled, settled));
}

#[test]
fn what_settles_between_the_reads_of_a_run_does_not_explain_an_abandoned_request() {
    let mut table = Table::default();
    let mut billed = 0;
    for run in 0..40 {
        let now = START + run * 300;
        if run == 12 {
            table.hold(&budgets(), request(now, 100, 1_000));
            table.bill(now + 10, 0, 100, 1_000);
            billed += 1_000;
        }
        let mut held = Some(table.hold(&budgets(), request(now - 10, 100, 300)));
        table.bill(now - 5, 0, 100, 300);
        billed += 300;
        table.reconcile_while(now, &budgets(), |table, number, step| {
            // The account was read, then the families; it is read once more.
            if let (ReconcileStep::Read(_), Some(held)) = (step, held.take_if(|_| number == 2)) {
                table.settle(&held, tokens(100, 300), false);
            }
        });
        assert_eq!(held, None, "the account is read again");
        for key in ["model-a", "account"] {
            assert!(committed(&table, key) >= billed, "{key}: {} of {billed}", committed(&table, key));
        }
    }
}

#[test]
fn usage_that_is_settled_in_shards_was_not_unexplained() {
    let mut table = Table::default();
    let split = Budget { shards: 2, ..budget("model-a", 10_000_000, 10_000_000) };
    let of = |tenant: &str| [budget(tenant, 10_000_000, 10_000_000), split.clone()];
    let all = [of("tenant/one"), of("tenant/two")].concat();
    for run in 0..60 {
        let now = START + run * 300;
        if run == 1 {
            let held = table.hold(&of("tenant/two"), request(now - 20, 100, 1_000));
            let usage = TokenUsage { input_tokens: 100, output_tokens: 1_000, ..TokenUsage::default() };
            // CloudWatch shows this call at once, before the shard is folded.
            table.pending.push((now - 10, 0, now - 60, usage));
            table.settle(&held, tokens(100, 1_000), false);
        }
        if run == 30 {
            table.hold(&of("tenant/one"), request(now, 100, 1_000));
            table.bill(now + 10, 0, 100, 1_000);
        }
        table.reconcile(now, &all);
        if run >= 30 {
            let committed = committed(&table, "tenant/one");
            assert!(committed >= 1_000, "{committed} in run {run}");
        }
    }
    assert_eq!(used(&table, "tenant/one"), 1_000);
}
