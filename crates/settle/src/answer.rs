//! The function's answer to the workflow.

use sentry_core::ledger::{BudgetDocument, Reservation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleAnswer {
    /// Whether the table had no capacity for a part of it: settle that part again in a moment.
    pub throttled: bool,
    /// What is not settled yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Reservation>,
    /// Every budget that was settled, narrowest first.
    pub budgets: Vec<BudgetDocument>,
    /// The usage as the caller sees it.
    pub usage: Value,
    /// Whether it is the upper bound, because the answer did not tell the true usage.
    pub usage_estimated: bool,
    /// What the request cost, where its model has a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Value>,
    /// Entries for EventBridge's `PutEvents`.
    pub notices: Vec<Value>,
}
