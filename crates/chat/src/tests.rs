use std::sync::Mutex;

use front_door::Execution;
use sentry_core::error::ErrorName;
use sentry_core::request::envelope;

use super::*;

struct Workflow(Mutex<Vec<Value>>);

impl RunRateLimiter for Workflow {
    async fn run(&self, input: &Value) -> Execution {
        self.0.lock().unwrap().push(input.clone());
        Execution::Succeeded(
            json!({ "requestId": "r-1", "message": { "role": "assistant", "content": "Hello." },
            "stopReason": "end_turn", "usage": { "inputTokens": 3, "outputTokens": 2 } }),
        )
    }
}

struct Limits(Result<Vec<Value>, ()>);

impl ScanLimits for Limits {
    async fn scan(&self) -> Result<Vec<Value>, SentryError> {
        self.0.clone().map_err(|()| SentryError::new(ErrorName::SentryUnavailable, "No."))
    }
}

fn context(limits: Result<Vec<Value>, ()>) -> Context<Workflow, Limits> {
    Context::new(Workflow(Mutex::default()), Limits(limits), || DateTime::from_timestamp(7, 0).unwrap())
}

fn event(method: &str, path: &str, body: &str) -> Value {
    json!({ "httpMethod": method, "path": path, "headers": { "Content-Type": "application/json", "Idempotency-Key": "k" },
        "body": body, "isBase64Encoded": false,
        "requestContext": { "authorizer": { "tenant": "acme", "allowedModels": "a.b" } } })
}

const BODY: &str = r#"{"model": "a.b", "messages": [{"role": "user", "content": "Hi"}]}"#;

#[tokio::test]
async fn a_chat_completion_runs_the_rate_limiter_for_the_keys_tenant() {
    let context = context(Ok(Vec::new()));
    let mut encoded = event("POST", "/v1/chat/completions", &STANDARD.encode(BODY));
    encoded["isBase64Encoded"] = json!(true);
    for event in [event("POST", "/v1/chat/completions", BODY), encoded] {
        let answer = handle(event, &context).await.unwrap();
        assert_eq!(
            (&answer["statusCode"], &answer["headers"]["content-type"]),
            (&json!(200), &json!("application/json"))
        );
        assert_eq!(answer["headers"]["x-request-id"], "r-1");
        let completion: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&completion["created"], &completion["model"]), (&json!(7), &json!("a.b")));
    }
    for input in context.rate_limiter.0.lock().unwrap().iter() {
        let opened = envelope::open(input).unwrap();
        assert_eq!(
            (&opened.request["tenant"], &opened.request["idempotencyKey"]),
            (&json!("acme"), &json!("k"))
        );
        assert_eq!(opened.allowed_models.unwrap().joined(), "a.b");
    }
}

#[tokio::test]
async fn nobody_gets_in_without_an_authorizer() {
    let context = context(Ok(Vec::new()));
    for tenant in [json!(null), json!("")] {
        let mut event = event("POST", "/v1/chat/completions", BODY);
        event["requestContext"]["authorizer"]["tenant"] = tenant;
        assert_eq!(handle(event, &context).await.unwrap()["statusCode"], 500);
    }
    assert!(context.rate_limiter.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn models_with_a_limit_of_their_own_are_listed() {
    let items =
        ["default", "tenant/acme", "amazon.nova-lite-v1:0"].map(|id| json!({ "modelId": id })).to_vec();
    let answer = handle(event("GET", "/v1/models", ""), &context(Ok(items))).await.unwrap();
    let list: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(handle(event("GET", "/v1/models", ""), &context(Err(()))).await.unwrap()["statusCode"], 503);
}

#[tokio::test]
async fn other_paths_and_bodies_are_refused() {
    let context = context(Ok(Vec::new()));
    for (event, status) in [
        (event("GET", "/v1/chat/completions", ""), 404),
        (event("POST", "/v1/elsewhere", BODY), 404),
        (event("POST", "/v1/chat/completions", "{"), 400),
    ] {
        assert_eq!(handle(event, &context).await.unwrap()["statusCode"], status);
    }
    assert!(context.rate_limiter.0.lock().unwrap().is_empty());
}
