//! Contracts between the parts: names of errors, of functions and of substitutions.

use std::collections::BTreeSet;
use std::path::Path;

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
pub fn resource(name: &str) -> &'static str {
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
        "authorize",
        "chat",
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
    // A schedule calls reconcile, the front door authorize and chat, the machines call all others.
    let others = ["authorize", "chat", "reconcile"];
    let in_machines = functions().into_iter().filter(|name| !others.contains(&name.as_str()));
    let arns = set(in_machines.map(|name| format!("{}FunctionArn", pascal_case(&name))));
    let mut used = between(RATE_LIMITER, "${", '}');
    used.extend(between(MODEL_ROUTER, "${", '}'));
    used.remove("ModelRouterArn");
    assert_eq!(used, arns);
    // The host answers OpenAI's clients without a function of its own between it and the workflow.
    let mut on_the_host = set(sentry_local::function_names());
    on_the_host.insert("chat".to_owned());
    assert_eq!(on_the_host, functions());
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

/// What a function needs: the variables that its `prepare` reads, and the actions that it calls
/// with the resource of each.
struct Needs {
    function: &'static str,
    variables: &'static [&'static str],
    actions: &'static [(&'static str, &'static str)],
}

const LEDGER: &str = "!GetAtt LedgerTable.Arn";
const CLAIMS: &str = "!GetAtt ClaimsTable.Arn";
const LIMITS: &str = "!GetAtt LimitsTable.Arn";
const KEYS: &str = "!GetAtt KeysTable.Arn";
/// The service supports no resources for the action.
const ANY: &str = "\"*\"";

const NEEDS: [Needs; 7] = [
    Needs { function: "authorize", variables: &["KEYS_TABLE"], actions: &[("dynamodb:GetItem", KEYS)] },
    Needs {
        function: "chat",
        variables: &["LIMITS_TABLE", "RATE_LIMITER_ARN"],
        actions: &[("dynamodb:Scan", LIMITS), ("states:StartSyncExecution", "!Ref RateLimiter")],
    },
    Needs {
        function: "usage-query",
        variables: &["USAGE_CACHE_SECONDS"],
        actions: &[("cloudwatch:GetMetricData", ANY)],
    },
    Needs {
        function: "limit-lookup",
        variables: &["LIMITS_TABLE"],
        actions: &[("dynamodb:BatchGetItem", LIMITS)],
    },
    // Transactions of reads and of writes are allowed by the actions of single ones.
    Needs {
        function: "compare",
        variables: &["CLAIMS_TABLE", "LEDGER_TABLE", "METRIC_LAG_SECONDS"],
        actions: &[
            ("dynamodb:DeleteItem", CLAIMS),
            ("dynamodb:GetItem", LEDGER),
            ("dynamodb:PutItem", CLAIMS),
            ("dynamodb:UpdateItem", LEDGER),
        ],
    },
    Needs {
        function: "settle",
        variables: &["CLAIMS_TABLE", "LEDGER_TABLE"],
        actions: &[("dynamodb:DeleteItem", CLAIMS), ("dynamodb:UpdateItem", LEDGER)],
    },
    Needs {
        function: "reconcile",
        variables: &["LEDGER_TABLE", "LIMITS_TABLE", "METRIC_LAG_SECONDS"],
        actions: &[
            ("cloudwatch:GetMetricData", ANY),
            ("cloudwatch:ListMetrics", ANY),
            ("dynamodb:GetItem", LEDGER),
            ("dynamodb:Query", "!Sub ${LedgerTable.Arn}/index/period-index"),
            ("dynamodb:Scan", LIMITS),
            ("dynamodb:UpdateItem", LEDGER),
            (
                "events:PutEvents",
                "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default",
            ),
        ],
    },
];

/// The variables that a crate's source reads from the environment.
fn variables_read(function: &str) -> BTreeSet<String> {
    let source =
        std::fs::read_to_string(format!("{}/../crates/{function}/src/lib.rs", env!("CARGO_MANIFEST_DIR")))
            .unwrap();
    let mut read = between(&source, "required_variable(\"", '"');
    read.extend(between(&source, "std::env::var(\"", '"'));
    if source.contains("metric_lag()?") {
        read.insert("METRIC_LAG_SECONDS".to_owned());
    }
    read
}

/// The variables that the template gives a function.
fn variables_given(function: &str) -> BTreeSet<String> {
    let section = resource(&format!("{}Function", pascal_case(function)));
    let Some(list) = section.split("        Variables:\n").nth(1) else { return BTreeSet::new() };
    set(list
        .lines()
        .take_while(|line| line.starts_with("          "))
        .filter_map(|line| line.trim().split(':').next()))
}

/// A statement of a policy, with the comment before it.
#[derive(Default)]
struct Statement {
    /// Whether what follows still belongs to it.
    is_open: bool,
    comment: String,
    actions: Vec<String>,
    resources: Vec<String>,
}

/// The statements of a section's policies.
fn statements(section: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut comment = String::new();
    let mut in_resources = false;
    for line in section.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text);
            continue;
        }
        let before = std::mem::take(&mut comment);
        if line.starts_with("- Sid: ") {
            statements.push(Statement { is_open: true, comment: before, ..Statement::default() });
            continue;
        }
        // The next policy, in full or as a reference to an anchor.
        if ["- *", "- &", "- PolicyName:"].iter().any(|start| line.starts_with(start)) {
            statements.push(Statement::default());
            continue;
        }
        // Who may assume a role, and which service may call a function, are no statements of a policy.
        let Some(statement) = statements.last_mut().filter(|statement| statement.is_open) else { continue };
        if let Some(actions) = line.strip_prefix("Action:") {
            in_resources = false;
            let actions =
                actions.trim().trim_matches(['[', ']']).split(", ").filter(|action| !action.is_empty());
            statement.actions.extend(actions.map(str::to_owned));
        } else if let Some(resource) = line.strip_prefix("Resource:") {
            in_resources = true;
            statement
                .resources
                .extend(Some(resource.trim()).filter(|text| !text.is_empty()).map(str::to_owned));
        } else if let Some(item) = line.strip_prefix("- ") {
            let list = if in_resources { &mut statement.resources } else { &mut statement.actions };
            list.push(item.to_owned());
        } else if line.ends_with(':') && !line.starts_with("Condition") {
            // The statement has ended: a resource or another property begins.
            statements.push(Statement::default());
        }
    }
    statements.retain(|statement| !statement.actions.is_empty());
    statements
}

#[test]
fn each_function_has_the_variables_that_it_reads_and_may_do_what_it_does_and_no_more() {
    for name in functions() {
        let needs = NEEDS.iter().find(|needs| needs.function == name);
        let mut variables = set(needs.map(|needs| needs.variables).unwrap_or_default().iter().copied());
        if name == "format-converse" {
            variables.insert(formatters::REQUEST_METADATA.to_owned());
        }
        assert_eq!(variables_given(&name), variables, "{name}");
        if !name.starts_with("format-") {
            assert_eq!(variables_read(&name), variables, "{name}");
        }
        let section = resource(&format!("{}Function", pascal_case(&name)));
        let role = format!("{}Role", pascal_case(&name));
        let Some(needs) = needs else {
            assert!(section.contains("Role: !GetAtt PureFunctionRole.Arn"), "{name}");
            continue;
        };
        assert!(section.contains(&format!("Role: !GetAtt {role}.Arn")), "{name}");
        let mut allowed = BTreeSet::new();
        for Statement { actions, resources, .. } in statements(resource(&role)) {
            for action in actions {
                allowed.extend(resources.iter().map(|resource| (action.clone(), resource.clone())));
            }
        }
        let log = "!GetAtt FunctionLogs.Arn";
        let logs = [("logs:CreateLogStream", log), ("logs:PutLogEvents", log)];
        let expected: BTreeSet<_> = needs.actions.iter().copied().chain(logs).collect();
        let allowed: BTreeSet<_> =
            allowed.iter().map(|(action, resource)| (action.as_str(), resource.as_str())).collect();
        assert_eq!(allowed, expected, "{name}");
    }
    // The functions that call no service write log lines and send traces, and nothing else.
    let pure = statements(resource("PureFunctionRole")).into_iter().flat_map(|statement| statement.actions);
    let services: BTreeSet<_> =
        pure.filter_map(|action| action.split(':').next().map(str::to_owned)).collect();
    assert_eq!(services, set(["logs", "xray"]));
}

/// The operations that the library calls on clients of AWS, in the SDK's names.
fn operations_called(folder: &Path) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            called.extend(operations_called(&path));
        } else if !path.ends_with("tests.rs") {
            let source: String =
                std::fs::read_to_string(path).unwrap().split_whitespace().collect::<Vec<_>>().concat();
            for client in ["self.client.", "self.reader."] {
                called.extend(between(&source, client, '('));
            }
        }
    }
    called
}

#[test]
fn every_operation_that_is_called_is_allowed_to_a_function() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let libraries = ["sentry-aws/src", "chat/src"].map(|library| crates.join(library));
    let called = libraries.iter().flat_map(|library| operations_called(library)).map(|operation| {
        match operation.as_str() {
            "transact_get_items" => "GetItem".to_owned(),
            // Its transactions consist of updates.
            "transact_write_items" => "UpdateItem".to_owned(),
            operation => pascal_case(&operation.replace('_', "-")),
        }
    });
    let allowed = NEEDS.iter().flat_map(|needs| needs.actions);
    let allowed = allowed.filter_map(|(action, _)| action.split(':').nth(1));
    assert_eq!(called.collect::<BTreeSet<_>>(), set(allowed));
}

#[test]
fn no_statement_has_a_wildcard_without_a_written_reason() {
    let all = statements(TEMPLATE);
    assert!(all.len() > 20, "{}", all.len());
    for Statement { comment, actions, resources, .. } in all {
        assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
        assert!(!resources.is_empty(), "{actions:?}");
        let has_wildcard = resources.iter().any(|resource| resource.contains('*'));
        assert!(!has_wildcard || comment.len() > 20, "{actions:?} on {resources:?} without a reason");
    }
}

#[test]
fn only_the_router_may_call_models() {
    /// The actions on Bedrock that a section of the template allows, one entry for each statement.
    fn actions(section: &str) -> Vec<String> {
        let all = statements(section).into_iter().flat_map(|statement| statement.actions);
        all.filter(|action| action.starts_with("bedrock:")).collect()
    }
    assert_eq!(set(actions(resource("ModelRouterRole"))), set(["bedrock:InvokeModel"]));
    assert_eq!(actions(resource("RateLimiterRole")), ["bedrock:CountTokens"]);
    assert_eq!(actions(TEMPLATE).len(), actions(resource("ModelRouterRole")).len() + 1);
}
