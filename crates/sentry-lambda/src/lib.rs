//! The shell around every function: reads the event, names the errors, writes the log line.
//!
//! The local host calls [`answer`] directly; on Lambda [`run`] does, so that a function
//! behaves alike in both. It is the only crate that knows `lambda_runtime`.

mod event;
mod logging;
mod runtime;
mod shell;

pub use event::{parse, read};
pub use runtime::run;
pub use shell::{FunctionFailure, HandlerError, Invocation, answer};

#[cfg(test)]
mod tests;
