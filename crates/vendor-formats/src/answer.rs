//! An answer in the one vocabulary that callers see.

use sentry_core::request::ToolUse;
use serde::Serialize;
use serde_json::Value;

use crate::error::FormatError;

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said everything.
    EndTurn,
    /// The output limit was reached.
    MaxTokens,
    /// The context window was full.
    ContextWindowExceeded,
    /// It wrote a stop sequence.
    StopSequence,
    /// It wants to call a tool.
    ToolUse,
    /// A filter or guardrail stepped in.
    ContentFiltered,
    /// The model declined.
    Refusal,
    /// Anything else; the vendor's own word stands beside it.
    Other,
}

impl StopReason {
    /// Whether the model was cut off in what it wrote.
    pub(crate) const fn cuts_off(self) -> bool {
        matches!(self, Self::MaxTokens | Self::ContextWindowExceeded)
    }

    /// Whether this reason explains an answer without text.
    pub(crate) const fn explains_silence(self) -> bool {
        !matches!(self, Self::EndTurn | Self::Other)
    }
}

/// Tokens of one answer, counted as Bedrock does: `input_tokens` without the cached ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from a cache.
    pub cache_read_input_tokens: u64,
    /// Input tokens written to a cache.
    pub cache_write_input_tokens: u64,
    /// Those of them that are kept for an hour, which are dearer.
    #[serde(rename = "cacheWrite1hInputTokens", skip_serializing_if = "is_zero")]
    pub cache_write_1h_input_tokens: u64,
    /// The sum of input, output, cache reads and cache writes.
    pub total_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// Usage with its sum.
    #[must_use]
    pub const fn new(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Self {
        Self {
            input_tokens: input,
            output_tokens: output,
            cache_read_input_tokens: cache_read,
            cache_write_input_tokens: cache_write,
            cache_write_1h_input_tokens: 0,
            total_tokens: input.saturating_add(output).saturating_add(cache_read).saturating_add(cache_write),
        }
    }

    /// The same, of whose cache writes so many are kept for an hour.
    #[must_use]
    pub fn with_one_hour_writes(self, tokens: u64) -> Self {
        Self { cache_write_1h_input_tokens: tokens.min(self.cache_write_input_tokens), ..self }
    }
}

/// What the model said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// The text, without reasoning; null where the model called tools and said nothing.
    pub content: Option<String>,
    /// The calls of tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_uses: Vec<ToolUse>,
    /// The reasoning as it must be given back in the next turn: where the vendor signed or hid
    /// it, or the model called tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasoning: Vec<ReasoningBlock>,
    /// What the text rests on, each with the text that it is about, in Converse's own members.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Value>,
}

/// One piece of reasoning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReasoningBlock {
    /// What can be read of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// By which the model knows it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Reasoning that only the model can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
}

/// A model's answer, in one form for all vendors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NormalizedAnswer {
    /// What the model said.
    pub message: AnswerMessage,
    /// Why it stopped.
    pub stop_reason: StopReason,
    /// The vendor's own word for it; null where the vendor gave none.
    pub vendor_stop_reason: Option<String>,
    /// The tokens used; null where the vendor did not say.
    pub usage: Option<Usage>,
    /// What the model thought before it spoke, where it shows that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The tier that served the request, where the vendor says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
}

/// What an answer has beside its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerParts {
    pub(crate) tool_uses: Vec<ToolUse>,
    pub(crate) reasoning: Vec<ReasoningBlock>,
    pub(crate) citations: Vec<Value>,
    pub(crate) service_tier: Option<String>,
}

/// The parts of an answer, before it is known whether they make one.
pub(crate) struct Draft {
    /// The text; `None` where the vendor gave null or nothing.
    pub(crate) text: Option<String>,
    /// Where the text stands, for the error.
    pub(crate) text_path: &'static str,
    pub(crate) reasoning: Option<String>,
    pub(crate) stop_reason: StopReason,
    pub(crate) vendor_stop_reason: Option<String>,
    pub(crate) usage: Option<Usage>,
}

impl Draft {
    /// The answer, if silence is explained where there is no text.
    pub(crate) fn finish(self) -> Result<NormalizedAnswer, FormatError> {
        self.finish_with(AnswerParts::default())
    }

    /// The same with what the answer has beside its text.
    pub(crate) fn finish_with(self, mut parts: AnswerParts) -> Result<NormalizedAnswer, FormatError> {
        let reasoning = self.reasoning.filter(|text| !text.trim().is_empty());
        let calls = !parts.tool_uses.is_empty();
        let signed = |block: &ReasoningBlock| block.signature.is_some() || block.redacted.is_some();
        if !calls && !parts.reasoning.iter().any(signed) {
            parts.reasoning.clear();
        }
        let content = match self.text.filter(|text| !calls || !text.is_empty()) {
            Some(text) => Some(text),
            None if calls => None,
            None if self.stop_reason.explains_silence() || reasoning.is_some() => Some(String::new()),
            None => {
                return Err(FormatError::unreadable(
                    self.text_path,
                    "holds no text, and no stop reason says why",
                ));
            }
        };
        Ok(NormalizedAnswer {
            message: AnswerMessage {
                role: "assistant",
                content,
                tool_uses: parts.tool_uses,
                reasoning: parts.reasoning,
                citations: parts.citations,
            },
            stop_reason: self.stop_reason,
            vendor_stop_reason: self.vendor_stop_reason,
            usage: self.usage,
            reasoning,
            service_tier: parts.service_tier,
        })
    }
}

impl NormalizedAnswer {
    /// The answer as a document.
    #[must_use]
    pub fn document(&self) -> Value {
        // Plain data with text keys has no way to fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}
