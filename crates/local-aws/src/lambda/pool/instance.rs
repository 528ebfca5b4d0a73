//! One child process with its Runtime API.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::serve::ListenerExt;
use chrono::{DateTime, SecondsFormat};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::api::{self, ReportedError, RuntimeEvent, Work};
use super::function::Settings;
use super::output::{Tail, drain};
use super::{KillPoint, STOPPED};
use crate::lambda::pool::InvokeError;

/// How long Lambda lets a function initialise itself.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the rest of a dead child's standard error is waited for: a process that it
/// has started itself can hold it open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A child, its Runtime API and the way to both.
#[derive(Debug)]
pub(super) struct Instance {
    child: Child,
    work: mpsc::Sender<Work>,
    events: mpsc::UnboundedReceiver<RuntimeEvent>,
    server: JoinHandle<()>,
    last_words: JoinHandle<()>,
    tail: Tail,
}

/// Why there is no new instance.
#[derive(Debug)]
pub(super) enum InstanceStartError {
    /// The function does not get as far as to ask for an invocation.
    Init(String),
    /// The pool has been shut down meanwhile.
    Stopped,
}

/// How an invocation ended, for the instance.
#[derive(Debug)]
pub(super) enum InvocationOutcome {
    /// With an answer: the instance can take another one.
    Answered(Result<Value, InvokeError>),
    /// With the child.
    Over(InvokeError),
    /// The child had ended before it was handed the invocation: another one can have it.
    NotTaken,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The child itself is killed by `kill_on_drop`, which closes its connections.
        self.server.abort();
    }
}

impl Instance {
    /// Starts a child and waits until it asks for an invocation.
    pub(super) async fn start(
        name: &str,
        file: &Path,
        settings: &Settings,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Self, InstanceStartError> {
        let mut instance = Self::spawn(name, file, settings)
            .await
            .map_err(|error| InstanceStartError::Init(format!("cannot run {}: {error}", file.display())))?;
        let problem = tokio::select! {
            biased;
            event = instance.events.recv() => match event {
                Some(RuntimeEvent::InitError(ReportedError { error_type, error_message })) => {
                    instance.kill().await;
                    format!("{error_type}: {error_message}")
                }
                _ => return Ok(instance),
            },
            status = instance.child.wait() => match status {
                Ok(status) => exit_reason(status),
                Err(error) => error.to_string(),
            },
            () = stopped(stop) => {
                instance.kill().await;
                return Err(InstanceStartError::Stopped);
            }
            () = sleep(INIT_TIMEOUT) => {
                instance.kill().await;
                format!("not ready after {} seconds", INIT_TIMEOUT.as_secs())
            }
        };
        let problem = format!("the function {name} could not be initialised: {problem}");
        Err(InstanceStartError::Init(instance.with_last_words(problem).await))
    }

    async fn spawn(name: &str, file: &Path, settings: &Settings) -> std::io::Result<Self> {
        // A listener for each child: AWS_LAMBDA_RUNTIME_API is a host and a port without a
        // path, so that nothing else could tell the children apart.
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut command = Command::new(file);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .envs(settings.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        // A group of its own: Ctrl-C in a terminal ends the host, and the host its children.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;

        let label = settings.verbose.then(|| name.to_owned());
        let tail = Tail::default();
        drain(child.stdout.take(), label.clone(), None);
        let last_words = drain(child.stderr.take(), label, Some(tail.clone()));

        // One invocation at a time.
        let (work, handed) = mpsc::channel(1);
        let (told, events) = mpsc::unbounded_channel();
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
        let router = api::router(arn, handed, told);
        let listener = listener.tap_io(|stream| {
            // Without it, small answers would wait for acknowledgements.
            let _ = stream.set_nodelay(true);
        });
        let server = tokio::spawn(async move {
            // It does not end by itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { child, work, events, server, last_words, tail })
    }

    /// Whether the child is still there.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the child without waiting for its end.
    pub(super) fn start_kill(&mut self) {
        // An error means that it has ended.
        let _ = self.child.start_kill();
    }

    /// Kills the child and waits for its end.
    pub(super) async fn kill(&mut self) {
        self.start_kill();
        let _ = self.child.wait().await;
    }

    /// Runs one invocation.
    pub(super) async fn invoke(
        &mut self,
        work: (String, Vec<u8>),
        limit: Duration,
        kill: Option<KillPoint>,
        stop: &mut watch::Receiver<bool>,
    ) -> InvocationOutcome {
        let (id, payload) = work;
        let now = since_epoch();
        let work = Work {
            id: id.clone(),
            trace: trace_id(&id, now),
            deadline_ms: (now + limit).as_millis(),
            payload: payload.into(),
        };
        if self.work.send(work).await.is_err() {
            return InvocationOutcome::NotTaken;
        }
        let expired = sleep(limit);
        tokio::pin!(expired);
        let mut taken = false;
        loop {
            tokio::select! {
                // A result that the child has posted counts even when the child has ended since.
                biased;
                Some(event) = self.events.recv() => match event {
                    RuntimeEvent::Taken if kill == Some(KillPoint::OnReceipt) => {
                        return self.killed(&id).await;
                    }
                    RuntimeEvent::Taken => taken = true,
                    RuntimeEvent::FunctionAnswer(_) if kill.is_some() => return self.killed(&id).await,
                    RuntimeEvent::FunctionAnswer(answer) => return InvocationOutcome::Answered(read(answer)),
                    RuntimeEvent::Ready | RuntimeEvent::InitError(_) => {}
                },
                status = self.child.wait() => {
                    while let Ok(event) = self.events.try_recv() {
                        match event {
                            RuntimeEvent::Taken => taken = true,
                            RuntimeEvent::FunctionAnswer(answer) if kill.is_none() => {
                                return InvocationOutcome::Answered(read(answer));
                            }
                            _ => {}
                        }
                    }
                    if !taken {
                        return InvocationOutcome::NotTaken;
                    }
                    let message = exit_message(&id, status);
                    return InvocationOutcome::Over(InvokeError::Crashed(self.with_last_words(message).await));
                }
                () = stopped(stop) => {
                    self.kill().await;
                    return InvocationOutcome::Over(InvokeError::Crashed(STOPPED.to_owned()));
                }
                () = &mut expired => {
                    self.kill().await;
                    return InvocationOutcome::Over(InvokeError::TimedOut(format!(
                        "{} {id} Task timed out after {:.2} seconds",
                        timestamp(since_epoch()),
                        limit.as_secs_f64(),
                    )));
                }
            }
        }
    }

    async fn killed(&mut self, id: &str) -> InvocationOutcome {
        self.start_kill();
        let status = self.child.wait().await;
        InvocationOutcome::Over(InvokeError::Crashed(exit_message(id, status)))
    }

    /// The message, followed by the end of what the dead child wrote to its standard error.
    async fn with_last_words(&mut self, message: String) -> String {
        let _ = timeout(LAST_WORDS, &mut self.last_words).await;
        let tail = self.tail.text();
        if tail.is_empty() { message } else { format!("{message}\n{tail}") }
    }
}

/// Waits until the pool is shut down or dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The function's answer as a document.
fn read(answer: Result<axum::body::Bytes, ReportedError>) -> Result<Value, InvokeError> {
    let ReportedError { error_type, error_message } = match answer {
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(value) => return Ok(value),
            Err(error) => ReportedError {
                error_type: "Runtime.InvalidResponse".to_owned(),
                error_message: format!("the function's response is not JSON: {error}"),
            },
        },
        Err(failure) => failure,
    };
    Err(InvokeError::Function { error_type, error_message })
}

fn exit_message(id: &str, status: std::io::Result<ExitStatus>) -> String {
    let reason = match status {
        Ok(status) => exit_reason(status),
        Err(error) => format!("Runtime exited with error: {error}"),
    };
    format!("RequestId: {id} Error: {reason}")
}

/// The end of a child as Lambda words it.
fn exit_reason(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        match status.signal() {
            Some(6) => return "Runtime exited with error: signal: aborted".to_owned(),
            Some(9) => return "Runtime exited with error: signal: killed".to_owned(),
            Some(11) => return "Runtime exited with error: signal: segmentation fault".to_owned(),
            Some(number) => return format!("Runtime exited with error: signal: {number}"),
            None => {}
        }
    }
    match status.code() {
        Some(0) | None => "Runtime exited without providing a reason".to_owned(),
        Some(code) => format!("Runtime exited with error: exit status {code}"),
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn timestamp(now: Duration) -> String {
    i64::try_from(now.as_millis())
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
        .unwrap_or_default()
}

/// An X-Ray trace of its own, not sampled, derived from the request's ID.
fn trace_id(id: &str, now: Duration) -> String {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    let (root, parent) = (digits.get(..24), digits.get(16..));
    format!(
        "Root=1-{:08x}-{};Parent={};Sampled=0",
        now.as_secs(),
        root.unwrap_or_default(),
        parent.unwrap_or_default()
    )
}
