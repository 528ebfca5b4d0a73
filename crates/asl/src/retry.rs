//! Retry and Catch.

use std::time::Duration;

use crate::error::{DefinitionError, StateFailure};
use crate::reader::DefinitionFields;
use crate::template::ValueTemplate;

/// The largest number of seconds, and of attempts, that a definition may give.
pub(crate) const MAX_SECONDS: u64 = 99_999_999;
/// The largest `MaxDelaySeconds`: a leap year.
const LONGEST_DELAY: u64 = 31_622_400;

/// One entry of `Retry`.
#[derive(Debug)]
pub(crate) struct Retrier {
    pub(crate) errors: Vec<String>,
    interval: f64,
    max_attempts: u64,
    backoff: f64,
    pub(crate) max_delay: Option<u64>,
    pub(crate) jitter: Option<String>,
}

/// One entry of `Catch`.
#[derive(Debug)]
pub(crate) struct Catcher {
    pub(crate) errors: Vec<String>,
    pub(crate) assign: Vec<(String, ValueTemplate)>,
    pub(crate) output: Option<ValueTemplate>,
    pub(crate) next: String,
}

impl Retrier {
    pub(crate) fn read_all(state: &DefinitionFields<'_>) -> Result<Vec<Self>, DefinitionError> {
        let mut retriers = Vec::new();
        let list = state.list("Retry")?;
        for (index, retrier) in list.iter().enumerate() {
            let fields = state.inside(retrier, &format!("Retry[{index}]"))?;
            fields.text("Comment")?;
            let jitter = fields.text("JitterStrategy")?;
            if jitter.as_deref().is_some_and(|strategy| strategy != "FULL" && strategy != "NONE") {
                return Err(fields.wrong("JitterStrategy", "must be FULL or NONE"));
            }
            let interval = fields.whole("IntervalSeconds", 1..=MAX_SECONDS)?.unwrap_or(1);
            let max_delay = fields.whole("MaxDelaySeconds", 1..=LONGEST_DELAY)?;
            if max_delay.is_some_and(|longest| longest < interval) {
                return Err(fields.wrong("MaxDelaySeconds", "must be at least IntervalSeconds"));
            }
            retriers.push(Self {
                errors: errors(&fields, index + 1 == list.len())?,
                interval: to_f64(interval),
                max_attempts: fields.whole("MaxAttempts", 0..=MAX_SECONDS)?.unwrap_or(3),
                backoff: fields.number("BackoffRate", 1.0)?.unwrap_or(2.0),
                max_delay,
                jitter,
            });
            fields.finish()?;
        }
        Ok(retriers)
    }

    /// How long to wait before the attempt that follows `done` earlier retries, or `None`
    /// when there are no more.
    pub(crate) fn delay(&self, done: u64) -> Option<Duration> {
        if done >= self.max_attempts {
            return None;
        }
        let exponent = i32::try_from(done).unwrap_or(i32::MAX);
        let longest = to_f64(self.max_delay.unwrap_or(LONGEST_DELAY));
        let seconds = (self.interval * self.backoff.powi(exponent)).min(longest);
        let share = if self.jitter.as_deref() == Some("FULL") { fastrand::f64() } else { 1.0 };
        Some(Duration::from_secs_f64(seconds * share))
    }
}

/// The error names of an entry. `States.ALL` must be the only name, in the last entry.
fn errors(fields: &DefinitionFields<'_>, last: bool) -> Result<Vec<String>, DefinitionError> {
    let errors = fields.names("ErrorEquals")?;
    if errors.iter().any(|error| error == "States.ALL") && (errors.len() > 1 || !last) {
        return Err(fields.wrong("ErrorEquals", "must have States.ALL alone, and in the last entry"));
    }
    Ok(errors)
}

#[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^52")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

impl Catcher {
    pub(crate) fn read_all(state: &DefinitionFields<'_>) -> Result<Vec<Self>, DefinitionError> {
        let mut catchers = Vec::new();
        let list = state.list("Catch")?;
        for (index, catcher) in list.iter().enumerate() {
            let fields = state.inside(catcher, &format!("Catch[{index}]"))?;
            fields.text("Comment")?;
            catchers.push(Self {
                errors: errors(&fields, index + 1 == list.len())?,
                assign: fields.assign()?,
                output: fields.template("Output")?,
                next: fields.required_text("Next")?,
            });
            fields.finish()?;
        }
        Ok(catchers)
    }
}

/// The retries of one state, counted for each entry.
pub(crate) struct Retries<'a> {
    retriers: &'a [Retrier],
    done: Vec<u64>,
    all_covers_data_limit: bool,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(retriers: &'a [Retrier], all_covers_data_limit: bool) -> Self {
        Self { retriers, done: vec![0; retriers.len()], all_covers_data_limit }
    }

    /// How many attempts were repeated.
    pub(crate) fn count(&self) -> u64 {
        self.done.iter().sum()
    }

    /// How long to wait before the next attempt after a failure, or `None` when no retry covers it.
    pub(crate) fn after(&mut self, failure: &StateFailure) -> Option<Duration> {
        let covers = |retrier: &Retrier| failure.is_covered(&retrier.errors, self.all_covers_data_limit);
        let index = self.retriers.iter().position(covers)?;
        let (retrier, done) = (self.retriers.get(index)?, self.done.get_mut(index)?);
        let delay = retrier.delay(*done)?;
        *done += 1;
        Some(delay)
    }
}
