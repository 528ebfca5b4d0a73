//! Which limit governs a budget of the ledger, for those who come by without a request.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::item::LimitItem;
use super::{ACCOUNT_ITEM, Budget, DEFAULT_ITEM, TENANT_PREFIX, aliases, combine};
use crate::model::ModelId;

/// The budgets of the ledger and the items that govern them.
#[derive(Debug)]
pub struct Governing {
    items: BTreeMap<String, LimitItem>,
    /// The largest number of shards of any item of a model, by the budget's key: an item of an
    /// exact id splits the budget of its family.
    shards: BTreeMap<String, u16>,
}

impl Governing {
    /// Reads every item of the limits table. Items that cannot be understood are left out.
    #[must_use]
    pub fn new(limits: &[Value]) -> Self {
        let items: BTreeMap<_, _> = limits
            .iter()
            .filter_map(|item| LimitItem::parse(item).ok())
            .map(|item| (item.item_id.clone(), item))
            .collect();
        let aliases = aliases(limits);
        let mut shards: BTreeMap<String, u16> = BTreeMap::new();
        for (id, item) in &items {
            let (tenant, model) = split(id);
            let family = aliases.get(id).map(|target| target.family.clone());
            let family = family.or_else(|| ModelId::parse(model?).ok().map(|model| model.family));
            let key = match (tenant, family) {
                (Some(tenant), Some(family)) => format!("{TENANT_PREFIX}{tenant}/{family}"),
                (None, Some(family)) => family,
                (_, None) => id.clone(),
            };
            let most = shards.entry(key).or_insert(1);
            *most = (*most).max(item.shards);
        }
        Self { items, shards }
    }

    /// The budget with this key, as its own item or, for a model, `default` says; `None` where no
    /// item limits it.
    #[must_use]
    pub fn budget(&self, key: &str, at: DateTime<Utc>) -> Option<Budget> {
        let limiting = |id: &str| self.items.get(id).filter(|item| item.limit.is_some());
        let is_model = key != ACCOUNT_ITEM && !key.starts_with(TENANT_PREFIX);
        let default = || if is_model { limiting(DEFAULT_ITEM) } else { None };
        let item = limiting(key).or_else(default)?;
        let mut budget = combine::budget(key.to_owned(), &[item], at)?;
        budget.shards = budget.shards.max(self.shards.get(key).copied().unwrap_or(1));
        Some(budget)
    }
}

/// The tenant and the model of an item's id.
fn split(id: &str) -> (Option<&str>, Option<&str>) {
    match id.strip_prefix(TENANT_PREFIX) {
        None => (None, Some(id)),
        Some(rest) => match rest.split_once('/') {
            None => (Some(rest), None),
            Some((tenant, model)) => (Some(tenant), Some(model)),
        },
    }
}
