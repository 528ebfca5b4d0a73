//! What a family takes of plain text and sampling through Converse.

use crate::FORMATTERS;
use crate::traits::{StopRule, SystemRole, Traits};

/// The traits of an opaque id without a known model: everything but `topK`, whose spelling depends on the vendor.
pub(super) const UNKNOWN: Traits = Traits { prefill: true, ..Traits::CHAT };

/// How a vendor spells `topK` among its own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopK {
    Field(&'static str),
    InInferenceConfig(&'static str),
}

const TOP_K: &[(&str, TopK)] = &[
    ("anthropic.", TopK::Field("top_k")),
    ("amazon.nova-", TopK::InInferenceConfig("topK")),
    ("cohere.", TopK::Field("k")),
    ("mistral.", TopK::Field("top_k")),
];

/// Families of which Converse says "This model doesn't support the stopSequences field".
const NO_STOP: &[&str] = &["meta.", "openai.", "qwen.", "xai."];
/// Families with which Converse continues an assistant turn, where the model does.
const PREFILL: &[&str] = &["anthropic.", "amazon.nova-"];
/// Families that take a system text through Converse and not in their own prompt.
const SYSTEM: &[&str] = &["mistral.mistral-small-2402-", "mistral.mistral-large-2402-"];
/// Families with which Converse takes a single user message.
const SINGLE_TURN: &[&str] = &["cohere.command-text-", "cohere.command-light-", "ai21.j2-"];

/// What a family takes through Converse.
#[must_use]
pub fn traits(family: &str) -> Traits {
    let is = |list: &[&str]| list.iter().any(|prefix| family.starts_with(prefix));
    let own = FORMATTERS.iter().find(|formatter| formatter.name != "converse" && (formatter.owns)(family));
    let Some(own) = own else { return UNKNOWN };
    let mut traits = (own.traits)(family);
    // Converse itself takes no more, whatever the model does.
    traits.temperature = traits.temperature.map(|most| most.min(1.0));
    traits.prefill = traits.prefill && is(PREFILL);
    traits.assistant_first = false;
    traits.top_k = traits.top_k.filter(|_| top_k(family).is_some());
    if is(NO_STOP) {
        traits.stop = StopRule::Never;
    }
    if is(SYSTEM) {
        traits.system = SystemRole::Own;
    }
    if is(SINGLE_TURN) {
        traits.several_turns = false;
        traits.system = SystemRole::FirstUserTurn;
    }
    traits
}

pub(super) fn top_k(family: &str) -> Option<TopK> {
    TOP_K.iter().find(|(prefix, _)| family.starts_with(prefix)).map(|(_, spelling)| *spelling)
}
