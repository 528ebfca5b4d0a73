//! The document of a refusal.

use sentry_core::error::ErrorName;
use sentry_core::ledger::{BudgetDocument, LONGEST_WAIT_SECONDS, shown};
use sentry_core::limit::{Dimension, Mode};
use sentry_core::money::usd_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::TriedModels;

/// The cause of a refused request, as the caller sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalCause {
    /// The error's name.
    #[serde(rename = "type")]
    pub name: ErrorName,
    /// A sentence that says what to do.
    pub message: String,
    /// The request.
    pub request_id: String,
    /// What does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<String>,
    /// What was asked for in that dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Value>,
    /// What is left in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Value>,
    /// When the budget's next month begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<String>,
    /// When trying again can help, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The limit item that the limit comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
    /// The budget that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetDocument>,
    /// `block` where the budget is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The models that were tried before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<TriedModels>,
}

/// A model that was asked for, and why it did not get to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriedModel {
    /// The model.
    pub model_id: String,
    /// The budget that refused it.
    pub budget: String,
    /// What was short; absent where the budget is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<String>,
}

impl RefusalCause {
    /// A refusal with nothing but a sentence.
    #[must_use]
    pub fn new(name: ErrorName, request_id: &str, message: String) -> Self {
        Self {
            name,
            message,
            request_id: request_id.to_owned(),
            dimension: None,
            requested: None,
            remaining: None,
            resets_at: None,
            retry_after_seconds: None,
            item_id: None,
            budget: None,
            mode: None,
            fallback: None,
        }
    }

    /// Another request holds the idempotency key, for so many seconds at most.
    #[must_use]
    pub fn in_progress(request_id: &str, seconds_left: i64) -> Self {
        let message = format!(
            "A request with the same idempotencyKey is in flight. Wait for its answer; if it was lost, the key is free again after {seconds_left} seconds at most."
        );
        Self {
            retry_after_seconds: Some(LONGEST_WAIT_SECONDS),
            ..Self::new(ErrorName::RequestInProgress, request_id, message)
        }
    }

    /// Says which dimension is short, and by how much.
    #[must_use]
    pub fn with_shortage(
        self,
        dimension: Dimension,
        requested: u64,
        remaining: u64,
        budget: Option<BudgetDocument>,
    ) -> Self {
        Self {
            dimension: Some(dimension.as_str().to_owned()),
            requested: Some(shown(dimension, requested)),
            remaining: Some(shown(dimension, remaining)),
            resets_at: budget.as_ref().map(|budget| budget.resets_at.clone()),
            budget,
            ..self
        }
    }
}

/// The sentence of a budget that has too little left.
pub fn message(dimension: Dimension, of_budget: &str, requested: u64, remaining: u64) -> String {
    let (kind, amount): (&str, fn(u64) -> String) = match dimension {
        Dimension::Input => ("input token budget", tokens),
        Dimension::Output => ("output token budget", tokens),
        Dimension::Cost => ("money budget", usd_text),
    };
    let verb = if remaining == 1 || dimension == Dimension::Cost { "is" } else { "are" };
    format!("The {kind} {of_budget}: it asks for {}, {} {verb} left.", amount(requested), amount(remaining))
}

fn tokens(number: u64) -> String {
    if number == 1 { "1 token".to_owned() } else { format!("{number} tokens") }
}
