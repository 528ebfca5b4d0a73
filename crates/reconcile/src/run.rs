//! One month in one run: reads what CloudWatch shows, then drives the ledger's reconciliation.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sentry_aws::{ReadLedger, ReadMetrics, WriteLedger};
use sentry_core::error::SentryError;
use sentry_core::ledger::{FamilyUsage, Inputs, ItemKey, Reconcile, ReconcileStep, Report};
use sentry_core::limit::{ACCOUNT_ITEM, Budget, Governing, TENANT_PREFIX};
use sentry_core::month::Period;

use crate::Context;
use crate::families::{Families, Family};

/// One month in one run.
pub struct Run<'a, T, L, M, E> {
    pub context: &'a Context<T, L, M, E>,
    pub families: &'a Families,
    pub governing: &'a Governing,
    pub period: Period,
}

impl<T, L: ReadLedger + WriteLedger, M: ReadMetrics, E> Run<'_, T, L, M, E> {
    /// Reconciles the month.
    ///
    /// # Errors
    /// `SentryUnavailable` when the ledger's items cannot be listed.
    pub async fn reconcile(&self) -> Result<Report, SentryError> {
        let listed_at = self.now();
        let keys = self.context.ledger.keys(self.period).await?;
        let mut families = BTreeMap::new();
        for family in self.families.with(models(&keys)) {
            let usage = Box::pin(self.usage(&family)).await;
            families.insert(family.name, usage);
        }
        let budgets = self.budgets(&keys, &families, listed_at);
        let mut reconcile = Reconcile::new(Inputs {
            period: self.period,
            keys,
            listed_at: listed_at.timestamp(),
            families,
            budgets,
            metric_lag: self.context.metric_lag,
        });
        let ledger = &self.context.ledger;
        loop {
            let outcome = match reconcile.step() {
                ReconcileStep::Done(report) => return Ok(report),
                ReconcileStep::Read(items) => ledger.read(&items).await,
                ReconcileStep::Write(item, update) => ledger.write(&item, &update).await,
                ReconcileStep::Transact(writes) => ledger.transact(&writes).await,
            };
            reconcile.record(outcome, self.now().timestamp());
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.context.clock)()
    }

    /// What CloudWatch shows of a family by now.
    async fn usage(&self, family: &Family) -> FamilyUsage {
        let (start, end) = (self.period.start().timestamp(), self.period.end().timestamp());
        let usage = self.context.usage.read(&family.ids, start, end, self.now().timestamp()).await;
        if let Err(error) = &usage {
            tracing::warn!(family = family.name, reason = error.message, "usage unknown");
        }
        FamilyUsage {
            usage: usage.ok(),
            rates: family.prices.map(|prices| prices.standard),
            dearest: family.prices.map(|prices| prices.dearest),
        }
    }

    /// The limits that govern the budgets of the ledger, and the account's.
    fn budgets(
        &self,
        keys: &[ItemKey],
        families: &BTreeMap<String, FamilyUsage>,
        at: DateTime<Utc>,
    ) -> BTreeMap<String, Budget> {
        let in_ledger = keys.iter().filter_map(|key| key.parts()).map(|(_, budget, _)| budget);
        let known = families.keys().map(String::as_str).chain(in_ledger).chain([ACCOUNT_ITEM]);
        known.filter_map(|key| Some((key.to_owned(), self.governing.budget(key, at)?))).collect()
    }
}

/// The families among the budgets of these items.
fn models(keys: &[ItemKey]) -> Vec<String> {
    let budgets = keys.iter().filter_map(|key| key.parts()).map(|(_, budget, _)| budget);
    let models = budgets.filter(|budget| *budget != ACCOUNT_ITEM && !budget.starts_with(TENANT_PREFIX));
    models.map(str::to_owned).collect()
}
