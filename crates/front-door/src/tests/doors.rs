use std::sync::Mutex;

use serde_json::{Value, json};

use crate::{DoorRequest, DoorResponse, Execution, RunRateLimiter, chat_completion, inference, models};
use sentry_core::request::envelope::{self, MAX_BODY_BYTES};

/// A rate-limiter that ends as it is told to.
struct Scripted {
    end: Execution,
    seen: Mutex<Vec<Value>>,
}

impl RunRateLimiter for Scripted {
    async fn run(&self, input: &Value) -> Execution {
        self.seen.lock().unwrap().push(input.clone());
        self.end.clone()
    }
}

fn scripted(end: Execution) -> Scripted {
    Scripted { end, seen: Mutex::default() }
}

fn answer() -> Value {
    json!({ "requestId": "r-1", "modelId": "a.b", "message": { "role": "assistant", "content": "Hello." }, "stopReason": "end_turn",
        "usage": { "inputTokens": 3, "outputTokens": 2, "totalTokens": 5 },
        "budget": { "input": { "limit": 10, "remaining": 7 }, "costUsd": { "limit": 1, "remaining": 0.5 } } })
}

fn header<'a>(response: &'a DoorResponse, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn body(response: &DoorResponse) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

/// The request in the envelope that the rate-limiter was given.
fn opened(workflow: &Scripted) -> Value {
    let seen = workflow.seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    envelope::open(&seen[0]).unwrap().request
}

const NATIVE: &str = r#"{"modelId": "a.b", "prompt": {"messages": [{"role": "user", "content": "Hi"}]}}"#;
const OPENAI: &str = r#"{"model": "a.b", "messages": [{"role": "user", "content": "Hi"}]}"#;

fn request(body: &str) -> DoorRequest<'_> {
    DoorRequest { tenant: Some("acme"), body: body.as_bytes(), now: 7, ..DoorRequest::default() }
}

#[tokio::test]
async fn the_sentrys_own_door_adds_the_sender_and_passes_the_answer_on() {
    let workflow = scripted(Execution::Succeeded(answer()));
    let response = inference(&request(NATIVE), &workflow).await;
    assert_eq!((response.status, body(&response)), (200, answer()));
    let mut expected: Value = serde_json::from_str(NATIVE).unwrap();
    expected["tenant"] = json!("acme");
    assert_eq!(opened(&workflow), expected);
    for (name, value) in [
        ("x-request-id", Some("r-1")),
        ("x-budget-limit-input-tokens", Some("10")),
        ("x-budget-remaining-input-tokens", Some("7")),
        ("x-budget-remaining-usd", Some("0.5")),
        ("x-budget-remaining-output-tokens", None),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
}

#[tokio::test]
async fn openais_door_translates_both_ways() {
    let workflow = scripted(Execution::Succeeded(answer()));
    let request = DoorRequest { idempotency_key: Some("k"), ..request(OPENAI) };
    let response = chat_completion(&request, &workflow).await;
    let document = body(&response);
    assert_eq!(
        (response.status, &document["id"], &document["model"]),
        (200, &json!("chatcmpl-r-1"), &json!("a.b"))
    );
    assert_eq!(
        (&document["created"], &document["choices"][0]["message"]["content"]),
        (&json!(7), &json!("Hello."))
    );
    let mut expected: Value = serde_json::from_str(NATIVE).unwrap();
    expected["tenant"] = json!("acme");
    expected["idempotencyKey"] = json!("k");
    assert_eq!(opened(&workflow), expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_refused_in_the_shape_of_its_door() {
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_BODY_BYTES));
    for (text, content_type, status) in [
        ("", None, 400),
        ("{\"a\": 1, \"a\": 2}", None, 400),
        (large.as_str(), None, 413),
        (NATIVE, Some("text/plain"), 415),
    ] {
        let workflow = scripted(Execution::Succeeded(answer()));
        let request = DoorRequest { content_type, ..request(text) };
        let native = inference(&request, &workflow).await;
        assert_eq!((native.status, header(&native, "x-should-retry")), (status, Some("false")), "{status}");
        assert!(body(&native)["error"]["type"].is_string());
        let openai = chat_completion(&request, &workflow).await;
        assert_eq!((openai.status, header(&openai, "x-should-retry")), (status, Some("false")));
        assert!(body(&openai)["error"]["code"].is_string() && body(&openai)["error"]["param"].is_null());
        assert!(workflow.seen.lock().unwrap().is_empty());
    }
    let workflow = scripted(Execution::Succeeded(answer()));
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let request = DoorRequest { content_type: Some(content_type), ..request(NATIVE) };
        assert_eq!(inference(&request, &workflow).await.status, 200);
    }
}

#[tokio::test]
async fn nobody_names_a_tenant_in_a_body() {
    for field in ["tenant", "deliver"] {
        let workflow = scripted(Execution::Succeeded(answer()));
        let mut document: Value = serde_json::from_str(NATIVE).unwrap();
        document[field] = json!("evil");
        let response = inference(&request(&document.to_string()), &workflow).await;
        assert_eq!(response.status, 400);
        let mut document: Value = serde_json::from_str(OPENAI).unwrap();
        document[field] = json!("evil");
        let response = chat_completion(&request(&document.to_string()), &workflow).await;
        assert_eq!((response.status, &body(&response)["error"]["param"]), (400, &json!(field)));
        assert!(workflow.seen.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn every_end_has_its_status() {
    let failed =
        |error: &str, cause: Value| Execution::Failed { error: error.to_owned(), cause: cause.to_string() };
    for (end, status, retry, after) in [
        (
            failed(
                "BudgetExceeded",
                json!({"message": "Spent.", "retryAfterSeconds": 60, "requestId": "r-1"}),
            ),
            429,
            "false",
            Some("60"),
        ),
        (failed("BudgetBusy", json!({"message": "Busy.", "retryAfterSeconds": 2})), 429, "true", Some("2")),
        (failed("ModelTimeout", json!({"message": "Late.", "possiblyBilled": true})), 504, "false", None),
        (failed("LimitNotConfigured", json!({"message": "None."})), 503, "false", None),
        (Execution::TimedOut, 504, "false", None),
        (Execution::TooLarge, 413, "false", None),
        (Execution::NotStarted, 503, "true", Some("1")),
    ] {
        let workflow = scripted(end.clone());
        for response in
            [inference(&request(NATIVE), &workflow).await, chat_completion(&request(OPENAI), &workflow).await]
        {
            assert_eq!(
                (response.status, header(&response, "x-should-retry"), header(&response, "retry-after")),
                (status, Some(retry), after),
                "{end:?}"
            );
            assert!(body(&response)["error"]["message"].as_str().unwrap().ends_with('.'));
        }
    }
}

/// Step Functions' own causes name functions and accounts.
#[tokio::test]
async fn internals_are_not_told() {
    for (error, cause) in [
        (
            "States.Runtime",
            "An error occurred while executing the state 'Compare' (entered at the event id #12)",
        ),
        ("States.Runtime", "{\"message\": \"arn:aws:lambda:us-east-1:123456789012:function:compare.\"}"),
        ("Lambda.Unknown", "{\"message\": \"secret.\"}"),
        ("BudgetExceeded", "no document"),
    ] {
        let end = Execution::Failed { error: error.to_owned(), cause: cause.to_owned() };
        let workflow = scripted(end);
        for response in
            [inference(&request(NATIVE), &workflow).await, chat_completion(&request(OPENAI), &workflow).await]
        {
            assert_eq!(response.status, 500);
            assert!(
                !response.body.contains("Compare")
                    && !response.body.contains("arn:")
                    && !response.body.contains("secret")
            );
        }
    }
}

#[tokio::test]
async fn streams_are_refused_by_name_for_now() {
    let workflow = scripted(Execution::Succeeded(answer()));
    let mut document: Value = serde_json::from_str(OPENAI).unwrap();
    document["stream"] = json!(true);
    let response = chat_completion(&request(&document.to_string()), &workflow).await;
    assert_eq!((response.status, &body(&response)["error"]["param"]), (400, &json!("stream")));
    assert!(workflow.seen.lock().unwrap().is_empty());
}

#[test]
fn models_are_listed_in_openais_form() {
    let response = models(["anthropic.claude-sonnet-4-6"].into_iter());
    assert_eq!(
        body(&response)["data"],
        json!([{ "id": "anthropic.claude-sonnet-4-6", "object": "model", "created": 0, "owned_by": "anthropic" }])
    );
}

/// On a host without keys.
#[tokio::test]
async fn an_open_door_hands_the_document_over_as_it_is() {
    let workflow = scripted(Execution::Succeeded(answer()));
    for body in [NATIVE, OPENAI] {
        let request = DoorRequest { tenant: None, ..request(body) };
        match body {
            NATIVE => inference(&request, &workflow).await,
            _ => chat_completion(&request, &workflow).await,
        };
    }
    let expected: Value = serde_json::from_str(NATIVE).unwrap();
    assert_eq!(*workflow.seen.lock().unwrap(), [expected.clone(), expected]);
}
