//! Puts the true usage of a request in the place of its reservation, or gives the
//! reservation back.
//!
//! When it cannot know what was used it keeps the upper bound as used: too high rather than
//! too low. A settlement is never repeated after an unknown outcome; the reservation then
//! stays until its bucket expires.

mod outcome;

use sentry_aws::{Connection, LedgerTable, WriteLedger, required_variable};
use sentry_core::error::SentryError;
use sentry_core::ledger::{BudgetDocument, Counters, Outcome as Written, Reservation, crossed_thresholds};
use sentry_core::limit::{Amounts, Budget};
use sentry_core::month::Period;
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
    let period: Period = event.period.parse().map_err(|error: sentry_core::month::MonthError| {
        SentryError::new(sentry_core::error::ErrorName::InternalError, error.to_string())
            .with("path", "period")
    })?;
    let used = event.outcome.used();
    let actual = used.as_ref().map_or(event.reservation.bound(), |used| used.amounts);
    let mut budget = None;
    let mut thresholds = Vec::new();
    for ((item, update), of) in event.reservation.settle(actual).into_iter().zip(&event.budgets) {
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
            Written::Unknown => {
                tracing::warn!(
                    request_id = event.request_id,
                    item = item.as_str(),
                    "settlement without an outcome"
                );
                continue;
            }
        };
        budget.get_or_insert_with(|| BudgetDocument::new(of, period, &counters, event.external_usage_known));
    }
    tracing::info!(
        request_id = event.request_id,
        budget = event.budgets.first().map(|budget| budget.key.as_str()),
        input_tokens = actual.input,
        output_tokens = actual.output,
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
    crossed_thresholds(counters, actual, budget.limit, &budget.warn_at_percent)
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
                    "limit": budget.limit.get(dimension),
                    "used": counters.used(dimension),
                })
                .to_string(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
