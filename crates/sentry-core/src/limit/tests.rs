use super::*;
use proptest::prelude::*;
use serde_json::json;

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
    assert_eq!(item.limit, Some(Amounts { input: 100_000, output: 300_000 }));
    assert_eq!((item.default_max_tokens, item.min_max_tokens, item.max_tokens_cap), (1_024, 64, None));
    assert_eq!(item.on_shortage, OnShortage::Shrink);
    assert_eq!(item.warn_at_percent, [80, 95, 100]);
}

#[test]
fn every_optional_attribute_is_read() {
    let item = LimitItem::parse(&json!({
        "modelId": "m", "limit": {"input": 0, "output": 5}, "defaultMaxTokens": 7, "maxTokensCap": 8, "minMaxTokens": 9,
        "onShortage": "refuse", "warnAtPercent": [90, 50, 90], "aliasOf": "x.y", "description": "the pilot's"
    }))
    .unwrap();
    assert_eq!(item.limit, Some(Amounts { input: 0, output: 5 }));
    assert_eq!((item.default_max_tokens, item.min_max_tokens, item.max_tokens_cap), (7, 9, Some(8)));
    assert_eq!(item.on_shortage, OnShortage::Refuse);
    assert_eq!(item.warn_at_percent, [50, 90]);
    assert_eq!(item.alias_of.as_deref(), Some("x.y"));
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
}

fn lookup(id: &str, all: &BTreeMap<String, Value>) -> Result<Limits, SentryError> {
    let model = ModelId::parse(id).unwrap();
    let target = alias(&model, all)?;
    resolve(&model, target.as_ref(), all)
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
        assert_eq!(budget.limit.input, input);
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
    assert_eq!(lookup(profile, &all).unwrap().budgets[0].limit.input, 9);
    all.insert(profile.to_owned(), json!({"modelId": profile, "aliasOf": "nothing-known"}));
    assert_eq!(lookup(profile, &all).unwrap_err().details["attribute"], "aliasOf");
}

proptest! {
    #[test]
    fn any_number_is_a_limit_or_a_named_error(input in any::<i64>(), output in any::<f64>()) {
        match LimitItem::parse(&json!({"modelId": "m", "limit": {"input": input, "output": 10}})) {
            Ok(item) => prop_assert_eq!(i64::try_from(item.limit.unwrap().input).unwrap(), input),
            Err(error) => prop_assert!(input < 0 || input.unsigned_abs() > MAX_LIMIT, "{}", error),
        }
        // A fraction, an infinity (null in JSON) or a number in floating point: none is a count.
        let odd = json!({"modelId": "m", "limit": {"input": 1, "output": output + 0.5}});
        prop_assert!(LimitItem::parse(&odd).is_err());
    }
}
