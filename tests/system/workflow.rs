//! The shipped state machines, with scripted tasks: every path, every error name.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use asl::{Execution, Start, StateMachine, Status, TaskCall, TaskError, Tasks};
use serde_json::{Value, json};

const RATE_LIMITER: &str = include_str!("../../statemachines/rate-limiter.asl.json");
const MODEL_ROUTER: &str = include_str!("../../statemachines/model-router.asl.json");

type Reply = Result<Value, TaskError>;

/// Answers each state from its queue; the last reply stays.
#[derive(Default)]
struct Script {
    replies: Mutex<BTreeMap<String, VecDeque<Reply>>>,
    calls: Mutex<Vec<TaskCall>>,
}

impl Script {
    fn reply(self, state: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies.lock().unwrap().insert(state.to_owned(), replies.into_iter().collect());
        self
    }

    /// A function's answer, as the Lambda integration gives it.
    fn function(self, state: &str, payload: Value) -> Self {
        self.reply(state, [Ok(json!({"StatusCode": 200, "Payload": payload}))])
    }

    fn fails(self, state: &str, error: &str) -> Self {
        self.reply(state, [Err(TaskError::new(error, format!("{error} in account 123456789012")))])
    }

    /// A function's named error, as the Lambda integration gives it.
    fn refuses(self, state: &str, name: &str, document: &Value) -> Self {
        let cause = json!({"errorType": name, "errorMessage": document.to_string()}).to_string();
        self.reply(state, [Err(TaskError::new(name, cause))])
    }

    fn states(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call.state.clone()).collect()
    }

    fn arguments(&self, state: &str) -> Value {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .rev()
            .find(|call| call.state == state)
            .unwrap_or_else(|| panic!("{state} was not called"))
            .arguments
            .clone()
    }
}

struct Shared(Arc<Script>);

impl Tasks for Shared {
    fn call<'a>(&'a self, call: TaskCall) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        let state = call.state.clone();
        self.0.calls.lock().unwrap().push(call);
        let mut replies = self.0.replies.lock().unwrap();
        let queue = replies.get_mut(&state).unwrap_or_else(|| panic!("nothing scripted for {state}"));
        let reply = if queue.len() > 1 { queue.pop_front().unwrap() } else { queue[0].clone() };
        Box::pin(async move { reply })
    }
}

async fn run(definition: &str, input: Value, script: Script) -> (Execution, Arc<Script>) {
    let values: BTreeMap<String, String> = definition
        .split("${")
        .skip(1)
        .filter_map(|after| after.split_once('}'))
        .map(|(name, _)| (name.to_owned(), format!("arn:{name}")))
        .collect();
    let machine = StateMachine::parse(&asl::substitute(definition, &values).unwrap()).unwrap();
    let start = Start {
        name: "request-1".to_owned(),
        execution_arn: "arn:execution".to_owned(),
        state_machine_arn: "arn:machine".to_owned(),
        state_machine_name: "machine".to_owned(),
        role_arn: "arn:role".to_owned(),
        input,
        start_time: "2026-11-23T12:00:00Z".parse().unwrap(),
    };
    let script = Arc::new(script);
    let execution = asl::run(&machine, start, Arc::new(Shared(Arc::clone(&script)))).await;
    (execution, script)
}

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
        "reservation": {"input": 200, "output": 1024}, "budget": {"key": "anthropic.claude-sonnet-4-6"}})
}

fn settled() -> Value {
    json!({"budget": {"key": "anthropic.claude-sonnet-4-6", "status": "ok"}, "usage": answer()["usage"], "usageEstimated": false, "thresholds": []})
}

/// Everything goes well, unless a test says otherwise.
fn well() -> Script {
    let validated = json!({"modelId": "us.anthropic.claude-sonnet-4-6", "prompt": request()["prompt"], "inference": {"temperature": 0.5},
        "inputBound": 200, "usageIds": ["anthropic.claude-sonnet-4-6"]});
    Script::default()
        .function("ValidateRequest", validated)
        .function("MonthRange", json!({"period": "2026-11", "start": "s", "end": "e", "now": "n"}))
        .function("UsageQuery", json!({"available": true, "input": 5, "output": 6, "asOf": "n"}))
        .function(
            "LimitLookup",
            json!({"budgets": [{"key": "anthropic.claude-sonnet-4-6"}], "defaultMaxTokens": 1024}),
        )
        .function("Compare", admitted())
        .reply("RouteToModel", [routed("SUCCEEDED", &answer(), None)])
        .function("Settle", settled())
        .reply("AnnounceThresholds", [Ok(json!({"FailedEntryCount": 0}))])
}

fn cause(execution: &Execution) -> Value {
    serde_json::from_str(execution.cause.as_deref().unwrap()).unwrap()
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
        json!({"requestId": "request-1", "startTime": "2026-11-23T12:00:00.000Z", "inputBound": 200,
            "limits": {"budgets": [{"key": "anthropic.claude-sonnet-4-6"}], "defaultMaxTokens": 1024},
            "usage": {"available": true, "input": 5, "output": 6, "asOf": "n"}, "waitedSeconds": 0})
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

fn router_well() -> Script {
    Script::default()
        .reply("FormatRequest", [Ok(json!({"Payload": {"body": {"some": "body"}}}))])
        .reply("InvokeModel", [Ok(json!({"Body": {"text": "raw"}, "ContentType": "application/json"}))])
        .reply("Converse", [Ok(json!({"StopReason": "end_turn"}))])
        .function(
            "NormalizeResponse",
            json!({"message": {"role": "assistant", "content": "Because."}, "usage": null}),
        )
}

fn asks(model_id: &str) -> Value {
    json!({"modelId": model_id, "prompt": request()["prompt"], "tags": {"applicationId": "a"}})
}

#[tokio::test(start_paused = true)]
async fn the_router_can_be_called_on_its_own() {
    let (execution, script) = run(MODEL_ROUTER, asks("us.anthropic.claude-sonnet-4-6"), router_well()).await;
    assert_eq!(
        execution.output.unwrap(),
        json!({"modelId": "us.anthropic.claude-sonnet-4-6",
        "message": {"role": "assistant", "content": "Because."}, "usage": null})
    );
    assert_eq!(script.arguments("InvokeModel")["Body"], json!({"some": "body"}));
    assert_eq!(script.arguments("NormalizeResponse")["Payload"]["body"], json!({"text": "raw"}));
    let (_, script) = run(MODEL_ROUTER, asks("some.new-model-v1:0"), router_well()).await;
    assert_eq!(script.arguments("Converse"), json!({"some": "body", "ModelId": "some.new-model-v1:0"}));
    assert_eq!(script.arguments("NormalizeResponse")["Payload"]["body"], json!({"StopReason": "end_turn"}));
}

#[tokio::test(start_paused = true)]
async fn every_bedrock_error_has_a_documented_name_for_both_ways_of_calling() {
    for (model_id, state, prefix) in
        [("anthropic.claude-x", "InvokeModel", "Bedrock."), ("some.model", "Converse", "BedrockRuntime.")]
    {
        for (error, name, billed, attempts) in [
            ("ThrottlingException", "ModelThrottled", false, 4),
            ("ModelNotReadyException", "ModelThrottled", false, 4),
            ("ServiceQuotaExceededException", "ModelThrottled", false, 1),
            ("AccessDeniedException", "ModelAccessDenied", false, 1),
            ("ResourceNotFoundException", "ModelNotFound", false, 1),
            ("ValidationException", "ModelRejectedRequest", false, 1),
            ("ModelTimeoutException", "ModelTimeout", true, 1),
            ("ModelErrorException", "ModelUnavailable", true, 1),
            ("InternalServerException", "ModelUnavailable", false, 4),
            ("ServiceUnavailableException", "ModelUnavailable", false, 4),
            ("SdkClientException", "ModelUnavailable", true, 1),
        ] {
            let script = router_well().fails(state, &format!("{prefix}{error}"));
            let (execution, script) = run(MODEL_ROUTER, asks(model_id), script).await;
            assert_eq!(execution.error.as_deref(), Some(name), "{prefix}{error}");
            let cause = cause(&execution);
            assert_eq!(
                (cause["possiblyBilled"].as_bool(), cause["requestId"].as_str()),
                (Some(billed), Some("request-1")),
                "{error}"
            );
            let message = cause["message"].as_str().unwrap();
            assert!(message.contains(error) && !message.contains("123456789012"), "{message}");
            assert_eq!(script.states().iter().filter(|called| *called == state).count(), attempts, "{error}");
        }
        for (error, name) in
            [("States.Timeout", "ModelTimeout"), ("States.DataLimitExceeded", "UnreadableModelResponse")]
        {
            let (execution, _) = run(MODEL_ROUTER, asks(model_id), router_well().fails(state, error)).await;
            assert_eq!(
                (execution.error.as_deref(), cause(&execution)["possiblyBilled"].as_bool()),
                (Some(name), Some(true))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn formatters_that_refuse_or_fail_are_named_and_say_whether_the_model_ran() {
    for (state, name, billed) in [
        ("FormatRequest", "InvalidRequest", false),
        ("FormatRequest", "UnsupportedModel", false),
        ("NormalizeResponse", "UnreadableModelResponse", true),
        ("NormalizeResponse", "InternalError", true),
    ] {
        let script = router_well().refuses(state, name, &json!({"message": "No.", "path": "there"}));
        let execution = run(MODEL_ROUTER, asks("anthropic.claude-x"), script).await.0;
        assert_eq!(execution.error.as_deref(), Some(name));
        assert_eq!(
            cause(&execution),
            json!({"type": name, "message": "No.", "path": "there", "requestId": "request-1", "possiblyBilled": billed})
        );
    }
    for (state, name, billed) in
        [("FormatRequest", "SentryUnavailable", false), ("NormalizeResponse", "InternalError", true)]
    {
        let execution =
            run(MODEL_ROUTER, asks("anthropic.claude-x"), router_well().fails(state, "Runtime.ExitError"))
                .await
                .0;
        assert_eq!(
            (execution.error.as_deref(), cause(&execution)["possiblyBilled"].as_bool()),
            (Some(name), Some(billed))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_for_a_router_is_left_to_the_formatter() {
    for input in [json!({}), json!({"modelId": 5}), json!([]), json!("text"), Value::Null] {
        let script = router_well().refuses(
            "FormatRequest",
            "InvalidRequest",
            &json!({"message": "No.", "path": "modelId"}),
        );
        let execution = run(MODEL_ROUTER, input.clone(), script).await.0;
        assert_eq!(execution.error.as_deref(), Some("InvalidRequest"), "{input} {execution:?}");
    }
}
