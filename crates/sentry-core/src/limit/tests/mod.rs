mod attributes;
mod check;
mod combine;
mod dimension;
mod pricing;

use std::collections::BTreeMap;

use super::*;
use crate::error::{ErrorName, SentryError};
use crate::model::ModelId;
use crate::month::parse_time;
use crate::price::Price;
use proptest::prelude::*;
use serde_json::{Value, json};

fn items(list: Value) -> BTreeMap<String, Value> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| (item["modelId"].as_str().unwrap().to_owned(), item.clone()))
        .collect()
}

fn attribute(item: Value) -> String {
    let error = LimitItem::parse(&item).unwrap_err();
    assert_eq!(error.name, ErrorName::LimitNotConfigured);
    assert_eq!(error.details["itemId"], item.get("modelId").cloned().unwrap_or(json!("(without modelId)")));
    assert!(error.message.contains("Correct the item"), "{}", error.message);
    error.details["attribute"].as_str().unwrap().to_owned()
}

#[test]
fn the_two_documented_items_are_enough() {
    let item =
        LimitItem::parse(&json!({"modelId": "default", "limit": {"input": 100_000, "output": 300_000}}))
            .unwrap();
    assert_eq!(item.limit, Some(Limit { input: Some(100_000), output: Some(300_000), cost: None }));
    assert_eq!((item.default_max_tokens, item.min_max_tokens, item.max_tokens_cap), (None, 64, None));
    assert_eq!((item.mode, item.shards, item.fallback_model_id), (Mode::Enforce, 1, None));
    assert_eq!(item.on_shortage, OnShortage::Shrink);
    assert_eq!(item.warn_at_percent, [80, 95, 100]);
}

#[test]
fn every_optional_attribute_is_read() {
    let item = LimitItem::parse(&json!({
        "modelId": "m", "limit": {"input": 0, "output": 5, "costUsd": 12.5}, "defaultMaxTokens": 7, "maxTokensCap": 8,
        "minMaxTokens": 9, "onShortage": "refuse", "warnAtPercent": [90, 50, 90], "aliasOf": "amazon.nova-pro-v1:0",
        "description": "the pilot's", "mode": "observe", "shards": 16, "fallbackModelId": "amazon.nova-lite-v1:0",
        "boost": {"output": 3, "costUsd": 0.5, "until": "2026-11-30T00:00:00Z"}, "calling": "converse",
        "pricePerMillionTokensUsd": {"input": 3, "output": 15, "cacheRead": 0.3}
    }))
    .unwrap();
    assert_eq!(item.limit, Some(Limit { input: Some(0), output: Some(5), cost: Some(12_500_000_000) }));
    assert_eq!((item.default_max_tokens, item.min_max_tokens, item.max_tokens_cap), (Some(7), 9, Some(8)));
    assert_eq!((item.on_shortage, item.mode, item.shards), (OnShortage::Refuse, Mode::Observe, 16));
    assert_eq!(item.warn_at_percent, [50, 90]);
    assert_eq!(item.alias_of.as_deref(), Some("amazon.nova-pro-v1:0"));
    assert_eq!(item.fallback_model_id.as_deref(), Some("amazon.nova-lite-v1:0"));
    assert_eq!(item.calling, Some(InvocationMode::Converse));
    let price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cache_read: 300_000,
        cache_write: 3_000_000,
        cache_write_1h: 3_000_000,
    };
    assert_eq!(item.prices, Some(Prices::standard(price)));
    let limit_at = |time: &str| item.limit_at(parse_time(time).unwrap()).unwrap();
    let boosted = Limit { input: Some(0), output: Some(8), cost: Some(13_000_000_000) };
    assert_eq!(limit_at("2026-11-29T23:59:59.999Z"), boosted);
    assert_eq!(limit_at("2026-11-30T00:00:00Z"), item.limit.unwrap());
}

#[test]
fn a_malformed_item_names_the_attribute() {
    let good = json!({"input": 1, "output": 1});
    assert_eq!(attribute(json!({"modelId": "m"})), "limit");
    assert_eq!(attribute(json!({"modelId": "m", "limit": 5})), "limit");
    assert_eq!(attribute(json!({"modelId": "m", "limit": {"input": 5}})), "limit.output");
    assert_eq!(attribute(json!({"modelId": "m", "limit": {"input": -5, "output": 1}})), "limit.input");
    assert_eq!(attribute(json!({"modelId": "m", "limit": {"input": "many", "output": 1}})), "limit.input");
    assert_eq!(attribute(json!({"modelId": "m", "limit": {"input": 1.5, "output": 1}})), "limit.input");
    assert_eq!(
        attribute(json!({"modelId": "m", "limit": {"input": 1, "output": MAX_LIMIT + 1}})),
        "limit.output"
    );
    assert_eq!(
        attribute(json!({"modelId": "m", "limit": {"input": 1, "output": 1, "images": 4}})),
        "limit.images"
    );
    assert_eq!(attribute(json!({"modelId": "m", "limit": good, "limt": 4})), "limt");
    assert_eq!(attribute(json!({"modelId": "m", "limit": good, "onShortage": "pray"})), "onShortage");
    assert_eq!(attribute(json!({"modelId": "m", "limit": good, "defaultMaxTokens": 0})), "defaultMaxTokens");
    assert_eq!(attribute(json!({"modelId": "m", "limit": good, "warnAtPercent": [101]})), "warnAtPercent");
    assert_eq!(attribute(json!({"modelId": "m", "limit": good, "aliasOf": ""})), "aliasOf");
    assert_eq!(attribute(json!([])), "");
    assert_eq!(attribute(json!({"limit": good})), "modelId");
    let with = |name: &str, value: Value| {
        let mut item = json!({"modelId": "m", "limit": good});
        item[name] = value;
        attribute(item)
    };
    assert_eq!(with("mode", json!("off")), "mode");
    assert_eq!(with("shards", json!(0)), "shards");
    assert_eq!(with("shards", json!(MAX_SHARDS + 1)), "shards");
    assert_eq!(with("calling", json!("grpc")), "calling");
    assert_eq!(with("fallbackModelId", json!("amazon.titan-embed-text-v2:0")), "fallbackModelId");
    assert_eq!(with("boost", json!({"input": 5})), "boost.until");
    assert_eq!(with("boost", json!({"until": "2026-11-30T00:00:00Z"})), "boost");
    assert_eq!(with("boost", json!({"costUsd": 5, "until": "2026-11-30T00:00:00Z"})), "boost.costUsd");
    assert_eq!(with("boost", json!({"input": 5, "until": "tomorrow"})), "boost.until");
    assert_eq!(with("limit", json!({})), "limit");
    assert_eq!(with("limit", json!({"costUsd": -1})), "limit.costUsd");
    assert_eq!(with("limit", json!({"costUsd": "10"})), "limit.costUsd");
    assert_eq!(with("pricePerMillionTokensUsd", json!({"input": 1})), "pricePerMillionTokensUsd.output");
    assert_eq!(with("pricePerMillionTokensUsd", json!(3)), "pricePerMillionTokensUsd");
}

#[test]
fn attributes_that_would_mean_nothing_are_refused() {
    let limit = json!({"input": 1, "output": 1});
    assert_eq!(
        attribute(json!({"modelId": "account", "limit": {"costUsd": 1}, "aliasOf": "amazon.nova-pro-v1:0"})),
        "aliasOf"
    );
    assert_eq!(
        attribute(json!({"modelId": "tenant/acme", "limit": limit, "maxTokensCap": 5})),
        "maxTokensCap"
    );
    assert_eq!(
        attribute(json!({"modelId": "x", "aliasOf": "amazon.nova-pro-v1:0", "mode": "observe"})),
        "mode"
    );
    assert_eq!(attribute(json!({"modelId": "account"})), "limit");
    assert_eq!(attribute(json!({"modelId": "default", "limit": limit, "calling": "native"})), "calling");
    for name in ["boost", "minMaxTokens", "onShortage", "warnAtPercent", "shards", "maxTokensCap"] {
        assert_eq!(attribute(json!({"modelId": "m", "mode": "block", (name): 1})), name);
    }
}

#[test]
fn an_item_that_blocks_needs_no_limit() {
    let nova = "amazon.nova-pro-v1:0";
    let blocking = LimitItem::parse(&json!({"modelId": nova, "mode": "block"})).unwrap();
    assert_eq!((blocking.limit, blocking.makes_a_budget()), (None, true));
    let mut all = items(json!([
        {"modelId": "default", "limit": {"input": 3, "output": 3}},
        {"modelId": nova, "mode": "block", "fallbackModelId": "amazon.nova-lite-v1:0"},
        {"modelId": "tenant/acme", "mode": "block", "description": "has not paid"},
    ]));
    // A limit of the default item is no way around it.
    let budget = &lookup("us.amazon.nova-pro-v1:0", &all).unwrap().budgets[0];
    assert_eq!((budget.mode, budget.limit, budget.item_id.as_str()), (Mode::Block, Limit::default(), nova));
    assert_eq!(budget.fallback_model_id.as_deref(), Some("amazon.nova-lite-v1:0"));
    let budgets = lookup_for("amazon.nova-lite-v1:0", Some("acme"), &all).unwrap().budgets;
    let modes: Vec<_> = budgets.iter().map(|budget| (budget.key.as_str(), budget.mode)).collect();
    assert_eq!(modes, [("tenant/acme", Mode::Block), ("amazon.nova-lite-v1:0", Mode::Enforce)]);
    // As little is the limit of the family's item.
    all = items(json!([
        {"modelId": nova, "limit": {"input": 3, "output": 3}},
        {"modelId": "us.amazon.nova-pro-v1:0", "mode": "block"},
    ]));
    assert_eq!(lookup("us.amazon.nova-pro-v1:0", &all).unwrap().budgets[0].mode, Mode::Block);
    assert_eq!(lookup(nova, &all).unwrap().budgets[0].mode, Mode::Enforce);
}

#[test]
fn another_name_of_the_same_model_is_refused_by_its_attribute() {
    let nova = "amazon.nova-lite-v1:0";
    for (id, target) in [
        ("us.amazon.nova-lite-v1:0", nova),
        (nova, "us.amazon.nova-lite-v1:0"),
        (nova, nova),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", nova),
    ] {
        let all = items(json!([
            {"modelId": "default", "limit": {"input": 3, "output": 3}},
            {"modelId": id, "aliasOf": target},
        ]));
        let error = lookup(id, &all).unwrap_err();
        assert_eq!(
            (error.name, &error.details["itemId"], &error.details["attribute"]),
            (ErrorName::LimitNotConfigured, &json!(id), &json!("aliasOf"))
        );
        assert!(error.message.contains("remove aliasOf"), "{}", error.message);
    }
}

#[test]
fn no_key_is_read_that_dynamodb_cannot_have() {
    let long = format!("arn:aws:bedrock:us-east-1:123456789012:imported-model/{}", "a".repeat(1_990));
    let model = ModelId::parse(&long).unwrap();
    let at = parse_time("2026-11-23T12:00:00Z").unwrap();
    let keys = Lookup { model: &model, tenant: Some("acme"), at }.keys();
    assert_eq!(keys.len(), 6, "{keys:?}");
    assert!(keys.contains(&long) && keys.iter().all(|key| key.len() <= 2_048));
}

fn lookup(id: &str, all: &BTreeMap<String, Value>) -> Result<Limits, SentryError> {
    lookup_for(id, None, all)
}

fn lookup_for(id: &str, tenant: Option<&str>, all: &BTreeMap<String, Value>) -> Result<Limits, SentryError> {
    let model = ModelId::parse(id).unwrap();
    let lookup = Lookup { model: &model, tenant, at: parse_time("2026-11-23T12:00:00Z").unwrap() };
    // Only what would be read may count.
    let mut keys = lookup.keys();
    let visible = |keys: &[String]| -> BTreeMap<String, Value> {
        all.iter()
            .filter(|(key, _)| keys.contains(key))
            .map(|(key, item)| (key.clone(), item.clone()))
            .collect()
    };
    let target = lookup.target(&visible(&keys))?;
    keys.extend(target.iter().flat_map(|target| lookup.keys_of_target(target)));
    lookup.resolve(target.as_ref(), &visible(&keys))
}

#[test]
fn a_tenants_budgets_come_before_the_models_and_the_accounts_comes_last() {
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    let all = items(json!([
        {"modelId": "default", "limit": {"input": 1, "output": 1}},
        {"modelId": "account", "limit": {"costUsd": 9}},
        {"modelId": "tenant/acme", "limit": {"input": 2, "output": 2}},
        {"modelId": "tenant/acme/amazon.nova-pro-v1:0", "limit": {"input": 3, "output": 3}},
        {"modelId": profile, "aliasOf": "amazon.nova-pro-v1:0"},
    ]));
    let keys = |id: &str, tenant: Option<&str>| -> Vec<String> {
        lookup_for(id, tenant, &all).unwrap().budgets.into_iter().map(|budget| budget.key).collect()
    };
    let nova = "amazon.nova-pro-v1:0";
    let all_of_them = ["tenant/acme/amazon.nova-pro-v1:0", "tenant/acme", nova, "account"];
    assert_eq!(keys("us.amazon.nova-pro-v1:0", Some("acme")), all_of_them);
    assert_eq!(keys(profile, Some("acme")), all_of_them);
    assert_eq!(keys(nova, Some("other")), [nova, "account"]);
    assert_eq!(
        keys("amazon.nova-lite-v1:0", Some("acme")),
        ["tenant/acme", "amazon.nova-lite-v1:0", "account"]
    );
    let external: Vec<bool> = lookup_for(nova, Some("acme"), &all)
        .unwrap()
        .budgets
        .iter()
        .map(|budget| budget.counts_external)
        .collect();
    assert_eq!(external, [false, false, true, false]);
}

#[test]
fn money_needs_a_price_where_it_can_refuse() {
    let unpriced = "cohere.command-r-plus-v1:0";
    let mut all = items(json!([
        {"modelId": "default", "limit": {"input": 1, "output": 1}},
        {"modelId": "account", "limit": {"costUsd": 9}},
    ]));
    let error = lookup(unpriced, &all).unwrap_err();
    assert_eq!(
        (error.name, &error.details["attribute"]),
        (ErrorName::LimitNotConfigured, &json!("pricePerMillionTokensUsd"))
    );
    assert!(error.message.contains(unpriced), "{}", error.message);
    assert!(lookup("amazon.nova-pro-v1:0", &all).unwrap().prices.is_some());
    all.insert("account".into(), json!({"modelId": "account", "limit": {"costUsd": 9}, "mode": "observe"}));
    assert_eq!(lookup(unpriced, &all).unwrap().prices, None);
    // The model's own price counts before the list, the default item's only where there is none.
    let price = |input: u64| json!({"input": input, "output": 1});
    all.insert("default".into(), json!({"modelId": "default", "limit": {"input": 1, "output": 1}, "pricePerMillionTokensUsd": price(7)}));
    assert_eq!(lookup(unpriced, &all).unwrap().prices.unwrap().standard.input, 7_000_000);
    assert_eq!(lookup("amazon.nova-pro-v1:0", &all).unwrap().prices.unwrap().standard.input, 800_000);
    all.insert(
        "amazon.nova-pro-v1:0".into(),
        json!({"modelId": "amazon.nova-pro-v1:0", "pricePerMillionTokensUsd": price(5)}),
    );
    let limits = lookup("us.amazon.nova-pro-v1:0", &all).unwrap();
    assert_eq!(
        (limits.prices.unwrap().standard.input, limits.budgets[0].item_id.as_str()),
        (5_000_000, "default")
    );
}

#[test]
fn the_most_specific_item_wins_and_the_family_shares_one_budget() {
    let all = items(json!([
        {"modelId": "us.amazon.nova-pro-v1:0", "limit": {"input": 1, "output": 1}},
        {"modelId": "amazon.nova-pro-v1:0", "limit": {"input": 2, "output": 2}},
        {"modelId": "default", "limit": {"input": 3, "output": 3}},
    ]));
    for (id, item_id, input) in [
        ("us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0", 1),
        ("eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 2),
        ("amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 2),
    ] {
        let budget = &lookup(id, &all).unwrap().budgets[0];
        assert_eq!((budget.key.as_str(), budget.item_id.as_str()), ("amazon.nova-pro-v1:0", item_id));
        assert_eq!(budget.limit.input, Some(input));
    }
    let budget = &lookup("us.amazon.nova-lite-v1:0", &all).unwrap().budgets[0];
    assert_eq!((budget.key.as_str(), budget.item_id.as_str()), ("amazon.nova-lite-v1:0", "default"));
}

#[test]
fn a_malformed_specific_item_is_not_passed_over() {
    let all = items(json!([
        {"modelId": "amazon.nova-pro-v1:0", "limit": "unlimited"},
        {"modelId": "default", "limit": {"input": 3, "output": 3}},
    ]));
    assert_eq!(lookup("amazon.nova-pro-v1:0", &all).unwrap_err().details["attribute"], "limit");
}

#[test]
fn without_any_item_nothing_is_admitted() {
    let error = lookup("us.amazon.nova-pro-v1:0", &BTreeMap::new()).unwrap_err();
    assert_eq!(error.name, ErrorName::LimitNotConfigured);
    assert!(error.message.contains("\"default\""), "{}", error.message);
}

#[test]
fn an_opaque_id_counts_as_the_model_that_it_stands_for() {
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    let mut all = items(json!([{"modelId": "default", "limit": {"input": 3, "output": 3}}]));
    assert_eq!(lookup(profile, &all).unwrap_err().name, ErrorName::UnsupportedModel);
    all.insert(profile.to_owned(), json!({"modelId": profile, "aliasOf": "eu.amazon.nova-pro-v1:0"}));
    let budget = &lookup(profile, &all).unwrap().budgets[0];
    assert_eq!((budget.key.as_str(), budget.item_id.as_str()), ("amazon.nova-pro-v1:0", "default"));
    all.insert(
        "amazon.nova-pro-v1:0".into(),
        json!({"modelId": "amazon.nova-pro-v1:0", "limit": {"input": 9, "output": 9}}),
    );
    assert_eq!(lookup(profile, &all).unwrap().budgets[0].limit.input, Some(9));
    all.insert(profile.to_owned(), json!({"modelId": profile, "aliasOf": "nothing known"}));
    assert_eq!(lookup(profile, &all).unwrap_err().details["attribute"], "aliasOf");
}

proptest! {
    #[test]
    fn any_number_is_a_limit_or_a_named_error(input in any::<i64>(), output in any::<f64>()) {
        match LimitItem::parse(&json!({"modelId": "m", "limit": {"input": input, "output": 10}})) {
            Ok(item) => prop_assert_eq!(item.limit.unwrap().input.and_then(|input| i64::try_from(input).ok()), Some(input)),
            Err(error) => prop_assert!(input < 0 || input.unsigned_abs() > MAX_LIMIT, "{}", error),
        }
        // A fraction, an infinity (null in JSON) or a number in floating point: none is a count.
        let odd = json!({"modelId": "m", "limit": {"input": 1, "output": output + 0.5}});
        prop_assert!(LimitItem::parse(&odd).is_err());
    }
}
