//! Which limit items apply to a request, and the budgets that they make.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::item::{LimitItem, malformed};
use super::{ACCOUNT_ITEM, Budget, DEFAULT_ITEM, DEFAULT_MAX_TOKENS, Dimension, Limits, Mode, TENANT_PREFIX};
use crate::error::{ErrorName, SentryError};
use crate::model::ModelId;
use crate::price::Listed;

/// Whose limits are looked up, and when.
#[derive(Debug)]
pub struct Lookup<'a> {
    /// The model that was asked for.
    pub model: &'a ModelId,
    /// The tenant that asks.
    pub tenant: Option<&'a str>,
    /// The start of the execution: a boost counts by this time.
    pub at: DateTime<Utc>,
}

impl Lookup<'_> {
    /// The keys of the items that can apply, to be read together.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys = model_keys(self.model);
        keys.extend([DEFAULT_ITEM, ACCOUNT_ITEM].map(str::to_owned));
        keys.extend(self.tenant_model_keys(self.model));
        keys.extend(self.tenant_key());
        keys
    }

    /// The keys that can apply besides, once it is known which model an id stands for.
    #[must_use]
    pub fn keys_of_target(&self, target: &ModelId) -> Vec<String> {
        let known = self.keys();
        let mut keys = model_keys(target);
        keys.extend(self.tenant_model_keys(target));
        keys.retain(|key| !known.contains(key));
        keys
    }

    /// The model that the id is another name of, where its limit item says so.
    ///
    /// # Errors
    /// [`ErrorName::LimitNotConfigured`] when the item is malformed.
    pub fn target(&self, items: &BTreeMap<String, Value>) -> Result<Option<ModelId>, SentryError> {
        let Some(item) = first(&model_keys(self.model), items)? else { return Ok(None) };
        let Some(alias_of) = item.alias_of else { return Ok(None) };
        match ModelId::parse(&alias_of) {
            Ok(target) if !target.opaque => Ok(Some(target)),
            _ => Err(malformed(
                &item.item_id,
                "aliasOf",
                "must be the id of a chat model, such as amazon.nova-2-lite-v1:0",
            )),
        }
    }

    /// Picks the items that apply and makes budgets of them, narrowest first: the tenant's for
    /// this model, the tenant's for all models, the model's, the account's.
    ///
    /// A family shares one budget, whichever item its limit comes from: a prefix is no way
    /// around it. `target` is the model that [`Lookup::target`] gave.
    ///
    /// # Errors
    /// [`ErrorName::LimitNotConfigured`] when no item limits the model, when one that applies
    /// is malformed, or when a limit in money meets a model without a price;
    /// [`ErrorName::UnsupportedModel`] when nothing says which model an opaque id stands for.
    pub fn resolve(
        &self,
        target: Option<&ModelId>,
        items: &BTreeMap<String, Value>,
    ) -> Result<Limits, SentryError> {
        if self.model.opaque && target.is_none() {
            return Err(self.unknown_model());
        }
        let family = &target.unwrap_or(self.model).family;
        let mut own = model_keys(self.model);
        own.extend(target.map(model_keys).unwrap_or_default());
        let mut of_model = Vec::new();
        for key in &own {
            of_model.extend(items.get(key).map(LimitItem::parse).transpose()?);
        }
        let default = items.get(DEFAULT_ITEM).map(LimitItem::parse).transpose()?;
        let limiting = of_model.iter().chain(&default).find(|item| item.limit.is_some());
        let limiting = limiting.ok_or_else(|| self.no_limit(family))?;

        let mut budgets = Vec::new();
        if let Some(tenant) = self.tenant_key() {
            let mut keys = self.tenant_model_keys(self.model);
            keys.extend(target.map(|target| self.tenant_model_keys(target)).unwrap_or_default());
            if let Some(item) = first(&keys, items)? {
                budgets.extend(self.budget(format!("{tenant}/{family}"), &item));
            }
            if let Some(item) = first(std::slice::from_ref(&tenant), items)? {
                budgets.extend(self.budget(tenant, &item));
            }
        }
        budgets.extend(
            self.budget(family.clone(), limiting).map(|budget| Budget { counts_external: true, ..budget }),
        );
        if let Some(item) = first(&[ACCOUNT_ITEM.to_owned()], items)? {
            budgets.extend(self.budget(ACCOUNT_ITEM.to_owned(), &item));
        }

        let listed = Listed::of(family).map(|listed| listed.rates);
        let rates = of_model.iter().find_map(|item| item.rates).or(listed);
        let rates = rates.or_else(|| default.as_ref().and_then(|item| item.rates));
        let in_money =
            |budget: &&Budget| budget.mode == Mode::Enforce && budget.limit.get(Dimension::Cost).is_some();
        if let (None, Some(budget)) = (rates, budgets.iter().find(in_money)) {
            return Err(no_price(self.model, family, budget));
        }
        Ok(Limits {
            budgets,
            calling: of_model.iter().find_map(|item| item.calling),
            rates,
            default_max_tokens: limiting.default_max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            max_tokens_cap: limiting.max_tokens_cap,
            family: family.clone(),
        })
    }

    fn budget(&self, key: String, item: &LimitItem) -> Option<Budget> {
        Some(Budget {
            key,
            limit: item.limit_at(self.at)?,
            item_id: item.item_id.clone(),
            mode: item.mode,
            min_max_tokens: item.min_max_tokens,
            on_shortage: item.on_shortage,
            warn_at_percent: item.warn_at_percent.clone(),
            fallback_model_id: item.fallback_model_id.clone(),
            shards: item.shards,
            counts_external: false,
        })
    }

    /// The id of the tenant's item, and the key of its budget.
    fn tenant_key(&self) -> Option<String> {
        self.tenant.map(|tenant| format!("{TENANT_PREFIX}{tenant}"))
    }

    /// The ids of the tenant's items for one model, the most specific first.
    fn tenant_model_keys(&self, model: &ModelId) -> Vec<String> {
        let Some(tenant) = self.tenant_key() else { return Vec::new() };
        model_keys(model).into_iter().map(|key| format!("{tenant}/{key}")).collect()
    }

    fn unknown_model(&self) -> SentryError {
        SentryError::new(
            ErrorName::UnsupportedModel,
            format!(
                "Nothing says which model {:?} stands for. Put an item with this modelId and with aliasOf, the id of the model, into the limits table.",
                self.model.id
            ),
        )
        .with("modelId", self.model.id.as_str())
    }

    fn no_limit(&self, family: &str) -> SentryError {
        SentryError::new(
            ErrorName::LimitNotConfigured,
            format!(
                "No limit applies to {:?}. Put an item with modelId {family:?} or {DEFAULT_ITEM:?} into the limits table.",
                self.model.id
            ),
        )
        .with("modelId", self.model.id.as_str())
    }
}

/// The models that stand behind opaque ids, by id: every `aliasOf` of the limits table. Items
/// that cannot be understood are left out; who asks for their model is told.
#[must_use]
pub fn aliases<'a>(items: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, ModelId> {
    items
        .into_iter()
        .filter_map(|item| {
            let item = LimitItem::parse(item).ok()?;
            Some((item.item_id, ModelId::parse(&item.alias_of?).ok()?))
        })
        .collect()
}

fn no_price(model: &ModelId, family: &str, budget: &Budget) -> SentryError {
    SentryError::new(
        ErrorName::LimitNotConfigured,
        format!(
            "The budget of {} is in money, and the price of {family:?} is not known. Put pricePerMillionTokensUsd into the model's limit item.",
            budget.key
        ),
    )
    .with("modelId", model.id.as_str())
    .with("itemId", budget.item_id.as_str())
    .with("attribute", "pricePerMillionTokensUsd")
}

/// The ids of a model's own items, the most specific first.
fn model_keys(model: &ModelId) -> Vec<String> {
    let mut keys = vec![model.id.clone()];
    if model.family != model.id {
        keys.push(model.family.clone());
    }
    keys
}

/// The first item that exists.
fn first(keys: &[String], items: &BTreeMap<String, Value>) -> Result<Option<LimitItem>, SentryError> {
    keys.iter().find_map(|key| items.get(key)).map(LimitItem::parse).transpose()
}
