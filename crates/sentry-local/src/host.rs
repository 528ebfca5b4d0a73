//! A running host: which tables, functions and state machines there are.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::SecondsFormat;
use local_aws::Services;
use local_aws::bedrock::BedrockConfig;
use local_aws::bedrock::backend::Backend;
use local_aws::cloudwatch::{CloudWatch, CloudWatchConfig};
use local_aws::dynamodb::{DynamoDb, NumberIndex, TableStore};
use local_aws::eventbridge::EventBridge;
use local_aws::faults::Faults;
use local_aws::http::{Server, listen, router, url_of};
use local_aws::lambda::{InvocationFailure, Lambda};
use local_aws::stepfunctions::{ExecutionRefusal, Finished, StepFunctions};
use sentry_aws::{Connection, KeysTable, LimitsTable};
use sentry_core::model::ModelId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::config::{BedrockBackend, Config, StartError};
use crate::door::{self, Door};
use crate::functions;
use crate::machines::substituted;
use crate::names::{CLAIMS_TABLE, KEYS_TABLE, LEDGER_TABLE, LIMITS_TABLE};
use crate::output;

/// Events that are kept.
const EVENTS: usize = 1_000;
/// How often the ledger is reconciled.
const RECONCILE_EVERY: std::time::Duration = std::time::Duration::from_secs(300);

/// A host that serves until it is shut down.
#[derive(Debug)]
pub struct Host {
    /// Where it listens.
    pub addr: SocketAddr,
    services: Arc<Services>,
    server: Server,
    schedule: JoinHandle<()>,
}

/// Starts everything and serves it.
///
/// # Errors
/// A port in use, or a setting that cannot work; the message says what to do.
pub async fn start(config: Config) -> Result<Host, StartError> {
    let address = SocketAddr::new(config.host, config.port);
    let failed = |error: std::io::Error| StartError::Listen {
        address: address.to_string(),
        reason: error.to_string(),
    };
    let listener = listen(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortInUse(config.port),
        _ => failed(error),
    })?;
    let addr = listener.local_addr().map_err(failed)?;
    let endpoint = url_of(addr);

    let faults = Arc::new(Faults::parse(&config.faults, 0)?);
    let cloudwatch_config = CloudWatchConfig { lag: config.metric_lag, ..CloudWatchConfig::default() };
    let cloudwatch = Arc::new(CloudWatch::new(cloudwatch_config, Arc::clone(&faults)));
    let bedrock = Arc::new(models(&config, &faults, &cloudwatch)?);
    let mut eventbridge = EventBridge::new(EVENTS);
    if config.print_events {
        eventbridge = eventbridge.with_observer(|event| output::note(&format!("event {event}")));
    }
    let eventbridge = Arc::new(eventbridge);
    let dynamodb = tables(&config, Arc::clone(&faults)).await?;
    let runtime = functions::runtime(&endpoint, &config).await;
    let lambda = Arc::new(Lambda::new(runtime, Arc::clone(&faults)).await?);
    let stepfunctions = StepFunctions::new(
        substituted(&config.machines, &functions::function_names())?,
        Arc::clone(&lambda),
        Arc::clone(&bedrock),
        Arc::clone(&eventbridge),
        config.clock,
    )?;
    let services = Arc::new(Services {
        dynamodb,
        cloudwatch,
        bedrock,
        eventbridge,
        lambda,
        stepfunctions,
        faults,
        clock: config.clock,
    });

    let connection = Connection::local(&endpoint).await;
    let limits = LimitsTable::new(&connection, LIMITS_TABLE.to_owned());
    let keys = KeysTable::new(&connection, KEYS_TABLE.to_owned());
    let door = door::router(Door::new(Arc::clone(&services), limits, keys));
    let server = Server::start(listener, door.merge(router(Arc::clone(&services))));
    let schedule = tokio::spawn(schedule(Arc::clone(&services)));
    Ok(Host { addr, services, server, schedule })
}

/// The models that the settings ask for.
fn models(
    config: &Config,
    faults: &Arc<Faults>,
    cloudwatch: &Arc<CloudWatch>,
) -> Result<Backend, StartError> {
    let (faults, cloudwatch) = (Arc::clone(faults), Arc::clone(cloudwatch));
    match &config.bedrock {
        BedrockBackend::Simulated => {
            let settings = BedrockConfig {
                latency: config.model_latency,
                aliases: aliases(&config.limits),
                ..BedrockConfig::default()
            };
            Ok(Backend::simulated(settings, faults, cloudwatch))
        }
        BedrockBackend::Endpoint(endpoint) => Backend::at(endpoint, config.clock, faults, cloudwatch)
            .map_err(|reason| StartError::Endpoint(format!("--bedrock: {reason}"))),
    }
}

/// Opaque ids and the models behind them, from `aliasOf` of the limit items at the start. The
/// simulated Bedrock checks the native body of such an id as that of its model.
fn aliases(limits: &[Value]) -> Vec<(String, String)> {
    sentry_core::limit::aliases(limits)
        .into_iter()
        .filter(|(id, _)| ModelId::parse(id).is_ok_and(|model| model.opaque))
        .map(|(id, target)| (id, target.id))
        .collect()
}

/// Opens the tables, creates those that are missing and puts the limits and keys that are.
async fn tables(config: &Config, faults: Arc<Faults>) -> Result<DynamoDb, StartError> {
    let (store, option) = match (&config.dynamodb, &config.data) {
        (Some(endpoint), _) => (TableStore::Endpoint(endpoint.clone()), "--dynamodb: "),
        (None, Some(folder)) => (TableStore::Folder(folder.clone()), "--data: "),
        (None, None) => (TableStore::Memory, ""),
    };
    let dynamodb =
        DynamoDb::open(&store, faults).map_err(|error| StartError::Tables(format!("{option}{error}")))?;
    let by_month = NumberIndex { name: "period-index", attribute: "period" };
    let tables = [
        (LIMITS_TABLE, "modelId", None),
        (LEDGER_TABLE, "budget", Some(&by_month)),
        (CLAIMS_TABLE, "claim", None),
        (KEYS_TABLE, "keyId", None),
    ];
    for (table, key, index) in tables {
        dynamodb
            .create_table(table, key, index)
            .await
            .map_err(|error| StartError::Tables(format!("{option}{error}")))?;
    }
    for item in &config.limits {
        let key = item["modelId"].as_str().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| {
            StartError::Limits(format!("the limit item {item} has no modelId; write {{\"modelId\": \"default\", \"limit\": {{\"input\": 100000, \"output\": 300000}}}}"))
        })?;
        dynamodb
            .put_if_absent(LIMITS_TABLE, "modelId", item)
            .await
            .map_err(|error| StartError::Limits(format!("the limit item {key:?} cannot be put: {error}")))?;
    }
    for item in &config.keys {
        dynamodb
            .put_if_absent(KEYS_TABLE, "keyId", item)
            .await
            .map_err(|error| StartError::Tables(format!("an API key cannot be put: {error}")))?;
    }
    Ok(dynamodb)
}

/// Calls reconcile as the schedule of the template does.
async fn schedule(services: Arc<Services>) {
    loop {
        tokio::time::sleep(RECONCILE_EVERY).await;
        let event = json!({"time": services.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true)});
        if let Err(failure) = services.lambda.invoke(reconcile::NAME, event).await {
            output::note(&format!("reconcile failed: {}", failure.document()));
        }
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
    ) -> Result<Arc<Finished>, ExecutionRefusal> {
        self.services.stepfunctions.execute(machine, name, input, None).await
    }

    /// The executions that an execution has started.
    #[must_use]
    pub fn children(&self, execution_arn: &str) -> Vec<Arc<Finished>> {
        self.services.stepfunctions.children(execution_arn)
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
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvocationFailure> {
        self.services.lambda.invoke(function, event).await
    }

    /// The notices that were sent.
    #[must_use]
    pub fn events(&self) -> Value {
        self.services.eventbridge.list()
    }

    /// The CloudWatch of the host.
    #[must_use]
    pub fn cloudwatch(&self) -> &CloudWatch {
        &self.services.cloudwatch
    }

    /// Ends everything: requests in flight get a moment, child processes are gone afterwards.
    pub async fn shutdown(self) {
        self.schedule.abort();
        let _ = self.schedule.await;
        self.server.shutdown().await;
        self.services.lambda.close().await;
        // A task that still holds the services closes the tables when it drops them.
        if let Ok(services) = Arc::try_unwrap(self.services) {
            services.dynamodb.close().await;
        }
    }
}
