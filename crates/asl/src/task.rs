//! The states that take time: a call of a Task, and a Wait.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::definition::{Kind, Wait};
use crate::error::{StateFailure, TIMEOUT};
use crate::execution::TaskCall;
use crate::interpreter::{Entered, ExecutionRun, input_or};
use crate::retry::MAX_SECONDS;
use crate::scope::Scope;
use crate::template::ValueTemplate;

impl ExecutionRun<'_> {
    /// Calls a task once and waits for its result, for as long as its TimeoutSeconds say.
    pub(crate) async fn task(&self, entered: Entered<'_>, scope: &Scope<'_>) -> Result<Value, StateFailure> {
        let name = entered.name;
        let Kind::Task { resource, arguments, timeout, heartbeat, credentials } = &entered.state.kind else {
            return Ok(Value::Null);
        };
        let arguments = input_or(arguments.as_ref(), scope)?;
        self.within_limit(name, &arguments)?;
        if let Some(credentials) = credentials {
            credentials.evaluate(scope)?;
        }
        let seconds = |template: &Option<ValueTemplate>| {
            template.as_ref().map(|template| whole_seconds(template, 1, scope)).transpose()
        };
        let (limit, _) = (seconds(timeout)?, seconds(heartbeat)?);
        // A Lambda function's own ARN as the resource has other events than an integration.
        let function = resource.starts_with("arn:") && resource.split(':').nth(2) == Some("lambda");
        let kind = if function { "LambdaFunction" } else { "Task" };
        let event = |end: &str, error: Option<&str>| {
            let details = match error {
                None => json!({"resource": resource}),
                Some(error) => json!({"resource": resource, "error": error}),
            };
            self.history.add(format!("{kind}{end}"), Some(name), details);
        };
        event("Scheduled", None);
        event("Started", None);
        let call =
            self.tasks.call(TaskCall { resource: resource.clone(), arguments, state: name.to_owned() });
        let result = match limit {
            None => call.await.map_err(StateFailure::from),
            Some(limit) => match tokio::time::timeout(limit, call).await {
                Ok(result) => result.map_err(StateFailure::from),
                Err(_) => Err(StateFailure::timeout()),
            },
        };
        let result = result.and_then(|value| self.within_limit(service(resource), &value).map(|()| value));
        match &result {
            Ok(_) => event("Succeeded", None),
            Err(failure) => {
                let end = if failure.name() == TIMEOUT { "TimedOut" } else { "Failed" };
                event(end, Some(failure.name()));
            }
        }
        result
    }

    /// How long a Wait lasts.
    pub(crate) fn pause(&self, wait: &Wait, scope: &Scope<'_>) -> Result<Duration, StateFailure> {
        match wait {
            Wait::Seconds(seconds) => whole_seconds(seconds, 0, scope),
            Wait::Timestamp(timestamp) => {
                let value = timestamp.evaluate(scope)?;
                let text = value.as_str().ok_or_else(|| timestamp.unexpected("string", &value))?;
                let until = time(text).ok_or_else(|| {
                    StateFailure::evaluation(format!(
                        "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
                    ))
                })?;
                Ok((until - self.now()).to_std().unwrap_or_default())
            }
        }
    }
}

/// The service of a resource, such as `lambda` of `lambda:invoke`. AWS names it when a result is too large.
fn service(resource: &str) -> &str {
    let optimized = resource.split_once(":states:::").map(|(_, integration)| integration);
    match optimized {
        Some(integration) => integration.split(':').next().unwrap_or(integration),
        None => resource.split(':').nth(2).unwrap_or(resource),
    }
}

/// Reads a timestamp in ISO 8601, which requires a `T` between date and time; RFC 3339 also allows a blank.
fn time(text: &str) -> Option<DateTime<Utc>> {
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        return None;
    }
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

fn whole_seconds(template: &ValueTemplate, least: u64, scope: &Scope<'_>) -> Result<Duration, StateFailure> {
    let value = template.evaluate(scope)?;
    match value.as_u64() {
        Some(seconds) if (least..=MAX_SECONDS).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ if value.is_number() => Err(template.refused(&format!(
            "returned {value}, which is not a whole number from {least} to {MAX_SECONDS}."
        ))),
        _ => Err(template.unexpected("number", &value)),
    }
}
