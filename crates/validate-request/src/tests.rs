use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sentry_core::error::ErrorName;

async fn validate(request: Value) -> Result<Value, SentryError> {
    handle(json!({"request": request})).await
}

#[tokio::test]
async fn a_model_and_a_prompt_are_enough() {
    let request = json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    let valid = validate(request).await.unwrap();
    assert_eq!(valid["family"], "anthropic.claude-sonnet-4-6");
    assert_eq!(valid["inference"], json!({}));
    assert!(valid["inputBound"].as_u64().unwrap() >= 4);
    assert!(valid["usageIds"].as_array().unwrap().contains(&json!("eu.anthropic.claude-sonnet-4-6")));
}

#[tokio::test]
async fn nonsense_is_named_with_its_place() {
    let error = validate(json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": {"messages": [{"role": "king", "content": "Why?"}]}}))
        .await
        .unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert_eq!(error.details["path"], "prompt.messages[0].role");
    let error = validate(json!("hello")).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    let request = json!({"modelId": "amazon.titan-embed-text-v2:0", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    assert_eq!(validate(request).await.unwrap_err().name, ErrorName::UnsupportedModel);
}

/// Later states take them from here, for reports by application and cost centre.
#[tokio::test]
async fn tags_are_handed_on() {
    let mut request = json!({"modelId": "amazon.nova-2-lite-v1:0", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    assert_eq!(validate(request.clone()).await.unwrap()["tags"], json!({}));
    let tags = json!({"applicationId": "checkout", "costCenter": "cc-42", "environment": "prod"});
    request["tags"] = tags.clone();
    let valid = validate(request).await.unwrap();
    assert_eq!(valid["tags"], tags);
    // And again where a fallback model is asked instead.
    let again = handle(json!({"request": valid, "fallbackModelId": "amazon.nova-micro-v1:0"})).await.unwrap();
    assert_eq!((&again["tags"], &again["modelId"]), (&tags, &json!("amazon.nova-micro-v1:0")));
}

#[tokio::test]
async fn the_bound_is_that_of_the_model() {
    let bound = async |model_id: &str| {
        let request =
            json!({"modelId": model_id, "prompt": {"messages": [{"role": "user", "content": "Hi"}]}});
        validate(request).await.unwrap()["inputBound"].as_u64().unwrap()
    };
    assert_eq!(bound("us.anthropic.claude-sonnet-4-6").await, 2 + 16 + 128);
    // Its template begins with 2,407 bytes of its own; behind the other id may stand any model.
    assert!(bound("mistral.ministral-3-8b-instruct").await > 2_407);
    assert!(bound("ab12cd34ef56").await > 2_407);
}

/// Below and above what Step Functions carries alike.
#[tokio::test]
async fn a_request_of_any_size_past_the_limit_is_too_large() {
    for bytes in [200_001, 262_144, 300_000, 6_000_000] {
        for content in ["x".repeat(bytes), "é\n".repeat(bytes / 3)] {
            let request = json!({"modelId": "amazon.nova-2-lite-v1:0", "prompt": {"messages": [{"role": "user", "content": content}]}});
            let error = validate(request).await.unwrap_err();
            assert_eq!(error.name, ErrorName::RequestTooLarge, "{bytes}");
            assert_eq!(error.details["limit"], 200_000);
        }
    }
}

fn envelope(body: &Value) -> Value {
    json!({"door": "inference", "tenant": "acme", "bodyBase64": STANDARD.encode(body.to_string())})
}

#[tokio::test]
async fn a_request_through_the_door_has_the_tenant_of_the_key() {
    let request = json!({"modelId": "amazon.nova-2-lite-v1:0", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    let mut direct = validate(request.clone()).await.unwrap();
    assert_eq!(direct["tenant"], Value::Null);
    direct["tenant"] = json!("acme");
    assert_eq!(validate(envelope(&request)).await.unwrap(), direct);

    let error = validate(envelope(&json!({"modelId": "m", "tenant": "evil"}))).await.unwrap_err();
    assert_eq!((error.name, &error.details["path"]), (ErrorName::InvalidRequest, &json!("tenant")));
    let mut nobodys = envelope(&request);
    nobodys["tenant"] = json!("");
    assert_eq!(validate(nobodys).await.unwrap_err().name, ErrorName::InvalidRequest);
    let large = json!({"modelId": "m", "prompt": "x".repeat(190_000)});
    assert_eq!(validate(envelope(&large)).await.unwrap_err().name, ErrorName::RequestTooLarge);
}

#[tokio::test]
async fn a_key_that_is_for_other_models_is_refused_before_a_budget_is_asked() {
    let request = json!({"modelId": "us.amazon.nova-lite-v1:0", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    let mut limited = envelope(&request);
    limited["allowedModels"] = json!("amazon.nova-lite-v1:0");
    assert!(validate(limited.clone()).await.is_ok());
    limited["allowedModels"] = json!("amazon.nova-pro-v1:0");
    let error = validate(limited).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ModelAccessDenied);
    assert_eq!(error.details["possiblyBilled"], false);
    assert!(error.message.contains("amazon.nova-pro-v1:0"), "{}", error.message);
}

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAIAAAACACAIAAAA=";

/// A conversation with everything that a request can hold.
fn everything() -> Value {
    json!({
        "modelId": "us.anthropic.claude-sonnet-4-6",
        "prompt": {
            "messages": [
                { "role": "system", "content": [{ "text": "Be brief." }, { "cachePoint": { "type": "default", "ttl": "1h" } }] },
                { "role": "user", "content": [
                    { "text": "Look." },
                    { "image": { "format": "png", "source": { "bytes": PNG } } },
                    { "document": { "format": "txt", "name": "a", "source": { "bytes": "YQ==" }, "citations": { "enabled": true } } },
                    { "cachePoint": { "type": "default" } },
                ] },
                { "role": "assistant", "content": [
                    { "reasoningContent": { "reasoningText": { "text": "", "signature": "c2ln" } } },
                    { "toolUse": { "toolUseId": "a", "name": "look", "input": { "at": 1 } } },
                ] },
                { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [{ "json": {} }], "status": "success" } }] },
            ],
            "tools": [{ "toolSpec": { "name": "look", "description": "Looks.", "strict": true, "inputSchema": { "json": { "type": "object" } } } }],
            "toolChoice": { "tool": { "name": "look" } },
        },
        "inference": {
            "maxTokens": 2_048, "temperature": 1.0, "topP": 0.5, "topK": 9, "stopSequences": ["END"],
            "reasoning": { "budgetTokens": 1_024 }, "serviceTier": "priority",
            "responseFormat": { "schema": { "type": "object" }, "name": "a", "description": "b" },
        },
        "tags": { "applicationId": "a", "costCenter": "b", "environment": "c" },
        "tenant": "acme",
        "idempotencyKey": "k",
    })
}

#[tokio::test]
async fn a_plain_request_has_nothing_that_only_converse_has() {
    let request = json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": {"messages": [{"role": "user", "content": [{"text": "Why?"}]}]}});
    let valid = validate(request).await.unwrap();
    let expected = json!({
        "isPlain": true, "unbounded": null, "uncountedTokens": 0, "mayCount": true, "countFirst": false, "cache": null,
        "serviceTier": null
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&valid[field], value, "{field}");
    }
    assert_eq!(valid["prompt"]["messages"][0]["content"], "Why?");
}

#[tokio::test]
async fn the_later_steps_are_told_what_a_request_needs() {
    let valid = validate(everything()).await.unwrap();
    assert_eq!(valid["isPlain"], false);
    assert_eq!(valid["cache"], "1h");
    assert_eq!(valid["serviceTier"], "priority");
    // The schema of the answer, which CountTokens does not count.
    let uncounted = valid["uncountedTokens"].as_u64().unwrap();
    assert!((1_280..1_400).contains(&uncounted), "{uncounted}");
    assert!(valid["inputBound"].as_u64().unwrap() > uncounted);

    let mut short = everything();
    short["prompt"]["messages"][0]["content"] = json!("Be brief.");
    assert_eq!(validate(short).await.unwrap()["cache"], "5m");
}

/// Claude's tokens can be counted; how much a PDF costs with a new vendor's model is not known.
#[tokio::test]
async fn a_part_without_a_bound_is_named() {
    let read = |model_id: &str| {
        json!({"modelId": model_id, "prompt": {"messages": [{"role": "user", "content": [
            { "text": "Read it." },
            { "document": { "format": "pdf", "name": "a", "source": { "bytes": "JVBERi0xLjc=" } } },
        ]}]}})
    };
    let valid = validate(read("us.anthropic.claude-sonnet-4-6")).await.unwrap();
    assert_eq!((&valid["unbounded"], &valid["countFirst"]), (&Value::Null, &json!(true)));
    assert_eq!((&valid["mayCount"], &valid["inputBound"]), (&json!(true), &json!(1_048_576)));
    let valid = validate(read("newvendor.model-1-v1:0")).await.unwrap();
    assert_eq!(valid["unbounded"], "prompt.messages[0].content[1]");
    assert_eq!((&valid["countFirst"], &valid["mayCount"]), (&json!(false), &json!(false)));
}

/// The model is another, and nothing else.
#[tokio::test]
async fn a_fallback_is_asked_for_the_same() {
    let first = validate(everything()).await.unwrap();
    let again =
        handle(json!({"request": first, "fallbackModelId": "us.anthropic.claude-haiku-4-5-20251001-v1:0"}))
            .await
            .unwrap();
    let asked = everything();
    for field in ["prompt", "inference", "tags", "tenant", "idempotencyKey"] {
        assert_eq!(again[field], asked[field], "{field}");
        assert_eq!(first[field], asked[field], "{field}");
    }
    for field in ["isPlain", "cache", "serviceTier", "uncountedTokens", "unbounded", "countFirst"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    assert_eq!(again["modelId"], "us.anthropic.claude-haiku-4-5-20251001-v1:0");
    // Whether a picture has a bound is the model's, and is asked again.
    let other = handle(json!({"request": first, "fallbackModelId": "newvendor.model-1-v1:0"})).await.unwrap();
    assert_eq!(other["unbounded"], "prompt.messages[1].content[1]");
}

/// What is too large, and where: the sentence alone would leave a client to guess.
#[tokio::test]
async fn a_request_past_the_limit_names_its_largest_part() {
    let request = json!({"modelId": "amazon.nova-2-lite-v1:0", "prompt": {"messages": [
        {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "x".repeat(300_000)}, {"role": "user", "content": "Why?"},
    ]}});
    let error = validate(request).await.unwrap_err();
    assert_eq!(error.details["path"], "prompt.messages[1].content");
    assert_eq!(error.details["pathBytes"], 300_006);
}
