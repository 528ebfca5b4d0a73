//! The result of the model call, and what it used.

use sentry_core::limit::Amounts;
use sentry_core::money::TokenUsage;
use serde::Deserialize;
use serde_json::{Value, json};

/// The end of the model-router's execution, as the rate-limiter saw it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelOutcome {
    status: String,
    /// Of the router's answer: its `usage` and its `serviceTier`.
    #[serde(default)]
    answer: Option<Value>,
    /// The router's cause document.
    #[serde(default)]
    cause: Option<Value>,
}

/// What is known to have been used.
#[derive(Debug)]
pub struct Used {
    pub tokens: TokenUsage,
    /// The part of the cache writes that was for an hour, where the answer says it.
    pub cache_write_1h: Option<u64>,
    /// The usage as the caller sees it.
    pub document: Option<Value>,
}

impl ModelOutcome {
    /// Whether the model answered.
    pub fn answered(&self) -> bool {
        self.status == "SUCCEEDED"
    }

    /// Whether the answer says what it used.
    pub fn reports_usage(&self) -> bool {
        self.reported().is_some()
    }

    /// What was used, or `None` when it is unknown: the answer carries no usage, or a call
    /// failed that may have been billed. Only a cause that says so rules that out.
    pub fn used(&self) -> Option<Used> {
        if self.answered() {
            return self.reported();
        }
        let possibly_billed = self.cause.as_ref().and_then(|cause| cause.get("possiblyBilled"));
        (possibly_billed == Some(&Value::Bool(false))).then(|| Used {
            tokens: TokenUsage::default(),
            cache_write_1h: None,
            document: None,
        })
    }

    /// The service tier that served the call, by the answer's word.
    pub fn service_tier(&self) -> Option<&str> {
        self.answer.as_ref()?.get("serviceTier")?.as_str()
    }

    fn reported(&self) -> Option<Used> {
        let document = self.answer.as_ref()?.get("usage")?;
        let tokens = TokenUsage::deserialize(document).ok()?;
        let cache_write_1h = document.get("cacheWrite1hInputTokens").and_then(Value::as_u64);
        Some(Used { tokens, cache_write_1h, document: Some(document.clone()) })
    }
}

/// Usage in the answer's vocabulary.
pub fn usage_document(amounts: Amounts) -> Value {
    json!({
        "inputTokens": amounts.input,
        "outputTokens": amounts.output,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
        "totalTokens": amounts.input.saturating_add(amounts.output),
    })
}
