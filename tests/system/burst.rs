//! A burst of twenty times the budget: never over it, and almost all of it used.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::host::{Tables, ask, limit, request, start};

const MODEL: &str = "us.anthropic.claude-sonnet-4-6";
const LIMIT: i64 = 5_000;

async fn burst(
    faults: &[&str],
) -> (Vec<Result<Value, (String, Value)>>, std::collections::BTreeMap<String, i64>, Value) {
    let change = |config: &mut sentry_local::Config| {
        config.model_latency = Some(Duration::from_millis(200));
        config.faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
    };
    let host = Arc::new(start(json!([limit("default", 10_000_000, LIMIT.unsigned_abs())]), change).await);
    let mut asked = request(MODEL, "Why?\n#sim output=500");
    asked["inference"] = json!({"maxTokens": 800});
    let requests: Vec<_> = (0..200)
        .map(|_| {
            let (host, asked) = (Arc::clone(&host), asked.clone());
            tokio::spawn(async move { ask(&host, &asked).await })
        })
        .collect();
    let watcher = {
        let host = Arc::clone(&host);
        tokio::spawn(async move {
            let tables = Tables::of(&host).await;
            loop {
                for item in tables.ledger().await.values() {
                    let committed = item.get("output").copied().unwrap_or(0);
                    assert!(committed <= LIMIT, "committed {committed} of {LIMIT}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let mut results = Vec::new();
    for request in requests {
        results.push(request.await.unwrap());
    }
    assert!(!watcher.is_finished(), "the watcher saw the budget passed");
    watcher.abort();
    let _ = watcher.await;
    let item = Tables::of(&host).await.ledger().await.into_values().next().unwrap();
    let usage = host.usage();
    Arc::into_inner(host).unwrap().shutdown().await;
    (results, item, usage)
}

fn billed(usage: &Value) -> i64 {
    usage["models"][MODEL]["outputTokens"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_uses_the_budget_and_no_more() {
    let (results, item, usage) = burst(&[]).await;
    let answered: i64 =
        results.iter().flatten().map(|answer| answer["usage"]["outputTokens"].as_i64().unwrap()).sum();
    assert_eq!(
        (answered, item["settledOutput"], item["output"]),
        (billed(&usage), billed(&usage), billed(&usage))
    );
    assert!((LIMIT * 95 / 100..=LIMIT).contains(&answered), "{answered} of {LIMIT}");
    for error in results.into_iter().filter_map(Result::err) {
        assert!(["BudgetExceeded", "BudgetBusy"].contains(&error.0.as_str()), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_leave_the_ledger_too_high_and_never_too_low() {
    let (_, item, usage) = burst(&[
        "bedrock.InternalServerException:10%",
        "dynamodb.UpdateItem.InternalServerError:5%",
        "kill-function:3%",
        "dynamodb.UpdateItem.lost-reply:3%",
    ])
    .await;
    assert!(billed(&usage) <= LIMIT, "{} of {LIMIT}", billed(&usage));
    assert!(item["output"] >= billed(&usage), "{item:?} {}", billed(&usage));
}
