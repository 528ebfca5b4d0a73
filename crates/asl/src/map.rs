//! What a Map iterates over.

use serde_json::Value;

use crate::error::StateFailure;
use crate::scope::Scope;
use crate::template::ValueTemplate;

/// The items: what `Items` gives, or else the state's input. Step Functions takes nothing but an array.
pub(crate) fn items(template: Option<&ValueTemplate>, scope: &Scope<'_>) -> Result<Vec<Value>, StateFailure> {
    match template {
        Some(template) => match template.evaluate(scope)? {
            Value::Array(items) => Ok(items),
            other => Err(template.unexpected("array", &other)),
        },
        None => scope.input.as_array().cloned().ok_or_else(|| {
            StateFailure::evaluation(format!("Map state input must be an array but was: {}", scope.input))
        }),
    }
}

/// How many iterations may run at once; zero means all.
pub(crate) fn concurrency(
    template: Option<&ValueTemplate>,
    scope: &Scope<'_>,
) -> Result<usize, StateFailure> {
    let Some(template) = template else { return Ok(usize::MAX) };
    let value = template.evaluate(scope)?;
    match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
        Some(0) => Ok(usize::MAX),
        Some(number) => Ok(number),
        None if value.is_number() => {
            Err(template.refused(&format!("returned {value}, which is not a whole number.")))
        }
        None => Err(template.unexpected("number", &value)),
    }
}
