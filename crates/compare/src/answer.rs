//! What the workflow is told of a verdict.

use chrono::{DateTime, Utc};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{BudgetDocument, Counters, Refusal, Verdict};
use sentry_core::limit::Budget;
use sentry_core::month::Period;
use serde_json::{Value, json};

/// The longest single wait, in seconds; waits are spread from one second up to this.
const LONGEST_WAIT: u64 = 3;

/// What an answer needs besides the verdict.
pub struct Answer<'a> {
    pub request_id: &'a str,
    pub start: DateTime<Utc>,
    pub wanted: u64,
    pub waited_seconds: u64,
    pub budgets: &'a [Budget],
    pub external_usage_known: bool,
}

impl Answer<'_> {
    pub fn to(&self, verdict: Verdict) -> Result<Value, SentryError> {
        match verdict {
            Verdict::Admit { reservation, counters } => Ok(json!({
                "verdict": "admit",
                "maxTokens": reservation.output,
                "maxTokensShrunk": reservation.output < self.wanted,
                "reservation": reservation,
                "budget": self.document(0, &counters),
            })),
            Verdict::Wait(_) => Ok(json!({"verdict": "wait", "waitSeconds": self.jittered()})),
            Verdict::Busy(refusal) => Ok(self.refused(
                ErrorName::BudgetBusy,
                "is held by requests in flight, and waiting did not help. Try again in a few seconds",
                1 + self.jittered(),
                &refusal,
            )),
            Verdict::Exceeded(refusal) => {
                let seconds = (Period::of(self.start).end() - self.start).num_seconds().max(1);
                Ok(self.refused(
                    ErrorName::BudgetExceeded,
                    "has no room for this request. Ask for less, wait for the next month, or have the limit raised",
                    u64::try_from(seconds).unwrap_or(1),
                    &refusal,
                ))
            }
            Verdict::Unavailable => Err(SentryError::new(
                ErrorName::SentryUnavailable,
                "The ledger cannot be reached at the moment, so nothing is admitted. Try again shortly.",
            )),
        }
    }

    fn document(&self, budget: usize, counters: &Counters) -> Option<BudgetDocument> {
        let budget = self.budgets.get(budget)?;
        Some(BudgetDocument::new(budget, Period::of(self.start), counters, self.external_usage_known))
    }

    fn refused(&self, name: ErrorName, problem: &str, retry_after: u64, refusal: &Refusal) -> Value {
        let budget = self.document(refusal.budget, &refusal.counters);
        let dimension = refusal.dimension.as_str();
        let key = self.budgets.get(refusal.budget).map_or("", |budget| budget.key.as_str());
        let remaining = budget.as_ref().map(|budget| budget.dimension(refusal.dimension).remaining);
        let message = format!(
            "The {dimension} token budget of {key} for {} {problem}: it asks for {} tokens, {} are left.",
            Period::of(self.start),
            refusal.requested,
            remaining.unwrap_or(0)
        );
        json!({
            "verdict": "refuse",
            "error": name.as_str(),
            "cause": {
                "type": name.as_str(),
                "message": message,
                "requestId": self.request_id,
                "dimension": dimension,
                "requested": refusal.requested,
                "remaining": remaining,
                "resetsAt": budget.as_ref().map(|budget| budget.resets_at.clone()),
                "retryAfterSeconds": retry_after,
                "budget": budget,
            },
        })
    }

    /// One to three seconds, spread by the request's id: requests that were refused together
    /// must not come back together.
    fn jittered(&self) -> u64 {
        let spread = self
            .request_id
            .bytes()
            .fold(self.waited_seconds, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        1 + spread % LONGEST_WAIT
    }
}
