//! Models that are on Bedrock and cannot be served here, each with the reason.

/// Which families a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// Those that begin so.
    Beginning(&'static str),
    /// Those that have this in their name.
    Having(&'static str),
    /// Those that begin and have this in their name.
    BeginningAndHaving(&'static str, &'static str),
    /// This one.
    Exactly(&'static str),
}

/// A rule by which a family is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotChat {
    /// Which families.
    pub families: Families,
    /// The rest of a sentence that begins with the family.
    pub reason: &'static str,
}

const fn row(families: Families, reason: &'static str) -> NotChat {
    NotChat { families, reason }
}

use Families::{Beginning, BeginningAndHaving, Exactly, Having};

const EMBEDDINGS: &str = "makes embeddings and does not chat; call it at Bedrock directly.";
const RERANK: &str = "ranks documents and does not chat; call it at Bedrock directly.";
const IMAGES: &str = "makes images and does not chat; call it at Bedrock directly.";
const VIDEO: &str = "makes or analyses video and does not chat; call it at Bedrock directly.";
const SPEECH: &str =
    "speaks over a two-way stream, which no request with one answer can carry; call it at Bedrock directly.";
const MANTLE: &str = "is served only by the bedrock-mantle endpoint, which Step Functions cannot call; choose a model of the bedrock-runtime endpoint.";

const MANTLE_VERSION: &str = "without a version at its end is served only by the bedrock-mantle endpoint, which Step Functions cannot call; use the id that ends in a version, such as \"-1:0\" or \"-v1:0\".";

/// The rules; the first that applies counts.
pub const NOT_CHAT: &[NotChat] = &[
    row(Having("embed"), EMBEDDINGS),
    row(Having("rerank"), RERANK),
    row(Beginning("amazon.nova-canvas"), IMAGES),
    row(Beginning("amazon.titan-image"), IMAGES),
    row(Beginning("stability."), IMAGES),
    row(Beginning("amazon.nova-reel"), VIDEO),
    row(Beginning("luma."), VIDEO),
    row(Beginning("twelvelabs."), VIDEO),
    row(BeginningAndHaving("amazon.nova-", "sonic"), SPEECH),
    row(Beginning("google.gemma-4"), MANTLE),
    row(Exactly("xai.grok-4.3"), MANTLE),
    row(Exactly("moonshotai.kimi-k2-thinking"), MANTLE),
    row(Exactly("deepseek.v3.1"), MANTLE),
    row(Exactly("openai.gpt-oss-20b"), MANTLE_VERSION),
    row(Exactly("openai.gpt-oss-120b"), MANTLE_VERSION),
    row(Exactly("anthropic.claude-haiku-4-5"), MANTLE_VERSION),
    row(Exactly("qwen.qwen3-32b"), MANTLE_VERSION),
    row(Exactly("qwen.qwen3-235b-a22b-2507"), MANTLE_VERSION),
    row(Exactly("qwen.qwen3-coder-30b-a3b-instruct"), MANTLE),
    row(Exactly("qwen.qwen3-coder-480b-a35b-instruct"), MANTLE),
    row(Exactly("qwen.qwen3-next-80b-a3b-instruct"), MANTLE),
    row(Exactly("qwen.qwen3-vl-235b-a22b-instruct"), MANTLE),
];

impl Families {
    /// Whether the rule is about this family.
    #[must_use]
    pub fn include(&self, family: &str) -> bool {
        match self {
            Beginning(prefix) => family.starts_with(prefix),
            Having(part) => family.contains(part),
            BeginningAndHaving(prefix, part) => family.starts_with(prefix) && family.contains(part),
            Exactly(name) => family == *name,
        }
    }
}

/// Vendors none of whose models chats.
pub(super) fn vendors() -> impl Iterator<Item = &'static str> {
    NOT_CHAT.iter().filter_map(|row| match row.families {
        Beginning(prefix) => prefix.strip_suffix('.'),
        _ => None,
    })
}

/// The rule that refuses this family, if any.
pub(super) fn find(family: &str) -> Option<&'static NotChat> {
    NOT_CHAT.iter().find(|row| row.families.include(family))
}
