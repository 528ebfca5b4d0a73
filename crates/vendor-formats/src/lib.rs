//! What each vendor on Bedrock takes and gives, one module per vendor, pure.
//!
//! Every module has the same face: [`Formatter::owns`] says which model families are its own,
//! [`Formatter::traits`] what such a family takes, [`Formatter::format`] writes the request's
//! body and [`Formatter::normalize`] reads the answer's. Reading one module tells you all.
//!
//! What a model cannot take is refused by its name in the request and never dropped; a
//! parameter that was not given is never sent. A body that does not have the expected form is
//! a named error; no body makes these functions panic.

pub mod ai21;
pub mod amazon;
mod answer;
pub mod anthropic;
pub mod chat_completions;
pub mod cohere;
pub mod converse;
pub mod deepseek;
#[cfg(test)]
mod docs;
mod error;
mod features;
mod handle;
pub mod meta;
mod metadata;
pub mod mistral;
pub mod openai;
mod prompt;
pub mod qwen;
mod read;
mod reasoning;
mod request;
#[cfg(test)]
mod tests;
mod traits;
mod turns;
pub mod writer;

use serde_json::Value;

pub use answer::{AnswerMessage, NormalizedAnswer, ReasoningBlock, StopReason, Usage};
pub use error::FormatError;
pub use features::{
    ANSWER_TOOL, CacheSupport, FEATURES, FeatureRow, Features, ImageSupport, ReasoningSupport, SchemaSupport,
    ThinkingOff, ToolSupport,
};
pub use handle::handle;
pub use request::ChatRequest;
pub use traits::{StopRule, SystemRole, Traits};

/// A vendor's module as a value.
#[derive(Debug, Clone, Copy)]
pub struct Formatter {
    /// The name, as in a route's `format`; its function is `format-<name>`.
    pub name: &'static str,
    /// Whether a model family is this vendor's.
    pub owns: fn(family: &str) -> bool,
    /// What a family takes.
    pub traits: fn(family: &str) -> Traits,
    /// Writes the body of a request.
    pub format: fn(request: &ChatRequest) -> Result<Value, FormatError>,
    /// Reads the body of an answer; the model id is the one that was called, or its family.
    pub normalize: fn(model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError>,
}

macro_rules! formatters {
    ($($name:literal => $constant:ident, $module:ident);+ $(;)?) => {
        $(
            #[doc = concat!("The formatter `", $name, "`.")]
            pub const $constant: Formatter = Formatter {
                name: $name,
                owns: $module::owns,
                traits: $module::traits,
                format: $module::format,
                normalize: $module::normalize,
            };
        )+
        /// Every formatter, Converse last. Who needs one takes its constant: whatever reads
        /// this list has the code of them all.
        pub const FORMATTERS: &[Formatter] = &[$($constant),+];
    };
}

formatters! {
    "anthropic" => ANTHROPIC, anthropic;
    "amazon" => AMAZON, amazon;
    "meta" => META, meta;
    "mistral" => MISTRAL, mistral;
    "cohere" => COHERE, cohere;
    "ai21" => AI21, ai21;
    "deepseek" => DEEPSEEK, deepseek;
    "openai" => OPENAI, openai;
    "qwen" => QWEN, qwen;
    "writer" => WRITER, writer;
    "chat-completions" => CHAT_COMPLETIONS, chat_completions;
    "converse" => CONVERSE, converse;
}
