//! How a definition is wrong, and how a state fails.

/// A definition that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct DefinitionError {
    /// The state and the field, such as `Compare.Retry[0].MaxAttempts`.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl DefinitionError {
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

/// A failed task, by the names that Step Functions gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct TaskError {
    /// The error's name, such as `Lambda.TooManyRequestsException`.
    pub error: String,
    /// What Step Functions puts into `Cause`.
    pub cause: String,
}

impl TaskError {
    /// A failure of that name.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }
}

pub(crate) const TIMEOUT: &str = "States.Timeout";
const EVALUATION: &str = "States.QueryEvaluationError";
const TOO_LARGE: &str = "States.DataLimitExceeded";

/// A failure of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateFailure {
    /// A Fail state may give no error.
    pub(crate) error: Option<String>,
    /// A timeout has no cause, and a Fail state may give none.
    pub(crate) cause: Option<String>,
    /// The failure of an expression that has no `EvaluationFailed` event in the history yet.
    pub(crate) unreported: bool,
}

impl StateFailure {
    pub(crate) fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: Some(error.into()), cause: Some(cause.into()), unreported: false }
    }

    /// A task that took longer than its `TimeoutSeconds`.
    pub(crate) fn timeout() -> Self {
        Self { error: Some(TIMEOUT.to_owned()), cause: None, unreported: false }
    }

    /// An expression that failed, or a value that its field does not take.
    pub(crate) fn evaluation(problem: impl Into<String>) -> Self {
        Self { unreported: true, ..Self::new(EVALUATION, problem) }
    }

    /// An output of a state, or a result of a service, that is larger than Step Functions carries.
    pub(crate) fn too_large(source: &str) -> Self {
        Self::new(
            TOO_LARGE,
            format!(
                "The state/task '{source}' returned a result with a size exceeding the maximum number of bytes service limit."
            ),
        )
    }

    /// The error's name; empty where there is none.
    pub(crate) fn name(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }

    /// Whether the names of a Retry or a Catch cover this failure. The documentation says that `States.ALL` does
    /// not cover `States.DataLimitExceeded`, a recording from AWS shows that it does: `all_covers_data_limit` chooses.
    pub(crate) fn is_covered(&self, names: &[String], all_covers_data_limit: bool) -> bool {
        let error = self.name();
        let terminal = error == "States.Runtime" || (error == TOO_LARGE && !all_covers_data_limit);
        names.iter().any(|name| match name.as_str() {
            "States.ALL" => !terminal,
            "States.TaskFailed" => error != TIMEOUT && !terminal,
            name => name == error,
        })
    }
}

impl From<TaskError> for StateFailure {
    fn from(TaskError { error, cause }: TaskError) -> Self {
        Self::new(error, cause)
    }
}
