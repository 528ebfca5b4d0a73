//! Limits: what an administrator writes, and which budgets of it apply to a request.
//!
//! Fails closed. Requests that are governed by an item that cannot be read are refused, and the
//! error names the item and the attribute, since items are edited by hand.

mod attributes;
mod check;
mod combine;
mod dimension;
mod governing;
mod item;
mod pricing;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::InvocationMode;
use crate::price::Prices;

pub use attributes::{ATTRIBUTES, Attribute, Needs, Owner};
pub use check::{Finding, check_items};
pub use dimension::{Amounts, Dimension, Limit, MayBeAbsent, PerDimension, Unit};
pub use governing::Governing;
pub use item::{Boost, LimitItem};
pub use resolve::{Lookup, aliases};

/// The id of the item that applies where no other does.
pub const DEFAULT_ITEM: &str = "default";
/// The id of the item that limits everything together, and the key of its budget.
pub const ACCOUNT_ITEM: &str = "account";
/// How the ids of tenants' items begin, and the keys of their budgets.
pub const TENANT_PREFIX: &str = "tenant/";
/// `maxTokens` of a request that names none, where the limit item names none either.
pub const DEFAULT_MAX_TOKENS: u64 = 1_024;
/// The least output worth a shortened answer, unless the limit item says otherwise.
pub const DEFAULT_MIN_MAX_TOKENS: u64 = 64;
/// Percentages of a limit at which a notice is due, unless the limit item says otherwise.
pub const DEFAULT_WARN_AT_PERCENT: &[u8] = &[80, 95, 100];
/// The largest limit: ten to the fifteenth tokens leaves room for sums in 64 bits.
pub const MAX_LIMIT: u64 = 1_000_000_000_000_000;
/// The most items that a budget may be split into.
pub const MAX_SHARDS: u16 = 64;
/// Fallback models that a request may be passed on to, one after the other.
pub const MAX_FALLBACKS: usize = 3;

/// What to do with a request that asks for more output than is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnShortage {
    /// Reserve what is left and have the model write no more than that.
    #[default]
    Shrink,
    /// Refuse it.
    Refuse,
}

/// What a budget does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Refuses what does not fit.
    #[default]
    Enforce,
    /// Counts and refuses nothing; reports what it would have refused.
    Observe,
    /// Refuses everything: a switch for emergencies.
    Block,
}

/// A budget that must admit a request: its key in the ledger and its limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// The budget's key, without the period.
    pub key: String,
    /// The limit item that the budget comes from; of several the most specific of those with the
    /// strictest mode.
    pub item_id: String,
    /// The limit of the month, a boost included. A budget that blocks may have none.
    pub limit: Limit,
    /// The limit items that the limits of single dimensions come from, where it is another one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limited_by: BTreeMap<Dimension, String>,
    /// Whether it refuses.
    #[serde(default)]
    pub mode: Mode,
    /// The least output worth a shortened answer.
    pub min_max_tokens: u64,
    /// What to do when less is left than was asked for.
    pub on_shortage: OnShortage,
    /// Percentages of the limit at which a notice is due, ascending.
    pub warn_at_percent: Vec<u8>,
    /// The model to use instead when this budget is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_model_id: Option<String>,
    /// Items that the budget is split into.
    #[serde(default = "one_shard", skip_serializing_if = "is_one")]
    pub shards: u16,
    /// Whether what CloudWatch shows of the model counts against it.
    #[serde(default)]
    pub counts_external: bool,
}

impl Budget {
    /// Whether it refuses requests that cost too much, so that it needs to know what they cost.
    #[must_use]
    pub fn refuses_for_money(&self) -> bool {
        self.mode == Mode::Enforce && self.limit.get(Dimension::Cost).is_some()
    }

    /// The limit item that the limit of a dimension comes from.
    #[must_use]
    pub fn item_of(&self, dimension: Dimension) -> &str {
        self.limited_by.get(&dimension).unwrap_or(&self.item_id)
    }
}

/// The answer of limit-lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Every budget that must admit the request, narrowest first.
    pub budgets: Vec<Budget>,
    /// The family whose format and price count.
    pub family: String,
    /// The way in which a limit item has the model called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calling: Option<InvocationMode>,
    /// What the model's tokens cost, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// `maxTokens` of a request that names none.
    pub default_max_tokens: u64,
    /// The most that a request may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_cap: Option<u64>,
}

const fn one_shard() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_one(shards: &u16) -> bool {
    *shards == 1
}
