//! The whole system on one machine: both workflows, the functions, and local stand-ins for
//! DynamoDB, CloudWatch, Bedrock, Lambda, Step Functions and EventBridge behind one port.
//!
//! [`start`] starts a host; tests start many of them side by side, on free ports.

pub mod bedrock;
pub mod cli;
pub mod clock;
pub mod cloudwatch;
pub mod config;
pub mod events;
pub mod faults;
mod forward;
pub mod functions;
mod host;
pub mod models;
pub mod names;
pub mod output;
pub mod pool;
pub mod reply;
mod server;
pub mod tables;
#[cfg(test)]
mod testing;
pub mod workflows;

pub use clock::Clock;
pub use config::{BedrockBackend, Config, FunctionsConfig, ProcessConfig, StartError};
pub use functions::function_names;
pub use host::{Host, start};
pub use workflows::{Finished, Refusal, substitutions};
