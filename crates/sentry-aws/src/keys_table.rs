//! The table of API keys. Fails closed: a key that cannot be read admits nobody.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use sentry_core::api_key::KeyItem;
use sentry_core::error::{ErrorName, SentryError};
use serde_json::Value;

use crate::limits_table::document;
use crate::{Connection, ReadKeys};

/// The API keys in DynamoDB, key `keyId`.
#[derive(Debug, Clone)]
pub struct KeysTable {
    client: Client,
    table: String,
}

/// The table did not do what an administrator asked for. The message has the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys table {table} does not answer: {reason}")]
pub struct KeysTableError {
    table: String,
    reason: String,
}

impl KeysTable {
    /// The table of that name.
    #[must_use]
    pub fn new(connection: &Connection, table: String) -> Self {
        Self { client: Client::new(&connection.config), table }
    }

    /// Puts the item of a new key. Whether it was put: `false` when the id is taken.
    ///
    /// # Errors
    /// The table does not answer.
    pub async fn put_if_absent(&self, item: &KeyItem) -> Result<bool, KeysTableError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(attributes(&item.document())));
        let put = put
            .condition_expression("attribute_not_exists(#keyId)")
            .expression_attribute_names("#keyId", "keyId");
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.failed(&error)),
            },
        }
    }

    /// All items, in no order.
    ///
    /// # Errors
    /// The table does not answer.
    pub async fn list(&self) -> Result<Vec<Value>, KeysTableError> {
        let mut pages =
            self.client.scan().table_name(&self.table).consistent_read(true).into_paginator().send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(&error))?;
            items.extend(page.items.unwrap_or_default().into_iter().map(document));
        }
        Ok(items)
    }

    /// Disables a key for good. Whether there is one with this id.
    ///
    /// # Errors
    /// The table does not answer.
    pub async fn disable(&self, key_id: &str) -> Result<bool, KeysTableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("keyId", AttributeValue::S(key_id.to_owned()))
            .update_expression("SET #disabled = :true")
            .condition_expression("attribute_exists(#keyId)")
            .expression_attribute_names("#disabled", "disabled")
            .expression_attribute_names("#keyId", "keyId")
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.failed(&error)),
            },
        }
    }

    fn failed<E, R>(&self, error: &SdkError<E, R>) -> KeysTableError
    where
        SdkError<E, R>: std::error::Error,
    {
        KeysTableError { table: self.table.clone(), reason: DisplayErrorContext(error).to_string() }
    }
}

impl ReadKeys for KeysTable {
    /// One strongly consistent read, so that a key that was disabled is refused from then on.
    async fn read(&self, key_id: &str) -> Result<Option<Value>, SentryError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer =
            get.key("keyId", AttributeValue::S(key_id.to_owned())).send().await.map_err(|error| {
                tracing::error!(reason = %DisplayErrorContext(&error), "API keys unreachable");
                SentryError::new(
                    ErrorName::SentryUnavailable,
                    "The API keys cannot be read at the moment, so nothing is admitted. Try again shortly.",
                )
            })?;
        Ok(answer.item.map(document))
    }
}

/// A JSON object as an item. Keys have texts, lists of texts and truth values alone.
fn attributes(document: &Value) -> HashMap<String, AttributeValue> {
    let members = document.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Array(items) => AttributeValue::L(items.iter().map(attribute).collect()),
        _ => AttributeValue::Null(true),
    }
}
