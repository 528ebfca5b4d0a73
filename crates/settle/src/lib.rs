//! Puts the true usage of a request in the place of its reservation, or gives the
//! reservation back.
//!
//! When it cannot know what was used it keeps the upper bound as used: too high rather than
//! too low. A settlement is never repeated after an unknown outcome; its reservation and those
//! of the budgets after it then stay until reconcile sweeps their bucket.

mod outcome;

use sentry_aws::{Connection, LedgerTable, WriteLedger, required_variable};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{
    BudgetDocument, Claim, Counters, Outcome as Written, Reservation, crossed_thresholds, shown,
};
use sentry_core::limit::{Amounts, Budget};
use sentry_core::money::{Rates, usd_text};
use sentry_core::month::{MonthError, Period, parse_time};
use serde::Deserialize;
use serde_json::{Value, json};

use outcome::Outcome;

/// The function's name.
pub const NAME: &str = "settle";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    request_id: String,
    period: String,
    reservation: Reservation,
    budgets: Vec<Budget>,
    external_usage_known: bool,
    outcome: Outcome,
    /// What the tokens cost.
    #[serde(default)]
    rates: Option<Rates>,
    #[serde(default)]
    claim: Option<Claimed>,
}

/// The idempotency key that the request has claimed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claimed {
    key: String,
    #[serde(default)]
    tenant: Option<String>,
    start_time: String,
}

/// The ledger that the environment names.
///
/// # Errors
/// `InternalError` when the variable `LEDGER_TABLE` is missing.
pub async fn prepare() -> Result<LedgerTable, SentryError> {
    Ok(LedgerTable::new(&Connection::from_env().await, required_variable("LEDGER_TABLE")?))
}

/// Settles or releases. One write for each budget.
///
/// # Errors
/// `InternalError` for a document that it does not understand.
pub async fn handle(event: Value, ledger: &impl WriteLedger) -> Result<Value, SentryError> {
    let event: Event = sentry_lambda::read(&event)?;
    let wrong = |path: &str, error: &MonthError| {
        SentryError::new(ErrorName::InternalError, error.to_string()).with("path", path)
    };
    let period: Period = event.period.parse().map_err(|error| wrong("period", &error))?;
    let used = event.outcome.used();
    let actual = used.as_ref().map_or(event.reservation.amounts, |used| Amounts {
        input: used.tokens.all_input(),
        output: used.tokens.output_tokens,
        cost: event.rates.map_or(0, |rates| rates.cost(&used.tokens)),
    });
    let mut budget = None;
    let mut thresholds = Vec::new();
    let mut unknown = false;
    for ((item, update), of) in
        event.reservation.settle(actual, used.is_none()).into_iter().zip(&event.budgets)
    {
        let counters = match ledger.write(&item, &update).await {
            Written::Applied(counters) => {
                thresholds.extend(announce(of, period, &counters, actual));
                counters
            }
            Written::Refused(counters) => {
                tracing::warn!(
                    request_id = event.request_id,
                    item = item.as_str(),
                    "reservation expired before it was settled"
                );
                counters
            }
            _ => {
                unknown = true;
                tracing::warn!(
                    request_id = event.request_id,
                    item = item.as_str(),
                    "settlement without an outcome"
                );
                // The budgets after it stay reserved too. Were the model's settled and its tenant's
                // not, reconcile would take the tenant's for a reservation that was never billed.
                break;
            }
        };
        budget.get_or_insert_with(|| BudgetDocument::new(of, period, &counters, event.external_usage_known));
    }
    // While a reservation may still stand, the key stays taken.
    if let (Some(claim), false) = (&event.claim, unknown) {
        let start = parse_time(&claim.start_time).map_err(|error| wrong("claim.startTime", &error))?;
        let claim = Claim::new(claim.tenant.as_deref(), &claim.key, start.timestamp());
        ledger.write(&claim.item, &claim.give_back()).await;
    }
    tracing::info!(
        request_id = event.request_id,
        budget = event.budgets.first().map(|budget| budget.key.as_str()),
        input_tokens = actual.input,
        output_tokens = actual.output,
        cost_usd = usd_text(actual.cost),
        usage_estimated = used.is_none(),
        "settled"
    );
    Ok(json!({
        "budget": budget,
        "usage": used.and_then(|used| used.document).unwrap_or_else(|| outcome::usage_document(actual)),
        "usageEstimated": event.outcome.answered() && !event.outcome.reports_usage(),
        "thresholds": thresholds,
    }))
}

/// The notices that are due, as entries for EventBridge's `PutEvents`.
fn announce(budget: &Budget, period: Period, counters: &Counters, actual: Amounts) -> Vec<Value> {
    // The items of a budget that is split do not know the whole.
    if budget.shards > 1 {
        return Vec::new();
    }
    crossed_thresholds(counters, actual, &budget.limit, &budget.warn_at_percent)
        .into_iter()
        .map(|(dimension, percent)| {
            json!({
                "Source": "bedrock.cost-sentry",
                "DetailType": "Budget Threshold Crossed",
                "Detail": json!({
                    "budget": budget.key,
                    "period": period.to_string(),
                    "dimension": dimension.as_str(),
                    "percent": percent,
                    "limit": budget.limit.get(dimension).map(|limit| shown(dimension, limit)),
                    "used": shown(dimension, u64::try_from(counters.used(dimension)).unwrap_or(0)),
                })
                .to_string(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
