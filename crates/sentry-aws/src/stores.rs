//! What the functions need of the outside world, one trait for each operation.

use std::collections::BTreeMap;
use std::future::Future;

use sentry_core::error::SentryError;
use sentry_core::ledger::{Counters, ItemKey, Outcome, Update};
use sentry_core::month::Period;
use serde_json::Value;

/// Reads limit items.
pub trait ReadLimits: Send + Sync {
    /// The items that exist among these keys.
    fn read(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<BTreeMap<String, Value>, SentryError>> + Send;
}

/// Reads every limit item.
pub trait ScanLimits: Send + Sync {
    /// All items, in no order.
    fn scan(&self) -> impl Future<Output = Result<Vec<Value>, SentryError>> + Send;
}

/// Writes to the ledger.
pub trait WriteLedger: Send + Sync {
    /// One conditional write. It is never repeated when its outcome is unknown.
    fn write(&self, item: &ItemKey, update: &Update) -> impl Future<Output = Outcome> + Send;

    /// Reads items as they stand now; `None` when the table does not answer.
    fn read(&self, items: &[ItemKey]) -> impl Future<Output = Option<Vec<Counters>>> + Send;

    /// All of these writes or none: [`Outcome::Moved`], [`Outcome::NotMoved`] or [`Outcome::Unknown`].
    fn transact(&self, updates: &[(ItemKey, Update)]) -> impl Future<Output = Outcome> + Send;
}

/// Reads the ledger as a whole.
pub trait ScanLedger: Send + Sync {
    /// The items of these periods, in no order.
    fn scan(
        &self,
        periods: &[Period],
    ) -> impl Future<Output = Result<Vec<(ItemKey, Counters)>, SentryError>> + Send;
}

/// Finds out which models are in use.
pub trait ListMetrics: Send + Sync {
    /// The metrics that CloudWatch has had data of within two weeks.
    fn list(&self) -> impl Future<Output = Result<Vec<MetricQuery>, SentryError>> + Send;
}

/// Sums Bedrock's metrics.
pub trait SumMetrics: Send + Sync {
    /// The sum of each query, in the order of the queries.
    fn sum(
        &self,
        queries: &[MetricQuery],
        start_seconds: i64,
        end_seconds: i64,
        period_seconds: i32,
    ) -> impl Future<Output = Result<Vec<u64>, SentryError>> + Send;
}

/// One metric of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuery {
    /// The metric's name in the namespace `AWS/Bedrock`.
    pub metric: &'static str,
    /// The value of the dimension `ModelId`.
    pub model_id: String,
}
