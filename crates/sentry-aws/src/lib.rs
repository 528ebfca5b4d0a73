//! The AWS services behind small traits: limits and ledger in DynamoDB, usage in CloudWatch.
//!
//! The only library crate that holds AWS SDKs. A function depends on a trait, so that its
//! tests need no service.

mod clients;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(feature = "dynamodb")]
mod ledger_table;
#[cfg(feature = "dynamodb")]
mod limits_table;
mod stores;
#[cfg(feature = "cloudwatch")]
mod usage;

pub use clients::{Connection, required_variable};
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::BedrockMetrics;
#[cfg(feature = "dynamodb")]
pub use ledger_table::LedgerTable;
#[cfg(feature = "dynamodb")]
pub use limits_table::LimitsTable;
pub use stores::{ListMetrics, MetricQuery, ReadLimits, ScanLedger, ScanLimits, SumMetrics, WriteLedger};
#[cfg(feature = "cloudwatch")]
pub use usage::{DAY, MINUTE, UsageQueries, sum_usage};
