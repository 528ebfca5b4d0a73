//! The heart of the rate-limiter: reserves the worst case of a request in every budget that
//! applies, or says exactly why not.
//!
//! Fails closed: when the ledger does not answer, nothing is admitted.

mod answer;

use sentry_aws::{Connection, LedgerTable, WriteLedger, required_variable};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{Admission, Ask, Step};
use sentry_core::limit::{Amounts, Limits};
use sentry_core::month::{Period, parse_time};
use serde::Deserialize;
use serde_json::Value;

/// The function's name.
pub const NAME: &str = "compare";
/// How long a request waits for reservations in flight before it takes what there is.
const MAX_WAIT_SECONDS: u64 = 15;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    request_id: String,
    start_time: String,
    input_bound: u64,
    #[serde(default)]
    max_tokens: Option<u64>,
    limits: Limits,
    usage: Usage,
    waited_seconds: u64,
}

/// What usage-query said, or the workflow in its place.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    available: bool,
    #[serde(default)]
    input: u64,
    #[serde(default)]
    output: u64,
}

/// The ledger that the environment names.
///
/// # Errors
/// `InternalError` when the variable `LEDGER_TABLE` is missing.
pub async fn prepare() -> Result<LedgerTable, SentryError> {
    Ok(LedgerTable::new(&Connection::from_env().await, required_variable("LEDGER_TABLE")?))
}

/// Compares by reserving. The usual request costs one write for each budget.
///
/// # Errors
/// `SentryUnavailable` when the ledger does not answer.
pub async fn handle(event: Value, ledger: &impl WriteLedger) -> Result<Value, SentryError> {
    let event: Event = sentry_lambda::read(&event)?;
    let start = parse_time(&event.start_time).map_err(|error| {
        SentryError::new(ErrorName::InternalError, error.to_string()).with("path", "startTime")
    })?;
    let wanted = event.max_tokens.unwrap_or(event.limits.default_max_tokens);
    let asked = event.limits.max_tokens_cap.map_or(wanted, |cap| wanted.min(cap));
    let observed = Amounts { input: event.usage.input, output: event.usage.output };
    let ask = Ask {
        period: Period::of(start),
        start_seconds: start.timestamp(),
        input: event.input_bound,
        output: asked,
        observed: event.usage.available.then_some(observed),
        may_wait: event.waited_seconds < MAX_WAIT_SECONDS,
    };
    let mut admission = Admission::new(event.limits.budgets.clone(), ask);
    let verdict = loop {
        match admission.step() {
            Step::Done(verdict) => break verdict,
            Step::Write(item, update) => admission.record(ledger.write(&item, &update).await),
        }
    };
    answer::Answer {
        request_id: &event.request_id,
        start,
        wanted,
        waited_seconds: event.waited_seconds,
        budgets: &event.limits.budgets,
        external_usage_known: event.usage.available,
    }
    .to(verdict)
}

#[cfg(test)]
mod tests;
