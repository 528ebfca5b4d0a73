//! Single cases of decision, admission and settlement.

use proptest::prelude::*;

use super::super::*;
use super::table::{Table, request, tokens};
use super::world::{START, budget, period};
use crate::limit::{Amounts, Budget, Dimension, Limit, Mode, OnShortage};
use crate::money::{Rates, TokenUsage};

const RATES: Rates = Rates { input: 1_000, output: 4_000, cache_read: 100, cache_write: 1_250 };

/// Totals of a budget's output, with the same part of the input.
fn totals(used: i64, committed: i64) -> Totals {
    let sums = |number| Sums { input: number, output: number, cost: 0 };
    Totals { used: sums(used), committed: sums(committed), approximate: false }
}

#[test]
fn decisions() {
    use Decision::{Count, Exceeded, Fits, Held, Shrink};
    use Dimension::{Input, Output};
    let enforce = budget("model-a", 10_000, 10_000);
    let refuse = Budget { on_shortage: OnShortage::Refuse, ..enforce.clone() };
    let observe = Budget { mode: Mode::Observe, ..enforce.clone() };
    for (name, budget, input, output, waited, may_count, totals, decision) in [
        ("empty", &enforce, 10, 10_000, 0, false, totals(0, 0), Fits),
        ("exactly full", &enforce, 10, 100, 0, false, totals(0, 9_900), Fits),
        ("nothing in flight to wait for", &enforce, 10, 101, 0, false, totals(9_900, 9_900), Shrink(100)),
        (
            "less than the least output is left",
            &enforce,
            1,
            100,
            0,
            false,
            totals(9_997, 9_997),
            Exceeded(Output),
        ),
        ("the least output is left", &enforce, 4, 100, 0, false, totals(9_996, 9_996), Shrink(4)),
        ("no shortening", &refuse, 10, 101, 0, false, totals(9_900, 9_900), Exceeded(Output)),
        ("no shortening but waiting", &refuse, 10, 101, 15, false, totals(0, 9_900), Held(Output)),
        ("waits for what is in flight", &enforce, 10, 9_000, 0, false, totals(0, 5_000), Held(Output)),
        (
            "has waited long: a quarter of what is free",
            &enforce,
            10,
            9_000,
            5,
            false,
            totals(0, 4_000),
            Shrink(1_500),
        ),
        (
            "has waited long: a small answer whole",
            &enforce,
            10,
            9_000,
            5,
            false,
            totals(0, 9_500),
            Shrink(500),
        ),
        ("everything is in flight", &enforce, 10, 10, 15, false, totals(0, 10_000), Held(Input)),
        (
            "the input does not fit beside what is used",
            &enforce,
            200,
            4,
            0,
            false,
            totals(9_900, 9_900),
            Exceeded(Input),
        ),
        ("its exact count may fit", &enforce, 200, 4, 0, true, totals(9_900, 9_900), Count),
        // A long run of spaces is one token.
        (
            "its exact count may fit, however high the bound is",
            &enforce,
            200_000,
            4,
            0,
            true,
            totals(9_900, 9_900),
            Count,
        ),
        ("no input fits", &enforce, 200, 4, 0, true, totals(10_000, 10_000), Exceeded(Input)),
        ("the least output does not fit", &enforce, 200, 4, 0, true, totals(9_997, 9_997), Exceeded(Input)),
        ("the exact count helps beside holds", &enforce, 200, 4, 0, true, totals(0, 9_900), Count),
        ("no count helps the output", &refuse, 1, 200, 0, true, totals(9_900, 9_900), Exceeded(Output)),
        ("observing", &observe, 99_999, 99_999, 0, false, totals(9_999, 9_999), Fits),
    ] {
        let asked = AdmissionRequest { waited_seconds: waited, may_count, ..request(START, input, output) };
        assert_eq!(decide(budget, &asked, output, &totals), decision, "{name}");
    }
}

#[test]
fn a_decision_in_money() {
    let money =
        Budget { limit: Limit { input: None, output: None, cost: Some(1_000) }, ..budget("account", 0, 0) };
    let asked = AdmissionRequest { rates: Some(RATES), ..request(START, 80, 1_000) };
    let with = |used, committed| Totals {
        used: Sums { cost: used, ..Sums::default() },
        committed: Sums { cost: committed, ..Sums::default() },
        approximate: false,
    };
    // 80 tokens of input cost 100 at most, so 900 buy 225 tokens of output.
    assert_eq!(decide(&money, &asked, 1_000, &with(0, 0)), Decision::Shrink(225));
    assert_eq!(decide(&money, &asked, 1_000, &with(899, 899)), Decision::Exceeded(Dimension::Cost));
    let counted = AdmissionRequest { may_count: true, ..asked };
    assert_eq!(decide(&money, &counted, 1_000, &with(899, 899)), Decision::Count);
    // Four tokens of output and one of input cost 18 at most.
    assert_eq!(decide(&money, &counted, 1_000, &with(982, 982)), Decision::Count);
    assert_eq!(decide(&money, &counted, 1_000, &with(983, 983)), Decision::Exceeded(Dimension::Cost));
}

#[test]
fn a_later_budget_that_refuses_leaves_nothing_in_the_earlier_ones() {
    let budgets = [budget("model-a", 100, 100), budget("tenant/one", 10, 100)];
    let mut table = Table::default();
    let verdict = table.admit(&budgets, request(START, 11, 5));
    let Verdict::Exceeded(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!((refusal.budget, refusal.dimension, refusal.requested), (1, Dimension::Input, 11));
    for budget in &budgets {
        assert_eq!(table.own(&budget.key).committed(Dimension::Input), 0);
        assert_eq!(table.own(&budget.key).reserved(Dimension::Output), 0);
    }
}

#[test]
fn the_narrowest_shortage_shortens_the_output_in_every_budget() {
    let budgets = [budget("model-a", 100, 100), budget("tenant/one", 100, 30)];
    let mut table = Table::default();
    assert_eq!(table.hold(&budgets, request(START, 10, 50)).amounts.output, 30);
    for budget in &budgets {
        assert_eq!(table.own(&budget.key).committed(Dimension::Output), 30);
    }
}

#[test]
fn an_unknown_outcome_admits_nobody_and_releases_what_is_known() {
    let budgets = [budget("model-a", 100, 100), budget("tenant/one", 100, 100)];
    for waited_seconds in [0, MAX_WAIT_SECONDS] {
        let mut table = Table::default();
        let asked = AdmissionRequest { waited_seconds, ..request(START, 10, 10) };
        let mut admission = Admission::new(budgets.to_vec(), asked);
        let first = admission.step();
        admission.record(table.perform(first));
        assert!(matches!(admission.step(), Step::Write(..)));
        admission.record(LedgerOutcome::Unknown);
        let release = admission.step();
        admission.record(table.perform(release));
        assert_eq!(admission.step(), Step::Done(Verdict::Unavailable));
        assert_eq!(table.own("model-a").committed(Dimension::Input), 0);
    }
}

#[test]
fn a_release_whose_outcome_is_unknown_is_not_repeated() {
    let budgets = [budget("model-a", 100, 100), budget("tenant/one", 5, 100)];
    let mut table = Table::default();
    let mut admission = Admission::new(budgets.to_vec(), request(START, 10, 10));
    for _ in 0..2 {
        let step = admission.step();
        admission.record(table.perform(step));
    }
    let release = admission.step();
    assert!(matches!(table.perform(release), LedgerOutcome::Applied(_)));
    admission.record(LedgerOutcome::Unknown);
    let step = admission.step();
    assert!(matches!(step, Step::Done(Verdict::Exceeded(_))), "{step:?}");
}

#[test]
fn a_throttled_request_waits_while_it_may() {
    let budgets = [budget("model-a", 100, 100)];
    for (waited_seconds, verdict) in [(0, Verdict::Wait), (MAX_WAIT_SECONDS, Verdict::Unavailable)] {
        let mut admission =
            Admission::new(budgets.to_vec(), AdmissionRequest { waited_seconds, ..request(START, 10, 10) });
        assert!(matches!(admission.step(), Step::Write(..)));
        admission.record(LedgerOutcome::Throttled);
        assert_eq!(admission.step(), Step::Done(verdict));
    }
}

#[test]
fn a_budget_that_blocks_refuses_before_anything_is_written() {
    let blocked = Budget { mode: Mode::Block, ..budget("account", 100, 100) };
    let mut table = Table::default();
    let verdict = table.admit(&[budget("model-a", 100, 100), blocked], request(START, 1, 1));
    assert_eq!((verdict, table.steps), (Verdict::Blocked(1), 0));
}

#[test]
fn a_budget_that_observes_says_what_it_would_have_refused() {
    let observed = Budget { mode: Mode::Observe, ..budget("model-a", 5, 100) };
    let verdict = Table::default().admit(&[observed], request(START, 10, 10));
    let Verdict::Admit { over, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(over, [(0, Dimension::Input)]);
}

#[test]
fn an_administrator_may_lower_the_limit_below_what_is_used() {
    let mut table = Table::default();
    let held = table.hold(&[budget("model-a", 100, 100)], request(START, 50, 50));
    table.settle(&held, tokens(50, 50), false);
    let lowered = budget("model-a", 10, 10);
    let verdict = table.admit(std::slice::from_ref(&lowered), request(START, 1, 4));
    assert!(matches!(verdict, Verdict::Exceeded(_)), "{verdict:?}");
    let document = BudgetDocument::new(&lowered, period(), &table.totals("model-a"), true);
    assert_eq!(document.input.unwrap().remaining, 0);
}

#[test]
fn of_several_settlements_one_crosses_a_threshold() {
    let limit = Limit { input: Some(100), output: Some(1_000), cost: None };
    let sums = |input| Sums { input, ..Sums::default() };
    let crossed: Vec<_> =
        (0..6).map(|n| crossed_thresholds(&sums(n * 20), &sums(n * 20 + 20), &limit, &[50, 100])).collect();
    let at = |percent| vec![(Dimension::Input, percent)];
    assert_eq!(crossed, [vec![], vec![], at(50), vec![], at(100), vec![]]);
}

#[test]
fn an_admission_adds_what_cloudwatch_shows_beyond_everything_committed() {
    let mut table = Table::default();
    let model = [budget("model-a", 1_000, 1_000)];
    let held = table.hold(&model, request(START, 100, 100));
    table.settle(&held, tokens(80, 60), false);
    let shown = |input_tokens, output_tokens| AdmissionRequest {
        observed: Some(TokenUsage { input_tokens, output_tokens, ..TokenUsage::default() }),
        ..request(START, 1, 1)
    };
    let before = table.steps;
    table.hold(&model, shown(70, 60));
    assert_eq!((table.steps, table.own("model-a").external(Dimension::Input)), (before + 1, 0));
    // 81 are committed by now.
    table.hold(&model, shown(95, 10));
    let own = table.own("model-a");
    assert_eq!((own.external(Dimension::Input), own.external(Dimension::Output)), (14, 0));
}

#[test]
fn what_bypassed_the_sentry_does_not_count_twice_when_two_find_it() {
    let model = budget("model-a", 1_000, 1_000);
    let observed = Some(TokenUsage { input_tokens: 90, ..TokenUsage::default() });
    let admission =
        || Admission::new(vec![model.clone()], AdmissionRequest { observed, ..request(START, 1, 1) });
    let mut table = Table::default();
    let mut both = [admission(), admission()];
    // Both are refused first, then both want to add the same.
    for _ in 0..8 {
        for admission in &mut both {
            match admission.step() {
                Step::Done(_) => {}
                step => admission.record(table.perform(step)),
            }
        }
    }
    assert_eq!(table.own("model-a").external(Dimension::Input), 90);
    assert_eq!(table.own("model-a").committed(Dimension::Input), 92);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn never_stingy_when_nothing_is_in_flight(
        wishes in proptest::collection::vec((0..40u64, 1..60u64, any::<u64>(), 1..6u16), 1..100), split in any::<bool>(),
    ) {
        let mut table = Table::default();
        for (input, output, request_hash, shards) in wishes {
            // A split budget may change its number of shards at any time.
            let model = Budget { shards: if split { shards } else { 1 }, ..budget("model-a", 10_000, 300) };
            let left = 300 - table.totals("model-a").used.get(Dimension::Output);
            let asked = AdmissionRequest { request_hash, ..request(START, input, output) };
            match table.admit(std::slice::from_ref(&model), asked) {
                Verdict::Admit { reservation, .. } => {
                    prop_assert_eq!(reservation.amounts.output, output.min(u64::try_from(left).unwrap()));
                    table.settle(&reservation, reservation.amounts, false);
                }
                Verdict::Exceeded(_) => {
                    prop_assert!(left < 4.min(i64::try_from(output).unwrap()), "refused with {left} left");
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn a_release_is_the_inverse_of_a_reservation(input in 0..100u64, output in 0..100u64, shards in 1..3u16) {
        let model = Budget { shards, ..budget("model-a", 100, 100) };
        let mut table = Table::default();
        if let Verdict::Admit { reservation, .. } = table.admit(std::slice::from_ref(&model), request(START, input, output)) {
            table.settle(&reservation, Amounts::default(), false);
        }
        let totals = table.totals("model-a");
        prop_assert_eq!((totals.committed, totals.used), (Sums::default(), Sums::default()));
        prop_assert!(table.items.values().all(|item| Dimension::ALL.iter().all(|&d| item.reserved(d) == 0)));
    }

    #[test]
    fn a_reservation_is_settled_once(more in 1..5usize) {
        let mut table = Table::default();
        let held = table.hold(&[budget("model-a", 100, 100)], request(START, 10, 10));
        for _ in 0..=more {
            table.settle(&held, tokens(7, 7), false);
        }
        prop_assert_eq!(table.own("model-a").used(Dimension::Input), 7);
    }

    #[test]
    fn an_output_alone_is_enough_to_settle_once(input in 0..2u64, output in 1..3u64) {
        let mut table = Table::default();
        let held = table.hold(&[budget("model-a", 100, 100)], request(START, input, output));
        table.settle(&held, tokens(input, output), false);
        table.settle(&held, tokens(input, output), false);
        prop_assert_eq!(table.own("model-a").used(Dimension::Output), i64::try_from(output).unwrap());
    }
}
