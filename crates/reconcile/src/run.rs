//! One month in one run.

use sentry_aws::{MINUTE, SumMetrics, WriteLedger};
use sentry_core::error::SentryError;
use sentry_core::ledger::{Evidence, ItemKey, Outcome, Reconciliation, closed_snapshot, is_explained};
use sentry_core::limit::{ACCOUNT_ITEM, Amounts};
use sentry_core::month::Period;
use serde_json::{Value, json};

use crate::Context;
use crate::families::{Families, Family};
use crate::items::Items;

/// One month in one run.
pub struct Run<'a, T, L, M> {
    pub context: &'a Context<T, L, M>,
    pub families: &'a Families,
    pub period: Period,
    /// The time after the items were read.
    pub now: i64,
}

/// What became of the writes of a run.
#[derive(Debug, Default)]
struct Done {
    writes: u64,
    refused: u64,
    unknown: u64,
}

/// What CloudWatch shows of the whole account, as far as it answers.
#[derive(Debug)]
struct Account {
    latest: Amounts,
    /// Until the account's own snapshot.
    closed: Option<Amounts>,
    /// Whether every family could be read.
    complete: bool,
    /// Whether every family was looked at long enough to tell what of it the ledger knows.
    judged: bool,
    /// Whether the ledger explains all of it, and until when.
    explained: bool,
    until: Option<i64>,
}

impl<T, L: WriteLedger, M: SumMetrics> Run<'_, T, L, M> {
    pub async fn reconcile(&self, items: &Items) -> Value {
        let mut done = Done::default();
        let snapshot = |budget: &str| closed_snapshot(&items.own(budget), self.now, self.context.metric_lag);
        let of_account = snapshot(ACCOUNT_ITEM);
        let mut account = Account {
            latest: Amounts::default(),
            closed: of_account.map(|_| Amounts::default()),
            complete: true,
            judged: true,
            explained: true,
            until: None,
        };
        let families = self.families.with(items.models());
        for family in &families {
            match Box::pin(self.family(family, items, snapshot(&family.name), of_account, &mut account)).await
            {
                Ok(evidence) => self.write(&family.name, items, &evidence, &mut done).await,
                Err(error) => {
                    tracing::warn!(family = family.name, reason = error.message, "usage unknown");
                    account.complete = false;
                }
            }
        }
        if items.is_known(ACCOUNT_ITEM) && account.complete {
            let evidence = Evidence::Shown { latest: account.latest, closed: account.closed };
            self.write(ACCOUNT_ITEM, items, &evidence, &mut done).await;
        }
        // CloudWatch knows no tenants. What their dead hold is given back only while it shows
        // nothing that the ledger does not account for, else it is charged.
        if let (true, Some(until)) = (account.complete && account.judged, account.until) {
            let evidence = Evidence::Indirect { until, explained: account.explained };
            for tenant in items.tenants() {
                self.write(&tenant, items, &evidence, &mut done).await;
            }
        }
        tracing::info!(
            period = self.period.to_string(),
            families = families.len(),
            writes = done.writes,
            refused = done.refused,
            unknown = done.unknown,
            "reconciled"
        );
        json!({
            "period": self.period.to_string(),
            "writes": done.writes,
            "refused": done.refused,
            "unknown": done.unknown,
        })
    }

    /// What CloudWatch shows of one family, added to what it shows of the account.
    async fn family(
        &self,
        family: &Family,
        items: &Items,
        snapshot: Option<i64>,
        of_account: Option<i64>,
        account: &mut Account,
    ) -> Result<Evidence, SentryError> {
        let (start, end) = (self.period.start().timestamp(), self.period.end().timestamp());
        let this_minute = (self.now.div_euclid(i64::from(MINUTE)) + 1) * i64::from(MINUTE);
        let latest = self.usage(family, (start, end.min(this_minute))).await?;
        let mut closed = None;
        if let Some(time) = snapshot {
            closed = Some(self.usage(family, (start, end.min(time))).await?);
        }
        account.latest = account.latest.plus(&latest);
        if let (Some(time), Some(sum)) = (of_account, &mut account.closed) {
            let amounts = match closed.filter(|_| snapshot == of_account) {
                Some(amounts) => amounts,
                None => self.usage(family, (start, end.min(time))).await?,
            };
            *sum = sum.plus(&amounts);
        }
        match (snapshot, closed) {
            (Some(time), Some(amounts)) => {
                account.explained &= is_explained(&items.own(&family.name), time, amounts);
                account.until = Some(account.until.map_or(time, |until| until.min(time)));
            }
            _ if latest == Amounts::default() => {}
            _ => account.judged = false,
        }
        Ok(Evidence::Shown { latest, closed })
    }

    async fn usage(&self, family: &Family, interval: (i64, i64)) -> Result<Amounts, SentryError> {
        Box::pin(self.context.closed_days.usage(&self.context.metrics, family, interval, self.now)).await
    }

    async fn write(&self, budget: &str, items: &Items, evidence: &Evidence, done: &mut Done) {
        if let (false, Evidence::Shown { latest, .. }) = (items.is_known(budget), evidence)
            && *latest == Amounts::default()
        {
            return;
        }
        let item = ItemKey::new(self.period, budget);
        let counters = items.all(budget);
        let reconciliation = Reconciliation {
            period: self.period,
            item: &item,
            items: &counters,
            now: self.now,
            metric_lag: self.context.metric_lag,
        };
        for (item, update) in reconciliation.writes(evidence) {
            match Box::pin(self.context.ledger.write(&item, &update)).await {
                Outcome::Applied(_) => done.writes += 1,
                // Somebody else has changed the item since it was read; the next run sees that.
                Outcome::Refused(_) => {
                    done.refused += 1;
                    return;
                }
                _ => {
                    done.unknown += 1;
                    return;
                }
            }
        }
    }
}
