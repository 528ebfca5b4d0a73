//! The ground truth: what simulated Bedrock has billed, and who is told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Read, without those of the cache.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Written to the cache.
    pub cache_write: u64,
}

impl TokenUsage {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input + self.output + self.cache_read + self.cache_write
    }
}

/// How a call ended, as CloudWatch counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// Answered.
    Success,
    /// The caller's fault.
    ClientError,
    /// The service's or the model's fault.
    ServerError,
    /// Throttled.
    Throttled,
}

impl CallOutcome {
    /// The outcome of an error with this status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            429 => Self::Throttled,
            408 | 424 | 500.. => Self::ServerError,
            _ => Self::ClientError,
        }
    }
}

/// One call of a model, for the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// The value of CloudWatch's dimension `ModelId`.
    pub model_id: String,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub outcome: CallOutcome,
    /// What is billed for it.
    pub usage: Option<TokenUsage>,
    /// How long it took.
    pub latency_ms: u64,
}

/// Who wants to know of each call.
pub trait UsageSink: Send + Sync {
    /// A call has ended.
    fn record(&self, event: &UsageEvent);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl UsageSink for NoSink {
    fn record(&self, _event: &UsageEvent) {}
}

#[derive(Debug, Default)]
struct Account {
    usage: TokenUsage,
    invocations: u64,
    errors: BTreeMap<String, u64>,
}

/// The book of everything that was billed, by model and by kind of call.
#[derive(Debug, Default)]
pub struct Book {
    models: BTreeMap<String, Account>,
    calls: BTreeMap<&'static str, u64>,
}

impl Book {
    /// Counts a call, however it ends.
    pub fn call(&mut self, operation: &'static str) {
        *self.calls.entry(operation).or_default() += 1;
    }

    /// Bills these tokens.
    pub fn bill(&mut self, model_id: &str, usage: TokenUsage) {
        let total = &mut self.account(model_id).usage;
        total.input += usage.input;
        total.output += usage.output;
        total.cache_read += usage.cache_read;
        total.cache_write += usage.cache_write;
    }

    /// Counts an answer.
    pub fn answered(&mut self, model_id: &str) {
        self.account(model_id).invocations += 1;
    }

    /// Counts an error.
    pub fn failed(&mut self, model_id: &str, name: &str) {
        *self.account(model_id).errors.entry(name.to_owned()).or_default() += 1;
    }

    /// The document of `GET /_local/usage`.
    #[must_use]
    pub fn document(&self) -> Value {
        let models: serde_json::Map<String, Value> = self
            .models
            .iter()
            .map(|(id, account)| {
                let value = json!({
                    "inputTokens": account.usage.input,
                    "outputTokens": account.usage.output,
                    "cacheReadInputTokens": account.usage.cache_read,
                    "cacheWriteInputTokens": account.usage.cache_write,
                    "invocations": account.invocations,
                    "errors": account.errors,
                });
                (id.clone(), value)
            })
            .collect();
        let mut calls = json!({ "InvokeModel": 0, "Converse": 0, "CountTokens": 0 });
        for (operation, count) in &self.calls {
            calls[*operation] = json!(count);
        }
        json!({ "models": models, "calls": calls })
    }

    fn account(&mut self, model_id: &str) -> &mut Account {
        self.models.entry(model_id.to_owned()).or_default()
    }
}
