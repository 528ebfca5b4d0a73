//! Reasoning that stands in the text, between tags, before what the model says.

use crate::answer::StopReason;

/// Splits a text that begins with reasoning between these tags. An open tag without its end
/// means that the model was cut off while it thought, if the output limit came; a model that
/// ended by itself forgot the tag, and its text stays whole.
fn split_tagged(text: String, open: &str, close: &str, stop: StopReason) -> (String, Option<String>) {
    let Some(rest) = text.trim_start().strip_prefix(open) else { return (text, None) };
    match rest.split_once(close) {
        Some((thought, said)) => (said.trim_start().to_owned(), Some(thought.trim().to_owned())),
        None if stop.cuts_off() => (String::new(), Some(rest.trim().to_owned())),
        None => (text, None),
    }
}

/// `<think>` of Kimi, Qwen, DeepSeek, MiniMax and GLM.
pub(crate) fn split_think(text: String, stop: StopReason) -> (String, Option<String>) {
    split_tagged(text, "<think>", "</think>", stop)
}

/// Joins two pieces of reasoning.
pub(crate) fn joined(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}\n\n{second}")),
        (first, second) => first.or(second),
    }
}

/// Takes the reasoning out of the text in the way of a family.
pub(crate) fn split_for(family: &str, text: String, stop: StopReason) -> (String, Option<String>) {
    const THINK: &[&str] = &["moonshot.", "moonshotai.", "qwen.", "deepseek.", "minimax.", "zai.", "nvidia."];
    if family.starts_with("openai.gpt-oss") {
        split_tagged(text, "<reasoning>", "</reasoning>", stop)
    } else if THINK.iter().any(|prefix| family.starts_with(prefix)) {
        split_think(text, stop)
    } else {
        (text, None)
    }
}

/// The family behind a model id, or nothing where the id is opaque or unknown.
pub(crate) fn family_of(model_id: &str) -> String {
    sentry_core::model::ModelId::parse(model_id)
        .ok()
        .filter(|model| !model.opaque)
        .map(|model| model.family)
        .unwrap_or_default()
}
