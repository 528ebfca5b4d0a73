//! The limits table. Fails closed: without an answer there is no limit to compare with.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use sentry_core::error::{ErrorName, SentryError};
use serde_json::{Number, Value};

use crate::{Connection, ReadLimits, ScanLimits};

/// Rounds of asking again for keys that DynamoDB left out under load.
const ROUNDS: u32 = 4;

/// The limits table in DynamoDB, key `modelId`.
#[derive(Debug, Clone)]
pub struct LimitsTable {
    client: Client,
    table: String,
}

impl LimitsTable {
    /// The table of that name.
    #[must_use]
    pub fn new(connection: &Connection, table: String) -> Self {
        Self { client: Client::new(&connection.config), table }
    }
}

impl ReadLimits for LimitsTable {
    /// One strongly consistent batch read, so that an edit counts from the next request on.
    async fn read(&self, keys: &[String]) -> Result<BTreeMap<String, Value>, SentryError> {
        let mut wanted: Vec<HashMap<String, AttributeValue>> = keys
            .iter()
            .map(|key| HashMap::from([("modelId".to_owned(), AttributeValue::S(key.clone()))]))
            .collect();
        let mut found = BTreeMap::new();
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(Duration::from_millis(25 << round)).await;
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut wanted)))
                .consistent_read(true)
                .build()
                .map_err(|_| unreachable_limits("no keys to read"))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(|error| unreachable_limits(&DisplayErrorContext(&error).to_string()))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                let item = document(item);
                if let Some(key) = item.get("modelId").and_then(Value::as_str) {
                    found.insert(key.to_owned(), item.clone());
                }
            }
            wanted = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .flat_map(|left| left.keys)
                .collect();
            if wanted.is_empty() {
                return Ok(found);
            }
        }
        Err(unreachable_limits("DynamoDB keeps leaving keys unread"))
    }
}

impl ScanLimits for LimitsTable {
    async fn scan(&self) -> Result<Vec<Value>, SentryError> {
        let mut pages = self.client.scan().table_name(&self.table).into_paginator().send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| unreachable_limits(&DisplayErrorContext(&error).to_string()))?;
            items.extend(page.items.unwrap_or_default().into_iter().map(document));
        }
        Ok(items)
    }
}

/// An item as a JSON document.
pub(crate) fn document(item: HashMap<String, AttributeValue>) -> Value {
    Value::Object(item.into_iter().map(|(name, value)| (name, json(value))).collect())
}

fn unreachable_limits(reason: &str) -> SentryError {
    tracing::error!(reason, "limits unreachable");
    SentryError::new(
        ErrorName::SentryUnavailable,
        "The limits cannot be read at the moment, so nothing is admitted. Try again shortly.",
    )
}

/// An attribute as JSON. What JSON cannot say (sets, binary) becomes null, which no
/// attribute of a limit item may be.
fn json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(number) => number
            .parse::<i64>()
            .map(Number::from)
            .ok()
            .or_else(|| number.parse::<f64>().ok().and_then(Number::from_f64))
            .map_or(Value::Null, Value::Number),
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::L(list) => Value::Array(list.into_iter().map(json).collect()),
        AttributeValue::M(map) => {
            Value::Object(map.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
        _ => Value::Null,
    }
}
