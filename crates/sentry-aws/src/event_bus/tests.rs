use super::*;
use crate::testing::{answer, asked, connection, error, replay};
use sentry_core::notice::NoticeType;
use serde_json::{Value, json};

fn notices(count: usize) -> Vec<Notice> {
    (0..count)
        .map(|number| Notice::new(NoticeType::LimitItemIgnored, json!({"modelId": format!("m-{number}")})))
        .collect()
}

fn taken(count: usize) -> Value {
    json!({"FailedEntryCount": 0, "Entries": vec![json!({"EventId": "e"}); count]})
}

#[tokio::test(start_paused = true)]
async fn ten_notices_go_in_one_call() {
    let http = replay(vec![answer(200, &taken(10)), answer(200, &taken(2))]);
    let bus = EventBus::new(&connection(&http).await);
    bus.publish(&notices(12)).await.unwrap();
    let requests = asked(&http);
    let sent: Vec<_> = requests.iter().map(|(_, body)| body["Entries"].as_array().unwrap().len()).collect();
    assert_eq!((requests[0].0.as_str(), sent), ("PutEvents", vec![10, 2]));
    // The same entry that the state machine sends.
    assert_eq!(requests[1].1["Entries"][1], notices(12)[11].entry());
    bus.publish(&[]).await.unwrap();
    assert_eq!(asked(&http).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_was_not_taken_is_an_error_after_the_others_were_sent() {
    let partly = json!({
        "FailedEntryCount": 1,
        "Entries": [{"EventId": "e"}, {"ErrorCode": "InternalFailure", "ErrorMessage": "scripted"}]
    });
    let http = replay(vec![answer(200, &partly), answer(200, &taken(1))]);
    let bus = EventBus::new(&connection(&http).await);
    assert_eq!(bus.publish(&notices(11)).await.unwrap_err().name, ErrorName::InternalError);
    assert_eq!(asked(&http).len(), 2);
    let http = replay(vec![error(400, "AccessDeniedException", json!({}))]);
    let bus = EventBus::new(&connection(&http).await);
    assert!(bus.publish(&notices(1)).await.is_err());
}
