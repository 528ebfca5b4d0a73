//! On Lambda: takes invocations from the Runtime API.

use std::future::Future;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use sentry_core::error::SentryError;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event;
use crate::shell::{FunctionFailure, HandlerError, Invocation, answer};

impl From<FunctionFailure> for Diagnostic {
    fn from(failure: FunctionFailure) -> Self {
        Diagnostic { error_type: failure.error_type, error_message: failure.error_message }
    }
}

/// Serves invocations until the environment ends. One thread is all a function has.
///
/// # Errors
/// What `prepare` says, or the Runtime API when it cannot be reached.
pub fn run<C, P, Preparing, H, Handling, E>(prepare: P, handler: H) -> Result<(), lambda_runtime::Error>
where
    P: FnOnce() -> Preparing,
    Preparing: Future<Output = Result<C, SentryError>>,
    H: Fn(Value, &'static C) -> Handling,
    Handling: Future<Output = Result<Value, E>>,
    E: HandlerError,
    C: 'static,
{
    logging_and_runtime()?.block_on(async move {
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        // Lives as long as the process, like the environment it was made from.
        let context: &'static C = Box::leak(Box::new(prepare().await?));
        let (function, handler) = (&function, &handler);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
            let invocation = Invocation { function: function.clone(), request_id: event.context.request_id };
            answer(&invocation, async { handler(event::parse(&event.payload)?, context).await }).await
        }))
        .await
    })
}

fn logging_and_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    crate::logging::start();
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
