//! Several items govern one budget.

use proptest::sample::{select, subsequence};

use super::*;

const NOVA: &str = "amazon.nova-pro-v1:0";
const US: &str = "us.amazon.nova-pro-v1:0";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0";
const APPLICATION: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";

fn limits_of(budget: &Budget) -> Vec<(Dimension, u64, &str)> {
    budget.limit.each().map(|(dimension, limit)| (dimension, limit, budget.item_of(dimension))).collect()
}

#[test]
fn the_stricter_of_two_items_counts_in_each_dimension_and_is_named() {
    let all = items(json!([
        {"modelId": US, "limit": {"input": 1, "output": 20, "costUsd": 3}},
        {"modelId": NOVA, "limit": {"input": 10, "output": 2}},
        {"modelId": "default", "limit": {"input": 0, "output": 0}},
    ]));
    // What is below the exact id's limit cannot be raised by it.
    for id in [US, PROFILE] {
        let budget = &lookup(id, &all).unwrap().budgets[0];
        let expected =
            [(Dimension::Input, 1, US), (Dimension::Output, 2, NOVA), (Dimension::Cost, 3_000_000_000, US)];
        assert_eq!((limits_of(budget), budget.key.as_str()), (expected.to_vec(), NOVA), "{id}");
    }
    for id in [NOVA, "global.amazon.nova-pro-v1:0"] {
        let budget = &lookup(id, &all).unwrap().budgets[0];
        assert_eq!(limits_of(budget), [(Dimension::Input, 10, NOVA), (Dimension::Output, 2, NOVA)], "{id}");
        assert!(budget.limited_by.is_empty());
    }
    let written = json!(lookup(US, &all).unwrap().budgets[0]);
    assert_eq!((&written["itemId"], &written["limitedBy"]), (&json!(US), &json!({"output": NOVA})));
}

#[test]
fn without_a_family_item_the_default_counts_beside_the_exact_one() {
    let mut all = items(json!([
        {"modelId": "default", "limit": {"input": 5, "output": 5}},
        {"modelId": US, "limit": {"input": 9, "output": 1}},
    ]));
    let read = |all: &_, id| lookup(id, all).unwrap().budgets.remove(0);
    let budget = read(&all, US);
    assert_eq!(limits_of(&budget), [(Dimension::Input, 5, "default"), (Dimension::Output, 1, US)]);
    // A family's item without a limit says nothing of the limit.
    all.insert(NOVA.to_owned(), json!({"modelId": NOVA, "calling": "converse"}));
    assert_eq!(read(&all, US).limit.input, Some(5));
    all.remove("default");
    assert_eq!(read(&all, US).limit.input, Some(9));
    // The item of a profile and those of the model behind it count together.
    all = items(json!([
        {"modelId": APPLICATION, "aliasOf": US, "limit": {"input": 3, "output": 8}},
        {"modelId": US, "limit": {"input": 9, "output": 7}},
        {"modelId": NOVA, "limit": {"input": 8, "output": 9}},
        {"modelId": "default", "limit": {"input": 1, "output": 1}},
    ]));
    let budget = read(&all, APPLICATION);
    assert_eq!(limits_of(&budget), [(Dimension::Input, 3, APPLICATION), (Dimension::Output, 7, US)]);
}

#[test]
fn of_a_tenants_items_for_one_model_the_stricter_counts_too() {
    let of = |id: &str| format!("tenant/acme/{id}");
    let all = items(json!([
        {"modelId": "default", "limit": {"input": 99, "output": 99}},
        {"modelId": of(US), "limit": {"input": 9, "output": 1}},
        {"modelId": of(NOVA), "limit": {"input": 5, "output": 5}},
    ]));
    let budgets = lookup_for(PROFILE, Some("acme"), &all).unwrap().budgets;
    assert_eq!((budgets.len(), &budgets[0].key), (2, &of(NOVA)));
    let (us, nova) = (of(US), of(NOVA));
    let expected = [(Dimension::Input, 5, nova.as_str()), (Dimension::Output, 1, us.as_str())];
    assert_eq!(limits_of(&budgets[0]), expected);
}

#[test]
fn the_strictest_mode_counts_and_only_its_items_limit() {
    let with = |exact: &str, family: &str| {
        let all = items(json!([
            {"modelId": US, "limit": {"input": 1, "output": 1}, "mode": exact},
            {"modelId": NOVA, "limit": {"input": 9, "output": 9}, "mode": family},
        ]));
        let budget = lookup(US, &all).unwrap().budgets.remove(0);
        (budget.mode, budget.limit.input.unwrap(), budget.item_id)
    };
    let nova = |mode, input| (mode, input, NOVA.to_owned());
    let us = |mode, input| (mode, input, US.to_owned());
    assert_eq!(with("observe", "enforce"), nova(Mode::Enforce, 9));
    assert_eq!(with("enforce", "observe"), us(Mode::Enforce, 1));
    assert_eq!(with("observe", "observe"), us(Mode::Observe, 1));
    assert_eq!(with("enforce", "block"), nova(Mode::Block, 9));
    assert_eq!(with("block", "observe"), us(Mode::Block, 1));
}

#[test]
fn the_other_settings_are_the_stricter_ones_too() {
    let limit = json!({"input": 1, "output": 1});
    let all = items(json!([
        {"modelId": US, "limit": limit, "minMaxTokens": 7, "maxTokensCap": 100, "warnAtPercent": [90, 50], "shards": 2},
        {"modelId": NOVA, "limit": limit, "minMaxTokens": 9, "maxTokensCap": 90, "warnAtPercent": [90, 60], "shards": 4,
         "onShortage": "refuse", "defaultMaxTokens": 80, "fallbackModelId": "amazon.nova-lite-v1:0"},
    ]));
    let limits = lookup(US, &all).unwrap();
    let budget = &limits.budgets[0];
    assert_eq!((limits.max_tokens_cap, limits.default_max_tokens), (Some(90), 80));
    assert_eq!((budget.min_max_tokens, budget.on_shortage, budget.shards), (9, OnShortage::Refuse, 4));
    assert_eq!(budget.warn_at_percent, [50, 60, 90]);
    assert_eq!(budget.fallback_model_id.as_deref(), Some("amazon.nova-lite-v1:0"));
    // Those of the exact id come first where only one can count.
    let mut all = all;
    let exact = json!({"modelId": US, "limit": limit, "defaultMaxTokens": 5, "fallbackModelId": "amazon.nova-micro-v1:0"});
    all.insert(US.to_owned(), exact);
    let limits = lookup(US, &all).unwrap();
    assert_eq!(limits.default_max_tokens, 5);
    assert_eq!(limits.budgets[0].fallback_model_id.as_deref(), Some("amazon.nova-micro-v1:0"));
}

#[test]
fn a_missing_price_names_the_item_with_the_limit_in_money() {
    let unpriced = "cohere.command-r-plus-v1:0";
    let exact = format!("us.{unpriced}");
    let all = items(json!([
        {"modelId": exact, "limit": {"input": 1, "output": 1}},
        {"modelId": unpriced, "limit": {"costUsd": 1}},
    ]));
    let error = lookup(&exact, &all).unwrap_err();
    assert_eq!((&error.details["itemId"], &error.details["modelId"]), (&json!(unpriced), &json!(exact)));
}

const TIME: &str = "2026-11-23T12:00:00Z";

fn any_item(id: &'static str) -> impl Strategy<Value = Value> {
    let amounts = (0..4_u64, 0..4_u64, prop::option::of(0..4_u64), any::<bool>(), any::<bool>());
    let settings =
        (select(vec!["enforce", "observe", "block"]), any::<bool>(), 1..4_u64, 1..4_u64, any::<bool>());
    (amounts, settings).prop_map(
        move |((input, output, usd, tokens, boost), (mode, refuse, least, cap, limited))| {
            let mut item = json!({"modelId": id, "mode": mode});
            if !limited && mode == "block" {
                return item;
            }
            item["limit"] = match (tokens, usd) {
                (false, Some(usd)) => json!({"costUsd": usd}),
                (_, None) => json!({"input": input, "output": output}),
                (true, Some(usd)) => json!({"input": input, "output": output, "costUsd": usd}),
            };
            if boost && item["limit"].get("input").is_some() {
                item["boost"] = json!({"input": 2, "until": "2026-11-24T00:00:00Z"});
            }
            item["minMaxTokens"] = json!(least);
            item["onShortage"] = json!(if refuse { "refuse" } else { "shrink" });
            if id != "account" && !id.starts_with("tenant/") {
                item["maxTokensCap"] = json!(cap);
            }
            item
        },
    )
}

/// The keys that the documentation says govern a request for the id, in the budget of the family.
fn governing(id: &str, all: &BTreeMap<String, Value>) -> Vec<&'static str> {
    let mut keys = vec![NOVA];
    if !all.contains_key(NOVA) {
        keys = vec!["default"];
    }
    keys.extend([US].iter().filter(|_| id == US || id == PROFILE));
    keys.extend([PROFILE].iter().filter(|_| id == PROFILE));
    keys.retain(|key| all.contains_key(*key));
    keys
}

/// Whether the budget refuses whatever the item alone would refuse.
fn is_as_strict(budget: &Budget, item: &LimitItem) -> bool {
    let limit = item.limit_at(parse_time(TIME).unwrap()).unwrap_or_default();
    match (budget.mode, item.mode) {
        (Mode::Block, _) | (_, Mode::Observe) => true,
        (_, Mode::Block) | (Mode::Observe, Mode::Enforce) => false,
        (Mode::Enforce, Mode::Enforce) => {
            limit
                .each()
                .all(|(dimension, most)| budget.limit.get(dimension).is_some_and(|limit| limit <= most))
                && budget.min_max_tokens >= item.min_max_tokens
                && (item.on_shortage == OnShortage::Shrink || budget.on_shortage == OnShortage::Refuse)
        }
    }
}

proptest! {
    #[test]
    fn no_budget_admits_more_than_any_item_that_governs_it(
        chosen in subsequence(vec![0, 1, 2, 3], 1..=4),
        four in (any_item(PROFILE), any_item(US), any_item(NOVA), any_item("default")),
        id in select(vec![PROFILE, US, NOVA, "global.amazon.nova-pro-v1:0"]),
    ) {
        let four = [four.0, four.1, four.2, four.3];
        let all = items(chosen.into_iter().map(|index: usize| four[index].clone()).collect());
        let keys = governing(id, &all);
        let Ok(limits) = lookup(id, &all) else {
            prop_assert!(keys.is_empty());
            return Ok(());
        };
        let budget = &limits.budgets[0];
        let governing: Vec<LimitItem> = keys.iter().map(|key| LimitItem::parse(&all[*key]).unwrap()).collect();
        for item in &governing {
            prop_assert!(is_as_strict(budget, item), "{budget:?} {item:?}");
            prop_assert!(item.max_tokens_cap.is_none_or(|cap| limits.max_tokens_cap.is_some_and(|most| most <= cap)));
        }
        // And it is no stricter than they are: each limit is that of the item that is named.
        for (dimension, limit) in budget.limit.each() {
            let named = governing.iter().find(|item| item.item_id == budget.item_of(dimension)).unwrap();
            let its = named.limit_at(parse_time(TIME).unwrap()).and_then(|its| its.get(dimension));
            prop_assert_eq!((its, named.mode), (Some(limit), budget.mode));
        }
        prop_assert!(governing.iter().any(|item| item.mode == budget.mode && item.item_id == budget.item_id));
    }
}
