use super::*;
use sentry_aws::testing_tables::{Fault, MemoryTables};
use sentry_core::ledger::{Hold, ItemKey, Slot};
use sentry_core::limit::Dimension;
use serde_json::json;

const START: i64 = 1_795_435_200;
const BOUND: Amounts = Amounts { input: 100, output: 200, cost: 0 };

async fn handle(event: Value, tables: &MemoryTables) -> Result<Value, SentryError> {
    super::handle(event, &Context { ledger: tables, claims: tables }).await
}

fn period() -> Period {
    "2026-11".parse().unwrap()
}

fn hold(budget: &str) -> Hold {
    Hold::new(ItemKey::new(period(), budget), START, BOUND)
}

/// Tables in which these budgets hold what the request has reserved, with faults of their next writes.
fn reserved(budgets: &[&str], faults: impl IntoIterator<Item = Option<Fault>>) -> MemoryTables {
    let tables = MemoryTables::with_faults(faults);
    for budget in budgets {
        let hold = hold(budget);
        tables.put(hold.item.clone(), hold.reserve(period()).apply(&tables.item(&hold.item)).unwrap());
    }
    tables
}

fn get(tables: &MemoryTables, budget: &str, attribute: &str) -> i64 {
    tables.item(&ItemKey::new(period(), budget)).get(attribute)
}

fn held(tables: &MemoryTables, budget: &str) -> i64 {
    tables.item(&ItemKey::new(period(), budget)).reserved_in(Slot::of(START), Dimension::Output)
}

fn event_for(budgets: &[&str], outcome: Value) -> Value {
    let limits: Vec<_> = budgets
        .iter()
        .map(|key| {
            json!({
                "key": key, "itemId": "default", "limit": {"input": 1_000, "output": 100},
                "minMaxTokens": 64, "onShortage": "shrink", "warnAtPercent": [50, 80]
            })
        })
        .collect();
    let reservation =
        Reservation { holds: budgets.iter().map(|budget| hold(budget)).collect(), amounts: BOUND };
    json!({
        "requestId": "r-1",
        "idempotencyKey": null,
        "tenant": null,
        "settlement": {
            "period": "2026-11",
            "reservation": reservation,
            "settled": [],
            "attempts": 0,
            "budgets": limits,
            "externalUsageKnown": true,
            "outcome": outcome,
            "prices": null,
            "tags": null
        }
    })
}

fn event(outcome: Value) -> Value {
    event_for(&["a.b"], outcome)
}

fn answered() -> Value {
    json!({"status": "SUCCEEDED", "answer": {"usage": {
        "inputTokens": 10, "outputTokens": 60, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 2, "totalTokens": 77}}})
}

#[tokio::test]
async fn true_usage_replaces_the_reservation() {
    let tables = reserved(&["a.b"], []);
    let settled = handle(event(answered()), &tables).await.unwrap();
    assert_eq!(settled["usage"]["totalTokens"], 77);
    assert_eq!((&settled["usageEstimated"], &settled["throttled"]), (&json!(false), &json!(false)));
    // Cached input counts as input.
    assert_eq!(
        settled["budgets"][0]["input"],
        json!({"limit": 1000, "used": 17, "reserved": 0, "remaining": 983})
    );
    assert_eq!(
        (get(&tables, "a.b", "output"), get(&tables, "a.b", "settledOutput"), held(&tables, "a.b")),
        (60, 60, 0)
    );
    assert_eq!(settled.get("costUsd"), None);
}

fn prices() -> Value {
    let price = |input: u64| {
        json!({
            "input": input, "output": 2 * input, "cacheRead": input / 10, "cacheWrite": input * 5 / 4,
            "cacheWrite1h": 2 * input
        })
    };
    json!({"standard": price(1_000_000), "flex": price(500_000), "priority": price(3_000_000),
        "long": {"above": 1_000, "price": price(2_000_000)}})
}

/// What a request cost in dollars that asked for this tier and lifetime, and got this answer.
async fn cost(tier: Value, cache: Value, answer: Value) -> String {
    let mut event = event(json!({"status": "SUCCEEDED", "answer": answer}));
    event["settlement"]["prices"] = prices();
    event["settlement"]["serviceTier"] = tier;
    event["settlement"]["cache"] = cache;
    handle(event, &reserved(&["a.b"], [])).await.unwrap()["costUsd"].to_string()
}

#[tokio::test]
async fn the_answer_says_what_the_request_cost() {
    let usage = answered()["answer"]["usage"].clone();
    let written = json!({"inputTokens": 0, "outputTokens": 0, "cacheWriteInputTokens": 40});
    let split = json!({"inputTokens": 0, "outputTokens": 0, "cacheWriteInputTokens": 40, "cacheWrite1hInputTokens": 10});
    let long = json!({"inputTokens": 1, "outputTokens": 0, "cacheReadInputTokens": 1_000});
    let null = Value::Null;
    for (tier, cache, answer, dollars) in [
        // 10 at $1, 60 at $2, 5 at $0.10 and 2 at $1.25 for a million.
        (null.clone(), null.clone(), json!({"usage": usage}), "0.000133"),
        // At the price of the tier that was asked for, unless the answer names the one that served.
        (json!("flex"), null.clone(), json!({"usage": usage}), "0.0000665"),
        (json!("priority"), null.clone(), json!({"usage": usage}), "0.000399"),
        (json!("flex"), null.clone(), json!({"usage": usage, "serviceTier": "default"}), "0.000133"),
        (json!("priority"), null.clone(), json!({"usage": usage, "serviceTier": "default"}), "0.000133"),
        (json!("priority"), null.clone(), json!({"usage": usage, "serviceTier": "reserved"}), "0.000399"),
        (json!("priority"), null.clone(), json!({"usage": usage, "serviceTier": null}), "0.000399"),
        // Writes to a cache for five minutes and for an hour.
        (null.clone(), json!("5m"), json!({"usage": written}), "0.00005"),
        (null.clone(), json!("1h"), json!({"usage": written}), "0.00008"),
        (null.clone(), json!("1h"), json!({"usage": split}), "0.0000575"),
        (null.clone(), json!("5m"), json!({"usage": split}), "0.0000575"),
        // The whole request has the price of long inputs.
        (null.clone(), null.clone(), json!({"usage": long}), "0.000202"),
    ] {
        assert_eq!(
            cost(tier.clone(), cache.clone(), answer.clone()).await,
            dollars,
            "{tier} {cache} {answer}"
        );
    }
}

#[tokio::test]
async fn more_money_than_the_bound_is_announced() {
    let mut event = event(answered());
    event["settlement"]["prices"] = prices();
    let announced = |settled: Value| {
        settled["notices"].as_array().unwrap().iter().any(|notice| notice["DetailType"] == "Bound Exceeded")
    };
    for (held, expected) in [(132_999, true), (133_000, false), (0, false)] {
        event["settlement"]["reservation"]["amounts"]["cost"] = json!(held);
        let settled = handle(event.clone(), &reserved(&["a.b"], [])).await.unwrap();
        assert_eq!(announced(settled), expected, "{held}");
    }
}

#[tokio::test]
async fn each_threshold_is_announced_by_the_write_that_crosses_it() {
    let settled = handle(event(answered()), &reserved(&["a.b"], [])).await.unwrap();
    let notices = settled["notices"].as_array().unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["DetailType"], "Budget Threshold Crossed");
    let detail: Value = serde_json::from_str(notices[0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        (detail["dimension"].as_str(), detail["percent"].as_u64(), detail["used"].as_u64()),
        (Some("output"), Some(50), Some(60))
    );
}

#[tokio::test]
async fn a_shard_announces_no_threshold() {
    let tables = MemoryTables::default();
    let hold = Hold::new(ItemKey::new(period(), "a.b").shard(1), START, BOUND);
    tables.put(hold.item.clone(), hold.reserve(period()).apply(&tables.item(&hold.item)).unwrap());
    let mut event = event(answered());
    event["settlement"]["reservation"]["holds"][0]["item"] = json!("2026-11/a.b#1");
    let settled = handle(event, &tables).await.unwrap();
    assert_eq!(settled["notices"], json!([]));
    assert_eq!(settled["budgets"][0]["approximate"], true);
    assert_eq!(tables.item(&hold.item).settled(Dimension::Output), 60);
}

#[tokio::test]
async fn more_than_the_bound_is_announced() {
    let usage = json!({"inputTokens": 101, "outputTokens": 60, "totalTokens": 161});
    let outcome = json!({"status": "SUCCEEDED", "answer": {"usage": usage}});
    let settled = handle(event(outcome), &reserved(&["a.b"], [])).await.unwrap();
    let notice =
        settled["notices"].as_array().unwrap().iter().find(|notice| notice["DetailType"] == "Bound Exceeded");
    let detail: Value = serde_json::from_str(notice.unwrap()["Detail"].as_str().unwrap()).unwrap();
    assert_eq!((&detail["bound"]["input"], &detail["used"]["input"]), (&json!(100), &json!(101)));
    assert_eq!((&detail["requestId"], &detail["budgets"]), (&json!("r-1"), &json!(["a.b"])));
}

/// The event of the attempt after this one, as the workflow sends it.
fn next_attempt(mut event: Value, answer: &Value) -> Value {
    let settlement = &mut event["settlement"];
    settlement["attempts"] = json!(settlement["attempts"].as_u64().unwrap() + 1);
    settlement["reservation"] = answer["reservation"].clone();
    settlement["settled"] = answer["budgets"].clone();
    event
}

#[tokio::test]
async fn more_than_the_bound_is_announced_once_however_often_the_table_has_no_capacity() {
    let usage = json!({"inputTokens": 101, "outputTokens": 2, "totalTokens": 103});
    let outcome = json!({"status": "SUCCEEDED", "answer": {"usage": usage}});
    let budgets = ["tenant/acme", "a.b", "account"];
    for settled_before in 0..budgets.len() {
        let faults = vec![None; settled_before].into_iter().chain([Some(Fault::Throttled); 3]);
        let tables = reserved(&budgets, faults);
        let mut event = event_for(&budgets, outcome.clone());
        let mut announced = Vec::new();
        for attempt in 0..4 {
            let answer = handle(event.clone(), &tables).await.unwrap();
            let notices = answer["notices"].as_array().unwrap();
            announced.push(notices.iter().filter(|notice| notice["DetailType"] == "Bound Exceeded").count());
            assert_eq!(answer["throttled"], attempt < 3);
            event = next_attempt(event, &answer);
        }
        assert_eq!(announced, [1, 0, 0, 0], "{settled_before} budgets settled before");
        assert_eq!(get(&tables, "account", "settledInput"), 101);
    }
}

#[tokio::test]
async fn a_call_that_was_not_billed_gives_everything_back() {
    let tables = reserved(&["a.b"], []);
    let outcome = json!({"status": "FAILED", "cause": {"type": "ModelThrottled", "possiblyBilled": false}});
    let settled = handle(event(outcome), &tables).await.unwrap();
    for attribute in ["input", "output", "settledOutput"] {
        assert_eq!(get(&tables, "a.b", attribute), 0, "{attribute}");
    }
    assert_eq!((held(&tables, "a.b"), &settled["notices"]), (0, &json!([])));
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
        let tables = reserved(&["a.b"], []);
        let answered = outcome["status"] == "SUCCEEDED";
        let settled = handle(event(outcome), &tables).await.unwrap();
        let of = |attribute| get(&tables, "a.b", attribute);
        assert_eq!((of("settledInput"), of("settledOutput"), of("estimatedOutput")), (100, 200, 200));
        assert_eq!(held(&tables, "a.b"), 0);
        assert_eq!(settled["usageEstimated"], answered);
        assert_eq!(settled["usage"]["totalTokens"], 300);
    }
}

#[tokio::test]
async fn what_reconcile_has_released_takes_no_late_settlement() {
    let tables = MemoryTables::default();
    handle(event(answered()), &tables).await.unwrap();
    assert_eq!((get(&tables, "a.b", "input"), get(&tables, "a.b", "settledInput")), (0, 0));
}

#[tokio::test]
async fn without_the_ledger_the_caller_still_gets_the_usage() {
    for fault in [Fault::LostRequest, Fault::LostReply] {
        let tables = reserved(&["a.b"], [Some(fault)]);
        let settled = handle(event(answered()), &tables).await.unwrap();
        assert_eq!((&settled["budgets"], settled["usage"]["totalTokens"].as_u64()), (&json!([]), Some(77)));
        assert_eq!((&settled["throttled"], tables.counts().writes), (&json!(false), 1), "never repeated");
    }
}

#[tokio::test]
async fn what_was_throttled_is_settled_by_the_next_attempt_and_nothing_twice() {
    let budgets = ["tenant/acme", "a.b", "account"];
    let tables = reserved(&budgets, [None, Some(Fault::Throttled)]);
    let mut event = event_for(&budgets, answered());
    event["idempotencyKey"] = json!("k-1");
    let first = handle(event.clone(), &tables).await.unwrap();
    assert_eq!(first["throttled"], true);
    let left: Vec<_> =
        first["reservation"]["holds"].as_array().unwrap().iter().map(|hold| &hold["item"]).collect();
    assert_eq!(left, ["2026-11/a.b", "2026-11/account"]);
    let second = handle(next_attempt(event, &first), &tables).await.unwrap();
    // Each attempt announces the thresholds of the budgets that it has settled.
    let announced = |answer: &Value| answer["notices"].as_array().unwrap().len();
    assert_eq!((announced(&first), announced(&second), tables.counts().writes), (1, 2, 4));
    assert_eq!((&second["throttled"], second.get("reservation")), (&json!(false), None));
    let keys: Vec<_> = second["budgets"].as_array().unwrap().iter().map(|budget| &budget["key"]).collect();
    assert_eq!(keys, budgets);
    for budget in budgets {
        assert_eq!((get(&tables, budget, "settledOutput"), held(&tables, budget)), (60, 0), "{budget}");
    }
}

#[tokio::test]
async fn after_an_unknown_outcome_nothing_more_is_settled() {
    let budgets = ["tenant/acme", "a.b", "account"];
    let tables = reserved(&budgets, [None, Some(Fault::LostRequest)]);
    let settled = handle(event_for(&budgets, answered()), &tables).await.unwrap();
    assert_eq!((&settled["throttled"], settled.get("reservation")), (&json!(false), None));
    assert_eq!(settled["budgets"].as_array().map(Vec::len), Some(1));
    assert_eq!(budgets.map(|budget| held(&tables, budget)), [0, 200, 200]);
    assert_eq!(tables.counts().writes, 2);
}

#[tokio::test]
async fn the_key_goes_back_unless_a_hold_may_stand() {
    let claim = Claim::new(Some("acme"), "k-1", "r-1", i64::MAX);
    for (faults, free) in
        [(vec![], true), (vec![Some(Fault::LostReply)], false), (vec![Some(Fault::Throttled)], false)]
    {
        let tables = reserved(&["a.b"], faults);
        (&tables).claim(&claim, 0).await;
        let mut event = event(answered());
        (event["idempotencyKey"], event["tenant"]) = (json!("k-1"), json!("acme"));
        handle(event, &tables).await.unwrap();
        assert_eq!(tables.owner("acme/k-1").is_none(), free);
    }
    // Without a settlement it only goes back, and another execution's stays.
    let tables = MemoryTables::default();
    (&tables).claim(&claim, 0).await;
    let event = |owner: &str| json!({"requestId": owner, "idempotencyKey": "k-1", "tenant": "acme"});
    handle(event("other"), &tables).await.unwrap();
    assert!(tables.owner("acme/k-1").is_some());
    handle(event("r-1"), &tables).await.unwrap();
    assert!(tables.owner("acme/k-1").is_none());
}

#[tokio::test]
async fn a_document_of_another_version_is_a_named_error() {
    let mut other = event(answered());
    other["settlement"]["period"] = json!("November");
    let error = handle(other, &reserved(&["a.b"], [])).await.unwrap_err();
    assert_eq!(
        (error.name, error.details["path"].as_str()),
        (ErrorName::InternalError, Some("settlement.period"))
    );
}
