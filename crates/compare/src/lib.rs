//! The heart of the rate-limiter: reserves the worst case of a request in every budget that
//! applies, or says exactly why not.
//!
//! Fails closed: when the ledger does not answer, nothing is admitted.

mod answer;

use sentry_aws::{Connection, LedgerTable, WriteLedger, required_variable};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{Admission, Ask, Claim, Outcome, Step, Verdict};
use sentry_core::limit::{Amounts, Limits};
use sentry_core::money::TokenUsage;
use sentry_core::month::{Period, parse_time};
use serde::Deserialize;
use serde_json::Value;

use answer::Tried;

/// The function's name.
pub const NAME: &str = "compare";
/// How long a request waits for reservations in flight before it takes what there is.
const MAX_WAIT_SECONDS: u64 = 15;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    request_id: String,
    start_time: String,
    model_id: String,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
    input_bound: u64,
    may_count: bool,
    #[serde(default)]
    max_tokens: Option<u64>,
    limits: Limits,
    usage: Usage,
    waited_seconds: u64,
    /// The models whose budget was spent, of a request that goes on with a fallback.
    tried: Vec<Tried>,
    /// Whether this request has compared before and so has claimed its idempotency key.
    again: bool,
}

/// What usage-query said, or the workflow in its place.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    available: bool,
    #[serde(flatten)]
    tokens: Option<TokenUsage>,
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
    let claim = event
        .idempotency_key
        .as_deref()
        .map(|key| Claim::new(event.tenant.as_deref(), key, start.timestamp()));
    if let (Some(claim), false) = (&claim, event.again) {
        match ledger.write(&claim.item, &claim.take()).await {
            Outcome::Applied(_) => {}
            Outcome::Refused(item) => {
                return Ok(answer::in_progress(&event.request_id, claim.seconds_left(&item)));
            }
            _ => return Err(answer::unavailable()),
        }
    }
    let wanted = event.max_tokens.unwrap_or(event.limits.default_max_tokens);
    let asked = event.limits.max_tokens_cap.map_or(wanted, |cap| wanted.min(cap));
    let rates = event.limits.rates;
    let observed = event.usage.tokens.filter(|_| event.usage.available).map(|tokens| Amounts {
        input: tokens.all_input(),
        output: tokens.output_tokens,
        cost: rates.map_or(0, |rates| rates.cost(&tokens)),
    });
    let ask = Ask {
        period: Period::of(start),
        start_seconds: start.timestamp(),
        input: event.input_bound,
        output: asked,
        rates,
        observed,
        may_wait: event.waited_seconds < MAX_WAIT_SECONDS,
        may_count: event.may_count,
        spread: answer::spread(&event.request_id),
        waited: event.waited_seconds,
    };
    let verdict = admit(Admission::new(event.limits.budgets.clone(), ask), ledger).await;
    let answer = answer::Answer {
        request_id: &event.request_id,
        model_id: &event.model_id,
        start,
        wanted,
        waited_seconds: event.waited_seconds,
        budgets: &event.limits.budgets,
        tried: event.tried,
        external_usage_known: event.usage.available,
    }
    .to(verdict);
    // Whoever is refused holds nothing, and may come again with the same key.
    let refused = answer.as_ref().is_ok_and(|answer| answer["verdict"] == "refuse");
    if let (Some(claim), true) = (&claim, refused) {
        ledger.write(&claim.item, &claim.give_back()).await;
    }
    answer
}

/// Drives an admission to its verdict.
async fn admit(mut admission: Admission, ledger: &impl WriteLedger) -> Verdict {
    loop {
        let outcome = match admission.step() {
            Step::Done(verdict) => return verdict,
            Step::Write(item, update) => ledger.write(&item, &update).await,
            Step::Read(items) => ledger.read(&items).await.map_or(Outcome::Unknown, Outcome::Read),
            Step::Transact(updates) => ledger.transact(&updates).await,
        };
        admission.record(outcome);
    }
}

#[cfg(test)]
mod tests;
