//! JSONata expressions, with the functions that Step Functions adds to the language and removes from it.

mod functions;
mod names;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::functions::string::build_regex;
use jsonata_core::value::JValue;
use regex::Regex;
use serde_json::{Value, json};

use crate::error::StateFailure;
use crate::scope::Scope;
pub(crate) use names::Names;

/// Limits of one evaluation, since a recursive expression need not end.
const TIMEOUT_MS: u64 = 2_000;
const MAX_DEPTH: usize = 500;
const MAX_SEQUENCE: usize = 1_000_000;

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    source: String,
    /// Its field as AWS names it, such as `Arguments/Payload/tenant`.
    field: String,
    ast: AstNode,
    pub(crate) names: Names,
    search: Option<Search>,
}

/// An expression that is `$contains(text, /pattern/)` and nothing else, as the rules of a routing Choice are. The
/// evaluator compiles a pattern each time that it meets one; this one is compiled once, with the definition.
#[derive(Debug, Clone)]
struct Search {
    text: AstNode,
    pattern: Regex,
}

impl Search {
    fn of(ast: &AstNode) -> Option<Self> {
        let AstNode::Function { name, args, is_builtin: true } = ast else { return None };
        match (name.as_str(), args.as_slice()) {
            ("contains", [text, AstNode::Regex { pattern, flags }]) => {
                build_regex(pattern, flags).ok().map(|pattern| Self { text: text.clone(), pattern })
            }
            _ => None,
        }
    }
}

impl Expression {
    /// Parses the text between `{%` and `%}`; `field` is the field that has it.
    pub(crate) fn parse(source: &str, field: &str) -> Result<Self, String> {
        let ast = jsonata_core::parser::parse(source).map_err(|error| error.to_string())?;
        let names = Names::of(&ast);
        if let Some(operator) = names.newer {
            return Err(format!("Step Functions has JSONata 2.0.6, which does not know {operator}"));
        }
        let (source, search) = (source.trim().to_owned(), Search::of(&ast));
        Ok(Self { source, field: field.to_owned(), ast, names, search })
    }

    /// Its failure, with the cause that AWS words.
    pub(crate) fn failure(&self, problem: &str) -> StateFailure {
        StateFailure::evaluation(format!(
            "The JSONata expression '{}' specified for the field '{}' {problem}",
            self.source, self.field
        ))
    }

    /// The value, which must not be undefined.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, StateFailure> {
        let value = self.value(scope).map_err(|error| {
            self.failure(&format!("threw an error during evaluation. {}", error.message()))
        })?;
        if value.is_undefined() {
            return Err(self.failure("returned nothing (undefined)."));
        }
        if value.is_function() || value.is_regex() {
            return Err(self.failure("returned a function, which is not data."));
        }
        let no_json = |error: &dyn std::fmt::Display| self.failure(&format!("returned no JSON: {error}"));
        let text = value.to_json_string().map_err(|error| no_json(&error))?;
        serde_json::from_str(&text).map_err(|error| no_json(&error))
    }

    fn value(&self, scope: &Scope<'_>) -> Result<JValue, EvaluatorError> {
        let mut context = Context::new();
        for name in &self.names.used {
            if name == "states" {
                context.bind("states".to_owned(), JValue::from(scope.states(self)));
            } else if let Some(value) = scope.variable(name) {
                context.bind(name.clone(), JValue::from(value.clone()));
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(TIMEOUT_MS),
            cancel: None,
            max_stack_depth: Some(MAX_DEPTH),
            max_sequence_length: Some(MAX_SEQUENCE),
        };
        let mut evaluator = Evaluator::with_options(context, options);
        functions::register(&mut evaluator, &self.names.used)?;
        if let Some(Search { text, pattern }) = &self.search
            && let Some(text) = evaluator.evaluate(text, &JValue::Undefined)?.as_str()
        {
            return Ok(JValue::from(pattern.is_match(text)));
        }
        evaluator.evaluate(&self.ast, &JValue::Undefined)
    }
}

/// The reserved variable with the parts that an expression reads: a copy of all may be large.
pub(crate) fn states(expression: &Expression, parts: &[(&str, Option<&Value>)]) -> Value {
    let mut states = json!({});
    for (part, value) in parts {
        if let Some(value) = value.filter(|_| expression.names.reads(part)) {
            states[*part] = value.clone();
        }
    }
    states
}
