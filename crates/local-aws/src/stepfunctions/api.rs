//! Step Functions' API, in JSON 1.0.
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html>

use serde_json::{Value, json};

use super::{ExecutionRefusal, StepFunctions, epoch_seconds, sync_execution_document};
use crate::arn::{ACCOUNT, machine_arn};
use crate::http::Reply;

const JSON: &str = "application/x-amz-json-1.0";

/// Performs `AWSStepFunctions.{operation}`.
pub(crate) async fn handle(workflows: &StepFunctions, operation: &str, body: &[u8]) -> Reply {
    let result = match serde_json::from_slice::<Value>(body) {
        Ok(request) if request.is_object() => perform(workflows, operation, &request).await,
        _ => Err(ExecutionRefusal::new("SerializationException", "The body is not a JSON object.")),
    };
    match result {
        Ok(document) => Reply::json(200, JSON, &document),
        Err(refusal) => {
            let body = json!({"__type": format!("com.amazonaws.swf.service.v2.model#{}", refusal.name), "message": refusal.message});
            Reply::json(400, JSON, &body).with_header("x-amzn-errortype", refusal.name)
        }
    }
}

async fn perform(
    workflows: &StepFunctions,
    operation: &str,
    request: &Value,
) -> Result<Value, ExecutionRefusal> {
    match operation {
        "StartSyncExecution" => {
            let (machine, _) = workflows.describe(required(request, "stateMachineArn")?)?;
            let input = optional(request, "input")?.unwrap_or("{}");
            let finished = workflows.execute(machine, optional(request, "name")?, input, None).await?;
            Ok(sync_execution_document(&finished, input, false))
        }
        "DescribeStateMachine" => {
            let (name, definition) = workflows.describe(required(request, "stateMachineArn")?)?;
            Ok(json!({
                "stateMachineArn": machine_arn(name),
                "name": name,
                "status": "ACTIVE",
                "definition": definition,
                "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
                "type": "EXPRESS",
                "creationDate": epoch_seconds(workflows.created()),
                "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
                "tracingConfiguration": {"enabled": false},
            }))
        }
        "ListStateMachines" => {
            let machines: Vec<Value> = workflows
                .names()
                .map(|name| {
                    json!({
                        "stateMachineArn": machine_arn(name),
                        "name": name,
                        "type": "EXPRESS",
                        "creationDate": epoch_seconds(workflows.created()),
                    })
                })
                .collect();
            Ok(json!({"stateMachines": machines}))
        }
        other => Err(ExecutionRefusal::new(
            "UnknownOperationException",
            format!(
                "The local Step Lambda has no operation {other:?}; it has StartSyncExecution, DescribeStateMachine and ListStateMachines."
            ),
        )),
    }
}

fn optional<'a>(request: &'a Value, name: &str) -> Result<Option<&'a str>, ExecutionRefusal> {
    match &request[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(ExecutionRefusal::new(
            "SerializationException",
            format!("The member {name} must be a string."),
        )),
    }
}

fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, ExecutionRefusal> {
    optional(request, name)?.ok_or_else(|| {
        ExecutionRefusal::new(
            "ValidationException",
            format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"),
        )
    })
}
