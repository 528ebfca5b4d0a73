//! HTTP in front of the rate-limiter: what a request becomes, and what its end becomes.
//!
//! Nothing here knows a server. The local host and the function behind API Gateway hand in
//! what they received and send what they get back.

mod chat;
mod inference;
mod response;
#[cfg(test)]
mod tests;

use std::future::Future;

use serde_json::Value;

pub use chat::{chat_completion, models};
pub use inference::inference;
pub use response::{DoorResponse, Shape};

/// A request at the door, after its sender was identified.
#[derive(Debug, Clone, Default)]
pub struct DoorRequest<'a> {
    /// The tenant that the caller's key belongs to; `None` where the door is open.
    pub tenant: Option<&'a str>,
    /// The models that the key allows, as the authorizer says it; `None` for all.
    pub allowed_models: Option<&'a str>,
    /// The header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The header `Idempotency-Key`, for requests whose body has no place for it.
    pub idempotency_key: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The time in seconds since 1970.
    pub now: i64,
}

/// How an execution of the rate-limiter ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Execution {
    /// With an answer.
    Succeeded(Value),
    /// With an error of its own.
    Failed {
        /// The error's name.
        error: String,
        /// Its cause; a document, or a text where Step Functions itself ended the execution.
        cause: String,
    },
    /// Past its time.
    TimedOut,
    /// It did not start: Step Functions refused its input as too large.
    TooLarge,
    /// It did not start, so nothing was reserved.
    NotStarted,
}

/// Runs the rate-limiter.
pub trait RunRateLimiter: Send + Sync {
    /// Runs it to its end, as StartSyncExecution does.
    fn run(&self, input: &Value) -> impl Future<Output = Execution> + Send;
}
