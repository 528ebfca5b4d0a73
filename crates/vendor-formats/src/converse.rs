//! Converse: one form for every vendor, in the spelling of the Step Functions integration.
//!
//! Format: the API reference of `Converse` with every member in PascalCase, which is how
//! `aws-sdk:bedrockruntime:converse` takes arguments and gives results. What stands inside
//! `AdditionalModelRequestFields` is the vendor's own and keeps its spelling.
//!
//! Bedrock writes the prompt template here, so special tokens in a text are its concern.

mod blocks;
mod format;
mod normalize;
mod reasoning;
mod traits;

pub use format::format;
pub use normalize::normalize;
pub use traits::traits;

/// Converse takes every model.
#[must_use]
pub fn owns(_family: &str) -> bool {
    true
}
