//! The ledger table: translates an [`Update`] to one `UpdateItem`.
//!
//! The SDK's retries are off for writes: after a timeout nobody knows whether a write happened,
//! and a second one would count twice. Only a write that certainly did not happen is repeated.

mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Get, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactGetItem, TransactWriteItem,
};
use sentry_core::ledger::{Counters, ItemKey, LedgerOutcome, Update};

use crate::expressions::Expressions;
use crate::repeat::{Failure, repeated, was_refused};
use crate::{Connection, WriteLedger};

/// The table's key: a text, unlike every other attribute.
const KEY: &str = "budget";
/// The most items that [`WriteLedger::read`] takes: those of one `TransactGetItems`.
pub const ITEMS_PER_SNAPSHOT: usize = 100;
/// Attempts at a transaction that meets other writes of its items. They may have made its
/// conditions untrue, so that soon the caller does better to look again.
const CONFLICT_ATTEMPTS: u32 = 3;

/// The ledger in DynamoDB, key `budget`.
#[derive(Debug, Clone)]
pub struct LedgerTable {
    /// Without retries.
    client: Client,
    /// With the connection's retries, for the reads of [`crate::ReadLedger`].
    reader: Client,
    table: String,
}

impl LedgerTable {
    /// The table of that name.
    #[must_use]
    pub fn new(connection: &Connection, table: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(&connection.config)
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), reader: Client::new(&connection.config), table }
    }

    async fn read_one(&self, item: &ItemKey) -> LedgerOutcome {
        let request =
            self.client.get_item().table_name(&self.table).set_key(Some(key(item))).consistent_read(true);
        match repeated(|| request.clone().send(), was_refused::<GetItemError>).await {
            Ok(answer) => {
                outcome(counters(item, answer.item).map(|counters| LedgerOutcome::Read(vec![counters])))
            }
            Err(failure) => without_outcome("read", failure),
        }
    }

    async fn read_together(&self, items: &[ItemKey]) -> LedgerOutcome {
        let mut gets = Vec::with_capacity(items.len());
        for item in items {
            match Get::builder().table_name(&self.table).set_key(Some(key(item))).build() {
                Ok(get) => gets.push(TransactGetItem::builder().get(get).build()),
                Err(error) => return unsendable(&error),
            }
        }
        let request = self.client.transact_get_items().set_transact_items(Some(gets));
        let again = |error: &SdkError<TransactGetItemsError>| match error.as_service_error() {
            Some(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
                Cancellation::of(cancelled.cancellation_reasons()) != Cancellation::Refused
            }
            _ => was_refused(error),
        };
        match repeated(|| request.clone().send(), again).await {
            Ok(answer) => {
                let mut found = answer.responses.unwrap_or_default().into_iter();
                let read = |item| counters(item, found.next().and_then(|found| found.item));
                outcome(items.iter().map(read).collect::<Result<_, _>>().map(LedgerOutcome::Read))
            }
            Err(failure) => without_outcome("read", failure),
        }
    }
}

impl WriteLedger for LedgerTable {
    async fn write(&self, item: &ItemKey, update: &Update) -> LedgerOutcome {
        let expressions = Expressions::of(update);
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(item)))
            .update_expression(expressions.update)
            .set_condition_expression(expressions.condition)
            .set_expression_attribute_names(Some(expressions.names))
            .set_expression_attribute_values(expressions.values)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match repeated(|| request.clone().send(), was_refused).await {
            Ok(answer) => outcome(counters(item, answer.attributes).map(LedgerOutcome::Applied)),
            Err(Failure::Other(error)) if is_refusal(&error) => match error.into_service_error() {
                UpdateItemError::ConditionalCheckFailedException(refused) => {
                    outcome(counters(item, refused.item).map(LedgerOutcome::Refused))
                }
                _ => LedgerOutcome::Unknown,
            },
            Err(failure) => without_outcome("write", failure),
        }
    }

    async fn read(&self, items: &[ItemKey]) -> LedgerOutcome {
        match items {
            [] => LedgerOutcome::Read(Vec::new()),
            [item] => self.read_one(item).await,
            _ => self.read_together(items).await,
        }
    }

    async fn transact(&self, updates: &[(ItemKey, Update)]) -> LedgerOutcome {
        let mut writes = Vec::with_capacity(updates.len());
        for (item, update) in updates {
            let expressions = Expressions::of(update);
            let write = aws_sdk_dynamodb::types::Update::builder()
                .table_name(&self.table)
                .set_key(Some(key(item)))
                .update_expression(expressions.update)
                .set_condition_expression(expressions.condition)
                .set_expression_attribute_names(Some(expressions.names))
                .set_expression_attribute_values(expressions.values)
                .build();
            match write {
                Ok(write) => writes.push(TransactWriteItem::builder().update(write).build()),
                Err(error) => return unsendable(&error),
            }
        }
        let request = self.client.transact_write_items().set_transact_items(Some(writes));
        let mut conflicts = 0;
        let again = |error: &SdkError<TransactWriteItemsError>| match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match Cancellation::of(cancelled.cancellation_reasons()) {
                    Cancellation::Refused => false,
                    Cancellation::Throttled => true,
                    Cancellation::Conflict => {
                        conflicts += 1;
                        conflicts < CONFLICT_ATTEMPTS
                    }
                }
            }
            _ => was_refused(error),
        };
        match repeated(|| request.clone().send(), again).await {
            Ok(_) => LedgerOutcome::Moved,
            Err(Failure::Other(error)) if is_cancellation(&error) => LedgerOutcome::NotMoved,
            Err(failure) => without_outcome("transaction", failure),
        }
    }
}

fn is_refusal(error: &SdkError<UpdateItemError>) -> bool {
    error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}

fn is_cancellation(error: &SdkError<TransactWriteItemsError>) -> bool {
    error.as_service_error().is_some_and(TransactWriteItemsError::is_transaction_canceled_exception)
}

/// Why DynamoDB cancelled a transaction; what repeating helps least comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancellation {
    /// A condition did not hold, or the request is wrong.
    Refused,
    /// Another write of one of the items was under way.
    Conflict,
    /// For want of capacity alone.
    Throttled,
}

impl Cancellation {
    /// Each item has a reason; that of an item without a problem is `None`.
    fn of(reasons: &[CancellationReason]) -> Self {
        let mut cancellation = None;
        for reason in reasons {
            let reason = match reason.code() {
                None | Some("None") => continue,
                Some("TransactionConflict") => Self::Conflict,
                Some("ProvisionedThroughputExceeded" | "ThrottlingError") => Self::Throttled,
                Some(_) => return Self::Refused,
            };
            if cancellation != Some(Self::Conflict) {
                cancellation = Some(reason);
            }
        }
        // DynamoDB names a reason; when it does not, another write is the likeliest.
        cancellation.unwrap_or(Self::Conflict)
    }
}

/// The outcome of an operation that failed otherwise than by a condition.
fn without_outcome<E>(operation: &'static str, failure: Failure<E>) -> LedgerOutcome
where
    E: std::error::Error + Send + Sync + 'static,
{
    match failure {
        Failure::Throttled => {
            tracing::warn!(operation, "the ledger refuses for want of capacity");
            LedgerOutcome::Throttled
        }
        Failure::Other(error) => {
            let reason = DisplayErrorContext(&*error).to_string();
            tracing::error!(operation, reason, "the ledger does not answer");
            LedgerOutcome::Unknown
        }
    }
}

/// The SDK cannot build a request. Its only reason is a field that is missing, and all are given.
fn unsendable(error: &aws_sdk_dynamodb::error::BuildError) -> LedgerOutcome {
    tracing::error!(reason = error.to_string(), "a request to the ledger cannot be built");
    LedgerOutcome::Unknown
}

fn key(item: &ItemKey) -> HashMap<String, AttributeValue> {
    HashMap::from([(KEY.to_owned(), AttributeValue::S(item.as_str().to_owned()))])
}

/// The numbers of an item.
///
/// # Errors
/// A message that names an attribute which is no whole number of 64 bits: without it, less would
/// count as used than was used.
fn counters(key: &ItemKey, item: Option<HashMap<String, AttributeValue>>) -> Result<Counters, String> {
    let number = |(name, value): (String, AttributeValue)| {
        let number = value.as_n().ok().and_then(|number| number.parse().ok());
        number.map(|number| (name.clone(), number)).ok_or_else(|| {
            format!(
                "{name} of the ledger item {} is {value:?}; it must be a whole number of 64 bits.",
                key.as_str()
            )
        })
    };
    item.unwrap_or_default().into_iter().filter(|(name, _)| name != KEY).map(number).collect()
}

/// The outcome of an operation that was answered with items; an item that cannot be read counts
/// as no answer.
fn outcome(read: Result<LedgerOutcome, String>) -> LedgerOutcome {
    read.unwrap_or_else(|reason| {
        tracing::error!(reason, "the ledger holds what the sentry did not write");
        LedgerOutcome::Unknown
    })
}
