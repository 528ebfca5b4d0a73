//! Faults on demand: the next two calls are throttled, every twentieth answer is lost.
//!
//! A fault is written `NAME:COUNT` or `NAME:PERCENT%`. A name may carry its service, and between
//! the two the operation (for `lambda` the function's name): `ThrottlingException:2`,
//! `dynamodb.InternalServerError:1%`, `lambda.settle.kill-function:1`, `lost-reply:5%`.
//! Counts are exact; percents come from a seeded generator, so that a run can be repeated.

pub mod catalogue;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use catalogue::{KILL_FUNCTION, KNOWN, Known, LOST_REPLY, SERVICES, SHORT_NAMES};

/// A fault that applies to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error's name as the service gives it.
    pub name: &'static str,
    /// The HTTP status that it comes with.
    pub status: u16,
    /// The service's message.
    pub message: &'static str,
    /// The call takes effect, and its answer is dropped.
    pub lost_reply: bool,
    /// The function is killed while it works (`lambda` only).
    pub kill: bool,
}

/// Why a fault could not be understood. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dose {
    /// This many more calls.
    Count(u64),
    /// This many of a million calls.
    PerMillion(u64),
}

#[derive(Debug, Clone)]
struct FaultRule {
    text: String,
    targets: Vec<&'static Known>,
    operation: Option<String>,
    dose: Dose,
    fired: u64,
}

#[derive(Debug, Default)]
struct FaultState {
    rules: Vec<FaultRule>,
    random: fastrand::Rng,
}

/// The faults in force. Shared by every simulated service.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<FaultState>,
}

impl Faults {
    /// No faults yet; percents follow this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new(FaultState { rules: Vec::new(), random: fastrand::Rng::with_seed(seed) }) }
    }

    /// The faults of a command line.
    ///
    /// # Errors
    /// A fault cannot be read, or its name is not known; the message lists those that are.
    pub fn parse<S: AsRef<str>>(specs: &[S], seed: u64) -> Result<Self, FaultError> {
        let faults = Self::new(seed);
        faults.replace(specs)?;
        Ok(faults)
    }

    /// Puts these faults in the place of all others; none at all when one cannot be read.
    ///
    /// # Errors
    /// As [`Faults::parse`].
    pub fn replace<S: AsRef<str>>(&self, specs: &[S]) -> Result<(), FaultError> {
        let rules = read_all(specs)?;
        self.state().rules = rules;
        Ok(())
    }

    /// Adds these faults after those in force; none at all when one cannot be read.
    ///
    /// # Errors
    /// As [`Faults::parse`].
    pub fn add<S: AsRef<str>>(&self, specs: &[S]) -> Result<(), FaultError> {
        let rules = read_all(specs)?;
        self.state().rules.extend(rules);
        Ok(())
    }

    /// Applies a control document: `{"faults": [...]}` replaces what is in force,
    /// `{"add": [...]}` adds to it, `{"faults": []}` clears it. Gives the list afterwards.
    ///
    /// # Errors
    /// The document is not one of these, or a fault in it cannot be read.
    pub fn set(&self, body: &[u8]) -> Result<Value, FaultError> {
        let wrong = |why: &str| {
            FaultError(format!(
                "{why}; send {{\"faults\": [\"ThrottlingException:2\"]}} to replace the faults, or {{\"add\": [...]}} to add to them"
            ))
        };
        let document: Value = serde_json::from_slice(body)
            .map_err(|error| wrong(&format!("the body is not JSON ({error})")))?;
        let fields = document.as_object().ok_or_else(|| wrong("the body is not a JSON object"))?;
        let list = |key: &str| -> Result<Option<Vec<&str>>, FaultError> {
            let Some(value) = fields.get(key) else {
                return Ok(None);
            };
            let texts = value
                .as_array()
                .and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            texts.map(Some).ok_or_else(|| wrong(&format!("`{key}` is not a list of strings")))
        };
        if let Some(key) = fields.keys().find(|key| !matches!(key.as_str(), "faults" | "add")) {
            return Err(wrong(&format!("unknown field `{key}`")));
        }
        match (list("faults")?, list("add")?) {
            (None, None) => return Err(wrong("the body has neither `faults` nor `add`")),
            (Some(_), Some(_)) => return Err(wrong("the body has both `faults` and `add`")),
            (Some(specs), None) => self.replace(&specs)?,
            (None, Some(specs)) => self.add(&specs)?,
        }
        Ok(self.list())
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.state().rules.clear();
    }

    /// The faults in force, as they were written, with how often each was applied.
    #[must_use]
    pub fn list(&self) -> Value {
        let rules: Vec<Value> = self
            .state()
            .rules
            .iter()
            .map(|rule| {
                let mut item = json!({ "fault": rule.text, "fired": rule.fired });
                if let Dose::Count(left) = rule.dose {
                    item["remaining"] = json!(left);
                }
                item
            })
            .collect();
        json!({ "faults": rules })
    }

    /// The fault that applies to this call, if any. It consumes one of a fault with a count.
    pub fn take(&self, service: &str, operation: &str) -> Option<Fault> {
        let mut state = self.state();
        let FaultState { rules, random } = &mut *state;
        for rule in rules.iter_mut() {
            let Some(known) = rule.targets.iter().find(|known| known.service == service) else {
                continue;
            };
            if rule.operation.as_ref().is_some_and(|wanted| wanted != operation) {
                continue;
            }
            let applies = match &mut rule.dose {
                Dose::Count(0) => false,
                Dose::Count(left) => {
                    *left -= 1;
                    true
                }
                Dose::PerMillion(share) => random.u64(..1_000_000) < *share,
            };
            if applies {
                rule.fired += 1;
                return Some(Fault {
                    name: known.name,
                    status: known.status,
                    message: known.message,
                    lost_reply: known.name == LOST_REPLY,
                    kill: known.name == KILL_FUNCTION,
                });
            }
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, FaultState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_all<S: AsRef<str>>(specs: &[S]) -> Result<Vec<FaultRule>, FaultError> {
    specs.iter().map(|spec| read(spec.as_ref())).collect()
}

fn read(spec: &str) -> Result<FaultRule, FaultError> {
    let text = spec.trim();
    let (target, dose) = text.rsplit_once(':').ok_or_else(|| {
        FaultError(format!("fault `{text}` has no amount: write NAME:COUNT or NAME:PERCENT%"))
    })?;
    let dose = read_dose(dose.trim()).ok_or_else(|| {
        FaultError(format!(
            "fault `{text}`: `{dose}` is neither a count (a whole number) nor a percentage from 0% to 100%"
        ))
    })?;
    let (target, operation) = (target.trim(), None);
    let (service, operation, name) = match target.split('.').collect::<Vec<_>>()[..] {
        [name] => (None, operation, name),
        [service, name] => (Some(service), operation, name),
        [service, between, name] => (Some(service), Some(between.to_owned()), name),
        _ => {
            return Err(FaultError(format!(
                "fault `{text}`: write NAME, SERVICE.NAME or SERVICE.OPERATION.NAME"
            )));
        }
    };
    let name = SHORT_NAMES.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    let targets = match service {
        None => catalogue::services_of(name),
        Some(service) if SERVICES.contains(&service) => catalogue::find(service, name).into_iter().collect(),
        Some(service) => {
            return Err(FaultError(format!(
                "fault `{text}`: there is no service `{service}`, only {}",
                SERVICES.join(", ")
            )));
        }
    };
    if targets.is_empty() {
        return Err(FaultError(format!(
            "fault `{text}`: `{name}` is not known; known are {}",
            names(service)
        )));
    }
    Ok(FaultRule { text: text.to_owned(), targets, operation, dose, fired: 0 })
}

fn names(service: Option<&str>) -> String {
    let names: Vec<String> = KNOWN
        .iter()
        .filter(|known| service.is_none_or(|service| known.service == service))
        .map(|known| format!("{}.{}", known.service, known.name))
        .collect();
    names.join(", ")
}

/// `3`, `5%`, `0.25%`. Percentages have up to four decimals.
fn read_dose(text: &str) -> Option<Dose> {
    let Some(percent) = text.strip_suffix('%') else {
        return digits(text).map(Dose::Count);
    };
    let (whole, part) = percent.split_once('.').unwrap_or((percent, "0"));
    if part.len() > 4 {
        return None;
    }
    let share = digits(whole)?.checked_mul(10_000)?.checked_add(digits(&format!("{part:0<4}"))?)?;
    (share <= 1_000_000).then_some(Dose::PerMillion(share))
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}
