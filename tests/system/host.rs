//! A host of one's own for each test, and a look into its tables.

use std::collections::BTreeMap;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use sentry_local::{Config, Finished, Host};
use serde_json::{Value, json};

/// A host with these limit items, no metric lag and instantaneous models.
pub async fn start(limits: Value, change: impl FnOnce(&mut Config)) -> Host {
    let mut config = Config {
        limits: limits.as_array().unwrap().clone(),
        model_latency: Some(std::time::Duration::ZERO),
        ..Config::default()
    };
    change(&mut config);
    sentry_local::start(config).await.unwrap_or_else(|error| panic!("{error}"))
}

pub fn limit(model_id: &str, input: u64, output: u64) -> Value {
    json!({"modelId": model_id, "limit": {"input": input, "output": output}})
}

pub fn request(model_id: &str, text: &str) -> Value {
    json!({"modelId": model_id, "prompt": {"messages": [{"role": "user", "content": text}]}})
}

/// Sends a request through the rate-limiter: the answer, or the error with its cause.
pub async fn ask(host: &Host, request: &Value) -> Result<Value, (String, Value)> {
    let finished =
        host.execute("rate-limiter", None, &request.to_string()).await.expect("the execution starts");
    result(&finished)
}

pub fn result(finished: &Finished) -> Result<Value, (String, Value)> {
    match &finished.output {
        Some(output) => Ok(serde_json::from_str(output).unwrap()),
        None => {
            let cause =
                serde_json::from_str(finished.cause.as_deref().unwrap_or("null")).unwrap_or(Value::Null);
            Err((finished.error.clone().unwrap_or_default(), cause))
        }
    }
}

/// The host's tables, past everything that the sentry does.
pub struct Tables(Client);

impl Tables {
    pub async fn of(host: &Host) -> Self {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(host.url())
            .region("us-east-1")
            .test_credentials()
            .load()
            .await;
        Self(Client::new(&config))
    }

    /// The numbers of every ledger item.
    pub async fn ledger(&self) -> BTreeMap<String, BTreeMap<String, i64>> {
        let items = self.0.scan().table_name("sentry-ledger").consistent_read(true).send().await.unwrap();
        items
            .items()
            .iter()
            .map(|item| {
                let numbers = item
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.as_n().ok()?.parse().ok()?)));
                (item["budget"].as_s().unwrap().clone(), numbers.collect())
            })
            .collect()
    }

    /// One item's numbers, without those that are zero.
    pub async fn budget(&self, key: &str) -> BTreeMap<String, i64> {
        let mut item = self.ledger().await.remove(key).unwrap_or_default();
        item.retain(|name, number| *number != 0 && name != "expiresAt" && name != "period");
        item
    }

    pub async fn put_limit(&self, item: &Value) {
        let item =
            item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
        self.0.put_item().table_name("sentry-limits").set_item(Some(item)).send().await.unwrap();
    }

    pub async fn delete_limit(&self, key: &str) {
        let key = AttributeValue::S(key.to_owned());
        self.0.delete_item().table_name("sentry-limits").key("modelId", key).send().await.unwrap();
    }
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::Array(items) => AttributeValue::L(items.iter().map(attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
        other => panic!("{other} is not used in limits here"),
    }
}
