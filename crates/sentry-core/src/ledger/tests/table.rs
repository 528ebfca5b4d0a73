//! A table in memory and what CloudWatch shows, for single cases.

use std::collections::BTreeMap;

use super::super::*;
use super::world::{FAMILIES, period};
use crate::limit::{Amounts, Budget};
use crate::money::{Rates, TokenUsage};
use crate::usage::MonthUsage;

/// CloudWatch shows a call within this time where the sentry is deployed with its defaults.
pub const LAG: i64 = 660;

#[derive(Debug, Default)]
pub struct Table {
    pub items: BTreeMap<ItemKey, Counters>,
    /// Writes that were tried, and transactions.
    pub steps: usize,
    /// The longest expression of a write, in bytes as DynamoDB counts them.
    pub longest: usize,
    pub rates: Option<Rates>,
    /// The dearest prices of any request, where they are not the standard ones.
    pub dearest: Option<Rates>,
    /// How long CloudWatch may take, if not [`LAG`].
    pub lag: Option<i64>,
    /// How far CloudWatch's clock and reconcile's are from the time.
    pub skew: (i64, i64),
    /// Calls that CloudWatch does not show yet: when it will, the family, the minute.
    pub pending: Vec<(i64, usize, i64, TokenUsage)>,
    pub shown: [BTreeMap<i64, TokenUsage>; FAMILIES.len()],
}

impl Table {
    pub fn get(&self, item: &ItemKey) -> Counters {
        self.items.get(item).cloned().unwrap_or_default()
    }

    pub fn own(&self, key: &str) -> Counters {
        self.get(&ItemKey::new(period(), key))
    }

    /// A budget as a whole.
    pub fn totals(&self, key: &str) -> Totals {
        let own = ItemKey::new(period(), key);
        let shards = (0..64).map(|index| self.get(&own.shard(index)));
        Totals::of(&std::iter::once(self.get(&own)).chain(shards).collect::<Vec<_>>())
    }

    pub fn write(&mut self, item: &ItemKey, update: &Update) -> LedgerOutcome {
        self.steps += 1;
        self.longest = self.longest.max(super::sizes::expression_bytes(update));
        let before = self.get(item);
        match update.apply(&before) {
            Some(after) => {
                self.items.insert(item.clone(), after.clone());
                LedgerOutcome::Applied(after)
            }
            None => LedgerOutcome::Refused(before),
        }
    }

    pub fn transact(&mut self, writes: &[(ItemKey, Update)]) -> LedgerOutcome {
        self.steps += 1;
        let mut after = Vec::new();
        for (item, update) in writes {
            self.longest = self.longest.max(super::sizes::expression_bytes(update));
            match update.apply(&self.get(item)) {
                Some(counters) => after.push((item.clone(), counters)),
                None => return LedgerOutcome::NotMoved,
            }
        }
        self.items.extend(after);
        LedgerOutcome::Moved
    }

    pub fn perform(&mut self, step: Step) -> LedgerOutcome {
        match step {
            Step::Write(item, update) => self.write(&item, &update),
            Step::Read(items) => LedgerOutcome::Read(items.iter().map(|item| self.get(item)).collect()),
            Step::Transact(writes) => self.transact(&writes),
            Step::Done(verdict) => panic!("nothing is left to do after {verdict:?}"),
        }
    }

    pub fn admit(&mut self, budgets: &[Budget], request: AdmissionRequest) -> Verdict {
        let mut admission = Admission::new(budgets.to_vec(), request);
        loop {
            match admission.step() {
                Step::Done(verdict) => return verdict,
                step => admission.record(self.perform(step)),
            }
        }
    }

    /// Admits a request and gives what it holds.
    pub fn hold(&mut self, budgets: &[Budget], request: AdmissionRequest) -> Reservation {
        match self.admit(budgets, request) {
            Verdict::Admit { reservation, .. } => reservation,
            other => panic!("not admitted: {other:?}"),
        }
    }

    pub fn settle(&mut self, reservation: &Reservation, actual: Amounts, estimated: bool) {
        for hold in &reservation.holds {
            self.write(&hold.item, &hold.settle(actual, estimated));
        }
    }

    /// A call is billed; CloudWatch shows it after the longest lag.
    pub fn bill(&mut self, at: i64, family: usize, input: u64, output: u64) {
        let usage = TokenUsage { input_tokens: input, output_tokens: output, ..TokenUsage::default() };
        let minute = (at + self.skew.0).div_euclid(60) * 60;
        self.pending.push((at + self.lag.unwrap_or(LAG), family, minute, usage));
    }

    /// A whole reconcile run.
    pub fn reconcile(&mut self, now: i64, budgets: &[Budget]) -> Report {
        self.reconcile_while(now, budgets, |_, _, _| ())
    }

    pub fn perform_reconcile(&mut self, step: ReconcileStep) -> LedgerOutcome {
        match step {
            ReconcileStep::Read(items) => {
                LedgerOutcome::Read(items.iter().map(|item| self.get(item)).collect())
            }
            ReconcileStep::Write(item, update) => self.write(&item, &update),
            ReconcileStep::Transact(writes) => self.transact(&writes),
            ReconcileStep::Done(report) => panic!("nothing is left to do after {report:?}"),
        }
    }

    /// A reconcile run that has done nothing yet.
    pub fn begin_reconcile(&mut self, now: i64, budgets: &[Budget]) -> Reconcile {
        for (shown_at, family, minute, usage) in std::mem::take(&mut self.pending) {
            if shown_at <= now {
                let shown = self.shown[family].entry(minute).or_default();
                *shown = shown.plus(&usage);
            } else {
                self.pending.push((shown_at, family, minute, usage));
            }
        }
        let family = |index: usize| {
            let minutes = self.shown[index].clone();
            let usage = Some(MonthUsage { minutes, ..MonthUsage::default() });
            (
                FAMILIES[index].to_owned(),
                FamilyUsage { usage, rates: self.rates, dearest: self.dearest.or(self.rates) },
            )
        };
        Reconcile::new(Inputs {
            period: period(),
            keys: self.items.keys().cloned().collect(),
            listed_at: now + self.skew.1,
            families: (0..FAMILIES.len()).map(family).collect(),
            budgets: budgets.iter().map(|budget| (budget.key.clone(), budget.clone())).collect(),
            metric_lag: self.lag.unwrap_or(LAG),
        })
    }

    /// A whole reconcile run. Before each of its steps, which are numbered from zero, others may
    /// use the table.
    pub fn reconcile_while(
        &mut self,
        now: i64,
        budgets: &[Budget],
        mut others: impl FnMut(&mut Self, usize, &ReconcileStep),
    ) -> Report {
        let clock = now + self.skew.1;
        let mut run = self.begin_reconcile(now, budgets);
        for number in 0.. {
            let step = run.step();
            others(self, number, &step);
            let outcome = match step {
                ReconcileStep::Done(report) => return report,
                step => self.perform_reconcile(step),
            };
            run.record(outcome, clock);
        }
        unreachable!("a run ends")
    }
}

/// A request that cannot wait any more.
pub fn request(now: i64, input: u64, output: u64) -> AdmissionRequest {
    AdmissionRequest {
        period: period(),
        start_seconds: now,
        now_seconds: now,
        input,
        output,
        rates: None,
        observed: None,
        waited_seconds: MAX_WAIT_SECONDS,
        may_count: false,
        request_hash: 0,
    }
}

pub const fn tokens(input: u64, output: u64) -> Amounts {
    Amounts { input, output, cost: 0 }
}
