use std::sync::Mutex;

use super::*;
use sentry_core::error::ErrorName;
use sentry_core::ledger::{ItemKey, Update};

/// One ledger item in memory, or none that answers.
struct Item(Option<Mutex<Counters>>);

impl Item {
    /// Holds a reservation of 100 input and 200 output tokens.
    fn reserved() -> Self {
        let numbers = [("input", 100), ("output", 200), ("r7Input", 100), ("r7Output", 200)];
        Self(Some(Mutex::new(numbers.into_iter().map(|(name, number)| (name.to_owned(), number)).collect())))
    }

    fn get(&self, name: &str) -> i64 {
        self.0.as_ref().unwrap().lock().unwrap().get(name)
    }
}

impl WriteLedger for Item {
    async fn read(&self, _: &[ItemKey]) -> Option<Vec<Counters>> {
        unreachable!("settle only writes")
    }

    async fn transact(&self, _: &[(ItemKey, Update)]) -> Written {
        unreachable!("settle only writes")
    }

    async fn write(&self, item: &ItemKey, update: &Update) -> Written {
        assert_eq!(item.as_str(), "2026-11/a.b");
        let Some(item) = &self.0 else {
            return Written::Unknown;
        };
        let mut item = item.lock().unwrap();
        match update.apply(&item) {
            Some(after) => {
                *item = after.clone();
                Written::Applied(after)
            }
            None => Written::Refused(item.clone()),
        }
    }
}

fn event(outcome: Value) -> Value {
    json!({
        "requestId": "r-1",
        "period": "2026-11",
        "reservation": {
            "reserved": [{"item": "2026-11/a.b", "bucket": 7, "amounts": {"input": 100, "output": 200}}],
            "amounts": {"input": 100, "output": 200}
        },
        "budgets": [{
            "key": "a.b", "itemId": "default", "limit": {"input": 1_000, "output": 100},
            "minMaxTokens": 64, "onShortage": "shrink", "warnAtPercent": [50, 80]
        }],
        "externalUsageKnown": true,
        "outcome": outcome
    })
}

fn answered() -> Value {
    json!({"status": "SUCCEEDED", "answer": {"usage": {
        "inputTokens": 10, "outputTokens": 60, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 2, "totalTokens": 77}}})
}

#[tokio::test]
async fn true_usage_replaces_the_reservation() {
    let item = Item::reserved();
    let settled = handle(event(answered()), &item).await.unwrap();
    assert_eq!(settled["usage"]["totalTokens"], 77);
    assert_eq!(settled["usageEstimated"], false);
    // Cached input counts as input.
    assert_eq!(
        settled["budget"]["input"],
        json!({"limit": 1000, "used": 17, "reserved": 0, "remaining": 983})
    );
    assert_eq!((item.get("output"), item.get("settledOutput"), item.get("r7Output")), (60, 60, 0));
}

#[tokio::test]
async fn each_threshold_is_announced_by_the_write_that_crosses_it() {
    let settled = handle(event(answered()), &Item::reserved()).await.unwrap();
    let notices = settled["thresholds"].as_array().unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["DetailType"], "Budget Threshold Crossed");
    let detail: Value = serde_json::from_str(notices[0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        (detail["dimension"].as_str(), detail["percent"].as_u64(), detail["used"].as_u64()),
        (Some("output"), Some(50), Some(60))
    );
}

#[tokio::test]
async fn a_call_that_was_not_billed_gives_everything_back() {
    let item = Item::reserved();
    let outcome = json!({"status": "FAILED", "cause": {"type": "ModelThrottled", "possiblyBilled": false}});
    let settled = handle(event(outcome), &item).await.unwrap();
    assert_eq!(
        (item.get("input"), item.get("output"), item.get("settledOutput"), item.get("r7Input")),
        (0, 0, 0, 0)
    );
    assert_eq!(settled["thresholds"], json!([]));
}

#[tokio::test]
async fn what_may_have_been_billed_is_kept_at_its_upper_bound() {
    for outcome in [
        json!({"status": "FAILED", "cause": {"type": "ModelTimeout", "possiblyBilled": true}}),
        json!({"status": "TIMED_OUT"}),
        json!({"status": "FAILED", "cause": {"possiblyBilled": "no"}}),
        json!({"status": "SUCCEEDED", "answer": {"usage": null}}),
        json!({"status": "SUCCEEDED", "answer": {"usage": {"inputTokens": -4, "outputTokens": 1}}}),
    ] {
        let item = Item::reserved();
        let answered = outcome["status"] == "SUCCEEDED";
        let settled = handle(event(outcome), &item).await.unwrap();
        assert_eq!(
            (item.get("settledInput"), item.get("settledOutput"), item.get("r7Output")),
            (100, 200, 0)
        );
        assert_eq!(settled["usageEstimated"], answered);
        assert_eq!(settled["usage"]["totalTokens"], 300);
    }
}

#[tokio::test]
async fn a_swept_bucket_takes_no_late_settlement() {
    let item = Item(Some(Mutex::default()));
    handle(event(answered()), &item).await.unwrap();
    assert_eq!((item.get("input"), item.get("settledInput")), (0, 0));
}

#[tokio::test]
async fn without_the_ledger_the_caller_still_gets_the_usage() {
    let settled = handle(event(answered()), &Item(None)).await.unwrap();
    assert_eq!(
        (settled["budget"].clone(), settled["usage"]["totalTokens"].as_u64()),
        (Value::Null, Some(77))
    );
}

#[tokio::test]
async fn a_document_of_another_version_is_a_named_error() {
    let mut other = event(answered());
    other["period"] = json!("November");
    assert_eq!(handle(other, &Item::reserved()).await.unwrap_err().name, ErrorName::InternalError);
}
