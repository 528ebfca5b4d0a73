//! How the services are reached.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use sentry_core::error::{ErrorName, SentryError};

/// How long a service may take.
#[derive(Debug, Clone, Copy)]
struct TimeLimits {
    connect: Duration,
    attempt: Duration,
    operation: Duration,
}

/// A request has seconds, not minutes: a service that is silent for longer is unreachable.
const ON_AWS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(3),
    operation: Duration::from_secs(8),
};

/// Simulated services share the processors with everything else on the machine, so they may be slow
/// without being unreachable. Below the 15 seconds that a function has.
const ON_THIS_MACHINE: TimeLimits = TimeLimits {
    connect: Duration::from_secs(10),
    attempt: Duration::from_secs(12),
    operation: Duration::from_secs(13),
};

/// Region, credentials, endpoint and time limits for every client.
#[derive(Debug, Clone)]
pub struct Connection {
    pub(crate) config: SdkConfig,
}

impl Connection {
    /// The region, endpoint and credentials of the environment; on Lambda those of the function's role.
    pub async fn from_env() -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        Self { config: loader(ON_AWS).http_client(http).load().await }
    }

    /// The configuration, for a client of another service.
    #[must_use]
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// An endpoint on this machine that takes any credentials.
    pub async fn local(endpoint: &str) -> Self {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let loader = loader(ON_THIS_MACHINE).http_client(http).endpoint_url(endpoint).region("us-east-1");
        Self { config: loader.test_credentials().load().await }
    }

    /// A service whose HTTP answers a test gives.
    #[cfg(test)]
    pub(crate) async fn with(http: impl aws_smithy_runtime_api::client::http::HttpClient + 'static) -> Self {
        let loader = loader(ON_AWS).http_client(http).endpoint_url("http://service").region("us-east-1");
        Self { config: loader.test_credentials().load().await }
    }
}

fn loader(limits: TimeLimits) -> aws_config::ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.operation)
        .build();
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(
        RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50)),
    )
}

/// A variable of the function's environment.
///
/// # Errors
/// [`ErrorName::InternalError`] that names the variable when it is missing.
pub fn required_variable(name: &str) -> Result<String, SentryError> {
    std::env::var(name).map_err(|_| {
        SentryError::new(
            ErrorName::InternalError,
            format!("The environment variable {name} is not set. The template sets it; deploy the function with it."),
        )
    })
}

/// How long CloudWatch may take to show a call, unless `METRIC_LAG_SECONDS` says otherwise.
pub const DEFAULT_METRIC_LAG_SECONDS: i64 = 660;

/// How long CloudWatch may take to show a call, in seconds, as the environment says.
///
/// # Errors
/// [`ErrorName::InternalError`] when `METRIC_LAG_SECONDS` is not a whole number.
pub fn metric_lag() -> Result<i64, SentryError> {
    Ok(seconds_variable("METRIC_LAG_SECONDS")?.unwrap_or(DEFAULT_METRIC_LAG_SECONDS))
}

/// A variable of the function's environment that is a number of seconds, where it is set.
///
/// # Errors
/// [`ErrorName::InternalError`] that names the variable when it is not a whole number.
pub fn seconds_variable(name: &str) -> Result<Option<i64>, SentryError> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    text.parse::<i32>().map(|seconds| Some(i64::from(seconds))).map_err(|_| {
        SentryError::new(
            ErrorName::InternalError,
            format!("The environment variable {name} is {text:?}; it must be a whole number of seconds."),
        )
    })
}
