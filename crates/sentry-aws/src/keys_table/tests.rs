use super::*;
use crate::testing::{answer, asked, connection, error, refused, replay, silent_connection};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use sentry_core::api_key::{AllowedModels, ApiKey};
use serde_json::json;

const ID: &str = "aaaaaaaaaaaaaaaa";

async fn table(events: Vec<ReplayEvent>) -> (KeysTable, StaticReplayClient) {
    let http = replay(events);
    (KeysTable::new(&connection(&http).await, "keys".to_owned()), http)
}

fn item() -> KeyItem {
    let key = ApiKey::from_random([0; 16], [1; 32]);
    let mut item = KeyItem::new(&key, "acme".to_owned(), "2026-11-01T00:00:00Z".parse().unwrap());
    item.disabled = true;
    item.allowed_models = Some(AllowedModels::new(vec!["amazon.nova-lite-v1:0".to_owned()]).unwrap());
    item
}

/// As DynamoDB has it.
fn stored() -> Value {
    json!({
        "keyId": {"S": ID}, "tenant": {"S": "acme"}, "hash": {"S": item().document()["hash"]},
        "createdAt": {"S": "2026-11-01T00:00:00Z"}, "disabled": {"BOOL": true},
        "allowedModels": {"L": [{"S": "amazon.nova-lite-v1:0"}]},
    })
}

#[tokio::test(start_paused = true)]
async fn a_key_is_found_by_its_id_in_one_consistent_read() {
    let (table, http) = table(vec![answer(200, &json!({"Item": stored()})), answer(200, &json!({}))]).await;
    let found = table.read(ID).await.unwrap().unwrap();
    assert_eq!(KeyItem::read(&found), Ok(item()));
    assert_eq!(table.read(ID).await.unwrap(), None);
    let (operation, get) = &asked(&http)[0];
    assert_eq!(operation, "GetItem");
    assert_eq!(get, &json!({"TableName": "keys", "Key": {"keyId": {"S": ID}}, "ConsistentRead": true}));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_told_from_a_key_that_is_not_there() {
    let denied = error(400, "AccessDeniedException", json!({}));
    assert_eq!(table(vec![denied]).await.0.read(ID).await.unwrap_err().name, ErrorName::SentryUnavailable);
    let (silent, _http) = silent_connection().await;
    let table = KeysTable::new(&silent, "keys".to_owned());
    assert_eq!(table.read(ID).await.unwrap_err().name, ErrorName::SentryUnavailable);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_never_takes_the_place_of_another() {
    let (table, http) = table(vec![answer(200, &json!({})), refused(json!({}))]).await;
    assert_eq!(table.put_if_absent(&item()).await, Ok(true));
    assert_eq!(table.put_if_absent(&item()).await, Ok(false));
    let (operation, put) = &asked(&http)[0];
    assert_eq!(operation, "PutItem");
    assert_eq!(put["Item"], stored());
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(#keyId)");
    let failing = self::table(vec![error(400, "ResourceNotFoundException", json!({}))]).await.0;
    let message = failing.put_if_absent(&item()).await.unwrap_err().to_string();
    assert!(message.contains("keys") && message.contains("ResourceNotFoundException"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn all_pages_are_listed() {
    let (table, http) = table(vec![
        answer(200, &json!({"Items": [stored()], "LastEvaluatedKey": {"keyId": {"S": ID}}})),
        answer(200, &json!({"Items": [stored()]})),
    ])
    .await;
    assert_eq!(table.list().await, Ok(vec![item().document(), item().document()]));
    assert_eq!(asked(&http)[1].1["ExclusiveStartKey"], json!({"keyId": {"S": ID}}));
}

#[tokio::test(start_paused = true)]
async fn only_a_key_that_is_there_is_disabled() {
    let (table, http) = table(vec![answer(200, &json!({})), refused(json!({}))]).await;
    assert_eq!(table.disable(ID).await, Ok(true));
    assert_eq!(table.disable(ID).await, Ok(false));
    let (operation, update) = &asked(&http)[0];
    assert_eq!((operation.as_str(), &update["Key"]), ("UpdateItem", &json!({"keyId": {"S": ID}})));
    assert_eq!(update["UpdateExpression"], "SET #disabled = :true");
    assert_eq!(update["ConditionExpression"], "attribute_exists(#keyId)");
}
