//! The families of models that are in use, and the names under which CloudWatch counts them.

use std::collections::{BTreeMap, BTreeSet};

use sentry_aws::{MetricQuery, ModelIds};
use sentry_core::limit::{DEFAULT_ITEM, LimitItem, aliases};
use sentry_core::model::ModelId;
use sentry_core::money::Rates;
use sentry_core::price::{Listed, Prices};
use serde_json::Value;

/// One family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name, the key of its budget.
    pub name: String,
    /// Every id under which CloudWatch may count it.
    pub ids: ModelIds,
    /// What its tokens cost.
    pub prices: Option<FamilyRates>,
}

/// CloudWatch shows no tiers, no lifetime of caches and not how long an input was. So there are the
/// standard prices, and the dearest that a request can have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyRates {
    /// In the standard tier.
    pub standard: Rates,
    /// In any.
    pub dearest: Rates,
}

impl FamilyRates {
    fn of(prices: &Prices) -> Self {
        Self { standard: prices.standard.rates(), dearest: prices.dearest() }
    }

    fn or_dearer(self, other: Self) -> Self {
        Self {
            standard: self.standard.dearest(&other.standard),
            dearest: self.dearest.dearest(&other.dearest),
        }
    }
}

/// What the limits table and CloudWatch say of families.
#[derive(Debug)]
pub struct Families {
    metrics: Option<Vec<MetricQuery>>,
    ids: BTreeMap<String, BTreeSet<String>>,
    /// The dearest prices of any item of the family: CloudWatch does not say which item's price a
    /// request had.
    prices: BTreeMap<String, FamilyRates>,
    default_prices: Option<FamilyRates>,
}

impl Families {
    /// Sorts the ids in use by family; `aliasOf` says whose tokens stand under an opaque id.
    pub fn new(limits: &[Value], metrics: Option<Vec<MetricQuery>>) -> Self {
        let aliases = aliases(limits);
        let mut families =
            Self { metrics, ids: BTreeMap::new(), prices: BTreeMap::new(), default_prices: None };
        for (id, target) in &aliases {
            let Ok(model) = ModelId::parse(id) else { continue };
            families.ids.entry(target.family.clone()).or_default().extend(model.cloudwatch_ids());
        }
        let opaque: BTreeMap<String, String> = families
            .ids
            .iter()
            .flat_map(|(family, ids)| ids.iter().map(|id| (id.clone(), family.clone())))
            .collect();
        for metric in families.metrics.iter().flatten() {
            // Ids that are not chat models have no budget.
            let Ok(model) = ModelId::parse(&metric.model_id) else { continue };
            let family = opaque.get(&metric.model_id).cloned().unwrap_or(model.family);
            families.ids.entry(family).or_default().insert(metric.model_id.clone());
        }
        for item in limits.iter().filter_map(|item| LimitItem::parse(item).ok()) {
            let Some(prices) = item.prices.as_ref().map(FamilyRates::of) else { continue };
            if item.item_id == DEFAULT_ITEM {
                families.default_prices = Some(prices);
            }
            let Ok(model) = ModelId::parse(&item.item_id) else { continue };
            let target = aliases.get(&item.item_id).map(|target| target.family.clone());
            let known = families.prices.entry(target.unwrap_or(model.family)).or_insert(prices);
            *known = known.or_dearer(prices);
        }
        families
    }

    /// These families and those that CloudWatch shows, each once.
    pub fn with(&self, names: Vec<String>) -> Vec<Family> {
        let listed = if self.metrics.is_some() { self.ids.keys().cloned().collect() } else { Vec::new() };
        let names: BTreeSet<String> = names.into_iter().chain(listed).collect();
        names.into_iter().map(|name| self.family(name)).collect()
    }

    fn family(&self, name: String) -> Family {
        let mut ids = self.ids.get(&name).cloned().unwrap_or_default();
        ids.extend(ModelId::parse(&name).map(|model| model.cloudwatch_ids()).unwrap_or_default());
        let ids: Vec<String> = ids.into_iter().collect();
        let listed = Listed::of(&name).map(|listed| FamilyRates::of(&listed.prices));
        Family {
            prices: self.prices.get(&name).copied().or(listed).or(self.default_prices),
            ids: ModelIds { ids, listed: self.metrics.clone() },
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metric(model_id: &str) -> MetricQuery {
        MetricQuery { metric: "InputTokenCount", model_id: model_id.to_owned() }
    }

    #[test]
    fn ids_are_sorted_by_family_and_unknown_contexts_are_found() {
        let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
        let limits = [
            json!({"modelId": profile, "aliasOf": "amazon.nova-pro-v1:0"}),
            json!({"modelId": "amazon.nova-pro-v1:0", "pricePerMillionTokensUsd": {"input": 1, "output": 2}}),
        ];
        let metrics = vec![
            metric("us.amazon.nova-pro-v1:0"),
            metric("amazon.nova-pro-v1:0:300k"),
            metric("a1b2c3d4e5f6"),
            metric("amazon.titan-embed-text-v2:0"),
        ];
        let families = Families::new(&limits, Some(metrics)).with(vec!["amazon.nova-lite-v1:0".to_owned()]);
        let names: Vec<_> = families.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(names, ["amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"]);
        let nova = &families[1];
        for id in
            ["amazon.nova-pro-v1:0", "eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0:300k", "a1b2c3d4e5f6"]
        {
            assert!(nova.ids.ids.iter().any(|known| known == id), "{id}");
        }
        assert_eq!(nova.prices.unwrap().standard.output, 2_000_000);
    }
}
