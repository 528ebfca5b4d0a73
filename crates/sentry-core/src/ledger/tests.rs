//! The promises of the ledger, held against random schedules.

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
    for (item, update) in held.settle(Amounts { input: 50, output: 50, cost: 0 }) {
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
    for (item, update) in held.settle(Amounts { input: 80, output: 60, cost: 0 }) {
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

/// What a request does next, and what may go wrong.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A new request with this input bound and output wish.
    Start { input: u64, output: u64, may_wait: bool },
    /// One request does its next write.
    Advance(usize),
    /// As `Advance`, but the reply is lost after the write happened.
    LostReply(usize),
    /// As `Advance`, but the write never arrives.
    LostRequest(usize),
    /// A request dies where it stands.
    Crash(usize),
    /// Calls around the sentry, which CloudWatch shows from now on.
    Bypass(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..40u64, 1..60u64, any::<bool>()).prop_map(|(input, output, may_wait)| Event::Start { input, output, may_wait }),
        12 => any::<usize>().prop_map(Event::Advance),
        1 => any::<usize>().prop_map(Event::LostReply),
        1 => any::<usize>().prop_map(Event::LostRequest),
        1 => any::<usize>().prop_map(Event::Crash),
        1 => (1..20u64).prop_map(Event::Bypass),
    ];
    proptest::collection::vec(event, 1..200)
}

/// A request between its first and its last write.
#[derive(Debug)]
enum Request {
    Admitting(Box<Admission>),
    /// Admitted, the model has written this much; these writes are left.
    Settling(Vec<(ItemKey, Update)>),
}

struct World {
    budgets: Vec<Budget>,
    table: Table,
    requests: Vec<Request>,
    /// Billed through the sentry.
    truth: Amounts,
    bypassed: u64,
    lossless: bool,
}

impl World {
    fn new() -> Self {
        Self {
            budgets: vec![budget("model", 200, 300), budget("tenant", 300, 250)],
            table: Table::default(),
            requests: Vec::new(),
            truth: Amounts::default(),
            bypassed: 0,
            lossless: true,
        }
    }

    /// One step of one request; `reply` and `arrives` say what the network does to it.
    fn advance(&mut self, index: usize, arrives: bool, reply: bool) {
        if self.requests.is_empty() {
            return;
        }
        let index = index % self.requests.len();
        let mut done = false;
        match &mut self.requests[index] {
            Request::Admitting(admission) => match admission.step() {
                Step::Done(Verdict::Admit { reservation, .. }) => {
                    // The model keeps to the input bound and to the output that was reserved.
                    let actual = Amounts {
                        input: reservation.amounts.input / 2,
                        output: reservation.amounts.output.saturating_sub(index as u64 % 3),
                        cost: 0,
                    };
                    self.truth.input += actual.input;
                    self.truth.output += actual.output;
                    self.requests[index] = Request::Settling(reservation.settle(actual));
                }
                Step::Done(_) => done = true,
                step => {
                    let outcome = if arrives { self.table.perform(step) } else { Outcome::Unknown };
                    admission.record(if reply { outcome } else { Outcome::Unknown });
                }
            },
            Request::Settling(writes) => match writes.pop() {
                Some((item, update)) => {
                    if arrives {
                        self.table.write(&item, &update);
                    }
                }
                None => done = true,
            },
        }
        if done {
            self.requests.swap_remove(index);
        }
        self.lossless &= arrives && reply;
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Start { input, output, may_wait } => {
                let observed =
                    Some(Amounts { input: self.truth.input / 2 + self.bypassed, output: 0, cost: 0 });
                let ask = Ask { observed, may_wait, ..ask(input, output) };
                self.requests.push(Request::Admitting(Box::new(Admission::new(self.budgets.clone(), ask))));
            }
            Event::Advance(index) => self.advance(index, true, true),
            Event::LostReply(index) => self.advance(index, true, false),
            Event::LostRequest(index) => self.advance(index, false, false),
            Event::Crash(index) => {
                if !self.requests.is_empty() {
                    let index = index % self.requests.len();
                    self.requests.swap_remove(index);
                    self.lossless = false;
                }
            }
            Event::Bypass(input) => self.bypassed += input,
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for budget in &self.budgets {
            let item = self.table.of(budget);
            for (dimension, limit) in budget.limit.each() {
                let limit = i64::try_from(limit).unwrap();
                let external = item.external(dimension);
                prop_assert!(
                    i64::try_from(self.truth.get(dimension)).unwrap() <= limit,
                    "over the limit: {:?}",
                    self.truth
                );
                // Only calls around the sentry can push a budget over.
                prop_assert!(item.committed(dimension) - external <= limit, "{item:?}");
                prop_assert!(item.reserved(dimension) >= 0, "{item:?}");
                prop_assert_eq!(item.explained(dimension), item.used(dimension));
                let buckets: i64 = item
                    .reservations()
                    .filter(|(_, of, _)| *of == dimension)
                    .map(|(_, _, number)| number)
                    .sum();
                prop_assert_eq!(buckets, item.reserved(dimension));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn never_over_whatever_happens(events in events()) {
        let mut world = World::new();
        for event in events {
            world.step(event);
            world.check()?;
        }
        // Let everybody who lives come to an end: without losses nothing stays reserved.
        for _ in 0..100_000 {
            if world.requests.is_empty() {
                break;
            }
            world.advance(0, true, true);
            world.check()?;
        }
        prop_assert!(world.requests.is_empty(), "an admission that never ends");
        if world.lossless {
            for budget in &world.budgets {
                let item = world.table.of(budget);
                for dimension in Dimension::ALL {
                    prop_assert_eq!(item.reserved(dimension), 0);
                    prop_assert_eq!(item.settled(dimension), i64::try_from(world.truth.get(dimension)).unwrap());
                }
            }
        }
    }

    #[test]
    fn never_stingy_when_nothing_is_in_flight(wishes in proptest::collection::vec((0..40u64, 1..60u64), 1..100)) {
        let model = budget("model", 10_000, 300);
        let mut table = Table::default();
        for (input, output) in wishes {
            match table.admit(std::slice::from_ref(&model), ask(input, output)) {
                Verdict::Admit { reservation, .. } => {
                    for (item, update) in reservation.settle(Amounts { input, output: reservation.amounts.output, cost: 0 }) {
                        table.write(&item, &update);
                    }
                }
                Verdict::Exceeded(_) => {
                    let left = 300 - table.of(&model).used(Dimension::Output);
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
            for (item, update) in reservation.settle(Amounts::default()) {
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
            for (item, update) in held.settle(Amounts { input: 7, output: 7, cost: 0 }) {
                table.write(&item, &update);
            }
        }
        prop_assert_eq!(table.of(&model).used(Dimension::Input), 7);
    }
}
