//! Which limit items apply to a request, and the budgets that they make.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::item::LimitItem;
use super::{
    ACCOUNT_ITEM, Budget, DEFAULT_ITEM, DEFAULT_MAX_TOKENS, Dimension, Limits, TENANT_PREFIX, combine,
};
use crate::error::{ErrorName, SentryError};
use crate::model::ModelId;
use crate::price::Listed;

/// DynamoDB has no longer key, and fails a read of one together with all others.
const MAX_KEY_BYTES: usize = 2_048;

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
        keys.retain(|key| key.len() <= MAX_KEY_BYTES);
        keys
    }

    /// The keys that can apply besides, once it is known which model an id stands for.
    #[must_use]
    pub fn keys_of_target(&self, target: &ModelId) -> Vec<String> {
        let known = self.keys();
        let mut keys = model_keys(target);
        keys.extend(self.tenant_model_keys(target));
        keys.retain(|key| key.len() <= MAX_KEY_BYTES && !known.contains(key));
        keys
    }

    /// The model that the id is another name of, where its limit item says so.
    ///
    /// # Errors
    /// [`ErrorName::LimitNotConfigured`] when the item is malformed.
    pub fn target(&self, items: &BTreeMap<String, Value>) -> Result<Option<ModelId>, SentryError> {
        let of_model = read(&model_keys(self.model), items)?;
        // An item says only ids that can be parsed: everything else of it is malformed.
        Ok(of_model.iter().find_map(|item| ModelId::parse(item.alias_of.as_deref()?).ok()))
    }

    /// Picks the items that apply and makes budgets of them, narrowest first: the tenant's for
    /// this model, the tenant's for all models, the model's, the account's.
    ///
    /// A model is governed by the item of its family, else by the default item, and besides by
    /// that of the very id that was asked for; the stricter counts in each dimension. A family
    /// shares one budget, whichever item its limit comes from: a prefix is no way around it.
    /// `target` is the model that [`Lookup::target`] gave.
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
        let models = || [Some(self.model), target].into_iter().flatten();
        let of_model = read(&models().flat_map(model_keys).collect::<Vec<_>>(), items)?;
        let default = read(&[DEFAULT_ITEM.to_owned()], items)?;
        let family_has_its_own = of_model.iter().any(|item| item.item_id == *family && item.makes_a_budget());
        let governing: Vec<&LimitItem> = of_model
            .iter()
            .chain(default.iter().filter(|_| !family_has_its_own))
            .filter(|item| item.makes_a_budget())
            .collect();

        let mut budgets = Vec::new();
        if let Some(tenant) = self.tenant_key() {
            let keys: Vec<String> = models().flat_map(|model| self.tenant_model_keys(model)).collect();
            budgets.extend(self.budget(format!("{tenant}/{family}"), &read(&keys, items)?));
            budgets.extend(self.budget(tenant.clone(), &read(&[tenant], items)?));
        }
        let of_family = combine::budget(family.clone(), &governing, self.at);
        let of_family = of_family.ok_or_else(|| self.no_limit(family))?;
        budgets.push(Budget { counts_external: true, ..of_family });
        let account = read(&[ACCOUNT_ITEM.to_owned()], items)?;
        budgets.extend(self.budget(ACCOUNT_ITEM.to_owned(), &account));

        let listed = Listed::of(family).map(|listed| listed.prices);
        let prices = of_model.iter().find_map(|item| item.prices).or(listed);
        let prices = prices.or_else(|| default.iter().find_map(|item| item.prices));
        if let (None, Some(budget)) = (prices, budgets.iter().find(|budget| budget.refuses_for_money())) {
            return Err(no_price(self.model, family, budget));
        }
        Ok(Limits {
            budgets,
            calling: of_model.iter().find_map(|item| item.calling),
            prices,
            default_max_tokens: governing
                .iter()
                .find_map(|item| item.default_max_tokens)
                .unwrap_or(DEFAULT_MAX_TOKENS),
            max_tokens_cap: governing.iter().filter_map(|item| item.max_tokens_cap).min(),
            family: family.clone(),
        })
    }

    fn budget(&self, key: String, items: &[LimitItem]) -> Option<Budget> {
        combine::budget(key, &items.iter().collect::<Vec<_>>(), self.at)
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
    .with("itemId", budget.item_of(Dimension::Cost))
    .with("attribute", "pricePerMillionTokensUsd")
}

/// The ids of a model's own items, the most specific first.
pub(super) fn model_keys(model: &ModelId) -> Vec<String> {
    let mut keys = vec![model.id.clone()];
    keys.extend(model.name_in_arn().map(str::to_owned));
    keys.push(model.family.clone());
    keys.dedup();
    keys
}

/// Those items that exist, each once, in the order of the keys.
fn read(keys: &[String], items: &BTreeMap<String, Value>) -> Result<Vec<LimitItem>, SentryError> {
    let mut keys: Vec<&String> = keys.iter().collect();
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(*key));
    keys.into_iter().filter_map(|key| items.get(key)).map(LimitItem::parse).collect()
}
