//! The state machines as they are deployed, and what their substitutions stand for on the host.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use local_aws::arn::{function_arn, machine_arn};
use local_aws::stepfunctions::MachineError;

use crate::names::{MODEL_ROUTER, RATE_LIMITER};

/// The two state machines as they are deployed.
#[must_use]
pub fn shipped_machines() -> Vec<(String, String)> {
    vec![
        (RATE_LIMITER.to_owned(), include_str!("../../../statemachines/rate-limiter.asl.json").to_owned()),
        (MODEL_ROUTER.to_owned(), include_str!("../../../statemachines/model-router.asl.json").to_owned()),
    ]
}

/// What a substitution's name stands for on the host: `ValidateRequestFunctionArn` is the function
/// `validate-request`, `ModelRouterArn` the state machine `model-router`.
#[must_use]
pub fn substitutions<'a>(
    machines: impl IntoIterator<Item = &'a str>,
    functions: &[String],
) -> BTreeMap<String, String> {
    let machines = machines.into_iter().map(|name| (format!("{}Arn", pascal_case(name)), machine_arn(name)));
    let functions =
        functions.iter().map(|name| (format!("{}FunctionArn", pascal_case(name)), function_arn(name)));
    machines.chain(functions).collect()
}

/// The definitions with their substitutions made.
///
/// # Errors
/// A definition asks for a name that stands for nothing here.
pub(crate) fn substituted(
    definitions: &[(String, String)],
    functions: &[String],
) -> Result<Vec<(String, String)>, MachineError> {
    let known = substitutions(definitions.iter().map(|(name, _)| name.as_str()), functions);
    let substitute = |(name, text): &(String, String)| {
        let values: BTreeMap<String, String> = wanted(text)
            .into_iter()
            .filter_map(|name| known.get_key_value(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        match asl::substitute(text, &values) {
            Ok(definition) => Ok((name.clone(), definition)),
            Err(error) => Err(MachineError { machine: name.clone(), reason: error.to_string() }),
        }
    };
    definitions.iter().map(substitute).collect()
}

/// The substitutions that a definition asks for.
fn wanted(definition: &str) -> BTreeSet<&str> {
    definition.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// `validate-request` as a template names it: `ValidateRequest`.
fn pascal_case(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}
