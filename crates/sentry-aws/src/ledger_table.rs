//! The ledger table: translates an [`Update`] to one `UpdateItem`.
//!
//! The SDK's retries are off: after a timeout nobody knows whether a write happened, and a
//! second one would count twice. Only a write that certainly did not happen is repeated.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::ledger::{Condition, Counters, ItemKey, Outcome, Update};
use sentry_core::month::Period;

use crate::{Connection, ScanLedger, WriteLedger};

/// Repetitions of a throttled write.
const THROTTLED_ATTEMPTS: u32 = 4;
/// Errors with which DynamoDB says that it did not write.
const THROTTLED: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionConflictException",
];
/// The same as the reasons of a transaction that was cancelled.
const CANCELLED: [&str; 3] = ["ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"];
/// The most items of one BatchGetItem.
const ITEMS_PER_READ: usize = 100;

/// The ledger in DynamoDB, key `budget`.
#[derive(Debug, Clone)]
pub struct LedgerTable {
    client: Client,
    table: String,
}

impl LedgerTable {
    /// The table of that name.
    #[must_use]
    pub fn new(connection: &Connection, table: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(&connection.config)
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), table }
    }

    async fn try_write(
        &self,
        item: &ItemKey,
        expressions: &Expressions,
    ) -> Result<Outcome, Box<UpdateItemError>> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("budget", key(item))
            .update_expression(&expressions.update)
            .set_condition_expression(expressions.condition.clone())
            .set_expression_attribute_names(Some(expressions.names.clone()))
            // DynamoDB refuses an empty map.
            .set_expression_attribute_values(
                (!expressions.values.is_empty()).then(|| expressions.values.clone()),
            )
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Outcome::Applied(counters(answer.attributes))),
            Err(error) => match error.into_service_error() {
                UpdateItemError::ConditionalCheckFailedException(refused) => {
                    Ok(Outcome::Refused(counters(refused.item)))
                }
                error => Err(Box::new(error)),
            },
        }
    }
}

impl WriteLedger for LedgerTable {
    async fn write(&self, item: &ItemKey, update: &Update) -> Outcome {
        let expressions = Expressions::of(update);
        let mut attempt = 0;
        loop {
            match self.try_write(item, &expressions).await {
                Ok(outcome) => return outcome,
                Err(error) => {
                    let throttled = error.code().is_some_and(|code| THROTTLED.contains(&code));
                    attempt += 1;
                    if !throttled || attempt == THROTTLED_ATTEMPTS {
                        let reason = DisplayErrorContext(&*error).to_string();
                        tracing::error!(item = item.as_str(), reason, "ledger write without an outcome");
                        return Outcome::Unknown;
                    }
                    pause(attempt).await;
                }
            }
        }
    }

    async fn read(&self, items: &[ItemKey]) -> Option<Vec<Counters>> {
        let mut found = HashMap::new();
        for chunk in items.chunks(ITEMS_PER_READ) {
            let keys = chunk.iter().map(|item| HashMap::from([("budget".to_owned(), key(item))])).collect();
            let request =
                KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().ok()?;
            let mut left = HashMap::from([(self.table.clone(), request)]);
            let mut attempt = 0;
            while !left.is_empty() {
                if attempt > 0 {
                    pause(attempt).await;
                }
                attempt += 1;
                if attempt > THROTTLED_ATTEMPTS {
                    return None;
                }
                let answer = self.client.batch_get_item().set_request_items(Some(left)).send().await;
                let answer = answer.map_err(|error| log(&DisplayErrorContext(&error).to_string())).ok()?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    if let Some(AttributeValue::S(key)) = item.get("budget") {
                        found.insert(key.clone(), counters(Some(item)));
                    }
                }
                left = answer.unprocessed_keys.unwrap_or_default();
            }
        }
        Some(items.iter().map(|item| found.remove(item.as_str()).unwrap_or_default()).collect())
    }

    async fn transact(&self, updates: &[(ItemKey, Update)]) -> Outcome {
        let mut writes = Vec::with_capacity(updates.len());
        for (item, update) in updates {
            let expressions = Expressions::of(update);
            let write = aws_sdk_dynamodb::types::Update::builder()
                .table_name(&self.table)
                .key("budget", key(item))
                .update_expression(&expressions.update)
                .set_condition_expression(expressions.condition)
                .set_expression_attribute_names(Some(expressions.names))
                .set_expression_attribute_values(
                    (!expressions.values.is_empty()).then_some(expressions.values),
                )
                .build();
            match write {
                Ok(write) => writes.push(TransactWriteItem::builder().update(write).build()),
                Err(_) => return Outcome::Unknown,
            }
        }
        for attempt in 1..=THROTTLED_ATTEMPTS {
            let answer =
                self.client.transact_write_items().set_transact_items(Some(writes.clone())).send().await;
            let Err(error) = answer else { return Outcome::Moved };
            let throttled = error.code().is_some_and(|code| THROTTLED.contains(&code));
            match error.into_service_error() {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                    let again = |code: Option<&str>| code.is_some_and(|code| CANCELLED.contains(&code));
                    if !cancelled.cancellation_reasons().iter().any(|reason| again(reason.code())) {
                        return Outcome::NotMoved;
                    }
                }
                error if !throttled => {
                    log(&DisplayErrorContext(&error).to_string());
                    return Outcome::Unknown;
                }
                _ => {}
            }
            pause(attempt).await;
        }
        Outcome::NotMoved
    }
}

impl ScanLedger for LedgerTable {
    async fn scan(&self, periods: &[Period]) -> Result<Vec<(ItemKey, Counters)>, SentryError> {
        let mut scan = self.client.scan().table_name(&self.table).consistent_read(true);
        scan = scan.expression_attribute_names("#budget", "budget");
        let mut filters = Vec::new();
        for (index, period) in periods.iter().enumerate() {
            filters.push(format!("begins_with(#budget, :p{index})"));
            scan = scan
                .expression_attribute_values(format!(":p{index}"), AttributeValue::S(format!("{period}/")));
        }
        let mut pages = scan.filter_expression(filters.join(" OR ")).into_paginator().send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                log(&DisplayErrorContext(&error).to_string());
                SentryError::new(
                    ErrorName::SentryUnavailable,
                    "The ledger cannot be read at the moment. The next run makes up for this one.",
                )
            })?;
            for item in page.items.unwrap_or_default() {
                if let Some(AttributeValue::S(key)) = item.get("budget") {
                    items.push((ItemKey::from_table(key.clone()), counters(Some(item))));
                }
            }
        }
        Ok(items)
    }
}

fn key(item: &ItemKey) -> AttributeValue {
    AttributeValue::S(item.as_str().to_owned())
}

/// Longer from one attempt to the next.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
}

fn log(reason: &str) {
    tracing::error!(reason, "the ledger does not answer");
}

fn counters(item: Option<HashMap<String, AttributeValue>>) -> Counters {
    item.unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| match value {
            AttributeValue::N(number) => number.parse().ok().map(|number| (name, number)),
            _ => None,
        })
        .collect()
}

/// The expressions of an `UpdateItem`. Every attribute goes by a placeholder, since some
/// names are reserved words.
struct Expressions {
    update: String,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expressions {
    fn of(update: &Update) -> Self {
        let mut this =
            Self { update: String::new(), condition: None, names: HashMap::new(), values: HashMap::new() };
        let add: Vec<_> = update
            .add
            .iter()
            .map(|(name, number)| format!("{} {}", this.name(name), this.value(*number)))
            .collect();
        let set: Vec<_> = update
            .set
            .iter()
            .map(|(name, number)| format!("{} = {}", this.name(name), this.value(*number)))
            .collect();
        let remove: Vec<_> = update.remove.iter().map(|name| this.name(name)).collect();
        for (keyword, clauses) in [("ADD", add), ("SET", set), ("REMOVE", remove)] {
            if !clauses.is_empty() {
                let space = if this.update.is_empty() { "" } else { " " };
                // Writing to a String cannot fail.
                let _ = write!(this.update, "{space}{keyword} {}", clauses.join(", "));
            }
        }
        let conditions: Vec<_> =
            update.conditions.iter().map(|condition| this.condition(condition)).collect();
        if !conditions.is_empty() {
            this.condition = Some(conditions.join(" AND "));
        }
        this
    }

    fn condition(&mut self, condition: &Condition) -> String {
        let (name, operator, number, holds_for_zero) = match condition {
            Condition::AtMost(name, number) => (name, "<=", *number, 0 <= *number),
            Condition::AtLeast(name, number) => (name, ">=", *number, 0 >= *number),
            Condition::Equals(name, number) => (name, "=", *number, 0 == *number),
        };
        let (name, value) = (self.name(name), self.value(number));
        // A missing attribute counts as zero; DynamoDB would let any comparison with it fail.
        if holds_for_zero {
            format!("(attribute_not_exists({name}) OR {name} {operator} {value})")
        } else {
            format!("{name} {operator} {value}")
        }
    }

    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, number: i64) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), AttributeValue::N(number.to_string()));
        placeholder
    }
}
