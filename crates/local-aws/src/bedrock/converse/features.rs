//! What each family takes through Converse beyond plain text.
//!
//! From AWS's table of supported features, the vendors' documentation and recorded exchanges. A
//! family of which nothing is known takes only text, so that a client cannot rely on a guess.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html>

use super::super::models::{Model, claude_version};

/// How the request switches reasoning on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningControl {
    /// The model does not reason.
    None,
    /// It always reasons, and no field changes that.
    Always,
    /// Claude's `thinking`, by these rules.
    Thinking(ThinkingRules),
    /// Nova 2's `reasoningConfig`.
    ReasoningConfigObject,
    /// The text `reasoning_effort`.
    ReasoningEffort,
    /// OpenAI's object `reasoning` with an `effort`.
    ReasoningObject,
    /// The text `reasoning_config`.
    ReasoningConfigText,
}

/// The kinds of Claude's `thinking` that a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThinkingRules {
    /// `enabled` with a budget.
    pub budget: bool,
    /// `adaptive`.
    pub adaptive: bool,
    /// It thinks whatever the request says, and refuses `disabled`.
    pub always: bool,
    /// The text is empty unless the request asks for a summary; the signature carries the thinking.
    pub omitted: bool,
}

/// How a model caches prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRule {
    /// A shorter prefix is not cached, and nothing says so.
    pub minimum: u64,
    /// Takes `ttl: 1h`.
    pub one_hour: bool,
    /// How many blocks before a cache point an earlier prefix is looked for.
    pub lookback: usize,
}

/// How a model bills pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRule {
    /// A token for each 28 by 28 pixels after scaling to this edge, at most this many.
    ClaudeGrid {
        /// The longest edge in pixels.
        edge: u64,
        /// The most tokens.
        most: u64,
    },
    /// Nova 1's table, where small pictures are scaled up.
    NovaTable,
    /// Nova 2: width times height by 790, and 33.
    NovaArea,
    /// Llama 4: 144 for each tile of 336 pixels.
    LlamaTiles,
    /// Mistral: a token for each 16 by 16 pixels and one for each row, edge 1,024.
    PixtralRows,
    /// The same figure for every picture.
    Flat(u64),
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// `toolConfig`.
    pub tools: bool,
    /// `toolChoice` other than `auto`.
    pub forced_tool: bool,
    /// `strict` in a tool.
    pub strict_tools: bool,
    /// `status` in a tool's result.
    pub result_status: bool,
    /// Pictures, and how they are billed.
    pub images: Option<ImageRule>,
    /// Pictures in a tool's result.
    pub images_in_results: bool,
    /// Formats of documents.
    pub documents: &'static [&'static str],
    /// `outputConfig.textFormat`.
    pub schema: bool,
    /// The schema is read by the model and billed; elsewhere it only guides the decoder.
    pub schema_billed: bool,
    /// `outputConfig.effort`.
    pub effort: bool,
    /// How reasoning is switched on.
    pub reasoning: ReasoningControl,
    /// Cache points.
    pub cache: Option<CacheRule>,
    /// `serviceTier` other than `default`.
    pub tiers: bool,
    /// Messages of the role `system`.
    pub system_messages: bool,
    /// The least `maxTokens`.
    pub least_output: u64,
    /// Tokens of the fixed prompt that comes with tools: for `auto`, and for a forced tool.
    pub tool_prompt: (u64, u64),
}

const ALL_DOCUMENTS: &[&str] = &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];
const TEXT_DOCUMENTS: &[&str] = &["csv", "html", "txt", "md"];
const PDF: &[&str] = &["pdf"];

const TEXT_ONLY: Features = Features {
    tools: false,
    forced_tool: false,
    strict_tools: false,
    result_status: false,
    images: None,
    images_in_results: false,
    documents: &[],
    schema: false,
    schema_billed: false,
    effort: false,
    reasoning: ReasoningControl::None,
    cache: None,
    tiers: false,
    system_messages: false,
    least_output: 1,
    tool_prompt: (0, 0),
};

/// Tools with `toolChoice` auto only.
const TOOLS: Features = Features { tools: true, ..TEXT_ONLY };
/// Tools that can be forced.
const FORCED: Features = Features { forced_tool: true, ..TOOLS };

impl Features {
    /// Those of this model.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        let (vendor, name) = model.id.split_once('.').unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        match vendor {
            "anthropic" => claude(name),
            "amazon" => amazon(name),
            "meta" => llama(name),
            "mistral" => mistral(name),
            "openai" => openai(name),
            "deepseek" if name.starts_with("v3") => Self {
                reasoning: ReasoningControl::ReasoningEffort,
                schema: true,
                tiers: name.starts_with("v3.2"),
                ..FORCED
            },
            "deepseek" => Self { reasoning: ReasoningControl::Always, ..TEXT_ONLY },
            "qwen" => Self {
                images: name.contains("-vl-").then_some(ImageRule::ClaudeGrid { edge: 8_192, most: 16_384 }),
                schema: true,
                reasoning: ReasoningControl::ReasoningConfigText,
                tiers: true,
                ..FORCED
            },
            "moonshot" | "moonshotai" => Self {
                images: (!name.starts_with("kimi-k2-"))
                    .then_some(ImageRule::ClaudeGrid { edge: 8_192, most: 16_384 }),
                schema: name == "kimi-k2-thinking",
                reasoning: ReasoningControl::Always,
                tiers: true,
                least_output: if name.starts_with("kimi-k3") { 16 } else { 1 },
                ..FORCED
            },
            "zai" => Self {
                schema: name.starts_with("glm-5"),
                reasoning: ReasoningControl::ReasoningConfigText,
                cache: name.starts_with("glm-5.3").then_some(cache(1_024, false)),
                tiers: true,
                ..FORCED
            },
            "minimax" => Self {
                schema: name.starts_with("minimax-m2"),
                reasoning: ReasoningControl::ReasoningConfigText,
                tiers: true,
                ..FORCED
            },
            "google" => Self { images: Some(ImageRule::Flat(256)), schema: true, tiers: true, ..TOOLS },
            "nvidia" => Self {
                images: name.contains("-12b").then_some(ImageRule::Flat(256)),
                schema: true,
                tiers: true,
                ..TOOLS
            },
            "xai" => Self { least_output: 16, ..TEXT_ONLY },
            "writer" => Self { documents: PDF, ..TOOLS },
            "ai21" if name.starts_with("jamba-") => Self { documents: TEXT_DOCUMENTS, ..TOOLS },
            "cohere" if name.starts_with("command-r") => TOOLS,
            _ => TEXT_ONLY,
        }
    }
}

const fn cache(minimum: u64, one_hour: bool) -> CacheRule {
    CacheRule { minimum, one_hour, lookback: 0 }
}

fn claude(name: &str) -> Features {
    let stem = name.strip_prefix("claude-").unwrap_or_default();
    let Some((family, version)) = claude_version(stem) else {
        return TEXT_ONLY;
    };
    let recent = version >= (4, 7);
    let always = matches!(family, "fable" | "mythos");
    let reasoning = match version {
        (3, 0..=6) => ReasoningControl::None,
        _ => ReasoningControl::Thinking(ThinkingRules {
            budget: !recent,
            adaptive: version >= (4, 6),
            always,
            omitted: recent,
        }),
    };
    let cached = match (family, version) {
        ("", (3, 5)) if stem.contains("sonnet-20240620") => None,
        ("", (3, 0..=4)) => None,
        ("", (3, 5)) if stem.contains("haiku") => Some(2_048),
        ("sonnet", (4, 6)) => Some(2_048),
        ("opus", (4, 5..)) | ("haiku", _) => Some(4_096),
        _ => Some(1_024),
    };
    Features {
        forced_tool: !matches!((family, version), (_, (5, 5)) | ("fable", (5, 1))),
        strict_tools: version == (4, 5) || version == (4, 6),
        result_status: true,
        images: (stem != "3-5-haiku-20241022-v1").then_some(if recent {
            ImageRule::ClaudeGrid { edge: 2_576, most: 4_784 }
        } else {
            ImageRule::ClaudeGrid { edge: 1_568, most: 1_568 }
        }),
        images_in_results: true,
        documents: ALL_DOCUMENTS,
        schema: match (family, version) {
            ("fable" | "mythos", _) | ("opus", (5, _) | (4, 7)) => false,
            _ => version >= (4, 5),
        },
        schema_billed: true,
        effort: version >= (4, 6) || (family, version) == ("opus", (4, 5)),
        reasoning,
        cache: cached.map(|minimum| CacheRule { minimum, one_hour: version >= (4, 5), lookback: 20 }),
        system_messages: version >= (4, 8),
        tool_prompt: claude_tool_prompt(family, version, stem),
        ..FORCED
    }
}

/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>; what is not
/// documented yet is taken to be as in the nearest version.
fn claude_tool_prompt(family: &str, version: (u64, u64), stem: &str) -> (u64, u64) {
    match (family, version) {
        ("opus", (4, 7)) => (675, 804),
        ("opus", (4, 8..) | (5.., _)) => (290, 410),
        (_, (5.., _)) => (354, 474),
        (_, (4, 6..)) => (497, 589),
        (_, (4, 5)) => (496, 588),
        (_, (4, _)) => (313, 315),
        _ if stem.contains("3-5-haiku") => (264, 355),
        _ if stem.contains("20240620") => (294, 261),
        _ if stem.contains("haiku") => (264, 340),
        _ if stem.starts_with("3-opus") => (530, 281),
        _ => (159, 235),
    }
}

fn amazon(name: &str) -> Features {
    if name.starts_with("nova-2-") {
        return Features {
            images: Some(ImageRule::NovaArea),
            images_in_results: true,
            result_status: true,
            documents: ALL_DOCUMENTS,
            reasoning: ReasoningControl::ReasoningConfigObject,
            cache: Some(cache(1_536, false)),
            tiers: true,
            tool_prompt: (700, 700),
            ..FORCED
        };
    }
    if !name.starts_with("nova-") {
        return Features { documents: TEXT_DOCUMENTS, ..TEXT_ONLY };
    }
    let micro = name.starts_with("nova-micro");
    Features {
        images: (!micro).then_some(ImageRule::NovaTable),
        images_in_results: !micro,
        result_status: true,
        documents: if micro { &[] } else { ALL_DOCUMENTS },
        cache: Some(cache(if name.starts_with("nova-pro") { 1_024 } else { 1_536 }, false)),
        tiers: name.starts_with("nova-pro"),
        tool_prompt: (100, 100),
        ..FORCED
    }
}

fn llama(name: &str) -> Features {
    if name.starts_with("llama4-") {
        let images = Some(ImageRule::LlamaTiles);
        return Features { images, images_in_results: true, documents: ALL_DOCUMENTS, ..TOOLS };
    }
    let large = name.starts_with("llama3-2-11b") || name.starts_with("llama3-2-90b");
    if large {
        return Features { images: Some(ImageRule::Flat(1_601)), ..TOOLS };
    }
    if name.starts_with("llama3-1-") || name.starts_with("llama3-3-") { TOOLS } else { TEXT_ONLY }
}

fn mistral(name: &str) -> Features {
    let images = Some(ImageRule::PixtralRows);
    if name.starts_with("mistral-large-3") || name.starts_with("ministral-3") {
        return Features { images, schema: true, tiers: true, ..TOOLS };
    }
    if name.starts_with("pixtral-") {
        return Features { images, images_in_results: true, documents: PDF, ..TOOLS };
    }
    if name.starts_with("devstral-") {
        return Features { tiers: true, ..FORCED };
    }
    if name.starts_with("magistral-") {
        return Features { images, tiers: true, reasoning: ReasoningControl::Always, ..TOOLS };
    }
    if name.starts_with("mistral-large-") || name.starts_with("mistral-small-") {
        return FORCED;
    }
    TEXT_ONLY
}

fn openai(name: &str) -> Features {
    if name.starts_with("gpt-oss-") {
        return Features { reasoning: ReasoningControl::ReasoningEffort, tiers: true, ..FORCED };
    }
    Features {
        images: Some(ImageRule::ClaudeGrid { edge: 2_048, most: 1_536 }),
        reasoning: ReasoningControl::ReasoningObject,
        least_output: 16,
        ..FORCED
    }
}
