use std::collections::BTreeMap;

use sentry_core::api_key::{ApiKey, KeyRefusal};
use sentry_lambda::{FunctionFailure, HandlerError as _};

use super::*;

const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod/POST/v1/inference";
const NOW: &str = "2026-11-24T12:00:00Z";

/// Keys in memory; `None` for a table that does not answer.
struct Keys(Option<BTreeMap<String, Value>>);

impl ReadKeys for Keys {
    async fn read(&self, key_id: &str) -> Result<Option<Value>, SentryError> {
        match &self.0 {
            Some(keys) => Ok(keys.get(key_id).cloned()),
            None => Err(SentryError::new(ErrorName::SentryUnavailable, "The API keys cannot be read.")),
        }
    }
}

fn key() -> ApiKey {
    ApiKey::from_random([3; 16], [9; 32])
}

fn item() -> KeyItem {
    KeyItem::new(&key(), "acme".to_owned(), "2026-11-01T00:00:00Z".parse().unwrap())
}

fn context(items: impl IntoIterator<Item = Value>) -> Context<Keys> {
    let keys = items.into_iter().map(|item| (item["keyId"].as_str().unwrap().to_owned(), item)).collect();
    Context::new(Keys(Some(keys)), || NOW.parse().unwrap())
}

/// As API Gateway calls: each header in both forms.
fn event(headers: &[(&str, &[&str])]) -> Value {
    let single: Map<_, _> =
        headers.iter().map(|(name, values)| ((*name).to_owned(), json!(values.last()))).collect();
    let multi: Map<_, _> = headers.iter().map(|(name, values)| ((*name).to_owned(), json!(values))).collect();
    json!({"type": "REQUEST", "methodArn": ARN, "headers": single, "multiValueHeaders": multi})
}

fn with_key(key: &ApiKey) -> Value {
    event(&[("Authorization", &[&format!("Bearer {}", key.reveal())])])
}

async fn denial(event: Value, item: Value) -> (Denial, Option<String>) {
    match handle(event, &context([item])).await {
        Err(AuthorizeError::Unauthorized { denial, key_id }) => (denial, key_id),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_key_gives_its_tenant_for_every_method_of_the_stage() {
    let answer = handle(with_key(&key()), &context([item().document()])).await.unwrap();
    assert_eq!(
        answer,
        json!({
            "principalId": "acme",
            "policyDocument": {"Version": "2012-10-17", "Statement": [{
                "Action": "execute-api:Invoke", "Effect": "Allow",
                "Resource": "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod/*",
            }]},
            "context": {"tenant": "acme", "keyId": key().id()},
        })
    );
    let mut limited = item();
    let models = vec!["amazon.nova-lite-v1:0".to_owned(), "anthropic.claude-sonnet-4-6".to_owned()];
    limited.allowed_models = Some(AllowedModels::new(models).unwrap());
    let answer = handle(with_key(&key()), &context([limited.document()])).await.unwrap();
    // A context has texts alone.
    assert_eq!(answer["context"]["allowedModels"], "amazon.nova-lite-v1:0,anthropic.claude-sonnet-4-6");
}

#[tokio::test]
async fn a_key_comes_in_either_header_whatever_its_case() {
    let reveal = key().reveal();
    for event in [
        event(&[("authorization", &[&format!("bearer {reveal}")])]),
        event(&[("AUTHORIZATION", &[&format!("Bearer  {reveal}")])]),
        event(&[("X-Api-Key", &[&reveal])]),
        json!({"methodArn": ARN, "headers": {"x-api-key": reveal}}),
        json!({"methodArn": ARN, "headers": {"x-api-key": reveal}, "multiValueHeaders": null}),
    ] {
        assert!(handle(event.clone(), &context([item().document()])).await.is_ok(), "{event}");
    }
}

#[tokio::test]
async fn two_keys_in_one_request_are_refused_even_when_both_are_good() {
    let reveal = key().reveal();
    let bearer = format!("Bearer {reveal}");
    let (bearer, reveal) = (bearer.as_str(), reveal.as_str());
    let requests: [&[(&str, &[&str])]; 4] = [
        &[("Authorization", &[bearer, bearer])],
        &[("Authorization", &[bearer]), ("x-api-key", &[reveal])],
        &[("x-api-key", &[reveal, reveal])],
        &[("x-api-key", &[reveal]), ("X-API-KEY", &[reveal])],
    ];
    for headers in requests {
        assert_eq!(denial(event(headers), item().document()).await, (Denial::Several, None), "{headers:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_well_formed_key_is_refused() {
    let reveal = key().reveal();
    assert_eq!(denial(event(&[]), item().document()).await.0, Denial::Missing);
    assert_eq!(denial(event(&[("Authorization", &[])]), item().document()).await.0, Denial::Missing);
    assert_eq!(denial(json!({"methodArn": ARN}), item().document()).await.0, Denial::Missing);
    for value in [
        "".to_owned(),
        reveal.clone(),
        format!("Basic {reveal}"),
        format!("Bearer {reveal}, Bearer {reveal}"),
        format!("Bearer\t{reveal}"),
        "Bearer ".to_owned(),
        "Bearer sk-other".to_owned(),
    ] {
        let event = event(&[("Authorization", &[&value])]);
        assert_eq!(denial(event, item().document()).await.0, Denial::Malformed, "{value}");
    }
    let no_text = json!({"methodArn": ARN, "multiValueHeaders": {"x-api-key": [7]}});
    assert_eq!(denial(no_text, item().document()).await.0, Denial::Malformed);
}

#[tokio::test]
async fn an_unknown_a_disabled_and_an_expired_key_are_refused() {
    let id = || Some(key().id().to_owned());
    let stranger = ApiKey::from_random([4; 16], [9; 32]);
    let unknown = (Denial::Unknown, Some(stranger.id().to_owned()));
    assert_eq!(denial(with_key(&stranger), item().document()).await, unknown);
    let other_secret = ApiKey::from_random([3; 16], [8; 32]);
    assert_eq!(denial(with_key(&other_secret), item().document()).await, (Denial::Unknown, id()));

    let mut disabled = item();
    disabled.disabled = true;
    let refused = (Denial::Refused(KeyRefusal::Disabled), id());
    assert_eq!(denial(with_key(&key()), disabled.document()).await, refused);
    // Only who has the whole key learns about it.
    assert_eq!(denial(with_key(&other_secret), disabled.document()).await, (Denial::Unknown, id()));

    let mut expired = item();
    expired.expires_at = Some(NOW.parse().unwrap());
    let refused = (Denial::Refused(KeyRefusal::Expired), id());
    assert_eq!(denial(with_key(&key()), expired.document()).await, refused);
}

#[tokio::test]
async fn what_is_not_known_is_no_401() {
    let away = Context::new(Keys(None), || NOW.parse().unwrap());
    let error = handle(with_key(&key()), &away).await.unwrap_err();
    let failure = FunctionFailure::from(error);
    assert_eq!(failure.error_type, "SentryUnavailable");
    assert_ne!(failure.error_message, "Unauthorized");

    let mut malformed = item().document();
    malformed["tenant"] = json!("a \"b\"");
    let error = handle(with_key(&key()), &context([malformed])).await.unwrap_err();
    assert!(error.explanation().contains("`tenant`"), "{}", error.explanation());
    assert_eq!(FunctionFailure::from(error).error_type, "InternalError");

    for arn in [json!(null), json!("arn:aws:execute-api:r:1:a"), json!("a/b")] {
        let mut event = with_key(&key());
        event["methodArn"] = arn;
        let error = handle(event, &context([item().document()])).await.unwrap_err();
        assert_eq!(FunctionFailure::from(error).error_type, "InternalError");
    }
}

/// API Gateway compares the whole message.
#[tokio::test]
async fn a_refusal_has_exactly_the_message_that_is_a_401_and_no_secret_in_the_log() {
    let stranger = ApiKey::from_random([4; 16], [9; 32]);
    let error = handle(with_key(&stranger), &context([])).await.unwrap_err();
    let secret = &stranger.reveal()[stranger.reveal().len() - 43..];
    assert!(error.explanation().contains(stranger.id()) && !error.explanation().contains(secret));
    let failure = FunctionFailure::from(error);
    assert_eq!(
        (failure.error_type.as_str(), failure.error_message.as_str()),
        ("Unauthorized", "Unauthorized")
    );
}
