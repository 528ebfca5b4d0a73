//! The history of an execution, event by event as Step Functions writes it, without the data:
//! prompts and answers do not belong into a history.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// Counts from 1.
    pub id: u64,
    /// For example `TaskStateEntered`.
    pub kind: String,
    /// The state that it belongs to.
    pub state: Option<String>,
    /// Microseconds since the execution started.
    pub at_micros: u64,
    /// Resource, error and cause, where the event has them.
    pub details: Value,
}

/// Collects events from concurrent branches.
#[derive(Debug, Clone)]
pub(crate) struct History {
    started: Instant,
    events: Arc<Mutex<Vec<HistoryEvent>>>,
}

impl History {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), events: Arc::default() }
    }

    /// Adds an event and gives its id.
    pub(crate) fn add(&self, kind: impl Into<String>, state: Option<&str>, details: Value) -> u64 {
        let at_micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let id = events.len() as u64 + 1;
        events.push(HistoryEvent {
            id,
            kind: kind.into(),
            state: state.map(str::to_owned),
            at_micros,
            details,
        });
        id
    }

    pub(crate) fn take(&self) -> Vec<HistoryEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }
}

/// A state that has been entered. Dropped before `end` was called, it records that the state was aborted.
pub(crate) struct Stay<'a> {
    history: &'a History,
    kind: &'static str,
    state: &'a str,
    ended: bool,
}

impl<'a> Stay<'a> {
    pub(crate) fn new(history: &'a History, kind: &'static str, state: &'a str) -> Self {
        Self { history, kind, state, ended: false }
    }

    /// Marks that the state has succeeded or failed, so that it is not recorded as aborted.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        // Step Functions has no such event for the other kinds, which take no time.
        let lasts = matches!(self.kind, "Task" | "Wait" | "Parallel" | "Map");
        if lasts && !self.ended {
            self.history.add(format!("{}StateAborted", self.kind), Some(self.state), Value::Null);
        }
    }
}
