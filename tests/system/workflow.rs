//! The shipped rate-limiter, with scripted tasks: every path, every error name.

use asl::{Options, Status, TaskError};
use compare::{CompareAnswer, Notes, TriedModel, TriedModels};
use sentry_core::ledger::{BudgetDocument, Hold, ItemKey, Reservation, Totals};
use sentry_core::limit::{Amounts, Budget};
use sentry_core::month::Period;
use serde_json::{Value, json};
use settle::SettleAnswer;

use crate::routing::{MODEL_ROUTER, asks, router_well};
use crate::script::{Reply, Script, cause, run, run_with};

const RATE_LIMITER: &str = include_str!("../../statemachines/rate-limiter.asl.json");

fn request() -> Value {
    json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}})
}

fn answer() -> Value {
    json!({"modelId": "us.anthropic.claude-sonnet-4-6", "message": {"role": "assistant", "content": "Because."},
        "stopReason": "end_turn", "vendorStopReason": "end_turn",
        "usage": {"inputTokens": 8, "outputTokens": 2, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0, "totalTokens": 10}})
}

fn routed(status: &str, output: &Value, error: Option<(&str, Value)>) -> Reply {
    let mut result = json!({"Status": status, "Output": output.to_string()});
    if let Some((error, cause)) = error {
        result = json!({"Status": status, "Error": error, "Cause": cause.to_string()});
    }
    Ok(result)
}

const FAMILY: &str = "anthropic.claude-sonnet-4-6";

fn period() -> Period {
    "2026-11".parse().unwrap()
}

fn budget() -> Budget {
    serde_json::from_value(
        json!({"key": FAMILY, "itemId": "default", "limit": {"input": 10_000, "output": 10_000},
        "minMaxTokens": 64, "onShortage": "shrink", "warnAtPercent": [80]}),
    )
    .unwrap()
}

fn held() -> Reservation {
    let amounts = Amounts { input: 200, output: 1_024, cost: 0 };
    Reservation { holds: vec![Hold::new(ItemKey::new(period(), FAMILY), 1_795_435_200, amounts)], amounts }
}

fn budget_document() -> BudgetDocument {
    BudgetDocument::new(&budget(), period(), &Totals::default(), true)
}

fn admitted() -> Value {
    admitted_with(Notes::default())
}

fn admitted_with(notes: Notes) -> Value {
    let admit = CompareAnswer::Admit {
        max_tokens: 1_024,
        max_tokens_shrunk: false,
        model_timeout_seconds: 231,
        reservation: Box::new(held()),
        budgets: vec![budget_document()],
        notes,
    };
    serde_json::to_value(admit).unwrap()
}

fn settlement() -> SettleAnswer {
    let counters = [("settledOutput".to_owned(), 2), ("output".to_owned(), 2)].into_iter().collect();
    let document = BudgetDocument::new(&budget(), period(), &Totals::of(&[counters]), true);
    SettleAnswer {
        budgets: vec![document],
        usage: answer()["usage"].clone(),
        cost_usd: Some(json!(0.000_054)),
        ..SettleAnswer::default()
    }
}

fn document(answer: &SettleAnswer) -> Value {
    serde_json::to_value(answer).unwrap()
}

/// What validate-request says of the request.
fn validated() -> Value {
    json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": request()["prompt"], "inference": {"temperature": 0.5},
        "family": "anthropic.claude-sonnet-4-6", "tags": {"costCenter": "cc-1"}, "tenant": null, "idempotencyKey": null, "inputBound": 200, "mayCount": true, "usageIds": ["anthropic.claude-sonnet-4-6"]})
}

/// Everything goes well, unless a test says otherwise.
fn well() -> Script {
    Script::default()
        .function("ValidateRequest", validated())
        .function("MonthRange", json!({"period": "2026-11", "start": "s", "end": "e", "now": "n"}))
        .function("UsageQuery", json!({"available": true, "inputTokens": 5, "outputTokens": 6, "asOf": "n"}))
        .function("LimitLookup", json!({"budgets": [budget()], "family": FAMILY, "defaultMaxTokens": 1024}))
        .function("Compare", admitted())
        .reply("RouteToModel", [routed("SUCCEEDED", &answer(), None)])
        .function("Settle", document(&settlement()))
        .function("GiveBackClaim", document(&SettleAnswer::default()))
        .reply("SendNotices", [Ok(json!({"FailedEntryCount": 0}))])
}

#[tokio::test(start_paused = true)]
async fn an_answer_carries_what_it_used_and_what_is_left() {
    let (execution, script) = run(RATE_LIMITER, request(), well()).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let mut expected = answer();
    let more = json!({"requestId": "request-1", "requestedModelId": "us.anthropic.claude-sonnet-4-6", "maxTokens": 1024,
        "maxTokensShrunk": false, "usageEstimated": false, "costUsd": 0.000_054,
        "budget": settlement().budgets[0], "budgets": settlement().budgets});
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(execution.output.unwrap(), expected);
    assert_eq!(
        script.arguments("Compare")["Payload"],
        json!({"requestId": "request-1", "startTime": "2026-11-23T12:00:00.000Z", "now": "2026-11-23T12:00:00.000Z",
            "modelId": "us.anthropic.claude-sonnet-4-6", "tenant": null, "idempotencyKey": null,
            "inputBound": 200, "mayCount": true, "maxTokens": null, "serviceTier": null, "cache": null,
            "limits": {"budgets": [budget()], "family": FAMILY, "defaultMaxTokens": 1024},
            "usage": {"available": true, "inputTokens": 5, "outputTokens": 6, "asOf": "n"},
            "waitedSeconds": 0, "tried": []})
    );
    // What was reserved is what is sent.
    let sent: Value =
        serde_json::from_str(script.arguments("RouteToModel")["Input"].as_str().unwrap()).unwrap();
    assert_eq!(sent["inference"], json!({"temperature": 0.5, "maxTokens": 1024}));
    assert_eq!(sent["timeoutSeconds"], 231);
    assert_eq!(
        script.arguments("Settle")["Payload"],
        json!({"requestId": "request-1", "idempotencyKey": null, "tenant": null, "settlement": {
            "period": "2026-11", "reservation": held(), "settled": [], "budgets": [budget()], "externalUsageKnown": true,
            "outcome": {"status": "SUCCEEDED", "answer": {"usage": answer()["usage"]}},
            "prices": null, "serviceTier": null, "cache": null, "tags": {"costCenter": "cc-1"}}})
    );
}

#[tokio::test(start_paused = true)]
async fn the_tier_the_lifetime_of_the_cache_and_the_prices_reach_the_functions() {
    let mut validated = validated();
    validated["serviceTier"] = json!("priority");
    validated["cache"] = json!("1h");
    let price = json!({"input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1, "cacheWrite1h": 1});
    let prices = json!({"standard": price, "priority": price});
    let limits = json!({"budgets": [budget()], "family": FAMILY, "defaultMaxTokens": 1024, "prices": prices});
    let mut answer = answer();
    answer["serviceTier"] = json!("default");
    let script = well()
        .function("ValidateRequest", validated)
        .function("LimitLookup", limits)
        .reply("RouteToModel", [routed("SUCCEEDED", &answer, None)]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let compared = &script.arguments("Compare")["Payload"];
    assert_eq!((&compared["serviceTier"], &compared["cache"]), (&json!("priority"), &json!("1h")));
    assert_eq!(compared["limits"]["prices"], prices);
    let settled = &script.arguments("Settle")["Payload"]["settlement"];
    assert_eq!((&settled["serviceTier"], &settled["cache"]), (&json!("priority"), &json!("1h")));
    assert_eq!(settled["prices"], prices);
    assert_eq!(settled["outcome"]["answer"], json!({"usage": answer["usage"], "serviceTier": "default"}));
    assert_eq!(execution.output.unwrap()["serviceTier"], "default");
}

#[tokio::test(start_paused = true)]
async fn named_errors_of_functions_reach_the_caller_with_their_fields() {
    for (state, name) in [
        ("ValidateRequest", "InvalidRequest"),
        ("ValidateRequest", "UnsupportedModel"),
        ("ValidateRequest", "RequestTooLarge"),
        ("ValidateRequest", "InternalError"),
        ("LimitLookup", "LimitNotConfigured"),
        ("LimitLookup", "UnsupportedModel"),
        ("LimitLookup", "SentryUnavailable"),
        ("LimitLookup", "InternalError"),
        ("Compare", "LimitNotConfigured"),
        ("Compare", "SentryUnavailable"),
        ("Compare", "InternalError"),
    ] {
        let script = well().refuses(state, name, &json!({"message": "No.", "path": "there"}));
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        assert_eq!(execution.error.as_deref(), Some(name), "{state}");
        assert_eq!(
            cause(&execution),
            json!({"type": name, "message": "No.", "path": "there", "requestId": "request-1"})
        );
        assert!(!script.states().contains(&"RouteToModel".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_not_answer_fails_closed() {
    for state in ["ValidateRequest", "LimitLookup", "Compare"] {
        for error in [
            "Lambda.ServiceException",
            "Lambda.TooManyRequestsException",
            "Runtime.ExitError",
            "Sandbox.Timedout",
            "States.Timeout",
        ] {
            let (execution, script) = run(RATE_LIMITER, request(), well().fails(state, error)).await;
            assert_eq!(execution.error.as_deref(), Some("SentryUnavailable"), "{state} {error}");
            assert!(!script.states().contains(&"RouteToModel".to_owned()));
            let attempts = script.states().iter().filter(|called| *called == state).count();
            let repeated = error == "Lambda.TooManyRequestsException"
                || (state != "Compare" && error == "Lambda.ServiceException");
            assert_eq!(attempts > 1, repeated, "{state} {error}: {attempts}");
        }
    }
    let (execution, _) = run(RATE_LIMITER, request(), well().fails("MonthRange", "Runtime.ExitError")).await;
    assert_eq!(execution.error.as_deref(), Some("InternalError"));
}

#[tokio::test(start_paused = true)]
async fn without_cloudwatch_the_ledger_alone_decides() {
    for script in [
        well().refuses("UsageQuery", "UsageUnavailable", &json!({"message": "down"})),
        well().fails("UsageQuery", "Runtime.ExitError"),
        well().fails("UsageQuery", "States.Timeout"),
    ] {
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        assert_eq!(execution.status, Status::Succeeded);
        assert_eq!(script.arguments("Compare")["Payload"]["usage"], json!({"available": false}));
        assert_eq!(script.arguments("Settle")["Payload"]["settlement"]["externalUsageKnown"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_passed_on_as_it_is() {
    for name in ["BudgetExceeded", "BudgetBusy"] {
        let refusal = json!({"verdict": "refuse", "error": name, "cause": {"type": name, "message": "No.", "remaining": 3}});
        let (execution, script) = run(RATE_LIMITER, request(), well().function("Compare", refusal)).await;
        assert_eq!(execution.error.as_deref(), Some(name));
        assert_eq!(cause(&execution), json!({"type": name, "message": "No.", "remaining": 3}));
        assert!(!script.states().contains(&"Settle".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_is_counted_and_then_compared_again() {
    let wait = |seconds: u64| Ok(json!({"Payload": {"verdict": "wait", "waitSeconds": seconds}}));
    let script = well().reply("Compare", [wait(2), wait(3), Ok(json!({"Payload": admitted()}))]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(execution.duration.as_secs(), 5);
    assert_eq!(script.arguments("Compare")["Payload"]["waitedSeconds"], 5);
}

#[tokio::test(start_paused = true)]
async fn a_failed_model_is_settled_and_reaches_the_caller() {
    for name in [
        "ModelThrottled",
        "ModelAccessDenied",
        "ModelNotFound",
        "ModelRejectedRequest",
        "ModelTimeout",
        "ModelUnavailable",
        "UnreadableModelResponse",
        "InvalidRequest",
        "UnsupportedModel",
        "InternalError",
    ] {
        let document = json!({"type": name, "message": "No.", "possiblyBilled": false});
        let script = well().reply("RouteToModel", [routed("FAILED", &Value::Null, Some((name, document)))]);
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        assert_eq!(execution.error.as_deref(), Some(name));
        assert_eq!(cause(&execution)["message"], "No.");
        let outcome = &script.arguments("Settle")["Payload"]["settlement"]["outcome"];
        assert_eq!(
            (outcome["status"].as_str(), outcome["cause"]["possiblyBilled"].as_bool()),
            (Some("FAILED"), Some(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_that_ends_unexpectedly_may_have_been_billed() {
    let broken = json!("not a document");
    for (reply, expected) in [
        (Ok(json!({"Status": "TIMED_OUT"})), "ModelTimeout"),
        (routed("FAILED", &Value::Null, Some(("States.Runtime", broken))), "InternalError"),
        (Err(TaskError::new("States.Timeout", "")), "ModelTimeout"),
        (Err(TaskError::new("States.DataLimitExceeded", "")), "UnreadableModelResponse"),
        (Err(TaskError::new("Sfn.SdkClientException", "")), "InternalError"),
    ] {
        let (execution, script) = run(RATE_LIMITER, request(), well().reply("RouteToModel", [reply])).await;
        assert_eq!(execution.error.as_deref(), Some(expected), "{execution:?}");
        assert_eq!(
            script.arguments("Settle")["Payload"]["settlement"]["outcome"]["cause"].get("possiblyBilled"),
            None
        );
    }
    for (error, expected) in [
        ("Sfn.ThrottlingException", "SentryUnavailable"),
        ("Sfn.InvalidExecutionInputException", "RequestTooLarge"),
    ] {
        let (execution, script) = run(RATE_LIMITER, request(), well().fails("RouteToModel", error)).await;
        assert_eq!(execution.error.as_deref(), Some(expected));
        assert_eq!(
            script.arguments("Settle")["Payload"]["settlement"]["outcome"]["cause"]["possiblyBilled"],
            false
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_settlement_is_repeated_only_when_it_did_not_run() {
    for (error, attempts) in [
        ("Lambda.TooManyRequestsException", 4),
        ("Lambda.ServiceException", 1),
        ("States.Timeout", 1),
        ("Runtime.ExitError", 1),
    ] {
        let (execution, script) = run(RATE_LIMITER, request(), well().fails("Settle", error)).await;
        assert_eq!(script.states().iter().filter(|state| *state == "Settle").count(), attempts, "{error}");
        // The caller has paid for the answer and gets it, with the budget as it was reserved.
        let output = execution.output.unwrap();
        assert_eq!(
            (output["message"]["content"].as_str(), &output["budget"], &output["budgets"]),
            (Some("Because."), &json!(budget_document()), &json!([budget_document()]))
        );
        assert_eq!(
            (output["usage"]["totalTokens"].as_u64(), output["usageEstimated"].as_bool()),
            (Some(10), Some(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn notices_are_sent_and_never_in_the_way() {
    let notice =
        json!({"Source": "bedrock.cost-sentry", "DetailType": "Budget Threshold Crossed", "Detail": "{}"});
    let crossed = document(&SettleAnswer { notices: vec![notice.clone()], ..settlement() });
    let (execution, script) = run(RATE_LIMITER, request(), well().function("Settle", crossed.clone())).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(script.arguments("SendNotices")["Entries"], json!([notice]));
    let script = well().function("Settle", crossed).fails("SendNotices", "EventBridge.InternalException");
    assert_eq!(run(RATE_LIMITER, request(), script).await.0.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_settlement_without_capacity_is_tried_again_with_what_is_left() {
    let throttled = document(&SettleAnswer {
        throttled: true,
        reservation: Some(held()),
        budgets: vec![budget_document()],
        ..settlement()
    });
    let script = well()
        .reply("Settle", [function(&throttled), function(&throttled), function(&document(&settlement()))]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!((execution.status, execution.duration.as_secs()), (Status::Succeeded, 4));
    let last = &script.arguments("Settle")["Payload"]["settlement"];
    assert_eq!((&last["reservation"], &last["settled"]), (&json!(held()), &json!([budget_document()])));
    // Not for ever, and the caller has the answer all the same.
    let (execution, script) = run(RATE_LIMITER, request(), well().function("Settle", throttled)).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(script.states().iter().filter(|state| *state == "Settle").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_estimated_usage_is_marked_even_when_settling_fails() {
    let mut silent = answer();
    silent["usage"] = Value::Null;
    let script =
        well().reply("RouteToModel", [routed("SUCCEEDED", &silent, None)]).fails("Settle", "States.Timeout");
    let output = run(RATE_LIMITER, request(), script).await.0.output.unwrap();
    assert_eq!((&output["usage"], output["usageEstimated"].as_bool()), (&Value::Null, Some(true)));
}

fn counted(number: u64) -> Script {
    let body = json!({"body": {"ModelId": "m", "Messages": [{"Role": "user", "Content": [{"Text": "Why?"}]}], "InferenceConfig": {"MaxTokens": 1}}});
    well()
        .reply("Compare", [function(&json!({"verdict": "count"})), function(&admitted())])
        .function("FormatForCount", body)
        .reply("CountTokens", [Ok(json!({"InputTokens": number}))])
}

fn function(payload: &Value) -> Reply {
    Ok(json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}))
}

#[tokio::test(start_paused = true)]
async fn an_exact_count_takes_the_place_of_the_bound() {
    for (count, bound) in [(9, 9), (4_000, 200)] {
        let (execution, script) = run(RATE_LIMITER, request(), counted(count)).await;
        assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
        let asked = script.arguments("CountTokens");
        assert_eq!(asked["ModelId"], "anthropic.claude-sonnet-4-6");
        assert_eq!(
            asked["Input"],
            json!({"Converse": {"Messages": [{"Role": "user", "Content": [{"Text": "Why?"}]}]}})
        );
        let compared = &script.arguments("Compare")["Payload"];
        assert_eq!((&compared["inputBound"], &compared["mayCount"]), (&json!(bound), &json!(false)));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_keeps_the_input_from_being_counted_its_bound_holds() {
    for (state, error) in [
        ("FormatForCount", "Lambda.Unknown"),
        ("CountTokens", "BedrockRuntime.ValidationException"),
        ("CountTokens", "BedrockRuntime.AccessDeniedException"),
        ("CountTokens", "States.Timeout"),
    ] {
        let (execution, script) = run(RATE_LIMITER, request(), counted(9).fails(state, error)).await;
        assert_eq!(execution.status, Status::Succeeded, "{state} {error}");
        let compared = &script.arguments("Compare")["Payload"];
        assert_eq!((&compared["inputBound"], &compared["mayCount"]), (&json!(200), &json!(false)));
    }
}

#[tokio::test(start_paused = true)]
async fn another_model_takes_over_and_the_answer_says_so() {
    let tried = vec![TriedModel {
        model_id: "us.anthropic.claude-sonnet-4-6".to_owned(),
        budget: FAMILY.to_owned(),
        dimension: Some("output".to_owned()),
    }];
    let fallback =
        CompareAnswer::Fallback { model_id: "amazon.nova-lite-v1:0".to_owned(), tried: tried.clone() };
    let fallback = serde_json::to_value(fallback).unwrap();
    let admit =
        admitted_with(Notes { fallback: Some(TriedModels { tried: tried.clone() }), ..Notes::default() });
    let tried = json!(tried);
    let script = well().reply("Compare", [function(&fallback), function(&admit)]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let validated = &script.arguments("ValidateRequest")["Payload"];
    assert_eq!(validated["fallbackModelId"], "amazon.nova-lite-v1:0");
    assert_eq!(validated["request"]["prompt"], request()["prompt"]);
    let compared = &script.arguments("Compare")["Payload"];
    assert_eq!(compared["tried"], tried);
    let answer = execution.output.unwrap();
    assert_eq!(answer["requestedModelId"], "us.anthropic.claude-sonnet-4-6");
    assert_eq!(answer["fallback"]["tried"], tried);
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_reaches_compare_and_settle() {
    let (execution, script) = run(RATE_LIMITER, request(), keyed()).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    for state in ["Compare", "Settle"] {
        let payload = &script.arguments(state)["Payload"];
        assert_eq!(
            (&payload["idempotencyKey"], &payload["tenant"]),
            (&json!("k-1"), &json!("acme")),
            "{state}"
        );
    }
    assert!(!script.states().contains(&"GiveBackClaim".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_given_back_when_nothing_is_known_of_compare() {
    for error in ["States.Timeout", "Lambda.ServiceException"] {
        let (execution, script) = run(RATE_LIMITER, request(), keyed().fails("Compare", error)).await;
        assert_eq!(execution.error.as_deref(), Some("SentryUnavailable"), "{error}");
        assert_eq!(
            script.arguments("GiveBackClaim")["Payload"],
            json!({"requestId": "request-1", "idempotencyKey": "k-1", "tenant": "acme"})
        );
    }
    // The error stays the same when that fails too.
    let script = keyed().fails("Compare", "States.Timeout").fails("GiveBackClaim", "States.Timeout");
    let (execution, _) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.error.as_deref(), Some("SentryUnavailable"));
}

/// A request with an idempotency key.
fn keyed() -> Script {
    let validated = json!({"modelId": "amazon.nova-lite-v1:0", "family": "amazon.nova-lite-v1:0", "prompt": request()["prompt"],
        "inference": {}, "inputBound": 200, "mayCount": false, "usageIds": [], "tags": {}, "tenant": "acme",
        "idempotencyKey": "k-1"});
    well().function("ValidateRequest", validated)
}

#[tokio::test(start_paused = true)]
async fn too_much_data_leaves_nothing_reserved_whether_or_not_all_errors_cover_it() {
    let too_large = || [Err(TaskError::new("States.DataLimitExceeded", "too large"))];
    for all_covers_data_limit in [false, true] {
        let options = Options { all_covers_data_limit, ..Options::default() };
        for (state, error) in [
            ("ValidateRequest", Some("RequestTooLarge")),
            ("FormatForCount", None),
            ("CountTokens", None),
            ("RouteToModel", Some("UnreadableModelResponse")),
        ] {
            let script = counted(9).reply(state, too_large());
            let (execution, script) = run_with(RATE_LIMITER, request(), script, options.clone()).await;
            assert_eq!(execution.error.as_deref(), error, "{state} {all_covers_data_limit}");
            // Whatever was reserved is settled.
            let reserved = script.states().contains(&"Compare".to_owned());
            assert_eq!(
                script.states().contains(&"Settle".to_owned()),
                reserved,
                "{state} {all_covers_data_limit}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_template_says_how_much_an_execution_of_both_workflows_logs() {
    let (limiter, _) = run(RATE_LIMITER, request(), well()).await;
    let router = run(MODEL_ROUTER, asks("us.anthropic.claude-sonnet-4-6"), router_well()).await.0;
    assert_eq!((limiter.status, router.status), (Status::Succeeded, Status::Succeeded));
    let events = limiter.history.len() + router.history.len();
    let template = include_str!("../../template.yaml");
    assert!(template.contains(&format!("ALL costs {events} log lines a request.")), "{events} events");
}
