//! Context windows of models.

/// The most input tokens that a model of a family reads.
#[must_use]
pub fn context_window(family: &str) -> Option<u64> {
    family.starts_with("anthropic.claude-").then_some(1_000_000)
}
