//! A state machine's definition, read and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::choice::ChoiceRule;
use crate::document::UniqueKeyDocument;
use crate::error::DefinitionError;
use crate::reader::DefinitionFields;
use crate::retry::{Catcher, MAX_SECONDS, Retrier};
use crate::template::ValueTemplate;

/// A state machine that can be run. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct StateMachine {
    pub(crate) states: Arc<States>,
    pub(crate) timeout_seconds: Option<u64>,
}

/// The states of a machine, of a branch, or of a map's processor.
#[derive(Debug)]
pub(crate) struct States {
    pub(crate) start_at: String,
    pub(crate) states: BTreeMap<String, State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) comment: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) assign: Vec<(String, ValueTemplate)>,
    pub(crate) output: Option<ValueTemplate>,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
    pub(crate) next: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Pass,
    Task {
        resource: String,
        arguments: Option<ValueTemplate>,
        timeout: Option<ValueTemplate>,
        heartbeat: Option<ValueTemplate>,
        credentials: Option<ValueTemplate>,
    },
    Choice {
        rules: Vec<ChoiceRule>,
        default: Option<String>,
    },
    Wait(Wait),
    Succeed,
    Fail {
        error: Option<ValueTemplate>,
        cause: Option<ValueTemplate>,
    },
    Parallel {
        arguments: Option<ValueTemplate>,
        branches: Vec<Arc<States>>,
    },
    Map {
        items: Option<ValueTemplate>,
        selector: Option<ValueTemplate>,
        processor: Arc<States>,
        concurrency: Option<ValueTemplate>,
    },
}

#[derive(Debug)]
pub(crate) enum Wait {
    Seconds(ValueTemplate),
    Timestamp(ValueTemplate),
}

impl Kind {
    /// The `Type` as a definition writes it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::Task { .. } => "Task",
            Self::Choice { .. } => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
            Self::Parallel { .. } => "Parallel",
            Self::Map { .. } => "Map",
        }
    }

    /// The states inside, each with the place of it in this state.
    pub(crate) fn inner(&self) -> Vec<(String, &States)> {
        match self {
            Self::Parallel { branches, .. } => branches
                .iter()
                .enumerate()
                .map(|(index, branch)| (format!("Branches[{index}]"), &**branch))
                .collect(),
            Self::Map { processor, .. } => vec![("ItemProcessor".to_owned(), processor)],
            _ => Vec::new(),
        }
    }
}

/// Puts values in the place of `${Name}`.
///
/// # Errors
/// Names a substitution that has no value, or one that does not end.
pub fn substitute(definition: &str, values: &BTreeMap<String, String>) -> Result<String, DefinitionError> {
    let mut whole = String::with_capacity(definition.len());
    let mut rest = definition;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| DefinitionError::new("${", "a substitution does not end with }"))?;
        let value = values.get(name).ok_or_else(|| {
            DefinitionError::new(format!("${{{name}}}"), "nothing is given for this substitution")
        })?;
        whole.push_str(before);
        whole.push_str(value);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

impl StateMachine {
    /// Reads a definition after its substitutions.
    ///
    /// # Errors
    /// Names the place of the first mistake.
    pub fn parse(json: &str) -> Result<Self, DefinitionError> {
        let UniqueKeyDocument(value) = serde_json::from_str(json)
            .map_err(|error| DefinitionError::new("", format!("cannot be read: {error}")))?;
        let fields = DefinitionFields::of(&value, "")?;
        fields.text("Comment")?;
        fields.text("Version")?;
        let timeout_seconds = fields.whole("TimeoutSeconds", 1..=MAX_SECONDS)?;
        if fields.text("QueryLanguage")?.as_deref() != Some("JSONata") {
            return Err(DefinitionError::new("QueryLanguage", "must be JSONata; JSONPath is not supported"));
        }
        let states = States::read(&fields)?;
        fields.finish()?;
        if let Some(name) = repeated_state(&states, &mut BTreeSet::new()) {
            return Err(DefinitionError::new(name, "is the name of two states of this machine"));
        }
        Ok(Self { states: Arc::new(states), timeout_seconds })
    }
}

impl States {
    /// Reads `StartAt` and `States`.
    pub(crate) fn read(fields: &DefinitionFields<'_>) -> Result<Self, DefinitionError> {
        let start_at = fields.required_text("StartAt")?;
        let place = fields.at("States");
        let list = fields.get("States").ok_or_else(|| fields.wrong("States", "is missing"))?;
        let object = list.as_object().ok_or_else(|| DefinitionError::new(place, "must be an object"))?;
        let mut states = BTreeMap::new();
        for (name, state) in object {
            if name.is_empty() || name.chars().count() > 80 {
                return Err(DefinitionError::new(name, "a state's name has 1 to 80 characters"));
            }
            states.insert(name.clone(), State::read(name, state)?);
        }
        let this = Self { start_at, states };
        this.check(fields)?;
        Ok(this)
    }

    fn check(&self, fields: &DefinitionFields<'_>) -> Result<(), DefinitionError> {
        if !self.states.contains_key(&self.start_at) {
            return Err(fields.wrong("StartAt", &format!("there is no state {:?}", self.start_at)));
        }
        for (name, state) in &self.states {
            if let Some(missing) =
                state.targets().into_iter().find(|target| !self.states.contains_key(*target))
            {
                return Err(DefinitionError::new(
                    format!("{name}.Next"),
                    format!("there is no state {missing:?}"),
                ));
            }
        }
        if !self.reachable().iter().any(|name| self.states.get(*name).is_some_and(State::is_end)) {
            return Err(fields.wrong("States", "no state that ends can be reached from StartAt"));
        }
        Ok(())
    }

    /// Every state that can be reached from the first.
    pub(crate) fn reachable(&self) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut left = vec![self.start_at.as_str()];
        while let Some(name) = left.pop() {
            if seen.insert(name) {
                left.extend(self.states.get(name).into_iter().flat_map(State::targets));
            }
        }
        seen
    }
}

impl State {
    fn read(name: &str, value: &Value) -> Result<Self, DefinitionError> {
        let fields = DefinitionFields::of(value, name)?;
        let comment = fields.text("Comment")?;
        if fields.text("QueryLanguage")?.is_some_and(|language| language != "JSONata") {
            return Err(fields.wrong("QueryLanguage", "must be JSONata; JSONPath is not supported"));
        }
        let kind = Kind::read(&fields)?;
        let (fails, chooses) = (matches!(kind, Kind::Fail { .. }), matches!(kind, Kind::Choice { .. }));
        let ends = fails || matches!(kind, Kind::Succeed);
        let catches = matches!(kind, Kind::Task { .. } | Kind::Parallel { .. } | Kind::Map { .. });
        let state = Self {
            comment,
            assign: if ends { Vec::new() } else { fields.assign()? },
            output: if fails { None } else { fields.template("Output")? },
            retry: if catches { Retrier::read_all(&fields)? } else { Vec::new() },
            catch: if catches { Catcher::read_all(&fields)? } else { Vec::new() },
            next: if ends || chooses { None } else { fields.text("Next")? },
            kind,
        };
        if !ends && !chooses && fields.flag("End")? == state.next.is_some() {
            return Err(fields.wrong("Next", "a state has either Next or \"End\": true"));
        }
        fields.finish()?;
        Ok(state)
    }

    /// Whether an execution can end here.
    pub(crate) fn is_end(&self) -> bool {
        self.next.is_none() && !matches!(self.kind, Kind::Choice { .. })
    }

    /// Every state that may follow.
    pub(crate) fn targets(&self) -> Vec<&str> {
        let mut targets: Vec<&str> = self.next.as_deref().into_iter().collect();
        targets.extend(self.catch.iter().map(|catcher| catcher.next.as_str()));
        if let Kind::Choice { rules, default } = &self.kind {
            targets.extend(rules.iter().map(|rule| rule.next.as_str()));
            targets.extend(default.as_deref());
        }
        targets
    }
}

impl Kind {
    fn read(fields: &DefinitionFields<'_>) -> Result<Self, DefinitionError> {
        Ok(match fields.required_text("Type")?.as_str() {
            "Pass" => Self::Pass,
            "Task" => {
                let resource = fields.required_text("Resource")?;
                Self::Task {
                    resource,
                    arguments: fields.template("Arguments")?,
                    timeout: fields.whole_template("TimeoutSeconds", 1..=MAX_SECONDS)?,
                    heartbeat: fields.whole_template("HeartbeatSeconds", 1..=MAX_SECONDS)?,
                    credentials: fields.template("Credentials")?,
                }
            }
            "Choice" => {
                Self::Choice { rules: ChoiceRule::read_all(fields)?, default: fields.text("Default")? }
            }
            "Wait" => {
                match (fields.whole_template("Seconds", 0..=MAX_SECONDS)?, fields.template("Timestamp")?) {
                    (Some(seconds), None) => Self::Wait(Wait::Seconds(seconds)),
                    (None, Some(timestamp)) => Self::Wait(Wait::Timestamp(timestamp)),
                    _ => return Err(fields.wrong("Seconds", "a Wait has either Seconds or Timestamp")),
                }
            }
            "Succeed" => Self::Succeed,
            "Fail" => Self::Fail { error: fields.template("Error")?, cause: fields.template("Cause")? },
            "Parallel" => {
                let mut branches = Vec::new();
                for (index, branch) in fields.list("Branches")?.iter().enumerate() {
                    let branch = DefinitionFields::of(branch, &fields.at(&format!("Branches[{index}]")))?;
                    branch.text("Comment")?;
                    branches.push(Arc::new(States::read(&branch)?));
                    branch.finish()?;
                }
                if branches.is_empty() {
                    return Err(fields.wrong("Branches", "must have at least one branch"));
                }
                Self::Parallel { arguments: fields.template("Arguments")?, branches }
            }
            "Map" => {
                let processor =
                    fields.get("ItemProcessor").ok_or_else(|| fields.wrong("ItemProcessor", "is missing"))?;
                let processor = DefinitionFields::of(processor, &fields.at("ItemProcessor"))?;
                processor.text("Comment")?;
                if processor
                    .get("ProcessorConfig")
                    .and_then(|config| config.get("Mode"))
                    .is_some_and(|mode| mode != "INLINE")
                {
                    return Err(processor.wrong("ProcessorConfig.Mode", "only INLINE is supported"));
                }
                let states = Arc::new(States::read(&processor)?);
                processor.finish()?;
                // They have an effect in distributed Maps only.
                fields.whole_template("ToleratedFailureCount", 0..=u64::MAX)?;
                fields.whole_template("ToleratedFailurePercentage", 0..=100)?;
                Self::Map {
                    items: fields.template("Items")?,
                    selector: fields.template("ItemSelector")?,
                    processor: states,
                    concurrency: fields.whole_template("MaxConcurrency", 0..=u64::MAX)?,
                }
            }
            other => return Err(fields.wrong("Type", &format!("{other:?} is not a kind of state"))),
        })
    }
}

/// The first name that two states of a machine have, however deep inside of others they are.
fn repeated_state<'a>(states: &'a States, seen: &mut BTreeSet<&'a str>) -> Option<&'a str> {
    states.states.iter().find_map(|(name, state)| {
        if !seen.insert(name) {
            return Some(name.as_str());
        }
        state.kind.inner().into_iter().find_map(|(_, states)| repeated_state(states, seen))
    })
}
