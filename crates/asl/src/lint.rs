//! Mistakes that a definition can have although it runs: what `sam validate` does not see,
//! since it never looks into the file.

use std::collections::BTreeSet;

use crate::definition::{Kind, State, StateMachine, States};
use crate::jsonata::Expression;
use crate::template::Template;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The state.
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

/// Functions of JSONata and Step Functions stand behind a `$` too.
const FUNCTIONS: &str = " abs append assert average base64decode base64encode boolean ceil contains count decodeUrl \
    decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase formatInteger \
    formatNumber fromMillis hash join keys length lookup lowercase map match max merge millis min not now number pad parse \
    parseInteger partition power random range reduce replace reverse round shuffle sift single sort split spread sqrt string \
    substring substringAfter substringBefore sum toMillis trim type uppercase uuid zip ";

/// Everything that is wrong with a definition before its substitutions; empty when nothing is.
#[must_use]
pub fn lint(json: &str, options: &LintOptions) -> Vec<Finding> {
    let mut findings = Findings { options, list: Vec::new() };
    findings.substitutions(json);
    match StateMachine::parse(json) {
        Err(error) => findings.add(&error.place, "definition", error.message),
        Ok(machine) => {
            if machine.timeout_seconds.is_none() {
                findings.add("", "timeout", "the state machine has no TimeoutSeconds");
            }
            findings.states(&machine.states, &BTreeSet::new());
        }
    }
    findings.list
}

struct Findings<'a> {
    options: &'a LintOptions,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, state: &str, rule: &'static str, message: impl Into<String>) {
        self.list.push(Finding { state: state.to_owned(), rule, message: message.into() });
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

    fn states(&mut self, states: &States, outer: &BTreeSet<String>) {
        let reachable = states.reachable();
        let assigned = assigned_before(states, outer);
        for (name, state) in &states.states {
            if !reachable.contains(name.as_str()) {
                self.add(name, "reachable", "no path from StartAt leads here");
                continue;
            }
            self.look(name, state);
            let empty = BTreeSet::new();
            let before = assigned.get(name.as_str()).unwrap_or(&empty);
            self.variables(name, state, before);
            match &state.kind {
                Kind::Parallel { branches, .. } => {
                    branches.iter().for_each(|branch| self.states(branch, before))
                }
                Kind::Map { processor, .. } => self.states(processor, before),
                _ => {}
            }
        }
    }

    fn look(&mut self, name: &str, state: &State) {
        if state.comment.is_none() {
            self.add(name, "comment", "has no Comment");
        }
        if !name.starts_with(|c: char| c.is_ascii_uppercase())
            || !name.chars().all(|c| c.is_ascii_alphanumeric())
        {
            self.add(name, "name", "is not written in PascalCase");
        }
        if let Kind::Task { timeout, .. } = &state.kind {
            if timeout.is_none() {
                self.add(name, "timeout", "has no TimeoutSeconds");
            }
            if state.retry.is_empty() {
                self.add(name, "retry", "has no Retry");
            }
            if !state.catch.iter().any(|catcher| catcher.errors.iter().any(|error| error == "States.ALL")) {
                self.add(name, "catch", "has no Catch for States.ALL");
            }
        }
        if let Kind::Choice { rules, .. } = &state.kind
            && !state.assign.is_empty()
            && rules.iter().any(|rule| !rule.assign.is_empty())
        {
            // Engines differ in whether the state's own Assign counts where a rule applies.
            self.add(
                name,
                "choice",
                "assigns both in a rule and in the state; let Default lead to a Pass that assigns",
            );
        }
        for retrier in &state.retry {
            if retrier.jitter.as_deref() != Some("FULL") {
                self.add(name, "retry", "has a Retry without JitterStrategy FULL");
            }
            if retrier.max_delay.is_none() {
                self.add(name, "retry", "has a Retry without MaxDelaySeconds");
            }
        }
        let listed =
            state.retry.iter().flat_map(|r| &r.errors).chain(state.catch.iter().flat_map(|c| &c.errors));
        let mut unknown: Vec<String> = listed.filter(|error| !self.knows(error)).cloned().collect();
        if let Kind::Fail { error: Some(Template::Literal(error)), .. } = &state.kind {
            unknown.extend(error.as_str().filter(|error| !self.knows(error)).map(str::to_owned));
        }
        for error in unknown {
            self.add(name, "error", format!("{error} is not a known error name"));
        }
    }

    fn knows(&self, error: &str) -> bool {
        SERVICES.iter().any(|service| error.starts_with(service)) || self.options.known_errors.contains(error)
    }

    fn variables(&mut self, name: &str, state: &State, before: &BTreeSet<String>) {
        for expression in expressions(state) {
            for variable in &expression.names {
                let known = variable == "states"
                    || before.contains(variable)
                    || expression.binds(variable)
                    || FUNCTIONS.contains(&format!(" {variable} "));
                if !known {
                    self.add(
                        name,
                        "variable",
                        format!("reads ${variable}, which is not assigned on every path to it"),
                    );
                }
            }
        }
    }
}

/// For each state the variables that every path to it has assigned.
fn assigned_before<'a>(
    states: &'a States,
    outer: &BTreeSet<String>,
) -> std::collections::BTreeMap<&'a str, BTreeSet<String>> {
    let mut before = std::collections::BTreeMap::from([(states.start_at.as_str(), outer.clone())]);
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

type Assigns = [(String, Template)];

/// Where a state leads, and what is assigned on the way.
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

fn expressions(state: &State) -> Vec<&Expression> {
    let mut templates: Vec<&Template> = state.assign.iter().map(|(_, value)| value).collect();
    templates.extend(&state.output);
    for catcher in &state.catch {
        templates.extend(catcher.assign.iter().map(|(_, value)| value));
        templates.extend(&catcher.output);
    }
    match &state.kind {
        Kind::Task { arguments, timeout, .. } => templates.extend(arguments.iter().chain(timeout)),
        Kind::Choice { rules, .. } => {
            for rule in rules {
                templates.push(&rule.condition);
                templates.extend(rule.assign.iter().map(|(_, value)| value));
                templates.extend(&rule.output);
            }
        }
        Kind::Wait(crate::definition::Wait::Seconds(wait) | crate::definition::Wait::Timestamp(wait)) => {
            templates.push(wait)
        }
        Kind::Fail { error, cause } => templates.extend(error.iter().chain(cause)),
        Kind::Parallel { arguments, .. } => templates.extend(arguments),
        Kind::Map { items, selector, concurrency, .. } => {
            templates.extend(items.iter().chain(selector).chain(concurrency))
        }
        Kind::Pass | Kind::Succeed => {}
    }
    let mut found = Vec::new();
    templates.into_iter().for_each(|template| template.expressions(&mut found));
    found
}
