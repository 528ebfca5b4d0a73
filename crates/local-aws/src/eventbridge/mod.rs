//! EventBridge's PutEvents: the last notices, kept in memory and listed.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::http::{Reply, new_id};

/// The media type of JSON 1.1.
const JSON: &str = "application/x-amz-json-1.1";
const MOST_ENTRIES: usize = 10;
const MOST_BYTES: usize = 262_144;

/// A callback for each event.
type Observer = Box<dyn Fn(&Value) + Send + Sync>;

/// The events, newest last, up to a number.
pub struct EventBridge {
    capacity: usize,
    observer: Option<Observer>,
    events: Mutex<VecDeque<Value>>,
}

impl std::fmt::Debug for EventBridge {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("EventBridge").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl EventBridge {
    /// Keeps the last `capacity` events.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, observer: None, events: Mutex::default() }
    }

    /// Calls this with each event that comes in.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&Value) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Performs `AWSEvents.{operation}`; only PutEvents is there.
    pub fn handle(&self, operation: &str, body: &[u8], now: DateTime<Utc>) -> Reply {
        if operation == "PutEvents" {
            return self.put_events(body, now);
        }
        refuse(
            404,
            "UnknownOperationException",
            &format!("The local EventBridge has no operation `{operation}`; it has PutEvents."),
        )
    }

    /// Takes the events of a PutEvents request.
    pub fn put_events(&self, body: &[u8], now: DateTime<Utc>) -> Reply {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return refuse(400, "SerializationException", "The body is not JSON.");
        };
        let Some(entries) = request["Entries"].as_array() else {
            return refuse(
                400,
                "ValidationException",
                "1 validation error detected: Value null at 'entries' failed to satisfy constraint: Member must not be null",
            );
        };
        if entries.is_empty() || entries.len() > MOST_ENTRIES {
            return refuse(
                400,
                "ValidationException",
                &format!(
                    "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length from 1 to {MOST_ENTRIES}"
                ),
            );
        }
        if body.len() > MOST_BYTES {
            return refuse(
                413,
                "RequestEntityTooLarge",
                &format!("Total size of the entries in the request is over the limit of {MOST_BYTES} bytes."),
            );
        }
        let results: Vec<_> = entries.iter().map(|entry| self.take(entry, now)).collect();
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        Reply::json(200, JSON, &json!({ "FailedEntryCount": failed, "Entries": results }))
    }

    /// The events that are kept, newest first, in EventBridge's own form.
    #[must_use]
    pub fn list(&self) -> Value {
        json!({ "events": self.events().iter().rev().cloned().collect::<Vec<_>>() })
    }

    fn take(&self, entry: &Value, now: DateTime<Utc>) -> Value {
        let event = match read(entry, now) {
            Ok(event) => event,
            Err((code, message)) => return json!({ "ErrorCode": code, "ErrorMessage": message }),
        };
        let event = {
            let mut events = self.events();
            let id = new_id();
            let mut event = event;
            event.insert("id".into(), json!(id));
            let event = Value::Object(event);
            events.push_back(event.clone());
            while events.len() > self.capacity {
                events.pop_front();
            }
            event
        };
        if let Some(observer) = &self.observer {
            observer(&event);
        }
        json!({ "EventId": event["id"] })
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<Value>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type RefusedEntry = (&'static str, String);

fn read(entry: &Value, now: DateTime<Utc>) -> Result<Map<String, Value>, RefusedEntry> {
    let text = |name: &str| {
        let text = entry[name].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| {
            (
                "InvalidArgument",
                format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
            )
        })
    };
    let source = text("Source")?;
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".into()));
    }
    let kind = text("DetailType")?;
    let detail: Value = serde_json::from_str(text("Detail")?)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
    let time = match &entry["Time"] {
        Value::Null => now,
        Value::String(text) => DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .map_err(|_| ("InvalidArgument", "Parameter Time is not valid.".to_owned()))?,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and times out of range are refused"
        )]
        other => other
            .as_f64()
            .and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0))
            .ok_or_else(|| ("InvalidArgument", "Parameter Time is not valid.".to_owned()))?,
    };
    let resources = match &entry["Resources"] {
        Value::Null => json!([]),
        Value::Array(items) if items.iter().all(Value::is_string) => json!(items),
        _ => {
            return Err(("InvalidArgument", "Parameter Resources is not valid.".into()));
        }
    };
    let mut event = Map::new();
    for (name, value) in [
        ("version", json!("0")),
        ("detail-type", json!(kind)),
        ("source", json!(source)),
        ("account", json!("000000000000")),
        ("time", json!(time.to_rfc3339_opts(SecondsFormat::Secs, true))),
        ("region", json!("us-east-1")),
        ("resources", resources),
        ("detail", detail),
    ] {
        event.insert(name.into(), value);
    }
    Ok(event)
}

fn refuse(status: u16, name: &str, message: &str) -> Reply {
    Reply::json(status, JSON, &json!({ "__type": name, "message": message }))
        .with_header("x-amzn-errortype", name)
}
