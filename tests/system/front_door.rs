//! The HTTP front door: its mapping templates, and requests from a key to the answer.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openai_format::{http_status, retryable};
use proptest::prelude::*;
use sentry_core::api_key::{AllowedModels, ApiKey, KeyItem};
use sentry_core::error::ErrorName;
use sentry_local::Host;
use serde_json::{Value, json};

use crate::contract::resource;
use crate::host::{limit, start};
use crate::velocity::{Rendered, render};

const NOVA: &str = "amazon.nova-2-lite-v1:0";

/// A text of the template that begins after a mark, without its indentation.
fn block_after(mark: &str) -> String {
    let section = resource("FrontDoorApi");
    let start = section.find(mark).unwrap_or_else(|| panic!("{mark} is missing"));
    let block = section[start..].split_once("|-\n").unwrap().1;
    let indentation = block.len() - block.trim_start_matches(' ').len();
    let lines =
        block.lines().take_while(|line| line.len() - line.trim_start_matches(' ').len() >= indentation);
    lines.map(|line| &line[indentation..]).collect::<Vec<_>>().join("\n")
}

fn request_template() -> String {
    // CloudFormation puts the ARN in.
    block_after("requestTemplates:").replace("${RateLimiter}", "arn:rate-limiter")
}

fn response_template() -> String {
    block_after("\n                  default:")
}

fn not_started_template() -> String {
    block_after("&NotStarted")
}

/// The request to StartSyncExecution that the template makes of a body.
fn start_request(body: &str, authorizer: &Value) -> Value {
    let rendered = render(&request_template(), body, authorizer);
    serde_json::from_str(&rendered.text).unwrap_or_else(|error| panic!("{error}: {}", rendered.text))
}

fn envelope(body: &str, authorizer: &Value) -> Value {
    let request = start_request(body, authorizer);
    assert_eq!(request["stateMachineArn"], "arn:rate-limiter");
    assert_eq!(request["name"], "request-1");
    assert_eq!(request.as_object().unwrap().len(), 3);
    serde_json::from_str(request["input"].as_str().unwrap()).unwrap()
}

/// What the template makes of the end of an execution.
fn respond(execution: &Value) -> (Rendered, Value) {
    let rendered = render(&response_template(), &execution.to_string(), &json!({}));
    let body =
        serde_json::from_str(&rendered.text).unwrap_or_else(|error| panic!("{error}: {}", rendered.text));
    (rendered, body)
}

fn failed(error: &str, cause: &Value) -> (Rendered, Value) {
    respond(&json!({"status": "FAILED", "error": error, "cause": cause.to_string()}))
}

proptest! {
    #[test]
    fn a_body_arrives_unchanged_and_names_no_tenant(
        pieces in prop::collection::vec(prop_oneof![
            Just("'".to_owned()), Just("\\'".to_owned()), Just("\\\\".to_owned()), Just("\"".to_owned()),
            Just("\",\"tenant\":\"evil".to_owned()), Just("}, \"tenant\":\"evil\"".to_owned()),
            Just("$input.body".to_owned()), Just("#set($tenant = 'evil')".to_owned()), Just("${x}##".to_owned()),
            Just("\u{2028}\u{1f600}\u{1}".to_owned()), Just("1e400 10.00".to_owned()), ".*",
        ], 0..8),
    ) {
        let body = pieces.concat();
        let expected = json!({
            "door": "inference", "tenant": "acme", "allowedModels": "", "bodyBase64": STANDARD.encode(&body),
        });
        prop_assert_eq!(envelope(&body, &json!({"tenant": "acme", "keyId": "k"})), expected);
    }
}

#[test]
fn what_the_authorizer_said_is_handed_on_and_nothing_in_its_place() {
    let models = "a.b:0,arn:aws:bedrock:us-east-1::foundation-model/x";
    let limited = envelope("{}", &json!({"tenant": "acme", "allowedModels": models}));
    assert_eq!((&limited["tenant"], &limited["allowedModels"]), (&json!("acme"), &json!(models)));
    assert_eq!(envelope("{}", &json!({}))["tenant"], "");
}

/// An execution's input has at most 262,144 bytes.
#[test]
fn the_largest_body_fits_with_the_longest_tenant_and_models() {
    let authorizer = json!({"tenant": "t".repeat(64), "allowedModels": "m".repeat(4_000)});
    let body = "x".repeat(sentry_core::request::envelope::MAX_BODY_BYTES);
    let input = start_request(&body, &authorizer)["input"].as_str().unwrap().len();
    // Some room is left for the document around it in the first state.
    assert!(input < 260_000, "{input}");
}

#[test]
fn an_answer_is_printed_unchanged() {
    let output = r#"{"message":{"content":"é $x #set( \" \\ \u2028"},"n":1.50,"budget":{"input":{"limit":10,"remaining":5},"output":{"limit":7,"remaining":0}}}"#;
    let (rendered, _) = respond(&json!({"status": "SUCCEEDED", "output": output}));
    assert_eq!(rendered.text.trim(), output);
    assert_eq!(rendered.status, Some(200));
    let expected = [
        ("x-budget-limit-input-tokens", "10"),
        ("x-budget-limit-output-tokens", "7"),
        ("x-budget-remaining-input-tokens", "5"),
        ("x-budget-remaining-output-tokens", "0"),
        ("x-request-id", "request-1"),
        ("x-should-retry", "false"),
    ];
    assert_eq!(rendered.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    // A budget in money has no tokens.
    let output = r#"{"budget":{"costUsd":{"limit":10.5,"remaining":0.25}}}"#;
    let (rendered, _) = respond(&json!({"status": "SUCCEEDED", "output": output}));
    assert_eq!(rendered.headers.len(), 4);
    assert_eq!(rendered.headers["x-budget-limit-usd"], "10.5");
    assert_eq!(rendered.headers["x-budget-remaining-usd"], "0.25");
}

/// The table of the other doors and the one in the template.
#[test]
fn every_error_has_the_status_and_the_advice_that_it_has_at_every_door() {
    for name in ErrorName::ALL {
        let name = name.as_str();
        for cause in [
            json!({"type": name, "message": "x"}),
            json!({"type": name, "possiblyBilled": false}),
            json!({"type": name, "possiblyBilled": true}),
        ] {
            let (rendered, body) = failed(name, &cause);
            assert_eq!(rendered.status, Some(u64::from(http_status(name))), "{name}");
            let advice = retryable(name, &cause).to_string();
            assert_eq!(rendered.headers["x-should-retry"], advice, "{name} {cause}");
            assert_eq!(body, json!({"error": cause}));
        }
    }
}

#[test]
fn a_refusal_says_what_is_left_and_when_to_come_back() {
    let cause = json!({"type": "BudgetExceeded", "retryAfterSeconds": 600, "budget": {"input": {"limit": 9, "remaining": 1}}});
    let (rendered, _) = failed("BudgetExceeded", &cause);
    assert_eq!(rendered.status, Some(429));
    for (header, value) in [
        ("Retry-After", "600"),
        ("x-should-retry", "false"),
        ("x-budget-limit-input-tokens", "9"),
        ("x-budget-remaining-input-tokens", "1"),
    ] {
        assert_eq!(rendered.headers[header], value, "{header}");
    }
    assert!(!failed("InvalidRequest", &json!({})).0.headers.contains_key("Retry-After"));
}

#[test]
fn an_end_without_a_documented_cause_is_an_error_too() {
    for (execution, status, name) in [
        (json!({"status": "TIMED_OUT"}), 504, "ModelTimeout"),
        (json!({"status": "FAILED"}), 500, "InternalError"),
        (json!({"status": "FAILED", "error": "States.Runtime", "cause": "a \"b\" $c"}), 500, "InternalError"),
        (
            json!({"status": "FAILED", "error": "States.DataLimitExceeded", "cause": "x"}),
            413,
            "RequestTooLarge",
        ),
        (json!({"status": "ABORTED"}), 500, "InternalError"),
    ] {
        let (rendered, body) = respond(&execution);
        assert_eq!((rendered.status, &body["error"]["type"]), (Some(status), &json!(name)), "{execution}");
        assert_eq!(body["error"]["requestId"], "request-1");
        assert_eq!(rendered.headers["x-should-retry"], "false");
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(message.contains("190,000 bytes"), status == 413, "{message}");
        assert_eq!(message.contains("in time"), status == 504, "{message}");
    }
}

#[test]
fn an_execution_that_did_not_start_admitted_nothing() {
    for (answer, status, retry) in [
        (
            json!({"__type": "ValidationException", "message": "Member must have length less than or equal to 262144"}),
            413,
            "false",
        ),
        (json!({"__type": "com.amazonaws#ThrottlingException", "message": "Rate exceeded"}), 429, "true"),
        (json!({"__type": "AccessDeniedException"}), 503, "true"),
        (Value::Null, 503, "true"),
    ] {
        let rendered = render(&not_started_template(), &answer.to_string(), &json!({}));
        assert_eq!(rendered.status, Some(status), "{answer}");
        assert_eq!(rendered.headers["x-should-retry"], retry, "{answer}");
        assert_eq!(rendered.headers.contains_key("Retry-After"), status == 429);
        assert!(serde_json::from_str::<Value>(&rendered.text).unwrap()["error"]["message"].is_string());
    }
}

#[test]
fn what_the_gateway_answers_itself_is_json_and_advises() {
    let section = resource("FrontDoorApi").split_once("x-amazon-apigateway-gateway-responses:\n").unwrap().1;
    let mut types = BTreeSet::new();
    let mut current = "";
    for line in section.lines() {
        let indentation = line.len() - line.trim_start().len();
        let line = line.trim();
        if indentation == 10 && !line.starts_with('#') {
            current = line.trim_end_matches(':');
            types.insert(current);
        } else if line.starts_with('{') {
            // `$context.error.messageString` is a quoted text.
            let text = line.replace("$context.error.messageString", "\"x\"");
            let body: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{current}: {error}"));
            let fields: BTreeSet<_> = body["error"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(
                fields,
                BTreeSet::from(["message", "type", "param", "code", "requestId"]),
                "{current}"
            );
        }
    }
    for name in [
        "UNAUTHORIZED",
        "ACCESS_DENIED",
        "REQUEST_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE",
        "THROTTLED",
        "INTEGRATION_TIMEOUT",
    ] {
        assert!(types.contains(name), "{name}");
    }
    assert_eq!(section.matches("gatewayresponse.header.x-should-retry").count(), types.len());
    assert_eq!(section.matches("gatewayresponse.header.x-request-id").count(), types.len());
    let timeout = section.split_once("INTEGRATION_TIMEOUT:\n").unwrap().1;
    let timeout = timeout.split_once("responseTemplates").unwrap().0;
    assert!(
        timeout.contains("statusCode: 504") && timeout.contains("x-should-retry: \"'false'\""),
        "{timeout}"
    );
}

#[test]
fn no_log_of_the_door_has_a_key_or_a_body() {
    let section = resource("FrontDoorApi");
    let format =
        section.lines().find(|line| line.contains("\"requestId\":\"$context.requestId\",\"at\"")).unwrap();
    let parts = format.split("$context.").skip(1).map(|part| part.split('"').next().unwrap());
    let expected = [
        "requestId",
        "requestTime",
        "resourcePath",
        "status",
        "authorizer.tenant",
        "authorizer.keyId",
        "responseLatency",
        "responseLength",
        "error.responseType",
        "identity.sourceIp",
    ];
    assert_eq!(parts.collect::<Vec<_>>(), expected);
    assert!(section.contains("LoggingLevel: \"OFF\"") && section.contains("DataTraceEnabled: false"));
}

/// A request validator takes a schema that is written in its place for a model that it does not have, and then
/// refuses every body.
#[test]
fn the_validator_of_bodies_knows_its_model_by_name() {
    let schemas: Vec<_> = resource("FrontDoorApi").lines().filter(|line| line.contains("schema: ")).collect();
    assert!(!schemas.is_empty());
    for schema in schemas {
        let name = schema.split_once("#/components/schemas/").expect("a reference to a schema").1;
        let name = name.split('"').next().unwrap();
        assert!(
            resource("FrontDoorApi").contains(&format!("\n            {name}: {{ type: object }}\n")),
            "{name}"
        );
    }
}

/// Everything that the door consists of is there only where it is asked for.
#[test]
fn a_deployment_without_the_door_has_none_of_it() {
    for name in [
        "KeysTable",
        "AuthorizeRole",
        "AuthorizeFunction",
        "AuthorizePermission",
        "FrontDoorRole",
        "FrontDoorApi",
    ] {
        assert!(resource(name).contains("\n    Condition: HasFrontDoor\n"), "{name}");
    }
    assert!(resource("FrontDoorLogs").contains("\n    Condition: HasAccessLog\n"));
}

/// Sends a request as API Gateway would: authorizer, request template, workflow, response template.
async fn post(host: &Host, key: &str, body: &str) -> Result<(Rendered, Value), String> {
    let event = json!({
        "type": "REQUEST", "methodArn": "arn:aws:execute-api:us-east-1:1:api/dev/POST/v1/inference",
        "headers": {"x-api-key": key}, "multiValueHeaders": {"x-api-key": [key]},
    });
    let policy = host.invoke("authorize", event).await.map_err(|failure| failure.document().to_string())?;
    let request = start_request(body, &policy["context"]);
    let input = request["input"].as_str().unwrap();
    let finished = host.execute("rate-limiter", None, input).await.unwrap();
    let mut execution = json!({"status": finished.status.as_str()});
    for (name, value) in
        [("output", &finished.output), ("error", &finished.error), ("cause", &finished.cause)]
    {
        if let Some(value) = value {
            execution[name] = json!(value);
        }
    }
    Ok(respond(&execution))
}

#[tokio::test]
async fn a_key_opens_the_door_to_its_tenants_budget_alone() {
    let key = |n: u8| ApiKey::from_random([n; 16], [n; 32]);
    let item = |n: u8, tenant: &str| {
        KeyItem::new(&key(n), tenant.to_owned(), "2026-11-01T00:00:00Z".parse().unwrap())
    };
    let mut limited = item(2, "acme");
    limited.allowed_models = Some(AllowedModels::new(vec!["amazon.nova-pro-v1:0".to_owned()]).unwrap());
    let keys = vec![item(1, "acme").document(), limited.document(), item(3, "poor").document()];
    let limits = json!([
        limit("default", 100_000, 100_000),
        limit("tenant/poor", 1, 1),
        limit("tenant/acme", 50_000, 50_000)
    ]);
    let host = start(limits, |config| config.keys = keys).await;
    let body = json!({"modelId": NOVA, "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});

    let (rendered, answer) = post(&host, &key(1).reveal(), &body.to_string()).await.unwrap();
    assert_eq!((rendered.status, &answer["message"]["role"]), (Some(200), &json!("assistant")));
    assert_eq!(
        answer["budgets"].as_array().unwrap().iter().filter(|budget| budget["key"] == "tenant/acme").count(),
        1
    );
    assert!(rendered.headers.contains_key("x-budget-remaining-output-tokens"), "{:?}", rendered.headers);

    // Another tenant's budget is its own, and no body chooses one.
    let (rendered, answer) = post(&host, &key(3).reveal(), &body.to_string()).await.unwrap();
    assert_eq!((rendered.status, &answer["error"]["type"]), (Some(429), &json!("BudgetExceeded")));
    assert_eq!(rendered.headers["x-should-retry"], "false");
    for forged in [
        body.to_string().replacen('{', r#"{"tenant":"acme","#, 1),
        format!(r#"{body}, "tenant":"acme""#),
        body.to_string().replacen('{', r#"{"modelId":"a","#, 1),
    ] {
        let (rendered, answer) = post(&host, &key(3).reveal(), &forged).await.unwrap();
        assert_eq!(
            (rendered.status, &answer["error"]["type"]),
            (Some(400), &json!("InvalidRequest")),
            "{forged}"
        );
    }

    let (rendered, answer) = post(&host, &key(2).reveal(), &body.to_string()).await.unwrap();
    assert_eq!(
        (rendered.status, &answer["error"]["type"]),
        (Some(403), &json!("ModelAccessDenied")),
        "{answer}"
    );

    let refused = post(&host, &key(9).reveal(), &body.to_string()).await.unwrap_err();
    assert!(refused.contains(r#""errorMessage":"Unauthorized""#), "{refused}");
    host.shutdown().await;
}

#[test]
fn the_documentation_has_the_status_of_every_error() {
    let documentation = include_str!("../../docs/front-door.md");
    for name in ErrorName::ALL {
        // Stays inside the workflow.
        if *name == ErrorName::UsageUnavailable {
            continue;
        }
        let (status, quoted) = (format!("| {} |", http_status(name.as_str())), format!("`{name}`"));
        let is_row = |line: &str| line.starts_with(&status) && line.contains(&quoted);
        assert!(documentation.lines().any(is_row), "{status} {quoted}");
    }
}

/// Sends a request to the host's own paths: the status, the headers and the body.
async fn http(host: &Host, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, Value) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(host.addr).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_hosts_paths_know_a_tenant_by_its_key() {
    let key = "sk-sentry-abcdefghij012345-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let limits = json!([limit("default", 100_000, 100_000), limit("tenant/acme", 50_000, 50_000)]);
    let host = start(limits, |config| {
        let parsed = ApiKey::parse(key).unwrap();
        config.keys = vec![
            KeyItem::new(&parsed, "acme".to_owned(), "2026-11-24T00:00:00Z".parse().unwrap()).document(),
        ];
    })
    .await;
    let native =
        json!({"modelId": NOVA, "prompt": {"messages": [{"role": "user", "content": "Hi"}]}}).to_string();
    let openai = json!({"model": NOVA, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let bearer = format!("Bearer {key}");
    for (path, body) in [("/v1/inference", &native), ("/v1/chat/completions", &openai)] {
        for headers in [vec![("authorization", bearer.as_str())], vec![("x-api-key", key)]] {
            let (status, head, document) = http(&host, path, &headers, body).await;
            assert_eq!(status, 200, "{path}: {document}");
            // Of the narrowest budget: the tenant's.
            assert!(head.contains("x-budget-limit-input-tokens: 50000"), "{head}");
        }
        for headers in [
            vec![],
            vec![("authorization", "Bearer sk-sentry-wrong")],
            vec![("x-api-key", key), ("authorization", bearer.as_str())],
        ] {
            let (status, head, document) = http(&host, path, &headers, body).await;
            assert_eq!(
                (status, &document["error"]["message"].is_string()),
                (401, &true),
                "{path} {headers:?}: {document}"
            );
            assert!(head.contains("x-should-retry: false"));
        }
    }
    assert_eq!(http(&host, "/v1/models", &[], "").await.0, 401);
    assert_eq!(http(&host, "/v1/models", &[("authorization", bearer.as_str())], "").await.0, 200);
    host.shutdown().await;
}

#[tokio::test]
async fn a_host_without_keys_lets_openais_clients_in_with_any_key() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    let openai = json!({"model": NOVA, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let (status, _, document) =
        http(&host, "/v1/chat/completions", &[("authorization", "Bearer sk-x")], &openai).await;
    assert_eq!((status, &document["object"]), (200, &json!("chat.completion")), "{document}");
    let refused =
        json!({"model": NOVA, "messages": [{"role": "user", "content": "Hi"}], "tenant": "evil"}).to_string();
    assert_eq!(http(&host, "/v1/chat/completions", &[], &refused).await.0, 400);
    host.shutdown().await;
}
