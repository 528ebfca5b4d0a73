//! OpenAI's chat completions as the sentry's requests and answers, and back.
//!
//! Format: the API reference of `POST /v1/chat/completions`, with two fields that other
//! gateways have made common: `thinking_blocks` carries signed reasoning from one turn to the
//! next, `cache_control` marks the end of a part of the prompt that is to be cached.
//!
//! Every field is carried over, ignored because it changes nothing, or refused with its name
//! in `param`. None is dropped in silence.

mod answer;
mod chunks;
mod error;
mod fields;
mod messages;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Completion, completion};
pub use chunks::Chunks;
pub use error::{DoorError, ErrorBody, http_status, retryable};
pub use request::{ChatRequest, RequestError, param_of, read};
