//! The promises of the ledger: single cases here, whole schedules in `schedules`, every schedule
//! of a small world in `exhaustive`.

mod exhaustive;
mod schedules;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::limit::{Amounts, Budget, Dimension, Limit, Mode, OnShortage};
use crate::month::Period;

fn budget(key: &str, input: u64, output: u64) -> Budget {
    Budget {
        key: key.to_owned(),
        item_id: "default".to_owned(),
        limit: Limit { input: Some(input), output: Some(output), cost: None },
        mode: Mode::Enforce,
        min_max_tokens: 4,
        on_shortage: OnShortage::Shrink,
        warn_at_percent: vec![50, 100],
        fallback_model_id: None,
        shards: 1,
        counts_external: key != "tenant",
    }
}

fn period() -> Period {
    "2026-11".parse().unwrap()
}

fn ask(input: u64, output: u64) -> Ask {
    Ask {
        period: period(),
        start_seconds: 1_000_000,
        input,
        output,
        rates: None,
        observed: None,
        may_wait: false,
        may_count: false,
        spread: 0,
        waited: 0,
    }
}

/// The table, and what it knows of writes.
#[derive(Debug, Default)]
struct Table {
    items: BTreeMap<ItemKey, Counters>,
    writes: usize,
}

impl Table {
    fn write(&mut self, item: &ItemKey, update: &Update) -> Outcome {
        self.writes += 1;
        let before = self.items.get(item).cloned().unwrap_or_default();
        match update.apply(&before) {
            Some(after) => {
                self.items.insert(item.clone(), after.clone());
                Outcome::Applied(after)
            }
            None => Outcome::Refused(before),
        }
    }

    fn admit(&mut self, budgets: &[Budget], ask: Ask) -> Verdict {
        let mut admission = Admission::new(budgets.to_vec(), ask);
        loop {
            match admission.step() {
                Step::Done(verdict) => return verdict,
                step => admission.record(self.perform(step)),
            }
        }
    }

    fn perform(&mut self, step: Step) -> Outcome {
        match step {
            Step::Write(item, update) => self.write(&item, &update),
            Step::Read(items) => Outcome::Read(
                items.iter().map(|item| self.items.get(item).cloned().unwrap_or_default()).collect(),
            ),
            Step::Transact(updates) => {
                let before = |item: &ItemKey| self.items.get(item).cloned().unwrap_or_default();
                let after: Option<Vec<_>> = updates
                    .iter()
                    .map(|(item, update)| Some((item.clone(), update.apply(&before(item))?)))
                    .collect();
                let Some(after) = after else { return Outcome::NotMoved };
                self.items.extend(after);
                Outcome::Moved
            }
            Step::Done(_) => unreachable!("nothing to do"),
        }
    }

    /// Output that is used, in all items.
    fn used(&self, budget: &Budget) -> i64 {
        let own = ItemKey::new(period(), &budget.key);
        let of_budget = |item: &&ItemKey| item.as_str().split('#').next() == Some(own.as_str());
        self.items
            .iter()
            .filter(|(item, _)| of_budget(item))
            .map(|(_, item)| item.used(Dimension::Output))
            .sum()
    }

    fn of(&self, budget: &Budget) -> Counters {
        self.items.get(&ItemKey::new(period(), &budget.key)).cloned().unwrap_or_default()
    }
}

fn reservation(verdict: Verdict) -> Reservation {
    match verdict {
        Verdict::Admit { reservation, .. } => reservation,
        other => panic!("not admitted: {other:?}"),
    }
}

#[test]
fn a_later_budget_that_refuses_leaves_nothing_in_the_earlier_ones() {
    let (model, tenant) = (budget("model", 100, 100), budget("tenant", 10, 100));
    let mut table = Table::default();
    let verdict = table.admit(&[model.clone(), tenant.clone()], ask(11, 5));
    let Verdict::Exceeded(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!((refusal.budget, refusal.dimension, refusal.requested), (1, Dimension::Input, 11));
    for budget in [&model, &tenant] {
        assert_eq!(table.of(budget).committed(Dimension::Input), 0);
        assert_eq!(table.of(budget).reserved(Dimension::Output), 0);
    }
}

#[test]
fn the_narrowest_shortage_shrinks_the_request_in_every_budget() {
    let (model, tenant) = (budget("model", 100, 100), budget("tenant", 100, 30));
    let mut table = Table::default();
    let held = reservation(table.admit(&[model.clone(), tenant.clone()], ask(10, 50)));
    assert_eq!(held.amounts.output, 30);
    assert_eq!(table.of(&model).committed(Dimension::Output), 30);
    assert_eq!(table.of(&tenant).committed(Dimension::Output), 30);
}

#[test]
fn an_unknown_outcome_admits_nobody_and_releases_what_is_known() {
    let budgets = [budget("model", 100, 100), budget("tenant", 100, 100)];
    let mut table = Table::default();
    let mut admission = Admission::new(budgets.to_vec(), ask(10, 10));
    let Step::Write(item, update) = admission.step() else { panic!() };
    admission.record(table.write(&item, &update));
    assert!(matches!(admission.step(), Step::Write(..)));
    admission.record(Outcome::Unknown);
    let Step::Write(item, update) = admission.step() else { panic!() };
    admission.record(table.write(&item, &update));
    assert_eq!(admission.step(), Step::Done(Verdict::Unavailable));
    assert_eq!(table.of(&budgets[0]).committed(Dimension::Input), 0);
}

#[test]
fn an_administrator_may_lower_the_limit_below_what_is_used() {
    let mut table = Table::default();
    let held = reservation(table.admit(&[budget("m", 100, 100)], ask(50, 50)));
    for (item, update) in held.settle(Amounts { input: 50, output: 50, cost: 0 }, false) {
        table.write(&item, &update);
    }
    let lowered = budget("m", 10, 10);
    assert!(matches!(table.admit(std::slice::from_ref(&lowered), ask(1, 4)), Verdict::Exceeded(_)));
    assert_eq!(
        BudgetDocument::new(&lowered, period(), &table.of(&lowered), true).input.unwrap().remaining,
        0
    );
}

#[test]
fn of_several_settlements_one_crosses_a_threshold() {
    let limit = Limit { input: Some(100), output: Some(1_000), cost: None };
    let mut item = Counters::default();
    let mut crossed = Vec::new();
    for _ in 0..5 {
        item.set("settledInput", item.get("settledInput") + 20);
        crossed.push(crossed_thresholds(
            &item,
            Amounts { input: 20, output: 0, cost: 0 },
            &limit,
            &[50, 100],
        ));
    }
    let at = |percent| vec![(Dimension::Input, percent)];
    assert_eq!(crossed, [vec![], vec![], at(50), vec![], at(100)]);
}

#[test]
fn cloudwatch_that_lags_behind_the_ledger_tells_nothing_new() {
    let mut table = Table::default();
    let model = [budget("m", 1_000, 1_000)];
    let held = reservation(table.admit(&model, ask(100, 100)));
    for (item, update) in held.settle(Amounts { input: 80, output: 60, cost: 0 }, false) {
        table.write(&item, &update);
    }
    let writes = table.writes;
    let observed = Some(Amounts { input: 70, output: 60, cost: 0 });
    reservation(table.admit(&model, Ask { observed, ..ask(1, 1) }));
    assert_eq!((table.writes, table.of(&model[0]).get("externalInput")), (writes + 1, 0));
    let observed = Some(Amounts { input: 95, output: 10, cost: 0 });
    reservation(table.admit(&model, Ask { observed, ..ask(1, 1) }));
    assert_eq!(
        (table.of(&model[0]).get("externalInput"), table.of(&model[0]).get("externalOutput")),
        (15, 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_stingy_when_nothing_is_in_flight(
        wishes in proptest::collection::vec((0..40u64, 1..60u64, any::<u64>(), 1..6u16), 1..100), split in any::<bool>(),
    ) {
        let mut table = Table::default();
        for (input, output, spread, shards) in wishes {
            // A split budget may change its number of shards at any time.
            let model = Budget { shards: if split { shards } else { 1 }, ..budget("m", 10_000, 300) };
            let left = 300 - table.used(&model);
            match table.admit(std::slice::from_ref(&model), Ask { spread, ..ask(input, output) }) {
                Verdict::Admit { reservation, .. } => {
                    prop_assert_eq!(reservation.amounts.output, output.min(u64::try_from(left).unwrap()));
                    for (item, update) in reservation.settle(Amounts { input, output: reservation.amounts.output, cost: 0 }, false) {
                        table.write(&item, &update);
                    }
                }
                Verdict::Exceeded(_) => {
                    prop_assert!(left < 4.min(i64::try_from(output).unwrap()), "refused with {left} left");
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn reserve_and_release_are_inverse(input in 0..100u64, output in 0..100u64) {
        let model = budget("model", 100, 100);
        let mut table = Table::default();
        if let Verdict::Admit { reservation, .. } = table.admit(std::slice::from_ref(&model), ask(input, output)) {
            for (item, update) in reservation.settle(Amounts::default(), false) {
                table.write(&item, &update);
            }
        }
        let left: Vec<_> = table.of(&model).iter().filter(|(name, number)| *name != "expiresAt" && *number != 0).map(|(name, _)| name.to_owned()).collect();
        prop_assert_eq!(left, Vec::<String>::new());
    }

    #[test]
    fn a_reservation_is_settled_once(twice in 1..5usize) {
        let model = budget("model", 100, 100);
        let mut table = Table::default();
        let held = reservation(table.admit(std::slice::from_ref(&model), ask(10, 10)));
        for _ in 0..=twice {
            for (item, update) in held.settle(Amounts { input: 7, output: 7, cost: 0 }, false) {
                table.write(&item, &update);
            }
        }
        prop_assert_eq!(table.of(&model).used(Dimension::Input), 7);
    }
}
