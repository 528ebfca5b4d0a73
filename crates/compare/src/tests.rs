use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use sentry_core::ledger::{Counters, ItemKey, Update};
use serde_json::json;

/// A ledger in memory that counts its writes.
#[derive(Default)]
struct Memory {
    items: Mutex<BTreeMap<ItemKey, Counters>>,
    writes: Mutex<usize>,
    reads: Mutex<usize>,
    transactions: Mutex<usize>,
    down: bool,
}

impl Memory {
    fn of(&self, item: &ItemKey) -> Counters {
        self.items.lock().unwrap().get(item).cloned().unwrap_or_default()
    }
}

impl WriteLedger for Memory {
    async fn read(&self, items: &[ItemKey]) -> Option<Vec<Counters>> {
        *self.reads.lock().unwrap() += 1;
        Some(items.iter().map(|item| self.of(item)).collect())
    }

    async fn transact(&self, updates: &[(ItemKey, Update)]) -> Outcome {
        *self.transactions.lock().unwrap() += 1;
        let mut items = self.items.lock().unwrap();
        let before = |item: &ItemKey| items.get(item).cloned().unwrap_or_default();
        let after: Option<Vec<_>> =
            updates.iter().map(|(item, update)| Some((item.clone(), update.apply(&before(item))?))).collect();
        let Some(after) = after else { return Outcome::NotMoved };
        items.extend(after);
        Outcome::Moved
    }

    async fn write(&self, item: &ItemKey, update: &Update) -> Outcome {
        *self.writes.lock().unwrap() += 1;
        if self.down {
            return Outcome::Unknown;
        }
        let mut items = self.items.lock().unwrap();
        let before = items.get(item).cloned().unwrap_or_default();
        match update.apply(&before) {
            Some(after) => {
                items.insert(item.clone(), after.clone());
                Outcome::Applied(after)
            }
            None => Outcome::Refused(before),
        }
    }
}

impl Memory {
    fn writes(&self) -> usize {
        *self.writes.lock().unwrap()
    }
}

fn event(max_tokens: Option<u64>) -> Value {
    json!({
        "requestId": "r-1",
        "startTime": "2026-11-23T12:00:00Z",
        "modelId": "a.b",
        "inputBound": 100,
        "mayCount": false,
        "maxTokens": max_tokens,
        "limits": {
            "budgets": [{
                "key": "a.b", "itemId": "default", "limit": {"input": 1_000, "output": 1_000},
                "minMaxTokens": 64, "onShortage": "shrink", "warnAtPercent": [80], "countsExternal": true
            }],
            "family": "a.b",
            "defaultMaxTokens": 300
        },
        "usage": {"available": true, "inputTokens": 0, "outputTokens": 0},
        "waitedSeconds": 0,
        "tried": [],
        "again": false
    })
}

fn with(mut event: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        *event.pointer_mut(pointer).unwrap() = value.clone();
    }
    event
}

#[tokio::test]
async fn the_usual_request_costs_one_write() {
    let ledger = Memory::default();
    let answer = handle(event(Some(200)), &ledger).await.unwrap();
    assert_eq!((answer["verdict"].as_str(), answer["maxTokens"].as_u64()), (Some("admit"), Some(200)));
    assert_eq!(answer["maxTokensShrunk"], false);
    assert_eq!(
        answer["budget"]["output"],
        json!({"limit": 1000, "used": 0, "reserved": 200, "remaining": 800})
    );
    assert_eq!(answer["budget"]["input"]["reserved"], 100);
    assert_eq!(answer["budget"]["externalUsage"], "current");
    assert_eq!(ledger.writes(), 1);
}

#[tokio::test]
async fn the_limit_item_fills_in_and_caps_max_tokens() {
    let answer = handle(event(None), &Memory::default()).await.unwrap();
    assert_eq!((answer["maxTokens"].as_u64(), answer["maxTokensShrunk"].as_bool()), (Some(300), Some(false)));
    let mut capped = event(Some(900));
    capped["limits"]["maxTokensCap"] = json!(50);
    let answer = handle(capped, &Memory::default()).await.unwrap();
    assert_eq!((answer["maxTokens"].as_u64(), answer["maxTokensShrunk"].as_bool()), (Some(50), Some(true)));
}

#[tokio::test]
async fn a_request_waits_for_those_in_flight_and_then_takes_what_is_left() {
    let ledger = Memory::default();
    handle(event(Some(800)), &ledger).await.unwrap();
    let answer = handle(event(Some(400)), &ledger).await.unwrap();
    assert_eq!(answer["verdict"], "wait");
    assert!((1..=3).contains(&answer["waitSeconds"].as_u64().unwrap()));
    let late = with(event(Some(400)), &[("/waitedSeconds", json!(15))]);
    let answer = handle(late.clone(), &ledger).await.unwrap();
    assert_eq!((answer["maxTokens"].as_u64(), answer["maxTokensShrunk"].as_bool()), (Some(200), Some(true)));
    let answer = handle(late, &ledger).await.unwrap();
    assert_eq!(answer["error"], "BudgetBusy");
    assert!(answer["cause"]["retryAfterSeconds"].as_u64().unwrap() <= 5);
}

#[tokio::test]
async fn a_spent_budget_refuses_at_once_with_the_numbers() {
    let ledger = Memory::default();
    let spent = with(event(Some(400)), &[("/usage/outputTokens", json!(990))]);
    let answer = handle(spent, &ledger).await.unwrap();
    assert_eq!(answer["error"], "BudgetExceeded");
    let cause = &answer["cause"];
    assert_eq!(
        (cause["dimension"].as_str(), cause["requested"].as_u64(), cause["remaining"].as_u64()),
        (Some("output"), Some(400), Some(10))
    );
    assert_eq!(cause["resetsAt"], "2026-12-01T00:00:00Z");
    assert_eq!(cause["retryAfterSeconds"], 7 * 86_400 + 12 * 3_600);
    assert_eq!(cause["budget"]["output"]["used"], 990);
    assert_eq!(cause["budget"]["status"], "warning");
}

#[tokio::test]
async fn what_bypassed_the_sentry_counts_from_the_first_request_on() {
    let ledger = Memory::default();
    let answer =
        handle(with(event(Some(200)), &[("/usage/inputTokens", json!(500))]), &ledger).await.unwrap();
    assert_eq!(answer["verdict"], "admit");
    assert_eq!(
        answer["budget"]["input"],
        json!({"limit": 1000, "used": 500, "reserved": 100, "remaining": 400})
    );
    // Known now: the next request pays for no second write.
    let before = ledger.writes();
    handle(with(event(Some(200)), &[("/usage/inputTokens", json!(500))]), &ledger).await.unwrap();
    assert_eq!(ledger.writes(), before + 1);
}

#[tokio::test]
async fn more_than_the_whole_limit_is_refused_with_true_numbers() {
    let ledger = Memory::default();
    let answer = handle(with(event(None), &[("/inputBound", json!(1_001))]), &ledger).await.unwrap();
    assert_eq!(
        (answer["error"].as_str(), answer["cause"]["dimension"].as_str()),
        (Some("BudgetExceeded"), Some("input"))
    );
    assert!(ledger.items.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_cloudwatch_it_goes_on_and_says_so() {
    let answer = handle(with(event(None), &[("/usage", json!({"available": false}))]), &Memory::default())
        .await
        .unwrap();
    assert_eq!(
        (answer["verdict"].as_str(), answer["budget"]["externalUsage"].as_str()),
        (Some("admit"), Some("unavailable"))
    );
}

#[tokio::test]
async fn without_the_ledger_nothing_is_admitted() {
    let down = Memory { down: true, ..Memory::default() };
    assert_eq!(handle(event(None), &down).await.unwrap_err().name, ErrorName::SentryUnavailable);
    assert_eq!(down.writes(), 1);
}
