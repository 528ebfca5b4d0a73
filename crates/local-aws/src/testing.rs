//! What the tests of the services share: a host of all of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::arn::machine_arn;
use crate::bedrock::BedrockConfig;
use crate::bedrock::backend::Backend;
use crate::cloudwatch::{CloudWatch, CloudWatchConfig};
use crate::dynamodb::{DynamoDb, TableStore};
use crate::eventbridge::EventBridge;
use crate::faults::Faults;
use crate::http::forward::Forwarder;
use crate::http::{Reply, Server, listen, router, url_of};
use crate::lambda::{FunctionError, Handler, Lambda, Runtime};
use crate::stepfunctions::StepFunctions;
use crate::{Clock, Services};

/// The table of a host, its key `id`.
pub(crate) const TABLE: &str = "things";

/// All services on a port of their own.
pub(crate) struct Host {
    url: String,
    services: Arc<Services>,
    server: Server,
}

impl std::ops::Deref for Host {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

impl Host {
    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Ends it.
    pub(crate) async fn shutdown(self) {
        self.server.shutdown().await;
        self.services.lambda.close().await;
        if let Ok(services) = Arc::try_unwrap(self.services) {
            services.dynamodb.close().await;
        }
    }
}

/// The function `greet`: greets by `name`, or reports an error.
fn greet() -> Handler {
    Arc::new(|_, event| {
        Box::pin(async move {
            match event["name"].as_str() {
                Some(name) => Ok(json!({"greeting": format!("Hello, {name}!")})),
                None => Err(FunctionError {
                    error_type: "NoName".to_owned(),
                    error_message: json!({"path": "name"}).to_string(),
                }),
            }
        })
    })
}

/// A state machine of one task that takes its arguments from the input.
pub(crate) fn one_task(resource: &str) -> String {
    json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Call",
        "States": {"Call": {
            "Type": "Task",
            "Resource": resource,
            "TimeoutSeconds": 20,
            "Arguments": "{% $states.input %}",
            "End": true,
        }},
    })
    .to_string()
}

/// Small state machines: `echo`, `refuse`, and one for each integration.
pub(crate) fn small_machines() -> Vec<(String, String)> {
    let echo = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Echo",
        "States": {"Echo": {"Type": "Pass", "Output": {"said": "{% $states.input %}", "by": machine_arn("echo")}, "End": true}},
    });
    let refuse = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Refuse",
        "States": {"Refuse": {"Type": "Fail", "Error": "BudgetExceeded", "Cause": "{\"message\":\"no\"}"}},
    });
    let machine = |name: &str, definition: String| (name.to_owned(), definition);
    vec![
        machine("echo", echo.to_string()),
        machine("refuse", refuse.to_string()),
        machine("lambda", one_task("arn:aws:states:::lambda:invoke")),
        machine("invoke-model", one_task("arn:aws:states:::bedrock:invokeModel")),
        machine("converse", one_task("arn:aws:states:::aws-sdk:bedrockruntime:converse")),
        machine("nested", one_task("arn:aws:states:::aws-sdk:sfn:startSyncExecution")),
        machine("put-events", one_task("arn:aws:states:::events:putEvents")),
        machine("sdk-put-events", one_task("arn:aws:states:::aws-sdk:eventbridge:putEvents")),
        machine("unknown", one_task("arn:aws:states:::sqs:sendMessage")),
    ]
}

/// A host with the small machines, instantaneous models and the function `greet`.
pub(crate) async fn small_host() -> Host {
    host(&TableStore::Memory, None).await
}

/// A host with other tables or models than its own.
pub(crate) async fn host(store: &TableStore, bedrock: Option<&str>) -> Host {
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let url = url_of(listener.local_addr().unwrap());
    let (clock, faults) = (Clock::default(), Arc::new(Faults::new(0)));
    let cloudwatch = Arc::new(CloudWatch::new(CloudWatchConfig::default(), Arc::clone(&faults)));
    let bedrock = match bedrock {
        Some(endpoint) => Backend::at(endpoint, clock, Arc::clone(&faults), Arc::clone(&cloudwatch)).unwrap(),
        None => {
            let config = BedrockConfig { latency: Some(Duration::ZERO), ..BedrockConfig::default() };
            Backend::simulated(config, Arc::clone(&faults), Arc::clone(&cloudwatch))
        }
    };
    let bedrock = Arc::new(bedrock);
    let eventbridge = Arc::new(EventBridge::new(10));
    let dynamodb = DynamoDb::open(store, Arc::clone(&faults)).unwrap();
    dynamodb.create_table(TABLE, "id", None).await.unwrap();
    let runtime = Runtime::InProcess {
        functions: vec![("greet".to_owned(), greet())],
        concurrency: 4,
        timeout: Duration::from_secs(15),
    };
    let lambda = Arc::new(Lambda::new(runtime, Arc::clone(&faults)).await.unwrap());
    let stepfunctions = StepFunctions::new(
        small_machines(),
        Arc::clone(&lambda),
        Arc::clone(&bedrock),
        Arc::clone(&eventbridge),
        clock,
    )
    .unwrap();
    let services = Arc::new(Services {
        dynamodb,
        cloudwatch,
        bedrock,
        eventbridge,
        lambda,
        stepfunctions,
        faults,
        clock,
    });
    Host { url, server: Server::start(listener, router(Arc::clone(&services))), services }
}

/// Sends a request; `None` when the connection closes without an answer.
pub(crate) async fn try_send(
    host: &Host,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: Vec<u8>,
) -> Option<Reply> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let client = Forwarder::new(&host.url(), Duration::from_secs(20)).unwrap();
    client.send(method, path, &map, body).await.ok()
}

/// Sends a request and takes the answer.
pub(crate) async fn send(
    host: &Host,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &Value,
) -> Reply {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    try_send(host, method, path, headers, body).await.unwrap()
}

/// Gets a path.
pub(crate) async fn get(host: &Host, path: &str) -> Reply {
    send(host, Method::GET, path, &[], &Value::Null).await
}

/// Calls an operation of a service that is told by its target.
pub(crate) async fn call(host: &Host, target: &str, body: &Value) -> Reply {
    let headers = [
        ("x-amz-target", target),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20260101T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    send(host, Method::POST, "/", &headers, body).await
}

/// Runs a machine and gives its output.
pub(crate) async fn output(host: &Host, machine: &str, input: &Value) -> Value {
    let finished = host.stepfunctions.execute(machine, None, &input.to_string(), None).await.unwrap();
    assert_eq!(finished.status.as_str(), "SUCCEEDED", "{:?}: {:?}", finished.error, finished.cause);
    serde_json::from_str(finished.output.as_deref().unwrap()).unwrap()
}

/// Runs a machine that fails and gives the error and the cause.
pub(crate) async fn failure(host: &Host, machine: &str, input: &Value) -> (String, String) {
    let finished = host.stepfunctions.execute(machine, None, &input.to_string(), None).await.unwrap();
    assert_eq!(finished.status.as_str(), "FAILED", "{:?}", finished.output);
    (finished.error.clone().unwrap(), finished.cause.clone().unwrap())
}
