//! Prices in limit items, and the price at which a request is reserved.

use super::*;
use crate::money::Rates;
use crate::price::{CacheTtl, LongPrice, Price, Prices, ServiceTier};

fn priced(price: &Value) -> Prices {
    LimitItem::parse(&json!({"modelId": "m", "pricePerMillionTokensUsd": price})).unwrap().prices.unwrap()
}

const fn price([input, output, cache_read, cache_write, cache_write_1h]: [u64; 5]) -> Price {
    Price { input, output, cache_read, cache_write, cache_write_1h }
}

#[test]
fn an_item_may_price_writes_for_an_hour_tiers_and_long_inputs() {
    let prices = priced(&json!({
        "input": 3, "output": 15, "cacheRead": 0.3, "cacheWrite": 3.75, "cacheWrite1h": 7,
        "flex": {"input": 1, "output": 2}, "priority": {"input": 5, "output": 20, "cacheRead": 1},
        "long": {"above": 200_000, "input": 6, "output": 22.5},
    }));
    assert_eq!(
        prices,
        Prices {
            standard: price([3_000_000, 15_000_000, 300_000, 3_750_000, 7_000_000]),
            flex: Some(price([1_000_000, 2_000_000, 1_000_000, 1_000_000, 1_000_000])),
            priority: Some(price([5_000_000, 20_000_000, 1_000_000, 5_000_000, 5_000_000])),
            long: Some(LongPrice {
                above: 200_000,
                price: price([6_000_000, 22_500_000, 6_000_000, 6_000_000, 6_000_000])
            }),
        }
    );
    // Where writes have a price of their own, those for an hour cost no less than twice the input.
    for (written, hour) in [(3.75, 6_000_000), (9.0, 9_000_000)] {
        let prices = priced(&json!({"input": 3, "output": 15, "cacheWrite": written}));
        assert_eq!(prices.standard.cache_write_1h, hour);
    }
}

#[test]
fn a_malformed_price_names_the_attribute() {
    let good = || json!({"input": 1, "output": 1});
    let with = |name: &str, value: Value| {
        let mut price = good();
        price[name] = value;
        attribute(json!({"modelId": "m", "pricePerMillionTokensUsd": price}))
    };
    assert_eq!(with("cacheWrite1h", json!("2")), "pricePerMillionTokensUsd.cacheWrite1h");
    assert_eq!(with("batch", json!(1)), "pricePerMillionTokensUsd.batch");
    assert_eq!(with("flex", json!(1)), "pricePerMillionTokensUsd.flex");
    assert_eq!(with("flex", json!({"input": 1})), "pricePerMillionTokensUsd.flex.output");
    assert_eq!(
        with("priority", json!({"input": -1, "output": 1})),
        "pricePerMillionTokensUsd.priority.input"
    );
    assert_eq!(
        with("priority", json!({"input": 1, "output": 1, "above": 1})),
        "pricePerMillionTokensUsd.priority.above"
    );
    assert_eq!(with("long", good()), "pricePerMillionTokensUsd.long.above");
    assert_eq!(
        with("long", json!({"above": 0, "input": 1, "output": 1})),
        "pricePerMillionTokensUsd.long.above"
    );
    assert_eq!(with("long", json!({"above": 9, "input": 1})), "pricePerMillionTokensUsd.long.output");
}

fn limits(model: &str, account: Value) -> Limits {
    let all = items(json!([
        {"modelId": "default", "limit": {"input": 1, "output": 1}},
        {"modelId": "account", "limit": {"costUsd": 9}, "mode": account},
    ]));
    lookup(model, &all).unwrap()
}

#[test]
fn a_tier_without_a_price_is_refused_where_money_can_refuse() {
    let claude = limits("us.anthropic.claude-sonnet-4-6", json!("enforce"));
    for (tier, attribute) in [
        (ServiceTier::Flex, "pricePerMillionTokensUsd.flex"),
        (ServiceTier::Priority, "pricePerMillionTokensUsd.priority"),
    ] {
        let error = claude.reserved_rates(tier, None, 1).unwrap_err();
        assert_eq!(
            (error.name, &error.details["attribute"], &error.details["itemId"], &error.details["modelId"]),
            (
                ErrorName::LimitNotConfigured,
                &json!(attribute),
                &json!("account"),
                &json!("anthropic.claude-sonnet-4-6")
            )
        );
        assert!(
            error.message.contains(attribute) && error.message.contains("serviceTier"),
            "{}",
            error.message
        );
    }
    assert!(claude.reserved_rates(ServiceTier::Default, None, 1).unwrap().is_some());
    let nova = limits("amazon.nova-pro-v1:0", json!("enforce"));
    assert_eq!(nova.reserved_rates(ServiceTier::Priority, None, 1).unwrap().unwrap().input, 1_400_000);
    // A budget that only observes refuses nothing, and counts at the price that is known.
    let observed = limits("us.anthropic.claude-sonnet-4-6", json!("observe"));
    assert_eq!(observed.reserved_rates(ServiceTier::Priority, None, 1).unwrap().unwrap().input, 3_300_000);
    let unpriced = limits("cohere.command-r-plus-v1:0", json!("observe"));
    assert_eq!(unpriced.reserved_rates(ServiceTier::Default, None, 1).unwrap(), None);
}

#[test]
fn writes_to_a_cache_count_where_the_request_or_the_vendor_can_cause_them() {
    let write = |model: &str, cache: Option<CacheTtl>| {
        let Rates { input, cache_write, .. } =
            limits(model, json!("enforce")).reserved_rates(ServiceTier::Default, cache, 1).unwrap().unwrap();
        (input, cache_write)
    };
    let claude = "us.anthropic.claude-sonnet-4-6";
    assert_eq!(write(claude, None), (3_300_000, 3_300_000));
    assert_eq!(write(claude, Some(CacheTtl::FiveMinutes)), (3_300_000, 4_125_000));
    assert_eq!(write(claude, Some(CacheTtl::OneHour)), (3_300_000, 6_600_000));
    // GPT writes to its cache, and bills it, without any cache point.
    assert_eq!(write("us.openai.gpt-6-sol", None), (2_200_000, 2_750_000));
}
