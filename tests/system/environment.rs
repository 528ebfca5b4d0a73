//! The table of `docs/env.md` against the template, which sets the variables, and the code, which reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const TEMPLATE: &str = include_str!("../../template.yaml");

/// Which functions read each variable.
type Readers = BTreeMap<String, BTreeSet<String>>;

/// A row of the table: its cells without the code marks.
fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(format!("{ROOT}/docs/env.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        line.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect()
    })
    .collect()
}

/// `usage-query` for the resource `UsageQueryFunction`.
fn function_name(resource: &str) -> Option<String> {
    let name = resource.strip_suffix("Function").filter(|name| !name.is_empty())?;
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    Some(kebab)
}

/// The variables that the template sets.
fn set_by_template() -> Readers {
    let mut found = Readers::new();
    let (mut function, mut in_variables) = (None, false);
    for line in TEMPLATE.lines() {
        let depth = line.len() - line.trim_start().len();
        let Some((key, _)) = line.trim().split_once(':') else { continue };
        match depth {
            2 => function = function_name(key),
            8 => in_variables = key == "Variables",
            10 if in_variables => {
                found.entry(key.to_owned()).or_default().extend(function.clone());
            }
            _ => {}
        }
    }
    found
}

/// The variables that the functions' own sources read.
fn read_by_code() -> Readers {
    let mut found = Readers::new();
    let names: BTreeSet<_> = TEMPLATE
        .lines()
        .filter_map(|line| function_name(line.strip_prefix("  ")?.strip_suffix(':')?))
        .collect();
    for name in names.into_iter().filter(|name| !name.starts_with("format-")) {
        let source = fs::read_to_string(format!("{ROOT}/crates/{name}/src/lib.rs")).unwrap();
        let named = ["required_variable(\"", "seconds_variable(\"", "env::var(\""]
            .into_iter()
            .flat_map(|call| source.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next());
        let lag = source.contains("metric_lag()?").then_some("METRIC_LAG_SECONDS");
        for variable in named.chain(lag) {
            found.entry(variable.to_owned()).or_default().insert(name.clone());
        }
    }
    // The formatters share a crate; one of them reads a variable.
    let name = formatters::REQUEST_METADATA.to_owned();
    found.insert(name, BTreeSet::from(["format-converse".to_owned()]));
    found
}

#[test]
fn the_table_of_variables_agrees_with_the_template_and_the_code() {
    let documented: Readers = rows()
        .into_iter()
        .map(|row| (row[0].clone(), row[1].split(", ").map(str::to_owned).collect()))
        .collect();
    assert_eq!(documented, set_by_template());
    assert_eq!(documented, read_by_code());
}

#[test]
fn the_defaults_of_variables_are_those_of_the_template_and_the_code() {
    let rows = rows();
    let defaults: BTreeMap<_, _> = rows
        .iter()
        .filter(|row| !row[3].is_empty())
        .map(|row| (row[0].as_str(), (row[3].as_str(), row[4].as_str())))
        .collect();
    for (variable, (default, parameter)) in &defaults {
        let parameter = TEMPLATE.split(&format!("\n  {parameter}:\n")).nth(1).unwrap();
        let limits = parameter.split("Description").next().unwrap();
        let unquoted = limits.replace('"', "");
        assert!(unquoted.contains(&format!("Default: {default}\n")), "{variable}: {limits}");
    }
    let lag = sentry_aws::DEFAULT_METRIC_LAG_SECONDS.to_string();
    let usage_query = fs::read_to_string(format!("{ROOT}/crates/usage-query/src/lib.rs")).unwrap();
    let cache = usage_query.split("DEFAULT_CACHE: Duration = Duration::from_secs(").nth(1).unwrap();
    let cache = cache.split(')').next().unwrap();
    // What is not "off" is on.
    let in_code =
        [("METRIC_LAG_SECONDS", lag.as_str()), ("REQUEST_METADATA", "on"), ("USAGE_CACHE_SECONDS", cache)];
    let documented = defaults.iter().map(|(variable, (default, _))| (*variable, *default));
    assert_eq!(documented.collect::<BTreeMap<_, _>>(), BTreeMap::from(in_code));
}
