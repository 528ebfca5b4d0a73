//! The table of claimed idempotency keys.

#[cfg(test)]
mod tests;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use sentry_core::ledger::Claim;

use crate::repeat::{Failure, repeated, was_refused};
use crate::{ClaimKeys, Claimed, Connection};

/// How long DynamoDB keeps an item whose key is free again.
const KEPT_SECONDS: i64 = 86_400;
/// When a key is free again, in epoch seconds.
const TAKEN_UNTIL: &str = "takenUntil";

/// The claimed idempotency keys in DynamoDB, key `claim`.
#[derive(Debug, Clone)]
pub struct ClaimsTable {
    client: Client,
    table: String,
}

impl ClaimsTable {
    /// The table of that name.
    #[must_use]
    pub fn new(connection: &Connection, table: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(&connection.config)
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), table }
    }
}

impl ClaimKeys for ClaimsTable {
    async fn claim(&self, claim: &Claim, now: i64) -> Claimed {
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("claim", text(&claim.key))
            .item("owner", text(&claim.owner))
            .item(TAKEN_UNTIL, number(claim.until))
            .item("expiresAt", number(claim.until.saturating_add(KEPT_SECONDS)))
            .condition_expression("attribute_not_exists(#claim) OR #takenUntil <= :now OR #owner = :owner")
            .expression_attribute_names("#claim", "claim")
            .expression_attribute_names("#takenUntil", TAKEN_UNTIL)
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":owner", text(&claim.owner))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match repeated(|| request.clone().send(), was_refused).await {
            Ok(_) => return Claimed::Taken,
            Err(Failure::Throttled) => return Claimed::Throttled,
            Err(Failure::Other(error)) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let until = refused.item().and_then(|item| item.get(TAKEN_UNTIL)?.as_n().ok()?.parse().ok());
                // No request keeps a key for longer than this one would.
                Claimed::InUse { until: until.unwrap_or(claim.until) }
            }
            _ => {
                log(&DisplayErrorContext(&*error).to_string());
                Claimed::Unknown
            }
        }
    }

    async fn give_back(&self, claim: &Claim) -> bool {
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("claim", text(&claim.key))
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(&claim.owner));
        match repeated(|| request.clone().send(), was_refused).await {
            Ok(_) => true,
            Err(Failure::Throttled) => false,
            Err(Failure::Other(error)) => {
                // The key has another owner, or none.
                let free = matches!(
                    error.as_service_error(),
                    Some(DeleteItemError::ConditionalCheckFailedException(_))
                );
                if !free {
                    log(&DisplayErrorContext(&*error).to_string());
                }
                free
            }
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn log(reason: &str) {
    tracing::error!(reason, "the claims of idempotency keys do not answer");
}
