//! The AWS services behind small traits: limits, ledger and API keys in DynamoDB, usage in CloudWatch, notices
//! to EventBridge.
//!
//! The only library crate that holds AWS SDKs. A function depends on a trait, so that its
//! tests need no service.

#[cfg(feature = "dynamodb")]
mod claims_table;
mod clients;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(feature = "eventbridge")]
mod event_bus;
#[cfg(feature = "dynamodb")]
mod expressions;
#[cfg(feature = "dynamodb")]
mod keys_table;
#[cfg(feature = "dynamodb")]
mod ledger_table;
#[cfg(feature = "dynamodb")]
mod limits_table;
#[cfg(feature = "dynamodb")]
mod repeat;
mod stores;
#[cfg(test)]
#[cfg(any(feature = "dynamodb", feature = "eventbridge"))]
mod testing;
#[cfg(feature = "testing")]
pub mod testing_tables;
#[cfg(feature = "cloudwatch")]
mod usage;

#[cfg(feature = "dynamodb")]
pub use claims_table::ClaimsTable;
pub use clients::{Connection, DEFAULT_METRIC_LAG_SECONDS, metric_lag, required_variable, seconds_variable};
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::BedrockMetrics;
#[cfg(feature = "eventbridge")]
pub use event_bus::EventBus;
#[cfg(feature = "dynamodb")]
pub use expressions::expression_bytes;
#[cfg(feature = "dynamodb")]
pub use keys_table::{KeysTable, KeysTableError};
#[cfg(feature = "dynamodb")]
pub use ledger_table::{ITEMS_PER_SNAPSHOT, LedgerTable};
#[cfg(feature = "dynamodb")]
pub use limits_table::LimitsTable;
pub use stores::{
    ClaimKeys, Claimed, ListMetrics, MetricQuery, PublishEvents, ReadKeys, ReadLedger, ReadLimits,
    ReadMetrics, ScanLimits, WriteLedger,
};
#[cfg(feature = "cloudwatch")]
pub use usage::{DAY, MINUTE, ModelIds, Slots, UsageReader};
