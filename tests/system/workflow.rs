//! The shipped rate-limiter, with scripted tasks: every path, every error name.

use asl::{Status, TaskError};
use serde_json::{Value, json};

use crate::script::{Reply, Script, cause, run};

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

fn admitted() -> Value {
    json!({"verdict": "admit", "maxTokens": 1024, "maxTokensShrunk": false,
        "reservation": {"input": 200, "output": 1024}, "budget": {"key": "anthropic.claude-sonnet-4-6"}, "notes": {}})
}

fn settled() -> Value {
    json!({"budget": {"key": "anthropic.claude-sonnet-4-6", "status": "ok"}, "usage": answer()["usage"], "usageEstimated": false, "thresholds": []})
}

/// Everything goes well, unless a test says otherwise.
fn well() -> Script {
    let validated = json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": request()["prompt"], "inference": {"temperature": 0.5},
        "family": "anthropic.claude-sonnet-4-6", "tenant": null, "idempotencyKey": null, "inputBound": 200, "mayCount": true, "usageIds": ["anthropic.claude-sonnet-4-6"]});
    Script::default()
        .function("ValidateRequest", validated)
        .function("MonthRange", json!({"period": "2026-11", "start": "s", "end": "e", "now": "n"}))
        .function("UsageQuery", json!({"available": true, "inputTokens": 5, "outputTokens": 6, "asOf": "n"}))
        .function(
            "LimitLookup",
            json!({"budgets": [{"key": "anthropic.claude-sonnet-4-6"}], "family": "anthropic.claude-sonnet-4-6", "defaultMaxTokens": 1024}),
        )
        .function("Compare", admitted())
        .reply("RouteToModel", [routed("SUCCEEDED", &answer(), None)])
        .function("Settle", settled())
        .reply("AnnounceThresholds", [Ok(json!({"FailedEntryCount": 0}))])
}

#[tokio::test(start_paused = true)]
async fn an_answer_carries_what_it_used_and_what_is_left() {
    let (execution, script) = run(RATE_LIMITER, request(), well()).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let mut expected = answer();
    let more = json!({"requestId": "request-1", "requestedModelId": "us.anthropic.claude-sonnet-4-6", "maxTokens": 1024,
        "maxTokensShrunk": false, "usageEstimated": false, "budget": settled()["budget"]});
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(execution.output.unwrap(), expected);
    assert_eq!(
        script.arguments("Compare")["Payload"],
        json!({"requestId": "request-1", "startTime": "2026-11-23T12:00:00.000Z",
            "modelId": "us.anthropic.claude-sonnet-4-6", "tenant": null, "idempotencyKey": null,
            "inputBound": 200, "mayCount": true,
            "limits": {"budgets": [{"key": "anthropic.claude-sonnet-4-6"}],
                "family": "anthropic.claude-sonnet-4-6", "defaultMaxTokens": 1024},
            "usage": {"available": true, "inputTokens": 5, "outputTokens": 6, "asOf": "n"},
            "waitedSeconds": 0, "tried": [], "again": false})
    );
    // What was reserved is what is sent.
    let sent: Value =
        serde_json::from_str(script.arguments("RouteToModel")["Input"].as_str().unwrap()).unwrap();
    assert_eq!(sent["inference"], json!({"temperature": 0.5, "maxTokens": 1024}));
    assert_eq!(
        script.arguments("Settle")["Payload"]["outcome"],
        json!({"status": "SUCCEEDED", "answer": {"usage": answer()["usage"]}})
    );
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
        assert_eq!(script.arguments("Settle")["Payload"]["externalUsageKnown"], false);
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
        let outcome = &script.arguments("Settle")["Payload"]["outcome"];
        assert_eq!(
            (outcome["status"].as_str(), outcome["cause"]["possiblyBilled"].as_bool()),
            (Some("FAILED"), Some(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_that_ends_unforeseen_may_have_been_billed() {
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
        assert_eq!(script.arguments("Settle")["Payload"]["outcome"]["cause"].get("possiblyBilled"), None);
    }
    for (error, expected) in [
        ("Sfn.ThrottlingException", "SentryUnavailable"),
        ("Sfn.InvalidExecutionInputException", "RequestTooLarge"),
    ] {
        let (execution, script) = run(RATE_LIMITER, request(), well().fails("RouteToModel", error)).await;
        assert_eq!(execution.error.as_deref(), Some(expected));
        assert_eq!(script.arguments("Settle")["Payload"]["outcome"]["cause"]["possiblyBilled"], false);
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
            (output["message"]["content"].as_str(), &output["budget"]),
            (Some("Because."), &admitted()["budget"])
        );
        assert_eq!(
            (output["usage"]["totalTokens"].as_u64(), output["usageEstimated"].as_bool()),
            (Some(10), Some(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn thresholds_are_announced_and_never_in_the_way() {
    let mut crossed = settled();
    crossed["thresholds"] =
        json!([{"Source": "bedrock.cost-sentry", "DetailType": "Budget Threshold Crossed", "Detail": "{}"}]);
    let (execution, script) = run(RATE_LIMITER, request(), well().function("Settle", crossed.clone())).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(script.arguments("AnnounceThresholds")["Entries"], crossed["thresholds"]);
    let script =
        well().function("Settle", crossed).fails("AnnounceThresholds", "EventBridge.InternalException");
    assert_eq!(run(RATE_LIMITER, request(), script).await.0.status, Status::Succeeded);
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
    let tried = json!([{"modelId": "us.anthropic.claude-sonnet-4-6", "budget": "anthropic.claude-sonnet-4-6", "dimension": "output"}]);
    let fallback = json!({"verdict": "fallback", "modelId": "amazon.nova-lite-v1:0", "tried": tried});
    let mut admit = admitted();
    admit["notes"] = json!({"fallback": {"tried": tried}});
    let script = well().reply("Compare", [function(&fallback), function(&admit)]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    let validated = &script.arguments("ValidateRequest")["Payload"];
    assert_eq!(validated["fallbackModelId"], "amazon.nova-lite-v1:0");
    assert_eq!(validated["request"]["prompt"], request()["prompt"]);
    let compared = &script.arguments("Compare")["Payload"];
    assert_eq!((&compared["tried"], &compared["again"]), (&tried, &json!(true)));
    let answer = execution.output.unwrap();
    assert_eq!(answer["requestedModelId"], "us.anthropic.claude-sonnet-4-6");
    assert_eq!(answer["fallback"]["tried"], tried);
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_is_claimed_once_and_given_back_by_settle() {
    let mut validated = json!({"modelId": "amazon.nova-lite-v1:0", "family": "amazon.nova-lite-v1:0", "prompt": request()["prompt"], "inference": {},
        "inputBound": 200, "mayCount": false, "usageIds": []});
    validated["tenant"] = json!("acme");
    validated["idempotencyKey"] = json!("k-1");
    let wait = json!({"verdict": "wait", "waitSeconds": 1});
    let script = well()
        .function("ValidateRequest", validated)
        .reply("Compare", [function(&wait), function(&admitted())]);
    let (execution, script) = run(RATE_LIMITER, request(), script).await;
    assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
    assert_eq!(script.arguments("Compare")["Payload"]["again"], true);
    let claim = &script.arguments("Settle")["Payload"]["claim"];
    assert_eq!((&claim["key"], &claim["tenant"]), (&json!("k-1"), &json!("acme")));
}
