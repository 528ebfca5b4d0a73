//! Runs a shipped state machine with scripted tasks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::{Execution, Options, Start, StateMachine, TaskCall, TaskError, Tasks};
use serde_json::{Value, json};

pub type Reply = Result<Value, TaskError>;

/// Answers each state from its queue; the last reply stays.
#[derive(Default)]
pub struct Script {
    replies: Mutex<BTreeMap<String, VecDeque<Reply>>>,
    silent: BTreeSet<String>,
    calls: Mutex<Vec<TaskCall>>,
    /// How long a state's task takes.
    lasting: BTreeMap<String, Duration>,
}

impl Script {
    pub fn reply(self, state: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies.lock().unwrap().insert(state.to_owned(), replies.into_iter().collect());
        self
    }

    /// A task that takes so long.
    pub fn lasts(mut self, state: &str, seconds: u64) -> Self {
        self.lasting.insert(state.to_owned(), Duration::from_secs(seconds));
        self
    }

    /// A function's answer, as the Lambda integration gives it.
    pub fn function(self, state: &str, payload: Value) -> Self {
        self.reply(state, [Ok(json!({"StatusCode": 200, "Payload": payload}))])
    }

    pub fn fails(self, state: &str, error: &str) -> Self {
        self.reply(state, [Err(TaskError::new(error, format!("{error} in account 123456789012")))])
    }

    /// The state's task never answers.
    pub fn hangs(mut self, state: &str) -> Self {
        self.silent.insert(state.to_owned());
        self
    }

    /// A function's named error, as the Lambda integration gives it.
    pub fn refuses(self, state: &str, name: &str, document: &Value) -> Self {
        let cause = json!({"errorType": name, "errorMessage": document.to_string()}).to_string();
        self.reply(state, [Err(TaskError::new(name, cause))])
    }

    pub fn states(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call.state.clone()).collect()
    }

    /// How often a state was called.
    pub fn count(&self, state: &str) -> usize {
        self.states().iter().filter(|called| *called == state).count()
    }

    /// The arguments of each call of a state.
    pub fn all_arguments(&self, state: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.state == state).map(|call| call.arguments.clone()).collect()
    }

    /// The arguments of the last call of a state.
    pub fn arguments(&self, state: &str) -> Value {
        self.all_arguments(state).pop().unwrap_or_else(|| panic!("{state} was not called"))
    }
}

struct Shared(Arc<Script>);

impl Tasks for Shared {
    fn call<'a>(&'a self, call: TaskCall) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        let state = call.state.clone();
        self.0.calls.lock().unwrap().push(call);
        if self.0.silent.contains(&state) {
            return Box::pin(std::future::pending());
        }
        let mut replies = self.0.replies.lock().unwrap();
        let queue = replies.get_mut(&state).unwrap_or_else(|| panic!("nothing scripted for {state}"));
        let reply = if queue.len() > 1 { queue.pop_front().unwrap() } else { queue[0].clone() };
        let lasting = self.0.lasting.get(&state).copied().unwrap_or_default();
        Box::pin(async move {
            tokio::time::sleep(lasting).await;
            reply
        })
    }
}

pub async fn run(definition: &str, input: Value, script: Script) -> (Execution, Arc<Script>) {
    run_with(definition, input, script, Options::default()).await
}

pub async fn run_with(
    definition: &str,
    input: Value,
    script: Script,
    options: Options,
) -> (Execution, Arc<Script>) {
    let values: BTreeMap<String, String> = definition
        .split("${")
        .skip(1)
        .filter_map(|after| after.split_once('}'))
        .map(|(name, _)| (name.to_owned(), format!("arn:{name}")))
        .collect();
    let machine = StateMachine::parse(&asl::substitute(definition, &values).unwrap()).unwrap();
    let start = Start {
        name: "request-1".to_owned(),
        execution_arn: "arn:execution".to_owned(),
        state_machine_arn: "arn:machine".to_owned(),
        state_machine_name: "machine".to_owned(),
        role_arn: "arn:role".to_owned(),
        input,
        start_time: "2026-11-23T12:00:00Z".parse().unwrap(),
    };
    let script = Arc::new(script);
    let execution = asl::run_with(&machine, start, Arc::new(Shared(Arc::clone(&script))), options).await;
    (execution, script)
}

pub fn cause(execution: &Execution) -> Value {
    serde_json::from_str(execution.cause.as_deref().unwrap()).unwrap()
}
