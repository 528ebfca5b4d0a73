//! Mistakes that a definition can have although it runs: what `sam validate` does not see,
//! since it never looks into the file.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::{Kind, State, StateMachine, States, Wait};
use crate::jsonata::Expression;
use crate::template::ValueTemplate;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// The state; one inside of others with its path, such as `Both.Branches[0].Ask`.
    pub state: String,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What the definition may refer to.
#[derive(Debug, Clone, Default)]
pub struct LintOptions {
    /// Error names besides those of AWS.
    pub known_errors: BTreeSet<String>,
    /// The substitutions that the template gives; `None` leaves them unchecked.
    pub substitutions: Option<BTreeSet<String>>,
}

/// Services whose error names Step Functions gives as `<Service>.<Name>`.
const SERVICES: [&str; 8] =
    ["States.", "Lambda.", "Bedrock.", "BedrockRuntime.", "Sfn.", "EventBridge.", "CloudWatch.", "DynamoDb."];

/// The functions of JSONata and Step Functions: they are written with a `$` as variables are.
const FUNCTIONS: &str = " abs append assert average base64decode base64encode boolean ceil contains count decodeUrl \
    decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase formatInteger \
    formatNumber fromMillis hash join keys length lookup lowercase map match max merge millis min not now number pad parse \
    parseInteger partition power random range reduce replace reverse round shuffle sift single sort split spread sqrt string \
    substring substringAfter substringBefore sum toMillis trim type uppercase uuid zip ";

fn is_function(name: &str) -> bool {
    FUNCTIONS.split_whitespace().any(|function| function == name)
}

/// Everything that is wrong with a definition before its substitutions; empty when nothing is.
#[must_use]
pub fn lint(json: &str, options: &LintOptions) -> Vec<LintFinding> {
    let mut findings = Findings { options, list: Vec::new() };
    findings.substitutions(json);
    match StateMachine::parse(json) {
        Err(error) => findings.add(&error.place, "definition", error.message),
        Ok(machine) => {
            if machine.timeout_seconds.is_none() {
                findings.add("", "timeout", "the state machine has no TimeoutSeconds");
            }
            findings.states(&machine.states, "", &BTreeSet::new(), &BTreeMap::new());
        }
    }
    findings.list
}

struct Findings<'a> {
    options: &'a LintOptions,
    list: Vec<LintFinding>,
}

impl Findings<'_> {
    fn add(&mut self, state: &str, rule: &'static str, message: impl Into<String>) {
        self.list.push(LintFinding { state: state.to_owned(), rule, message: message.into() });
    }

    fn substitutions(&mut self, json: &str) {
        let Some(known) = &self.options.substitutions else { return };
        let used: BTreeSet<String> = json
            .split("${")
            .skip(1)
            .filter_map(|after| after.split_once('}'))
            .map(|(name, _)| name.to_owned())
            .collect();
        let missing: Vec<_> =
            used.difference(known).map(|name| format!("${{{name}}} is not given by the template")).collect();
        let idle: Vec<_> = known
            .difference(&used)
            .map(|name| format!("the template gives {name}, which nothing uses"))
            .collect();
        for message in missing.into_iter().chain(idle) {
            self.add("", "substitution", message);
        }
    }

    /// Looks at states whose place is `inside`. On every path to them `before` is assigned; `taken` are
    /// the variables that outer states assign anywhere, with the paths of those states.
    fn states(
        &mut self,
        states: &States,
        inside: &str,
        before: &BTreeSet<String>,
        taken: &BTreeMap<&str, String>,
    ) {
        let reachable = states.reachable();
        let assigned = assigned_before(states, before);
        let mut taken_inside = taken.clone();
        for (name, state) in &states.states {
            taken_inside.extend(assigns(state).map(|variable| (variable, format!("{inside}{name}"))));
        }
        for (name, state) in &states.states {
            let path = format!("{inside}{name}");
            if !reachable.contains(name.as_str()) {
                self.add(&path, "reachable", "no path from StartAt leads here");
                continue;
            }
            self.look(&path, name, state);
            let empty = BTreeSet::new();
            let before = assigned.get(name.as_str()).unwrap_or(&empty);
            self.variables(&path, state, before, taken);
            for (place, inner) in state.kind.inner() {
                self.states(inner, &format!("{path}.{place}."), before, &taken_inside);
            }
        }
    }

    fn look(&mut self, path: &str, name: &str, state: &State) {
        if state.comment.is_none() {
            self.add(path, "comment", "has no Comment");
        }
        if !name.starts_with(|c: char| c.is_ascii_uppercase())
            || !name.chars().all(|c| c.is_ascii_alphanumeric())
        {
            self.add(path, "name", "is not written in PascalCase");
        }
        if let Kind::Task { resource, timeout, .. } = &state.kind {
            if let Some(problem) = refused_resource(resource) {
                self.add(path, "resource", format!("has the Resource {resource:?}, which {problem}"));
            }
            if timeout.is_none() {
                self.add(path, "timeout", "has no TimeoutSeconds");
            }
            if state.retry.is_empty() {
                self.add(path, "retry", "has no Retry");
            }
            if !state.catch.iter().any(|catcher| catcher.errors.iter().any(|error| error == "States.ALL")) {
                self.add(path, "catch", "has no Catch for States.ALL");
            }
        }
        if let Kind::Choice { rules, .. } = &state.kind
            && !state.assign.is_empty()
            && rules.iter().any(|rule| !rule.assign.is_empty())
        {
            // Engines differ in whether the state's own Assign counts where a rule applies.
            self.add(
                path,
                "choice",
                "assigns both in a rule and in the state; let Default lead to a Pass that assigns",
            );
        }
        for retrier in &state.retry {
            if retrier.jitter.as_deref() != Some("FULL") {
                self.add(path, "retry", "has a Retry without JitterStrategy FULL");
            }
            if retrier.max_delay.is_none() {
                self.add(path, "retry", "has a Retry without MaxDelaySeconds");
            }
        }
        let listed =
            state.retry.iter().flat_map(|r| &r.errors).chain(state.catch.iter().flat_map(|c| &c.errors));
        let mut unknown: Vec<String> = listed.filter(|error| !self.knows(error)).cloned().collect();
        if let Kind::Fail { error: Some(ValueTemplate::Literal(error)), .. } = &state.kind {
            unknown.extend(error.as_str().filter(|error| !self.knows(error)).map(str::to_owned));
        }
        for error in unknown {
            self.add(path, "error", format!("{error} is not a known error name"));
        }
    }

    fn knows(&self, error: &str) -> bool {
        SERVICES.iter().any(|service| error.starts_with(service)) || self.options.known_errors.contains(error)
    }

    fn variables(
        &mut self,
        path: &str,
        state: &State,
        before: &BTreeSet<String>,
        taken: &BTreeMap<&str, String>,
    ) {
        for variable in assigns(state).collect::<BTreeSet<_>>() {
            if is_function(variable) {
                // It is not documented whether the variable or the function is read.
                self.add(
                    path,
                    "function-name",
                    format!("assigns ${variable}, which is the name of a function"),
                );
            }
            if let Some(outer) = taken.get(variable) {
                self.add(
                    path,
                    "scope",
                    format!("assigns ${variable}, which the outer state {outer} assigns"),
                );
            }
        }
        for (sees, expression) in expressions(state) {
            for (part, seen) in [("result", sees == Sees::Result), ("errorOutput", sees == Sees::ErrorOutput)]
            {
                if expression.names.names_part(part) && !seen {
                    self.add(path, "states", format!("reads $states.{part} where there is none"));
                }
            }
            for variable in &expression.names.used {
                let known = variable == "states"
                    || before.contains(variable)
                    || expression.names.bound.contains(variable)
                    || is_function(variable);
                if !known {
                    self.add(
                        path,
                        "variable",
                        format!("reads ${variable}, which is not assigned on every path to it"),
                    );
                }
            }
        }
    }
}

/// Why an Express workflow refuses a resource; `None` when it does not.
fn refused_resource(resource: &str) -> Option<&'static str> {
    let callback = resource.ends_with(".waitForTaskToken");
    let job = resource.ends_with(".sync") || resource.contains(".sync:");
    if resource.starts_with("${") {
        None
    } else if !resource.starts_with("arn:") || resource.splitn(6, ':').count() < 6 {
        Some("is no ARN")
    } else if callback || job || resource.contains(":activity:") {
        Some("Express workflows do not have: they only request and get a response")
    } else {
        None
    }
}

/// The variables that a state assigns on any of its transitions.
fn assigns(state: &State) -> impl Iterator<Item = &str> {
    let rules = match &state.kind {
        Kind::Choice { rules, .. } => rules.as_slice(),
        _ => &[],
    };
    let lists =
        state.catch.iter().map(|catcher| &catcher.assign).chain(rules.iter().map(|rule| &rule.assign));
    lists.chain([&state.assign]).flatten().map(|(variable, _)| variable.as_str())
}

/// For each state the variables that every path to it has assigned.
fn assigned_before<'a>(states: &'a States, outer: &BTreeSet<String>) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut before = BTreeMap::from([(states.start_at.as_str(), outer.clone())]);
    let mut left = vec![states.start_at.as_str()];
    while let Some(name) = left.pop() {
        let (Some(state), Some(known)) = (states.states.get(name), before.get(name).cloned()) else {
            continue;
        };
        for (target, assigns) in edges(state) {
            let mut after = known.clone();
            after.extend(assigns.iter().map(|(name, _)| name.clone()));
            let narrowed = match before.get(target) {
                None => after,
                Some(earlier) => earlier.intersection(&after).cloned().collect(),
            };
            if before.get(target) != Some(&narrowed) {
                before.insert(target, narrowed);
                left.push(target);
            }
        }
    }
    before
}

type Assigns = [(String, ValueTemplate)];

/// The transitions of a state: the next state, and the variables that the transition assigns.
fn edges(state: &State) -> Vec<(&str, &Assigns)> {
    let mut edges: Vec<(&str, &Assigns)> = Vec::new();
    edges.extend(state.next.as_deref().map(|next| (next, state.assign.as_slice())));
    edges.extend(state.catch.iter().map(|catcher| (catcher.next.as_str(), catcher.assign.as_slice())));
    if let Kind::Choice { rules, default } = &state.kind {
        edges.extend(rules.iter().map(|rule| (rule.next.as_str(), rule.assign.as_slice())));
        edges.extend(default.as_deref().map(|default| (default, state.assign.as_slice())));
    }
    edges
}

/// The part of `$states` that an expression can read besides the input and the context.
#[derive(Clone, Copy, PartialEq)]
enum Sees {
    Neither,
    Result,
    ErrorOutput,
}

/// Every expression of a state, with the part of `$states` that it can read.
fn expressions(state: &State) -> Vec<(Sees, &Expression)> {
    let after = match state.kind {
        Kind::Task { .. } | Kind::Parallel { .. } | Kind::Map { .. } => Sees::Result,
        _ => Sees::Neither,
    };
    let mut templates: Vec<(Sees, &ValueTemplate)> = Vec::new();
    templates
        .extend(state.assign.iter().map(|(_, value)| value).chain(&state.output).map(|value| (after, value)));
    for catcher in &state.catch {
        let values = catcher.assign.iter().map(|(_, value)| value).chain(&catcher.output);
        templates.extend(values.map(|value| (Sees::ErrorOutput, value)));
    }
    let mut before: Vec<&ValueTemplate> = Vec::new();
    match &state.kind {
        Kind::Task { arguments, timeout, heartbeat, credentials, .. } => {
            before.extend([arguments, timeout, heartbeat, credentials].into_iter().flatten());
        }
        Kind::Choice { rules, .. } => {
            for rule in rules {
                before.push(&rule.condition);
                before.extend(rule.assign.iter().map(|(_, value)| value));
                before.extend(&rule.output);
            }
        }
        Kind::Wait(Wait::Seconds(wait) | Wait::Timestamp(wait)) => before.push(wait),
        Kind::Fail { error, cause } => before.extend(error.iter().chain(cause)),
        Kind::Parallel { arguments, .. } => before.extend(arguments),
        Kind::Map { items, selector, concurrency, .. } => {
            before.extend(items.iter().chain(selector).chain(concurrency));
        }
        Kind::Pass | Kind::Succeed => {}
    }
    templates.extend(before.into_iter().map(|value| (Sees::Neither, value)));
    let mut found = Vec::new();
    for (sees, template) in templates {
        let mut inside = Vec::new();
        template.expressions(&mut inside);
        found.extend(inside.into_iter().map(|expression| (sees, expression)));
    }
    found
}
