//! DynamoDB: an embedded emulator on a thread of its own, or another host's tables.
//!
//! The emulator blocks while it works, and SQLite does one thing at a time anyway. So it has its
//! own thread behind a loopback listener, and the host passes requests on, after the faults.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, oneshot};

use crate::config::{Config, StartError};
use crate::faults::Faults;
use crate::forward::Forwarder;
use crate::names::{LEDGER_TABLE, LIMITS_TABLE};
use crate::reply::Reply;

const JSON: &str = "application/x-amz-json-1.0";
const TARGET: &str = "DynamoDB_20120810.";
/// Requests at the emulator at the same time: more would only wait there, each on a connection.
const AT_ONCE: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(30);

/// The tables of the host.
#[derive(Debug)]
pub struct Tables {
    forwarder: Forwarder,
    permits: Semaphore,
    faults: Arc<Faults>,
    calls: Mutex<BTreeMap<String, u64>>,
    emulator: Option<Emulator>,
}

#[derive(Debug)]
struct Emulator {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tables {
    /// Opens the tables, creates those that are missing and puts the limits that are.
    ///
    /// # Errors
    /// They cannot be opened, reached or written.
    pub async fn open(config: &Config, faults: Arc<Faults>) -> Result<Self, StartError> {
        let (endpoint, emulator) = match &config.dynamodb {
            Some(endpoint) => (endpoint.clone(), None),
            None => {
                let (endpoint, emulator) =
                    Emulator::start(config.data.as_deref()).map_err(StartError::Tables)?;
                (endpoint, Some(emulator))
            }
        };
        let forwarder = Forwarder::new(&endpoint, TIMEOUT)
            .map_err(|reason| StartError::Endpoint(format!("--dynamodb: {reason}")))?;
        let tables =
            Self { forwarder, permits: Semaphore::new(AT_ONCE), faults, calls: Mutex::default(), emulator };
        tables.create(LIMITS_TABLE, "modelId").await?;
        tables.create(LEDGER_TABLE, "budget").await?;
        for item in &config.limits {
            tables.put_if_absent(item).await?;
        }
        Ok(tables)
    }

    /// Passes an operation on, unless a fault strikes it.
    pub async fn handle(&self, target: &str, headers: &HeaderMap, body: Vec<u8>) -> Reply {
        let operation = target.rsplit('.').next().unwrap_or_default();
        self.count(operation);
        let fault = self.faults.take("dynamodb", operation);
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.lost_reply) {
            return refuse(fault.status, fault.name, fault.message);
        }
        let mut reply = self.forward(headers, body).await;
        reply.lost = fault.is_some();
        reply
    }

    fn count(&self, operation: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(operation.to_owned()).or_default() += 1;
    }

    /// How many calls there were of each operation.
    #[must_use]
    pub fn calls(&self) -> Value {
        json!(*self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops the emulator, after what it is doing.
    pub async fn close(mut self) {
        if let Some(mut emulator) = self.emulator.take() {
            drop(emulator.stop.take());
            if let Some(thread) = emulator.thread.take() {
                // Joining blocks, for as long as the last request takes.
                let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            }
        }
    }

    async fn forward(&self, headers: &HeaderMap, body: Vec<u8>) -> Reply {
        let Ok(_permit) = self.permits.acquire().await else {
            return refuse(503, "ServiceUnavailable", "The host is shutting down.");
        };
        match self.forwarder.send(Method::POST, "/", headers, body).await {
            Ok(reply) => reply,
            Err(error) => refuse(503, "ServiceUnavailable", &error.to_string()),
        }
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<Value, (String, String)> {
        let mut headers = HeaderMap::new();
        let target = HeaderValue::try_from(format!("{TARGET}{operation}"));
        headers.insert("x-amz-target", target.unwrap_or(HeaderValue::from_static("")));
        headers.insert("content-type", HeaderValue::from_static(JSON));
        headers.insert("x-amz-date", HeaderValue::from_static("20260101T000000Z"));
        headers.insert("authorization", HeaderValue::from_static(
            "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        ));
        let reply = self.forward(&headers, body.to_string().into_bytes()).await;
        let document = reply.json_body();
        if reply.status == StatusCode::OK.as_u16() {
            return Ok(document);
        }
        let name = document["__type"].as_str().unwrap_or_default();
        let name = name.rsplit('#').next().unwrap_or_default().to_owned();
        let message = document["message"].as_str().or(document["Message"].as_str()).unwrap_or_default();
        Err((name, message.to_owned()))
    }

    async fn create(&self, table: &str, key: &str) -> Result<(), StartError> {
        let request = json!({
            "TableName": table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        });
        match self.call("CreateTable", &request).await {
            Ok(_) => Ok(()),
            Err((name, _)) if name == "ResourceInUseException" => Ok(()),
            Err((_, message)) => Err(StartError::Tables(format!(
                "the table {table} cannot be created at {}: {message}",
                self.forwarder.endpoint()
            ))),
        }
    }

    async fn put_if_absent(&self, item: &Value) -> Result<(), StartError> {
        let key = item["modelId"].as_str().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| {
            StartError::Limits(format!("the limit item {item} has no modelId; write {{\"modelId\": \"default\", \"limit\": {{\"input\": 100000, \"output\": 300000}}}}"))
        })?;
        let attributes = attribute(item);
        let request = json!({
            "TableName": LIMITS_TABLE,
            "Item": attributes["M"],
            "ConditionExpression": "attribute_not_exists(modelId)",
        });
        match self.call("PutItem", &request).await {
            Ok(_) => Ok(()),
            Err((name, _)) if name == "ConditionalCheckFailedException" => Ok(()),
            Err((_, message)) => {
                Err(StartError::Limits(format!("the limit item {key:?} cannot be put: {message}")))
            }
        }
    }
}

impl Emulator {
    fn start(directory: Option<&Path>) -> Result<(String, Self), String> {
        let database = match directory {
            None => dynoxide::Database::memory()
                .map_err(|error| format!("the tables cannot be opened: {error}"))?,
            Some(directory) => {
                std::fs::create_dir_all(directory).map_err(|error| {
                    format!("the folder {} of --data cannot be created: {error}", directory.display())
                })?;
                let file = directory.join("tables.sqlite");
                let path = file
                    .to_str()
                    .ok_or_else(|| format!("--data {} is not valid UTF-8", directory.display()))?;
                dynoxide::Database::new(path)
                    .map_err(|error| format!("the tables in {path} cannot be opened: {error}"))?
            }
        };
        let failed = |error: std::io::Error| format!("the tables cannot be served: {error}");
        let listener =
            std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("tables".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                    let serving =
                        dynoxide::server::serve_with_shutdown(listener, database, std::future::pending());
                    // Connections are kept open by the host, so nobody waits for their end.
                    tokio::select! {
                        _ = serving => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok((format!("http://{address}"), Self { stop: Some(stop), thread: Some(thread) }))
    }
}

/// A JSON value in DynamoDB's notation.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({"M": members})
        }
    }
}

fn refuse(status: u16, name: &str, message: &str) -> Reply {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": message});
    Reply::json(status, JSON, &body).with_header("x-amzn-errortype", name)
}
