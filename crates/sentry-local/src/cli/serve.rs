//! `serve`: everything on one port until Ctrl-C.

use std::path::Path;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::ServeArguments;
use crate::config::default_limits;
use crate::names::{LEDGER_TABLE, LIMITS_TABLE, RATE_LIMITER, machine_arn};
use crate::output::{line, note};
use crate::{BedrockBackend, Clock, Config, FunctionsConfig, Host, ProcessConfig};

/// As the template sets it.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) async fn run(arguments: ServeArguments) -> Result<(), String> {
    let host = arguments.host;
    let description = describe(&arguments);
    let config = config(arguments)?;
    // Before anything is started, so that no signal finds children without their host.
    let ended = end_signal().map_err(|error| format!("signals cannot be received: {error}"))?;
    let host_address = host;
    let host = crate::start(config).await.map_err(|error| error.to_string())?;
    if !host_address.is_loopback() {
        note(&format!(
            "warning: {host_address} is not loopback: everyone who reaches this machine can use and change everything here, without a password"
        ));
    }
    // A closed standard output is no reason to end.
    let _ = line(&welcome(&host, &description));
    let _ = line(&format!("listening on {}", host.url()));
    ended.await;
    host.shutdown().await;
    Ok(())
}

fn config(arguments: ServeArguments) -> Result<Config, String> {
    let clock = match &arguments.clock_offset {
        None => Clock::default(),
        Some(text) => Clock::parse(text, Utc::now()).map_err(|error| format!("--clock-offset: {error}"))?,
    };
    Ok(Config {
        host: arguments.host,
        port: arguments.port,
        data: arguments.data,
        limits: match &arguments.limits {
            None => default_limits(),
            Some(file) => read_limits(file)?,
        },
        functions: match arguments.functions {
            None => FunctionsConfig::InProcess,
            Some(directory) => FunctionsConfig::Processes(ProcessConfig {
                directory,
                concurrency: arguments.function_concurrency,
                timeout: FUNCTION_TIMEOUT,
                verbose: arguments.verbose,
            }),
        },
        bedrock: match arguments.bedrock.as_str() {
            "sim" => BedrockBackend::Simulated,
            _ => BedrockBackend::Endpoint(arguments.bedrock),
        },
        dynamodb: arguments.dynamodb,
        model_latency: arguments.model_latency_ms.map(Duration::from_millis),
        metric_lag: TimeDelta::seconds(i64::from(arguments.metric_lag_seconds)),
        usage_cache: Duration::from_secs(arguments.usage_cache_seconds),
        faults: arguments.fault,
        clock,
        print_events: true,
        ..Config::default()
    })
}

/// The list of limit items in a file.
pub(super) fn read_limits(file: &Path) -> Result<Vec<Value>, String> {
    const EXAMPLE: &str = r#"[{"modelId": "default", "limit": {"input": 100000, "output": 300000}}]"#;
    let place = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("the limits file {place} cannot be read: {error}"))?;
    let document: Value = serde_json::from_str(&text).map_err(|error| {
        format!("the limits file {place} is not JSON: {error}; write a list like {EXAMPLE}")
    })?;
    match document {
        Value::Array(items) => Ok(items),
        _ => Err(format!("the limits file {place} is not a list of limit items; write one like {EXAMPLE}")),
    }
}

fn describe(arguments: &ServeArguments) -> String {
    let functions = match &arguments.functions {
        None => "in process".to_owned(),
        Some(directory) => format!("child processes from {}", directory.display()),
    };
    let tables = match (&arguments.dynamodb, &arguments.data) {
        (Some(endpoint), _) => format!("at {endpoint}"),
        (None, Some(directory)) => format!("in {}", directory.display()),
        (None, None) => "in memory".to_owned(),
    };
    let models =
        if arguments.bedrock == "sim" { "simulated".to_owned() } else { format!("at {}", arguments.bedrock) };
    format!(
        "functions {functions}; tables {tables}; models {models}; metrics after {} s",
        arguments.metric_lag_seconds
    )
}

fn welcome(host: &Host, description: &str) -> String {
    let url = host.url();
    let arn = machine_arn(RATE_LIMITER);
    format!(
        r#"bedrock cost sentry: {description}
Step Functions, Lambda, DynamoDB ({LIMITS_TABLE}, {LEDGER_TABLE}), CloudWatch, Bedrock and EventBridge, all at {url}

In this shell, for the AWS CLI and any AWS SDK (the last one keeps them from writing "sync-" before the host's name):
  export AWS_ENDPOINT_URL={url} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 \
    AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DISABLE_HOST_PREFIX_INJECTION=true

A request by the AWS CLI, and what it cost:
  aws stepfunctions start-sync-execution --state-machine-arn {arn} \
    --input '{{"modelId":"us.anthropic.claude-sonnet-4-6","prompt":{{"messages":[{{"role":"user","content":"Why is the sky blue?"}}]}}}}'
  aws dynamodb scan --table-name {LEDGER_TABLE}

The same by an AWS SDK (Python):
  boto3.client("stepfunctions", endpoint_url="{url}").start_sync_execution(stateMachineArn="{arn}", input="…")

Truth and trouble: {url}/_local/usage, /_local/executions, /_local/events, /_local/faults
"#
    )
}

/// Resolves at Ctrl-C or SIGTERM.
fn end_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
