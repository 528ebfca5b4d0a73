//! What abandoned executions hold is released, and usage that bypasses the sentry counts.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use sentry_local::{Clock, Host};
use serde_json::{Value, json};

use crate::host::{Tables, ask, limit, request, start};

const NOVA: &str = "amazon.nova-lite-v1:0";
const ITEM: &str = "2026-11/amazon.nova-lite-v1:0";

/// Far from the end of a month.
fn noon() -> DateTime<Utc> {
    "2026-11-12T12:01:00Z".parse().unwrap()
}

/// A host whose clock shows so many minutes after noon; the tables are kept in the folder.
async fn at(minutes: i64, folder: &Path, faults: &[&str]) -> Host {
    clocked(noon() + TimeDelta::minutes(minutes), folder, faults).await
}

async fn clocked(time: DateTime<Utc>, folder: &Path, faults: &[&str]) -> Host {
    let limits = json!([
        limit("default", 100_000, 1_000),
        {"modelId": "tenant/acme", "limit": {"input": 100_000, "output": 900}},
    ]);
    start(limits, |config| {
        config.data = Some(folder.to_owned());
        config.metric_lag = TimeDelta::zero();
        config.clock = Clock::moved_by(time - Utc::now());
        config.faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
    })
    .await
}

/// Reconciles, twice, since that must be the same as once.
async fn reconcile(host: &Host) {
    for _ in 0..2 {
        let done = host.invoke("reconcile", json!({})).await.unwrap();
        let period = &done["periods"][0];
        assert_eq!((&period["refused"], &period["failed"]), (&json!(0), &json!(0)), "{done}");
    }
}

/// Has the host's CloudWatch show a call of the first minute.
fn shows(host: &Host, input: u64, output: u64) {
    let datum = |name: &str, value: u64| {
        json!({"MetricName": name, "Value": value, "Timestamp": noon().timestamp(),
            "Dimensions": [{"Name": "ModelId", "Value": NOVA}]})
    };
    let put = json!({"Namespace": "AWS/Bedrock",
        "MetricData": [datum("InputTokenCount", input), datum("OutputTokenCount", output)]});
    let reply = host.cloudwatch().handle_json("PutMetricData", put.to_string().as_bytes(), noon());
    assert_eq!(reply.status, 200, "{}", reply.json_body());
}

fn asked(max_tokens: u64) -> Value {
    let mut request = request(NOVA, "Why?\n#sim output=100 input=8");
    request["inference"] = json!({"maxTokens": max_tokens});
    request
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sentry-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[tokio::test]
async fn what_an_abandoned_execution_holds_is_released_and_what_it_was_billed_counts() {
    let folder = folder("abandoned");
    let host = at(0, &folder, &["lambda.settle.ServiceException:10"]).await;
    let mut tenant = asked(400);
    tenant["tenant"] = json!("acme");
    ask(&host, &tenant).await.unwrap();
    let item = Tables::of(&host).await.budget(ITEM).await;
    assert_eq!((item["output"], item.contains_key("settledOutput")), (400, false), "{item:?}");
    host.shutdown().await;

    for minutes in [5, 10, 15, 20, 25] {
        let host = at(minutes, &folder, &[]).await;
        shows(&host, 8, 100);
        reconcile(&host).await;
        host.shutdown().await;
    }
    let host = at(29, &folder, &[]).await;
    shows(&host, 8, 100);
    let tables = Tables::of(&host).await;
    let item = tables.budget(ITEM).await;
    assert_eq!((item["output"], item["externalOutput"]), (100, 100), "{item:?}");
    assert!(!item.keys().any(|name| name.starts_with('r')), "{item:?}");
    // CloudWatch cannot say whose tokens these are, so as many stay held in the tenant's budget, and no more.
    let item = tables.budget("2026-11/tenant/acme").await;
    assert_eq!((item["output"], item.get("settledOutput")), (100, None), "{item:?}");
    assert_eq!(ask(&host, &asked(1_000)).await.unwrap()["maxTokens"], 900);
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_was_never_billed_comes_back_whole() {
    let folder = folder("unbilled");
    // The execution dies between the two budgets' reservations and the model.
    let host = at(0, &folder, &["lambda.compare.lost-reply:1"]).await;
    let mut tenant = asked(400);
    tenant["tenant"] = json!("acme");
    assert_eq!(ask(&host, &tenant).await.unwrap_err().0, "SentryUnavailable");
    host.shutdown().await;
    for minutes in [5, 10, 15, 20, 25] {
        let host = at(minutes, &folder, &[]).await;
        reconcile(&host).await;
        host.shutdown().await;
    }
    let host = at(29, &folder, &[]).await;
    let tables = Tables::of(&host).await;
    for item in [ITEM, "2026-11/tenant/acme"] {
        let item = tables.budget(item).await;
        assert_eq!(item.get("output"), None, "{item:?}");
    }
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn bypassing_calls_count_and_no_call_counts_twice() {
    let folder = folder("bypass");
    let host = at(0, &folder, &[]).await;
    // The request uses 100 tokens. Then CloudWatch shows it, and 300 tokens that bypassed the sentry.
    let answer = ask(&host, &asked(400)).await.unwrap();
    assert_eq!(answer["budget"]["output"]["used"], 100);
    shows(&host, 8, 400);
    let answer = ask(&host, &asked(400)).await.unwrap();
    // usage-query keeps what it read for five minutes; reconcile does not.
    assert_eq!(answer["budget"]["output"]["used"], 200);
    host.shutdown().await;
    for minutes in [1, 6, 11, 16, 21] {
        let host = at(minutes, &folder, &[]).await;
        shows(&host, 16, 500);
        reconcile(&host).await;
        host.shutdown().await;
    }
    let host = at(26, &folder, &[]).await;
    let item = Tables::of(&host).await.budget(ITEM).await;
    assert_eq!((item["output"], item["settledOutput"], item["externalOutput"]), (500, 200, 300), "{item:?}");
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn without_cloudwatch_nothing_is_given_back() {
    let folder = folder("blind");
    let host = at(0, &folder, &["lambda.settle.ServiceException:10"]).await;
    ask(&host, &asked(400)).await.unwrap();
    host.shutdown().await;
    for minutes in [10, 20, 30, 40] {
        let host = at(minutes, &folder, &["cloudwatch.GetMetricData.InternalServiceFault:100%"]).await;
        host.invoke("reconcile", json!({})).await.unwrap();
        host.shutdown().await;
    }
    let host = at(45, &folder, &[]).await;
    assert_eq!(Tables::of(&host).await.budget(ITEM).await["output"], 400);
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn the_month_before_is_looked_after_until_it_is_closed() {
    let folder = folder("month");
    let last_minute: DateTime<Utc> = "2026-10-31T23:58:30Z".parse().unwrap();
    let host = clocked(last_minute, &folder, &["lambda.settle.ServiceException:10"]).await;
    ask(&host, &asked(400)).await.unwrap();
    let tables = Tables::of(&host).await;
    assert_eq!(tables.budget("2026-10/amazon.nova-lite-v1:0").await["output"], 400);
    host.shutdown().await;
    for minutes in [5, 10, 15, 20, 25, 30] {
        let host = clocked(last_minute + TimeDelta::minutes(minutes), &folder, &[]).await;
        host.invoke("reconcile", json!({})).await.unwrap();
        host.shutdown().await;
    }
    let host = clocked(last_minute + TimeDelta::minutes(31), &folder, &[]).await;
    let tables = Tables::of(&host).await;
    assert_eq!(tables.budget("2026-10/amazon.nova-lite-v1:0").await.get("output"), None);
    // The new month has a budget of its own.
    assert_eq!(ask(&host, &asked(1_000)).await.unwrap()["budget"]["period"], "2026-11");
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// The notices that were sent, the oldest first: their types and details.
fn notices(host: &Host) -> Vec<(String, Value)> {
    let events = host.events();
    let events = events["events"].as_array().unwrap().iter().rev();
    events.map(|event| (event["detail-type"].as_str().unwrap().to_owned(), event["detail"].clone())).collect()
}

#[tokio::test]
async fn a_threshold_that_bypassing_usage_crosses_is_announced_once() {
    let folder = folder("threshold");
    let host = at(5, &folder, &[]).await;
    shows(&host, 8, 850);
    reconcile(&host).await;
    let detail = json!({"budget": NOVA, "period": "2026-11", "dimension": "output", "percent": 80,
        "limit": 1_000, "used": 850});
    assert_eq!(notices(&host), [("Budget Threshold Crossed".to_owned(), detail)]);
    // The next request sees the same usage, and crosses the next threshold itself.
    let answer = ask(&host, &asked(100)).await.unwrap();
    assert_eq!(answer["budget"]["output"]["used"], 950);
    let percents: Vec<_> = notices(&host).into_iter().map(|(_, detail)| detail["percent"].clone()).collect();
    assert_eq!(percents, [80, 95]);
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_limit_item_that_governs_nothing_is_announced_once() {
    let folder = folder("ignored-item");
    let host = at(0, &folder, &[]).await;
    Tables::of(&host).await.put_limit(&limit("anthropic.*", 1, 1)).await;
    reconcile(&host).await;
    let notices = notices(&host);
    assert_eq!((notices.len(), notices[0].0.as_str()), (1, "Limit Item Ignored"), "{notices:?}");
    assert_eq!(notices[0].1["itemId"], "anthropic.*");
    assert!(notices[0].1["reason"].as_str().unwrap().contains("wildcards"), "{notices:?}");
    host.shutdown().await;
    std::fs::remove_dir_all(folder).unwrap();
}
