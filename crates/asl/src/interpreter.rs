//! Runs a state machine as Step Functions runs an Express execution.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::definition::{Kind, State, StateMachine, States};
use crate::error::StateFailure;
use crate::execution::{Execution, Options, Start, Status, Tasks};
use crate::history::{History, Stay};
use crate::retry::{Catcher, Retries};
use crate::scope::{Scope, Variables};
use crate::template::ValueTemplate;
use crate::{MAX_CAUSE_CHARS, MAX_ERROR_CHARS, map};

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
    let run = ExecutionRun { start: &start, tasks: &*tasks, history: &history, options: &options };
    // Pinned here, so that it is dropped after the history is taken: a timeout records no aborted states.
    let mut work = pin!(async {
        run.within_limit(&start.name, &input)?;
        run.states(&machine.states, input, Variables::new(), Level::Machine).await
    });
    let (status, output, failure) = match tokio::time::timeout(limit, work.as_mut()).await {
        Ok(Ok(output)) => (Status::Succeeded, Some(output), None),
        Ok(Err(failure)) => (Status::Failed, None, Some(failure)),
        // Step Functions gives neither an error nor a cause when the execution's time is up.
        Err(_) => (Status::TimedOut, None, None),
    };
    let (error, cause) = failure.map_or((None, None), |failure| {
        let cut_to = |text: Option<String>, characters| text.map(|text| cut(text, characters));
        (cut_to(failure.error, MAX_ERROR_CHARS), cut_to(failure.cause, MAX_CAUSE_CHARS))
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

/// The result of a state: its output, the variables to set, and the next state unless it is an end.
struct Step {
    next: Option<String>,
    output: Value,
    assigned: Vec<(String, Value)>,
}

/// The place of a list of states in the definition.
enum Level {
    Machine,
    Branch,
    /// An iteration of a Map, with the `Map.Item` of its context object.
    Iteration(Value),
}

/// A state that has been entered.
#[derive(Clone, Copy)]
pub(crate) struct Entered<'a> {
    pub(crate) name: &'a str,
    pub(crate) state: &'a State,
    /// The id of its event in the history.
    event: u64,
}

/// One execution.
pub(crate) struct ExecutionRun<'a> {
    start: &'a Start,
    pub(crate) tasks: &'a dyn Tasks,
    pub(crate) history: &'a History,
    options: &'a Options,
}

impl ExecutionRun<'_> {
    /// Runs states from the first to an end. Boxed, because branches and maps nest.
    fn states<'b>(
        &'b self,
        states: &'b States,
        mut input: Value,
        mut variables: Variables,
        level: Level,
    ) -> Pin<Box<dyn Future<Output = Result<Value, StateFailure>> + Send + 'b>> {
        Box::pin(async move {
            let mut next = states.start_at.as_str();
            loop {
                let Some((name, state)) = states.states.get_key_value(next) else {
                    return Err(StateFailure::new("States.Runtime", format!("There is no state {next:?}.")));
                };
                let kind = state.kind.name();
                let event = self.history.add(format!("{kind}StateEntered"), Some(name), Value::Null);
                let mut stay = Stay::new(self.history, kind, name);
                let result = self.state(Entered { name, state, event }, &input, &variables, &level).await;
                // AWS records an abort of the state that fails a branch too.
                if result.is_ok() || !matches!(level, Level::Branch) {
                    stay.end();
                }
                let step = result?;
                self.history.add(format!("{kind}StateExited"), Some(name), Value::Null);
                variables.extend(step.assigned.into_iter().map(|(name, value)| (name, Arc::new(value))));
                input = step.output;
                match step.next.and_then(|next| states.states.get_key_value(&next)) {
                    Some((following, _)) => next = following,
                    None => return Ok(input),
                }
            }
        })
    }

    /// A state with its retries and its catchers.
    async fn state(
        &self,
        entered: Entered<'_>,
        input: &Value,
        variables: &Variables,
        level: &Level,
    ) -> Result<Step, StateFailure> {
        let Entered { name, state, .. } = entered;
        let mut context = self.context(entered, level);
        let mut retries = Retries::new(&state.retry, self.options.all_covers_data_limit);
        let failure = loop {
            let scope = Scope { variables, input, context: &context, result: None, error_output: None };
            let attempt = self.attempt(entered, &scope).await;
            let failure = match attempt.and_then(|step| self.checked(name, step)) {
                Ok(step) => return Ok(step),
                Err(failure) => self.reported(entered, failure),
            };
            match retries.after(&failure) {
                None => break failure,
                Some(delay) => tokio::time::sleep(delay).await,
            }
            if let Some(count) = context.pointer_mut("/State/RetryCount") {
                *count = json!(retries.count());
            }
        };
        let scope = Scope { variables, input, context: &context, result: None, error_output: None };
        let covers =
            |catcher: &&Catcher| failure.is_covered(&catcher.errors, self.options.all_covers_data_limit);
        let result = match state.catch.iter().find(covers) {
            None => Err(failure),
            Some(catcher) => caught(catcher, failure, &scope)
                .and_then(|step| self.checked(name, step))
                .map_err(|failure| self.reported(entered, failure)),
        };
        if result.is_err() && matches!(state.kind, Kind::Parallel { .. } | Kind::Map { .. }) {
            self.history.add(format!("{}StateFailed", state.kind.name()), Some(name), Value::Null);
        }
        result
    }

    /// A step whose output is not too large.
    fn checked(&self, name: &str, step: Step) -> Result<Step, StateFailure> {
        self.within_limit(name, &step.output).map(|()| step)
    }

    /// Adds the event of a failed evaluation, and says in its cause where it happened.
    fn reported(&self, entered: Entered<'_>, mut failure: StateFailure) -> StateFailure {
        if std::mem::take(&mut failure.unreported) {
            let Entered { name, event, .. } = entered;
            failure.cause = failure.cause.map(|problem| {
                format!("An error occurred while executing the state '{name}' (entered at the event id #{event}). {problem}")
            });
            self.history.add("EvaluationFailed", Some(name), json!({"error": failure.error}));
        }
        failure
    }

    /// One attempt at a state, up to and with its assignments and its output.
    async fn attempt(&self, entered: Entered<'_>, scope: &Scope<'_>) -> Result<Step, StateFailure> {
        let Entered { name, state, .. } = entered;
        let result = match &state.kind {
            Kind::Pass | Kind::Succeed => None,
            Kind::Fail { error, cause } => {
                let text = |template: &Option<ValueTemplate>| match template {
                    None => Ok(None),
                    Some(template) => match template.evaluate(scope)? {
                        Value::String(text) => Ok(Some(text)),
                        other => Err(template.unexpected("string", &other)),
                    },
                };
                return Err(StateFailure { error: text(error)?, cause: text(cause)?, unreported: false });
            }
            Kind::Choice { rules, default } => {
                for rule in rules {
                    if rule.applies(scope)? {
                        return finish(&rule.assign, rule.output.as_ref(), Some(rule.next.clone()), scope);
                    }
                }
                let Some(default) = default else {
                    return Err(StateFailure::new(
                        "States.NoChoiceMatched",
                        format!("No rule of the Choice '{name}' applies."),
                    ));
                };
                return finish(&state.assign, state.output.as_ref(), Some(default.clone()), scope);
            }
            Kind::Wait(wait) => {
                tokio::time::sleep(self.pause(wait, scope)?).await;
                None
            }
            Kind::Task { .. } => Some(self.task(entered, scope).await?),
            Kind::Parallel { arguments, branches } => {
                let input = input_or(arguments.as_ref(), scope)?;
                self.within_limit(name, &input)?;
                self.history.add("ParallelStateStarted", Some(name), Value::Null);
                let branches = branches
                    .iter()
                    .map(|branch| self.states(branch, input.clone(), scope.variables.clone(), Level::Branch));
                let results = try_join_all(branches).await?;
                self.history.add("ParallelStateSucceeded", Some(name), Value::Null);
                Some(Value::Array(results))
            }
            Kind::Map { items, concurrency, .. } => {
                let items = map::items(items.as_ref(), scope)?;
                let concurrency = map::concurrency(concurrency.as_ref(), scope)?.min(items.len().max(1));
                self.history.add("MapStateStarted", Some(name), json!({"length": items.len()}));
                let results = self.iterations(entered, items, concurrency, scope).await?;
                self.history.add("MapStateSucceeded", Some(name), Value::Null);
                Some(Value::Array(results))
            }
        };
        let scope = Scope { result: result.as_ref(), ..*scope };
        if result.is_none() || state.output.is_some() {
            return finish(&state.assign, state.output.as_ref(), state.next.clone(), &scope);
        }
        let assigned = assign(&state.assign, &scope)?;
        Ok(Step { next: state.next.clone(), assigned, output: result.unwrap_or_default() })
    }

    /// Runs a Map's iterations, each as soon as another has ended; the results keep their order.
    async fn iterations(
        &self,
        entered: Entered<'_>,
        items: Vec<Value>,
        concurrency: usize,
        scope: &Scope<'_>,
    ) -> Result<Vec<Value>, StateFailure> {
        let Kind::Map { selector, processor, .. } = &entered.state.kind else { return Ok(Vec::new()) };
        let event = |end: &str, index: usize| {
            self.history.add(format!("MapIteration{end}"), Some(entered.name), json!({"index": index}));
        };
        let started = AtomicUsize::new(0);
        let mut results = BTreeMap::new();
        let iterations = items.into_iter().enumerate().map(|(index, value)| {
            event("Started", index);
            started.fetch_add(1, Ordering::Relaxed);
            let level = Level::Iteration(json!({"Index": index, "Value": value}));
            async move {
                let context = self.context(entered, &level);
                let inner = Scope { context: &context, ..*scope };
                let input = selector.as_ref().map_or_else(|| Ok(value), |selector| selector.evaluate(&inner));
                let result = match input {
                    Ok(input) => self.states(processor, input, scope.variables.clone(), level).await,
                    Err(failure) => Err(self.reported(entered, failure)),
                };
                (index, result)
            }
        });
        let mut running = stream::iter(iterations).buffer_unordered(concurrency);
        while let Some((index, result)) = running.next().await {
            match result {
                Ok(result) => {
                    event("Succeeded", index);
                    results.insert(index, result);
                }
                Err(failure) => {
                    // The order in which AWS records them: the other iterations, their states, and then the failed one.
                    let ended: BTreeSet<usize> = results.keys().copied().chain([index]).collect();
                    let in_flight: Vec<usize> =
                        (0..started.load(Ordering::Relaxed)).filter(|other| !ended.contains(other)).collect();
                    in_flight.into_iter().for_each(|other| event("Aborted", other));
                    drop(running);
                    event("Failed", index);
                    return Err(failure);
                }
            }
        }
        Ok(results.into_values().collect())
    }

    /// The execution's clock: its start plus the time that has passed.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.start.start_time + chrono::Duration::from_std(self.history.elapsed()).unwrap_or_default()
    }

    fn context(&self, entered: Entered<'_>, level: &Level) -> Value {
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
            "State": {"Name": entered.name, "EnteredTime": time(self.now())},
        });
        if matches!(entered.state.kind, Kind::Task { .. } | Kind::Parallel { .. } | Kind::Map { .. }) {
            context["State"]["RetryCount"] = json!(0);
        }
        if let Level::Iteration(item) = level {
            context["Map"] = json!({"Item": item});
        }
        context
    }

    pub(crate) fn within_limit(&self, source: &str, value: &Value) -> Result<(), StateFailure> {
        let mut counter = Counter(0);
        // Counting cannot fail, and a JSON value can always be written.
        let _ = serde_json::to_writer(&mut counter, value);
        if counter.0 > self.options.max_payload_bytes { Err(StateFailure::too_large(source)) } else { Ok(()) }
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

/// The value of `Arguments` or `Output`; without it the state's input.
pub(crate) fn input_or(arguments: Option<&ValueTemplate>, scope: &Scope<'_>) -> Result<Value, StateFailure> {
    arguments.map_or_else(|| Ok(scope.input.clone()), |arguments| arguments.evaluate(scope))
}

/// Evaluates a catcher's `Assign` and `Output` for a failure.
fn caught(catcher: &Catcher, failure: StateFailure, scope: &Scope<'_>) -> Result<Step, StateFailure> {
    let error_output = json!({
        "Error": cut(failure.error.unwrap_or_default(), MAX_ERROR_CHARS),
        "Cause": cut(failure.cause.unwrap_or_default(), MAX_CAUSE_CHARS),
    });
    let scope = Scope { error_output: Some(&error_output), ..*scope };
    let assigned = assign(&catcher.assign, &scope)?;
    let output = match &catcher.output {
        Some(output) => output.evaluate(&scope)?,
        None => error_output.clone(),
    };
    Ok(Step { next: Some(catcher.next.clone()), output, assigned })
}

/// Evaluates an `Assign`. All of it sees the variables as they were before the state.
fn assign(
    assign: &[(String, ValueTemplate)],
    scope: &Scope<'_>,
) -> Result<Vec<(String, Value)>, StateFailure> {
    assign.iter().map(|(name, value)| Ok((name.clone(), value.evaluate(scope)?))).collect()
}

fn finish(
    variables: &[(String, ValueTemplate)],
    output: Option<&ValueTemplate>,
    next: Option<String>,
    scope: &Scope<'_>,
) -> Result<Step, StateFailure> {
    let assigned = assign(variables, scope)?;
    let output = input_or(output, scope)?;
    Ok(Step { next, output, assigned })
}
