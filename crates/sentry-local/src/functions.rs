//! The functions: their names, and their handlers in this process in the shell that they have on Lambda.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use local_aws::arn::REGION;
use local_aws::lambda::pool::PoolConfig;
use local_aws::lambda::{FunctionError, FunctionInvocation, Handler, Runtime};
use sentry_aws::{BedrockMetrics, ClaimsTable, Connection, EventBus, KeysTable, LedgerTable, LimitsTable};
use sentry_lambda::HandlerError;
use serde_json::Value;

use crate::config::{Config, FunctionsConfig};
use crate::names::{CLAIMS_TABLE, KEYS_TABLE, LEDGER_TABLE, LIMITS_TABLE};

/// Invocations of one function at the same time. It bounds the connections that a burst opens.
const CONCURRENCY: usize = 64;
/// As the template sets it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

/// The names of all functions, as they are deployed.
#[must_use]
pub fn function_names() -> Vec<String> {
    let crates = [
        authorize::NAME,
        validate_request::NAME,
        month_range::NAME,
        usage_query::NAME,
        limit_lookup::NAME,
        compare::NAME,
        settle::NAME,
        reconcile::NAME,
    ];
    crates.into_iter().map(str::to_owned).chain(formatters::function_names()).collect()
}

/// Where the functions run; they reach the services at `endpoint`.
pub(crate) async fn runtime(endpoint: &str, config: &Config) -> Runtime {
    match &config.functions {
        FunctionsConfig::InProcess => Runtime::InProcess {
            functions: table(endpoint, config).await,
            concurrency: CONCURRENCY,
            timeout: TIMEOUT,
        },
        FunctionsConfig::Processes(processes) => Runtime::Processes(PoolConfig {
            directory: processes.directory.clone(),
            functions: function_names(),
            environment: environment(endpoint, config),
            concurrency: processes.concurrency,
            timeout: processes.timeout,
            verbose: processes.verbose,
        }),
    }
}

/// A handler in the shell that it has on Lambda.
fn handler<F, Handling, E>(handle: F) -> Handler
where
    F: Fn(Value) -> Handling + Send + Sync + 'static,
    Handling: Future<Output = Result<Value, E>> + Send + 'static,
    E: HandlerError + Send + 'static,
{
    Arc::new(move |FunctionInvocation { function, request_id }, event| {
        let handling = handle(event);
        Box::pin(async move {
            let shell = sentry_lambda::Invocation { function, request_id };
            sentry_lambda::answer(&shell, handling).await.map_err(|failure| FunctionError {
                error_type: failure.error_type,
                error_message: failure.error_message,
            })
        })
    })
}

/// Every function by its name; they reach the services at `endpoint`.
async fn table(endpoint: &str, config: &Config) -> Vec<(String, Handler)> {
    let connection = Connection::local(endpoint).await;
    let limits = Arc::new(LimitsTable::new(&connection, LIMITS_TABLE.to_owned()));
    let ledger = LedgerTable::new(&connection, LEDGER_TABLE.to_owned());
    let claims = ClaimsTable::new(&connection, CLAIMS_TABLE.to_owned());
    let usage = Arc::new(usage_query::Context::new(BedrockMetrics::new(&connection), config.usage_cache));
    let metric_lag = config.metric_settling().num_seconds();
    let comparing = Arc::new(compare::Context { ledger: ledger.clone(), claims: claims.clone(), metric_lag });
    let settling = Arc::new(settle::Context { ledger: ledger.clone(), claims });
    let clock = config.clock;
    let keys = KeysTable::new(&connection, KEYS_TABLE.to_owned());
    let authorizing = Arc::new(authorize::Context::new(keys, move || clock.now()));
    let reconciling = Arc::new(reconcile::Context::new(
        LimitsTable::clone(&limits),
        ledger,
        BedrockMetrics::new(&connection),
        EventBus::new(&connection),
        metric_lag,
        move || clock.now(),
    ));
    let mut table = vec![
        (
            authorize::NAME.to_owned(),
            handler(move |event| {
                let context = Arc::clone(&authorizing);
                async move { authorize::handle(event, &context).await }
            }),
        ),
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
                let context = Arc::clone(&comparing);
                async move { compare::handle(event, &context).await }
            }),
        ),
        (
            settle::NAME.to_owned(),
            handler(move |event| {
                let context = Arc::clone(&settling);
                async move { settle::handle(event, &context).await }
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

/// The environment variables of every function that runs as a child process.
fn environment(endpoint: &str, config: &Config) -> Vec<(String, String)> {
    [
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("LIMITS_TABLE", LIMITS_TABLE),
        ("LEDGER_TABLE", LEDGER_TABLE),
        ("CLAIMS_TABLE", CLAIMS_TABLE),
        ("KEYS_TABLE", KEYS_TABLE),
        ("USAGE_CACHE_SECONDS", &config.usage_cache.as_secs().to_string()),
        ("METRIC_LAG_SECONDS", &config.metric_settling().num_seconds().to_string()),
        ("TZ", ":UTC"),
        ("LANG", "en_US.UTF-8"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
