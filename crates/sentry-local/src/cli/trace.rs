//! The states of an execution and of those that it started, with their durations and events.

use std::fmt::Write as _;
use std::sync::Arc;

use asl::HistoryEvent;

use crate::Finished;

/// One visit of a state, from its entry to its exit or failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) state: String,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) events: usize,
    /// It was left by its own exit, not by a failure.
    pub(super) exited: bool,
}

/// The visits in the order in which they began. A state that fails has no exit: it ends with its last event.
pub(super) fn visits(history: &[HistoryEvent]) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for event in history {
        let Some(state) = &event.state else { continue };
        if event.kind.ends_with("StateEntered") {
            visits.push(Visit {
                state: state.clone(),
                start: event.at_micros,
                end: event.at_micros,
                events: 1,
                exited: false,
            });
            continue;
        }
        // Map iterations and loops enter a state again; its events belong to the last open visit.
        if let Some(visit) = visits.iter_mut().rev().find(|visit| visit.state == *state && !visit.exited) {
            visit.end = event.at_micros;
            visit.events += 1;
            visit.exited = event.kind.ends_with("StateExited");
        }
    }
    visits
}

/// A table of an execution, with the executions that it started inside the states that did.
pub(super) fn render(finished: &Finished, children: &[Arc<Finished>]) -> String {
    let mut out = String::new();
    write_execution(&mut out, finished, children, "");
    out
}

fn write_execution(out: &mut String, finished: &Finished, children: &[Arc<Finished>], indent: &str) {
    let duration = (finished.stop - finished.start).num_microseconds().unwrap_or_default().unsigned_abs();
    let _ = writeln!(
        out,
        "{indent}{:<width$}{:>11}  {:>3} events  {}",
        finished.machine,
        milliseconds(duration),
        finished.history.len(),
        finished.status.as_str(),
        width = 34_usize.saturating_sub(indent.len()),
    );
    let visits = visits(&finished.history);
    for (index, visit) in visits.iter().enumerate() {
        let failed = if visit.exited { "" } else { "  failed" };
        let _ = writeln!(
            out,
            "{indent}  {:<width$}{:>11}  {:>3} events{failed}",
            visit.state,
            milliseconds(visit.end - visit.start),
            visit.events,
            width = 32_usize.saturating_sub(indent.len()),
        );
        for child in children {
            let offset = (child.start - finished.start).num_microseconds().unwrap_or_default().unsigned_abs();
            let inside = |visit: &Visit| visit.start <= offset && offset <= visit.end;
            // Branches overlap: the state that began last before the child started it.
            if visits.iter().rposition(inside) == Some(index) {
                write_execution(out, child, &[], &format!("{indent}    "));
            }
        }
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:03} ms", microseconds / 1000, microseconds % 1000)
}
