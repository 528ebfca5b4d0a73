//! A JSON value in a definition, of which any string may be an expression.

use serde_json::{Map, Value};

use crate::error::{DefinitionError, StateFailure};
use crate::jsonata::Expression;
use crate::scope::Scope;

/// A value with expressions in it.
#[derive(Debug, Clone)]
pub(crate) enum ValueTemplate {
    Literal(Value),
    Expression(Box<Expression>),
    Array(Vec<ValueTemplate>),
    Object(Vec<(String, ValueTemplate)>),
}

impl ValueTemplate {
    /// Reads a value of a definition. `place` is its path in the definition, `field` its path in its state.
    pub(crate) fn parse(value: &Value, place: &str, field: &str) -> Result<Self, DefinitionError> {
        match value {
            Value::String(text) => match between_marks(text) {
                Some(source) => Expression::parse(source, field)
                    .map(|expression| Self::Expression(Box::new(expression)))
                    .map_err(|error| {
                        DefinitionError::new(place, format!("the JSONata expression does not parse: {error}"))
                    }),
                None if text.starts_with("{%") || text.ends_with("%}") => {
                    Err(DefinitionError::new(place, "an expression starts with {% and ends with %}"))
                }
                None => Ok(Self::Literal(value.clone())),
            },
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    Self::parse(item, &format!("{place}[{index}]"), &format!("{field}[{index}]"))
                })
                .collect::<Result<_, _>>()
                .map(Self::Array),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| {
                    let value = Self::parse(value, &format!("{place}.{name}"), &format!("{field}/{name}"))?;
                    Ok((name.clone(), value))
                })
                .collect::<Result<_, _>>()
                .map(Self::Object),
            _ => Ok(Self::Literal(value.clone())),
        }
    }

    /// The value with every expression evaluated.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, StateFailure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expression(expression) => expression.evaluate(scope),
            Self::Array(items) => {
                items.iter().map(|item| item.evaluate(scope)).collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Object(fields) => fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), field.evaluate(scope)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    /// The failure of a value that is not of the type that its field takes.
    pub(crate) fn unexpected(&self, expected: &str, value: &Value) -> StateFailure {
        let actual = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.refused(&format!(
            "returned an unexpected result type. Expected '{expected}', but was '{actual}' for value: {value}"
        ))
    }

    /// The failure of a value that its field does not take.
    pub(crate) fn refused(&self, problem: &str) -> StateFailure {
        match self {
            Self::Expression(expression) => expression.failure(problem),
            _ => StateFailure::evaluation(format!("A field {problem}")),
        }
    }

    /// Every expression in it.
    pub(crate) fn expressions<'a>(&'a self, found: &mut Vec<&'a Expression>) {
        match self {
            Self::Literal(_) => {}
            Self::Expression(expression) => found.push(expression),
            Self::Array(items) => items.iter().for_each(|item| item.expressions(found)),
            Self::Object(fields) => fields.iter().for_each(|(_, field)| field.expressions(found)),
        }
    }
}

fn between_marks(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}")
}
