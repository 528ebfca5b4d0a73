//! How formatting and reading fail.

use sentry_core::error::{ErrorName, SentryError};
use sentry_core::request::RequestError;

/// A request that a model cannot take, or an answer that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The model does not take what `path` asks for.
    #[error("{message}")]
    InvalidRequest {
        /// The field of the request.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The answer does not have the vendor's form.
    #[error("{message}")]
    UnreadableModelResponse {
        /// The field of the answer's body.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// The model is not one of this formatter's.
    #[error("{message}")]
    UnsupportedModel {
        /// The id.
        model_id: String,
        /// Why.
        message: String,
    },
}

impl FormatError {
    /// A field of the request that the model does not take.
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidRequest { path: path.into(), message: message.into() }
    }

    /// A field of the answer that is not as it should be.
    pub(crate) fn unreadable(path: impl Into<String>, what: &str) -> Self {
        let path = path.into();
        let message = format!(
            "The model's answer is not in the form that its vendor documents: `{path}` {what}. \
             Try again; if it stays so, the vendor changed its format."
        );
        Self::UnreadableModelResponse { path, message }
    }

    /// The stable name of the error.
    #[must_use]
    pub const fn name(&self) -> ErrorName {
        match self {
            Self::InvalidRequest { .. } => ErrorName::InvalidRequest,
            Self::UnreadableModelResponse { .. } => ErrorName::UnreadableModelResponse,
            Self::UnsupportedModel { .. } => ErrorName::UnsupportedModel,
        }
    }
}

impl From<RequestError> for FormatError {
    fn from(error: RequestError) -> Self {
        Self::InvalidRequest { path: error.path, message: error.message }
    }
}

impl From<FormatError> for SentryError {
    fn from(error: FormatError) -> Self {
        let name = error.name();
        match error {
            FormatError::InvalidRequest { path, message }
            | FormatError::UnreadableModelResponse { path, message } => {
                SentryError::new(name, message).with("path", path)
            }
            FormatError::UnsupportedModel { model_id, message } => {
                SentryError::new(name, message).with("modelId", model_id)
            }
        }
    }
}
