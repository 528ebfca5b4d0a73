use sentry_core::error::{ErrorName, SentryError};
use serde_json::{Value, json};

use crate::{Invocation, answer, read};

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
    let failure = answer(&invocation(), async { panic!("secret") }).await.unwrap_err();
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
