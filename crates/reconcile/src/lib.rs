//! Every five minutes: gives back what dead executions hold, and learns from CloudWatch what
//! was used around the sentry.
//!
//! When CloudWatch does not answer nothing is given back and nothing is lowered: the ledger
//! stays too high until the next run. Every write is conditional, so that a run may be late,
//! doubled or cut off anywhere.

mod families;
mod items;
mod run;
mod usage;

use chrono::{DateTime, Duration, Utc};
use sentry_aws::{
    BedrockMetrics, Connection, LedgerTable, LimitsTable, ListMetrics, ScanLedger, ScanLimits, SumMetrics,
    WriteLedger, required_variable,
};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::month::Period;
use serde_json::{Value, json};

use families::Families;
use items::Items;
use run::Run;
use usage::ClosedDays;

/// The function's name.
pub const NAME: &str = "reconcile";
/// How long CloudWatch may take to show a call, unless `METRIC_LAG_SECONDS` says otherwise.
pub const DEFAULT_METRIC_LAG: i64 = 660;
/// A month is looked after for so long after its end; its reservations are gone long before.
const AFTER_THE_END: Duration = Duration::hours(3);

/// The services, the clock, and how long CloudWatch lags behind.
pub struct Context<T, L, M> {
    limits: T,
    ledger: L,
    metrics: M,
    metric_lag: i64,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    closed_days: ClosedDays,
}

impl<T, L, M> Context<T, L, M> {
    /// The services with a lag of so many seconds, and the time.
    pub fn new(
        limits: T,
        ledger: L,
        metrics: M,
        metric_lag: i64,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        Self {
            limits,
            ledger,
            metrics,
            metric_lag,
            clock: Box::new(clock),
            closed_days: ClosedDays::default(),
        }
    }
}

impl<T, L, M> std::fmt::Debug for Context<T, L, M> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Context").field("metric_lag", &self.metric_lag).finish_non_exhaustive()
    }
}

/// As the environment says.
///
/// # Errors
/// `InternalError` when a variable is missing or no number of seconds.
pub async fn prepare() -> Result<Context<LimitsTable, LedgerTable, BedrockMetrics>, SentryError> {
    let metric_lag = seconds("METRIC_LAG_SECONDS")?.unwrap_or(DEFAULT_METRIC_LAG);
    // The local host moves the clock to rehearse the end of a month.
    let offset = Duration::seconds(seconds("CLOCK_OFFSET_SECONDS")?.unwrap_or(0));
    let connection = Connection::from_env().await;
    Ok(Context::new(
        LimitsTable::new(&connection, required_variable("LIMITS_TABLE")?),
        LedgerTable::new(&connection, required_variable("LEDGER_TABLE")?),
        BedrockMetrics::new(&connection),
        metric_lag,
        move || Utc::now() + offset,
    ))
}

fn seconds(variable: &str) -> Result<Option<i64>, SentryError> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    text.parse::<i32>().map(|seconds| Some(i64::from(seconds))).map_err(|_| {
        SentryError::new(
            ErrorName::InternalError,
            format!("The environment variable {variable} is {text:?}; it must be a whole number of seconds."),
        )
    })
}

/// Reconciles this month, and the month before until it is closed. The event is that of a
/// schedule and says nothing that counts: it may be late.
///
/// # Errors
/// `SentryUnavailable` when a table cannot be read.
pub async fn handle<T, L, M>(_event: Value, context: &Context<T, L, M>) -> Result<Value, SentryError>
where
    T: ScanLimits,
    L: ScanLedger + WriteLedger,
    M: ListMetrics + SumMetrics,
{
    let now = (context.clock)();
    let mut periods = vec![Period::of(now - AFTER_THE_END), Period::of(now)];
    periods.dedup();
    let all = Box::pin(context.ledger.scan(&periods)).await?;
    // After the reading: whatever was settled before it is in the numbers.
    let now = (context.clock)();
    let limits = Box::pin(context.limits.scan()).await?;
    let listed = Box::pin(context.metrics.list()).await;
    if let Err(error) = &listed {
        tracing::warn!(reason = error.message, "the models in use cannot be listed");
    }
    let families = Families::new(&limits, listed.ok());
    let mut done = Vec::new();
    for period in periods {
        let run = Run { context, families: &families, period, now: now.timestamp() };
        // Boxed, like the longer of its steps: the compiler cannot lay out futures nested this deep.
        done.push(Box::pin(run.reconcile(&Items::of(period, &all))).await);
    }
    Ok(json!({"periods": done}))
}

#[cfg(test)]
mod tests;
