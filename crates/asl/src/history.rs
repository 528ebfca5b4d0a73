//! The history of an execution, event by event as Step Functions writes it, without the data:
//! prompts and answers do not belong into a history.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
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
    events: Arc<Mutex<Vec<Event>>>,
}

impl History {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), events: Arc::default() }
    }

    pub(crate) fn add(&self, kind: impl Into<String>, state: Option<&str>, details: Value) {
        let at_micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let id = events.len() as u64 + 1;
        events.push(Event { id, kind: kind.into(), state: state.map(str::to_owned), at_micros, details });
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }
}
