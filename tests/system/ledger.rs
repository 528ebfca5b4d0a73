//! An update does to a DynamoDB item what it does to the pure counters.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sentry_aws::{Connection, LedgerTable, WriteLedger};
use sentry_core::ledger::{Condition, Counters, ItemKey, Outcome, Update};

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
                (Outcome::Applied(actual), Some(expected)) => {
                    assert_eq!(actual, expected, "{update:?} on {model:?}");
                    model = expected;
                }
                (Outcome::Refused(actual), None) => assert_eq!(actual, model, "{update:?}"),
                (actual, expected) => {
                    panic!("{update:?} on {model:?}: DynamoDB {actual:?}, the model {expected:?}")
                }
            }
        }
    }
    host.shutdown().await;
}
