//! The children of one function.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::instance::{Instance, InstanceStartError, InvocationOutcome};
use super::{KillPoint, STOPPED};
use crate::http::new_id;
use crate::lambda::pool::InvokeError;

/// How long after a failed initialisation the next invocations fail with it at once, so
/// that callers who try again do not start processes in a loop.
const INIT_PAUSE: Duration = Duration::from_secs(1);

/// What all functions of a pool have in common.
#[derive(Debug)]
pub(super) struct Settings {
    pub environment: Vec<(String, String)>,
    pub timeout: Duration,
    pub verbose: bool,
}

/// A function and its children.
#[derive(Debug)]
pub(super) struct Function {
    name: String,
    file: PathBuf,
    settings: Arc<Settings>,
    // Fair: waiting invocations are served in the order of their arrival.
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Instance>>,
    failed: Mutex<Option<(Instant, String)>>,
}

impl Function {
    pub(super) fn new(name: String, file: PathBuf, concurrency: usize, settings: Arc<Settings>) -> Self {
        Self {
            name,
            file,
            settings,
            permits: Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS))),
            idle: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// A place for one invocation; none when the function is closed.
    pub(super) async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().acquire_owned().await.ok()
    }

    /// Refuses further invocations, including those that wait.
    pub(super) fn close(&self) {
        self.permits.close();
    }

    /// Ends the children that have nothing to do.
    pub(super) async fn end_idle(&self) {
        let mut idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for instance in &mut idle {
            instance.start_kill();
        }
        for instance in &mut idle {
            instance.kill().await;
        }
    }

    /// Runs one invocation in an idle child or a new one.
    pub(super) async fn run(
        &self,
        payload: &Value,
        kill: Option<KillPoint>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Value, InvokeError> {
        let payload = serde_json::to_vec(payload)
            .map_err(|error| InvokeError::Crashed(format!("the payload is not JSON: {error}")))?;
        let id = new_id();
        loop {
            let (mut instance, new) = match self.pop_idle() {
                Some(instance) => (instance, false),
                None => (self.start(&mut stop).await?, true),
            };
            let work = (id.clone(), payload.clone());
            match instance.invoke(work, self.settings.timeout, kill, &mut stop).await {
                InvocationOutcome::Answered(result) => {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
                    return result;
                }
                InvocationOutcome::Over(error) => return Err(error),
                InvocationOutcome::NotTaken if new => {
                    return Err(InvokeError::Crashed(format!(
                        "RequestId: {id} Error: the function {} ended without taking the invocation",
                        self.name
                    )));
                }
                // It ended while it was idle, which is nothing that the caller should notice.
                InvocationOutcome::NotTaken => {}
            }
        }
    }

    /// The child that was used last, without those that have ended by themselves.
    fn pop_idle(&self) -> Option<Instance> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut instance) = idle.pop() {
            if instance.is_alive() {
                return Some(instance);
            }
        }
        None
    }

    async fn start(&self, stop: &mut watch::Receiver<bool>) -> Result<Instance, InvokeError> {
        if let Some((when, message)) = &*self.failed.lock().unwrap_or_else(PoisonError::into_inner)
            && when.elapsed() < INIT_PAUSE
        {
            return Err(InvokeError::Crashed(message.clone()));
        }
        let started = Instance::start(&self.name, &self.file, &self.settings, stop).await;
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match started {
            Ok(instance) => {
                *failed = None;
                Ok(instance)
            }
            Err(InstanceStartError::Init(message)) => {
                *failed = Some((Instant::now(), message.clone()));
                Err(InvokeError::Crashed(message))
            }
            Err(InstanceStartError::Stopped) => Err(InvokeError::Crashed(STOPPED.to_owned())),
        }
    }
}
