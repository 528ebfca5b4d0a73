use super::*;
use sentry_core::error::ErrorName;

async fn validate(request: Value) -> Result<Value, SentryError> {
    handle(json!({"request": request})).await
}

#[tokio::test]
async fn a_model_and_a_prompt_are_enough() {
    let request = json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    let valid = validate(request).await.unwrap();
    assert_eq!(valid["family"], "anthropic.claude-sonnet-4-6");
    assert_eq!(valid["vendor"], "anthropic");
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
