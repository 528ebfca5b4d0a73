//! What each family takes beyond text, through Converse.
//!
//! Bedrock refuses some of what a model does not take, without billing it, and ignores the rest
//! silently. Therefore a feature that the table does not have is refused before the call. Of a
//! family that is in no row only text and tools are known to work.

mod check;
mod table;

use sentry_core::request::CacheTtl;

pub use check::ANSWER_TOOL;
pub use table::FEATURES;

/// How far a caller can steer whether a tool is called; each level has the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolSupport {
    /// It takes no tools.
    No,
    /// The model decides.
    Auto,
    /// It can be made to call some tool.
    Any,
    /// It can be made to call one tool by its name.
    Named,
}

/// Where a family takes pictures; each level has the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageSupport {
    /// Nowhere.
    No,
    /// In the user's messages.
    Messages,
    /// In the results of tools too.
    Results,
}

/// How an answer is held to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaSupport {
    /// Not at all.
    No,
    /// The model is made to call a tool that takes the schema.
    ForcedTool,
    /// Bedrock's `outputConfig.textFormat`.
    Native,
}

/// How the reasoning of a family is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningSupport {
    /// It does not reason, so that `off` always holds.
    No,
    /// Nothing can be set: it always reasons, or nobody knows how to set it.
    Fixed,
    /// Claude to 4.5: `thinking` with a budget of tokens. An effort becomes a share of `maxTokens`.
    Budget,
    /// Claude 4.6: a budget, or adaptive thinking with an effort.
    BudgetOrEffort,
    /// Claude since 4.7: adaptive thinking with an effort.
    Effort(ThinkingOff),
    /// Nova 2: `reasoningConfig`.
    Nova,
    /// GPT since 5: `reasoning.effort`.
    Gpt,
    /// `reasoning_effort`; the flag says whether the model does not reason unless it is asked to.
    EffortField(bool),
    /// `reasoning_config`, whose value is the level.
    ConfigField,
}

/// How adaptive thinking is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingOff {
    /// It cannot be.
    Never,
    /// By this `thinking.type`.
    Type(&'static str),
}

/// Which cache points a family takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSupport {
    /// The longest time for which it caches; `None` where it takes no cache points.
    pub longest: Option<CacheTtl>,
    /// Whether it takes them among tools; it does in messages and system texts.
    pub in_tools: bool,
}

/// What a family takes beyond text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Tools, and `toolChoice`.
    pub tools: ToolSupport,
    /// `strict` of a tool.
    pub strict_tools: bool,
    /// `status: "error"` of a tool's result.
    pub result_status: bool,
    /// Pictures.
    pub images: ImageSupport,
    /// The formats of documents.
    pub documents: &'static [&'static str],
    /// Documents in the results of tools.
    pub documents_in_results: bool,
    /// Citations of documents.
    pub citations: bool,
    /// `responseFormat`.
    pub schema: SchemaSupport,
    /// `reasoning`.
    pub reasoning: ReasoningSupport,
    /// Whether it takes the reasoning of earlier turns back.
    pub reasoning_history: bool,
    /// Cache points.
    pub cache: CacheSupport,
    /// Whether it is sold in the tiers flex and priority.
    pub tiers: bool,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct FeatureRow {
    /// How the families begin.
    pub prefixes: &'static [&'static str],
    /// What they take.
    pub features: Features,
}

impl Features {
    /// Text alone.
    pub const TEXT: Features = Features {
        tools: ToolSupport::No,
        strict_tools: false,
        result_status: false,
        images: ImageSupport::No,
        documents: &[],
        documents_in_results: false,
        citations: false,
        schema: SchemaSupport::No,
        reasoning: ReasoningSupport::No,
        reasoning_history: false,
        cache: CacheSupport { longest: None, in_tools: false },
        tiers: false,
    };

    /// Of a family that is in no row.
    pub const UNKNOWN: Features =
        Features { tools: ToolSupport::Auto, reasoning: ReasoningSupport::Fixed, ..Features::TEXT };

    /// What a family takes; `None` stands for an opaque id without a known model.
    #[must_use]
    pub fn of(family: Option<&str>) -> Features {
        let fits = |row: &&FeatureRow| {
            family.is_some_and(|family| row.prefixes.iter().any(|prefix| family.starts_with(prefix)))
        };
        FEATURES.iter().find(fits).map_or(Features::UNKNOWN, |row| row.features)
    }
}

impl ReasoningSupport {
    /// Whether this is the reasoning of Claude, which has rules of its own for what goes with it.
    pub(crate) const fn is_claude(self) -> bool {
        matches!(self, Self::Budget | Self::BudgetOrEffort | Self::Effort(_))
    }
}
