//! Built `bootstrap` executables run as child processes, as Lambda runs them.
//!
//! Every child talks to a Lambda Runtime API of its own on a loopback port. One child
//! handles one invocation at a time; idle children are used again, the latest first; new
//! ones are started on demand up to the function's concurrency, and further invocations
//! wait in the order in which they came. A child that crashes, runs into the timeout or is
//! killed for a fault is replaced by the next invocation that needs one.

mod api;
mod function;
mod instance;
mod output;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use function::{Function, Settings};

/// An invocation that gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeError {
    /// The function reported an error.
    Function {
        /// The name of the error.
        error_type: String,
        /// What the function says.
        error_message: String,
    },
    /// Its process ended before it answered.
    Crashed(String),
    /// It took too long.
    TimedOut(String),
    /// There is no such function.
    Unknown,
}

/// What a [`Pool`] runs and how.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Where the executables are: `DIR/<name>/bootstrap` or `DIR/<name>` for each function.
    pub directory: PathBuf,
    /// The names of the functions.
    pub functions: Vec<String>,
    /// What the functions find in their environment beside the variables of Lambda itself.
    pub environment: Vec<(String, String)>,
    /// How many children each function may have at once.
    pub concurrency: usize,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Whether what the functions write is passed on to our own standard error.
    pub verbose: bool,
}

impl PoolConfig {
    /// The given functions in the given directory: eight children for each at most, fifteen
    /// seconds for an invocation, nothing added to the environment, output not shown.
    pub fn new(directory: impl Into<PathBuf>, functions: Vec<String>) -> Self {
        Self {
            directory: directory.into(),
            functions,
            environment: Vec::new(),
            concurrency: 8,
            timeout: Duration::from_secs(15),
            verbose: false,
        }
    }
}

/// Why a [`Pool`] could not be started.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Functions without an executable.
    #[error(
        "no executable for the function{} {}: looked for {}; build with `cargo build --release{}` and give `target/release` as the directory of the functions",
        if .functions.len() == 1 { "" } else { "s" },
        .functions.join(", "),
        .functions.iter()
            .map(|name| format!("{0}/{name}/bootstrap and {0}/{name}", .directory.display()))
            .collect::<Vec<_>>().join(", "),
        .functions.iter().map(|name| format!(" --bin {name}")).collect::<String>(),
    )]
    Missing {
        /// Where they were looked for.
        directory: PathBuf,
        /// The names of the functions.
        functions: Vec<String>,
    },
    /// A file that is there but may not be executed.
    #[error(
        "{} is not executable: run `chmod +x {}`, or build it again with `cargo build --release --bin {function}`",
        .file.display(), .file.display()
    )]
    NotExecutable {
        /// The name of the function.
        function: String,
        /// The file.
        file: PathBuf,
    },
    /// A concurrency of zero: nothing could ever run.
    #[error("the concurrency of the functions is 0: it must be at least 1")]
    NoConcurrency,
}

/// When [`Pool::invoke_and_kill_at`] kills the child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KillPoint {
    /// As soon as the child has been handed the invocation: its work is not done.
    OnReceipt,
    /// When the child gives its answer: its work is done, the answer is lost.
    OnAnswer,
}

/// The children of all functions. Clones share them.
///
/// [`Pool::shutdown`] ends the children and waits for their end; when the last clone is
/// dropped without it, they are killed too.
#[derive(Clone, Debug)]
pub struct Pool {
    functions: Arc<HashMap<String, Arc<Function>>>,
    // Running invocations hold a receiver each: the sender tells them to stop and knows
    // when the last one has.
    stop: Arc<watch::Sender<bool>>,
}

impl Pool {
    /// Checks that every function has its executable. Children are started by the first
    /// invocations that need them.
    ///
    /// # Errors
    /// An executable is missing or may not be executed, or the concurrency is zero.
    pub async fn start(config: PoolConfig) -> Result<Self, PoolError> {
        if config.concurrency == 0 {
            return Err(PoolError::NoConcurrency);
        }
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for name in config.functions {
            match executable(&config.directory, &name) {
                Some((file, true)) => found.push((name, file)),
                Some((file, false)) => {
                    return Err(PoolError::NotExecutable { function: name, file });
                }
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            return Err(PoolError::Missing { directory: config.directory, functions: missing });
        }
        let settings = Arc::new(Settings {
            environment: config.environment,
            timeout: config.timeout,
            verbose: config.verbose,
        });
        let functions = found
            .into_iter()
            .map(|(name, file)| {
                let function = Function::new(name.clone(), file, config.concurrency, settings.clone());
                (name, Arc::new(function))
            })
            .collect();
        Ok(Self { functions: Arc::new(functions), stop: Arc::new(watch::Sender::new(false)) })
    }

    /// Whether there is a function of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Runs one invocation and gives the function's answer. As on Lambda, the function goes
    /// on to its end even when the caller no longer waits for it.
    ///
    /// # Errors
    /// The function fails, crashes, takes too long or does not exist.
    pub async fn invoke(&self, name: &str, payload: Value) -> Result<Value, InvokeError> {
        self.run(name, payload, None).await
    }

    /// Like [`Pool::invoke`], but the child is killed at the point that is given.
    ///
    /// # Errors
    /// [`InvokeError::Crashed`], or what kept the child from getting so far.
    pub async fn invoke_and_kill_at(
        &self,
        name: &str,
        payload: Value,
        point: KillPoint,
    ) -> Result<Value, InvokeError> {
        self.run(name, payload, Some(point)).await
    }

    /// Kills all children, waits for their end and takes no further invocations. Those that
    /// are running or waiting end with [`InvokeError::Crashed`].
    pub async fn shutdown(&self) {
        for function in self.functions.values() {
            function.close();
        }
        self.stop.send_replace(true);
        self.stop.closed().await;
        for function in self.functions.values() {
            function.end_idle().await;
        }
    }

    async fn run(&self, name: &str, payload: Value, kill: Option<KillPoint>) -> Result<Value, InvokeError> {
        let function = self.functions.get(name).ok_or(InvokeError::Unknown)?.clone();
        // Before the place in the queue: `shutdown` then waits for whatever got a place.
        let stop = self.stop.subscribe();
        let Some(permit) = function.admit().await else {
            return Err(InvokeError::Crashed(STOPPED.to_owned()));
        };
        // A task of its own: a caller who gives up does not end the function.
        let task = tokio::spawn(async move {
            let result = function.run(&payload, kill, stop).await;
            drop(permit);
            result
        });
        task.await.unwrap_or_else(|error| {
            Err(InvokeError::Crashed(format!("the invocation was not carried out: {error}")))
        })
    }
}

/// What an invocation ends with that the pool's end has cut short.
const STOPPED: &str = "the functions were shut down before the invocation ended";

/// The file of a function, and whether it may be executed.
fn executable(directory: &Path, name: &str) -> Option<(PathBuf, bool)> {
    for file in [directory.join(name).join("bootstrap"), directory.join(name)] {
        // Absolute, so that it is never looked up in PATH.
        let Ok(file) = std::path::absolute(file) else { continue };
        match std::fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() => return Some((file, may_execute(&metadata))),
            _ => {}
        }
    }
    None
}

#[cfg(unix)]
fn may_execute(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn may_execute(_: &std::fs::Metadata) -> bool {
    true
}
