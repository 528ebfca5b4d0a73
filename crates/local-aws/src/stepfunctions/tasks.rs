//! The service integrations that Task states use, with the names of errors that Step Functions gives.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;

use asl::{TaskCall, TaskError, Tasks};
use serde_json::{Map, Value, json};

use super::{ExecutionRefusal, Finished, StepFunctions};
use crate::arn::{function_arn, function_name, machine_arn};
use crate::bedrock::casing::{from_integration, to_pascal};
use crate::bedrock::{BedrockError, Operation};
use crate::http::new_id;
use crate::lambda::InvocationFailure;

/// The most bytes of a body of `bedrock:invokeModel`.
const MAX_MODEL_BODY: usize = 256 * 1024;

/// The integrations that the host has.
pub(super) const RESOURCES: [&str; 7] = [
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::bedrock:invokeModel",
    "arn:aws:states:::aws-sdk:bedrockruntime:converse",
    "arn:aws:states:::aws-sdk:bedrockruntime:countTokens",
    "arn:aws:states:::aws-sdk:sfn:startSyncExecution",
    "arn:aws:states:::events:putEvents",
    "arn:aws:states:::aws-sdk:eventbridge:putEvents",
];

/// The tasks of one execution.
pub(super) struct ExecutionTasks {
    pub(super) workflows: Weak<StepFunctions>,
    /// The execution's ARN.
    pub(super) execution: String,
}

impl Tasks for ExecutionTasks {
    fn call<'a>(
        &'a self,
        call: TaskCall,
    ) -> Pin<Box<dyn Future<Output = Result<Value, TaskError>> + Send + 'a>> {
        Box::pin(async move {
            let Some(workflows) = self.workflows.upgrade() else {
                return Err(TaskError::new("States.TaskFailed", "The host is shutting down."));
            };
            let TaskCall { resource, arguments: owned, .. } = call;
            let arguments = &owned;
            match resource.as_str() {
                "arn:aws:states:::lambda:invoke" => workflows.lambda_invoke(owned).await,
                "arn:aws:states:::bedrock:invokeModel" => workflows.invoke_model(arguments).await,
                "arn:aws:states:::aws-sdk:bedrockruntime:converse" => {
                    workflows.bedrock_runtime(Operation::Converse, arguments).await
                }
                "arn:aws:states:::aws-sdk:bedrockruntime:countTokens" => {
                    workflows.bedrock_runtime(Operation::CountTokens, arguments).await
                }
                "arn:aws:states:::aws-sdk:sfn:startSyncExecution" => {
                    workflows.start_sync_execution(arguments, &self.execution).await
                }
                "arn:aws:states:::events:putEvents" => workflows.put_events(arguments, true),
                "arn:aws:states:::aws-sdk:eventbridge:putEvents" => workflows.put_events(arguments, false),
                other => Err(TaskError::new(
                    "States.Runtime",
                    format!(
                        "The resource '{other}' is not known on the local host, which has {}.",
                        RESOURCES.join(", ")
                    ),
                )),
            }
        })
    }
}

/// A member that must be there as a string.
fn text<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, TaskError> {
    arguments[name].as_str().ok_or_else(|| {
        TaskError::new("States.Runtime", format!("The parameter '{name}' is required and must be a string."))
    })
}

/// The text that the optimized integrations give with an error of a service.
fn classic(message: &str, service: &str, status: u16, code: &str, id: &str) -> String {
    format!(
        "{message} (Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: {id}; Proxy: null)"
    )
}

/// The text that the SDK integrations give.
fn modern(message: &str, service: &str, status: u16, id: &str) -> String {
    format!("{message} (Service: {service}, Status Code: {status}, Request ID: {id})")
}

impl StepFunctions {
    async fn lambda_invoke(&self, mut arguments: Value) -> Result<Value, TaskError> {
        let payload = arguments.get_mut("Payload").map_or_else(|| json!({}), Value::take);
        let name = function_name(text(&arguments, "FunctionName")?);
        match self.lambda.invoke(name, payload).await {
            Ok(payload) => Ok(json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200})),
            Err(failure @ InvocationFailure::Function { .. }) => {
                let cause = failure.document().to_string();
                let InvocationFailure::Function { error_type, .. } = failure else {
                    return Err(TaskError::new("Lambda.Unknown", cause));
                };
                Err(TaskError::new(error_type, cause))
            }
            Err(InvocationFailure::Service { name: code, status, message }) => {
                let message = if status == 404 {
                    format!("Function not found: {}:$LATEST", function_arn(name))
                } else {
                    message
                };
                let cause = if code == "SdkClientException" {
                    message
                } else {
                    classic(&message, "AWSLambda", status, &code, &new_id())
                };
                Err(TaskError::new(format!("Lambda.{code}"), cause))
            }
            Err(InvocationFailure::Lost) => Err(TaskError::new(
                "Lambda.SdkClientException",
                "Unable to execute HTTP request: The target server failed to respond",
            )),
        }
    }

    async fn invoke_model(&self, arguments: &Value) -> Result<Value, TaskError> {
        let model = text(arguments, "ModelId")?;
        let Some(body) = arguments.get("Body") else {
            return Err(TaskError::new(
                "States.Runtime",
                "The parameter 'Body' is required; input from S3 is not available on the local host.",
            ));
        };
        let bytes = body.to_string().len();
        if bytes > MAX_MODEL_BODY {
            return Err(TaskError::new(
                "States.DataLimitExceeded",
                format!("The Body has {bytes} bytes; Bedrock's integration takes at most {MAX_MODEL_BODY}."),
            ));
        }
        let body = self
            .bedrock
            .call(Operation::InvokeModel, model, body, self.clock.now())
            .await
            .map_err(|error| self.model_error("Bedrock", &error))?;
        Ok(json!({"Body": body, "ContentType": "application/json"}))
    }

    async fn bedrock_runtime(&self, operation: Operation, arguments: &Value) -> Result<Value, TaskError> {
        let model = text(arguments, "ModelId")?;
        let mut body = arguments.clone();
        if let Some(members) = body.as_object_mut() {
            members.remove("ModelId");
        }
        let refused = |reason| TaskError::new("States.Runtime", reason);
        let body = match operation {
            // Its input is a document of the API, where that of a tool is the caller's own.
            Operation::CountTokens => {
                json!({"input": from_integration(body["Input"].take()).map_err(refused)?})
            }
            _ => from_integration(body).map_err(refused)?,
        };
        let answer = self
            .bedrock
            .call(operation, model, &body, self.clock.now())
            .await
            .map_err(|error| self.model_error("BedrockRuntime", &error))?;
        Ok(to_pascal(answer))
    }

    fn model_error(&self, prefix: &str, error: &BedrockError) -> TaskError {
        let cause = if error.status == 0 {
            error.message.clone()
        } else {
            modern(&error.message, "BedrockRuntime", error.status, &new_id())
        };
        TaskError::new(format!("{prefix}.{}", error.name), cause)
    }

    async fn start_sync_execution(&self, arguments: &Value, parent: &str) -> Result<Value, TaskError> {
        let arn = text(arguments, "StateMachineArn")?;
        let input = match arguments.get("Input") {
            None | Some(Value::Null) => "{}",
            Some(_) => text(arguments, "Input")?,
        };
        let name = match arguments.get("Name") {
            None | Some(Value::Null) => None,
            Some(_) => Some(text(arguments, "Name")?),
        };
        let refused = |refusal: ExecutionRefusal| {
            TaskError::new(
                format!("Sfn.{}Exception", refusal.name),
                modern(&refusal.message, "Sfn", 400, &new_id()),
            )
        };
        let (machine, _) = self.describe(arn).map_err(refused)?;
        let machine = machine.to_owned();
        // Boxed, because an execution's future holds those of the executions that it starts.
        let child: Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(self.execute(&machine, name, input, Some(parent)));
        let finished = child.await.map_err(refused)?;
        Ok(to_pascal(sync_execution_document(&finished, input, true)))
    }

    /// The optimized integration fails when one of the events does; the SDK's says so in its result.
    fn put_events(&self, arguments: &Value, optimized: bool) -> Result<Value, TaskError> {
        let mut request = arguments.clone();
        if optimized {
            // This integration takes the detail as a document.
            for entry in request["Entries"].as_array_mut().into_iter().flatten() {
                if entry["Detail"].is_object() {
                    let detail = entry["Detail"].to_string();
                    entry["Detail"] = Value::String(detail);
                }
            }
        }
        let reply = self.eventbridge.put_events(request.to_string().as_bytes(), self.clock.now());
        let document = reply.json_body();
        if reply.status != 200 {
            let name = document["__type"].as_str().unwrap_or("InternalException");
            let message = document["message"].as_str().unwrap_or_default();
            let cause = modern(message, "EventBridge", reply.status, &new_id());
            return Err(TaskError::new(format!("EventBridge.{name}"), cause));
        }
        if optimized && document["FailedEntryCount"].as_u64().unwrap_or(0) > 0 {
            return Err(TaskError::new("EventBridge.FailedEntry", document.to_string()));
        }
        Ok(document)
    }
}

/// The document of StartSyncExecution; times as ISO 8601 text in a task's result, else in seconds.
pub(super) fn sync_execution_document(finished: &Finished, input: &str, in_task: bool) -> Value {
    let time = |time: chrono::DateTime<chrono::Utc>| {
        if in_task {
            json!(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        } else {
            json!(epoch_seconds(time))
        }
    };
    let mut document = Map::new();
    document.insert("executionArn".into(), json!(finished.arn));
    document.insert("stateMachineArn".into(), json!(machine_arn(&finished.machine)));
    document.insert("name".into(), json!(finished.name));
    document.insert("startDate".into(), time(finished.start));
    document.insert("stopDate".into(), time(finished.stop));
    document.insert("status".into(), json!(finished.status.as_str()));
    document.insert("input".into(), json!(input));
    document.insert("inputDetails".into(), json!({"included": true}));
    document.insert("outputDetails".into(), json!({"included": true}));
    for (name, value) in
        [("output", &finished.output), ("error", &finished.error), ("cause", &finished.cause)]
    {
        if let Some(value) = value {
            document.insert(name.into(), json!(value));
        }
    }
    document.insert(
        "billingDetails".into(),
        json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": finished.billed_milliseconds()}),
    );
    Value::Object(document)
}

/// Seconds since 1970 with three decimals, as the JSON protocol writes times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era are far below 2^53")]
pub(super) fn epoch_seconds(time: chrono::DateTime<chrono::Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
