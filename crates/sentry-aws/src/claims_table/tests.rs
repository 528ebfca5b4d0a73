use super::*;
use crate::testing::{answer, asked, connection, error, refused, replay, silent_connection};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use serde_json::json;

fn claim() -> Claim {
    Claim::new(Some("acme"), "k-1", "execution-1", 2_100)
}

async fn table(events: Vec<ReplayEvent>) -> (ClaimsTable, StaticReplayClient) {
    let http = replay(events);
    (ClaimsTable::new(&connection(&http).await, "claims".to_owned()), http)
}

#[tokio::test(start_paused = true)]
async fn a_free_key_is_taken_by_one_conditional_write() {
    let (table, http) = table(vec![answer(200, &json!({}))]).await;
    assert_eq!(table.claim(&claim(), 1_000).await, Claimed::Taken);
    let requests = asked(&http);
    let (operation, put) = &requests[0];
    assert_eq!((requests.len(), operation.as_str()), (1, "PutItem"));
    assert_eq!(
        put["Item"],
        json!({
            "claim": {"S": "acme/k-1"}, "owner": {"S": "execution-1"},
            "takenUntil": {"N": "2100"}, "expiresAt": {"N": "88500"}
        })
    );
    // The same owner may repeat it, and a key whose time is up is free.
    assert_eq!(
        put["ConditionExpression"],
        "attribute_not_exists(#claim) OR #takenUntil <= :now OR #owner = :owner"
    );
    assert_eq!(
        put["ExpressionAttributeValues"],
        json!({":now": {"N": "1000"}, ":owner": {"S": "execution-1"}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_in_use_tells_until_when() {
    let (table, _) = table(vec![refused(json!({"takenUntil": {"N": "1700"}}))]).await;
    assert_eq!(table.claim(&claim(), 1_000).await, Claimed::InUse { until: 1_700 });
}

#[tokio::test(start_paused = true)]
async fn what_was_throttled_is_repeated_and_what_is_unknown_is_not() {
    let (table, http) =
        table(vec![error(400, "ThrottlingException", json!({})), answer(200, &json!({}))]).await;
    assert_eq!(table.claim(&claim(), 1_000).await, Claimed::Taken);
    assert_eq!(asked(&http).len(), 2);

    let (table, http) = self::table(vec![error(500, "InternalServerError", json!({}))]).await;
    assert_eq!(table.claim(&claim(), 1_000).await, Claimed::Unknown);
    assert_eq!(asked(&http).len(), 1);

    let throttled = (0..1_000).map(|_| error(400, "ThrottlingException", json!({}))).collect();
    assert_eq!(self::table(throttled).await.0.claim(&claim(), 1_000).await, Claimed::Throttled);

    let (silent, http) = silent_connection().await;
    let table = ClaimsTable::new(&silent, "claims".to_owned());
    assert_eq!(table.claim(&claim(), 1_000).await, Claimed::Unknown);
    assert_eq!(http.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_its_owner_gives_a_key_back() {
    let (table, http) = table(vec![answer(200, &json!({}))]).await;
    assert!(table.give_back(&claim()).await);
    let requests = asked(&http);
    let (operation, delete) = &requests[0];
    assert_eq!(operation, "DeleteItem");
    assert_eq!(delete["Key"], json!({"claim": {"S": "acme/k-1"}}));
    assert_eq!(delete["ConditionExpression"], "#owner = :owner");
    assert_eq!(delete["ExpressionAttributeValues"], json!({":owner": {"S": "execution-1"}}));

    // The key has another owner, or none.
    assert!(self::table(vec![refused(json!({}))]).await.0.give_back(&claim()).await);
    assert!(
        !self::table(vec![error(500, "InternalServerError", json!({}))]).await.0.give_back(&claim()).await
    );
}
