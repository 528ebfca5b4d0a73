//! Contracts between the parts: names of errors, of functions and of substitutions.

use std::collections::BTreeSet;

use asl::LintOptions;
use sentry_core::error::ErrorName;
use sentry_core::model::{Calling, ModelId, ROUTES, Route};
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

fn pascal_case(name: &str) -> String {
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
            if key == "ErrorEquals" && !text.contains('.') || key == "Error" && !text.starts_with("{%") {
                assert!(known.contains(text), "{machine} names {text}, which code does not have");
                named.insert(text.to_owned());
            }
            for name in between(text, "'type': '", '\'') {
                assert!(known.contains(&name), "{machine} gives {name}, which code does not have");
                named.insert(name);
            }
        }
    }
    // What compare decides goes through by its name, and CloudWatch's failure stays inside.
    let passed_through = set(["BudgetExceeded", "BudgetBusy", "RequestInProgress", "UsageUnavailable"]);
    assert_eq!(known.difference(&named).cloned().collect::<BTreeSet<_>>(), passed_through);
}

/// A rule of DetermineVendor: the pattern of the name, the function and whether it is called natively.
struct VendorRule {
    pattern: String,
    formatter: String,
    native: bool,
}

fn vendor_rules() -> Vec<VendorRule> {
    let definition: Value = serde_json::from_str(MODEL_ROUTER).unwrap();
    let choices = definition["States"]["DetermineVendor"]["Choices"].as_array().unwrap();
    choices
        .iter()
        .map(|rule| {
            let condition = rule["Condition"].as_str().unwrap();
            let pattern =
                condition.strip_prefix("{% $contains($name, /").and_then(|rest| rest.strip_suffix("/) %}"));
            VendorRule {
                pattern: pattern.expect("a rule looks at the name alone").replace("\\/", "/"),
                formatter: rule["Assign"]["formatter"].as_str().unwrap().to_owned(),
                native: rule["Assign"]["native"].as_bool().unwrap(),
            }
        })
        .collect()
}

/// The rules are a mark of where a vendor's name begins and a list of literal alternatives.
fn regex_matches(regex: &str, text: &str) -> bool {
    let alternatives = expand(regex.strip_prefix("(^|[./])").expect("a rule begins at a vendor's name"));
    alternatives.iter().any(|literal| {
        text.match_indices(literal.as_str()).any(|(at, _)| at == 0 || text[..at].ends_with(['.', '/']))
    })
}

/// Every literal that a pattern of groups and escaped dots stands for.
fn expand(pattern: &str) -> Vec<String> {
    let Some(open) = pattern.find('(') else {
        return top_level(pattern).into_iter().map(|part| part.replace("\\.", ".")).collect();
    };
    let mut depth = 0;
    let close = pattern.char_indices().skip(open).find(|(_, c)| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0
    });
    let close = close.expect("a group ends").0;
    let mut all = Vec::new();
    for inner in top_level(&pattern[open + 1..close]) {
        for middle in expand(&inner) {
            for rest in expand(&pattern[close + 1..]) {
                all.push(format!("{}{middle}{rest}", pattern[..open].replace("\\.", ".")));
            }
        }
    }
    all
}

fn top_level(pattern: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in pattern.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if c == '|' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
    }
    parts
}

/// Ids of the test's list and the examples of the table, each with its family.
fn known_models() -> Vec<ModelId> {
    let listed = include_str!("model_ids.txt").lines().filter(|line| !line.is_empty());
    let examples = ROUTES.iter().flat_map(|route| route.examples).copied();
    listed
        .chain(examples)
        .map(|id| ModelId::parse(id).unwrap_or_else(|error| panic!("{id}: {error}")))
        .collect()
}

#[test]
fn the_router_has_the_table_in_code_for_its_rules() {
    let rules = vendor_rules();
    let (mut rules_met, mut rows_met) = (BTreeSet::new(), BTreeSet::new());
    for model in known_models() {
        let route: &Route = model.route();
        rows_met.insert(route.title);
        // By the id, and by the family alone, as the rate-limiter gives it.
        for name in [&model.id, &model.family] {
            let met = rules.iter().position(|rule| regex_matches(&rule.pattern, name));
            let rule = met.map(|index| (rules[index].formatter.clone(), rules[index].native));
            let expected = route.format.map(|format| {
                (format!("${{Format{}FunctionArn}}", pascal_case(format)), route.calling == Calling::Native)
            });
            assert_eq!(rule, expected, "{name}");
            rules_met.extend(met);
        }
    }
    assert_eq!(rules_met.len(), rules.len(), "a rule that no known model meets");
    let rows = ROUTES.iter().chain([Route::for_opaque()]).map(|route| route.title);
    assert_eq!(rows_met, rows.filter(|title| *title != "Every other vendor").collect());
    // Every function is somebody's.
    let mut named = set(rules.iter().map(|rule| rule.formatter.as_str()));
    named.insert("${FormatConverseFunctionArn}".to_owned());
    let functions =
        formatters::function_names().map(|name| format!("${{{}FunctionArn}}", pascal_case(&name)));
    assert_eq!(named, functions.collect());
}
