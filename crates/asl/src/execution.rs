//! What an execution starts with, what carries out its tasks, and how it ended.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::error::TaskError;
use crate::history::HistoryEvent;
use crate::{MAX_DURATION, MAX_PAYLOAD_BYTES};

/// A call that a Task state makes.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskCall {
    /// The `Resource`.
    pub resource: String,
    /// The `Arguments`, evaluated; the state's input where there are none.
    pub arguments: Value,
    /// The state.
    pub state: String,
}

/// What carries out the calls of Task states.
pub trait Tasks: Send + Sync + 'static {
    /// Carries out one call. It is dropped when the task's time is up.
    fn call<'a>(
        &'a self,
        call: TaskCall,
    ) -> Pin<Box<dyn Future<Output = Result<Value, TaskError>> + Send + 'a>>;
}

/// What an execution starts with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The execution's name.
    pub name: String,
    /// Its ARN.
    pub execution_arn: String,
    /// The state machine's ARN.
    pub state_machine_arn: String,
    /// The state machine's name.
    pub state_machine_name: String,
    /// The ARN of the role that it runs under.
    pub role_arn: String,
    /// The input.
    pub input: Value,
    /// When it starts, by the caller's clock.
    pub start_time: DateTime<Utc>,
}

/// The limits of an execution.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long it may take, whatever the definition allows.
    pub max_duration: Duration,
    /// The most bytes of an input, an output or a task's arguments.
    pub max_payload_bytes: usize,
    /// Whether `States.ALL` covers `States.DataLimitExceeded`: AWS's documentation says no, an execution recorded from
    /// AWS says yes.
    pub all_covers_data_limit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_duration: MAX_DURATION,
            max_payload_bytes: MAX_PAYLOAD_BYTES,
            all_covers_data_limit: false,
        }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has an output.
    Succeeded,
    /// It may have an error and a cause.
    Failed,
    /// Its time was up.
    TimedOut,
}

impl Status {
    /// The status as Step Functions writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }
}

/// An execution that has ended.
#[derive(Debug, Clone)]
pub struct Execution {
    /// How it ended.
    pub status: Status,
    /// The output of one that succeeded.
    pub output: Option<Value>,
    /// The error of one that did not.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// What happened.
    pub history: Vec<HistoryEvent>,
    /// How long it took.
    pub duration: Duration,
}
