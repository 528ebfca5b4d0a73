//! An update does to a DynamoDB item what it does to the pure counters.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sentry_aws::{
    ClaimKeys, Claimed, ClaimsTable, Connection, EventBus, LedgerTable, PublishEvents, ReadLedger,
    WriteLedger,
};
use sentry_core::ledger::{Claim, Condition, Counters, ItemKey, LedgerOutcome, Update};
use sentry_core::notice::{Notice, NoticeType};

use crate::host;

const NAMES: [&str; 4] = ["input", "settledInput", "r7Input", "size"];

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = Condition> {
    (name(), -3..6i64, 0..3u8).prop_map(|(name, number, kind)| match kind {
        0 => Condition::AtMost(name, number),
        1 => Condition::AtLeast(name, number),
        _ => Condition::Equals(name, number),
    })
}

fn update() -> impl Strategy<Value = Update> {
    let numbers = || proptest::collection::btree_map(name(), -4..5i64, 0..3);
    let parts = (
        numbers(),
        numbers(),
        proptest::collection::btree_set(name(), 0..2),
        proptest::collection::vec(condition(), 0..3),
    );
    parts.prop_filter_map(
        "an attribute is written once, and something is written",
        |(mut add, mut set, remove, conditions)| {
            set.retain(|name, _| !remove.contains(name));
            add.retain(|name, number| *number != 0 && !remove.contains(name) && !set.contains_key(name));
            let update = Update { add, set, remove, conditions };
            (!update.add.is_empty() || !update.set.is_empty() || !update.remove.is_empty()).then_some(update)
        },
    )
}

#[tokio::test]
async fn a_write_means_the_same_to_dynamodb_and_to_the_model() {
    let host = host::start(serde_json::json!([]), |_| {}).await;
    let table = LedgerTable::new(&Connection::local(&host.url()).await, "sentry-ledger".to_owned());
    let mut runner = TestRunner::default();
    for case in 0..40 {
        let item = ItemKey::new("2026-11".parse().unwrap(), &format!("case-{case}"));
        let mut model = Counters::default();
        for _ in 0..12 {
            let update = update().new_tree(&mut runner).unwrap().current();
            let expected = update.apply(&model);
            match (table.write(&item, &update).await, expected) {
                (LedgerOutcome::Applied(actual), Some(expected)) => {
                    assert_eq!(actual, expected, "{update:?} on {model:?}");
                    model = expected;
                }
                (LedgerOutcome::Refused(actual), None) => assert_eq!(actual, model, "{update:?}"),
                (actual, expected) => {
                    panic!("{update:?} on {model:?}: DynamoDB {actual:?}, the model {expected:?}")
                }
            }
        }
    }
    host.shutdown().await;
}

/// Adds to `input` and files the item under its month.
fn of_month(item: &str, number: i64, input: i64) -> (ItemKey, Update) {
    let mut update = Update::default();
    update.set.insert("period".to_owned(), number);
    update.add("input", input);
    update.require(Condition::AtMost("input".to_owned(), 100));
    (ItemKey::from_table(item.to_owned()), update)
}

#[tokio::test]
async fn the_items_of_a_month_are_found_and_read_together() {
    let host = host::start(serde_json::json!([]), |_| {}).await;
    let table = LedgerTable::new(&Connection::local(&host.url()).await, "sentry-ledger".to_owned());
    let (a, b) = (of_month("2026-11/a", 202_611, 1), of_month("2026-11/b", 202_611, 2));
    let other = of_month("2026-10/a", 202_610, 4);
    assert!(matches!(table.write(&other.0, &other.1).await, LedgerOutcome::Applied(_)));
    assert_eq!(table.transact(&[a.clone(), b.clone()]).await, LedgerOutcome::Moved);
    let keys = table.keys("2026-11".parse().unwrap()).await.unwrap();
    assert_eq!(keys, [a.0.clone(), b.0.clone()]);

    let with = |number: i64, input: i64| -> Counters {
        [("period".to_owned(), number), ("input".to_owned(), input)].into_iter().collect()
    };
    let missing = ItemKey::from_table("2026-11/c".to_owned());
    let all = [b.0.clone(), missing, other.0.clone()];
    let found = vec![with(202_611, 2), Counters::default(), with(202_610, 4)];
    assert_eq!(table.read(&all).await, LedgerOutcome::Read(found));
    assert_eq!(table.read(&all[..1]).await, LedgerOutcome::Read(vec![with(202_611, 2)]));

    // One condition that does not hold stops all of a transaction.
    let full = of_month("2026-11/b", 202_611, 100);
    assert!(matches!(table.write(&full.0, &full.1).await, LedgerOutcome::Applied(_)));
    assert_eq!(table.transact(&[a.clone(), b.clone()]).await, LedgerOutcome::NotMoved);
    assert_eq!(table.read(&[a.0]).await, LedgerOutcome::Read(vec![with(202_611, 1)]));
    host.shutdown().await;
}

#[tokio::test]
async fn a_claim_is_its_owners_until_it_is_given_back_or_its_time_is_up() {
    let host = host::start(serde_json::json!([]), |_| {}).await;
    let table = ClaimsTable::new(&Connection::local(&host.url()).await, "sentry-claims".to_owned());
    let first = Claim::new(Some("acme"), "k", "first", 2_000);
    let second = Claim { owner: "second".to_owned(), until: 3_000, ..first.clone() };
    assert_eq!(table.claim(&first, 1_000).await, Claimed::Taken);
    assert_eq!(table.claim(&first, 1_000).await, Claimed::Taken);
    assert_eq!(table.claim(&second, 1_999).await, Claimed::InUse { until: 2_000 });
    assert!(table.give_back(&second).await);
    assert_eq!(table.claim(&second, 1_999).await, Claimed::InUse { until: 2_000 });
    assert_eq!(table.claim(&second, 2_000).await, Claimed::Taken);
    assert!(table.give_back(&second).await);
    assert!(table.give_back(&second).await);
    assert_eq!(table.claim(&first, 1_000).await, Claimed::Taken);
    host.shutdown().await;
}

#[tokio::test]
async fn notices_reach_the_event_bus() {
    let host = host::start(serde_json::json!([]), |_| {}).await;
    let bus = EventBus::new(&Connection::local(&host.url()).await);
    let notice =
        |number: usize| Notice::new(NoticeType::BoundExceeded, serde_json::json!({"number": number}));
    bus.publish(&(0..11).map(notice).collect::<Vec<_>>()).await.unwrap();
    let events = host.events();
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 11);
    // The newest is first.
    assert_eq!(
        (&events[0]["detail"]["number"], &events[0]["detail-type"]),
        (&10.into(), &"Bound Exceeded".into())
    );
    host.shutdown().await;
}
