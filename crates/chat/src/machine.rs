//! The rate-limiter, started by StartSyncExecution.

use std::time::Duration;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::error::{DisplayErrorContext, SdkError};
use aws_sdk_sfn::types::SyncExecutionStatus;
use aws_smithy_types::timeout::TimeoutConfig;
use front_door::{Execution, RunRateLimiter};
use sentry_aws::Connection;
use serde_json::Value;

/// An Express workflow lives for five minutes.
const LONGEST: Duration = Duration::from_secs(305);

/// The workflow.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    client: Client,
    arn: String,
}

impl RateLimiter {
    /// The state machine with this ARN.
    #[must_use]
    pub fn new(connection: &Connection, arn: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .read_timeout(LONGEST)
            .operation_attempt_timeout(LONGEST)
            .operation_timeout(LONGEST)
            .build();
        let config = aws_sdk_sfn::config::Builder::from(connection.config())
            .timeout_config(timeouts)
            // An execution whose answer was lost may have called the model: a second one would cost twice.
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), arn }
    }
}

impl RunRateLimiter for RateLimiter {
    async fn run(&self, input: &Value) -> Execution {
        let request =
            self.client.start_sync_execution().state_machine_arn(&self.arn).input(input.to_string());
        match request.send().await {
            Ok(ended) => match (ended.status(), ended.output().map(serde_json::from_str)) {
                (SyncExecutionStatus::Succeeded, Some(Ok(answer))) => Execution::Succeeded(answer),
                (SyncExecutionStatus::TimedOut, _) => Execution::TimedOut,
                _ => Execution::Failed {
                    error: ended.error().unwrap_or("InternalError").to_owned(),
                    cause: ended.cause().unwrap_or_default().to_owned(),
                },
            },
            Err(error) => {
                tracing::error!(reason = %DisplayErrorContext(&error), "the rate-limiter did not start or did not answer");
                match &error {
                    SdkError::ServiceError(refused)
                        if refused.err().meta().message().is_some_and(|text| text.contains("262144")) =>
                    {
                        Execution::TooLarge
                    }
                    // Step Functions answered that it started nothing.
                    SdkError::ServiceError(refused) if refused.raw().status().is_client_error() => {
                        Execution::NotStarted
                    }
                    SdkError::ConstructionFailure(_) => Execution::NotStarted,
                    _ => Execution::TimedOut,
                }
            }
        }
    }
}
