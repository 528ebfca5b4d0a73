//! Local stand-ins for the AWS services that an application uses: Amazon Bedrock, CloudWatch,
//! DynamoDB, EventBridge, Lambda and Step Functions, behind one port.
//!
//! Nothing here knows what the application does. Its functions, tables and state machines are
//! handed in as values; [`http::router`] serves them.

pub mod arn;
pub mod bedrock;
mod clock;
pub mod cloudwatch;
pub mod dynamodb;
pub mod eventbridge;
pub mod faults;
pub mod http;
pub mod lambda;
pub mod stepfunctions;
#[cfg(test)]
mod testing;

pub use clock::{Clock, ClockError};
pub use http::Services;
