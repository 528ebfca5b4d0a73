//! Every kind of budget and every setting of a limit item, through both workflows.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::host::{Tables, ask, limit, request, start};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6";
const FAMILY: &str = "anthropic.claude-sonnet-4-6";
const NOVA: &str = "amazon.nova-lite-v1:0";

fn key(budget: &str) -> String {
    format!("{}/{budget}", Utc::now().format("%Y-%m"))
}

fn with(mut request: Value, fields: &Value) -> Value {
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

/// A request for at most so many tokens of output, which the model would write.
fn writing(model: &str, output: u64) -> Value {
    with(
        request(model, &format!("Why?\n#sim output={output} input=8")),
        &json!({"inference": {"maxTokens": output}}),
    )
}

/// The keys of the budgets of an answer.
fn keys(answer: &Value) -> Vec<&str> {
    answer["budgets"].as_array().unwrap().iter().map(|budget| budget["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_budget_that_applies_must_admit_and_is_charged() {
    let limits = json!([
        limit("default", 100_000, 100_000),
        {"modelId": "account", "limit": {"costUsd": 0.01}},
        {"modelId": "tenant/acme", "limit": {"input": 10_000, "output": 300}},
        {"modelId": format!("tenant/acme/{NOVA}"), "limit": {"input": 10_000, "output": 100}},
    ]);
    let host = start(limits, |_| {}).await;
    let tables = Tables::of(&host).await;
    let acme = |request: Value| with(request, &json!({"tenant": "acme"}));

    let answer = ask(&host, &acme(writing(NOVA, 80))).await.unwrap();
    assert_eq!(answer["budget"]["key"], format!("tenant/acme/{NOVA}"));
    assert_eq!(answer["budget"]["output"]["remaining"], 20);
    assert_eq!(keys(&answer), [&format!("tenant/acme/{NOVA}"), "tenant/acme", NOVA, "account"]);
    assert_eq!((&answer["budgets"][0], &answer["shrunkBy"]), (&answer["budget"], &Value::Null));
    // $0.06 and $0.24 per million tokens.
    let cost = 8 * 60 + 80 * 240;
    assert_eq!(answer["costUsd"], json!(0.000_019_68));
    for budget in [&format!("tenant/acme/{NOVA}"), "tenant/acme", NOVA, "account"] {
        let item = tables.budget(&key(budget)).await;
        assert_eq!((item["output"], item["settledOutput"], item["cost"]), (80, 80, cost), "{budget}");
    }
    // 20 tokens are less than an answer is worth.
    let (error, cause) = ask(&host, &acme(writing(NOVA, 80))).await.unwrap_err();
    assert_eq!(error, "BudgetExceeded");
    assert_eq!(cause["budget"]["key"], format!("tenant/acme/{NOVA}"));
    // Another model is free of that one, and the tenant's own budget counts both.
    let answer = ask(&host, &acme(writing(CLAUDE, 220))).await.unwrap();
    assert_eq!(answer["budget"]["key"], "tenant/acme");
    assert_eq!(answer["budget"]["output"]["remaining"], 0);
    // Without a tenant, the model's and the account's count: what is left of $0.01 pays for some tokens.
    let answer = ask(&host, &writing(CLAUDE, 5_000)).await.unwrap();
    assert_eq!((&answer["maxTokensShrunk"], &answer["shrunkBy"]), (&json!(true), &json!("account")));
    assert_eq!(keys(&answer), [FAMILY, "account"]);
    let spent = tables.budget(&key("account")).await["cost"];
    assert!((9_000_000..=10_000_000).contains(&spent), "{spent}");
    let (error, cause) = ask(&host, &writing(CLAUDE, 5_000)).await.unwrap_err();
    assert_eq!((error.as_str(), cause["dimension"].as_str()), ("BudgetExceeded", Some("costUsd")));
    assert_eq!(cause["budget"]["costUsd"]["limit"], 0.01);
    assert!(cause["message"].as_str().unwrap().contains("$0."), "{cause}");
    host.shutdown().await;
}

#[tokio::test]
async fn a_model_without_a_price_is_refused_by_name_under_a_budget_in_money() {
    let limits =
        json!([limit("default", 100_000, 100_000), {"modelId": "account", "limit": {"costUsd": 100}}]);
    let host = start(limits, |_| {}).await;
    let tables = Tables::of(&host).await;
    let unpriced = "cohere.command-r-plus-v1:0";
    let (error, cause) = ask(&host, &request(unpriced, "Why?")).await.unwrap_err();
    assert_eq!((error.as_str(), cause["modelId"].as_str()), ("LimitNotConfigured", Some(unpriced)));
    assert_eq!(cause["attribute"], "pricePerMillionTokensUsd");
    assert!(host.usage()["models"].get(unpriced).is_none(), "the model was called");
    let priced = with(
        limit(unpriced, 100_000, 100_000),
        &json!({"pricePerMillionTokensUsd": {"input": 3, "output": 15.5}}),
    );
    tables.put_limit(&priced).await;
    let answer = ask(&host, &writing(unpriced, 100)).await.unwrap();
    assert_eq!(tables.budget(&key("account")).await["cost"], 8 * 3_000 + 100 * 15_500, "{answer}");
    host.shutdown().await;
}

#[tokio::test]
async fn observe_counts_and_refuses_nothing_block_refuses_everything() {
    let observed = with(limit(NOVA, 1_000, 100), &json!({"mode": "observe"}));
    let host = start(json!([limit("default", 100_000, 100_000), observed]), |_| {}).await;
    let tables = Tables::of(&host).await;
    let answer = ask(&host, &writing(NOVA, 90)).await.unwrap();
    assert_eq!(
        (&answer["wouldHaveRefused"], answer["budget"]["mode"].as_str()),
        (&Value::Null, Some("observe"))
    );
    let answer = ask(&host, &writing(NOVA, 90)).await.unwrap();
    assert_eq!(answer["wouldHaveRefused"], json!([{"budget": NOVA, "dimension": "output"}]));
    assert_eq!(answer["maxTokensShrunk"], false);
    assert_eq!(tables.budget(&key(NOVA)).await["settledOutput"], 180);

    tables.put_limit(&with(limit(NOVA, 1_000, 100_000), &json!({"mode": "block"}))).await;
    let (error, cause) = ask(&host, &writing(NOVA, 90)).await.unwrap_err();
    assert_eq!((error.as_str(), cause["mode"].as_str()), ("BudgetExceeded", Some("block")));
    assert!(cause["message"].as_str().unwrap().contains(NOVA), "{cause}");
    host.shutdown().await;
}

#[tokio::test]
async fn a_spent_budget_passes_on_to_its_fallback_and_never_in_a_circle() {
    let spent = |model: &str, next: &str| with(limit(model, 1_000, 10), &json!({"fallbackModelId": next}));
    let haiku = "anthropic.claude-haiku-4-5-20251001-v1:0";
    let limits = json!([limit("default", 100_000, 100_000), spent(FAMILY, haiku), spent(haiku, NOVA)]);
    let host = start(limits, |_| {}).await;
    let tables = Tables::of(&host).await;
    let answer = ask(&host, &writing(CLAUDE, 90)).await.unwrap();
    assert_eq!((answer["requestedModelId"].as_str(), answer["modelId"].as_str()), (Some(CLAUDE), Some(NOVA)));
    assert_eq!(
        answer["fallback"]["tried"],
        json!([
            {"modelId": CLAUDE, "budget": FAMILY, "dimension": "output"},
            {"modelId": haiku, "budget": haiku, "dimension": "output"},
        ])
    );
    assert_eq!(tables.budget(&key(NOVA)).await["settledOutput"], 90);
    assert!(tables.budget(&key(FAMILY)).await.is_empty());

    tables.put_limit(&spent(NOVA, &format!("eu.{FAMILY}"))).await;
    let (error, cause) = ask(&host, &writing(CLAUDE, 90)).await.unwrap_err();
    assert_eq!((error.as_str(), cause["budget"]["key"].as_str()), ("BudgetExceeded", Some(NOVA)));
    assert_eq!(cause["fallback"]["tried"].as_array().unwrap().len(), 2);

    tables.put_limit(&spent(FAMILY, "amazon.titan-embed-text-v2:0")).await;
    let (error, cause) = ask(&host, &writing(CLAUDE, 1)).await.unwrap_err();
    assert_eq!(
        (error.as_str(), cause["attribute"].as_str()),
        ("LimitNotConfigured", Some("fallbackModelId"))
    );
    host.shutdown().await;
}

#[tokio::test]
async fn a_boost_ends_by_itself() {
    let boosted = |until: DateTime<Utc>| {
        with(limit(NOVA, 1_000, 10), &json!({"boost": {"output": 200, "until": until.to_rfc3339()}}))
    };
    let host = start(json!([boosted(Utc::now() + TimeDelta::seconds(60))]), |_| {}).await;
    let tables = Tables::of(&host).await;
    let answer = ask(&host, &writing(NOVA, 90)).await.unwrap();
    assert_eq!(answer["budget"]["output"]["limit"], 210);
    tables.put_limit(&boosted(Utc::now())).await;
    let (error, cause) = ask(&host, &writing(NOVA, 90)).await.unwrap_err();
    assert_eq!((error.as_str(), &cause["budget"]["output"]["limit"]), ("BudgetExceeded", &json!(10)));
    host.shutdown().await;
}

#[tokio::test]
async fn a_key_is_taken_while_its_request_is_in_flight_and_free_afterwards() {
    let host = Arc::new(
        start(json!([limit("default", 100_000, 100_000)]), |config| config.model_latency = None).await,
    );
    let slow = |key: &str| {
        with(
            request(NOVA, "Why?\n#sim output=5 latency=1500ms"),
            &json!({"idempotencyKey": key, "tenant": "acme"}),
        )
    };
    let first = tokio::spawn({
        let (host, asked) = (Arc::clone(&host), slow("k#1"));
        async move { ask(&host, &asked).await }
    });
    // The claim stands as soon as the first request has reserved.
    let tables = Tables::of(&host).await;
    while tables.budget(&key(NOVA)).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (error, cause) = ask(&host, &slow("k#1")).await.unwrap_err();
    assert_eq!(error, "RequestInProgress");
    assert!((1..=10).contains(&cause["retryAfterSeconds"].as_u64().unwrap()), "{cause}");
    // Another tenant's key is another key.
    ask(&host, &with(slow("k#1"), &json!({"tenant": "other"}))).await.unwrap();
    first.await.unwrap().unwrap();
    ask(&host, &slow("k#1")).await.unwrap();
    assert_eq!(host.usage()["models"][NOVA]["outputTokens"], 3 * 5, "{}", host.usage());
    Arc::into_inner(host).unwrap().shutdown().await;
}

#[tokio::test]
async fn a_refused_request_gives_its_key_back() {
    let host = start(json!([limit("default", 100_000, 10)]), |_| {}).await;
    let asked = with(writing(NOVA, 90), &json!({"idempotencyKey": "k-1"}));
    for _ in 0..2 {
        assert_eq!(ask(&host, &asked).await.unwrap_err().0, "BudgetExceeded");
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_fallback_that_cannot_be_used_gives_the_key_back() {
    let unpriced = "cohere.command-r-plus-v1:0";
    let spent = with(limit(NOVA, 1_000, 10), &json!({"fallbackModelId": unpriced}));
    let account = json!({"modelId": "account", "limit": {"costUsd": 100}});
    let host = start(json!([limit("default", 100_000, 100_000), spent, account]), |_| {}).await;
    let tables = Tables::of(&host).await;
    let asked = with(writing(NOVA, 90), &json!({"idempotencyKey": "k-1"}));
    for _ in 0..2 {
        let (error, cause) = ask(&host, &asked).await.unwrap_err();
        assert_eq!((error.as_str(), &cause["modelId"]), ("LimitNotConfigured", &json!(unpriced)), "{cause}");
    }
    // The key is free at once for the request that can be served.
    tables.put_limit(&limit(NOVA, 1_000, 1_000)).await;
    assert_eq!(ask(&host, &asked).await.unwrap()["modelId"], NOVA);
    host.shutdown().await;
}

#[tokio::test]
async fn near_the_limit_the_input_is_counted() {
    let host = start(json!([limit("default", 120, 100_000)]), |_| {}).await;
    // The upper bound of this prompt is over 140 tokens, the model reads about ten.
    let answer = ask(&host, &request(CLAUDE, "Why is the sky blue?")).await.unwrap();
    let read = answer["usage"]["inputTokens"].as_u64().unwrap();
    assert!(read < 20, "{answer}");
    assert_eq!(host.usage()["calls"]["CountTokens"], 1, "{}", host.usage());
    // Where the model does not count, or counting fails, the bound holds.
    assert_eq!(ask(&host, &request(NOVA, "Why is the sky blue?")).await.unwrap_err().0, "BudgetExceeded");
    host.faults().set(br#"{"faults": ["bedrock.CountTokens.ThrottlingException:5"]}"#).unwrap();
    assert_eq!(ask(&host, &request(CLAUDE, "Why is the sky blue?")).await.unwrap_err().0, "BudgetExceeded");
    host.shutdown().await;
}

/// Calls of DynamoDB since the numbers were last taken.
fn calls(host: &sentry_local::Host, since: &mut Value) -> Value {
    let now = host.usage()["dynamodb"].clone();
    let mut difference = json!({});
    for (operation, count) in now.as_object().unwrap() {
        let more = count.as_u64().unwrap() - since[operation].as_u64().unwrap_or(0);
        if more > 0 {
            difference[operation] = json!(more);
        }
    }
    *since = now;
    difference
}

#[tokio::test]
async fn a_request_costs_two_writes_for_each_budget() {
    let limits = json!([
        limit("default", 100_000, 100_000),
        {"modelId": "account", "limit": {"costUsd": 100}},
        {"modelId": "tenant/acme", "limit": {"input": 10_000, "output": 3_000}},
    ]);
    let host = start(limits, |_| {}).await;
    let mut since = json!({});
    calls(&host, &mut since);
    ask(&host, &writing(NOVA, 10)).await.unwrap();
    assert_eq!(calls(&host, &mut since), json!({"BatchGetItem": 1, "UpdateItem": 2 * 2}));
    ask(&host, &with(writing(NOVA, 10), &json!({"tenant": "acme"}))).await.unwrap();
    assert_eq!(calls(&host, &mut since), json!({"BatchGetItem": 1, "UpdateItem": 2 * 3}));
    ask(&host, &with(writing(NOVA, 10), &json!({"idempotencyKey": "k"}))).await.unwrap();
    let claim = json!({"BatchGetItem": 1, "UpdateItem": 2 * 2, "PutItem": 1, "DeleteItem": 1});
    assert_eq!(calls(&host, &mut since), claim);
    host.shutdown().await;
}

#[tokio::test]
async fn a_budget_that_is_split_costs_the_same_and_gives_out_all_of_it() {
    let split = |shards: u64| with(limit(NOVA, 1_000_000, 4_000), &json!({"shards": shards}));
    let host = start(json!([split(4)]), |_| {}).await;
    let tables = Tables::of(&host).await;
    let mut since = json!({});
    calls(&host, &mut since);
    for _ in 0..20 {
        ask(&host, &writing(NOVA, 10)).await.unwrap();
    }
    let cost = calls(&host, &mut since);
    assert!((40..=60).contains(&cost["UpdateItem"].as_u64().unwrap()), "{cost}");
    assert!(cost["TransactWriteItems"].as_u64().unwrap() <= 10, "{cost}");
    // From four shards to two and back to none, until nothing is left anywhere.
    let mut used = 200;
    for shards in [4, 2, 1, 8, 1] {
        tables.put_limit(&split(shards)).await;
        used += ask(&host, &writing(NOVA, 500)).await.unwrap()["usage"]["outputTokens"].as_u64().unwrap();
    }
    loop {
        match ask(&host, &writing(NOVA, 300)).await {
            Ok(answer) => used += answer["usage"]["outputTokens"].as_u64().unwrap(),
            Err((error, cause)) => {
                assert_eq!(error, "BudgetExceeded", "{cause}");
                assert_eq!(cause["budget"]["output"]["used"], json!(used), "{cause}");
                break;
            }
        }
    }
    assert!((3_937..=4_000).contains(&used), "{used}");
    assert_eq!(host.usage()["models"][NOVA]["outputTokens"], used);
    host.shutdown().await;
}
