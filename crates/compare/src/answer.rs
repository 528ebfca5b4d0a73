//! The function's answer to the workflow.

use chrono::{DateTime, Utc};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{BudgetDocument, Refusal, Reservation, Totals, Verdict, next_wait};
use sentry_core::limit::{Budget, Dimension, MAX_FALLBACKS};
use sentry_core::model::ModelId;
use sentry_core::month::Period;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::refusal::{RefusalCause, TriedModel};
use crate::unavailable;

/// The function's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CompareAnswer {
    /// Reserved: call the model.
    Admit {
        /// The output that was reserved and that the model may write.
        max_tokens: u64,
        /// Whether that is less than was asked for.
        max_tokens_shrunk: bool,
        /// The time that the call of the model gets.
        model_timeout_seconds: i64,
        /// What was reserved.
        reservation: Box<Reservation>,
        /// Every budget that the request passed, narrowest first.
        budgets: Vec<BudgetDocument>,
        /// What the answer to the caller reports in addition.
        notes: Notes,
    },
    /// Wait, then compare again.
    Wait {
        /// For so long.
        wait_seconds: u64,
    },
    /// Count the input exactly, then compare again.
    Count,
    /// Start over with another model.
    Fallback {
        /// That model.
        model_id: String,
        /// The models before it.
        tried: Vec<TriedModel>,
    },
    /// Refuse.
    Refuse {
        /// The error's name.
        error: ErrorName,
        /// The error's document.
        cause: Box<RefusalCause>,
    },
}

/// What the answer to the caller reports in addition; empty for most requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notes {
    /// The budget for which the output was made shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrunk_by: Option<String>,
    /// Budgets that only observe and would have refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_have_refused: Vec<OverBudget>,
    /// The models that were asked for before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<TriedModels>,
}

/// A budget that would have refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverBudget {
    /// Its key.
    pub budget: String,
    /// What is over.
    pub dimension: String,
}

/// The models that were tried before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedModels {
    /// In their order.
    pub tried: Vec<TriedModel>,
}

impl CompareAnswer {
    /// The refusal with this cause.
    #[must_use]
    pub fn refuse(cause: RefusalCause) -> Self {
        Self::Refuse { error: cause.name, cause: Box::new(cause) }
    }
}

/// The answer as a document.
pub fn document(answer: &CompareAnswer) -> Result<Value, SentryError> {
    serde_json::to_value(answer)
        .map_err(|error| SentryError::new(ErrorName::InternalError, error.to_string()))
}

/// What an answer needs besides the verdict.
pub struct Asked<'a> {
    pub request_id: &'a str,
    pub request_hash: u64,
    pub model_id: &'a str,
    pub start: DateTime<Utc>,
    pub wanted: u64,
    pub waited_seconds: u64,
    pub budgets: &'a [Budget],
    pub tried: Vec<TriedModel>,
    pub external_usage_known: bool,
    pub model_seconds: i64,
}

impl Asked<'_> {
    pub fn answer(&self, verdict: Verdict) -> Result<CompareAnswer, SentryError> {
        Ok(match verdict {
            Verdict::Admit { reservation, totals, over, shrunk_by } => CompareAnswer::Admit {
                max_tokens: reservation.amounts.output,
                max_tokens_shrunk: reservation.amounts.output < self.wanted,
                model_timeout_seconds: self.model_seconds,
                reservation: Box::new(reservation),
                budgets: totals
                    .iter()
                    .enumerate()
                    .filter_map(|(index, totals)| self.budget(index, totals))
                    .collect(),
                notes: Notes {
                    shrunk_by: shrunk_by.map(|budget| self.key(budget).to_owned()),
                    would_have_refused: over.into_iter().map(|over| self.over_budget(over)).collect(),
                    fallback: self.tried_models(),
                },
            },
            Verdict::Wait => CompareAnswer::Wait { wait_seconds: self.next_wait() },
            Verdict::Count => CompareAnswer::Count,
            Verdict::Busy(refusal) => CompareAnswer::refuse(self.busy(&refusal)),
            Verdict::Exceeded(refusal) => self
                .fallback(refusal.budget, Some(refusal.dimension))
                .unwrap_or_else(|| CompareAnswer::refuse(self.exceeded(&refusal))),
            Verdict::Blocked(budget) => {
                self.fallback(budget, None).unwrap_or_else(|| CompareAnswer::refuse(self.blocked(budget)))
            }
            Verdict::Unavailable => return Err(unavailable()),
        })
    }

    fn budget(&self, index: usize, totals: &Totals) -> Option<BudgetDocument> {
        let budget = self.budgets.get(index)?;
        Some(BudgetDocument::new(budget, Period::of(self.start), totals, self.external_usage_known))
    }

    fn key(&self, budget: usize) -> &str {
        self.budgets.get(budget).map_or("", |budget| budget.key.as_str())
    }

    fn over_budget(&self, (budget, dimension): (usize, Dimension)) -> OverBudget {
        OverBudget { budget: self.key(budget).to_owned(), dimension: dimension.as_str().to_owned() }
    }

    fn tried_models(&self) -> Option<TriedModels> {
        (!self.tried.is_empty()).then(|| TriedModels { tried: self.tried.clone() })
    }

    fn next_wait(&self) -> u64 {
        next_wait(self.request_hash, self.waited_seconds)
    }

    /// The model that the limit item names to use instead, unless the chain is at its end.
    fn fallback(&self, budget: usize, dimension: Option<Dimension>) -> Option<CompareAnswer> {
        let next = self.budgets.get(budget)?.fallback_model_id.as_deref()?;
        let family = |id: &str| ModelId::parse(id).map(|model| model.family).ok();
        let mut seen = self.tried.iter().map(|tried| tried.model_id.as_str()).chain([self.model_id]);
        if self.tried.len() >= MAX_FALLBACKS || seen.any(|id| family(id) == family(next)) {
            return None;
        }
        let mut tried = self.tried.clone();
        tried.push(TriedModel {
            model_id: self.model_id.to_owned(),
            budget: self.key(budget).to_owned(),
            dimension: dimension.map(|dimension| dimension.as_str().to_owned()),
        });
        Some(CompareAnswer::Fallback { model_id: next.to_owned(), tried })
    }

    fn refusal(&self, name: ErrorName, message: String) -> RefusalCause {
        RefusalCause { fallback: self.tried_models(), ..RefusalCause::new(name, self.request_id, message) }
    }

    fn blocked(&self, index: usize) -> RefusalCause {
        let budget = self.budgets.get(index);
        let item = budget.map_or("", |budget| budget.item_id.as_str());
        let message = format!(
            "The budget of {} is switched off: its limit item {item:?} has the mode block. Ask the administrator of the limits.",
            self.key(index)
        );
        RefusalCause {
            mode: budget.map(|budget| budget.mode),
            ..self.refusal(ErrorName::BudgetExceeded, message)
        }
    }

    fn busy(&self, refusal: &Refusal) -> RefusalCause {
        let problem = "is held by requests in flight, and waiting did not help. Try again in a few seconds";
        self.short(ErrorName::BudgetBusy, problem, 1 + self.next_wait(), refusal)
    }

    fn exceeded(&self, refusal: &Refusal) -> RefusalCause {
        let problem =
            "has no room for this request. Ask for less, wait for the next month, or have the limit raised";
        let seconds = (Period::of(self.start).end() - self.start).num_seconds().max(1);
        self.short(ErrorName::BudgetExceeded, problem, u64::try_from(seconds).unwrap_or(1), refusal)
    }

    /// The refusal of a budget that has too little left.
    fn short(
        &self,
        name: ErrorName,
        problem: &str,
        retry_after_seconds: u64,
        refusal: &Refusal,
    ) -> RefusalCause {
        let budget = self.budgets.get(refusal.budget);
        let limit = budget.and_then(|budget| budget.limit.get(refusal.dimension)).unwrap_or(0);
        let item = budget.map_or("", |budget| budget.item_of(refusal.dimension));
        let committed = u64::try_from(refusal.totals.committed.get(refusal.dimension)).unwrap_or(0);
        let remaining = limit.saturating_sub(committed);
        let message = crate::refusal::message(
            refusal.dimension,
            &format!("of {} for {} {problem}", self.key(refusal.budget), Period::of(self.start)),
            refusal.requested,
            remaining,
        );
        let document = self.budget(refusal.budget, &refusal.totals);
        RefusalCause {
            retry_after_seconds: Some(retry_after_seconds),
            item_id: Some(item.to_owned()),
            ..self.refusal(name, message).with_shortage(
                refusal.dimension,
                refusal.requested,
                remaining,
                document,
            )
        }
    }
}
