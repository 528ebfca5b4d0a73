//! A running host.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cloudwatch::{CloudWatch, CloudWatchConfig};
use crate::config::{Config, StartError};
use crate::events::EventStore;
use crate::faults::Faults;
use crate::functions::{Failure, Functions};
use crate::models::Models;
use crate::output;
use crate::reply::mix;
use crate::server::{Services, router, without_delay};
use crate::tables::Tables;
use crate::workflows::{Finished, Refusal, Workflows};

/// Events that are kept.
const EVENTS: usize = 1_000;
/// Connections that wait to be taken; the system allows fewer where it is set so.
const BACKLOG: u32 = 4_096;
/// How often the ledger is reconciled.
const RECONCILE_EVERY: std::time::Duration = std::time::Duration::from_secs(300);
/// How long requests in flight may take when the host ends.
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// A host that serves until it is shut down.
#[derive(Debug)]
pub struct Host {
    /// Where it listens.
    pub addr: SocketAddr,
    services: Arc<Services>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    schedule: JoinHandle<()>,
}

/// Starts everything and serves it.
///
/// # Errors
/// A port in use, or a setting that cannot work; the message says what to do.
pub async fn start(config: Config) -> Result<Host, StartError> {
    let address = SocketAddr::new(config.host, config.port);
    let listener = listen(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortInUse(config.port),
        _ => StartError::Listen { address: address.to_string(), reason: error.to_string() },
    })?;
    let addr = listener
        .local_addr()
        .map_err(|error| StartError::Listen { address: address.to_string(), reason: error.to_string() })?;
    let endpoint = url_of(addr);
    let seed = seed(addr.port());

    let faults = Arc::new(Faults::parse(&config.faults, 0)?);
    let cloudwatch_config = CloudWatchConfig { lag: config.metric_lag, ..CloudWatchConfig::default() };
    let cloudwatch = Arc::new(CloudWatch::new(cloudwatch_config, Arc::clone(&faults)));
    let models = Arc::new(Models::new(&config, seed, Arc::clone(&faults), Arc::clone(&cloudwatch))?);
    let mut events = EventStore::new(EVENTS);
    if config.print_events {
        events = events.with_observer(|event| output::note(&format!("event {event}")));
    }
    let events = Arc::new(events);
    let tables = Tables::open(&config, Arc::clone(&faults)).await?;
    let functions = Arc::new(Functions::new(&config, &endpoint, mix(seed), Arc::clone(&faults)).await?);
    let workflows = Workflows::new(
        &config.machines,
        Arc::clone(&functions),
        Arc::clone(&models),
        Arc::clone(&events),
        config.clock,
        mix(seed ^ 1),
    )?;
    let services = Arc::new(Services {
        tables,
        cloudwatch,
        models,
        events,
        functions,
        workflows,
        faults,
        clock: config.clock,
    });

    let router = router(Arc::clone(&services));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        // It ends only when it is told to: failed connections are the clients' affair.
        let _ = axum::serve(without_delay(listener), router).with_graceful_shutdown(stopped).await;
    });
    let schedule = tokio::spawn(schedule(Arc::clone(&services)));
    Ok(Host { addr, services, stop, serving, schedule })
}

/// Calls reconcile as the schedule of the template does.
async fn schedule(services: Arc<Services>) {
    loop {
        tokio::time::sleep(RECONCILE_EVERY).await;
        let event = json!({"time": services.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true)});
        if let Err(failure) = services.functions.invoke(reconcile::NAME, event).await {
            output::note(&format!("reconcile failed: {}", failure.document()));
        }
    }
}

/// Listens with a queue that takes a burst of connections.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port is free again as soon as its host has ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Ids differ from one start to the next: with kept tables, a request's id must not come twice.
fn seed(port: u16) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    mix(nanoseconds ^ (u64::from(std::process::id()) << 32) ^ u64::from(port))
}

/// The address for clients on this machine, also of a host that listens everywhere.
fn url_of(addr: SocketAddr) -> String {
    match addr {
        addr if !addr.ip().is_unspecified() => format!("http://{addr}"),
        SocketAddr::V4(_) => format!("http://127.0.0.1:{}", addr.port()),
        SocketAddr::V6(_) => format!("http://[::1]:{}", addr.port()),
    }
}

impl Host {
    /// The address for clients on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        url_of(self.addr)
    }

    /// Runs a state machine, as StartSyncExecution does.
    ///
    /// # Errors
    /// What Step Functions refuses before an execution starts.
    pub async fn execute(
        &self,
        machine: &str,
        name: Option<&str>,
        input: &str,
    ) -> Result<Arc<Finished>, Refusal> {
        self.services.workflows.execute(machine, name, input, None).await
    }

    /// The executions that an execution has started.
    #[must_use]
    pub fn children(&self, execution_arn: &str) -> Vec<Arc<Finished>> {
        self.services.workflows.children(execution_arn)
    }

    /// Changes faults while the host runs.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// What the models have billed, the ground truth, and how many calls of each kind there were.
    #[must_use]
    pub fn usage(&self) -> Value {
        self.services.usage()
    }

    /// Calls a function and waits for it.
    ///
    /// # Errors
    /// It fails, or does not run.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, Failure> {
        self.services.functions.invoke(function, event).await
    }

    /// The notices that were sent.
    #[must_use]
    pub fn events(&self) -> Value {
        self.services.events.list()
    }

    /// The CloudWatch of the host.
    #[must_use]
    pub fn cloudwatch(&self) -> &CloudWatch {
        &self.services.cloudwatch
    }

    /// Ends everything: requests in flight get a moment, child processes are gone afterwards.
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        self.schedule.abort();
        let _ = self.schedule.await;
        let mut serving = self.serving;
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            serving.abort();
        }
        self.services.functions.close().await;
        // Whoever still holds the services keeps the tables' thread only until then.
        if let Ok(services) = Arc::try_unwrap(self.services) {
            services.tables.close().await;
        }
    }
}
