//! The command line.

mod amounts;
mod answer;
mod ask;
mod demo;
mod keys;
mod limits;
mod serve;
#[cfg(test)]
mod tests;
mod trace;
mod welcome;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use keys::KeysArguments;
use serde_json::Value;

use crate::config::default_limits;
use crate::output;

/// The port of `serve`, unless another one is asked for.
pub const DEFAULT_PORT: u16 = 4577;

/// The cost sentry for Amazon Bedrock, with everything around it, on this machine.
#[derive(Debug, Parser)]
#[command(name = "sentry-local", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one request through both workflows and print the answer.
    Ask(AskArguments),
    /// Send 200 requests at once at a budget for ten of them, and watch the budget hold.
    Demo,
    /// Serve everything on one port until Ctrl-C.
    #[command(after_long_help = serve::faults_help())]
    Serve(ServeArguments),
    /// Make, list and disable API keys of the front door.
    Keys(KeysArguments),
}

#[derive(Debug, Args)]
struct AskArguments {
    /// What to ask; `-` reads it from standard input.
    prompt: String,
    /// The model.
    #[arg(long, value_name = "ID", default_value = "us.anthropic.claude-sonnet-4-6")]
    model: String,
    /// Instructions for the model.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The most tokens that the answer may have.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Print the answer document alone; where there is none, a document with `error` and `cause`.
    #[arg(long)]
    json: bool,
    /// Print each state of both executions with its duration and events.
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    tables: TableArguments,
}

/// What the tables hold, and where they are kept.
#[derive(Debug, Args)]
struct TableArguments {
    /// Keep the tables in this folder instead of memory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A JSON list of limit items, put when absent.
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
}

impl TableArguments {
    /// The limit items, with warnings of those that do not limit what they seem to.
    fn limits(&self) -> Result<Vec<Value>, String> {
        let Some(file) = &self.limits else { return Ok(default_limits()) };
        let file = limits::read(file)?;
        for warning in &file.warnings {
            output::note(&format!("warning: {warning}"));
        }
        Ok(file.items)
    }
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// The address; anything but loopback lets others in, without any password.
    #[arg(long, value_parser = read_host, default_value = "127.0.0.1")]
    host: IpAddr,
    #[command(flatten)]
    tables: TableArguments,
    /// A JSON list of API keys, [{"id": "TENANT", "key": "sk-sentry-…"}], put when absent.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Run DIR/NAME/bootstrap (or DIR/NAME) as child processes instead of the functions in process.
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,
    /// Child processes of each function at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, requires = "functions", value_parser = read_concurrency)]
    function_concurrency: usize,
    /// Pass on what the child processes write.
    #[arg(long, requires = "functions")]
    verbose: bool,
    /// `sim`, or the address of an endpoint that speaks Bedrock's runtime API.
    #[arg(long, value_name = "sim|URL", default_value = "sim")]
    bedrock: String,
    /// Another host's tables instead of own ones.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    dynamodb: Option<String>,
    /// Every simulated answer takes so long, instead of a time by its tokens.
    #[arg(long, value_name = "N")]
    model_latency_ms: Option<u64>,
    /// From a model's answer to the moment when CloudWatch shows it.
    #[arg(long, value_name = "N", default_value_t = 60)]
    metric_lag_seconds: u32,
    /// How long usage-query keeps what it read from CloudWatch.
    #[arg(long, value_name = "N", default_value_t = 300)]
    usage_cache_seconds: u64,
    /// A fault, NAME:COUNT or NAME:PERCENT%; may be given several times. --help lists them.
    #[arg(long, value_name = "NAME:AMOUNT")]
    fault: Vec<String>,
    /// Move the clock by +36h or -5m, or to 2026-12-31T23:59:55Z; not for functions in processes of their own.
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, conflicts_with = "functions")]
    clock_offset: Option<String>,
}

/// Does what the command line says.
pub async fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Ask(arguments) => ask::run(arguments).await,
        Command::Demo => demo::run().await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Keys(arguments) => keys::run(arguments).await,
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            output::note(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn read_host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_| "write an IP address of this machine, such as 127.0.0.1 or 0.0.0.0".to_owned())
}

fn read_concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000) => Ok(count),
        _ => Err("write a number from 1 to 1000".to_owned()),
    }
}
