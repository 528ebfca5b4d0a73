//! The shipped rate-limiter, with scripted tasks: every path, every error name.

use asl::{Options, Status, TaskError};
use compare::{CompareAnswer, Notes, RefusalCause, TriedModel, TriedModels};
use futures_util::FutureExt;
use sentry_aws::ClaimKeys;
use sentry_aws::testing_tables::MemoryTables;
use sentry_core::error::ErrorName;
use sentry_core::ledger::{BudgetDocument, Claim, Hold, ItemKey, Reservation, Totals};
use sentry_core::limit::{Amounts, Budget, Limit, Limits, Mode, OnShortage};
use sentry_core::month::Period;
use sentry_core::notice::{Notice, NoticeType};
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

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6";
const FAMILY: &str = "anthropic.claude-sonnet-4-6";
const NOVA: &str = "amazon.nova-lite-v1:0";
/// The execution's start, 2026-11-23T12:00:00Z.
const START: i64 = 1_795_435_200;
const KEYS: [&str; 3] = [FAMILY, "tenant/acme", "account"];

fn period() -> Period {
    "2026-11".parse().unwrap()
}

fn budget(key: &str) -> Budget {
    Budget {
        key: key.to_owned(),
        item_id: "default".to_owned(),
        limit: Limit { input: Some(100_000), output: Some(100_000), cost: None },
        limited_by: std::collections::BTreeMap::default(),
        mode: Mode::Enforce,
        min_max_tokens: 64,
        on_shortage: OnShortage::Shrink,
        warn_at_percent: vec![80],
        fallback_model_id: None,
        shards: 1,
        counts_external: key == FAMILY,
    }
}

fn limits() -> Limits {
    Limits {
        budgets: KEYS.map(budget).to_vec(),
        family: FAMILY.to_owned(),
        calling: None,
        prices: None,
        default_max_tokens: 1_024,
        max_tokens_cap: None,
    }
}

fn amounts() -> Amounts {
    Amounts { input: BOUND, output: 1_024, cost: 0 }
}

/// What the request holds in these budgets.
fn reservation(keys: &[&str]) -> Reservation {
    let hold = |key: &&str| Hold::new(ItemKey::new(period(), key), START, amounts());
    Reservation { holds: keys.iter().map(hold).collect(), amounts: amounts() }
}

fn documents(keys: &[&str]) -> Vec<BudgetDocument> {
    keys.iter().map(|key| BudgetDocument::new(&budget(key), period(), &Totals::default(), true)).collect()
}

fn admitted_with(notes: Notes) -> Value {
    json!(CompareAnswer::Admit {
        max_tokens: 1_024,
        max_tokens_shrunk: false,
        model_timeout_seconds: 200,
        reservation: Box::new(reservation(&KEYS)),
        budgets: documents(&KEYS),
        notes,
    })
}

fn admitted() -> Value {
    admitted_with(Notes::default())
}

fn wait(seconds: u64) -> Value {
    json!(CompareAnswer::Wait { wait_seconds: seconds })
}

/// The budgets after the settlement, which differ from those after the reservation.
fn settled_documents(keys: &[&str]) -> Vec<BudgetDocument> {
    let counters = [("settledOutput".to_owned(), 2), ("output".to_owned(), 2)].into_iter().collect();
    let totals = Totals::of(&[counters]);
    keys.iter().map(|key| BudgetDocument::new(&budget(key), period(), &totals, true)).collect()
}

fn settlement() -> SettleAnswer {
    SettleAnswer {
        budgets: settled_documents(&KEYS),
        usage: answer()["usage"].clone(),
        ..SettleAnswer::default()
    }
}

/// What settle says when the table had no capacity for all but so many of the budgets.
fn throttled_after(settled: usize) -> Value {
    json!(SettleAnswer {
        throttled: true,
        reservation: Some(reservation(&KEYS[settled..])),
        budgets: settled_documents(&KEYS[..settled]),
        ..settlement()
    })
}

/// What validate-request makes of a request.
fn checked(more: Value) -> Value {
    let mut request = request();
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = validate_request::handle(json!({ "request": request })).now_or_never();
    answer.expect("it waits for nothing").unwrap()
}

fn validated() -> Value {
    checked(json!({"inference": {"temperature": 0.5}, "tags": {"costCenter": "cc-1"}}))
}

/// The same for a request of a tenant with an idempotency key.
fn keyed() -> Value {
    checked(json!({"tenant": "acme", "idempotencyKey": "k-1"}))
}

/// The bound of the request's input: the text, its message and the request around it.
const BOUND: u64 = 4 + 16 + 128;

/// Everything goes well, unless a test says otherwise.
fn well() -> Script {
    let start = chrono::DateTime::from_timestamp(START, 0).unwrap();
    Script::default()
        .function("ValidateRequest", validated())
        .function("MonthRange", json!(Period::range(start)))
        .function("UsageQuery", json!({"available": true, "inputTokens": 5, "outputTokens": 6, "asOf": "n"}))
        .function("LimitLookup", json!(limits()))
        .function("Compare", admitted())
        .reply("RouteToModel", [routed("SUCCEEDED", &answer(), None)])
        .function("Settle", json!(settlement()))
        .reply("SendNotices", [Ok(json!({"FailedEntryCount": 0}))])
        .function("GiveBackClaim", json!(SettleAnswer::default()))
}

#[tokio::test(start_paused = true)]
async fn an_answer_carries_what_it_used_and_what_is_left() {
    let (execution, script) = run(RATE_LIMITER, request(), well()).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let mut expected = answer();
    let more = json!({"requestId": "request-1", "requestedModelId": CLAUDE, "maxTokens": 1024,
        "maxTokensShrunk": false, "usageEstimated": false,
        "budget": settled_documents(&KEYS)[0], "budgets": settled_documents(&KEYS)});
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(execution.output.unwrap(), expected);
    assert_eq!(
        script.arguments("Compare")["Payload"],
        json!({"requestId": "request-1", "startTime": "2026-11-23T12:00:00.000Z",
            "now": "2026-11-23T12:00:00.000Z", "modelId": CLAUDE, "tenant": null, "idempotencyKey": null,
            "inputBound": BOUND, "unbounded": null, "mayCount": true, "countFirst": false, "maxTokens": null, "serviceTier": null,
            "cache": null, "limits": limits(),
            "usage": {"available": true, "inputTokens": 5, "outputTokens": 6, "asOf": "n"},
            "waitedSeconds": 0, "tried": []})
    );
    // What was reserved is what is sent, with the time that is left.
    let sent: Value =
        serde_json::from_str(script.arguments("RouteToModel")["Input"].as_str().unwrap()).unwrap();
    assert_eq!(sent["inference"], json!({"temperature": 0.5, "maxTokens": 1024}));
    assert_eq!(sent["timeoutSeconds"], 200);
    assert_eq!(
        script.arguments("Settle")["Payload"],
        json!({"requestId": "request-1", "idempotencyKey": null, "tenant": null, "settlement": {
            "period": "2026-11", "reservation": reservation(&KEYS), "settled": [], "attempts": 0, "budgets": limits().budgets,
            "externalUsageKnown": true, "prices": null, "serviceTier": null, "cache": null, "tags": {"costCenter": "cc-1"},
            "outcome": {"status": "SUCCEEDED", "answer": {"usage": answer()["usage"]}}}})
    );
}

#[tokio::test(start_paused = true)]
async fn compare_and_settle_understand_what_the_workflow_sends() {
    let tables = MemoryTables::default();
    let comparing = compare::Context { ledger: &tables, claims: &tables, metric_lag: 660 };
    let settling = settle::Context { ledger: &tables, claims: &tables };
    let owner = || tables.owner("acme/k-1");
    let keyed = || well().function("ValidateRequest", keyed());

    let (_, script) = run(RATE_LIMITER, request(), keyed()).await;
    let compared = compare::handle(script.arguments("Compare")["Payload"].clone(), &comparing).await.unwrap();
    let CompareAnswer::Admit { reservation: held, max_tokens, .. } =
        serde_json::from_value(compared.clone()).unwrap()
    else {
        panic!("{compared}")
    };
    assert_eq!((*held, max_tokens, owner().as_deref()), (reservation(&KEYS), 1_024, Some("request-1")));

    let (_, script) = run(RATE_LIMITER, request(), keyed().function("Compare", compared)).await;
    let settled = settle::handle(script.arguments("Settle")["Payload"].clone(), &settling).await.unwrap();
    let settled: SettleAnswer = serde_json::from_value(settled).unwrap();
    assert_eq!((settled.budgets.len(), settled.usage, owner()), (3, answer()["usage"].clone(), None));
    for key in KEYS {
        let item = tables.item(&ItemKey::new(period(), key));
        let external = item.get("externalOutput");
        assert_eq!(
            (item.get("output"), external),
            (2 + external, if key == FAMILY { 6 } else { 0 }),
            "{key}"
        );
        assert_eq!((item.get("settledInput"), item.get("settledOutput")), (8, 2), "{key}");
    }

    let (_, script) = run(RATE_LIMITER, request(), keyed().hangs("Compare")).await;
    let claim = Claim::new(Some("acme"), "k-1", "request-1", i64::MAX);
    (&tables).claim(&claim, 0).await;
    settle::handle(script.arguments("GiveBackClaim")["Payload"].clone(), &settling).await.unwrap();
    assert_eq!(owner(), None);
}

#[tokio::test(start_paused = true)]
async fn the_tier_the_lifetime_of_the_cache_and_the_prices_reach_the_functions() {
    let mut validated = validated();
    validated["serviceTier"] = json!("priority");
    validated["cache"] = json!("1h");
    let price = json!({"input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1, "cacheWrite1h": 1});
    let prices = json!({"standard": price, "priority": price});
    let limits = {
        let mut limits = json!(limits());
        limits["prices"] = prices.clone();
        limits
    };
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
    for name in [ErrorName::BudgetExceeded, ErrorName::BudgetBusy, ErrorName::RequestInProgress] {
        let refusal = RefusalCause {
            item_id: Some("default".to_owned()),
            retry_after_seconds: Some(3),
            budget: documents(&KEYS).pop(),
            ..RefusalCause::new(name, "request-1", "No.".to_owned())
        };
        let script = well().function("Compare", json!(CompareAnswer::refuse(refusal.clone())));
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        assert_eq!(execution.error.as_deref(), Some(name.as_str()));
        assert_eq!(cause(&execution), json!(refusal));
        assert_eq!((script.count("Settle"), script.count("GiveBackClaim")), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_is_counted_and_then_compared_again() {
    let script = well().reply("Compare", [function(&wait(2)), function(&wait(3)), function(&admitted())]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(execution.duration.as_secs(), 5);
    let compared: Vec<_> = script.all_arguments("Compare");
    let times = |field: &str| -> Vec<Value> {
        compared.iter().map(|arguments| arguments["Payload"][field].clone()).collect()
    };
    assert_eq!(times("waitedSeconds"), [0, 2, 5]);
    // Each attempt has its own time.
    assert_eq!(
        times("now"),
        ["2026-11-23T12:00:00.000Z", "2026-11-23T12:00:02.000Z", "2026-11-23T12:00:05.000Z"]
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_compare_without_an_answer_the_key_is_given_back() {
    for error in
        ["States.Timeout", "Runtime.ExitError", "Lambda.ServiceException", "Lambda.TooManyRequestsException"]
    {
        let script = well().function("ValidateRequest", keyed()).fails("Compare", error);
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        assert_eq!(execution.error.as_deref(), Some("SentryUnavailable"), "{error}");
        assert_eq!(
            script.arguments("GiveBackClaim")["Payload"],
            json!({"requestId": "request-1", "idempotencyKey": "k-1", "tenant": "acme"})
        );
        assert_eq!((script.count("GiveBackClaim"), script.count("RouteToModel")), (1, 0), "{error}");
    }
    // Compare gives the key back itself when it fails by name. When GiveBackClaim fails too, the error stays the same.
    let refused = well().refuses("Compare", "SentryUnavailable", &json!({"message": "No."}));
    assert_eq!(run(RATE_LIMITER, request(), refused).await.1.count("GiveBackClaim"), 0);
    let stays = well().hangs("Compare").fails("GiveBackClaim", "Runtime.ExitError");
    let (execution, script) = run(RATE_LIMITER, request(), stays).await;
    assert_eq!(execution.error.as_deref(), Some("SentryUnavailable"));
    assert_eq!((execution.duration.as_secs(), script.count("Compare")), (20, 1));
}

#[tokio::test(start_paused = true)]
async fn the_router_gets_the_time_of_the_model_and_a_little_more() {
    let (execution, script) = run(RATE_LIMITER, request(), well().hangs("RouteToModel")).await;
    assert_eq!(execution.error.as_deref(), Some("ModelTimeout"));
    assert_eq!((execution.duration.as_secs(), script.count("RouteToModel")), (210, 1));
    assert_eq!(script.arguments("Settle")["Payload"]["settlement"]["outcome"]["status"], "TIMED_OUT");
}

/// Compare says how much time the model may have before it knows how long it takes itself.
#[tokio::test(start_paused = true)]
async fn the_time_that_compare_takes_is_not_taken_from_the_settlement() {
    for (waited, timeout) in [(60, Some(181)), (236, Some(5)), (237, None)] {
        let wait = Ok(json!({"Payload": {"verdict": "wait", "waitSeconds": waited - 19}}));
        let script = well().reply("Compare", [wait, Ok(json!({"Payload": admitted()}))]).lasts("Compare", 19);
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        if let Some(timeout) = timeout {
            let input = script.arguments("RouteToModel")["Input"].as_str().unwrap().to_owned();
            let input: Value = serde_json::from_str(&input).unwrap();
            assert_eq!(input["timeoutSeconds"], timeout, "waited {waited} s");
        } else {
            assert!(!script.states().contains(&"RouteToModel".to_owned()), "waited {waited} s");
            let outcome = script.arguments("Settle")["Payload"]["settlement"]["outcome"].clone();
            assert_eq!(
                (&outcome["status"], &outcome["cause"]["possiblyBilled"]),
                (&json!("FAILED"), &json!(false))
            );
            assert_eq!(execution.error.as_deref(), Some("SentryUnavailable"));
        }
    }
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
            (Some("Because."), &json!(documents(&KEYS)[0]), &json!(documents(&KEYS)))
        );
        assert_eq!(
            (output["usage"]["totalTokens"].as_u64(), output["usageEstimated"].as_bool()),
            (Some(10), Some(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_settlement_is_finished_after_a_pause() {
    let replies =
        [function(&throttled_after(0)), function(&throttled_after(1)), function(&json!(settlement()))];
    let (execution, script) = run(RATE_LIMITER, request(), well().reply("Settle", replies)).await;
    assert_eq!((execution.status, execution.duration.as_secs()), (Status::Succeeded, 4));
    let settled = script.all_arguments("Settle");
    let expected = [(0, 0), (1, 0), (2, 1)].map(|(attempts, before)| {
        (json!(reservation(&KEYS[before..])), json!(settled_documents(&KEYS[..before])), json!(attempts))
    });
    let asked = settled.iter().map(|arguments| {
        let settlement = &arguments["Payload"]["settlement"];
        (settlement["reservation"].clone(), settlement["settled"].clone(), settlement["attempts"].clone())
    });
    assert_eq!(asked.collect::<Vec<_>>(), expected);
    assert_eq!(execution.output.unwrap()["budgets"], json!(settled_documents(&KEYS)));
    // Capacity that does not come back keeps the caller waiting for no longer than six seconds.
    let script = well().function("Settle", throttled_after(1));
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!((script.count("Settle"), execution.duration.as_secs()), (4, 6));
    let output = execution.output.unwrap();
    assert_eq!(
        (&output["budgets"], &output["usage"]),
        (&json!(settled_documents(&KEYS[..1])), &answer()["usage"])
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_request_cost_and_the_budget_that_shortened_it_are_in_the_answer() {
    let notes = Notes { shrunk_by: Some("account".to_owned()), ..Notes::default() };
    let priced = SettleAnswer { cost_usd: Some(json!(0.000_25)), ..settlement() };
    let script = well().function("Compare", admitted_with(notes)).function("Settle", json!(priced));
    let output = run(RATE_LIMITER, request(), script).await.0.output.unwrap();
    assert_eq!((&output["costUsd"], &output["shrunkBy"]), (&json!(0.000_25), &json!("account")));
}

#[tokio::test(start_paused = true)]
async fn notices_are_sent_and_never_in_the_way() {
    let notice = Notice::new(NoticeType::BudgetThresholdCrossed, json!({"percent": 80})).entry();
    let noticed = |answer: SettleAnswer| json!(SettleAnswer { notices: vec![notice.clone()], ..answer });
    let (execution, script) =
        run(RATE_LIMITER, request(), well().function("Settle", noticed(settlement()))).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(script.arguments("SendNotices")["Entries"], json!([notice]));
    assert_eq!(run(RATE_LIMITER, request(), well()).await.1.count("SendNotices"), 0);
    for error in ["EventBridge.InternalException", "States.Timeout"] {
        let script = well().function("Settle", noticed(settlement())).fails("SendNotices", error);
        assert_eq!(run(RATE_LIMITER, request(), script).await.0.status, Status::Succeeded);
    }
    // EventBridge takes ten entries at a time.
    for (count, sent) in [(10, vec![10]), (11, vec![10, 1]), (36, vec![10, 10, 10, 6])] {
        let notices: Vec<Value> = (0..count).map(|number| json!({"Detail": number.to_string()})).collect();
        let script =
            well().function("Settle", json!(SettleAnswer { notices: notices.clone(), ..settlement() }));
        let (execution, script) = run(RATE_LIMITER, request(), script).await;
        assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
        let entries: Vec<Vec<Value>> = script
            .all_arguments("SendNotices")
            .iter()
            .map(|arguments| arguments["Entries"].as_array().unwrap().clone())
            .collect();
        assert_eq!(entries.iter().map(Vec::len).collect::<Vec<_>>(), sent);
        assert_eq!(entries.concat(), notices);
    }
    // A throttled settlement sends its own, then goes on.
    let partly: SettleAnswer = serde_json::from_value(throttled_after(1)).unwrap();
    let replies = [function(&noticed(partly)), function(&noticed(settlement()))];
    let (_, script) = run(RATE_LIMITER, request(), well().reply("Settle", replies)).await;
    assert_eq!((script.count("Settle"), script.count("SendNotices")), (2, 2));
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
        .reply("Compare", [function(&json!(CompareAnswer::Count)), function(&admitted())])
        .function("FormatForCount", body)
        .reply("CountTokens", [Ok(json!({"InputTokens": number}))])
}

fn function(payload: &Value) -> Reply {
    Ok(json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}))
}

#[tokio::test(start_paused = true)]
async fn an_exact_count_takes_the_place_of_the_bound() {
    for (count, bound) in [(9, 9), (4_000, BOUND)] {
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
        assert_eq!((&compared["inputBound"], &compared["mayCount"]), (&json!(BOUND), &json!(false)));
    }
}

fn tried() -> Vec<TriedModel> {
    let dimension = Some("output".to_owned());
    vec![TriedModel { model_id: CLAUDE.to_owned(), budget: FAMILY.to_owned(), dimension }]
}

fn fallback() -> Value {
    json!(CompareAnswer::Fallback { model_id: NOVA.to_owned(), tried: tried() })
}

#[tokio::test(start_paused = true)]
async fn another_model_takes_over_and_the_answer_says_so() {
    let notes = Notes { fallback: Some(TriedModels { tried: tried() }), ..Notes::default() };
    let script = well().reply("Compare", [function(&fallback()), function(&admitted_with(notes))]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let validated = &script.arguments("ValidateRequest")["Payload"];
    assert_eq!(validated["fallbackModelId"], NOVA);
    assert_eq!(validated["request"]["prompt"], request()["prompt"]);
    let compared = &script.arguments("Compare")["Payload"];
    assert_eq!(compared["tried"], json!(tried()));
    let answer = execution.output.unwrap();
    assert_eq!(answer["requestedModelId"], CLAUDE);
    assert_eq!(answer["fallback"]["tried"], json!(tried()));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_cannot_be_served_ends_with_its_own_error() {
    let refused =
        json!({"errorType": "InvalidRequest", "errorMessage": json!({"message": "No."}).to_string()});
    let replies = [function(&validated()), Err(TaskError::new("InvalidRequest", refused.to_string()))];
    let script = well().function("Compare", fallback()).reply("ValidateRequest", replies);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.error.as_deref(), Some("InvalidRequest"));
    assert_eq!((script.count("RouteToModel"), script.count("Settle")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_is_claimed_at_each_attempt_and_given_back_by_settle() {
    let script = well()
        .function("ValidateRequest", keyed())
        .reply("Compare", [function(&wait(1)), function(&admitted())]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let claims = |arguments: &Value| {
        let payload = &arguments["Payload"];
        (payload["tenant"].clone(), payload["idempotencyKey"].clone())
    };
    let expected = (json!("acme"), json!("k-1"));
    for arguments in [script.all_arguments("Compare"), script.all_arguments("Settle")].concat() {
        assert_eq!(claims(&arguments), expected);
    }
    assert_eq!((script.count("Compare"), script.count("GiveBackClaim")), (2, 0));
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
