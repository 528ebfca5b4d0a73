//! Functions in this process, without the Runtime API.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;

use super::{FunctionError, FunctionInvocation, Handler, InvocationFailure, MAX_PAYLOAD_BYTES};

/// Runs one function.
pub(super) struct Runner {
    name: String,
    handler: Handler,
    permits: Semaphore,
    timeout: Duration,
}

impl Runner {
    pub(super) fn new(name: String, handler: Handler, concurrency: usize, timeout: Duration) -> Self {
        Self { name, handler, permits: Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)), timeout }
    }

    /// Runs on a task of its own, since on Lambda too a function continues when its caller has given
    /// up. With `kill_after`, a fault ends the function after that time, at whatever point it is.
    pub(super) async fn invoke(
        self: Arc<Self>,
        request_id: String,
        payload: Value,
        kill_after: Option<Duration>,
    ) -> Result<Value, InvocationFailure> {
        let id = request_id.clone();
        tokio::spawn(async move { self.run(request_id, payload, kill_after).await })
            .await
            .unwrap_or_else(|_| Err(exited(&id)))
    }

    async fn run(
        &self,
        request_id: String,
        payload: Value,
        kill_after: Option<Duration>,
    ) -> Result<Value, InvocationFailure> {
        let permit = tokio::time::timeout(self.timeout, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(InvocationFailure::service("TooManyRequestsException", 429, "Rate Exceeded."));
        };
        let invocation = FunctionInvocation { function: self.name.clone(), request_id: request_id.clone() };
        let work = (self.handler)(invocation, payload);
        if let Some(delay) = kill_after {
            // Ended in the middle of its work, or after its work and before its answer.
            let _ = tokio::time::timeout(delay, work).await;
            return Err(exited(&request_id));
        }
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(value)) => within_limit(value),
            Ok(Err(FunctionError { error_type, error_message })) => {
                Err(InvocationFailure::Function { error_type, error_message })
            }
            Err(_) => Err(timed_out(&request_id, self.timeout)),
        }
    }
}

fn within_limit(value: Value) -> Result<Value, InvocationFailure> {
    let bytes = value.to_string().len();
    if bytes <= MAX_PAYLOAD_BYTES {
        return Ok(value);
    }
    Err(InvocationFailure::function(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
        ),
    ))
}

fn exited(request_id: &str) -> InvocationFailure {
    InvocationFailure::function(
        "Runtime.ExitError",
        format!("RequestId: {request_id} Error: Runtime exited with error: signal: killed"),
    )
}

/// What Lambda says when a function's time is up.
fn timed_out(request_id: &str, timeout: Duration) -> InvocationFailure {
    InvocationFailure::function(
        "Sandbox.Timedout",
        format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64()),
    )
}
