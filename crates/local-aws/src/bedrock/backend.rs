//! The models behind Bedrock's API: simulated, or at another endpoint.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::event_stream;
use super::usage::{Book, CallOutcome, TokenUsage, UsageEvent, UsageSink};
use super::{Bedrock, BedrockConfig, BedrockError, Operation};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::http::forward::Forwarder;
use crate::http::{Reply, new_id};

/// Everything but unreserved characters, as the SDKs write a model id into a path.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longer than any model that Express can wait for.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Where calls of models go.
#[derive(Debug)]
pub enum Backend {
    /// To the simulated service.
    Simulated(Bedrock),
    /// To another endpoint.
    Endpoint(Endpoint),
}

/// A Bedrock elsewhere. Its answers are counted here as the simulated ones are.
#[derive(Debug)]
pub struct Endpoint {
    forwarder: Forwarder,
    faults: Arc<Faults>,
    sink: Arc<dyn Sink>,
    book: Mutex<Book>,
    clock: Clock,
}

/// A sink that can be shown in a debug message.
pub trait Sink: UsageSink + std::fmt::Debug {}

impl<T: UsageSink + std::fmt::Debug> Sink for T {}

impl Backend {
    /// Simulated models; `sink` hears of every call.
    #[must_use]
    pub fn simulated<S: Sink + 'static>(config: BedrockConfig, faults: Arc<Faults>, sink: Arc<S>) -> Self {
        Self::Simulated(Bedrock::new(config, faults, sink))
    }

    /// The models at another endpoint that speaks Bedrock's runtime API and needs no signature.
    ///
    /// # Errors
    /// The endpoint is not an address.
    pub fn at<S: Sink + 'static>(
        endpoint: &str,
        clock: Clock,
        faults: Arc<Faults>,
        sink: Arc<S>,
    ) -> Result<Self, String> {
        let forwarder = Forwarder::new(endpoint, TIMEOUT)?;
        Ok(Self::Endpoint(Endpoint { forwarder, faults, sink, book: Mutex::default(), clock }))
    }

    /// Answers an HTTP request; the model id is already URL-decoded.
    pub async fn handle(
        &self,
        operation: Operation,
        model_id: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Reply {
        match self {
            Self::Simulated(bedrock) => bedrock.handle(operation, model_id, body, now).await,
            Self::Endpoint(endpoint) => match endpoint.send(operation, model_id, body.to_vec()).await {
                Ok(reply) => reply,
                Err(error) => error.reply(&new_id()),
            },
        }
    }

    /// Calls a model from inside the process.
    ///
    /// # Errors
    /// As the service says it.
    pub async fn call(
        &self,
        operation: Operation,
        model_id: &str,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<Value, BedrockError> {
        match self {
            Self::Simulated(bedrock) => {
                bedrock.call(operation, model_id, body, now).await.map(|called| called.body)
            }
            Self::Endpoint(endpoint) => {
                let reply = endpoint.send(operation, model_id, body.to_string().into_bytes()).await?;
                if reply.lost {
                    return Err(BedrockError::lost());
                }
                if reply.status == 200 { Ok(reply.json_body()) } else { Err(refusal(&reply)) }
            }
        }
    }

    /// What was billed, by model, and how many calls there were.
    #[must_use]
    pub fn usage(&self) -> Value {
        match self {
            Self::Simulated(bedrock) => bedrock.usage(),
            Self::Endpoint(endpoint) => endpoint.book().document(),
        }
    }
}

impl Endpoint {
    async fn send(&self, operation: Operation, model_id: &str, body: Vec<u8>) -> Result<Reply, BedrockError> {
        self.book().call(operation.name());
        let fault = self.faults.take("bedrock", operation.name());
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.lost_reply) {
            return Err(BedrockError::from(fault));
        }
        let path = format!("/model/{}/{}", utf8_percent_encode(model_id, PATH_SEGMENT), operation.path());
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let accept = if operation.streams() { event_stream::CONTENT_TYPE } else { "application/json" };
        headers.insert("accept", HeaderValue::from_static(accept));
        let started = Instant::now();
        let reply = self.forwarder.send(Method::POST, &path, &headers, body).await;
        let mut reply = reply.map_err(|error| BedrockError {
            name: "ServiceUnavailableException".to_owned(),
            status: 503,
            message: error.to_string(),
            extra: Box::default(),
        })?;
        if operation != Operation::CountTokens {
            self.count(model_id, &reply, started.elapsed());
        }
        reply.lost = fault.is_some();
        Ok(reply)
    }

    fn count(&self, model_id: &str, reply: &Reply, latency: Duration) {
        let answered = reply.status == 200;
        let usage = answered.then(|| tokens(reply));
        match usage {
            Some(usage) => {
                let mut book = self.book();
                book.bill(model_id, usage);
                book.answered(model_id);
            }
            None => self.book().failed(model_id, &refusal(reply).name),
        }
        self.sink.record(&UsageEvent {
            model_id: model_id.to_owned(),
            at: self.clock.now(),
            outcome: if answered { CallOutcome::Success } else { CallOutcome::of_status(reply.status) },
            usage,
            latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
        });
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens of an answer: Converse has them in its body, InvokeModel in headers, and streams in
/// their last event.
fn tokens(reply: &Reply) -> TokenUsage {
    let events = if reply.header("content-type") == Some(event_stream::CONTENT_TYPE) {
        event_stream::decode(&reply.body)
    } else {
        Vec::new()
    };
    let metrics = events.last().filter(|event| event.kind == "chunk").and_then(|event| {
        let bytes = STANDARD.decode(event.document["bytes"].as_str()?).ok()?;
        let mut chunk: Value = serde_json::from_slice(&bytes).ok()?;
        Some(chunk["amazon-bedrock-invocationMetrics"].take())
    });
    let metrics = metrics.unwrap_or_default();
    let usage = match events.into_iter().find(|event| event.kind == "metadata") {
        Some(mut event) => event.document["usage"].take(),
        None => reply.json_body()["usage"].take(),
    };
    let count = |header: &str, member: &str| {
        let header = reply.header(&format!("x-amzn-bedrock-{header}-token-count"));
        header
            .and_then(|text| text.parse().ok())
            .or_else(|| usage[member].as_u64())
            .or_else(|| metrics[member.replace("Tokens", "TokenCount")].as_u64())
            .unwrap_or(0)
    };
    TokenUsage {
        input: count("input", "inputTokens"),
        output: count("output", "outputTokens"),
        cache_read: count("cache-read-input", "cacheReadInputTokens"),
        cache_write: count("cache-write-input", "cacheWriteInputTokens"),
    }
}

fn refusal(reply: &Reply) -> BedrockError {
    let body = reply.json_body();
    let name =
        reply.header("x-amzn-errortype").or(body["__type"].as_str()).unwrap_or("InternalServerException");
    let name = name.split(':').next().unwrap_or(name);
    let name = name.rsplit('#').next().unwrap_or(name);
    let message =
        body["message"].as_str().or(body["Message"].as_str()).unwrap_or("The endpoint gave no reason.");
    BedrockError {
        name: name.to_owned(),
        status: reply.status,
        message: message.to_owned(),
        extra: Box::default(),
    }
}
