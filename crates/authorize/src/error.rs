//! How a request is refused.

use sentry_core::api_key::KeyRefusal;
use sentry_core::error::SentryError;
use sentry_lambda::{FunctionFailure, HandlerError};

/// API Gateway answers 401 for an authorizer's failure with exactly this message, and 500 for every other.
const UNAUTHORIZED: &str = "Unauthorized";

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthorizeError {
    /// The key admits nobody.
    Unauthorized {
        /// Why, for the log: the caller is not told.
        denial: Denial,
        /// The id of the key, where there is one.
        key_id: Option<String>,
    },
    /// Whether the key is good is not known.
    Failed(SentryError),
}

/// Why a key admits nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The request has none.
    #[error("the request has no key")]
    Missing,
    /// The request has more than one.
    #[error("the request has more than one key")]
    Several,
    /// It is not in the form of a key.
    #[error("the key is malformed")]
    Malformed,
    /// No such id, or another secret.
    #[error("there is no such key")]
    Unknown,
    /// It is the right one, and not good any more.
    #[error("{0}")]
    Refused(KeyRefusal),
}

impl AuthorizeError {
    pub(crate) fn unauthorized(denial: Denial, key_id: &str) -> Self {
        Self::Unauthorized { denial, key_id: Some(key_id.to_owned()) }
    }
}

impl From<SentryError> for AuthorizeError {
    fn from(error: SentryError) -> Self {
        Self::Failed(error)
    }
}

impl From<AuthorizeError> for FunctionFailure {
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::Unauthorized { .. } => {
                Self { error_type: UNAUTHORIZED.to_owned(), error_message: UNAUTHORIZED.to_owned() }
            }
            AuthorizeError::Failed(error) => error.into(),
        }
    }
}

impl HandlerError for AuthorizeError {
    fn explanation(&self) -> String {
        match self {
            Self::Unauthorized { denial, key_id: Some(key_id) } => format!("{denial} (id {key_id})"),
            Self::Unauthorized { denial, key_id: None } => denial.to_string(),
            Self::Failed(error) => error.explanation(),
        }
    }
}
