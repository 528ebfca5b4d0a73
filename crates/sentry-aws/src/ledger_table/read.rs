//! Finding the ledger's items of a month.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::ItemKey;
use sentry_core::month::Period;

use super::LedgerTable;
use crate::ReadLedger;

/// The index of the ledger's items by their period: partition key `period`, sort key `budget`.
const PERIOD_INDEX: &str = "period-index";

impl ReadLedger for LedgerTable {
    async fn keys(&self, period: Period) -> Result<Vec<ItemKey>, SentryError> {
        let query = self
            .reader
            .query()
            .table_name(&self.table)
            .index_name(PERIOD_INDEX)
            .key_condition_expression("#period = :period")
            .expression_attribute_names("#period", "period")
            .expression_attribute_values(":period", AttributeValue::N(period.number().to_string()));
        let mut pages = query.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| unreadable(&DisplayErrorContext(&error).to_string()))?;
            keys.extend(page.items.unwrap_or_default().iter().filter_map(item_key));
        }
        Ok(keys)
    }
}

fn item_key(item: &HashMap<String, AttributeValue>) -> Option<ItemKey> {
    let key = item.get("budget")?.as_s().ok()?;
    Some(ItemKey::from_table(key.clone()))
}

fn unreadable(reason: &str) -> SentryError {
    tracing::error!(reason, "the ledger cannot be read");
    SentryError::new(
        ErrorName::SentryUnavailable,
        "The ledger cannot be read at the moment. The next run makes up for this one.",
    )
}
