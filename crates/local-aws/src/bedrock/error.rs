//! What the simulated Bedrock says when it refuses.

use serde_json::{Map, Value, json};

use crate::faults::{Fault, catalogue};
use crate::http::Reply;

/// An error of the Bedrock runtime.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct BedrockError {
    /// The documented name, e.g. `ThrottlingException`.
    pub name: String,
    /// The HTTP status; 0 where no answer arrives at all.
    pub status: u16,
    /// What is wrong, in the service's words.
    pub message: String,
    /// Other members of the body (`originalStatusCode`, `resourceName`).
    pub extra: Box<Map<String, Value>>,
}

/// The name that an SDK gives to a connection that ended without an answer.
pub const CLIENT_EXCEPTION: &str = "SdkClientException";

impl BedrockError {
    fn new(name: &str, status: u16, message: impl Into<String>) -> Self {
        let mut extra = Map::new();
        if name == "ModelErrorException" {
            extra.insert("originalStatusCode".into(), json!(500));
            extra.insert("resourceName".into(), json!("simulated-model"));
        }
        Self { name: name.to_owned(), status, message: message.into(), extra: Box::new(extra) }
    }

    /// A request that the service refuses.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", 400, message)
    }

    /// A body that does not have the model's schema; `pointer` is `#/messages/0/role`.
    #[must_use]
    pub fn malformed(pointer: &str, what: &str) -> Self {
        Self::validation(format!(
            "Malformed input request: {pointer}: {what}, please reformat your input and try again."
        ))
    }

    /// A model id that names nothing.
    #[must_use]
    pub fn unknown_model() -> Self {
        Self::validation("The provided model identifier is invalid.")
    }

    /// A model that exists and does not chat.
    #[must_use]
    pub fn not_a_text_model() -> Self {
        Self::validation(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
        )
    }

    /// The answer was lost on its way: what an SDK says then.
    #[must_use]
    pub fn lost() -> Self {
        Self::new(
            CLIENT_EXCEPTION,
            0,
            "Unable to execute HTTP request: the connection was closed before the answer arrived",
        )
    }

    /// The documented error of this name, with or without `Exception` at its end.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        catalogue::KNOWN
            .iter()
            .filter(|known| known.service == "bedrock" && known.name != catalogue::LOST_REPLY)
            .find(|known| known.name == name || known.name.strip_suffix("Exception") == Some(name))
            .map(|known| Self::new(known.name, known.status, known.message))
    }

    /// The names of all documented errors.
    #[must_use]
    pub fn names() -> String {
        let names: Vec<_> = catalogue::KNOWN
            .iter()
            .filter(|known| known.service == "bedrock" && known.name != catalogue::LOST_REPLY)
            .map(|known| known.name)
            .collect();
        names.join(", ")
    }

    /// The error as it goes over the wire.
    #[must_use]
    pub fn reply(&self, request_id: &str) -> Reply {
        let mut body = (*self.extra).clone();
        body.insert("message".into(), json!(self.message));
        let mut reply = Reply::json(self.status.max(400), "application/json", &Value::Object(body))
            .with_header("x-amzn-requestid", request_id)
            .with_header(
                "x-amzn-errortype",
                format!("{}:http://internal.amazon.com/coral/com.amazon.bedrock/", self.name),
            );
        reply.lost = self.name == CLIENT_EXCEPTION;
        reply
    }
}

impl From<&Fault> for BedrockError {
    fn from(fault: &Fault) -> Self {
        if fault.lost_reply {
            return Self::lost();
        }
        Self::new(fault.name, fault.status, fault.message)
    }
}
