//! What a Map iterates over.

use serde_json::Value;

use crate::error::TaskError;
use crate::scope::Scope;
use crate::template::Template;

/// The items: what `Items` gives, or else the state's input, as a list.
pub(crate) fn items(template: Option<&Template>, scope: &Scope<'_>) -> Result<Vec<Value>, TaskError> {
    let value = template.map_or_else(|| Ok(scope.input.clone()), |template| template.evaluate(scope))?;
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(fields) => Ok(fields
            .into_iter()
            .map(|(key, value)| serde_json::json!({"Key": key, "Value": value}))
            .collect()),
        other => Err(TaskError::evaluation(format!(
            "The Map '{}' was given {other} to iterate over, which is neither an array nor an object.",
            scope.state_name()
        ))),
    }
}

/// How many iterations may run at once; zero means all.
pub(crate) fn concurrency(template: Option<&Template>, scope: &Scope<'_>) -> Result<usize, TaskError> {
    let Some(template) = template else { return Ok(usize::MAX) };
    let value = template.evaluate(scope)?;
    match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
        Some(0) => Ok(usize::MAX),
        Some(number) => Ok(number),
        None => Err(TaskError::evaluation(format!(
            "MaxConcurrency of '{}' is {value}, not a whole number.",
            scope.state_name()
        ))),
    }
}
