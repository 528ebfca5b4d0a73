//! The families, first match first.
//!
//! Sources: the model table of Bedrock's Converse page, Anthropic's and Amazon's documentation of
//! each model, and recorded exchanges. What was only said to work and never seen is left out.

use sentry_core::request::CacheTtl;

use super::{
    CacheSupport, FeatureRow, Features, ImageSupport, ReasoningSupport, SchemaSupport, ThinkingOff,
    ToolSupport,
};

const PDF_AND_TEXT: &[&str] = &["pdf", "txt", "md", "csv", "html"];
const PDF_DOCX_AND_TEXT: &[&str] = &["pdf", "docx", "txt", "md", "csv", "html"];
const TEXT_FILES: &[&str] = &["txt", "md", "csv", "html"];
const PDF: &[&str] = &["pdf"];

const SHORT_CACHE: CacheSupport = CacheSupport { longest: Some(CacheTtl::FiveMinutes), in_tools: true };
const LONG_CACHE: CacheSupport = CacheSupport { longest: Some(CacheTtl::OneHour), in_tools: true };
/// Nova caches messages and system texts.
const NOVA_CACHE: CacheSupport = CacheSupport { longest: Some(CacheTtl::FiveMinutes), in_tools: false };

const DISABLED: ReasoningSupport = ReasoningSupport::Effort(ThinkingOff::Type("disabled"));
const BETWEEN_TOOLS: ReasoningSupport = ReasoningSupport::Effort(ThinkingOff::Type("between_tools"));
const ALWAYS: ReasoningSupport = ReasoningSupport::Effort(ThinkingOff::Never);

/// Claude 3.
const CLAUDE_3: Features = Features {
    tools: ToolSupport::Named,
    result_status: true,
    images: ImageSupport::Results,
    documents: PDF_AND_TEXT,
    documents_in_results: true,
    citations: true,
    schema: SchemaSupport::ForcedTool,
    ..Features::TEXT
};
const CLAUDE_3_CACHED: Features = Features { cache: SHORT_CACHE, ..CLAUDE_3 };
/// Claude 3.7 to 4.1.
const CLAUDE_4: Features =
    Features { reasoning: ReasoningSupport::Budget, reasoning_history: true, ..CLAUDE_3_CACHED };
const CLAUDE_4_5: Features =
    Features { schema: SchemaSupport::Native, strict_tools: true, cache: LONG_CACHE, ..CLAUDE_4 };
const CLAUDE_4_6: Features = Features { reasoning: ReasoningSupport::BudgetOrEffort, ..CLAUDE_4_5 };
/// Opus 4.7 and 4.8, Opus 5, Sonnet 5.
const CLAUDE_5: Features = Features { reasoning: DISABLED, cache: LONG_CACHE, ..CLAUDE_4 };
/// Models since 5.1 cannot be made to call a tool.
const CLAUDE_5_5: Features =
    Features { tools: ToolSupport::Auto, schema: SchemaSupport::No, reasoning: ALWAYS, ..CLAUDE_5 };

const NOVA_TEXT: Features = Features {
    tools: ToolSupport::Named,
    result_status: true,
    schema: SchemaSupport::ForcedTool,
    cache: NOVA_CACHE,
    ..Features::TEXT
};
const NOVA: Features = Features {
    images: ImageSupport::Results,
    documents: PDF_DOCX_AND_TEXT,
    documents_in_results: true,
    ..NOVA_TEXT
};

/// Tools, and the model decides.
const TOOLS: Features = Features { tools: ToolSupport::Auto, ..Features::TEXT };
/// Open weights with tools in all ways.
const STEERED: Features =
    Features { tools: ToolSupport::Named, schema: SchemaSupport::ForcedTool, ..Features::TEXT };
const ALWAYS_REASONING: Features =
    Features { reasoning: ReasoningSupport::Fixed, reasoning_history: true, tiers: true, ..STEERED };
const QWEN: Features = Features {
    schema: SchemaSupport::Native,
    reasoning: ReasoningSupport::ConfigField,
    reasoning_history: true,
    tiers: true,
    ..STEERED
};
const GLM: Features = Features { schema: SchemaSupport::ForcedTool, ..QWEN };

/// The table.
pub const FEATURES: &[FeatureRow] = &[
    FeatureRow { prefixes: &["anthropic.claude-v", "anthropic.claude-instant-"], features: Features::TEXT },
    FeatureRow {
        prefixes: &["anthropic.claude-3-5-haiku-", "anthropic.claude-3-5-sonnet-20241022-"],
        features: CLAUDE_3_CACHED,
    },
    FeatureRow {
        prefixes: &[
            "anthropic.claude-3-7-",
            "anthropic.claude-sonnet-4-2",
            "anthropic.claude-opus-4-2",
            "anthropic.claude-opus-4-1-",
        ],
        features: CLAUDE_4,
    },
    FeatureRow { prefixes: &["anthropic.claude-3-"], features: CLAUDE_3 },
    FeatureRow {
        prefixes: &[
            "anthropic.claude-sonnet-4-5-",
            "anthropic.claude-haiku-4-5-",
            "anthropic.claude-opus-4-5-",
        ],
        features: CLAUDE_4_5,
    },
    FeatureRow {
        prefixes: &["anthropic.claude-sonnet-4-6", "anthropic.claude-opus-4-6"],
        features: CLAUDE_4_6,
    },
    FeatureRow {
        prefixes: &["anthropic.claude-haiku-5-5"],
        features: Features { schema: SchemaSupport::Native, reasoning: DISABLED, ..CLAUDE_5_5 },
    },
    FeatureRow {
        prefixes: &["anthropic.claude-sonnet-5-5"],
        features: Features { schema: SchemaSupport::Native, reasoning: BETWEEN_TOOLS, ..CLAUDE_5_5 },
    },
    FeatureRow {
        prefixes: &["anthropic.claude-opus-5-5", "anthropic.claude-fable-5-1", "anthropic.claude-mythos-5-1"],
        features: CLAUDE_5_5,
    },
    FeatureRow {
        prefixes: &[
            "anthropic.claude-opus-4-7",
            "anthropic.claude-opus-4-8",
            "anthropic.claude-opus-5",
            "anthropic.claude-sonnet-5",
        ],
        features: CLAUDE_5,
    },
    FeatureRow {
        prefixes: &["anthropic.claude-fable-5", "anthropic.claude-mythos-"],
        features: Features { reasoning: ALWAYS, ..CLAUDE_5 },
    },
    // A Claude that is newer than this table.
    FeatureRow { prefixes: &["anthropic."], features: CLAUDE_5_5 },
    FeatureRow {
        prefixes: &["amazon.nova-2-"],
        features: Features {
            reasoning: ReasoningSupport::Nova,
            reasoning_history: true,
            tiers: true,
            ..NOVA
        },
    },
    FeatureRow { prefixes: &["amazon.nova-pro-"], features: Features { tiers: true, ..NOVA } },
    FeatureRow { prefixes: &["amazon.nova-micro-"], features: NOVA_TEXT },
    FeatureRow { prefixes: &["amazon.nova-"], features: NOVA },
    FeatureRow {
        prefixes: &["amazon.titan-t"],
        features: Features { documents: TEXT_FILES, ..Features::TEXT },
    },
    FeatureRow { prefixes: &["meta.llama4-"], features: Features { images: ImageSupport::Results, ..TOOLS } },
    FeatureRow {
        prefixes: &["meta.llama3-2-11b-", "meta.llama3-2-90b-"],
        features: Features { images: ImageSupport::Messages, ..TOOLS },
    },
    FeatureRow { prefixes: &["meta.llama3-1-", "meta.llama3-2-", "meta.llama3-3-"], features: TOOLS },
    FeatureRow { prefixes: &["meta."], features: Features::TEXT },
    FeatureRow {
        prefixes: &["mistral.mistral-large-3-", "mistral.ministral-3-"],
        features: Features {
            images: ImageSupport::Messages,
            schema: SchemaSupport::Native,
            tiers: true,
            ..TOOLS
        },
    },
    FeatureRow {
        prefixes: &["mistral.mistral-large-24", "mistral.mistral-small-24"],
        features: Features { tools: ToolSupport::Any, schema: SchemaSupport::ForcedTool, ..TOOLS },
    },
    FeatureRow {
        prefixes: &["mistral.devstral-"],
        features: Features {
            tools: ToolSupport::Any,
            schema: SchemaSupport::ForcedTool,
            tiers: true,
            ..TOOLS
        },
    },
    FeatureRow {
        prefixes: &["mistral.magistral-"],
        features: Features {
            images: ImageSupport::Messages,
            reasoning: ReasoningSupport::Fixed,
            tiers: true,
            ..TOOLS
        },
    },
    FeatureRow {
        prefixes: &["mistral.pixtral-"],
        features: Features { images: ImageSupport::Results, documents: PDF, ..TOOLS },
    },
    FeatureRow { prefixes: &["mistral."], features: Features::TEXT },
    FeatureRow { prefixes: &["cohere.command-r"], features: TOOLS },
    FeatureRow { prefixes: &["cohere."], features: Features::TEXT },
    FeatureRow { prefixes: &["ai21.jamba-1-5-"], features: Features { documents: TEXT_FILES, ..TOOLS } },
    FeatureRow { prefixes: &["ai21."], features: Features::TEXT },
    FeatureRow {
        prefixes: &["deepseek.r1-"],
        features: Features { reasoning: ReasoningSupport::Fixed, ..Features::TEXT },
    },
    FeatureRow { prefixes: &["deepseek.v3.2"], features: Features { tiers: true, ..DEEPSEEK_V3 } },
    FeatureRow { prefixes: &["deepseek.v3"], features: DEEPSEEK_V3 },
    FeatureRow {
        prefixes: &["openai.gpt-oss-"],
        features: Features {
            reasoning: ReasoningSupport::EffortField(false),
            reasoning_history: true,
            tiers: true,
            ..STEERED
        },
    },
    FeatureRow {
        prefixes: &["openai."],
        features: Features {
            images: ImageSupport::Messages,
            reasoning: ReasoningSupport::Gpt,
            reasoning_history: true,
            ..STEERED
        },
    },
    FeatureRow {
        prefixes: &["qwen.qwen3-vl-"],
        features: Features { images: ImageSupport::Messages, ..QWEN },
    },
    FeatureRow { prefixes: &["qwen.qwen3-"], features: QWEN },
    FeatureRow {
        prefixes: &["moonshot.kimi-k2-thinking", "moonshotai.kimi-k2-thinking"],
        features: Features { schema: SchemaSupport::Native, ..ALWAYS_REASONING },
    },
    FeatureRow {
        prefixes: &["moonshotai.kimi-k2.5", "moonshotai.kimi-k3"],
        features: Features { images: ImageSupport::Messages, ..ALWAYS_REASONING },
    },
    FeatureRow {
        prefixes: &["minimax.minimax-m2"],
        features: Features { schema: SchemaSupport::Native, ..ALWAYS_REASONING },
    },
    FeatureRow {
        prefixes: &["zai.glm-5.3"],
        features: Features { schema: SchemaSupport::Native, cache: SHORT_CACHE, ..GLM },
    },
    FeatureRow { prefixes: &["zai.glm-5"], features: Features { schema: SchemaSupport::Native, ..GLM } },
    FeatureRow { prefixes: &["zai.glm-4"], features: GLM },
    FeatureRow {
        prefixes: &["google.gemma-3-"],
        features: Features {
            images: ImageSupport::Messages,
            schema: SchemaSupport::Native,
            tiers: true,
            ..TOOLS
        },
    },
    FeatureRow {
        prefixes: &["nvidia.nemotron-nano-12b-"],
        features: Features {
            images: ImageSupport::Messages,
            schema: SchemaSupport::Native,
            reasoning: ReasoningSupport::Fixed,
            tiers: true,
            ..TOOLS
        },
    },
    FeatureRow {
        prefixes: &["nvidia.nemotron-"],
        features: Features { reasoning: ReasoningSupport::Fixed, tiers: true, ..TOOLS },
    },
    FeatureRow {
        prefixes: &["writer.palmyra-vision-"],
        features: Features { images: ImageSupport::Messages, ..TOOLS },
    },
    FeatureRow { prefixes: &["writer.palmyra-x"], features: Features { documents: PDF, ..TOOLS } },
];

/// Recorded with `any`; a choice by name is documented for Claude and Nova alone.
const DEEPSEEK_V3: Features = Features {
    tools: ToolSupport::Any,
    schema: SchemaSupport::Native,
    reasoning: ReasoningSupport::EffortField(true),
    ..Features::TEXT
};
