//! A simulated Bedrock runtime.
//!
//! It refuses what the real models refuse, answers in each vendor's own shape with a deterministic
//! text, counts tokens, takes its time, fails on demand, and keeps the true account of what it has
//! billed. Where it cannot know better it is strict: a body that the real service might let pass
//! and this one refuses costs a test run; the other way round it costs production.

mod answer;
pub mod backend;
pub(crate) mod casing;
mod converse;
mod count_tokens;
mod directives;
mod error;
mod event_stream;
mod fields;
mod models;
mod prompt_cache;
mod request;
#[cfg(test)]
mod tests;
pub mod usage;
mod vendors;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::faults::Faults;
use crate::http::{Reply, new_id};
use answer::SimulatedAnswer;
use directives::Directives;
pub use error::BedrockError;
use event_stream::StreamEvent;
use models::Model;
use prompt_cache::{CacheUse, PromptCache};
use request::SimulatedRequest;
use usage::{Book, CallOutcome, TokenUsage, UsageEvent, UsageSink};

/// How the simulated models behave.
#[derive(Debug, Clone)]
pub struct BedrockConfig {
    /// Every answer takes so long, whatever it writes; otherwise the two below decide.
    pub latency: Option<Duration>,
    /// Time until the first token.
    pub time_to_first_token: Duration,
    /// Tokens written in a second; zero means all at once.
    pub tokens_per_second: u64,
    /// Opaque ARNs (or their last part) and the models behind them.
    pub aliases: Vec<(String, String)>,
}

impl Default for BedrockConfig {
    fn default() -> Self {
        Self {
            latency: None,
            time_to_first_token: Duration::from_millis(300),
            tokens_per_second: 100,
            aliases: Vec::new(),
        }
    }
}

/// An operation of the Bedrock runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `POST /model/{modelId}/invoke`
    InvokeModel,
    /// `POST /model/{modelId}/converse`
    Converse,
    /// `POST /model/{modelId}/invoke-with-response-stream`
    InvokeModelWithResponseStream,
    /// `POST /model/{modelId}/converse-stream`
    ConverseStream,
    /// `POST /model/{modelId}/count-tokens`
    CountTokens,
}

impl Operation {
    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvokeModel => "InvokeModel",
            Self::Converse => "Converse",
            Self::InvokeModelWithResponseStream => "InvokeModelWithResponseStream",
            Self::ConverseStream => "ConverseStream",
            Self::CountTokens => "CountTokens",
        }
    }

    /// The last segment of its path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::InvokeModel => "invoke",
            Self::Converse => "converse",
            Self::InvokeModelWithResponseStream => "invoke-with-response-stream",
            Self::ConverseStream => "converse-stream",
            Self::CountTokens => "count-tokens",
        }
    }

    /// Is its answer a stream of events?
    #[must_use]
    pub fn streams(self) -> bool {
        matches!(self, Self::InvokeModelWithResponseStream | Self::ConverseStream)
    }

    /// The operation of the last segment of a path.
    #[must_use]
    pub fn of_path(segment: &str) -> Option<Self> {
        [
            Self::InvokeModel,
            Self::Converse,
            Self::InvokeModelWithResponseStream,
            Self::ConverseStream,
            Self::CountTokens,
        ]
        .into_iter()
        .find(|operation| operation.path() == segment)
    }
}

/// A call that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// The answer's body; null for a stream.
    pub body: Value,
    /// The events of a stream.
    events: Vec<StreamEvent>,
    /// What it cost; nothing for CountTokens.
    pub usage: TokenUsage,
    /// How long it took.
    pub latency_ms: u64,
}

/// The simulated service. One for the whole host, behind an `Arc`.
pub struct Bedrock {
    config: BedrockConfig,
    faults: Arc<Faults>,
    sink: Arc<dyn UsageSink>,
    book: Mutex<Book>,
    prompt_cache: Mutex<PromptCache>,
}

impl std::fmt::Debug for Bedrock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bedrock").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Bedrock {
    /// A service that suffers these faults and tells the sink of every call.
    #[must_use]
    pub fn new(config: BedrockConfig, faults: Arc<Faults>, sink: Arc<dyn UsageSink>) -> Self {
        Self { config, faults, sink, book: Mutex::default(), prompt_cache: Mutex::default() }
    }

    /// Answers an HTTP request; the model id is already URL-decoded.
    pub async fn handle(
        &self,
        operation: Operation,
        model_id: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Reply {
        let id = new_id();
        let result = match serde_json::from_slice::<Value>(body) {
            Ok(body) => self.answer(operation, model_id, &body, now, &id).await,
            Err(_) => {
                self.book().call(operation.name());
                // An unknown model is the first thing that the service looks at.
                models::resolve(model_id, &self.config.aliases).and_then(|_| {
                    Err(BedrockError::validation(
                        "Malformed input request, please reformat your input and try again.",
                    ))
                })
            }
        };
        match result {
            Ok(called) if operation.streams() => match event_stream::encode(&called.events) {
                Some(body) => Reply::new(200, event_stream::CONTENT_TYPE, body)
                    .with_header("x-amzn-bedrock-content-type", "application/json")
                    .with_header("x-amzn-requestid", id),
                None => BedrockError::validation("An event of the answer is longer than a frame may be.")
                    .reply(&id),
            },
            Ok(called) => {
                let reply =
                    Reply::json(200, "application/json", &called.body).with_header("x-amzn-requestid", id);
                if operation != Operation::InvokeModel {
                    return reply;
                }
                let mut reply = reply
                    .with_header("x-amzn-bedrock-input-token-count", called.usage.input.to_string())
                    .with_header("x-amzn-bedrock-output-token-count", called.usage.output.to_string())
                    .with_header("x-amzn-bedrock-invocation-latency", called.latency_ms.to_string());
                if called.usage.cache_read + called.usage.cache_write > 0 {
                    reply = reply
                        .with_header(
                            "x-amzn-bedrock-cache-read-input-token-count",
                            called.usage.cache_read.to_string(),
                        )
                        .with_header(
                            "x-amzn-bedrock-cache-write-input-token-count",
                            called.usage.cache_write.to_string(),
                        );
                }
                reply
            }
            Err(error) => error.reply(&id),
        }
    }

    /// Answers a call from inside the process.
    ///
    /// # Errors
    /// As the service: refused, or failed by a fault or a directive. A lost answer is the
    /// `SdkClientException` that an SDK makes of it.
    pub async fn call(
        &self,
        operation: Operation,
        model_id: &str,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<Called, BedrockError> {
        let id = new_id();
        self.answer(operation, model_id, body, now, &id).await
    }

    /// InvokeModel from inside the process.
    ///
    /// # Errors
    /// As [`Bedrock::call`].
    pub async fn invoke(
        &self,
        model_id: &str,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<(Value, TokenUsage), BedrockError> {
        let called = self.call(Operation::InvokeModel, model_id, body, now).await?;
        Ok((called.body, called.usage))
    }

    /// Converse from inside the process, with camelCase bodies.
    ///
    /// # Errors
    /// As [`Bedrock::call`].
    pub async fn converse(
        &self,
        model_id: &str,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<(Value, TokenUsage), BedrockError> {
        let called = self.call(Operation::Converse, model_id, body, now).await?;
        Ok((called.body, called.usage))
    }

    /// The ground truth: tokens billed and calls, by model and kind.
    #[must_use]
    pub fn usage(&self) -> Value {
        self.book().document()
    }

    async fn answer(
        &self,
        operation: Operation,
        model_id: &str,
        body: &Value,
        now: DateTime<Utc>,
        id: &str,
    ) -> Result<Called, BedrockError> {
        self.book().call(operation.name());
        let model = models::resolve(model_id, &self.config.aliases)?;
        let result = self.perform(operation, &model, body, now, id).await;
        if let Err(error) = &result {
            self.book().failed(&model.metric_id, &error.name);
        }
        result
    }

    async fn perform(
        &self,
        operation: Operation,
        model: &Model,
        body: &Value,
        now: DateTime<Utc>,
        id: &str,
    ) -> Result<Called, BedrockError> {
        let read = match operation {
            Operation::InvokeModel | Operation::InvokeModelWithResponseStream => vendors::read(model, body),
            Operation::Converse | Operation::ConverseStream => converse::read(model, body),
            Operation::CountTokens => count_tokens::read(model, body),
        };
        let prepared = read.and_then(|request| {
            let directives = directives::read(&request.question)?;
            Ok((request, directives))
        });
        let counts = operation == Operation::CountTokens;
        let (request, directives) =
            prepared.inspect_err(|error| self.tell_failure(model, error, counts, now))?;
        let fault = self.faults.take("bedrock", operation.name());
        if counts {
            return match fault {
                Some(fault) => Err(BedrockError::from(&fault)),
                None => Ok(Called {
                    body: json!({ "inputTokens": directives.input.unwrap_or(request.input_tokens) }),
                    events: Vec::new(),
                    usage: TokenUsage::default(),
                    latency_ms: 0,
                }),
            };
        }
        let lost = fault.as_ref().is_some_and(|fault| fault.lost_reply);
        let error = match fault {
            Some(fault) if !lost => Some(BedrockError::from(&fault)),
            _ => directives.error.clone(),
        };
        let (answer, cached) = self
            .generate(model, &request, &directives, now, id)
            .inspect_err(|error| self.tell_failure(model, error, counts, now))?;
        let bill = || {
            self.book().bill(&model.metric_id, answer.usage);
            self.prompt_cache().keep(&model.id, &cached, now);
        };
        if let Some(error) = error {
            tokio::time::sleep(directives.latency.unwrap_or_default()).await;
            if directives.billed {
                bill();
            }
            self.sink.record(&UsageEvent {
                model_id: model.metric_id.clone(),
                at: ended(now, directives.latency.unwrap_or_default()),
                outcome: CallOutcome::of_status(error.status),
                usage: directives.billed.then_some(answer.usage),
                latency_ms: 0,
            });
            return Err(error);
        }
        let latency = Duration::from_millis(answer.latency_ms);
        tokio::time::sleep(latency).await;
        bill();
        self.book().answered(&model.metric_id);
        self.sink.record(&UsageEvent {
            model_id: model.metric_id.clone(),
            at: ended(now, latency),
            outcome: CallOutcome::Success,
            usage: Some(answer.usage),
            latency_ms: answer.latency_ms,
        });
        if lost {
            return Err(BedrockError::lost());
        }
        let (mut written, mut events) = (Value::Null, Vec::new());
        match operation {
            Operation::Converse => written = converse::answer::write(&request, &answer),
            Operation::ConverseStream => events = converse::stream::events(&request, &answer),
            Operation::InvokeModelWithResponseStream => {
                events = vendors::stream::events(model, body, &answer)
            }
            Operation::InvokeModel | Operation::CountTokens => written = vendors::write(model, body, &answer),
        }
        Ok(Called { body: written, events, usage: answer.usage, latency_ms: answer.latency_ms })
    }

    fn tell_failure(&self, model: &Model, error: &BedrockError, counts: bool, now: DateTime<Utc>) {
        if !counts {
            self.sink.record(&UsageEvent {
                model_id: model.metric_id.clone(),
                at: now,
                outcome: CallOutcome::of_status(error.status),
                usage: None,
                latency_ms: 0,
            });
        }
    }

    fn generate(
        &self,
        model: &Model,
        request: &SimulatedRequest,
        directives: &Directives,
        now: DateTime<Utc>,
        id: &str,
    ) -> Result<(SimulatedAnswer, CacheUse), BedrockError> {
        let content = answer::write(&model.id, request, directives, vendors::thinks(model), id)?;
        let says = directives.input.is_some() || directives.cache_read + directives.cache_write > 0;
        let cached = match &request.converse.cacheable {
            Some(prompt) if !says => self.prompt_cache().look(&model.id, prompt, now),
            _ => CacheUse::default(),
        };
        let (read, written) = (cached.read, cached.written());
        let usage = TokenUsage {
            input: directives.input.unwrap_or(request.input_tokens - read - written),
            output: content.tokens,
            cache_read: if says { directives.cache_read } else { read },
            cache_write: if says { directives.cache_write } else { written },
        };
        let latency = directives.latency.or(self.config.latency).unwrap_or_else(|| {
            let writing =
                usage.output.saturating_mul(1000).checked_div(self.config.tokens_per_second).unwrap_or(0);
            self.config.time_to_first_token.saturating_add(Duration::from_millis(writing))
        });
        let service_tier = request.converse.service_tier.clone().map(|asked| {
            // What a contract does not cover is served as standard, and here there is none.
            let served = if asked == "reserved" { "default".to_owned() } else { asked };
            directives.tier.clone().unwrap_or(served)
        });
        let answer = SimulatedAnswer {
            id: id.to_owned(),
            created: now.timestamp(),
            content,
            usage,
            cache_writes: cached.writes.clone(),
            service_tier,
            latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
        };
        Ok((answer, cached))
    }

    fn prompt_cache(&self) -> MutexGuard<'_, PromptCache> {
        self.prompt_cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended(start: DateTime<Utc>, latency: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(latency).ok().and_then(|latency| start.checked_add_signed(latency)).unwrap_or(start)
}
