//! Limits: what an administrator writes, and which budgets of it apply to a request.
//!
//! Fails closed. An item that cannot be understood admits nobody, and the error names the
//! item and the attribute, since whoever edited it by hand has to find the mistake.

mod item;
mod resolve;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::model::Calling;
use crate::money::Rates;

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

/// What a request takes, in each dimension. A budget's `input` counts cached input too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Nano-dollars; zero for a model without a price.
    #[serde(default)]
    pub cost: u64,
}

impl Amounts {
    /// The amount of one dimension.
    #[must_use]
    pub const fn get(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Input => self.input,
            Dimension::Output => self.output,
            Dimension::Cost => self.cost,
        }
    }

    /// The sum of two.
    #[must_use]
    pub const fn plus(&self, other: &Amounts) -> Amounts {
        Amounts {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cost: self.cost.saturating_add(other.cost),
        }
    }
}

/// A limit for each dimension that is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Input tokens, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Nano-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

impl Limit {
    /// The limit of one dimension, where it has one.
    #[must_use]
    pub const fn get(&self, dimension: Dimension) -> Option<u64> {
        match dimension {
            Dimension::Input => self.input,
            Dimension::Output => self.output,
            Dimension::Cost => self.cost,
        }
    }

    /// Each dimension that is limited, with its limit.
    pub fn each(self) -> impl Iterator<Item = (Dimension, u64)> {
        Dimension::ALL.into_iter().filter_map(move |dimension| Some((dimension, self.get(dimension)?)))
    }
}

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dimension {
    /// Input tokens, cached ones included.
    Input,
    /// Output tokens.
    Output,
    /// Money.
    Cost,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Dimension; 3] = [Dimension::Input, Dimension::Output, Dimension::Cost];

    /// The name in answers and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Dimension::Input => "input",
            Dimension::Output => "output",
            Dimension::Cost => "costUsd",
        }
    }
}

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
    /// The limit item that the numbers come from.
    pub item_id: String,
    /// The limit of the month, a boost included.
    pub limit: Limit,
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
    pub calling: Option<Calling>,
    /// What the model's tokens cost, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
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
