//! Single cases of abandoned executions: what was billed is never given back, the rest comes back
//! within half an hour.

use super::super::*;
use super::table::{LAG, Table, request, tokens};
use super::world::{START, budget};
use crate::limit::{Amounts, Budget, Dimension};
use crate::money::{Rates, TokenUsage};

const DEAR: Rates = Rates { input: 1_000, output: 4_000, cache_read: 100, cache_write: 1_250 };
const CHEAP: Rates = Rates { input: 100, output: 400, cache_read: 10, cache_write: 125 };
const HALF_AN_HOUR: i64 = 1_800;

fn budgets() -> [Budget; 4] {
    ["tenant/one", "tenant/two", "model-a", "account"].map(|key| budget(key, 10_000_000, 10_000_000))
}

/// The budgets of a request of one tenant.
fn of(tenant: &str) -> Vec<Budget> {
    budgets()
        .into_iter()
        .filter(|budget| !budget.key.starts_with("tenant/") || budget.key == tenant)
        .collect()
}

fn reserved(table: &Table, key: &str) -> i64 {
    let totals = table.totals(key);
    totals.committed.get(Dimension::Output) - totals.used.get(Dimension::Output)
}

/// A request that uses nothing: from now on reconcile remembers what it sees of the family.
fn begin(table: &mut Table) {
    let held = table.hold(&of("tenant/two"), request(START, 1, 1));
    table.settle(&held, tokens(0, 0), false);
}

/// Every way in which two of three clocks differ by the most.
const SKEWS: [(i64, i64); 9] = [
    (0, 0),
    (CLOCK_SKEW_SECONDS, 0),
    (-CLOCK_SKEW_SECONDS, 0),
    (0, CLOCK_SKEW_SECONDS),
    (0, -CLOCK_SKEW_SECONDS),
    (CLOCK_SKEW_SECONDS, CLOCK_SKEW_SECONDS),
    (-CLOCK_SKEW_SECONDS, -CLOCK_SKEW_SECONDS),
    (CLOCK_SKEW_SECONDS / 2, -CLOCK_SKEW_SECONDS / 2),
    (-CLOCK_SKEW_SECONDS / 2, CLOCK_SKEW_SECONDS / 2),
];

#[test]
fn a_billed_request_is_not_given_back_under_the_largest_skew_and_lag() {
    for skew in SKEWS {
        let phases = (0..300).step_by(20).map(|phase| (299, phase, 12));
        // The snapshots reach back an hour, or far enough to tell the age of what a slot holds.
        for (offset, phase, runs) in phases.chain([(0, 0, 24), (0, 150, 12), (150, 150, 24)]) {
            let mut table = Table { skew, ..Table::default() };
            begin(&mut table);
            let start = START + runs * 300 + offset;
            for run in 0..runs {
                table.reconcile(START + run * 300 + phase, &budgets());
            }
            table.hold(&of("tenant/one"), request(start, 100, 1_000));
            // The model answers in the execution's last second, and nobody settles.
            table.bill(start + EXECUTION_SECONDS - 1, 0, 100, 1_000);
            for run in runs..runs + 28 {
                table.reconcile(START + run * 300 + phase, &budgets());
                for key in ["tenant/one", "model-a", "account"] {
                    let committed = table.totals(key).committed.get(Dimension::Output);
                    assert!(
                        committed >= 1_000,
                        "{key}: {committed} in run {run}, {skew:?}, {offset}, {phase}"
                    );
                }
            }
            for key in ["tenant/one", "model-a", "account"] {
                assert_eq!(table.totals(key).used.get(Dimension::Output), 1_000, "{key}, {skew:?}");
                assert_eq!(reserved(&table, key), 0, "{key}, {skew:?}");
            }
        }
    }
}

#[test]
fn what_was_not_billed_comes_back_within_half_an_hour() {
    for skew in SKEWS {
        for phase in [0, 1, 150, 299] {
            let mut table = Table { skew, ..Table::default() };
            let start = START + 3_600;
            for run in 0..12 {
                table.reconcile(START + run * 300 + phase, &budgets());
            }
            table.hold(&of("tenant/one"), request(start, 100, 1_000));
            let mut now = START + 3_600 + phase;
            while now <= start + HALF_AN_HOUR {
                table.reconcile(now, &budgets());
                now += 300;
            }
            for key in ["tenant/one", "model-a", "account"] {
                let totals = table.totals(key);
                assert_eq!(
                    (totals.committed, totals.used),
                    (Sums::default(), Sums::default()),
                    "{key}, {skew:?}, {phase}"
                );
            }
        }
    }
    assert!(reservation_life(LAG) <= HALF_AN_HOUR);
}

#[test]
fn an_estimate_in_a_shard_does_not_hide_what_a_tenants_abandoned_request_was_billed() {
    let split = |budgets: Vec<Budget>| -> Vec<Budget> {
        budgets.into_iter().map(|b| if b.key == "model-a" { Budget { shards: 2, ..b } } else { b }).collect()
    };
    let all = split(budgets().to_vec());
    let start = START + 3_600;
    // The estimate comes into the shard before this run.
    for estimated_before in 12..17 {
        let mut table = Table::default();
        for run in 0..40 {
            let now = START + run * 300;
            if run == estimated_before {
                let asked = AdmissionRequest { request_hash: 1, ..request(now - 100, 100, 1_000) };
                let held = table.hold(&split(of("tenant/two")), asked);
                // Nobody knows what became of this call; it was not billed.
                table.settle(&held, held.amounts, true);
            }
            if run == 12 {
                table.hold(&split(of("tenant/one")), request(start, 100, 1_000));
                table.bill(start + 10, 0, 100, 1_000);
            }
            table.reconcile(now, &all);
            if run >= 12 {
                let committed = table.totals("tenant/one").committed.get(Dimension::Output);
                assert!(committed >= 1_000, "{committed} in run {run}, estimate before {estimated_before}");
            }
        }
        assert_eq!(table.totals("tenant/one").used.get(Dimension::Output), 1_000);
    }
}

#[test]
fn a_price_that_falls_does_not_lower_what_an_abandoned_request_was_billed() {
    // The snapshots reach back an hour, or far enough to tell the age of what a slot holds.
    for runs in [12, 24] {
        let mut table = Table { rates: Some(DEAR), ..Table::default() };
        begin(&mut table);
        for run in 0..runs {
            table.reconcile(START + run * 300, &budgets());
        }
        let start = START + runs * 300;
        table.hold(&of("tenant/one"), AdmissionRequest { rates: Some(DEAR), ..request(start, 100, 1_000) });
        table.bill(start + 10, 0, 100, 1_000);
        let usage = TokenUsage { input_tokens: 100, output_tokens: 1_000, ..TokenUsage::default() };
        let cost = i64::try_from(DEAR.cost(&usage)).unwrap();
        table.reconcile(start + 300, &budgets());
        table.rates = Some(CHEAP);
        for run in runs + 2..runs + 28 {
            table.reconcile(START + run * 300, &budgets());
            for key in ["tenant/one", "model-a", "account"] {
                let committed = table.totals(key).committed.get(Dimension::Cost);
                assert!(committed >= cost, "{key}: {committed} of {cost} in run {run}");
            }
        }
    }
}

/// In the priority tier, say, or with a long input: CloudWatch does not show which.
#[test]
fn what_an_abandoned_request_was_billed_at_a_dearer_price_is_not_given_back() {
    let mut table = Table { rates: Some(CHEAP), dearest: Some(DEAR), ..Table::default() };
    begin(&mut table);
    for run in 0..24 {
        table.reconcile(START + run * 300, &budgets());
    }
    let start = START + 24 * 300;
    table.hold(&of("tenant/one"), AdmissionRequest { rates: Some(DEAR), ..request(start, 100, 1_000) });
    table.bill(start + 10, 0, 100, 1_000);
    let usage = TokenUsage { input_tokens: 100, output_tokens: 1_000, ..TokenUsage::default() };
    let cost = i64::try_from(DEAR.cost(&usage)).unwrap();
    for run in 25..52 {
        table.reconcile(START + run * 300, &budgets());
        for key in ["tenant/one", "model-a", "account"] {
            let committed = table.totals(key).committed.get(Dimension::Cost);
            assert!(committed >= cost, "{key}: {committed} of {cost} in run {run}");
        }
    }
}

#[test]
fn what_was_billed_is_external_within_half_an_hour() {
    let mut table = Table::default();
    let start = START + 3_600;
    for run in 0..=18 {
        if run == 12 {
            table.hold(&of("tenant/one"), request(start, 100, 1_000));
            table.bill(start + 10, 0, 100, 1_000);
        }
        table.reconcile(START + run * 300, &budgets());
    }
    for key in ["model-a", "account"] {
        let own = table.own(key);
        assert_eq!((own.external(Dimension::Output), own.settled(Dimension::Output)), (1_000, 0), "{key}");
        assert_eq!(reserved(&table, key), 0, "{key}");
    }
}

/// Another tenant sends requests all the time, but for ten minutes.
#[test]
fn of_two_abandoned_requests_one_is_charged_when_one_was_billed() {
    for (first, second, shards) in [(0, 300, 1), (0, 10, 1), (0, 600, 1), (0, 300, 2)] {
        let mut table = Table::default();
        let all = budgets().map(|budget| Budget { shards, ..budget });
        let of = |tenant: &str| -> Vec<Budget> {
            of(tenant).into_iter().map(|budget| Budget { shards, ..budget }).collect()
        };
        let start = START + 3_600;
        let mut others = 0;
        for minute in 0..=180 {
            let now = START + minute * 60;
            for (index, after) in [(0, first), (1, second)] {
                if (now..now + 60).contains(&(start + after)) {
                    let asked = request(start + after, 100, 1_000);
                    table.hold(&of("tenant/one"), AdmissionRequest { request_hash: index, ..asked });
                    if index == 0 {
                        table.bill(start + after, 0, 100, 1_000);
                    }
                }
            }
            if minute % 5 == 0 {
                table.reconcile(now, &all);
            }
            if !(1_500..2_100).contains(&(now - start)) && now < start + 5_000 {
                let hash = u64::try_from(minute).unwrap();
                let held = table.hold(
                    &of("tenant/two"),
                    AdmissionRequest { request_hash: hash, ..request(now, 200, 1_000) },
                );
                table.bill(now, 0, 100, 300);
                table.settle(&held, tokens(100, 300), false);
                others += 300;
            }
        }
        for (key, used) in [("tenant/one", 1_000), ("model-a", 1_000 + others), ("account", 1_000 + others)] {
            let totals = table.totals(key);
            assert_eq!(totals.used.get(Dimension::Output), used, "{key}: {first}, {second}, {shards} shards");
            assert_eq!(reserved(&table, key), 0, "{key}");
        }
    }
}

/// A tenant works once a minute, except where `is_quiet` says so, while another one's request of
/// 50,000 tokens is abandoned. Gives what that one still holds half an hour later.
fn left_after_half_an_hour(bypassed: u64, is_quiet: impl Fn(i64) -> bool) -> [i64; 3] {
    let mut table = Table::default();
    table.bill(START, 0, bypassed, bypassed);
    let start = START + 7_200;
    for minute in 0..=150 {
        let now = START + minute * 60;
        if minute % 5 == 0 {
            table.reconcile(now, &budgets());
        }
        if now == start {
            table.hold(&of("tenant/one"), request(now, 100, 50_000));
        }
        // What bypassed the sentry before is known when the first request comes.
        if minute > 30 && !is_quiet(now - start) {
            let held = table.hold(&of("tenant/two"), request(now, 200, 1_000));
            table.bill(now, 0, 100, 300);
            table.settle(&held, Amounts { cost: 0, ..tokens(100, 300) }, false);
        }
    }
    ["tenant/one", "model-a", "account"].map(|key| reserved(&table, key))
}

#[test]
fn little_stays_held_for_a_tenant_while_another_one_works() {
    for bypassed in [0, 1_000_000] {
        let left = left_after_half_an_hour(bypassed, |_| false);
        assert!(left.iter().all(|left| (0..=3 * 300).contains(left)), "{left:?} with {bypassed} bypassed");
    }
}

#[test]
fn nothing_stays_held_for_a_tenant_once_nobody_works_for_a_moment() {
    for bypassed in [0, 1_000_000] {
        // From a run to the start of the minute by which its snapshot is called.
        let left = left_after_half_an_hour(bypassed, |since| (900..1_020).contains(&since));
        assert_eq!(left, [0; 3], "with {bypassed} bypassed");
    }
}

#[test]
fn a_threshold_that_bypassing_calls_cross_is_reported_once_for_each_budget() {
    let mut table = Table::default();
    let budgets = ["model-a", "account"].map(|key| budget(key, 1_000_000, 1_000));
    table.bill(START, 0, 10, 600);
    // More that crosses no threshold.
    table.bill(START + 900, 0, 0, 100);
    let crossed: Vec<_> =
        (0..8).flat_map(|run| table.reconcile(START + run * 300, &budgets).crossed).collect();
    let all: Vec<_> =
        crossed.iter().map(|one| (one.budget.key.as_str(), one.dimension, one.percent, one.used)).collect();
    assert_eq!(all, [("model-a", Dimension::Output, 50, 600), ("account", Dimension::Output, 50, 600)]);
    assert_eq!(table.totals("account").used.get(Dimension::Output), 700);
}
