//! DynamoDB: an embedded emulator on a thread of its own, or another host's tables.
//!
//! The emulator blocks while it works, and SQLite does one thing at a time anyway. So it has its
//! own thread behind a loopback listener, and the host passes requests on, after the faults.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, oneshot};

use crate::faults::Faults;
use crate::http::Reply;
use crate::http::forward::Forwarder;

const JSON: &str = "application/x-amz-json-1.0";
const TARGET: &str = "DynamoDB_20120810.";
/// Requests at the emulator at the same time: more would only wait there, each on a connection.
const AT_ONCE: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the tables are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableStore {
    /// In memory: they end with the process.
    Memory,
    /// In a file in this folder, which is created.
    Folder(PathBuf),
    /// At an endpoint that speaks DynamoDB's API and needs no signature.
    Endpoint(String),
}

impl std::fmt::Display for TableStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => out.write_str("memory"),
            Self::Folder(folder) => write!(out, "{}", folder.display()),
            Self::Endpoint(endpoint) => out.write_str(endpoint),
        }
    }
}

/// A global secondary index of keys by a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberIndex {
    /// The index's name.
    pub name: &'static str,
    /// The attribute that is its partition key; its sort key is the table's key.
    pub attribute: &'static str,
}

/// Tables that cannot be opened, reached or written. The message says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);

/// The tables.
#[derive(Debug)]
pub struct DynamoDb {
    forwarder: Forwarder,
    permits: Semaphore,
    faults: Arc<Faults>,
    calls: Mutex<BTreeMap<String, u64>>,
    emulator: Option<Emulator>,
    /// Where the tables are, for messages.
    place: String,
}

#[derive(Debug)]
struct Emulator {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Held as long as the database is open.
    _lock: Option<File>,
}

impl DynamoDb {
    /// Opens the tables.
    ///
    /// # Errors
    /// The store cannot be opened, or its endpoint is not an address.
    pub fn open(store: &TableStore, faults: Arc<Faults>) -> Result<Self, StoreError> {
        let (endpoint, emulator) = match store {
            TableStore::Endpoint(endpoint) => (endpoint.clone(), None),
            TableStore::Memory => {
                let (endpoint, emulator) = Emulator::start(None).map_err(StoreError)?;
                (endpoint, Some(emulator))
            }
            TableStore::Folder(folder) => {
                let (endpoint, emulator) = Emulator::start(Some(folder)).map_err(StoreError)?;
                (endpoint, Some(emulator))
            }
        };
        let forwarder = Forwarder::new(&endpoint, TIMEOUT).map_err(StoreError)?;
        let place = store.to_string();
        let (permits, calls) = (Semaphore::new(AT_ONCE), Mutex::default());
        Ok(Self { forwarder, permits, faults, calls, emulator, place })
    }

    /// Passes an operation on, unless a fault applies to it.
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

    /// Stops the emulator after the request that it is serving.
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

    /// Creates a table with a key of one text attribute, unless it is there.
    ///
    /// # Errors
    /// The store refuses it or does not answer, or the table is there with another key or without
    /// the index.
    pub async fn create_table(
        &self,
        table: &str,
        key: &str,
        index: Option<&NumberIndex>,
    ) -> Result<(), StoreError> {
        let mut request = json!({
            "TableName": table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        });
        if let Some(NumberIndex { name, attribute }) = index {
            request["AttributeDefinitions"] = json!([
                {"AttributeName": key, "AttributeType": "S"},
                {"AttributeName": attribute, "AttributeType": "N"},
            ]);
            request["GlobalSecondaryIndexes"] = json!([{
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": attribute, "KeyType": "HASH"},
                    {"AttributeName": key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }]);
        }
        match self.call("CreateTable", &request).await {
            Ok(_) => Ok(()),
            Err((name, _)) if name == "ResourceInUseException" => self.check_table(table, &request).await,
            Err((_, message)) => {
                Err(StoreError(format!("the table {table} cannot be created in {}: {message}", self.place)))
            }
        }
    }

    /// Checks that a table has the key and the index of this request to create it. Another version
    /// of the host may have made it.
    async fn check_table(&self, table: &str, wanted: &Value) -> Result<(), StoreError> {
        let found =
            self.call("DescribeTable", &json!({"TableName": table})).await.map_err(|(_, message)| {
                StoreError(format!("the table {table} in {} cannot be described: {message}", self.place))
            })?;
        let Some(difference) = difference(&found["Table"], wanted) else { return Ok(()) };
        let remedy = if self.emulator.is_some() {
            "move the folder away to begin with empty tables, or use another folder"
        } else {
            "delete the table there, or use another endpoint"
        };
        let place = &self.place;
        Err(StoreError(format!(
            "the table {table} in {place} was made by another version: {difference}; {remedy}"
        )))
    }

    /// Puts an item, a JSON object, unless there is one with the same value of the attribute `key`.
    ///
    /// # Errors
    /// The store refuses it or does not answer.
    pub async fn put_if_absent(&self, table: &str, key: &str, item: &Value) -> Result<(), StoreError> {
        let attributes = attribute(item);
        let request = json!({
            "TableName": table,
            "Item": attributes["M"],
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": key},
        });
        match self.call("PutItem", &request).await {
            Ok(_) => Ok(()),
            Err((name, _)) if name == "ConditionalCheckFailedException" => Ok(()),
            Err((_, message)) => Err(StoreError(message)),
        }
    }
}

/// What of a table's key and indexes is not as the request to create it has them.
fn difference(found: &Value, wanted: &Value) -> Option<String> {
    fn key(of: &Value) -> Vec<&str> {
        of["KeySchema"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["AttributeName"].as_str())
            .collect()
    }
    fn indexes(table: &Value) -> &[Value] {
        table["GlobalSecondaryIndexes"].as_array().map_or(&[], Vec::as_slice)
    }
    if key(found) != key(wanted) {
        return Some(format!("its key is {}, not {}", key(found).join(", "), key(wanted).join(", ")));
    }
    let is_there = |index: &&Value| {
        indexes(found)
            .iter()
            .any(|there| there["IndexName"] == index["IndexName"] && key(there) == key(index))
    };
    let missing = indexes(wanted).iter().find(|index| !is_there(index))?;
    let name = missing["IndexName"].as_str().unwrap_or_default();
    Some(format!("it has no index {name} with the key {}", key(missing).join(", ")))
}

/// A database in a file, which no other process may open at the same time.
fn database_in(folder: &Path) -> Result<(dynoxide::Database, File), String> {
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("the folder {} cannot be created: {error}", folder.display()))?;
    let lock = folder.join("tables.lock");
    let lock = File::create(&lock)
        .map_err(|error| format!("the file {} cannot be written: {error}", lock.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(format!(
                "the folder {} is in use by another host; end it, or use another folder",
                folder.display()
            ));
        }
        Err(TryLockError::Error(error)) => {
            return Err(format!("the folder {} cannot be locked: {error}", folder.display()));
        }
    }
    let file = folder.join("tables.sqlite");
    let path = file.to_str().ok_or_else(|| format!("the folder {} is not valid UTF-8", folder.display()))?;
    let database = dynoxide::Database::new(path)
        .map_err(|error| format!("the tables in {path} cannot be opened: {}", reason(&file, &error)))?;
    Ok((database, lock))
}

/// Why a file is no database, and what to do about it.
fn reason(file: &Path, error: &dynoxide::DynoxideError) -> String {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    match read {
        Err(error) => error.to_string(),
        Ok(1..) if start != MAGIC => {
            "the file is not a SQLite database; move it away to begin with empty tables".to_owned()
        }
        Ok(_) => format!("{error}; if the file is damaged, move it away to begin with empty tables"),
    }
}

impl Emulator {
    fn start(folder: Option<&Path>) -> Result<(String, Self), String> {
        let (database, lock) = match folder {
            None => {
                let database = dynoxide::Database::memory()
                    .map_err(|error| format!("the tables cannot be opened: {error}"))?;
                (database, None)
            }
            Some(folder) => {
                let (database, lock) = database_in(folder)?;
                (database, Some(lock))
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
                    // The host keeps its connections open, so the end does not wait for them to close.
                    tokio::select! {
                        _ = serving => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok((format!("http://{address}"), Self { stop: Some(stop), thread: Some(thread), _lock: lock }))
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
