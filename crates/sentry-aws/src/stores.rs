//! The operations that the functions need from AWS services, one trait for each.

use std::collections::BTreeMap;
use std::future::Future;

use sentry_core::error::SentryError;
use sentry_core::ledger::{Claim, ItemKey, LedgerOutcome, Update};
use sentry_core::month::Period;
use sentry_core::notice::Notice;
use serde_json::Value;

/// Reads limit items.
pub trait ReadLimits: Send + Sync {
    /// The items that exist among these keys.
    ///
    /// # Errors
    /// `SentryUnavailable` when the table does not answer.
    fn read(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<BTreeMap<String, Value>, SentryError>> + Send;
}

/// Reads the items of API keys.
pub trait ReadKeys: Send + Sync {
    /// The item of the key with this id, if there is one.
    ///
    /// # Errors
    /// `SentryUnavailable` when the table does not answer.
    fn read(&self, key_id: &str) -> impl Future<Output = Result<Option<Value>, SentryError>> + Send;
}

/// Reads every limit item.
pub trait ScanLimits: Send + Sync {
    /// All items, in no order.
    ///
    /// # Errors
    /// `SentryUnavailable` when the table does not answer.
    fn scan(&self) -> impl Future<Output = Result<Vec<Value>, SentryError>> + Send;
}

/// Writes to the ledger, and reads what a write needs to know.
///
/// What was refused for want of capacity is repeated for some seconds before it is
/// [`LedgerOutcome::Throttled`]. What is [`LedgerOutcome::Unknown`] was never repeated.
pub trait WriteLedger: Send + Sync {
    /// One conditional write: [`LedgerOutcome::Applied`], [`LedgerOutcome::Refused`], [`LedgerOutcome::Throttled`]
    /// or [`LedgerOutcome::Unknown`].
    fn write(&self, item: &ItemKey, update: &Update) -> impl Future<Output = LedgerOutcome> + Send;

    /// Reads up to 100 items as they all stood at one moment: [`LedgerOutcome::Read`] in the order of the
    /// keys, [`LedgerOutcome::Throttled`] or [`LedgerOutcome::Unknown`]. An item that is missing has no counters.
    fn read(&self, items: &[ItemKey]) -> impl Future<Output = LedgerOutcome> + Send;

    /// All of these writes or none: [`LedgerOutcome::Moved`], [`LedgerOutcome::NotMoved`],
    /// [`LedgerOutcome::Throttled`] or [`LedgerOutcome::Unknown`]. Other writes of the same items that are
    /// under way count as [`LedgerOutcome::NotMoved`].
    fn transact(&self, updates: &[(ItemKey, Update)]) -> impl Future<Output = LedgerOutcome> + Send;
}

/// Reads the ledger of a month as a whole.
pub trait ReadLedger: Send + Sync {
    /// The keys of the period's items. An item that was created a moment ago may be missing.
    ///
    /// # Errors
    /// `SentryUnavailable` when the ledger does not answer.
    fn keys(&self, period: Period) -> impl Future<Output = Result<Vec<ItemKey>, SentryError>> + Send;
}

/// Claims idempotency keys.
pub trait ClaimKeys: Send + Sync {
    /// Takes the key if it is free at `now`, in epoch seconds, or has the same owner already.
    fn claim(&self, claim: &Claim, now: i64) -> impl Future<Output = Claimed> + Send;

    /// Gives the key back, unless it has another owner by now. `true` when this owner certainly does
    /// not hold it any more.
    fn give_back(&self, claim: &Claim) -> impl Future<Output = bool> + Send;
}

/// The result of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The key belongs to the claim's owner.
    Taken,
    /// The key belongs to another execution.
    InUse {
        /// When it is free at the latest, in epoch seconds.
        until: i64,
    },
    /// The table refused for want of capacity: certainly not taken.
    Throttled,
    /// Unknown: the table did not answer.
    Unknown,
}

/// Finds out which models are in use.
pub trait ListMetrics: Send + Sync {
    /// The metrics that CloudWatch has had data of within two weeks.
    ///
    /// # Errors
    /// `UsageUnavailable` when CloudWatch does not answer.
    fn list(&self) -> impl Future<Output = Result<Vec<MetricQuery>, SentryError>> + Send;
}

/// Reads Bedrock's metrics.
pub trait ReadMetrics: Send + Sync {
    /// The datapoints of each query, in the order of the queries: the start of each period that has
    /// data and the sum of the tokens. All times are epoch seconds, the end is exclusive.
    ///
    /// # Errors
    /// `UsageUnavailable` when CloudWatch does not answer.
    fn points(
        &self,
        queries: &[MetricQuery],
        start: i64,
        end: i64,
        period: i32,
    ) -> impl Future<Output = Result<Vec<Vec<(i64, u64)>>, SentryError>> + Send;
}

/// Sends notices.
pub trait PublishEvents: Send + Sync {
    /// Sends them all, as far as they are taken.
    ///
    /// # Errors
    /// `InternalError` when a notice was not accepted or the outcome is unknown.
    fn publish(&self, entries: &[Notice]) -> impl Future<Output = Result<(), SentryError>> + Send;
}

/// One metric of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuery {
    /// The metric's name in the namespace `AWS/Bedrock`.
    pub metric: &'static str,
    /// The value of the dimension `ModelId`.
    pub model_id: String,
}
