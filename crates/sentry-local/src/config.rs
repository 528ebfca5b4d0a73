//! The settings of a host, and the reasons why one does not start.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use local_aws::Clock;
use local_aws::faults::FaultError;
use local_aws::lambda::pool::PoolError;
use local_aws::stepfunctions::MachineError;
use serde_json::Value;

use crate::machines::shipped_machines;

/// A host's settings. `Config::default()` is a host in memory on a free port, as tests want it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Where the tables are kept; in memory when absent.
    pub data: Option<PathBuf>,
    /// Limit items that are put when their keys are absent.
    pub limits: Vec<Value>,
    /// Items of API keys that are put when their ids are absent.
    pub keys: Vec<Value>,
    /// The state machines, by name, before substitution.
    pub machines: Vec<(String, String)>,
    /// Where the functions run.
    pub functions: FunctionsConfig,
    /// Where the models are.
    pub bedrock: BedrockBackend,
    /// Another host's tables instead of its own.
    pub dynamodb: Option<String>,
    /// Every simulated answer takes so long, instead of a time by its tokens.
    pub model_latency: Option<Duration>,
    /// From a model's answer to the moment when CloudWatch shows it.
    pub metric_lag: TimeDelta,
    /// How long usage-query keeps what it read.
    pub usage_cache: Duration,
    /// Faults from the start, as `NAME:COUNT` or `NAME:PERCENT%`.
    pub faults: Vec<String>,
    /// The time. Functions that run as child processes have the machine's.
    pub clock: Clock,
    /// Print each event that arrives to standard error.
    pub print_events: bool,
}

/// Where the functions run.
#[derive(Debug, Clone)]
pub enum FunctionsConfig {
    /// In this process.
    InProcess,
    /// As child processes of built bootstraps.
    Processes(ProcessConfig),
}

/// How bootstraps are run.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// Holds `NAME/bootstrap` or the executable `NAME` for each function.
    pub directory: PathBuf,
    /// Processes of each function at the same time.
    pub concurrency: usize,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Pass on what they write.
    pub verbose: bool,
}

/// Where the models are.
#[derive(Debug, Clone)]
pub enum BedrockBackend {
    /// Here.
    Simulated,
    /// At an endpoint that speaks Bedrock's runtime API and needs no signature.
    Endpoint(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            data: None,
            limits: default_limits(),
            keys: Vec::new(),
            machines: shipped_machines(),
            functions: FunctionsConfig::InProcess,
            bedrock: BedrockBackend::Simulated,
            dynamodb: None,
            model_latency: None,
            metric_lag: TimeDelta::seconds(60),
            usage_cache: Duration::from_secs(300),
            faults: Vec::new(),
            clock: Clock::default(),
            print_events: false,
        }
    }
}

impl Config {
    /// The functions' `METRIC_LAG_SECONDS`, after which reconcile relies on CloudWatch to show every
    /// call: the default of AWS, or more where the host's CloudWatch lags more.
    #[must_use]
    pub fn metric_settling(&self) -> TimeDelta {
        TimeDelta::seconds(sentry_aws::DEFAULT_METRIC_LAG_SECONDS)
            .max(self.metric_lag + TimeDelta::minutes(1))
    }
}

/// The limit items of a host that is given none.
#[must_use]
pub fn default_limits() -> Vec<Value> {
    vec![serde_json::json!({"modelId": "default", "limit": {"input": 100_000, "output": 300_000}})]
}

/// Why a host did not start. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something else listens there.
    #[error(
        "port {0} is in use: end the program that listens there (another `sentry-local serve`?), or choose another port with --port"
    )]
    PortInUse(u16),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; choose another --host or --port")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The tables cannot be opened or prepared.
    #[error("{0}")]
    Tables(String),
    /// A limit item cannot be used.
    #[error("{0}")]
    Limits(String),
    /// A fault cannot be read.
    #[error("{0}")]
    Faults(#[from] FaultError),
    /// A state machine cannot be run.
    #[error("{0}")]
    Machine(#[from] MachineError),
    /// A bootstrap is missing or cannot be run.
    #[error("{0}")]
    Functions(#[from] PoolError),
    /// An address of another service cannot be used.
    #[error("{0}")]
    Endpoint(String),
}
