//! Step Functions: the state machines, their executions, and what is remembered of them.

pub(crate) mod api;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use asl::{Execution, HistoryEvent, Start, StateMachine, Status};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::arn::{ACCOUNT, execution_arn, machine_arn, machine_name};
use crate::bedrock::backend::Backend;
use crate::clock::Clock;
use crate::eventbridge::EventBridge;
use crate::http::new_id;
use crate::lambda::Lambda;
use tasks::{ExecutionTasks, epoch_seconds, sync_execution_document};

/// Executions that are remembered.
const REMEMBERED: usize = 200;
/// Characters of an execution's name.
const MAX_NAME: usize = 80;

/// A state machine that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state machine {machine} cannot be run: {reason}")]
pub struct MachineError {
    /// Its name.
    pub machine: String,
    /// The place and what is wrong there.
    pub reason: String,
}

/// What Step Functions refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExecutionRefusal {
    /// The documented name, such as `StateMachineDoesNotExist`.
    pub name: &'static str,
    /// What is wrong.
    pub message: String,
}

impl ExecutionRefusal {
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

/// An execution that has ended, with its names and times.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The state machine.
    pub machine: String,
    /// The execution's name.
    pub name: String,
    /// The execution's ARN.
    pub arn: String,
    /// The ARN of the execution that started it.
    pub parent: Option<String>,
    /// When it started, by the host's clock.
    pub start: DateTime<Utc>,
    /// When it ended.
    pub stop: DateTime<Utc>,
    /// How it ended.
    pub status: Status,
    /// The output of one that succeeded, as the text that Step Functions gives.
    pub output: Option<String>,
    /// The error of one that did not.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// What happened.
    pub history: Arc<[HistoryEvent]>,
}

impl Finished {
    /// What Express bills: 64 MB, in steps of 100 ms.
    #[must_use]
    pub fn billed_milliseconds(&self) -> i64 {
        let milliseconds = (self.stop - self.start).num_milliseconds().max(1);
        (milliseconds + 99) / 100 * 100
    }

    fn document(&self) -> Value {
        let history: Vec<Value> = self
            .history
            .iter()
            .map(|event| {
                let mut line = json!({"id": event.id, "type": event.kind, "atMicros": event.at_micros});
                if let Some(state) = &event.state {
                    line["state"] = json!(state);
                }
                if !event.details.is_null() {
                    line["details"] = event.details.clone();
                }
                line
            })
            .collect();
        let mut document = json!({
            "executionArn": self.arn,
            "stateMachine": self.machine,
            "name": self.name,
            "startDate": self.start.to_rfc3339_opts(SecondsFormat::Millis, true),
            "stopDate": self.stop.to_rfc3339_opts(SecondsFormat::Millis, true),
            "status": self.status.as_str(),
            "history": history,
        });
        for (name, value) in [("parent", &self.parent), ("error", &self.error), ("cause", &self.cause)] {
            if let Some(value) = value {
                document[name] = json!(value);
            }
        }
        document
    }
}

struct Machine {
    definition: String,
    parsed: StateMachine,
}

/// The state machines of the host.
pub struct StepFunctions {
    machines: BTreeMap<String, Machine>,
    lambda: Arc<Lambda>,
    bedrock: Arc<Backend>,
    eventbridge: Arc<EventBridge>,
    clock: Clock,
    created: DateTime<Utc>,
    remembered: Mutex<VecDeque<Arc<Finished>>>,
    /// Itself, for the executions that start others.
    this: Weak<Self>,
}

impl std::fmt::Debug for StepFunctions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("StepFunctions").field("machines", &self.machines.keys()).finish_non_exhaustive()
    }
}

impl StepFunctions {
    /// Reads the state machines, each a name and a definition without open substitutions.
    ///
    /// # Errors
    /// One of them cannot be run.
    pub fn new(
        definitions: Vec<(String, String)>,
        lambda: Arc<Lambda>,
        bedrock: Arc<Backend>,
        eventbridge: Arc<EventBridge>,
        clock: Clock,
    ) -> Result<Arc<Self>, MachineError> {
        let mut machines = BTreeMap::new();
        for (name, definition) in definitions {
            match StateMachine::parse(&definition) {
                Ok(parsed) => machines.insert(name, Machine { definition, parsed }),
                Err(error) => return Err(MachineError { machine: name, reason: error.to_string() }),
            };
        }
        Ok(Arc::new_cyclic(|this| Self {
            machines,
            lambda,
            bedrock,
            eventbridge,
            clock,
            created: clock.now(),
            remembered: Mutex::default(),
            this: this.clone(),
        }))
    }

    /// The names of the state machines.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.machines.keys().map(String::as_str)
    }

    /// When the state machines came to be: when the host started.
    #[must_use]
    pub fn created(&self) -> DateTime<Utc> {
        self.created
    }

    /// The name and the definition of the state machine with this ARN.
    ///
    /// # Errors
    /// `InvalidArn` or `StateMachineDoesNotExist`.
    pub fn describe(&self, arn: &str) -> Result<(&str, &str), ExecutionRefusal> {
        let name = machine_name(arn)
            .ok_or_else(|| ExecutionRefusal::new("InvalidArn", format!("Invalid Arn: '{arn}'")))?;
        // A version or an alias stands behind one more colon, which no ARN of a machine here has.
        let machine = self.machines.get_key_value(name).filter(|_| arn == machine_arn(name));
        machine.map(|(name, machine)| (name.as_str(), machine.definition.as_str())).ok_or_else(|| {
            ExecutionRefusal::new(
                "StateMachineDoesNotExist",
                format!("State Machine Does Not Exist: '{arn}'"),
            )
        })
    }

    /// Runs a state machine to its end.
    ///
    /// # Errors
    /// What Step Functions refuses before an execution starts.
    pub async fn execute(
        &self,
        machine: &str,
        name: Option<&str>,
        input: &str,
        parent: Option<&str>,
    ) -> Result<Arc<Finished>, ExecutionRefusal> {
        let Some(Machine { parsed, .. }) = self.machines.get(machine) else {
            return Err(ExecutionRefusal::new(
                "StateMachineDoesNotExist",
                format!("State Machine Does Not Exist: '{}'", machine_arn(machine)),
            ));
        };
        let name = match name {
            Some(name) => valid_name(name)?.to_owned(),
            None => new_id(),
        };
        if input.len() > asl::MAX_PAYLOAD_BYTES {
            return Err(ExecutionRefusal::new(
                "InvalidExecutionInput",
                format!(
                    "Invalid State Machine Execution Input: it has {} bytes; at most {} are allowed.",
                    input.len(),
                    asl::MAX_PAYLOAD_BYTES
                ),
            ));
        }
        let input: Value = serde_json::from_str(input).map_err(|error| {
            ExecutionRefusal::new(
                "InvalidExecutionInput",
                format!("Invalid State Machine Execution Input: '{error}'"),
            )
        })?;
        let arn = execution_arn(machine, &name, &new_id());
        let start_time = self.clock.now();
        let start = Start {
            name: name.clone(),
            execution_arn: arn.clone(),
            state_machine_arn: machine_arn(machine),
            state_machine_name: machine.to_owned(),
            role_arn: format!("arn:aws:iam::{ACCOUNT}:role/{machine}"),
            input,
            start_time,
        };
        let tasks = Arc::new(ExecutionTasks { workflows: Weak::clone(&self.this), execution: arn.clone() });
        let Execution { status, output, error, cause, history, duration } =
            asl::run(parsed, start, tasks).await;
        let duration = TimeDelta::from_std(duration).unwrap_or_default();
        let finished = Arc::new(Finished {
            machine: machine.to_owned(),
            name,
            arn,
            parent: parent.map(str::to_owned),
            start: start_time,
            stop: start_time.checked_add_signed(duration).unwrap_or(start_time),
            status,
            output: output.map(|output| output.to_string()),
            error,
            cause,
            history: Arc::from(history),
        });
        let mut remembered = self.remembered();
        if remembered.len() == REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(Arc::clone(&finished));
        Ok(finished)
    }

    /// The execution that this one started, if it is still remembered.
    #[must_use]
    pub fn children(&self, parent: &str) -> Vec<Arc<Finished>> {
        self.remembered()
            .iter()
            .filter(|finished| finished.parent.as_deref() == Some(parent))
            .cloned()
            .collect()
    }

    /// The executions of this name, the first first, with their histories.
    #[must_use]
    pub fn history(&self, name: &str) -> Vec<Value> {
        let mut found: Vec<_> =
            self.remembered().iter().filter(|finished| finished.name == name).cloned().collect();
        found.sort_by_key(|finished| finished.start);
        found.iter().map(|finished| finished.document()).collect()
    }

    /// The last executions, the newest first, without their histories.
    #[must_use]
    pub fn recent(&self) -> Vec<Value> {
        let remembered: Vec<_> = self.remembered().iter().rev().cloned().collect();
        remembered
            .iter()
            .map(|finished| {
                let mut document = finished.document();
                if let Some(members) = document.as_object_mut() {
                    members.remove("history");
                }
                document
            })
            .collect()
    }

    fn remembered(&self) -> MutexGuard<'_, VecDeque<Arc<Finished>>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As Step Functions takes names: 1 to 80 characters, none of those that mean something elsewhere.
fn valid_name(name: &str) -> Result<&str, ExecutionRefusal> {
    let length = name.chars().count();
    let bad = |letter: char| {
        letter.is_whitespace() || letter.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(letter)
    };
    if length == 0 || length > MAX_NAME || name.chars().any(bad) {
        return Err(ExecutionRefusal::new("InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(name)
}
