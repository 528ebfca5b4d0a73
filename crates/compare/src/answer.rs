//! What the workflow is told of a verdict.

use chrono::{DateTime, Utc};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{BudgetDocument, Counters, Refusal, Verdict, shown};
use sentry_core::limit::{Budget, Dimension, MAX_FALLBACKS, Mode};
use sentry_core::model::ModelId;
use sentry_core::money::usd_text;
use sentry_core::month::Period;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest single wait, in seconds; waits are spread from one second up to this.
const LONGEST_WAIT: u64 = 3;

/// What an answer needs besides the verdict.
pub struct Answer<'a> {
    pub request_id: &'a str,
    pub model_id: &'a str,
    pub start: DateTime<Utc>,
    pub wanted: u64,
    pub waited_seconds: u64,
    pub budgets: &'a [Budget],
    pub tried: Vec<Tried>,
    pub external_usage_known: bool,
}

/// A model that was asked for, and why it did not get to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tried {
    /// The model.
    pub model_id: String,
    /// The budget that refused it.
    pub budget: String,
    /// What was short; absent where the budget is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<String>,
}

/// Spreads requests evenly by their ids (FNV-1a).
pub fn spread(request_id: &str) -> u64 {
    request_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub fn unavailable() -> SentryError {
    SentryError::new(
        ErrorName::SentryUnavailable,
        "The ledger cannot be reached at the moment, so nothing is admitted. Try again shortly.",
    )
}

/// Another request holds the idempotency key.
pub fn in_progress(request_id: &str, seconds_left: u64) -> Value {
    let name = ErrorName::RequestInProgress.as_str();
    json!({
        "verdict": "refuse",
        "error": name,
        "cause": {
            "type": name,
            "message": format!(
                "A request with the same idempotencyKey is in flight. Wait for its answer; if it was lost, the key is free again after {seconds_left} seconds at most."
            ),
            "requestId": request_id,
            "retryAfterSeconds": LONGEST_WAIT,
        },
    })
}

impl Answer<'_> {
    pub fn to(&self, verdict: Verdict) -> Result<Value, SentryError> {
        match verdict {
            Verdict::Admit { reservation, counters, over } => {
                let mut answer = json!({
                    "verdict": "admit",
                    "maxTokens": reservation.amounts.output,
                    "maxTokensShrunk": reservation.amounts.output < self.wanted,
                    "reservation": reservation,
                    "budget": self.document(0, &counters),
                    "notes": {},
                });
                if !over.is_empty() {
                    answer["notes"]["wouldHaveRefused"] = self.would_have_refused(&over);
                }
                if !self.tried.is_empty() {
                    answer["notes"]["fallback"] = json!({"tried": self.tried});
                }
                Ok(answer)
            }
            Verdict::Wait(_) => Ok(json!({"verdict": "wait", "waitSeconds": self.jittered()})),
            Verdict::Count => Ok(json!({"verdict": "count"})),
            Verdict::Busy(refusal) => Ok(self.refused(
                ErrorName::BudgetBusy,
                "is held by requests in flight, and waiting did not help. Try again in a few seconds",
                1 + self.jittered(),
                &refusal,
            )),
            Verdict::Exceeded(refusal) => Ok(self.fallback(refusal.budget, Some(refusal.dimension)).unwrap_or_else(|| {
                let seconds = (Period::of(self.start).end() - self.start).num_seconds().max(1);
                self.refused(
                    ErrorName::BudgetExceeded,
                    "has no room for this request. Ask for less, wait for the next month, or have the limit raised",
                    u64::try_from(seconds).unwrap_or(1),
                    &refusal,
                )
            })),
            Verdict::Blocked(budget) => {
                Ok(self.fallback(budget, None).unwrap_or_else(|| self.blocked(budget)))
            }
            Verdict::Unavailable => Err(unavailable()),
        }
    }

    fn document(&self, budget: usize, counters: &Counters) -> Option<BudgetDocument> {
        let budget = self.budgets.get(budget)?;
        Some(BudgetDocument::new(budget, Period::of(self.start), counters, self.external_usage_known))
    }

    fn key(&self, budget: usize) -> &str {
        self.budgets.get(budget).map_or("", |budget| budget.key.as_str())
    }

    fn would_have_refused(&self, over: &[(usize, Dimension)]) -> Value {
        over.iter()
            .map(|(budget, dimension)| json!({"budget": self.key(*budget), "dimension": dimension.as_str()}))
            .collect()
    }

    /// The model that the limit item names to use instead, unless the chain is at its end.
    fn fallback(&self, budget: usize, dimension: Option<Dimension>) -> Option<Value> {
        let next = self.budgets.get(budget)?.fallback_model_id.as_deref()?;
        let family = |id: &str| ModelId::parse(id).map(|model| model.family).ok();
        let mut seen = self.tried.iter().map(|tried| tried.model_id.as_str()).chain([self.model_id]);
        if self.tried.len() >= MAX_FALLBACKS || seen.any(|id| family(id) == family(next)) {
            return None;
        }
        let mut tried = self.tried.clone();
        tried.push(Tried {
            model_id: self.model_id.to_owned(),
            budget: self.key(budget).to_owned(),
            dimension: dimension.map(|dimension| dimension.as_str().to_owned()),
        });
        Some(json!({"verdict": "fallback", "modelId": next, "tried": tried}))
    }

    fn blocked(&self, budget: usize) -> Value {
        let name = ErrorName::BudgetExceeded.as_str();
        let item = self.budgets.get(budget).map_or("", |budget| budget.item_id.as_str());
        let message = format!(
            "The budget of {} is switched off: its limit item {item:?} has the mode block. Ask whoever looks after the limits.",
            self.key(budget)
        );
        let mut cause =
            json!({"type": name, "message": message, "requestId": self.request_id, "mode": Mode::Block});
        self.note_fallback(&mut cause);
        json!({"verdict": "refuse", "error": name, "cause": cause})
    }

    fn refused(&self, name: ErrorName, problem: &str, retry_after: u64, refusal: &Refusal) -> Value {
        let budget = self.document(refusal.budget, &refusal.counters);
        let dimension = refusal.dimension;
        let limit =
            self.budgets.get(refusal.budget).and_then(|budget| budget.limit.get(dimension)).unwrap_or(0);
        let committed = u64::try_from(refusal.counters.committed(dimension)).unwrap_or(0);
        let remaining = limit.saturating_sub(committed);
        let (kind, amount): (&str, fn(u64) -> String) = match dimension {
            Dimension::Input => ("input token budget", |tokens| format!("{tokens} tokens")),
            Dimension::Output => ("output token budget", |tokens| format!("{tokens} tokens")),
            Dimension::Cost => ("money budget", usd_text),
        };
        let message = format!(
            "The {kind} of {} for {} {problem}: it asks for {}, {} are left.",
            self.key(refusal.budget),
            Period::of(self.start),
            amount(refusal.requested),
            amount(remaining)
        );
        let mut cause = json!({
            "type": name.as_str(),
            "message": message,
            "requestId": self.request_id,
            "dimension": dimension.as_str(),
            "requested": shown(dimension, refusal.requested),
            "remaining": shown(dimension, remaining),
            "resetsAt": budget.as_ref().map(|budget| budget.resets_at.clone()),
            "retryAfterSeconds": retry_after,
            "budget": budget,
        });
        self.note_fallback(&mut cause);
        json!({"verdict": "refuse", "error": name.as_str(), "cause": cause})
    }

    /// Says which models were tried before.
    fn note_fallback(&self, cause: &mut Value) {
        if !self.tried.is_empty() {
            cause["fallback"] = json!({"tried": self.tried});
        }
    }

    /// One to three seconds, spread by the request's id: requests that were refused together
    /// must not come back together.
    fn jittered(&self) -> u64 {
        1 + spread(self.request_id).wrapping_add(self.waited_seconds) % LONGEST_WAIT
    }
}
