//! Lambda: the functions, in this process or as child processes, behind one way to invoke them.

pub(crate) mod api;
mod in_process;
pub mod pool;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::Faults;
use crate::http::new_id;
use pool::{InvokeError, KillPoint, Pool, PoolConfig, PoolError};

/// Lambda's limit of a payload and of an answer.
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// The function that is invoked, and the id of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInvocation {
    /// The function's name.
    pub function: String,
    /// The id of the request.
    pub request_id: String,
}

/// A function's failure, as Lambda reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// The name of the error.
    pub error_type: String,
    /// What the function says.
    pub error_message: String,
}

/// The result of a function.
pub type FunctionAnswer = Pin<Box<dyn Future<Output = Result<Value, FunctionError>> + Send>>;

/// The code of a function.
pub type Handler = Arc<dyn Fn(FunctionInvocation, Value) -> FunctionAnswer + Send + Sync>;

/// Where the functions run.
pub enum Runtime {
    /// In this process.
    InProcess {
        /// Each function's name and code.
        functions: Vec<(String, Handler)>,
        /// Invocations of one function at the same time; more wait.
        concurrency: usize,
        /// How long an invocation may take.
        timeout: Duration,
    },
    /// As child processes of built bootstraps.
    Processes(PoolConfig),
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InProcess { functions, .. } => {
                let names: Vec<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
                out.debug_struct("InProcess").field("functions", &names).finish_non_exhaustive()
            }
            Self::Processes(config) => out.debug_tuple("Processes").field(config).finish(),
        }
    }
}

/// An invocation that gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvocationFailure {
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

impl InvocationFailure {
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

enum Runners {
    InProcess(BTreeMap<String, Arc<in_process::Runner>>),
    Processes(Pool),
}

/// The functions.
pub struct Lambda {
    runners: Runners,
    faults: Arc<Faults>,
}

impl std::fmt::Debug for Lambda {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lambda").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Lambda {
    /// Prepares the functions.
    ///
    /// # Errors
    /// A bootstrap is missing or cannot be run.
    pub async fn new(runtime: Runtime, faults: Arc<Faults>) -> Result<Self, PoolError> {
        let runners = match runtime {
            Runtime::InProcess { functions, concurrency, timeout } => {
                let runner = |(name, handler): (String, Handler)| {
                    (name.clone(), Arc::new(in_process::Runner::new(name, handler, concurrency, timeout)))
                };
                Runners::InProcess(functions.into_iter().map(runner).collect())
            }
            Runtime::Processes(config) => Runners::Processes(Pool::start(config).await?),
        };
        Ok(Self { runners, faults })
    }

    /// Whether there is a function of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match &self.runners {
            Runners::InProcess(runners) => runners.contains_key(name),
            Runners::Processes(pool) => pool.has(name),
        }
    }

    /// Invokes a function and waits for it. It continues when the caller stops waiting.
    ///
    /// # Errors
    /// There is no such function, Lambda does not run it, or it fails.
    pub async fn invoke(&self, name: &str, payload: Value) -> Result<Value, InvocationFailure> {
        let unknown = || {
            let message = format!("Function not found: {}", crate::arn::function_arn(name));
            InvocationFailure::service("ResourceNotFoundException", 404, message)
        };
        if !self.has(name) {
            return Err(unknown());
        }
        let fault = self.faults.take("lambda", name);
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.kill && !fault.lost_reply) {
            return Err(InvocationFailure::service(fault.name, fault.status, fault.message));
        }
        let kill = fault.as_ref().is_some_and(|fault| fault.kill);
        let result = match &self.runners {
            Runners::InProcess(runners) => {
                let runner = runners.get(name).ok_or_else(unknown)?;
                // A random time, so that the function is ended before, during or after its work.
                let kill_after = kill.then(|| Duration::from_micros(fastrand::u64(..8_000)));
                Arc::clone(runner).invoke(new_id(), payload, kill_after).await?
            }
            Runners::Processes(pool) => {
                let result = match (kill, fastrand::bool()) {
                    (false, _) => pool.invoke(name, payload).await,
                    (true, true) => pool.invoke_and_kill_at(name, payload, KillPoint::OnReceipt).await,
                    (true, false) => pool.invoke_and_kill_at(name, payload, KillPoint::OnAnswer).await,
                };
                result.map_err(|error| match error {
                    InvokeError::Function { error_type, error_message } => {
                        InvocationFailure::Function { error_type, error_message }
                    }
                    InvokeError::Crashed(message) => {
                        InvocationFailure::function("Runtime.ExitError", message)
                    }
                    InvokeError::TimedOut(message) => {
                        InvocationFailure::function("Sandbox.Timedout", message)
                    }
                    InvokeError::Unknown => unknown(),
                })?
            }
        };
        if fault.is_some_and(|fault| fault.lost_reply) {
            return Err(InvocationFailure::Lost);
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
