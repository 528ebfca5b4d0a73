//! Every five minutes: releases what abandoned executions hold, adds what bypassed the sentry,
//! and reports limit items that have no effect.
//!
//! When CloudWatch does not answer nothing is released: the ledger stays too high until the
//! next run. Every write is conditional, so that a run may be late, doubled or cut off anywhere.

mod families;
mod run;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use sentry_aws::{
    BedrockMetrics, Connection, EventBus, LedgerTable, LimitsTable, ListMetrics, PublishEvents, ReadLedger,
    ReadMetrics, ScanLimits, UsageReader, WriteLedger, metric_lag, required_variable,
};
use sentry_core::error::SentryError;
use sentry_core::ledger::Report;
use sentry_core::limit::{Governing, check_items};
use sentry_core::month::Period;
use sentry_core::notice::{Notice, NoticeType};
use serde_json::{Value, json};

use families::Families;
use run::Run;

/// The function's name.
pub const NAME: &str = "reconcile";
/// How long after its end a month is reconciled; all its reservations are settled or released before.
const AFTER_THE_END: Duration = Duration::hours(3);

/// The services, the clock, and how long CloudWatch lags behind.
pub struct Context<T, L, M, E> {
    limits: T,
    ledger: L,
    usage: UsageReader<M>,
    events: E,
    metric_lag: i64,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Limit items without effect that were announced, with the reason.
    told: Mutex<BTreeSet<(String, String)>>,
}

impl<T, L, M, E> Context<T, L, M, E> {
    /// The services with a lag of so many seconds, and the time.
    pub fn new(
        limits: T,
        ledger: L,
        metrics: M,
        events: E,
        metric_lag: i64,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        Self {
            limits,
            ledger,
            usage: UsageReader::new(metrics),
            events,
            metric_lag,
            clock: Box::new(clock),
            told: Mutex::default(),
        }
    }
}

impl<T, L, M, E> std::fmt::Debug for Context<T, L, M, E> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Context").field("metric_lag", &self.metric_lag).finish_non_exhaustive()
    }
}

/// The services that the environment names, and the clock.
///
/// # Errors
/// `InternalError` when a variable is missing or no number of seconds.
pub async fn prepare() -> Result<Context<LimitsTable, LedgerTable, BedrockMetrics, EventBus>, SentryError> {
    let connection = Connection::from_env().await;
    Ok(Context::new(
        LimitsTable::new(&connection, required_variable("LIMITS_TABLE")?),
        LedgerTable::new(&connection, required_variable("LEDGER_TABLE")?),
        BedrockMetrics::new(&connection),
        EventBus::new(&connection),
        metric_lag()?,
        Utc::now,
    ))
}

/// Reconciles this month, and the month before until it is closed. The event is that of a
/// schedule and is not read: it may be late, so the clock says which month it is.
///
/// # Errors
/// `SentryUnavailable` when a table cannot be read. What could be done is done all the same.
pub async fn handle<T, L, M, E>(_event: Value, context: &Context<T, L, M, E>) -> Result<Value, SentryError>
where
    T: ScanLimits,
    L: ReadLedger + WriteLedger,
    M: ListMetrics + ReadMetrics,
    E: PublishEvents,
{
    let now = (context.clock)();
    let mut periods = vec![Period::of(now - AFTER_THE_END), Period::of(now)];
    periods.dedup();
    let limits = Box::pin(context.limits.scan()).await?;
    let listed = Box::pin(context.usage.metrics().list()).await;
    if let Err(error) = &listed {
        tracing::warn!(reason = error.message, "the models in use cannot be listed");
    }
    let families = Families::new(&limits, listed.ok());
    let governing = Governing::new(&limits);
    let mut notices = ignored_items(&limits, context);
    let mut done = Vec::new();
    let mut failed = None;
    for period in periods {
        let run = Run { context, families: &families, governing: &governing, period };
        // Boxed, like the longer of its steps: the compiler cannot lay out futures nested this deep.
        let report = match Box::pin(run.reconcile()).await {
            Ok(report) => report,
            Err(error) => {
                tracing::error!(period = period.to_string(), reason = error.message, "not reconciled");
                failed = Some(error);
                continue;
            }
        };
        notices.extend(report.crossed.iter().map(|crossed| {
            let (dimension, percent) = (crossed.dimension, crossed.percent);
            Notice::threshold_crossed(&crossed.budget, period, dimension, percent, crossed.used)
        }));
        done.push(summary(period, &report));
    }
    if !notices.is_empty()
        && let Err(error) = context.events.publish(&notices).await
    {
        tracing::error!(reason = error.message, notices = notices.len(), "notices were not delivered");
        // The next run announces the limit items again. Crossed thresholds it cannot find again.
        context.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
    failed.map_or_else(|| Ok(json!({"periods": done})), Err)
}

fn summary(period: Period, report: &Report) -> Value {
    let period = period.to_string();
    tracing::info!(
        period,
        applied = report.applied,
        refused = report.refused,
        failed = report.failed,
        crossed = report.crossed.len(),
        "reconciled"
    );
    json!({
        "period": period,
        "applied": report.applied,
        "refused": report.refused,
        "failed": report.failed,
        "crossed": report.crossed.len(),
    })
}

/// Logs limit items that are malformed or have no effect. Each is reported once by a warm
/// function, so that a mistake is announced within minutes and not with every run.
fn ignored_items<T, L, M, E>(limits: &[Value], context: &Context<T, L, M, E>) -> Vec<Notice> {
    let mut told = context.told.lock().unwrap_or_else(PoisonError::into_inner);
    let mut notices = Vec::new();
    let mut found = BTreeSet::new();
    for (item_id, finding) in check_items(limits).into_iter().filter(|(_, finding)| finding.is_a_problem()) {
        let reason = finding.to_string();
        tracing::warn!(item_id, reason, "a limit item has no effect");
        if !told.contains(&(item_id.clone(), reason.clone())) {
            let detail = json!({"itemId": item_id, "reason": reason});
            notices.push(Notice::new(NoticeType::LimitItemIgnored, detail));
        }
        found.insert((item_id, reason));
    }
    *told = found;
    notices
}

#[cfg(test)]
mod tests;
