use super::*;
use crate::ReadLedger;
use crate::repeat::REPEATED_FOR;
use crate::testing::{answer, asked, cancelled, connection, error, refused, replay, silent_connection};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use sentry_core::ledger::Condition;
use serde_json::json;
use tokio::time::Instant;

async fn table(events: Vec<ReplayEvent>) -> (LedgerTable, StaticReplayClient) {
    let http = replay(events);
    (LedgerTable::new(&connection(&http).await, "ledger".to_owned()), http)
}

fn item(budget: &str) -> ItemKey {
    ItemKey::new("2026-11".parse().unwrap(), budget)
}

fn items(budgets: &[&str]) -> Vec<ItemKey> {
    budgets.iter().map(|budget| item(budget)).collect()
}

fn update() -> Update {
    let mut update = Update::default();
    update.add("input", 7);
    update.require(Condition::AtMost("input".to_owned(), 93));
    update
}

fn with(input: i64) -> Counters {
    [("input".to_owned(), input)].into_iter().collect()
}

fn many(event: impl Fn() -> ReplayEvent) -> Vec<ReplayEvent> {
    (0..1_000).map(|_| event()).collect()
}

fn throttled() -> ReplayEvent {
    error(400, "ProvisionedThroughputExceededException", json!({}))
}

#[tokio::test(start_paused = true)]
async fn a_write_is_one_conditional_update() {
    let (table, http) = table(vec![answer(200, &json!({"Attributes": {"input": {"N": "9"}}}))]).await;
    assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Applied(with(9)));
    let requests = asked(&http);
    let (operation, request) = &requests[0];
    assert_eq!((requests.len(), operation.as_str()), (1, "UpdateItem"));
    assert_eq!(request["Key"], json!({"budget": {"S": "2026-11/a.b"}}));
    assert_eq!(request["UpdateExpression"], "ADD #input :v0");
    assert_eq!(request["ConditionExpression"], "(attribute_not_exists(#input) OR #input <= :v1)");
    assert_eq!(request["ExpressionAttributeValues"], json!({":v0": {"N": "7"}, ":v1": {"N": "93"}}));
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_comes_with_the_item() {
    let (table, http) = table(vec![refused(json!({"input": {"N": "99"}}))]).await;
    assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Refused(with(99)));
    assert_eq!(asked(&http).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_write_is_repeated() {
    for name in [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionConflictException",
    ] {
        let (table, http) = table(vec![
            error(400, name, json!({})),
            error(400, name, json!({})),
            answer(200, &json!({"Attributes": {}})),
        ])
        .await;
        assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Applied(Counters::default()));
        assert_eq!(asked(&http).len(), 3, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_that_lasts_is_told_after_some_seconds() {
    let (table, http) = table(many(throttled)).await;
    let since = Instant::now();
    assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Throttled);
    // The last pause is not begun when it would end too late.
    let (waited, attempts) = (since.elapsed(), asked(&http).len());
    assert!(waited <= REPEATED_FOR && waited > REPEATED_FOR / 2, "{waited:?}");
    assert!((8..100).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_written_is_sent_once() {
    for name in ["InternalServerError", "ServiceUnavailable"] {
        let (table, http) = table(vec![error(500, name, json!({}))]).await;
        assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Unknown);
        assert_eq!(asked(&http).len(), 1);
    }
    let (silent, http) = silent_connection().await;
    let table = LedgerTable::new(&silent, "ledger".to_owned());
    assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Unknown);
    assert_eq!(http.num_calls(), 1);
    assert_eq!(table.transact(&[(item("a.b"), update())]).await, LedgerOutcome::Unknown);
    assert_eq!(http.num_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_after_a_throttled_attempt_is_unknown() {
    let (table, http) = table(vec![throttled(), error(500, "InternalServerError", json!({}))]).await;
    assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Unknown);
    assert_eq!(asked(&http).len(), 2);
}

#[tokio::test]
async fn nothing_was_sent_where_nobody_listens() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&Connection::local(&endpoint).await.config);
    let error = client.get_item().table_name("ledger").set_key(Some(key(&item("a.b")))).send().await;
    assert!(was_refused(&error.unwrap_err()));
}

#[tokio::test]
async fn a_connection_that_breaks_off_leaves_the_outcome_unknown() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The request arrives, its connection is closed.
        std::io::Read::read(&mut stream, &mut [0; 64]).unwrap();
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        1 + usize::from(listener.accept().is_ok())
    });
    let table = LedgerTable::new(&Connection::local(&endpoint).await, "ledger".to_owned());
    assert_eq!(table.write(&item("a.b"), &update()).await, LedgerOutcome::Unknown);
    assert_eq!(connections.join().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn items_are_read_together_in_their_order() {
    let found = json!({"Responses": [{"Item": {"input": {"N": "1"}}}, {}, {"Item": {"input": {"N": "3"}}}]});
    let (table, http) = table(vec![answer(200, &found)]).await;
    let outcome = table.read(&items(&["a", "b", "c"])).await;
    assert_eq!(outcome, LedgerOutcome::Read(vec![with(1), Counters::default(), with(3)]));
    let requests = asked(&http);
    let (operation, request) = &requests[0];
    assert_eq!((requests.len(), operation.as_str()), (1, "TransactGetItems"));
    assert_eq!(request["TransactItems"][2]["Get"]["Key"], json!({"budget": {"S": "2026-11/c"}}));
}

#[tokio::test(start_paused = true)]
async fn one_item_needs_no_transaction() {
    let (table, http) = table(vec![answer(200, &json!({"Item": {"input": {"N": "1"}}}))]).await;
    assert_eq!(table.read(&items(&["a"])).await, LedgerOutcome::Read(vec![with(1)]));
    let (operation, request) = &asked(&http)[0];
    assert_eq!((operation.as_str(), &request["ConsistentRead"]), ("GetItem", &json!(true)));
    assert_eq!(table.read(&[]).await, LedgerOutcome::Read(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_read_is_repeated() {
    let found = || answer(200, &json!({"Responses": [{}, {}]}));
    let read = LedgerOutcome::Read(vec![Counters::default(), Counters::default()]);
    for reasons in [["TransactionConflict", "None"], ["None", "ThrottlingError"]] {
        let (table, http) = table(vec![cancelled(&reasons), found()]).await;
        assert_eq!(table.read(&items(&["a", "b"])).await, read);
        assert_eq!(asked(&http).len(), 2);
    }
    let (table, _) = self::table(many(|| cancelled(&["TransactionConflict", "None"]))).await;
    assert_eq!(table.read(&items(&["a", "b"])).await, LedgerOutcome::Throttled);
    let (table, _) = self::table(many(throttled)).await;
    assert_eq!(table.read(&items(&["a"])).await, LedgerOutcome::Throttled);
    let (table, http) = self::table(many(|| error(500, "InternalServerError", json!({})))).await;
    assert_eq!(table.read(&items(&["a", "b"])).await, LedgerOutcome::Unknown);
    assert_eq!(asked(&http).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_moves_all_or_nothing() {
    let updates = [(item("a"), update()), (item("b"), update())];
    let (table, http) = table(vec![answer(200, &json!({}))]).await;
    assert_eq!(table.transact(&updates).await, LedgerOutcome::Moved);
    let (operation, request) = &asked(&http)[0];
    assert_eq!(operation, "TransactWriteItems");
    assert_eq!(request["TransactItems"].as_array().map(Vec::len), Some(2));
    assert!(request["ClientRequestToken"].is_string());

    // A condition that did not hold decides, whatever the other items say.
    for reasons in [
        ["None", "ConditionalCheckFailed"],
        ["TransactionConflict", "ConditionalCheckFailed"],
        ["ThrottlingError", "ConditionalCheckFailed"],
        ["None", "ValidationError"],
    ] {
        let (table, http) = self::table(vec![cancelled(&reasons)]).await;
        assert_eq!(table.transact(&updates).await, LedgerOutcome::NotMoved);
        assert_eq!(asked(&http).len(), 1, "{reasons:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_in_conflict_is_repeated_a_few_times() {
    let updates = [(item("a"), update()), (item("b"), update())];
    for reasons in [["TransactionConflict", "None"], ["ThrottlingError", "TransactionConflict"]] {
        let (table, http) = table(many(|| cancelled(&reasons))).await;
        assert_eq!(table.transact(&updates).await, LedgerOutcome::NotMoved);
        assert_eq!(asked(&http).len(), 3);
    }
    let (table, _) = table(vec![
        cancelled(&["TransactionConflict", "None"]),
        cancelled(&["TransactionConflict", "None"]),
        answer(200, &json!({})),
    ])
    .await;
    assert_eq!(table.transact(&updates).await, LedgerOutcome::Moved);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_transaction_is_repeated_for_some_seconds() {
    let updates = [(item("a"), update()), (item("b"), update())];
    let (table, _) = table(many(|| cancelled(&["ThrottlingError", "None"]))).await;
    assert_eq!(table.transact(&updates).await, LedgerOutcome::Throttled);
    let (table, http) = self::table(vec![
        cancelled(&["ProvisionedThroughputExceeded", "None"]),
        throttled(),
        answer(200, &json!({})),
    ])
    .await;
    assert_eq!(table.transact(&updates).await, LedgerOutcome::Moved);
    assert_eq!(asked(&http).len(), 3);
    let (table, http) = self::table(many(|| error(400, "TransactionInProgressException", json!({})))).await;
    assert_eq!(table.transact(&updates).await, LedgerOutcome::Unknown);
    assert_eq!(asked(&http).len(), 1);
}

fn page(budgets: &[&str], more: bool) -> ReplayEvent {
    let key = |budget: &str| json!({"budget": {"S": format!("2026-11/{budget}")}, "period": {"N": "202611"}});
    let mut page = json!({"Items": budgets.iter().map(|budget| key(budget)).collect::<Vec<_>>()});
    if more {
        page["LastEvaluatedKey"] = key(budgets[budgets.len() - 1]);
    }
    answer(200, &page)
}

#[tokio::test(start_paused = true)]
async fn the_index_gives_the_keys_of_a_month_page_by_page() {
    let (table, http) = table(vec![page(&["a", "b"], true), page(&["c"], false)]).await;
    let keys = table.keys("2026-11".parse().unwrap()).await.unwrap();
    assert_eq!(keys, items(&["a", "b", "c"]));
    let requests = asked(&http);
    assert_eq!(requests.len(), 2);
    let (operation, first) = &requests[0];
    assert_eq!((operation.as_str(), &first["IndexName"]), ("Query", &json!("period-index")));
    assert_eq!(first["KeyConditionExpression"], "#period = :period");
    assert_eq!(first["ExpressionAttributeValues"], json!({":period": {"N": "202611"}}));
    assert_eq!(requests[1].1["ExclusiveStartKey"]["budget"], json!({"S": "2026-11/b"}));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_read_is_a_named_error() {
    let (table, http) = table(many(|| error(500, "InternalServerError", json!({})))).await;
    let failed = table.keys("2026-11".parse().unwrap()).await.unwrap_err();
    assert_eq!(failed.name, sentry_core::error::ErrorName::SentryUnavailable);
    // Reads are repeated by the SDK.
    assert_eq!(asked(&http).len(), 3);
}

#[test]
fn the_bytes_of_expressions_are_those_that_are_sent() {
    let update = update();
    assert_eq!(
        crate::expression_bytes(&update),
        ("ADD #input :v0".len(), "(attribute_not_exists(#input) OR #input <= :v1)".len())
    );
    let unconditional = Update { conditions: Vec::new(), ..update };
    assert_eq!(crate::expression_bytes(&unconditional).1, 0);
}

/// Nothing is admitted and nothing is swept by an item that cannot be read as a whole.
#[tokio::test(start_paused = true)]
async fn a_number_that_cannot_be_read_leaves_the_outcome_unknown() {
    for attribute in [json!({"N": "9223372036854775808"}), json!({"N": "1.5"}), json!({"NULL": true})] {
        let unreadable = || json!({"budget": {"S": "2026-11/a.b"}, "input": attribute, "output": {"N": "1"}});
        let (one, _) = table(vec![answer(200, &json!({"Item": unreadable()}))]).await;
        assert_eq!(one.read(&items(&["a.b"])).await, LedgerOutcome::Unknown, "{attribute}");
        let both = json!({"Responses": [{"Item": {"input": {"N": "1"}}}, {"Item": unreadable()}]});
        let (several, _) = table(vec![answer(200, &both)]).await;
        assert_eq!(several.read(&items(&["a.b", "c.d"])).await, LedgerOutcome::Unknown, "{attribute}");
        let (written, _) = table(vec![answer(200, &json!({"Attributes": unreadable()}))]).await;
        assert_eq!(written.write(&item("a.b"), &update()).await, LedgerOutcome::Unknown, "{attribute}");
        let (not_written, _) = table(vec![refused(unreadable())]).await;
        assert_eq!(not_written.write(&item("a.b"), &update()).await, LedgerOutcome::Unknown, "{attribute}");
    }
}

#[test]
fn the_error_of_a_number_that_cannot_be_read_names_item_and_attribute() {
    let number = AttributeValue::N("9223372036854775808".to_owned());
    let stored = HashMap::from([("input".to_owned(), number)]);
    let message = counters(&item("a.b"), Some(stored)).unwrap_err();
    for part in ["2026-11/a.b", "input", "9223372036854775808"] {
        assert!(message.contains(part), "{message}");
    }
}
