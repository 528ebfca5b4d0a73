use std::collections::BTreeMap;

use super::*;
use sentry_core::error::ErrorName;

struct Items(Value);

impl ReadLimits for Items {
    async fn read(&self, keys: &[String]) -> Result<BTreeMap<String, Value>, SentryError> {
        let all = self.0.as_array().ok_or_else(|| SentryError::new(ErrorName::SentryUnavailable, "down"))?;
        let of = |key: &String| {
            all.iter().find(|item| item["modelId"] == **key).map(|item| (key.clone(), item.clone()))
        };
        Ok(keys.iter().filter_map(of).collect())
    }
}

#[tokio::test]
async fn an_alias_leads_to_the_family_of_its_model() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    let table = Items(json!([
        {"modelId": arn, "aliasOf": "us.anthropic.claude-sonnet-4-6"},
        {"modelId": "anthropic.claude-sonnet-4-6", "limit": {"input": 5, "output": 6}, "defaultMaxTokens": 7},
    ]));
    let limits = handle(json!({"modelId": arn}), &table).await.unwrap();
    assert_eq!(limits["budgets"][0]["key"], "anthropic.claude-sonnet-4-6");
    assert_eq!(limits["budgets"][0]["limit"], json!({"input": 5, "output": 6}));
    assert_eq!(limits["defaultMaxTokens"], 7);
}

#[tokio::test]
async fn without_the_table_nothing_is_admitted() {
    let error = handle(json!({"modelId": "amazon.nova-pro-v1:0"}), &Items(Value::Null)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::SentryUnavailable);
}
