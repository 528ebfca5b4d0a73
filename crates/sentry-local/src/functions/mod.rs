//! Lambda: the functions, in this process or as child processes, behind one way to invoke them.

mod in_process;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::{Config, FunctionsConfig, StartError};
use crate::faults::Faults;
use crate::names::{LEDGER_TABLE, LIMITS_TABLE, REGION};
use crate::pool::{InvokeError, KillPoint, Pool, PoolConfig};
use crate::reply::{mix, uuid};

pub use in_process::Handler;

/// Lambda's limit of a payload and of an answer.
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// The names of all functions, as they are deployed.
#[must_use]
pub fn function_names() -> Vec<String> {
    let crates = [
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

/// An invocation that gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The function failed, crashed or took too long.
    Function {
        /// The name of the error.
        error_type: String,
        /// What the function says.
        error_message: String,
    },
    /// Lambda did not run the function.
    Service {
        /// The name of the error.
        name: String,
        /// Its HTTP status.
        status: u16,
        /// What Lambda says.
        message: String,
    },
    /// The function ran, and its answer was lost on the way.
    Lost,
}

impl Failure {
    pub(crate) fn function(error_type: &str, error_message: impl Into<String>) -> Self {
        Self::Function { error_type: error_type.to_owned(), error_message: error_message.into() }
    }

    pub(crate) fn service(name: &str, status: u16, message: impl Into<String>) -> Self {
        Self::Service { name: name.to_owned(), status, message: message.into() }
    }

    /// The payload of a failed invocation.
    #[must_use]
    pub fn document(&self) -> Value {
        match self {
            Self::Function { error_type, error_message } => {
                json!({"errorType": error_type, "errorMessage": error_message})
            }
            Self::Service { name, message, .. } => {
                json!({"Type": name, "message": message, "Message": message})
            }
            Self::Lost => json!({}),
        }
    }
}

/// One invocation on its way to a function.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) payload: Value,
    /// A fault kills the function after so long, whatever it does then.
    pub(crate) kill_after: Option<Duration>,
}

enum Runners {
    InProcess(BTreeMap<String, Arc<in_process::Runner>>),
    Processes(Pool),
}

/// All functions of the host.
pub struct Functions {
    runners: Runners,
    names: BTreeSet<String>,
    faults: Arc<Faults>,
    seed: u64,
    count: AtomicU64,
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Functions").field("invocations", &self.count).finish_non_exhaustive()
    }
}

impl Functions {
    /// Prepares the functions; they reach the services at `endpoint`.
    ///
    /// # Errors
    /// A bootstrap is missing or cannot be run.
    pub async fn new(
        config: &Config,
        endpoint: &str,
        seed: u64,
        faults: Arc<Faults>,
    ) -> Result<Self, StartError> {
        let runners = match &config.functions {
            FunctionsConfig::InProcess => Runners::InProcess(
                in_process::table(endpoint, config)
                    .await
                    .into_iter()
                    .map(|(name, handler)| (name.clone(), Arc::new(in_process::Runner::new(name, handler))))
                    .collect(),
            ),
            FunctionsConfig::Processes(processes) => {
                let mut pool = PoolConfig::new(processes.directory.clone(), function_names());
                pool.environment = environment(endpoint, config);
                pool.concurrency = processes.concurrency;
                pool.timeout = processes.timeout;
                pool.verbose = processes.verbose;
                Runners::Processes(
                    Pool::start(pool).await.map_err(|error| StartError::Functions(error.to_string()))?,
                )
            }
        };
        let names = function_names().into_iter().collect();
        Ok(Self { runners, names, faults, seed, count: AtomicU64::new(0) })
    }

    /// Whether there is a function of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Invokes a function and waits for it. An invocation that nobody waits for any more goes on.
    ///
    /// # Errors
    /// There is no such function, Lambda does not run it, or it fails.
    pub async fn invoke(&self, name: &str, payload: Value) -> Result<Value, Failure> {
        let unknown = || {
            let message = format!("Function not found: {}", crate::names::function_arn(name));
            Failure::service("ResourceNotFoundException", 404, message)
        };
        if !self.has(name) {
            return Err(unknown());
        }
        let fault = self.faults.take("lambda", name);
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.kill && !fault.lost_reply) {
            return Err(Failure::service(fault.name, fault.status, fault.message));
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let kill = fault.as_ref().is_some_and(|fault| fault.kill);
        // Sometimes before the function has done anything, sometimes after all of it.
        let chance = mix(self.seed ^ number);
        let result = match &self.runners {
            Runners::InProcess(runners) => {
                let runner = runners.get(name).ok_or_else(unknown)?;
                let kill_after = kill.then(|| Duration::from_micros(chance % 8_000));
                let invocation = Invocation { request_id: uuid(self.seed, number), payload, kill_after };
                Arc::clone(runner).invoke(invocation).await?
            }
            Runners::Processes(pool) => {
                let result = match (kill, chance.is_multiple_of(2)) {
                    (false, _) => pool.invoke(name, payload).await,
                    (true, true) => pool.invoke_and_kill_at(name, payload, KillPoint::OnReceipt).await,
                    (true, false) => pool.invoke_and_kill_at(name, payload, KillPoint::OnAnswer).await,
                };
                result.map_err(|error| match error {
                    InvokeError::Function { error_type, error_message } => {
                        Failure::Function { error_type, error_message }
                    }
                    InvokeError::Crashed(message) => Failure::function("Runtime.ExitError", message),
                    InvokeError::TimedOut(message) => Failure::function("Sandbox.Timedout", message),
                    InvokeError::Unknown => unknown(),
                })?
            }
        };
        if fault.is_some_and(|fault| fault.lost_reply) {
            return Err(Failure::Lost);
        }
        Ok(result)
    }

    /// Ends all child processes.
    pub async fn close(&self) {
        if let Runners::Processes(pool) = &self.runners {
            pool.shutdown().await;
        }
    }
}

/// The environment variables of every function.
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
        ("USAGE_CACHE_SECONDS", &config.usage_cache.as_secs().to_string()),
        ("METRIC_LAG_SECONDS", &config.metric_settling().num_seconds().to_string()),
        ("CLOCK_OFFSET_SECONDS", &config.clock.offset_seconds().to_string()),
        ("TZ", ":UTC"),
        ("LANG", "en_US.UTF-8"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
