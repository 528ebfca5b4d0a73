//! Contracts between the parts: names of errors, of functions and of substitutions.

use std::collections::BTreeSet;

use asl::LintOptions;
use sentry_core::error::ErrorName;
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../template.yaml");
const RATE_LIMITER: &str = include_str!("../../statemachines/rate-limiter.asl.json");
const MODEL_ROUTER: &str = include_str!("../../statemachines/model-router.asl.json");
const MACHINES: [(&str, &str); 2] = [("RateLimiter", RATE_LIMITER), ("ModelRouter", MODEL_ROUTER)];

fn set<T: Into<String>>(items: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    items.into_iter().map(Into::into).collect()
}

/// The names between two marks.
fn between(text: &str, start: &str, end: char) -> BTreeSet<String> {
    set(text.split(start).skip(1).filter_map(|after| after.split(end).next()).map(str::trim))
}

/// The section of the template that belongs to a resource.
fn resource(name: &str) -> &'static str {
    let start =
        TEMPLATE.find(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("the template has no {name}"));
    let section = &TEMPLATE[start + 1..];
    let end = section
        .match_indices("\n  ")
        .map(|(at, _)| at)
        .find(|at| !section[at + 3..].starts_with([' ', '#', '\n']));
    &section[..end.unwrap_or(section.len())]
}

/// What the template puts in the place of a machine's substitutions.
fn substitutions(machine: &str) -> BTreeSet<String> {
    let section = resource(machine);
    let list = section.split("DefinitionSubstitutions:\n").nth(1).expect("substitutions");
    set(list
        .lines()
        .take_while(|line| line.starts_with("        "))
        .filter_map(|line| line.trim().split(':').next()))
}

pub fn pascal_case(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn functions() -> BTreeSet<String> {
    let mut names = set([
        "validate-request",
        "month-range",
        "usage-query",
        "limit-lookup",
        "compare",
        "settle",
        "reconcile",
    ]);
    names.extend(formatters::function_names());
    names
}

#[test]
fn the_shipped_machines_pass_the_lint() {
    for (machine, definition) in MACHINES {
        let options = LintOptions {
            known_errors: set(ErrorName::ALL.iter().map(|name| name.as_str())),
            substitutions: Some(substitutions(machine)),
        };
        assert_eq!(asl::lint(definition, &options), [], "{machine}");
    }
}

#[test]
fn the_machines_can_be_read_line_by_line() {
    const COLUMNS: usize = 160;
    for (machine, definition) in MACHINES {
        for (index, line) in definition.lines().enumerate() {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS, "{machine} line {}: {columns} columns", index + 1);
        }
    }
}

#[test]
fn both_ways_of_calling_a_model_fail_alike() {
    let definition: Value = serde_json::from_str(MODEL_ROUTER).unwrap();
    let [native, converse] = ["InvokeModel", "Converse"].map(|state| &definition["States"][state]);
    for field in ["TimeoutSeconds", "Retry", "Catch"] {
        assert!(!native[field].is_null(), "{field}");
        assert_eq!(native[field], converse[field], "{field}");
    }
}

#[test]
fn template_machines_and_host_have_the_same_functions() {
    assert_eq!(between(TEMPLATE, "Binary: ", ' '), functions());
    // A schedule calls reconcile, the machines call all others.
    let in_machines = functions().into_iter().filter(|name| name != "reconcile");
    let arns = set(in_machines.map(|name| format!("{}FunctionArn", pascal_case(&name))));
    let mut used = between(RATE_LIMITER, "${", '}');
    used.extend(between(MODEL_ROUTER, "${", '}'));
    used.remove("ModelRouterArn");
    assert_eq!(used, arns);
    assert_eq!(set(sentry_local::function_names()), functions());
    for name in functions() {
        let section = resource(&format!("{}Function", pascal_case(&name)));
        assert!(section.contains(&format!("Binary: {name} ")), "{name}");
        // Built in its crate's folder: in the workspace's it would get the features of all the others.
        let package = if name.starts_with("format-") { "formatters" } else { &name };
        assert!(section.contains(&format!("\n      CodeUri: crates/{package}\n")), "{name}");
    }
}

/// Every string of a machine, with the key that it stands under.
fn strings<'a>(value: &'a Value, key: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((key, text)),
        Value::Array(items) => items.iter().for_each(|item| strings(item, key, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| strings(field, key, found)),
        _ => {}
    }
}

#[test]
fn every_error_name_is_in_code_and_in_the_machines() {
    let known = set(ErrorName::ALL.iter().map(|name| name.as_str()));
    let mut named = BTreeSet::new();
    for (machine, definition) in MACHINES {
        let definition: Value = serde_json::from_str(definition).unwrap();
        let mut found = Vec::new();
        strings(&definition, "", &mut found);
        for (key, text) in found {
            let is_literal = !text.starts_with("{%");
            if key == "ErrorEquals" && !text.contains('.') || (key == "Error" || key == "type") && is_literal
            {
                assert!(known.contains(text), "{machine} names {text}, which code does not have");
                named.insert(text.to_owned());
            }
        }
    }
    // What compare decides goes through by its name, and CloudWatch's failure stays inside.
    let passed_through = set(["BudgetExceeded", "BudgetBusy", "RequestInProgress", "UsageUnavailable"]);
    assert_eq!(known.difference(&named).cloned().collect::<BTreeSet<_>>(), passed_through);
}
