//! A local CloudWatch: GetMetricData, ListMetrics and PutMetricData, in the three protocols that
//! SDKs of different age speak.
//!
//! It is fed with every call of the simulated (or proxied) Bedrock and shows each only after a
//! lag. Periods and ages of data are treated as the real service treats them, so that a query that
//! the real service answers without data is answered without data here.

mod cbor;
mod data;
mod form;
mod input;
mod metrics;
mod store;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::bedrock::usage::{CallOutcome, UsageEvent, UsageSink};
use crate::faults::{Fault, Faults};
use crate::http::{Reply, new_id};
use input::CloudWatchError;
use store::{MetricKey, MetricStore, Stats};

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct CloudWatchConfig {
    /// From the time of a value to the moment when it can be seen.
    pub lag: TimeDelta,
    /// Datapoints on a page of GetMetricData.
    pub page_datapoints: usize,
    /// Results on a page of GetMetricData.
    pub page_results: usize,
    /// Metrics on a page of ListMetrics.
    pub page_metrics: usize,
}

impl Default for CloudWatchConfig {
    fn default() -> Self {
        Self { lag: TimeDelta::seconds(60), page_datapoints: 100_800, page_results: 500, page_metrics: 500 }
    }
}

/// The local service. One for the whole host, behind an `Arc`.
#[derive(Debug)]
pub struct CloudWatch {
    config: CloudWatchConfig,
    faults: Arc<Faults>,
    store: Mutex<MetricStore>,
}

/// Namespace of Bedrock's metrics.
const BEDROCK: &str = "AWS/Bedrock";

impl CloudWatch {
    /// An empty service with these faults.
    #[must_use]
    pub fn new(config: CloudWatchConfig, faults: Arc<Faults>) -> Self {
        let store = Mutex::new(MetricStore::new(config.lag));
        Self { config, faults, store }
    }

    /// `POST /service/GraniteServiceVersion20100801/operation/{operation}` in CBOR.
    pub fn handle_cbor(&self, operation: &str, body: &[u8], now: DateTime<Utc>) -> Reply {
        let id = new_id();
        let result = match cbor::read(body) {
            Some(input) => self.operate(operation, &input, now),
            None => Err(CloudWatchError {
                shape: "SerializationException",
                code: "SerializationException",
                status: 400,
                message: "The body is not CBOR.".into(),
            }
            .into()),
        };
        let reply = |status, body: &Value| {
            Reply::new(status, "application/cbor", cbor::write(body))
                .with_header("smithy-protocol", "rpc-v2-cbor")
        };
        finish(
            &result,
            &id,
            |output| reply(200, output),
            |error| {
                reply(
                    error.status,
                    &json!({ "__type": format!("com.amazonaws.cloudwatch#{}", error.shape), "message": error.message }),
                )
            },
        )
    }

    /// `POST /` with a form: the Query protocol.
    pub fn handle_query(&self, body: &[u8], now: DateTime<Utc>) -> Reply {
        let id = new_id();
        let input = form::read(body);
        let action = input.as_ref().and_then(|input| input["Action"].as_str()).unwrap_or_default().to_owned();
        let result = match input {
            Some(mut input) => {
                if let Some(map) = input.as_object_mut() {
                    map.remove("Action");
                    map.remove("Version");
                }
                self.operate(&action, &input, now)
            }
            None => Err(CloudWatchError {
                shape: "MalformedInput",
                code: "MalformedQueryString",
                status: 400,
                message: "The form cannot be read.".into(),
            }
            .into()),
        };
        let reply = |status, xml| Reply::new(status, "text/xml", xml);
        finish(
            &result,
            &id,
            |output| reply(200, form::write(&action, output, &id)),
            |error| reply(error.status, form::write_error(error.code, error.status, &error.message, &id)),
        )
    }

    /// `POST /` with `X-Amz-Target: GraniteServiceVersion20100801.{operation}`: JSON 1.0.
    pub fn handle_json(&self, operation: &str, body: &[u8], now: DateTime<Utc>) -> Reply {
        let id = new_id();
        let result = match serde_json::from_slice(body) {
            Ok(input) => self.operate(operation, &input, now),
            Err(_) => Err(CloudWatchError {
                shape: "SerializationException",
                code: "SerializationException",
                status: 400,
                message: "The body is not JSON.".into(),
            }
            .into()),
        };
        let reply = |status, body: &Value| Reply::json(status, "application/x-amz-json-1.0", body);
        finish(
            &result,
            &id,
            |output| reply(200, output),
            |error| {
                reply(
                    error.status,
                    &json!({ "__type": format!("com.amazonaws.cloudwatch#{}", error.shape), "message": error.message }),
                )
            },
        )
    }

    /// Performs an operation on a request in JSON.
    fn operate(
        &self,
        operation: &str,
        input: &Value,
        now: DateTime<Utc>,
    ) -> Result<Value, CloudWatchFailure> {
        let fault = self.faults.take("cloudwatch", operation);
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.lost_reply) {
            return Err(CloudWatchError::from(fault).into());
        }
        let output = {
            let mut store = self.store();
            store.advance(now);
            match operation {
                "GetMetricData" => {
                    data::get(&store, input, now, self.config.page_datapoints, self.config.page_results)
                }
                "ListMetrics" => metrics::list(&store, input, now, self.config.page_metrics),
                "PutMetricData" => metrics::put(&mut store, input, now),
                other => Err(CloudWatchError {
                    shape: "UnknownOperationException",
                    code: "InvalidAction",
                    status: 404,
                    message: format!(
                        "The local CloudWatch has no operation `{other}`; it has GetMetricData, ListMetrics and PutMetricData."
                    ),
                }),
            }?
        };
        if fault.is_some() { Err(CloudWatchFailure::Lost) } else { Ok(output) }
    }

    fn store(&self) -> MutexGuard<'_, MetricStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UsageSink for CloudWatch {
    /// Puts a call of Bedrock into its metrics, by the single dimension ModelId.
    fn record(&self, event: &UsageEvent) {
        let mut values: Vec<(&str, u64)> = Vec::with_capacity(6);
        match event.outcome {
            CallOutcome::Success => {
                values.extend([("Invocations", 1), ("InvocationLatency", event.latency_ms)])
            }
            CallOutcome::ClientError => values.push(("InvocationClientErrors", 1)),
            CallOutcome::ServerError => values.push(("InvocationServerErrors", 1)),
            CallOutcome::Throttled => values.push(("InvocationThrottles", 1)),
        }
        if let Some(usage) = event.usage {
            values.extend([("InputTokenCount", usage.input), ("OutputTokenCount", usage.output)]);
            let cached = [
                ("CacheReadInputTokenCount", usage.cache_read),
                ("CacheWriteInputTokenCount", usage.cache_write),
            ];
            values.extend(cached.into_iter().filter(|(_, tokens)| *tokens > 0));
        }
        let mut store = self.store();
        for (name, value) in values {
            let key = MetricKey::new(BEDROCK, name, vec![("ModelId".to_owned(), event.model_id.clone())]);
            // Exact up to 2^53, which no count of tokens reaches.
            #[expect(clippy::cast_precision_loss, reason = "see above")]
            store.put(key, event.at, Stats::of(value as f64));
        }
    }
}

#[derive(Debug)]
enum CloudWatchFailure {
    Refused(CloudWatchError),
    Lost,
}

impl From<CloudWatchError> for CloudWatchFailure {
    fn from(error: CloudWatchError) -> Self {
        Self::Refused(error)
    }
}

impl From<&Fault> for CloudWatchError {
    fn from(fault: &Fault) -> Self {
        let code = match fault.name {
            "InternalServiceFault" => "InternalServiceError",
            "ThrottlingException" => "Throttling",
            other => other,
        };
        Self { shape: fault.name, code, status: fault.status, message: fault.message.to_owned() }
    }
}

/// The reply of a result: written by the protocol, marked in the same way by all.
fn finish(
    result: &Result<Value, CloudWatchFailure>,
    id: &str,
    success: impl FnOnce(&Value) -> Reply,
    failure: impl FnOnce(&CloudWatchError) -> Reply,
) -> Reply {
    match result {
        Ok(output) => success(output).with_header("x-amzn-requestid", id),
        Err(CloudWatchFailure::Refused(error)) => {
            let fault = if error.status < 500 { "Sender" } else { "Receiver" };
            failure(error)
                .with_header("x-amzn-requestid", id)
                .with_header("x-amzn-errortype", error.shape)
                .with_header("x-amzn-query-error", format!("{};{fault}", error.code))
        }
        Err(CloudWatchFailure::Lost) => {
            let mut reply = Reply::json(500, "application/json", &json!({}));
            reply.lost = true;
            reply
        }
    }
}
