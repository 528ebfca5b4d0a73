//! The host's own paths below `/_local/`: usage, events and executions so far, and the faults in force.

use axum::http::Method;
use serde_json::{Value, json};

use super::Services;
use crate::http::Reply;

/// Answers a path below `/_local/`; nothing when there is no such path.
pub(super) fn handle(services: &Services, method: &Method, path: &[&str], body: &[u8]) -> Option<Reply> {
    let found = |document: &Value| Some(Reply::json(200, "application/json", document));
    match (method, path) {
        (&Method::GET, ["health"]) => {
            found(&json!({"status": "ok", "now": services.clock.now().to_rfc3339()}))
        }
        (&Method::GET, ["usage"]) => found(&services.usage()),
        (&Method::GET, ["events"]) => found(&services.eventbridge.list()),
        (&Method::GET, ["executions"]) => found(&json!({"executions": services.stepfunctions.recent()})),
        (&Method::GET, ["executions", name]) => {
            let executions = services.stepfunctions.history(name);
            if executions.is_empty() {
                let message = format!(
                    "No execution of the name {name:?} is remembered; the last 200 are, see /_local/executions."
                );
                return Some(super::error(404, "ExecutionDoesNotExist", &message));
            }
            found(&json!({"executions": executions}))
        }
        (&Method::GET, ["faults"]) => found(&services.faults.list()),
        (&Method::POST, ["faults"]) => match services.faults.set(body) {
            Ok(list) => found(&list),
            Err(error) => Some(super::error(400, "ValidationException", &error.to_string())),
        },
        (&Method::DELETE, ["faults"]) => {
            services.faults.clear();
            found(&services.faults.list())
        }
        _ => None,
    }
}
