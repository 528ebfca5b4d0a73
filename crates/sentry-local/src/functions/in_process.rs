//! The functions in this process: the same handlers in the same shell, without the Runtime API.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sentry_aws::{BedrockMetrics, Connection, LedgerTable, LimitsTable};
use sentry_core::error::SentryError;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Failure, Invocation, MAX_PAYLOAD_BYTES};
use crate::config::Config;
use crate::names::{LEDGER_TABLE, LIMITS_TABLE};

/// Invocations of one function at the same time; more wait. It bounds the connections that
/// a burst opens.
const CONCURRENCY: usize = 64;
/// As the template sets it.
const TIMEOUT: Duration = Duration::from_secs(15);

type Answering = Pin<Box<dyn Future<Output = Result<Value, SentryError>> + Send>>;

/// A function's handler with its context.
pub type Handler = Arc<dyn Fn(Value) -> Answering + Send + Sync>;

fn handler<F, Handling>(handle: F) -> Handler
where
    F: Fn(Value) -> Handling + Send + Sync + 'static,
    Handling: Future<Output = Result<Value, SentryError>> + Send + 'static,
{
    Arc::new(move |event| Box::pin(handle(event)))
}

/// Every function by its name; they reach the services at `endpoint`.
pub(super) async fn table(endpoint: &str, config: &Config) -> Vec<(String, Handler)> {
    let connection = Connection::local(endpoint).await;
    let limits = Arc::new(LimitsTable::new(&connection, LIMITS_TABLE.to_owned()));
    let ledger = Arc::new(LedgerTable::new(&connection, LEDGER_TABLE.to_owned()));
    let usage = Arc::new(usage_query::Context::new(BedrockMetrics::new(&connection), config.usage_cache));
    let for_settle = Arc::clone(&ledger);
    let clock = config.clock;
    let reconciling = Arc::new(reconcile::Context::new(
        LimitsTable::clone(&limits),
        LedgerTable::clone(&ledger),
        BedrockMetrics::new(&connection),
        config.metric_settling().num_seconds(),
        move || clock.now(),
    ));
    let mut table = vec![
        (validate_request::NAME.to_owned(), handler(validate_request::handle)),
        (month_range::NAME.to_owned(), handler(month_range::handle)),
        (
            usage_query::NAME.to_owned(),
            handler(move |event| {
                let usage = Arc::clone(&usage);
                async move { usage_query::handle(event, &usage).await }
            }),
        ),
        (
            limit_lookup::NAME.to_owned(),
            handler(move |event| {
                let limits = Arc::clone(&limits);
                async move { limit_lookup::handle(event, &*limits).await }
            }),
        ),
        (
            compare::NAME.to_owned(),
            handler(move |event| {
                let ledger = Arc::clone(&ledger);
                async move { compare::handle(event, &*ledger).await }
            }),
        ),
        (
            settle::NAME.to_owned(),
            handler(move |event| {
                let ledger = Arc::clone(&for_settle);
                async move { settle::handle(event, &*ledger).await }
            }),
        ),
        (
            reconcile::NAME.to_owned(),
            handler(move |event| {
                let context = Arc::clone(&reconciling);
                async move { reconcile::handle(event, &context).await }
            }),
        ),
    ];
    for formatter in vendor_formats::FORMATTERS {
        table.push((
            format!("format-{}", formatter.name),
            handler(move |event| formatters::handle(event, formatter)),
        ));
    }
    table
}

/// Runs one function.
pub(super) struct Runner {
    name: String,
    handler: Handler,
    permits: Semaphore,
}

impl Runner {
    pub(super) fn new(name: String, handler: Handler) -> Self {
        Self { name, handler, permits: Semaphore::new(CONCURRENCY) }
    }

    /// On a task of its own: on Lambda too a function goes on when its caller has given up.
    pub(super) async fn invoke(self: Arc<Self>, invocation: Invocation) -> Result<Value, Failure> {
        let id = invocation.request_id.clone();
        tokio::spawn(async move { self.run(invocation).await }).await.unwrap_or_else(|_| Err(exited(&id)))
    }

    async fn run(
        &self,
        Invocation { request_id, payload, kill_after }: Invocation,
    ) -> Result<Value, Failure> {
        let permit = tokio::time::timeout(TIMEOUT, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(Failure::service("TooManyRequestsException", 429, "Rate Exceeded."));
        };
        let shell = sentry_lambda::Invocation { function: self.name.clone(), request_id: request_id.clone() };
        let work = sentry_lambda::answer(&shell, (self.handler)(payload));
        if let Some(delay) = kill_after {
            // Killed in the middle of its work, or after it and before the answer.
            let _ = tokio::time::timeout(delay, work).await;
            return Err(exited(&request_id));
        }
        match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Ok(value)) => within_limit(value),
            Ok(Err(failure)) => Err(Failure::function(&failure.error_type, failure.error_message)),
            Err(_) => Err(timed_out(&request_id, TIMEOUT)),
        }
    }
}

fn within_limit(value: Value) -> Result<Value, Failure> {
    let bytes = value.to_string().len();
    if bytes <= MAX_PAYLOAD_BYTES {
        return Ok(value);
    }
    Err(Failure::function(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
        ),
    ))
}

fn exited(request_id: &str) -> Failure {
    Failure::function(
        "Runtime.ExitError",
        format!("RequestId: {request_id} Error: Runtime exited with error: signal: killed"),
    )
}

/// What Lambda says when a function's time is up.
pub(super) fn timed_out(request_id: &str, timeout: Duration) -> Failure {
    Failure::function(
        "Sandbox.Timedout",
        format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64()),
    )
}
