//! Reserves the upper bound of a request in every budget that applies, or says exactly why not.
//!
//! Fails closed: when the ledger does not answer, nothing is admitted.

mod answer;
mod refusal;

use chrono::{DateTime, Utc};
use sentry_aws::{
    ClaimKeys, Claimed, ClaimsTable, Connection, LedgerTable, WriteLedger, metric_lag, required_variable,
};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{
    Admission, AdmissionRequest, Claim, EXECUTION_SECONDS, Step, Verdict, reservation_life,
};
use sentry_core::limit::{Limits, Mode};
use sentry_core::money::{Rates, TokenUsage};
use sentry_core::month::{Period, parse_time};
use sentry_core::price::{CacheTtl, ServiceTier};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use answer::{CompareAnswer, Notes, OverBudget, TriedModels};
pub use refusal::{RefusalCause, TriedModel};

/// The function's name.
pub const NAME: &str = "compare";
/// The most time that a call of the model gets, in seconds.
const MODEL_SECONDS: i64 = 240;
/// What an execution needs beside the call: to start it, to repeat it when it was throttled, and
/// to settle.
const OTHER_SECONDS: i64 = 40;
/// With less time than this left for the model nothing is admitted.
const LEAST_MODEL_SECONDS: i64 = 5;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CompareEvent {
    request_id: String,
    /// When the execution started.
    start_time: String,
    /// When this attempt began.
    now: String,
    model_id: String,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
    input_bound: u64,
    /// A part of the request whose tokens nothing bounds, by its path.
    #[serde(default)]
    unbounded: Option<String>,
    may_count: bool,
    /// Whether the bound is a context window, of which CountTokens knows better.
    #[serde(default)]
    count_first: bool,
    #[serde(default)]
    max_tokens: Option<u64>,
    /// The service tier that the request asks for.
    #[serde(default)]
    service_tier: Option<ServiceTier>,
    /// The longest lifetime of its cache points.
    #[serde(default)]
    cache: Option<CacheTtl>,
    limits: Limits,
    usage: ShownUsage,
    waited_seconds: u64,
    /// The models whose budget was spent, of a request that goes on with a fallback.
    tried: Vec<TriedModel>,
}

/// The answer of usage-query, or what the workflow puts in its place when the function failed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShownUsage {
    available: bool,
    #[serde(flatten)]
    tokens: Option<TokenUsage>,
}

/// The tables, and how long CloudWatch may take to show a call.
#[derive(Debug)]
pub struct Context<L, C> {
    /// The ledger.
    pub ledger: L,
    /// The claims of idempotency keys.
    pub claims: C,
    /// In seconds.
    pub metric_lag: i64,
}

/// The tables that the environment names.
///
/// # Errors
/// `InternalError` when a variable is missing or has no value of its kind.
pub async fn prepare() -> Result<Context<LedgerTable, ClaimsTable>, SentryError> {
    let connection = Connection::from_env().await;
    Ok(Context {
        ledger: LedgerTable::new(&connection, required_variable("LEDGER_TABLE")?),
        claims: ClaimsTable::new(&connection, required_variable("CLAIMS_TABLE")?),
        metric_lag: metric_lag()?,
    })
}

/// Compares by reserving. The usual request costs one write for each budget.
///
/// # Errors
/// `SentryUnavailable` when the ledger does not answer; `LimitNotConfigured` when a budget in money
/// refuses and the service tier has no price.
pub async fn handle<L: WriteLedger, C: ClaimKeys>(
    event: Value,
    context: &Context<L, C>,
) -> Result<Value, SentryError> {
    let event: CompareEvent = sentry_lambda::read(&event)?;
    let (start, now) = (time(&event.start_time, "startTime")?, time(&event.now, "now")?);
    let claim = event.idempotency_key.as_deref().map(|key| {
        let until = start.timestamp().saturating_add(reservation_life(context.metric_lag));
        Claim::new(event.tenant.as_deref(), key, &event.request_id, until)
    });
    if let Some(claim) = &claim {
        match context.claims.claim(claim, now.timestamp()).await {
            Claimed::Taken => {}
            Claimed::InUse { until } => {
                let seconds_left = until.saturating_sub(now.timestamp());
                let cause = RefusalCause::in_progress(&event.request_id, seconds_left);
                return answer::document(&CompareAnswer::refuse(cause));
            }
            Claimed::Throttled | Claimed::Unknown => {
                context.claims.give_back(claim).await;
                return Err(unavailable());
            }
        }
    }
    let answer = compare(event, start, now, &context.ledger).await;
    // In every end but these the execution calls no model, so the key is free again.
    let goes_on =
        matches!(answer, Ok(CompareAnswer::Admit { .. } | CompareAnswer::Wait { .. } | CompareAnswer::Count));
    if let (Some(claim), false) = (&claim, goes_on) {
        context.claims.give_back(claim).await;
    }
    answer::document(&answer?)
}

async fn compare(
    event: CompareEvent,
    start: DateTime<Utc>,
    now: DateTime<Utc>,
    ledger: &impl WriteLedger,
) -> Result<CompareAnswer, SentryError> {
    let elapsed = now.signed_duration_since(start).num_seconds().max(0);
    let model_seconds = MODEL_SECONDS.min(EXECUTION_SECONDS - OTHER_SECONDS - elapsed);
    if model_seconds < LEAST_MODEL_SECONDS {
        return Err(SentryError::new(
            ErrorName::SentryUnavailable,
            "The parts of the sentry took so long that no time is left for the model. Nothing was admitted. Try again shortly.",
        ));
    }
    if event.count_first && event.may_count {
        return Ok(CompareAnswer::Count);
    }
    if let Some(path) = &event.unbounded
        && event.limits.budgets.iter().any(|budget| budget.mode != Mode::Observe)
    {
        return Err(no_bound(path, &event.model_id));
    }
    let observed = event.usage.tokens.filter(|_| event.usage.available);
    let rates = rates(&event, observed.as_ref())?;
    let wanted = event.max_tokens.unwrap_or(event.limits.default_max_tokens);
    let request = AdmissionRequest {
        period: Period::of(start),
        start_seconds: start.timestamp(),
        now_seconds: now.timestamp(),
        input: event.input_bound,
        output: event.limits.max_tokens_cap.map_or(wanted, |cap| wanted.min(cap)),
        rates,
        observed,
        waited_seconds: event.waited_seconds,
        may_count: event.may_count,
        request_hash: hash(&event.request_id),
    };
    let request_hash = request.request_hash;
    let verdict = admit(Admission::new(event.limits.budgets.clone(), request), ledger).await;
    answer::Asked {
        request_id: &event.request_id,
        request_hash,
        model_id: &event.model_id,
        start,
        wanted,
        waited_seconds: event.waited_seconds,
        budgets: &event.limits.budgets,
        tried: event.tried,
        external_usage_known: event.usage.available,
        model_seconds,
    }
    .answer(verdict)
}

/// The prices at which the request is reserved. The ledger values usage that bypassed the sentry at the
/// same ones, so that the price of cache writes counts when CloudWatch shows any.
fn rates(event: &CompareEvent, observed: Option<&TokenUsage>) -> Result<Option<Rates>, SentryError> {
    let tier = event.service_tier.unwrap_or_default();
    let reserved = event.limits.reserved_rates(tier, event.cache, event.input_bound)?;
    let standard = event.limits.prices.map(|prices| prices.standard.rates());
    Ok(match (reserved, standard) {
        (Some(reserved), Some(standard))
            if observed.is_some_and(|tokens| tokens.cache_write_input_tokens > 0) =>
        {
            Some(reserved.dearest(&standard))
        }
        _ => reserved,
    })
}

/// Drives an admission to its verdict.
async fn admit(mut admission: Admission, ledger: &impl WriteLedger) -> Verdict {
    loop {
        let outcome = match admission.step() {
            Step::Done(verdict) => return verdict,
            Step::Write(item, update) => ledger.write(&item, &update).await,
            Step::Read(items) => ledger.read(&items).await,
            Step::Transact(updates) => ledger.transact(&updates).await,
        };
        admission.record(outcome);
    }
}

fn time(text: &str, field: &str) -> Result<DateTime<Utc>, SentryError> {
    parse_time(text)
        .map_err(|error| SentryError::new(ErrorName::InternalError, error.to_string()).with("path", field))
}

/// Spreads requests evenly by their ids (FNV-1a).
fn hash(request_id: &str) -> u64 {
    request_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn no_bound(path: &str, model_id: &str) -> SentryError {
    SentryError::new(
        ErrorName::InvalidRequest,
        format!(
            "How many tokens `{path}` costs with {model_id} cannot be known before the call, and the budget is enforced. \
             Send its content as text, or use a model whose context window is known."
        ),
    )
    .with("path", path)
}

fn unavailable() -> SentryError {
    SentryError::new(
        ErrorName::SentryUnavailable,
        "The ledger cannot be reached at the moment, so nothing is admitted. Try again shortly.",
    )
}

#[cfg(test)]
mod tests;
