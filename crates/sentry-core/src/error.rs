//! The names under which a request can fail, and the document that explains the failure.
//!
//! A name is a contract: state machines match on it, clients switch on it. It is never a
//! Rust type name and never changes with a refactoring.

use serde_json::{Map, Value};

macro_rules! error_names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// A stable error name, as it appears in `error` of a failed execution.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        pub enum ErrorName { $($(#[$doc])* $name),+ }

        impl ErrorName {
            /// Every name there is.
            pub const ALL: &'static [ErrorName] = &[$(ErrorName::$name),+];

            /// The name as callers see it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorName::$name => stringify!($name)),+ }
            }
        }
    };
}

error_names! {
    /// The request is malformed; `path` names the field.
    InvalidRequest,
    /// Not a chat model, or a form of model id that cannot be served.
    UnsupportedModel,
    /// More bytes than Step Functions carries.
    RequestTooLarge,
    /// The budget is spent.
    BudgetExceeded,
    /// The budget is held by requests in flight, and waiting did not help.
    BudgetBusy,
    /// A request with the same `idempotencyKey` is in flight.
    RequestInProgress,
    /// No limit item applies, or the one that does is malformed.
    LimitNotConfigured,
    /// The ledger or the limits cannot be reached: the sentry fails closed.
    SentryUnavailable,
    /// CloudWatch cannot be read. Stays inside the rate-limiter, which goes on without it.
    UsageUnavailable,
    /// Bedrock throttled the call, after retries.
    ModelThrottled,
    /// Bedrock denied access to the model, or the caller's API key is for others.
    ModelAccessDenied,
    /// Bedrock does not know the model.
    ModelNotFound,
    /// Bedrock rejected the request.
    ModelRejectedRequest,
    /// The model did not answer in time.
    ModelTimeout,
    /// Bedrock or the model failed.
    ModelUnavailable,
    /// The vendor's answer does not have the expected form.
    UnreadableModelResponse,
    /// Anything else.
    InternalError,
}

impl std::fmt::Display for ErrorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure with its name, a sentence for people, and what else helps to act on it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SentryError {
    /// The stable name.
    pub name: ErrorName,
    /// A sentence that says what is wrong and what to do.
    pub message: String,
    /// Further fields of the cause document, such as `path` or `modelId`.
    pub details: Map<String, Value>,
}

impl SentryError {
    /// An error without further fields.
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), details: Map::new() }
    }

    /// Adds a field to the cause document.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.details.insert(field.to_owned(), value.into());
        self
    }

    /// The cause without `type` and `requestId`, which the state machine adds.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = self.details.clone();
        document.insert("message".to_owned(), Value::String(self.message.clone()));
        Value::Object(document)
    }
}
