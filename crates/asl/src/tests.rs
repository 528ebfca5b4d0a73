//! The engine against the JSONata parts of the Amazon States Language, in virtual time.

mod definitions;
mod failures;
mod flow;
mod functions;
mod linting;
mod properties;
mod recordings;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Execution, Start, StateMachine, TaskCall, TaskError, Tasks, run};

type ScriptedReply = Result<Value, TaskError>;

/// What tasks reply, by state: in their order; the last one is repeated. A state without replies
/// gives its arguments back.
#[derive(Default)]
struct Script {
    replies: Mutex<BTreeMap<String, VecDeque<(u64, ScriptedReply)>>>,
    calls: Mutex<Vec<TaskCall>>,
    running: Mutex<(usize, usize)>,
}

impl Script {
    fn reply(self, state: &str, seconds: u64, reply: ScriptedReply) -> Self {
        self.replies.lock().unwrap().entry(state.to_owned()).or_default().push_back((seconds, reply));
        self
    }

    fn fails(self, state: &str, error: &str) -> Self {
        self.reply(state, 0, Err(TaskError::new(error, "because")))
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    fn most_at_once(&self) -> usize {
        self.running.lock().unwrap().1
    }
}

struct Shared(Arc<Script>);

impl Tasks for Shared {
    fn call<'a>(&'a self, call: TaskCall) -> Pin<Box<dyn Future<Output = ScriptedReply> + Send + 'a>> {
        let (seconds, reply) = match self.0.replies.lock().unwrap().get_mut(&call.state) {
            None => (0, Ok(call.arguments.clone())),
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue[0].clone(),
        };
        self.0.calls.lock().unwrap().push(call);
        Box::pin(async move {
            {
                let mut running = self.0.running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            self.0.running.lock().unwrap().0 -= 1;
            reply
        })
    }
}

/// A machine of these states, started at `First`.
fn machine(states: Value) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "First", "States": states})
}

fn start(input: Value) -> Start {
    Start {
        name: "run-1".to_owned(),
        execution_arn: "arn:execution".to_owned(),
        state_machine_arn: "arn:machine".to_owned(),
        state_machine_name: "machine".to_owned(),
        role_arn: "arn:role".to_owned(),
        input,
        start_time: "2026-11-23T12:00:00Z".parse().unwrap(),
    }
}

async fn execute(definition: Value, input: Value, script: Script) -> (Execution, Arc<Script>) {
    let machine = StateMachine::parse(&definition.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let script = Arc::new(script);
    (run(&machine, start(input), Arc::new(Shared(Arc::clone(&script)))).await, script)
}

/// The output of a machine that succeeds.
async fn output(states: Value, input: Value) -> Value {
    let (execution, _) = execute(machine(states), input, Script::default()).await;
    execution.output.clone().unwrap_or_else(|| panic!("{execution:?}"))
}

/// The error of a machine that fails.
async fn error(states: Value, input: Value, script: Script) -> String {
    let (execution, _) = execute(machine(states), input, script).await;
    execution.error.clone().unwrap_or_else(|| panic!("{execution:?}"))
}

/// A task that ends the machine, with more fields.
fn task(more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": "arn:task", "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}
