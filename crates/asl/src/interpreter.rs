//! Runs a state machine as Step Functions runs an Express execution.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::definition::{Kind, State, StateMachine, States, Wait};
use crate::error::{TaskError, covers};
use crate::history::{Event, History};
use crate::retry::Retries;
use crate::scope::{Scope, Variables};
use crate::template::Template;
use crate::{MAX_CAUSE_CHARS, MAX_DURATION, MAX_ERROR_CHARS, MAX_PAYLOAD_BYTES, map};

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
}

impl Default for Options {
    fn default() -> Self {
        Self { max_duration: MAX_DURATION, max_payload_bytes: MAX_PAYLOAD_BYTES }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has an output.
    Succeeded,
    /// It has an error and a cause.
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
    pub history: Vec<Event>,
    /// How long it took.
    pub duration: Duration,
}

/// Runs an execution under the limits of Express.
pub async fn run(machine: &StateMachine, start: Start, tasks: Arc<dyn Tasks>) -> Execution {
    run_with(machine, start, tasks, Options::default()).await
}

/// Runs an execution under other limits.
pub async fn run_with(
    machine: &StateMachine,
    start: Start,
    tasks: Arc<dyn Tasks>,
    options: Options,
) -> Execution {
    let history = History::start();
    history.add("ExecutionStarted", None, Value::Null);
    let limit = machine
        .timeout_seconds
        .map_or(options.max_duration, |seconds| options.max_duration.min(Duration::from_secs(seconds)));
    let input = start.input.clone();
    let run = Run { start: &start, tasks: &*tasks, history: &history, options: &options };
    let work = async {
        run.within_limit("input of the execution", &input)?;
        run.states(&machine.states, input, Variables::new(), None).await
    };
    let (status, output, failure) = match tokio::time::timeout(limit, work).await {
        Ok(Ok(output)) => (Status::Succeeded, Some(output), None),
        Ok(Err(failure)) => (Status::Failed, None, Some(failure)),
        // Step Functions gives neither an error nor a cause when the execution's time is up.
        Err(_) => (Status::TimedOut, None, None),
    };
    let (error, cause) = failure.map_or((None, None), |failure| {
        (Some(cut(failure.error, MAX_ERROR_CHARS)), Some(cut(failure.cause, MAX_CAUSE_CHARS)))
    });
    let kind = match status {
        Status::Succeeded => "ExecutionSucceeded",
        Status::Failed => "ExecutionFailed",
        Status::TimedOut => "ExecutionTimedOut",
    };
    history.add(kind, None, error.as_ref().map_or(Value::Null, |error| json!({"error": error})));
    Execution { status, output, error, cause, duration: history.elapsed(), history: history.take() }
}

fn cut(text: String, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// What a state gives: where to go on with what, or the end.
struct Step {
    next: Option<String>,
    output: Value,
    assigned: Vec<(String, Value)>,
}

struct Run<'a> {
    start: &'a Start,
    tasks: &'a dyn Tasks,
    history: &'a History,
    options: &'a Options,
}

impl Run<'_> {
    /// Runs states from the first to an end. Boxed, because branches and maps nest.
    fn states<'b>(
        &'b self,
        states: &'b States,
        mut input: Value,
        mut variables: Variables,
        map_item: Option<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<Value, TaskError>> + Send + 'b>> {
        Box::pin(async move {
            let mut name = states.start_at.clone();
            loop {
                let Some(state) = states.states.get(&name) else {
                    return Err(TaskError::new("States.Runtime", format!("There is no state {name:?}.")));
                };
                let kind = state.kind.name();
                self.history.add(format!("{kind}StateEntered"), Some(&name), Value::Null);
                let step = self.state(&name, state, &input, &variables, map_item.as_ref()).await?;
                self.within_limit(&format!("output of the state '{name}'"), &step.output)?;
                self.history.add(format!("{kind}StateExited"), Some(&name), Value::Null);
                variables.extend(step.assigned.into_iter().map(|(name, value)| (name, Arc::new(value))));
                match step.next {
                    Some(next) => (name, input) = (next, step.output),
                    None => return Ok(step.output),
                }
            }
        })
    }

    async fn state(
        &self,
        name: &str,
        state: &State,
        input: &Value,
        variables: &Variables,
        map_item: Option<&Value>,
    ) -> Result<Step, TaskError> {
        let mut context = self.context(name, map_item);
        let mut retries = Retries::new(&state.retry);
        loop {
            let scope = Scope { variables, input, context: &context, result: None, error_output: None };
            let failure = match self.attempt(name, state, &scope).await {
                Ok(step) => return Ok(step),
                Err(failure) => failure,
            };
            if let Some(delay) = retries.after(&failure.error) {
                tokio::time::sleep(delay).await;
                if let Some(count) = context.pointer_mut("/State/RetryCount") {
                    *count = json!(retries.count());
                }
                continue;
            }
            let Some(catcher) = state.catch.iter().find(|catcher| covers(&catcher.errors, &failure.error))
            else {
                return Err(failure);
            };
            let error_output = json!({
                "Error": cut(failure.error, MAX_ERROR_CHARS),
                "Cause": cut(failure.cause, MAX_CAUSE_CHARS),
            });
            let scope = Scope { error_output: Some(&error_output), ..scope };
            let assigned = assign(&catcher.assign, &scope)?;
            let output = catcher
                .output
                .as_ref()
                .map_or_else(|| Ok(error_output.clone()), |output| output.evaluate(&scope))?;
            return Ok(Step { next: Some(catcher.next.clone()), output, assigned });
        }
    }

    /// One attempt at a state, up to and with its assignments and its output.
    async fn attempt(&self, name: &str, state: &State, scope: &Scope<'_>) -> Result<Step, TaskError> {
        let result = match &state.kind {
            Kind::Pass => None,
            Kind::Succeed => None,
            Kind::Fail { error, cause } => {
                let text = |template: &Option<Template>| match template
                    .as_ref()
                    .map(|template| template.evaluate(scope))
                    .transpose()?
                {
                    None => Ok(String::new()),
                    Some(Value::String(text)) => Ok(text),
                    Some(other) => Err(TaskError::evaluation(format!(
                        "The Fail state '{name}' was given {other}, not a string."
                    ))),
                };
                return Err(TaskError::new(text(error)?, text(cause)?));
            }
            Kind::Choice { rules, default } => {
                for rule in rules {
                    if rule.applies(scope)? {
                        return finish(&rule.assign, rule.output.as_ref(), Some(rule.next.clone()), scope);
                    }
                }
                let Some(default) = default else {
                    return Err(TaskError::new(
                        "States.NoChoiceMatched",
                        format!("No rule of the Choice '{name}' applies."),
                    ));
                };
                return finish(&state.assign, state.output.as_ref(), Some(default.clone()), scope);
            }
            Kind::Wait(wait) => {
                tokio::time::sleep(self.pause(name, wait, scope)?).await;
                None
            }
            Kind::Task { resource, arguments, timeout } => {
                Some(self.task(name, resource, arguments.as_ref(), timeout.as_ref(), scope).await?)
            }
            Kind::Parallel { arguments, branches } => {
                let input = arguments
                    .as_ref()
                    .map_or_else(|| Ok(scope.input.clone()), |arguments| arguments.evaluate(scope))?;
                self.history.add("ParallelStateStarted", Some(name), Value::Null);
                let branches = branches
                    .iter()
                    .map(|branch| self.states(branch, input.clone(), scope.variables.clone(), None));
                let results = self.ended("Parallel", name, try_join_all(branches).await)?;
                Some(Value::Array(results))
            }
            Kind::Map { items, selector, processor, concurrency } => {
                let items = map::items(items.as_ref(), scope)?;
                let concurrency = map::concurrency(concurrency.as_ref(), scope)?.min(items.len().max(1));
                self.history.add("MapStateStarted", Some(name), json!({"length": items.len()}));
                let iterations = items.into_iter().enumerate().map(|(index, value)| {
                    let item = json!({"Index": index, "Value": value});
                    async move {
                        let context = self.context(name, Some(&item));
                        let inner = Scope { context: &context, ..*scope };
                        let input = selector
                            .as_ref()
                            .map_or_else(|| Ok(value), |selector| selector.evaluate(&inner))?;
                        let result =
                            self.states(processor, input, scope.variables.clone(), Some(item)).await?;
                        Ok((index, result))
                    }
                });
                // The next iteration starts when any has ended; the results keep their order.
                let results: Result<Vec<(usize, Value)>, TaskError> =
                    stream::iter(iterations).buffer_unordered(concurrency).try_collect().await;
                let mut results = self.ended("Map", name, results)?;
                results.sort_by_key(|(index, _)| *index);
                Some(results.into_iter().map(|(_, result)| result).collect())
            }
        };
        let scope = Scope { result: result.as_ref(), ..*scope };
        if result.is_none() || state.output.is_some() {
            return finish(&state.assign, state.output.as_ref(), state.next.clone(), &scope);
        }
        let assigned = assign(&state.assign, &scope)?;
        Ok(Step { next: state.next.clone(), assigned, output: result.unwrap_or_default() })
    }

    fn ended<T>(&self, kind: &str, name: &str, result: Result<T, TaskError>) -> Result<T, TaskError> {
        let end = if result.is_ok() { "Succeeded" } else { "Failed" };
        self.history.add(format!("{kind}State{end}"), Some(name), Value::Null);
        result
    }

    async fn task(
        &self,
        name: &str,
        resource: &str,
        arguments: Option<&Template>,
        timeout: Option<&Template>,
        scope: &Scope<'_>,
    ) -> Result<Value, TaskError> {
        let arguments =
            arguments.map_or_else(|| Ok(scope.input.clone()), |arguments| arguments.evaluate(scope))?;
        self.within_limit(&format!("arguments of the task '{name}'"), &arguments)?;
        let limit = match timeout {
            None => None,
            Some(timeout) => Some(whole_seconds(&timeout.evaluate(scope)?, name, "TimeoutSeconds")?),
        };
        self.history.add("TaskScheduled", Some(name), json!({"resource": resource}));
        self.history.add("TaskStarted", Some(name), json!({"resource": resource}));
        let call =
            self.tasks.call(TaskCall { resource: resource.to_owned(), arguments, state: name.to_owned() });
        let result = match limit {
            None => call.await,
            Some(limit) => tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
                Err(TaskError::new(
                    "States.Timeout",
                    format!("The task '{name}' took longer than {} s.", limit.as_secs()),
                ))
            }),
        };
        let result = result.and_then(|value| {
            self.within_limit(&format!("result of the task '{name}'"), &value).map(|()| value)
        });
        match &result {
            Ok(_) => self.history.add("TaskSucceeded", Some(name), json!({"resource": resource})),
            Err(failure) => {
                let kind = if failure.error == "States.Timeout" { "TaskTimedOut" } else { "TaskFailed" };
                self.history.add(kind, Some(name), json!({"resource": resource, "error": failure.error}));
            }
        }
        result
    }

    fn pause(&self, name: &str, wait: &Wait, scope: &Scope<'_>) -> Result<Duration, TaskError> {
        match wait {
            Wait::Seconds(seconds) => whole_seconds(&seconds.evaluate(scope)?, name, "Seconds"),
            Wait::Timestamp(timestamp) => {
                let value = timestamp.evaluate(scope)?;
                let until = value
                    .as_str()
                    .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
                    .ok_or_else(|| {
                        TaskError::evaluation(format!(
                            "The Timestamp of '{name}' is {value}, not an RFC 3339 time."
                        ))
                    })?;
                Ok((until.with_timezone(&Utc) - self.now()).to_std().unwrap_or_default())
            }
        }
    }

    /// The execution's clock: its start plus the time that has passed.
    fn now(&self) -> DateTime<Utc> {
        self.start.start_time + chrono::Duration::from_std(self.history.elapsed()).unwrap_or_default()
    }

    fn context(&self, state: &str, map_item: Option<&Value>) -> Value {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let start = self.start;
        let mut context = json!({
            "Execution": {
                "Id": start.execution_arn,
                "Input": start.input,
                "Name": start.name,
                "RoleArn": start.role_arn,
                "StartTime": time(start.start_time),
            },
            "StateMachine": {"Id": start.state_machine_arn, "Name": start.state_machine_name},
            "State": {"Name": state, "EnteredTime": time(self.now()), "RetryCount": 0},
        });
        if let Some(item) = map_item {
            context["Map"] = json!({"Item": item});
        }
        context
    }

    fn within_limit(&self, what: &str, value: &Value) -> Result<(), TaskError> {
        let mut counter = Counter(0);
        // Counting cannot fail, and a JSON value can always be written.
        let _ = serde_json::to_writer(&mut counter, value);
        if counter.0 > self.options.max_payload_bytes {
            Err(TaskError::too_large(what, counter.0))
        } else {
            Ok(())
        }
    }
}

/// Counts what is written to it.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn whole_seconds(value: &Value, state: &str, field: &str) -> Result<Duration, TaskError> {
    value.as_u64().filter(|seconds| *seconds <= 99_999_999).map(Duration::from_secs).ok_or_else(|| {
        TaskError::evaluation(format!(
            "{field} of '{state}' is {value}, not a whole number from 0 to 99999999."
        ))
    })
}

/// Evaluates all with the values from before: what one sets, the others do not see yet.
fn assign(assign: &[(String, Template)], scope: &Scope<'_>) -> Result<Vec<(String, Value)>, TaskError> {
    assign.iter().map(|(name, value)| Ok((name.clone(), value.evaluate(scope)?))).collect()
}

fn finish(
    variables: &[(String, Template)],
    output: Option<&Template>,
    next: Option<String>,
    scope: &Scope<'_>,
) -> Result<Step, TaskError> {
    let assigned = assign(variables, scope)?;
    let output = output.map_or_else(|| Ok(scope.input.clone()), |output| output.evaluate(scope))?;
    Ok(Step { next, output, assigned })
}
