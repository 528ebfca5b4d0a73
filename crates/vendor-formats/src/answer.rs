//! An answer in the one vocabulary that callers see.

use serde::Serialize;
use serde_json::Value;

use crate::error::FormatError;

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said everything.
    EndTurn,
    /// The output limit, or the context window, was reached.
    MaxTokens,
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
    /// The sum of the other four.
    pub total_tokens: u64,
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
            total_tokens: input.saturating_add(output).saturating_add(cache_read).saturating_add(cache_write),
        }
    }
}

/// What the model said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// The text, without reasoning.
    pub content: String,
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
        let reasoning = self.reasoning.filter(|text| !text.trim().is_empty());
        let content = match self.text {
            Some(text) => text,
            None if self.stop_reason.explains_silence() || reasoning.is_some() => String::new(),
            None => {
                return Err(FormatError::unreadable(
                    self.text_path,
                    "holds no text, and no stop reason says why",
                ));
            }
        };
        Ok(NormalizedAnswer {
            message: AnswerMessage { role: "assistant", content },
            stop_reason: self.stop_reason,
            vendor_stop_reason: self.vendor_stop_reason,
            usage: self.usage,
            reasoning,
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
