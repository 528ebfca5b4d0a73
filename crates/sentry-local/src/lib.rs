//! The whole system on one machine: both workflows and the functions on local stand-ins for AWS
//! (`local-aws`), with a command line.
//!
//! [`start`] starts a host; tests start many of them side by side, on free ports.

pub mod cli;
pub mod config;
mod door;
mod functions;
mod host;
mod machines;
pub mod names;
pub mod output;

pub use config::{BedrockBackend, Config, FunctionsConfig, ProcessConfig, StartError};
pub use functions::function_names;
pub use host::{Host, start};
pub use local_aws::Clock;
pub use local_aws::stepfunctions::{ExecutionRefusal, Finished};
pub use machines::substitutions;
