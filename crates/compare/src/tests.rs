use super::*;
use sentry_aws::testing_tables::{Counts, Fault, MemoryTables};
use sentry_core::ledger::ItemKey;
use sentry_core::month::Period;
use serde_json::json;

async fn handle(event: Value, tables: &MemoryTables) -> Result<Value, SentryError> {
    super::handle(event, &Context { ledger: tables, claims: tables, metric_lag: 660 }).await
}

fn key(budget: &str) -> ItemKey {
    ItemKey::new("2026-11".parse::<Period>().unwrap(), budget)
}

fn event(max_tokens: Option<u64>) -> Value {
    json!({
        "requestId": "r-1",
        "startTime": "2026-11-23T12:00:00Z",
        "now": "2026-11-23T12:00:01Z",
        "modelId": "a.b",
        "tenant": null,
        "idempotencyKey": null,
        "inputBound": 100,
        "mayCount": false,
        "maxTokens": max_tokens,
        "limits": {
            "budgets": [budget("a.b")],
            "family": "a.b",
            "defaultMaxTokens": 300
        },
        "usage": {"available": true, "inputTokens": 0, "outputTokens": 0},
        "waitedSeconds": 0,
        "tried": []
    })
}

fn budget(key: &str) -> Value {
    json!({
        "key": key, "itemId": "default", "limit": {"input": 1_000, "output": 1_000}, "minMaxTokens": 64,
        "onShortage": "shrink", "warnAtPercent": [80], "countsExternal": key == "a.b"
    })
}

fn with(mut event: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        *event.pointer_mut(pointer).unwrap() = value.clone();
    }
    event
}

fn writes(tables: &MemoryTables) -> usize {
    assert_eq!(tables.counts(), Counts { reads: 0, transactions: 0, ..tables.counts() });
    tables.counts().writes
}

#[tokio::test]
async fn the_usual_request_costs_one_write() {
    let tables = MemoryTables::default();
    let answer = handle(event(Some(200)), &tables).await.unwrap();
    assert_eq!((answer["verdict"].as_str(), answer["maxTokens"].as_u64()), (Some("admit"), Some(200)));
    assert_eq!((&answer["maxTokensShrunk"], &answer["notes"]), (&json!(false), &json!({})));
    let budget = &answer["budgets"][0];
    assert_eq!(budget["output"], json!({"limit": 1000, "used": 0, "reserved": 200, "remaining": 800}));
    assert_eq!(budget["input"]["reserved"], 100);
    assert_eq!(budget["externalUsage"], "current");
    assert_eq!(
        answer["reservation"],
        json!({
            "holds": [{
                "item": "2026-11/a.b", "startSeconds": 1_795_435_200,
                "amounts": {"input": 100, "output": 200, "cost": 0}
            }],
            "amounts": {"input": 100, "output": 200, "cost": 0}
        })
    );
    assert_eq!(writes(&tables), 1);
}

#[tokio::test]
async fn the_answer_lists_every_budget_and_says_which_cut_it() {
    let mut event = event(Some(900));
    event["limits"]["budgets"] = json!([budget("tenant/acme"), budget("a.b"), budget("account")]);
    event["limits"]["budgets"][2]["limit"] = json!({"input": 1_000, "output": 150});
    let answer = handle(event, &MemoryTables::default()).await.unwrap();
    let keys: Vec<_> = answer["budgets"].as_array().unwrap().iter().map(|budget| &budget["key"]).collect();
    assert_eq!(keys, ["tenant/acme", "a.b", "account"]);
    assert_eq!(
        (answer["maxTokens"].as_u64(), &answer["notes"]),
        (Some(150), &json!({"shrunkBy": "account"}))
    );
    // Each as it is after the request that was cut, not before.
    for budget in answer["budgets"].as_array().unwrap() {
        assert_eq!(budget["output"]["reserved"], 150, "{budget}");
    }
}

#[tokio::test]
async fn the_limit_item_fills_in_and_caps_max_tokens() {
    let answer = handle(event(None), &MemoryTables::default()).await.unwrap();
    assert_eq!((answer["maxTokens"].as_u64(), answer["maxTokensShrunk"].as_bool()), (Some(300), Some(false)));
    let mut capped = event(Some(900));
    capped["limits"]["maxTokensCap"] = json!(50);
    let answer = handle(capped, &MemoryTables::default()).await.unwrap();
    assert_eq!((answer["maxTokens"].as_u64(), answer["maxTokensShrunk"].as_bool()), (Some(50), Some(true)));
}

#[tokio::test]
async fn a_request_waits_for_those_in_flight_and_then_takes_what_is_left() {
    let tables = MemoryTables::default();
    handle(event(Some(800)), &tables).await.unwrap();
    let answer = handle(event(Some(400)), &tables).await.unwrap();
    assert_eq!(answer["verdict"], "wait");
    assert!((1..=3).contains(&answer["waitSeconds"].as_u64().unwrap()));
    let late = with(event(Some(400)), &[("/waitedSeconds", json!(15))]);
    let answer = handle(late.clone(), &tables).await.unwrap();
    assert_eq!((answer["maxTokens"].as_u64(), answer["maxTokensShrunk"].as_bool()), (Some(200), Some(true)));
    let answer = handle(late, &tables).await.unwrap();
    assert_eq!(answer["error"], "BudgetBusy");
    assert!(answer["cause"]["retryAfterSeconds"].as_u64().unwrap() <= 5);
}

#[tokio::test]
async fn a_spent_budget_refuses_at_once_with_the_numbers() {
    let tables = MemoryTables::default();
    let spent = with(event(Some(400)), &[("/usage/outputTokens", json!(990))]);
    let answer = handle(spent, &tables).await.unwrap();
    assert_eq!(answer["error"], "BudgetExceeded");
    let cause = &answer["cause"];
    assert_eq!(
        (cause["dimension"].as_str(), cause["requested"].as_u64(), cause["remaining"].as_u64()),
        (Some("output"), Some(400), Some(10))
    );
    assert_eq!((&cause["type"], &cause["itemId"]), (&json!("BudgetExceeded"), &json!("default")));
    assert_eq!(cause["resetsAt"], "2026-12-01T00:00:00Z");
    assert_eq!(cause["retryAfterSeconds"], 7 * 86_400 + 12 * 3_600);
    assert_eq!(cause["budget"]["output"]["used"], 990);
    assert_eq!(cause["budget"]["status"], "warning");
}

#[tokio::test]
async fn what_bypassed_the_sentry_counts_from_the_first_request_on() {
    let tables = MemoryTables::default();
    let event = with(event(Some(200)), &[("/usage/inputTokens", json!(500))]);
    let answer = handle(event.clone(), &tables).await.unwrap();
    assert_eq!(answer["verdict"], "admit");
    assert_eq!(
        answer["budgets"][0]["input"],
        json!({"limit": 1000, "used": 500, "reserved": 100, "remaining": 400})
    );
    // The ledger has the external usage now, so the next request needs no second write.
    let before = writes(&tables);
    handle(event, &tables).await.unwrap();
    assert_eq!(writes(&tables), before + 1);
}

#[tokio::test]
async fn more_than_the_whole_limit_is_refused_with_true_numbers() {
    let tables = MemoryTables::default();
    let answer = handle(with(event(None), &[("/inputBound", json!(1_001))]), &tables).await.unwrap();
    assert_eq!(
        (answer["error"].as_str(), answer["cause"]["dimension"].as_str()),
        (Some("BudgetExceeded"), Some("input"))
    );
    assert!(tables.item_keys().is_empty());
}

#[tokio::test]
async fn without_cloudwatch_it_goes_on_and_says_so() {
    let event = with(event(None), &[("/usage", json!({"available": false}))]);
    let answer = handle(event, &MemoryTables::default()).await.unwrap();
    assert_eq!(
        (answer["verdict"].as_str(), answer["budgets"][0]["externalUsage"].as_str()),
        (Some("admit"), Some("unavailable"))
    );
}

#[tokio::test]
async fn without_the_ledger_nothing_is_admitted() {
    let down = MemoryTables::with_faults([Some(Fault::LostRequest)]);
    assert_eq!(handle(event(None), &down).await.unwrap_err().name, ErrorName::SentryUnavailable);
    assert_eq!(writes(&down), 1);
}

#[tokio::test]
async fn a_table_without_capacity_is_tried_again_while_there_is_time() {
    let throttled = || MemoryTables::with_faults([Some(Fault::Throttled)]);
    assert_eq!(handle(event(None), &throttled()).await.unwrap()["verdict"], "wait");
    let late = with(event(None), &[("/waitedSeconds", json!(15))]);
    assert_eq!(handle(late, &throttled()).await.unwrap_err().name, ErrorName::SentryUnavailable);
}

#[tokio::test]
async fn the_model_gets_what_the_execution_has_left() {
    let at = |now: &str| with(event(None), &[("/now", json!(now))]);
    let answer = handle(at("2026-11-23T12:00:05Z"), &MemoryTables::default()).await.unwrap();
    assert_eq!(answer["modelTimeoutSeconds"], 240);
    let answer = handle(at("2026-11-23T12:01:00Z"), &MemoryTables::default()).await.unwrap();
    assert_eq!(answer["modelTimeoutSeconds"], 200);
    let tables = MemoryTables::default();
    let answer = handle(at("2026-11-23T12:04:15Z"), &MemoryTables::default()).await.unwrap();
    assert_eq!(answer["modelTimeoutSeconds"], 5);
    let error = handle(at("2026-11-23T12:04:16Z"), &tables).await.unwrap_err();
    assert_eq!((error.name, writes(&tables)), (ErrorName::SentryUnavailable, 0));
}

/// A request with the key `k-1`, by an execution.
fn keyed(owner: &str, changes: &[(&str, Value)]) -> Value {
    let all = [("/requestId", json!(owner)), ("/idempotencyKey", json!("k-1")), ("/tenant", json!("acme"))];
    with(with(event(Some(400)), &all), changes)
}

#[tokio::test]
async fn a_key_is_taken_while_its_execution_may_call_the_model() {
    let tables = MemoryTables::default();
    assert_eq!(handle(keyed("first", &[]), &tables).await.unwrap()["verdict"], "admit");
    assert_eq!(tables.owner("acme/k-1").as_deref(), Some("first"));
    let refused = handle(keyed("second", &[]), &tables).await.unwrap();
    assert_eq!(
        (&refused["error"], &refused["cause"]["type"]),
        (&json!("RequestInProgress"), &json!("RequestInProgress"))
    );
    // Thirty minutes after the first one's start at the latest, by the default lag of CloudWatch.
    assert!(refused["cause"]["message"].as_str().unwrap().contains("1799 seconds"), "{refused}");
    assert_eq!(tables.item(&key("a.b")).reserved(sentry_core::limit::Dimension::Output), 400);
    // The same execution may compare again.
    assert_eq!(handle(keyed("first", &[]), &tables).await.unwrap()["verdict"], "admit");
    // When its time is up any execution may take the key.
    let at = |now: &str| [("/startTime", json!("2026-11-23T12:29:50Z")), ("/now", json!(now))];
    let early = handle(keyed("second", &at("2026-11-23T12:29:59Z")), &tables).await.unwrap();
    assert_eq!(early["error"], "RequestInProgress");
    handle(keyed("second", &at("2026-11-23T12:30:00Z")), &tables).await.unwrap();
    assert_eq!(tables.owner("acme/k-1").as_deref(), Some("second"));
}

#[tokio::test]
async fn a_key_is_free_again_in_every_end_in_which_no_model_is_called() {
    let mut fallback = keyed("one", &[("/inputBound", json!(1_001))]);
    fallback["limits"]["budgets"][0]["fallbackModelId"] = json!("amazon.nova-lite-v1:0");
    let mut blocked = keyed("one", &[]);
    blocked["limits"]["budgets"][0]["mode"] = json!("block");
    let busy = keyed("one", &[("/waitedSeconds", json!(15))]);
    let tables = MemoryTables::default();
    handle(event(Some(950)), &tables).await.unwrap();
    let answer = handle(busy, &tables).await.unwrap();
    assert_eq!((&answer["error"], tables.owner("acme/k-1")), (&json!("BudgetBusy"), None));
    for (event, faults, verdict) in [
        (keyed("one", &[("/inputBound", json!(1_001))]), vec![], "refuse"),
        (blocked, vec![], "refuse"),
        (fallback, vec![], "fallback"),
        (keyed("one", &[]), vec![Some(Fault::LostReply)], "error"),
        (keyed("one", &[("/now", json!("2026-11-23T12:04:20Z"))]), vec![], "error"),
    ] {
        let tables = MemoryTables::with_faults(faults);
        let answer = handle(event, &tables).await;
        let found = answer.as_ref().map_or("error", |answer| answer["verdict"].as_str().unwrap());
        assert_eq!((found, tables.owner("acme/k-1")), (verdict, None));
    }
    // While it waits or counts the key stays taken.
    let tables = MemoryTables::with_faults([Some(Fault::Throttled)]);
    assert_eq!(handle(keyed("one", &[]), &tables).await.unwrap()["verdict"], "wait");
    assert!(tables.owner("acme/k-1").is_some());
    let counting = keyed("one", &[("/inputBound", json!(1_001)), ("/mayCount", json!(true))]);
    let tables = MemoryTables::default();
    assert_eq!(handle(counting, &tables).await.unwrap(), json!({"verdict": "count"}));
    assert!(tables.owner("acme/k-1").is_some());
}

#[tokio::test]
async fn a_part_without_a_bound_is_refused_where_the_budget_is_enforced() {
    let mut event = event(Some(200));
    event["unbounded"] = json!("prompt.messages[0].content[1]");
    let tables = MemoryTables::default();
    let error = handle(event.clone(), &tables).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert_eq!(error.details["path"], "prompt.messages[0].content[1]");
    assert_eq!(writes(&tables), 0);
    event["limits"]["budgets"][0]["mode"] = json!("observe");
    let answer = handle(event, &tables).await.unwrap();
    assert_eq!(answer["verdict"], "admit");
}

#[tokio::test]
async fn what_only_count_tokens_knows_is_counted_before_anything_is_held() {
    let mut event = event(Some(200));
    event["countFirst"] = json!(true);
    event["mayCount"] = json!(true);
    let tables = MemoryTables::default();
    assert_eq!(handle(event.clone(), &tables).await.unwrap(), json!({"verdict": "count"}));
    assert_eq!(writes(&tables), 0);
    // It was counted, or could not be.
    event["mayCount"] = json!(false);
    assert_eq!(handle(event, &tables).await.unwrap()["verdict"], "admit");
}

/// Claims that give no outcome, with the owners whose claims are given back.
#[derive(Default)]
struct FaultyClaims {
    outcome: Option<Claimed>,
    given_back: std::sync::Mutex<Vec<String>>,
}

impl ClaimKeys for &FaultyClaims {
    async fn claim(&self, _: &Claim, _: i64) -> Claimed {
        self.outcome.unwrap()
    }

    async fn give_back(&self, claim: &Claim) -> bool {
        self.given_back.lock().unwrap().push(claim.owner.clone());
        true
    }
}

#[tokio::test]
async fn a_claim_without_an_outcome_admits_nothing_and_is_given_back() {
    for outcome in [Claimed::Throttled, Claimed::Unknown] {
        let claims = FaultyClaims { outcome: Some(outcome), ..FaultyClaims::default() };
        let tables = MemoryTables::default();
        let context = Context { ledger: &tables, claims: &claims, metric_lag: 660 };
        let error = super::handle(keyed("one", &[]), &context).await.unwrap_err();
        assert_eq!((error.name, tables.item_keys().len()), (ErrorName::SentryUnavailable, 0));
        assert_eq!(*claims.given_back.lock().unwrap(), ["one"]);
    }
}

#[tokio::test]
async fn a_document_that_is_not_understood_claims_nothing() {
    for field in ["/now", "/startTime"] {
        let tables = MemoryTables::default();
        let error = handle(keyed("one", &[(field, json!("noon"))]), &tables).await.unwrap_err();
        assert_eq!((error.name, tables.owner("acme/k-1")), (ErrorName::InternalError, None));
    }
}

#[tokio::test]
async fn what_a_refused_request_held_is_released_and_an_unknown_hold_stays() {
    let narrow_and_full = || {
        let mut event = event(Some(400));
        event["limits"]["budgets"] = json!([budget("tenant/acme"), budget("a.b"), budget("account")]);
        event["limits"]["budgets"][2]["limit"] = json!({"output": 10});
        event
    };
    let reserved = |tables: &MemoryTables| {
        ["tenant/acme", "a.b", "account"].map(|budget| tables.item(&key(budget)).get("output"))
    };
    let tables = MemoryTables::default();
    let answer = handle(narrow_and_full(), &tables).await.unwrap();
    assert_eq!(
        (&answer["error"], &answer["cause"]["budget"]["key"], reserved(&tables)),
        (&json!("BudgetExceeded"), &json!("account"), [0, 0, 0])
    );
    // The second write may have happened: only reconcile can release it.
    let tables = MemoryTables::with_faults([None, Some(Fault::LostReply)]);
    let error = handle(narrow_and_full(), &tables).await.unwrap_err();
    assert_eq!((error.name, reserved(&tables)), (ErrorName::SentryUnavailable, [0, 400, 0]));
    assert_eq!(writes(&tables), 3);
}

#[tokio::test]
async fn an_answer_is_a_document_of_its_type() {
    let spent = with(event(Some(400)), &[("/usage/outputTokens", json!(990))]);
    for event in [event(Some(200)), spent] {
        let answer = handle(event, &MemoryTables::default()).await.unwrap();
        let typed: CompareAnswer = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(serde_json::to_value(typed).unwrap(), answer);
    }
}

/// A budget in money for a model of these prices: $1 for a million tokens of input, $2 of output.
fn in_money(service_tier: Value, cache: Value) -> Value {
    let price = |factor: u64| {
        json!({
            "input": 1_000_000 * factor, "output": 2_000_000 * factor, "cacheRead": 100_000 * factor,
            "cacheWrite": 1_250_000 * factor, "cacheWrite1h": 2_000_000 * factor
        })
    };
    let mut event = event(Some(100));
    event["limits"]["family"] = json!("anthropic.b");
    event["limits"]["budgets"][0]["limit"] = json!({"cost": 1_000_000_000});
    event["limits"]["prices"] =
        json!({"standard": price(1), "priority": price(3), "long": {"above": 1_000, "price": price(2)}});
    event["serviceTier"] = service_tier;
    event["cache"] = cache;
    event
}

#[tokio::test]
async fn the_reservation_is_worth_the_dearest_price_that_the_request_can_reach() {
    let null = Value::Null;
    for (tier, cache, input, cost) in [
        (null.clone(), null.clone(), 100, 300_000),
        (json!("default"), json!("5m"), 100, 325_000),
        (json!("default"), json!("1h"), 100, 400_000),
        (json!("priority"), null.clone(), 100, 900_000),
        (json!("priority"), json!("1h"), 100, 1_200_000),
        (null.clone(), null.clone(), 1_000, 1_200_000),
        (null.clone(), null.clone(), 1_001, 2_402_000),
    ] {
        let event = with(in_money(tier.clone(), cache.clone()), &[("/inputBound", json!(input))]);
        let answer = handle(event, &MemoryTables::default()).await.unwrap();
        assert_eq!(answer["reservation"]["amounts"]["cost"], cost, "{tier} {cache} {input}");
    }
    // A workflow that does not say either has the standard price.
    let mut silent = in_money(null.clone(), null);
    let fields = silent.as_object_mut().unwrap();
    fields.remove("serviceTier");
    fields.remove("cache");
    let answer = handle(silent, &MemoryTables::default()).await.unwrap();
    assert_eq!(answer["reservation"]["amounts"]["cost"], 300_000);
}

#[tokio::test]
async fn a_tier_without_a_price_is_refused_and_gives_its_key_back() {
    let tables = MemoryTables::default();
    let mut event = in_money(json!("flex"), Value::Null);
    event["idempotencyKey"] = json!("k-1");
    let error = handle(event.clone(), &tables).await.unwrap_err();
    assert_eq!(
        (error.name, &error.details["attribute"]),
        (ErrorName::LimitNotConfigured, &json!("pricePerMillionTokensUsd.flex"))
    );
    assert_eq!(tables.item(&key("a.b")), Default::default());
    event["serviceTier"] = json!("default");
    assert_eq!(handle(event, &tables).await.unwrap()["verdict"], "admit");
}

#[tokio::test]
async fn cache_writes_that_bypassed_the_sentry_count_at_their_own_price() {
    let mut event = in_money(Value::Null, Value::Null);
    event["usage"]["cacheWriteInputTokens"] = json!(1_000);
    let tables = MemoryTables::default();
    handle(event, &tables).await.unwrap();
    assert_eq!(tables.item(&key("a.b")).get("externalCost"), 1_250_000);
}
