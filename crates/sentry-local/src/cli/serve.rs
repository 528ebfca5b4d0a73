//! `serve`: everything on one port until Ctrl-C.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use local_aws::faults::catalogue::{KNOWN, SERVICES, SHORT_NAMES};

use super::welcome::welcome;
use super::{ServeArguments, keys};
use crate::functions;
use crate::output::{line, note};
use crate::{BedrockBackend, Clock, Config, FunctionsConfig, ProcessConfig};

/// Where a line of the help ends.
const HELP_COLUMNS: usize = 110;

pub(super) async fn run(arguments: ServeArguments) -> Result<ExitCode, String> {
    let host = arguments.host;
    let description = describe(&arguments);
    let config = config(arguments)?;
    // Before anything is started: a signal that came earlier would end the host and leave child processes behind.
    let ended = end_signal().map_err(|error| format!("signals cannot be received: {error}"))?;
    let host_address = host;
    let host = crate::start(config).await.map_err(|error| error.to_string())?;
    if !host_address.is_loopback() {
        note(&format!(
            "warning: {host_address} is not loopback: everyone who reaches this machine can use and change everything here, without a password"
        ));
    }
    // A script that waits for these lines would wait forever, so the host ends when they cannot be written.
    let greeted = line(&welcome(&host.url(), &description))
        .and_then(|()| line(&format!("listening on {}", host.url())))
        .map_err(|error| format!("standard output cannot be written: {error}"));
    if greeted.is_ok() {
        ended.await;
    }
    host.shutdown().await;
    greeted.map(|()| ExitCode::SUCCESS)
}

fn config(arguments: ServeArguments) -> Result<Config, String> {
    let clock = match &arguments.clock_offset {
        None => Clock::default(),
        Some(text) => Clock::parse(text, Utc::now()).map_err(|error| format!("--clock-offset: {error}"))?,
    };
    let now = clock.now();
    Ok(Config {
        keys: arguments.keys.as_deref().map_or(Ok(Vec::new()), |file| keys::read(file, now))?,
        host: arguments.host,
        port: arguments.port,
        limits: arguments.tables.limits()?,
        data: arguments.tables.data,
        functions: match arguments.functions {
            None => FunctionsConfig::InProcess,
            Some(directory) => FunctionsConfig::Processes(ProcessConfig {
                directory,
                concurrency: arguments.function_concurrency,
                timeout: functions::TIMEOUT,
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

fn describe(arguments: &ServeArguments) -> String {
    let functions = match &arguments.functions {
        None => "in process".to_owned(),
        Some(directory) => format!("child processes from {}", directory.display()),
    };
    let tables = match (&arguments.dynamodb, &arguments.tables.data) {
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

/// The faults that `--fault` takes, from the catalogue that it is read against.
pub(super) fn faults_help() -> String {
    let mut out = "Faults:\n  A name alone means Bedrock's where Bedrock has it, else that of every service that has it. It may carry its\n  service, and between the two the operation or the function: dynamodb.InternalServerError:1%,\n  lambda.settle.kill-function:1.\n".to_owned();
    for service in SERVICES {
        let _ = write!(out, "\n  {service}\n   ");
        let mut column = 3;
        for known in KNOWN.iter().filter(|known| known.service == service) {
            let short = SHORT_NAMES.iter().find(|(_, name)| *name == known.name);
            let name = match short {
                Some((short, name)) => format!("{name} (or {short})"),
                None => known.name.to_owned(),
            };
            if column + name.len() > HELP_COLUMNS {
                out.push_str("\n   ");
                column = 3;
            }
            column += name.len() + 1;
            let _ = write!(out, " {name}");
        }
    }
    out
}
