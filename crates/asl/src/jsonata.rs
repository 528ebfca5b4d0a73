//! JSONata expressions, with what Step Functions adds to the language and takes from it.

mod lexer;

use std::cell::RefCell;
use std::fmt::Write as _;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::value::JValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::error::TaskError;
use crate::scope::Scope;

/// An expression may not run away: the language has recursion.
const TIMEOUT_MS: u64 = 2_000;
const MAX_DEPTH: usize = 500;
const MAX_SEQUENCE: usize = 1_000_000;

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    source: String,
    ast: AstNode,
    /// Names behind a `$` in the text: at least the variables that it reads.
    pub(crate) names: Vec<String>,
    /// The parts of the reserved `$states` that it reads; `None` when that may be all of them.
    states: Option<Vec<String>>,
}

impl Expression {
    /// Parses the text between `{%` and `%}`.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let ast = jsonata_core::parser::parse(source).map_err(|error| error.to_string())?;
        let code = lexer::code(source);
        let (names, states) = (lexer::dollar_names(&code), lexer::parts_of_states(&code));
        Ok(Self { source: source.trim().to_owned(), ast, names, states })
    }

    /// Whether the text reads a part of the reserved `$states`.
    pub(crate) fn reads(&self, part: &str) -> bool {
        self.states.as_ref().is_none_or(|parts| parts.iter().any(|read| read == part))
    }

    /// Whether the expression binds a name itself, as a function's parameter or with `:=`.
    pub(crate) fn binds(&self, name: &str) -> bool {
        let variable = format!("${name}");
        let assigned = self.source.match_indices(&variable).any(|(at, _)| {
            self.source.get(at + variable.len()..).is_some_and(|rest| rest.trim_start().starts_with(":="))
        });
        let parameter = self.source.split("function").skip(1).filter_map(|after| after.split_once(')')).any(
            |(list, _)| {
                list.trim_start()
                    .trim_start_matches('(')
                    .split(',')
                    .any(|parameter| parameter.trim() == variable)
            },
        );
        assigned || parameter
    }

    /// The value, which must not be undefined.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, TaskError> {
        let wrong = |problem: String| {
            let state = scope.state_name();
            TaskError::evaluation(format!(
                "The JSONata expression '{}' in the state '{state}' {problem}",
                self.source
            ))
        };
        let mut context = Context::new();
        for name in &self.names {
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
        register(&mut evaluator, &self.names)
            .map_err(|error| wrong(format!("cannot be prepared: {error}")))?;
        let value = evaluator
            .evaluate(&self.ast, &JValue::Undefined)
            .map_err(|error| wrong(format!("failed: {}", error.message())))?;
        if value.is_undefined() {
            return Err(wrong("returned nothing (undefined).".to_owned()));
        }
        if value.is_function() || value.is_regex() {
            return Err(wrong("returned a function, which is no data.".to_owned()));
        }
        let text =
            value.to_json_string().map_err(|error| wrong(format!("returned what is no JSON: {error}")))?;
        serde_json::from_str(&text).map_err(|error| wrong(format!("returned what is no JSON: {error}")))
    }
}

thread_local! {
    static RANDOM: RefCell<fastrand::Rng> = RefCell::new(fastrand::Rng::new());
}

/// Adds the functions of Step Functions that an expression names, and refuses `$eval`.
fn register(evaluator: &mut Evaluator, names: &[String]) -> Result<(), EvaluatorError> {
    for name in names {
        match name.as_str() {
            "parse" => evaluator.register_fn("parse", parse)?,
            "uuid" => evaluator.register_fn("uuid", |_: &[JValue]| Ok(JValue::from(uuid())))?,
            "hash" => evaluator.register_fn("hash", hash)?,
            "partition" => evaluator.register_fn("partition", partition)?,
            "range" => evaluator.register_fn("range", range)?,
            "random" => evaluator.register_fn_override("random", random)?,
            "eval" => evaluator.register_fn_override("eval", |_: &[JValue]| {
                refuse("$eval is not supported; use $parse for JSON")
            })?,
            _ => {}
        }
    }
    Ok(())
}

fn refuse<T>(message: impl Into<String>) -> Result<T, EvaluatorError> {
    Err(EvaluatorError::EvaluationError(message.into()))
}

fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    match arguments.first() {
        Some(JValue::Undefined) | None => Ok(JValue::Undefined),
        Some(value) => match value.as_str() {
            Some(text) => JValue::from_json_str(text).or_else(|_| refuse("$parse was given what is no JSON")),
            None => refuse("$parse takes a string"),
        },
    }
}

fn uuid() -> String {
    let bits = RANDOM.with_borrow_mut(|random| random.u128(..));
    let bits = (bits & !(0xF_u128 << 76) & !(0b11_u128 << 62)) | (0x4_u128 << 76) | (0b10_u128 << 62);
    let hex = format!("{bits:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn hash(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [data, algorithm] = arguments else { return refuse("$hash takes data and an algorithm") };
    let Some(algorithm) = algorithm.as_str() else { return refuse("the algorithm of $hash is a string") };
    let data = match data.as_str() {
        Some(text) => text.to_owned(),
        None => data.to_json_string().or_else(|_| refuse("$hash takes JSON"))?,
    };
    let digest: Vec<u8> = match algorithm {
        "SHA-256" => Sha256::digest(data).to_vec(),
        "SHA-384" => Sha384::digest(data).to_vec(),
        "SHA-512" => Sha512::digest(data).to_vec(),
        other => {
            return refuse(format!(
                "$hash does not know {other:?} here; known are SHA-256, SHA-384 and SHA-512"
            ));
        }
    };
    let mut hex = String::with_capacity(digest.len() * 2);
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(JValue::from(hex))
}

fn partition(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [list, size] = arguments else { return refuse("$partition takes an array and a size") };
    let (Some(items), Some(size)) = (list.as_array(), size.as_i64()) else {
        return refuse("$partition takes an array and a whole number");
    };
    match usize::try_from(size) {
        Ok(size) if size > 0 => {
            Ok(JValue::from(items.chunks(size).map(|chunk| JValue::from(chunk.to_vec())).collect::<Vec<_>>()))
        }
        _ => refuse("the size of $partition is at least 1"),
    }
}

fn range(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let numbers: Option<Vec<i64>> = arguments.iter().map(JValue::as_i64).collect();
    let Some([first, last, step]) = numbers.as_deref() else {
        return refuse("$range takes first, last and step as whole numbers");
    };
    let (first, last, step) = (*first, *last, *step);
    if step == 0 {
        return refuse("the step of $range is not zero");
    }
    let mut items = Vec::new();
    let mut next = first;
    while (step > 0 && next <= last) || (step < 0 && next >= last) {
        items.push(JValue::from(next));
        if items.len() > 1_000 {
            return refuse("$range gives at most 1,000 numbers");
        }
        let Some(following) = next.checked_add(step) else { break };
        next = following;
    }
    Ok(JValue::from(items))
}

fn random(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    match arguments.first() {
        None | Some(JValue::Undefined) => Ok(JValue::from(RANDOM.with_borrow_mut(fastrand::Rng::f64))),
        Some(seed) => match seed.as_f64() {
            Some(seed) => Ok(JValue::from(fastrand::Rng::with_seed(seed.to_bits()).f64())),
            None => refuse("the seed of $random is a number"),
        },
    }
}

/// The reserved variable with the parts that an expression reads.
pub(crate) fn states(expression: &Expression, parts: &[(&str, Option<&Value>)]) -> Value {
    let mut states = json!({});
    for (part, value) in parts {
        if let Some(value) = value.filter(|_| expression.reads(part)) {
            states[*part] = value.clone();
        }
    }
    states
}
