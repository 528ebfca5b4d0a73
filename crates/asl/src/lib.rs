//! Reads, lints and runs state machines of the Amazon States Language with JSONata.
//!
//! It exists so that the state machines that are deployed can be run, tested and debugged
//! without an account: the same files, the same errors, the same history. Executions recorded from
//! AWS are played back as a test. It is not a second engine to deploy on. JSONPath is not supported.

mod choice;
mod definition;
mod document;
mod error;
mod execution;
mod history;
mod interpreter;
mod jsonata;
mod lint;
mod map;
mod reader;
mod retry;
mod scope;
mod task;
mod template;

pub use definition::{StateMachine, substitute};
pub use error::{DefinitionError, TaskError};
pub use execution::{Execution, Options, Start, Status, TaskCall, Tasks};
pub use history::HistoryEvent;
pub use interpreter::{run, run_with};
pub use lint::{LintFinding, LintOptions, lint};

/// The most bytes of an input, an output or a task's arguments.
pub const MAX_PAYLOAD_BYTES: usize = 262_144;
/// How long an Express execution may take.
pub const MAX_DURATION: std::time::Duration = std::time::Duration::from_secs(300);
/// Characters of an `error`.
pub const MAX_ERROR_CHARS: usize = 256;
/// Characters of a `cause`.
pub const MAX_CAUSE_CHARS: usize = 32_768;

#[cfg(test)]
mod tests;
