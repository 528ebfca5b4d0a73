use sentry_core::error::{ErrorName, SentryError};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::{Invocation, answer, parse, read};

fn invocation() -> Invocation {
    Invocation { function: "compare".to_owned(), request_id: "r-1".to_owned() }
}

#[tokio::test]
async fn an_error_keeps_its_name_and_its_fields() {
    let error = SentryError::new(ErrorName::InvalidRequest, "The role is unknown.")
        .with("path", "prompt.messages[0].role");
    let failure = answer(&invocation(), async { Err(error) }).await.unwrap_err();
    assert_eq!(failure.error_type, "InvalidRequest");
    let cause: Value = serde_json::from_str(&failure.error_message).unwrap();
    assert_eq!(cause, json!({"message": "The role is unknown.", "path": "prompt.messages[0].role"}));
}

#[tokio::test]
async fn a_panic_becomes_a_named_error() {
    let failure = answer::<_, SentryError>(&invocation(), async { panic!("secret") }).await.unwrap_err();
    assert_eq!(failure.error_type, "InternalError");
    assert!(failure.error_message.contains("r-1") && !failure.error_message.contains("secret"));
}

#[derive(Debug, serde::Deserialize)]
struct Event {
    #[expect(dead_code, reason = "only read")]
    numbers: Vec<u8>,
}

#[test]
fn a_wrong_event_is_named_by_its_path() {
    let error = read::<Event>(&json!({"numbers": [1, "two"]})).unwrap_err();
    assert_eq!(error.name, ErrorName::InternalError);
    assert_eq!(error.details["path"], "numbers[1]");
    assert!(!error.message.contains("u8"), "{}", error.message);
}

/// As `lambda_runtime` does before it calls a handler; what fails here is never named.
fn handed_over(payload: &str) -> Box<RawValue> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(payload.as_bytes())).unwrap()
}

#[test]
fn a_payload_is_handed_over_unread_and_read_whole() {
    let payload = r#"{"request":{"text":"\ud83d\ude00 \u00e9","numbers":[1,2.5,null]}}"#;
    assert_eq!(
        parse(&handed_over(payload)).unwrap(),
        json!({"request": {"text": "\u{1f600} é", "numbers": [1, 2.5, null]}})
    );
}

#[test]
fn a_payload_that_cannot_be_read_is_the_callers_mistake() {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(parse(&handed_over(&lists(127))).is_ok());
    for (payload, part) in [
        (r#"{"request":{"prompt":"\ud800"}}"#.to_owned(), "surrogate"),
        (r#"{"request":{"prompt":"\udc00\ud800"}}"#.to_owned(), "surrogate"),
        (r#"{"request":{"\ud800x":1}}"#.to_owned(), "surrogate"),
        (lists(128), "nested deeper than 127 levels"),
        (lists(100_000), "nested deeper than 127 levels"),
        (objects(1_000), "nested deeper than 127 levels"),
    ] {
        let error = parse(&handed_over(&payload)).unwrap_err();
        assert_eq!((error.name, &error.details["path"]), (ErrorName::InvalidRequest, &json!("")), "{part}");
        assert!(error.message.contains(part), "{}", error.message);
    }
}
