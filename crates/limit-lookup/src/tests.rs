use std::collections::BTreeMap;

use super::*;
use sentry_core::error::ErrorName;

struct Items(Value);

impl ReadLimits for Items {
    async fn read(&self, keys: &[String]) -> Result<BTreeMap<String, Value>, SentryError> {
        // DynamoDB refuses a BatchGetItem without keys.
        if keys.is_empty() {
            return Err(SentryError::new(ErrorName::SentryUnavailable, "no keys to read"));
        }
        let all = self.0.as_array().ok_or_else(|| SentryError::new(ErrorName::SentryUnavailable, "down"))?;
        let of = |key: &String| {
            all.iter().find(|item| item["modelId"] == **key).map(|item| (key.clone(), item.clone()))
        };
        Ok(keys.iter().filter_map(of).collect())
    }
}

fn event(model_id: &str) -> Value {
    json!({"modelId": model_id, "startTime": "2026-11-23T12:00:00Z"})
}

#[tokio::test]
async fn a_boost_counts_by_the_start_of_the_execution() {
    let table = Items(json!([
        {"modelId": "default", "limit": {"input": 5, "output": 6}, "boost": {"input": 10, "until": "2026-11-23T12:00:00Z"}},
    ]));
    let mut early = event("amazon.nova-pro-v1:0");
    early["startTime"] = json!("2026-11-23T11:59:59.999Z");
    assert_eq!(handle(early, &table).await.unwrap()["budgets"][0]["limit"]["input"], 15);
    let late = handle(event("amazon.nova-pro-v1:0"), &table).await.unwrap();
    assert_eq!(late["budgets"][0]["limit"]["input"], 5);
}

#[tokio::test]
async fn a_tenants_budgets_come_first_and_the_accounts_last() {
    let table = Items(json!([
        {"modelId": "default", "limit": {"input": 5, "output": 6}},
        {"modelId": "account", "limit": {"costUsd": 100}},
        {"modelId": "tenant/acme", "limit": {"input": 3, "output": 3}},
        {"modelId": "tenant/acme/amazon.nova-pro-v1:0", "limit": {"input": 2, "output": 2}},
        {"modelId": "tenant/other", "limit": {"input": 1, "output": 1}},
    ]));
    let mut event = event("us.amazon.nova-pro-v1:0");
    event["tenant"] = json!("acme");
    let limits = handle(event, &table).await.unwrap();
    let keys: Vec<_> = limits["budgets"].as_array().unwrap().iter().map(|budget| &budget["key"]).collect();
    assert_eq!(keys, ["tenant/acme/amazon.nova-pro-v1:0", "tenant/acme", "amazon.nova-pro-v1:0", "account"]);
    assert_eq!(limits["budgets"][3]["limit"], json!({"cost": 100_000_000_000_u64}));
}

#[tokio::test]
async fn an_alias_leads_to_the_family_of_its_model() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    let table = Items(json!([
        {"modelId": arn, "aliasOf": "us.anthropic.claude-sonnet-4-6"},
        {"modelId": "anthropic.claude-sonnet-4-6", "limit": {"input": 5, "output": 6}, "defaultMaxTokens": 7},
    ]));
    let limits = handle(event(arn), &table).await.unwrap();
    assert_eq!(limits["budgets"][0]["key"], "anthropic.claude-sonnet-4-6");
    assert_eq!(limits["budgets"][0]["limit"], json!({"input": 5, "output": 6}));
    assert_eq!(limits["defaultMaxTokens"], 7);
}

#[tokio::test]
async fn another_name_of_the_same_model_is_the_items_mistake_and_no_outage() {
    let table = Items(json!([
        {"modelId": "default", "limit": {"input": 5, "output": 6}},
        {"modelId": "us.amazon.nova-lite-v1:0", "aliasOf": "amazon.nova-lite-v1:0"},
    ]));
    let error = handle(event("us.amazon.nova-lite-v1:0"), &table).await.unwrap_err();
    assert_eq!((error.name, &error.details["attribute"]), (ErrorName::LimitNotConfigured, &json!("aliasOf")));
}

#[tokio::test]
async fn a_limit_of_one_id_counts_beside_that_of_its_family() {
    let table = Items(json!([
        {"modelId": "amazon.nova-lite-v1:0", "limit": {"input": 5, "output": 6}},
        {"modelId": "us.amazon.nova-lite-v1:0", "limit": {"input": 9, "output": 1}},
    ]));
    let profile = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    for (id, limit) in [
        ("us.amazon.nova-lite-v1:0", json!({"input": 5, "output": 1})),
        (profile, json!({"input": 5, "output": 1})),
        ("global.amazon.nova-lite-v1:0", json!({"input": 5, "output": 6})),
    ] {
        assert_eq!(handle(event(id), &table).await.unwrap()["budgets"][0]["limit"], limit, "{id}");
    }
}

#[tokio::test]
async fn without_the_table_nothing_is_admitted() {
    let error = handle(event("amazon.nova-pro-v1:0"), &Items(Value::Null)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::SentryUnavailable);
}
