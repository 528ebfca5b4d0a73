//! Puts the true usage of a request in the place of its reservation, or gives the
//! reservation back.
//!
//! When it cannot know what was used it keeps the upper bound as used: too high rather than
//! too low. A settlement is never repeated after an unknown outcome; its hold and those of the
//! budgets after it then stay until reconcile releases them.

mod answer;
mod notices;
mod outcome;

use sentry_aws::{ClaimKeys, ClaimsTable, Connection, LedgerTable, WriteLedger, required_variable};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{BudgetDocument, Claim, LedgerOutcome, Reservation, Totals};
use sentry_core::limit::{Amounts, Budget};
use sentry_core::money::{usd, usd_text};
use sentry_core::month::Period;
use sentry_core::price::{CacheTtl, Prices, ServiceTier};
use serde::Deserialize;
use serde_json::Value;

pub use answer::SettleAnswer;
use notices::Notices;
use outcome::{ModelOutcome, Used};

/// The function's name.
pub const NAME: &str = "settle";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SettleEvent {
    request_id: String,
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    tenant: Option<String>,
    /// What is to be settled; nothing for a request that only gives its idempotency key back.
    #[serde(default)]
    settlement: Option<Settlement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settlement {
    period: String,
    /// What the request holds: of an attempt after a throttled one, what was left.
    reservation: Reservation,
    /// The budgets that were settled before, of an attempt after a throttled one.
    settled: Vec<BudgetDocument>,
    /// How many attempts were made before this one, all of them throttled.
    #[serde(default)]
    attempts: u64,
    /// Every budget that the request passed.
    budgets: Vec<Budget>,
    external_usage_known: bool,
    outcome: ModelOutcome,
    /// What the tokens cost.
    #[serde(default)]
    prices: Option<Prices>,
    /// The service tier that the request asked for.
    #[serde(default)]
    service_tier: Option<ServiceTier>,
    /// The longest lifetime of its cache points.
    #[serde(default)]
    cache: Option<CacheTtl>,
    /// Labels of the request, for the log.
    #[serde(default)]
    tags: Option<Value>,
}

impl Settlement {
    /// What the call cost, where its model has a price. Where the answer does not say for how long it
    /// wrote to a cache, everything was written for as long as the request could ask for.
    fn cost(&self, used: &Used) -> Option<u64> {
        let one_hour = match (used.cache_write_1h, self.cache) {
            (Some(tokens), _) => tokens,
            (None, Some(CacheTtl::OneHour)) => used.tokens.cache_write_input_tokens,
            (None, Some(CacheTtl::FiveMinutes) | None) => 0,
        };
        let asked = self.service_tier.unwrap_or_default();
        Some(self.prices?.settled(asked, self.outcome.service_tier(), &used.tokens, one_hour))
    }
}

/// The tables.
#[derive(Debug)]
pub struct Context<L, C> {
    /// The ledger.
    pub ledger: L,
    /// The claims of idempotency keys.
    pub claims: C,
}

/// The tables that the environment names.
///
/// # Errors
/// `InternalError` when the variable `LEDGER_TABLE` or `CLAIMS_TABLE` is missing.
pub async fn prepare() -> Result<Context<LedgerTable, ClaimsTable>, SentryError> {
    let connection = Connection::from_env().await;
    Ok(Context {
        ledger: LedgerTable::new(&connection, required_variable("LEDGER_TABLE")?),
        claims: ClaimsTable::new(&connection, required_variable("CLAIMS_TABLE")?),
    })
}

/// Settles or releases. One write for each budget.
///
/// # Errors
/// `InternalError` for a document that it does not understand.
pub async fn handle<L: WriteLedger, C: ClaimKeys>(
    event: Value,
    Context { ledger, claims }: &Context<L, C>,
) -> Result<Value, SentryError> {
    let event: SettleEvent = sentry_lambda::read(&event)?;
    let (answer, is_over) = match event.settlement {
        Some(settlement) => settle(&event.request_id, settlement, ledger).await?,
        None => (SettleAnswer::default(), true),
    };
    // While a hold may still stand, the key stays taken.
    if let (Some(key), true) = (&event.idempotency_key, is_over) {
        claims.give_back(&Claim::new(event.tenant.as_deref(), key, &event.request_id, 0)).await;
    }
    serde_json::to_value(answer)
        .map_err(|error| SentryError::new(ErrorName::InternalError, error.to_string()))
}

/// Settles what is held; says whether nothing of it can still be held.
async fn settle(
    request_id: &str,
    settlement: Settlement,
    ledger: &impl WriteLedger,
) -> Result<(SettleAnswer, bool), SentryError> {
    let period: Period = settlement.period.parse().map_err(|error: sentry_core::month::MonthError| {
        SentryError::new(ErrorName::InternalError, error.to_string()).with("path", "settlement.period")
    })?;
    let bound = settlement.reservation.amounts;
    let used = settlement.outcome.used();
    let actual = used.as_ref().map_or(bound, |used| Amounts {
        input: used.tokens.all_input(),
        output: used.tokens.output_tokens,
        cost: settlement.cost(used).unwrap_or(0),
    });
    let mut budgets = settlement.settled;
    let mut notices = Notices::new(period);
    let mut left = settlement.reservation.holds.into_iter();
    let mut unsettled = Vec::new();
    let mut unknown = false;
    for hold in left.by_ref() {
        let item = hold.item.as_str();
        let Some(budget) = settlement.budgets.get(budgets.len()) else { break };
        let counters = match ledger.write(&hold.item, &hold.settle(actual, used.is_none())).await {
            LedgerOutcome::Applied(counters) => {
                // The own item of a split budget learns of this from reconcile, which announces it.
                if !hold.item.is_shard() {
                    notices.crossed(budget, &counters, actual);
                }
                counters
            }
            LedgerOutcome::Refused(counters) => {
                tracing::warn!(request_id, item, "the hold was released before it was settled");
                counters
            }
            LedgerOutcome::Throttled => {
                tracing::warn!(request_id, item, "the table has no capacity for the settlement");
                unsettled.push(hold);
                break;
            }
            _ => {
                unknown = true;
                tracing::warn!(request_id, item, "settlement without an outcome");
                // The budgets after it stay held too. Were the model's settled and its tenant's
                // not, reconcile would take the tenant's for a request that was never billed.
                break;
            }
        };
        let totals = if hold.item.is_shard() { Totals::known_to(&counters) } else { Totals::of(&[counters]) };
        budgets.push(BudgetDocument::new(budget, period, &totals, settlement.external_usage_known));
    }
    if !unsettled.is_empty() {
        unsettled.extend(left);
    }
    // Nothing is held in money for a model without a price.
    let dearer = bound.cost > 0 && actual.cost > bound.cost;
    let exceeded = used.is_some() && (actual.input > bound.input || actual.output > bound.output || dearer);
    if exceeded && settlement.attempts == 0 {
        tracing::error!(
            request_id,
            model = settlement.budgets.first().map(|budget| budget.key.as_str()),
            bound_input = bound.input,
            input = actual.input,
            bound_output = bound.output,
            output = actual.output,
            bound_cost_usd = usd_text(bound.cost),
            cost_usd = usd_text(actual.cost),
            "the request used more than its upper bound"
        );
        notices.bound_exceeded(request_id, &settlement.budgets, bound, actual);
    }
    let is_over = unsettled.is_empty() && !unknown;
    if is_over {
        tracing::info!(
            request_id,
            budget = settlement.budgets.first().map(|budget| budget.key.as_str()),
            input_tokens = actual.input,
            output_tokens = actual.output,
            cost_usd = usd_text(actual.cost),
            usage_estimated = used.is_none(),
            tags = settlement.tags.as_ref().map(ToString::to_string),
            "settled"
        );
    }
    let cost_usd = settlement.prices.map(|_| usd(actual.cost));
    let answer = SettleAnswer {
        throttled: !unsettled.is_empty(),
        reservation: (!unsettled.is_empty()).then_some(Reservation { holds: unsettled, amounts: bound }),
        budgets,
        usage: used.and_then(|used| used.document).unwrap_or_else(|| outcome::usage_document(actual)),
        usage_estimated: settlement.outcome.answered() && !settlement.outcome.reports_usage(),
        cost_usd,
        notices: notices.entries(),
    };
    Ok((answer, is_over))
}

#[cfg(test)]
mod tests;
