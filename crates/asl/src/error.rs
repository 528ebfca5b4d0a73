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

    pub(crate) fn evaluation(cause: impl Into<String>) -> Self {
        Self::new("States.QueryEvaluationError", cause)
    }

    pub(crate) fn too_large(what: &str, bytes: usize) -> Self {
        Self::new(
            "States.DataLimitExceeded",
            format!(
                "The {what} has {bytes} bytes; Step Functions carries at most {}.",
                crate::MAX_PAYLOAD_BYTES
            ),
        )
    }
}

/// Whether a list of error names covers an error.
pub(crate) fn covers(names: &[String], error: &str) -> bool {
    const UNCATCHABLE: [&str; 2] = ["States.DataLimitExceeded", "States.Runtime"];
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => !UNCATCHABLE.contains(&error),
        "States.TaskFailed" => error != "States.Timeout" && !UNCATCHABLE.contains(&error),
        name => name == error,
    })
}
