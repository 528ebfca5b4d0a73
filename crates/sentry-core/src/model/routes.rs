//! Which way each model is called, and why: the one table.

use serde::{Deserialize, Serialize};

use super::Vendor;

/// A way of calling a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InvocationMode {
    /// `bedrock:invokeModel` with the vendor's own body.
    Native,
    /// `bedrockruntime:converse`.
    Converse,
}

/// Where the vendor's own answer says how many tokens were used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// In the body, always.
    Body,
    /// In the body of some answers; without it a request is settled at what it reserved.
    BodySometimes,
    /// Only in HTTP headers, which Step Functions does not pass on.
    HeadersOnly,
    /// There is no own format here; Converse always says it.
    Converse,
}

impl UsageSource {
    /// A phrase for documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            UsageSource::Body => "in the answer's body",
            UsageSource::BodySometimes => {
                "in the answer's body where the model gives it, else settled at the reserved bound"
            }
            UsageSource::HeadersOnly => "only in HTTP headers, which do not reach the sentry",
            UsageSource::Converse => "Converse gives it",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Whose models.
    pub vendor: Vendor,
    /// How the families begin.
    pub prefixes: &'static [&'static str],
    /// What they are called by people.
    pub title: &'static str,
    /// Families that differ in what they take.
    pub examples: &'static [&'static str],
    /// The name of the vendor's own format, a module of `vendor-formats`; `None` where there is none.
    pub format: Option<&'static str>,
    /// How they are called, unless a limit item's `calling` forces the way.
    pub calling: InvocationMode,
    /// Where their own format has the usage.
    pub usage: UsageSource,
    /// Why they are called so.
    pub reason: &'static str,
}

use InvocationMode::{Converse, Native};
use UsageSource::{Body, BodySometimes, HeadersOnly};

const HAS_USAGE: &str = "The vendor's own body carries the usage, cached tokens included.";
const NO_CACHE: &str = "The vendor's own body carries the usage.";
const HEADERS: &str = "The vendor's own body carries no usage, and a budget needs it.";
const UNPROVEN: &str = "Converse is recorded for it and the vendor's own body on Bedrock is not.";
/// Models of the time before Mistral's chat format.
pub(super) const LEGACY_MISTRAL: &[&str] = &[
    "mistral.mistral-7b-",
    "mistral.mixtral-",
    "mistral.mistral-small-2402-",
    "mistral.mistral-large-2402-",
];

#[expect(clippy::too_many_arguments, reason = "a row of a table, written as one")]
const fn route(
    vendor: Vendor,
    prefixes: &'static [&'static str],
    title: &'static str,
    examples: &'static [&'static str],
    format: Option<&'static str>,
    calling: InvocationMode,
    usage: UsageSource,
    reason: &'static str,
) -> Route {
    Route { vendor, prefixes, title, examples, format, calling, usage, reason }
}

/// The table; the first row whose prefix fits counts. The last row fits everything.
pub const ROUTES: &[Route] = &[
    route(
        Vendor::Anthropic,
        &["anthropic.claude-v1"],
        "Claude 1 (text completion)",
        &["anthropic.claude-v1"],
        Some("anthropic"),
        Converse,
        HeadersOnly,
        HEADERS,
    ),
    route(
        Vendor::Anthropic,
        &["anthropic."],
        "Claude 2, Instant and later (Messages)",
        &[
            "anthropic.claude-v2:1",
            "anthropic.claude-sonnet-4-20250514-v1:0",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            "anthropic.claude-sonnet-4-6",
            "anthropic.claude-opus-4-7",
            "anthropic.claude-sonnet-5",
        ],
        Some("anthropic"),
        Native,
        Body,
        HAS_USAGE,
    ),
    route(
        Vendor::Amazon,
        &["amazon.nova-"],
        "Nova",
        &["amazon.nova-2-lite-v1:0"],
        Some("amazon"),
        Native,
        Body,
        HAS_USAGE,
    ),
    route(
        Vendor::Amazon,
        &["amazon.titan-t"],
        "Titan Text",
        &["amazon.titan-text-express-v1"],
        Some("amazon"),
        Native,
        Body,
        NO_CACHE,
    ),
    route(
        Vendor::Meta,
        &["meta.llama"],
        "Llama 2, 3 and 4",
        &["meta.llama3-3-70b-instruct-v1:0"],
        Some("meta"),
        Native,
        Body,
        NO_CACHE,
    ),
    route(
        Vendor::Mistral,
        LEGACY_MISTRAL,
        "Mistral 7B, Mixtral, Small and Large of 2402 (instruct prompt)",
        &["mistral.mistral-7b-instruct-v0:2", "mistral.mistral-large-2402-v1:0"],
        Some("mistral"),
        Converse,
        HeadersOnly,
        HEADERS,
    ),
    route(
        Vendor::Mistral,
        &["mistral."],
        "Mistral chat models",
        &["mistral.mistral-large-3-675b-instruct"],
        Some("mistral"),
        Native,
        BodySometimes,
        "The chat format carries the usage in most answers.",
    ),
    route(
        Vendor::Cohere,
        &["cohere.command-r"],
        "Command R and R+",
        &["cohere.command-r-plus-v1:0"],
        Some("cohere"),
        Converse,
        HeadersOnly,
        HEADERS,
    ),
    route(
        Vendor::Cohere,
        &["cohere.command-"],
        "Command",
        &["cohere.command-text-v14"],
        Some("cohere"),
        Converse,
        HeadersOnly,
        HEADERS,
    ),
    route(
        Vendor::Ai21,
        &["ai21.jamba-"],
        "Jamba",
        &["ai21.jamba-1-5-large-v1:0"],
        Some("ai21"),
        Native,
        Body,
        NO_CACHE,
    ),
    route(
        Vendor::Ai21,
        &["ai21.j2-"],
        "Jurassic-2",
        &["ai21.j2-ultra-v1"],
        Some("ai21"),
        Converse,
        HeadersOnly,
        HEADERS,
    ),
    route(
        Vendor::DeepSeek,
        &["deepseek.r1-"],
        "DeepSeek R1",
        &["deepseek.r1-v1:0"],
        Some("deepseek"),
        Converse,
        HeadersOnly,
        HEADERS,
    ),
    route(
        Vendor::DeepSeek,
        &["deepseek."],
        "DeepSeek V3",
        &["deepseek.v3.2"],
        Some("deepseek"),
        Converse,
        Body,
        UNPROVEN,
    ),
    route(
        Vendor::OpenAi,
        &["openai."],
        "gpt-oss and GPT",
        &["openai.gpt-oss-120b-1:0", "openai.gpt-5.4", "openai.gpt-6.1-sol"],
        Some("openai"),
        Native,
        Body,
        HAS_USAGE,
    ),
    route(Vendor::Qwen, &["qwen."], "Qwen", &["qwen.qwen3-32b-v1:0"], Some("qwen"), Native, Body, HAS_USAGE),
    route(
        Vendor::Writer,
        &["writer."],
        "Palmyra",
        &["writer.palmyra-x5-v1:0"],
        Some("writer"),
        Converse,
        BodySometimes,
        "Two forms of its own body are in use, and the text form was seen without usage.",
    ),
    route(
        Vendor::Google,
        &["google."],
        "Gemma 3",
        &["google.gemma-3-27b-it"],
        Some("chat-completions"),
        Converse,
        Body,
        UNPROVEN,
    ),
    route(
        Vendor::MiniMax,
        &["minimax."],
        "MiniMax",
        &["minimax.minimax-m2.5"],
        Some("chat-completions"),
        Converse,
        Body,
        UNPROVEN,
    ),
    route(
        Vendor::Moonshot,
        &["moonshot.", "moonshotai."],
        "Kimi",
        &["moonshotai.kimi-k2.5"],
        Some("chat-completions"),
        Converse,
        Body,
        UNPROVEN,
    ),
    route(
        Vendor::Nvidia,
        &["nvidia."],
        "Nemotron",
        &["nvidia.nemotron-super-3-120b"],
        Some("chat-completions"),
        Converse,
        Body,
        UNPROVEN,
    ),
    route(Vendor::Zai, &["zai."], "GLM", &["zai.glm-5"], Some("chat-completions"), Converse, Body, UNPROVEN),
    route(
        Vendor::Xai,
        &["xai."],
        "Grok",
        &["xai.grok-4.7"],
        Some("chat-completions"),
        Converse,
        Body,
        "Clients call it by Converse, and its own body on Bedrock is not recorded.",
    ),
    route(
        Vendor::Other,
        &[""],
        "Every other vendor",
        &[],
        None,
        Converse,
        UsageSource::Converse,
        "Converse has one form for all vendors, so a new one works on its first day.",
    ),
];

/// Applies to ids behind which any model may stand, until a limit item says which one does.
const OPAQUE: Route = route(
    Vendor::Other,
    &[],
    "Application inference profiles, provisioned, custom and imported models",
    &[],
    None,
    Converse,
    UsageSource::Converse,
    "Their id does not say whose body they take. `aliasOf` does: they are then called as that model is.",
);

impl Route {
    /// The row for a family.
    #[must_use]
    pub fn of(family: &str) -> &'static Route {
        ROUTES
            .iter()
            .find(|route| route.prefixes.iter().any(|prefix| family.starts_with(prefix)))
            .unwrap_or(&OPAQUE)
    }

    /// The row for ids behind which any model may stand.
    #[must_use]
    pub const fn for_opaque() -> &'static Route {
        &OPAQUE
    }
}
